package core_test

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

// A panic in OnInitialHeaders or OnHeaders leaves no session behind.
func TestPanicsInHeaders(t *testing.T) {
	for name, install := range map[string]func(*core.Config, func(http.Header, *http.Request)){
		"OnInitialHeaders": func(cfg *core.Config, f func(http.Header, *http.Request)) { cfg.OnInitialHeaders = f },
		"OnHeaders":        func(cfg *core.Config, f func(http.Header, *http.Request)) { cfg.OnHeaders = f },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var cfg core.Config
				install(&cfg, func(_ http.Header, r *http.Request) { strikeVictim(r, func() { panic("by design") }) })
				b := newBench(t, cfg)
				b.provokeRequests()
				time.Sleep(time.Minute) // longer than a heartbeat
				b.wantLiveAndEnd()
			})
		})
	}
}

// A panic in OnHeaders during a poll costs only the headers.
func TestPanicInHeadersOfAPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{OnHeaders: func(http.Header, *http.Request) { panic("by design") }})
		defer b.end()
		s := b.open(poll4)
		_ = s.socket.Send(core.Text("kept"))
		b.wantAnswer(s.get(), 200, "4kept")
	})
}

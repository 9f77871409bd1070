package core_test

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// panickingEngine panics for requests that ask for it.
type panickingEngine struct{ coretest.Engine }

func (e panickingEngine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	if r.URL.Query().Has("victim") {
		panic("on purpose")
	}
	return e.Engine.Accept(conn, buffered, r, o)
}

// TestPanicInEngine: the connection is closed, the session of an upgrade goes on over polling, and nothing keeps
// others or Shutdown waiting.
func TestPanicInEngine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log lockedBuffer
		b := newBench(t, core.Config{WebSocketEngine: panickingEngine{}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		s := b.open(poll4)
		for _, query := range []string{ws4, ws4 + "&sid=" + s.sid} {
			ws, _ := b.WebSocket(query + "&victim=1")
			if f, open := ws.Next(); open {
				t.Errorf("got %v", f)
			}
		}
		synctest.Wait()
		b.wantAnswer(s.post("4still here"), 200, "ok")
		b.wantAnswer(s.get(), 200, "4still here")
		if n := b.Server.Stats().UpgradesFailed; n != 1 {
			t.Errorf("%d failed upgrades", n)
		}
		if n := strings.Count(log.String(), "on purpose"); n != 2 {
			t.Errorf("the log tells of %d panics", n)
		}
		b.wantAnswer(s.post("1"), 200, "ok")
		synctest.Wait()
		b.wantLiveAndEnd()
	})
}

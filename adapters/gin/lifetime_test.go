package eiogin_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// A poll may last longer than the server's timeouts, even behind writers that do not unwrap.
func TestLongPollOutlivesServerTimeouts(t *testing.T) {
	for name, use := range map[string][]gin.HandlerFunc{
		"nothing":        {},
		"gzip":           {gzip.Gzip(gzip.DefaultCompression)},
		"gzip, body log": {gzip.Gzip(gzip.DefaultCompression), bodyLog},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.TestLongPolls(t, stack{use: use}.build)
		})
	}
}

// Behind middleware that limits a request's time, the poll is answered before the time is over.
func TestLongPollInsideTimeoutHandler(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, stack{around: func(next http.Handler) http.Handler {
		return http.TimeoutHandler(next, 500*time.Millisecond, "late")
	}}.build)
	s := a.Open("/engine.io/")
	a.Want(s.Poll(), 200, "6")
	s.Echo("4hello")
}

func TestClientLeavesDuringPoll(t *testing.T) {
	use := []gin.HandlerFunc{gin.Logger(), gin.Recovery(), gzip.Gzip(gzip.DefaultCompression)}
	adaptertest.TestLeaveDuringPoll(t, stack{use: use}.build)
}

func TestShutdown(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, stack{}.build)
	adaptertest.TestShutdown(t, a, a.HTTP.Shutdown)
}

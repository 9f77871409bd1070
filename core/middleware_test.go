package core_test

import (
	"context"
	"net/http"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/goengineio/engineio/core"
)

// TestUse: the middleware added first sees a request first, and each one is constructed once.
func TestUse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var made, passed []string
		b := newBench(t, core.Config{})
		use := func(name string) {
			b.Server.Use(func(next http.Handler) http.Handler {
				made = append(made, name)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					passed = append(passed, name)
					next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), ctxKey(name), true)))
				})
			})
		}
		use("a")
		use("b")
		use("c")
		s := b.open(poll4)
		if want := []string{"a", "b", "c"}; !slices.Equal(made, want) || !slices.Equal(passed, want) {
			t.Errorf("made %q, passed %q", made, passed)
		}
		for _, name := range passed {
			if s.socket.Request().Context().Value(ctxKey(name)) != true {
				t.Errorf("the session has no value of %s", name)
			}
		}
		b.end()
	})
}

type ctxKey string

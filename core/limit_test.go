package core_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// These are tests of the limit in example_limit_test.go, since people will copy it.

func TestAddressLimitRefills(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limit := &addressLimit{every: time.Second, burst: 2, keep: 10}
		allowed := func() (n int) {
			for range 5 {
				if limit.allow(&http.Request{RemoteAddr: "192.0.2.1:1"}) == nil {
					n++
				}
			}
			return n
		}
		for _, step := range []struct {
			after time.Duration
			want  int
		}{{0, 2}, {900 * time.Millisecond, 0}, {200 * time.Millisecond, 1}, {time.Hour, 2}} {
			time.Sleep(step.after)
			if got := allowed(); got != step.want {
				t.Errorf("%v later: %d allowed, want %d", step.after, got, step.want)
			}
		}
	})
}

func TestAddressLimitIsBounded(t *testing.T) {
	const keep = 100
	limit := &addressLimit{every: time.Hour, burst: 1, keep: keep}
	busy := &http.Request{RemoteAddr: "198.51.100.1:1"}
	if err := limit.allow(busy); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for client := range 10 {
		all.Go(func() {
			for n := range keep {
				if err := limit.allow(&http.Request{RemoteAddr: fmt.Sprintf("203.%d.113.%d:1", client, n)}); err != nil {
					t.Error(err)
				}
				if n%10 == 0 && limit.allow(busy) == nil {
					t.Error("an address that keeps coming was forgotten")
				}
			}
		})
	}
	all.Wait()
	if len(limit.known) != keep || limit.recent.Len() != keep {
		t.Errorf("%d addresses known, %d listed, want %d", len(limit.known), limit.recent.Len(), keep)
	}
}

func TestClientAddress(t *testing.T) {
	for remote, want := range map[string]string{
		"192.0.2.1:80":                 "192.0.2.1",
		"192.0.2.1":                    "192.0.2.1",
		"[::ffff:192.0.2.1]:80":        "192.0.2.1",
		"[2001:db8:1:2:3:4:5:6]:80":    "2001:db8:1:2::",
		"2001:db8:1:2::7":              "2001:db8:1:2::",
		"[fe80::1%eth0]:80":            "fe80::",
		"":                             "",
		"localhost:80":                 "",
		"192.0.2.1:80, 198.51.100.1:1": "",
		"@":                            "",
	} {
		addr, err := clientAddress(remote)
		if want == "" {
			if err == nil {
				t.Errorf("%q: %v", remote, addr)
			}
			continue
		}
		if err != nil || addr.String() != want {
			t.Errorf("%q: %v %v, want %s", remote, addr, err, want)
		}
	}
}

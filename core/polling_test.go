package core_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
)

func TestPollingEcho(t *testing.T) {
	for _, c := range []struct{ name, query, post, get string }{
		{"text", poll4, "4hello", "4hello"},
		{"empty", poll4, "4", "4"},
		{"several", poll4, "4a\x1e4b\x1ebAQID", "4a\x1e4b\x1ebAQID"},
		{"unicode", poll4, "4€😀", "4€😀"},
		{"invalid UTF-8 is replaced", poll4, "4a\xffb", "4a\ufffdb"},
		{"revision 3", poll3 + "&b64=1", "6:4hello3:4😀", "6:4hello3:4😀"},
		{"revision 3 base64", poll3 + "&b64=1", "6:b4AQ==", "6:b4AQ=="},
		{"revision 3 binary", poll3, "6:b4AQ==2:4€", "\x01\x02\xff\x04\x01\x00\x04\xff4€"},
		{"JSONP", poll4 + "&j=7", "d=4a%0Ab%5Cnc", `___eio[7]("4a\nb\nc");`},
		{"JSONP escaped", poll4 + "&j=7", `d=4%5C%5Cn%3C%2Fscript%3E`, `___eio[7]("4\\n\u003c/script\u003e");`},
		{"JSONP index", poll4 + "&j=0%5D%3Balert(1)//2", "d=4x", `___eio[012]("4x");`},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, core.Config{AllowEIO3: true})
				defer b.end()
				b.Get(c.query).Wait()
				s := <-b.sockets
				query := c.query + "&sid=" + s.ID()
				b.wantAnswer(b.Post(query, c.post), 200, "ok")
				a := b.Get(query).Wait()
				b.wantAnswer(a, 200, c.get)
				binary := strings.HasPrefix(c.get, "\x01")
				if got := a.Header.Get("Content-Type"); strings.HasPrefix(got, "application/octet-stream") != binary {
					t.Errorf("content type %s", got)
				}
			})
		})
	}
}

func TestPollWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		poll := s.get()
		synctest.Wait()
		if poll.Answered() {
			t.Fatal("answered with nothing to say")
		}
		_ = s.socket.Send(core.Text("now"))
		b.wantAnswer(poll, 200, "4now")
	})
}

func TestOverlapClosesTheSession(t *testing.T) {
	for _, c := range []struct{ query, closePacket string }{{poll4, "1"}, {poll3, "1:1"}} {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, core.Config{AllowEIO3: true})
			defer b.end()
			s := b.open(c.query)
			first := s.get()
			synctest.Wait()
			b.wantAnswer(s.get(), 400, badRequest)
			b.wantAnswer(first, 200, c.closePacket)
			b.wantEvent("close: transport error")
			b.wantAnswer(s.get(), 400, unknownSID)
		})
	}
}

func TestOverlappingPostsAreBothAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		r, w := io.Pipe()
		first := b.Do(http.MethodPost, s.query, r, nil)
		synctest.Wait()
		b.wantAnswer(s.post("4second"), 400, badRequest)
		_, _ = io.WriteString(w, "4first")
		_ = w.Close()
		b.wantAnswer(first, 400, badRequest)
		b.wantEvent("close: transport error")
	})
}

func TestPostLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{MaxPayload: 100})
		defer b.end()
		s := b.open(poll4)
		b.wantAnswer(s.post("4"+strings.Repeat("a", 99)), 200, "ok")
		b.wantAnswer(s.post("4"+strings.Repeat("a", 100)), 413, "")
		b.wantAnswer(s.post("4alive"), 200, "ok") // as in the reference, the session goes on
	})
}

func TestBadPostsCloseTheSession(t *testing.T) {
	octets := http.Header{"Content-Type": {"Application/Octet-Stream; x=y"}}
	for _, c := range []struct {
		name, body string
		header     http.Header
		reason     string
	}{
		{"no packet", "abc", nil, "parse error"},
		{"empty", "", nil, "parse error"},
		{"trailing separator", "4a\x1e", nil, "parse error"},
		{"bad base64", "b%%%", nil, "parse error"},
		{"octet stream", "4a", octets, "transport error"},
		{"ping from a client of revision 4", "2", nil, "transport error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, core.Config{})
				defer b.end()
				s := b.open(poll4)
				b.wantAnswer(b.Do(http.MethodPost, s.query, strings.NewReader(c.body), c.header), 400, badRequest)
				b.wantEvent("close: " + c.reason)
				b.wantAnswer(s.get(), 400, unknownSID)
			})
		})
	}
}

func TestClientLeavesDuringPoll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{})
		defer b.end()
		s := b.open(poll4)
		poll := s.get()
		synctest.Wait()
		poll.Leave()
		b.wantEvent("close: transport error")
	})
}

func TestSlowPostIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{PingInterval: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond})
		defer b.end()
		s := b.open(poll4)
		r, w := io.Pipe()
		post := b.Do(http.MethodPost, s.query, r, nil)
		post.Wait()
		_ = w.Close()
		synctest.Wait()
		if post.Status != 400 {
			t.Errorf("status %d", post.Status)
		}
	})
}

func TestPollCompression(t *testing.T) {
	big := strings.Repeat("abc", 1000)
	for _, c := range []struct {
		name, accept, encoding string
		message                core.Message
		cfg                    core.Config
	}{
		{"gzip", "gzip, deflate", "gzip", core.Text(big), core.Config{}},
		{"deflate", "deflate", "deflate", core.Text(big), core.Config{}},
		{"the client's order", "deflate, gzip", "deflate", core.Text(big), core.Config{}},
		{"q-values", "gzip;q=0.5, deflate;q=0.9", "deflate", core.Text(big), core.Config{}},
		{"refused", "gzip;q=0, *;q=0", "", core.Text(big), core.Config{}},
		{"wildcard", "*", "gzip", core.Text(big), core.Config{}},
		{"wildcard without gzip", "*, gzip;q=0", "deflate", core.Text(big), core.Config{}},
		{"nothing", "", "", core.Text(big), core.Config{}},
		{"small", "gzip", "", core.Text("x"), core.Config{}},
		{"opt out", "gzip", "", core.Message{Data: []byte(big), NoCompress: true}, core.Config{}},
		{"off", "gzip", "", core.Text(big), core.Config{DisableHTTPCompression: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, c.cfg)
				defer b.end()
				s := b.open(poll4)
				_ = s.socket.Send(c.message)
				a := b.Do(http.MethodGet, s.query, nil, http.Header{"Accept-Encoding": {c.accept}}).Wait()
				b.want(a.Header.Get("Content-Encoding"), c.encoding)
				if c.encoding == "gzip" {
					r, err := gzip.NewReader(strings.NewReader(a.Body))
					if err != nil {
						t.Fatal(err)
					}
					body, _ := io.ReadAll(r)
					b.want(string(body), "4"+big)
				}
			})
		})
	}
}

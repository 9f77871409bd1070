package eiofiber_test

import (
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

const upgradeHeaders = " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

// hijackers counts the goroutines on which fasthttp waits for a hijack handler.
func hijackers() int {
	stacks := make([]byte, 1<<20)
	return strings.Count(string(stacks[:runtime.Stack(stacks, true)]), "fasthttp.hijackConnHandler(")
}

func TestUpgrade(t *testing.T) {
	for _, tune := range []bool{true, false} {
		name := map[bool]string{true: "tuned", false: "not tuned"}[tune]
		t.Run(name, func(t *testing.T) {
			b := newBench(t, setup{tune: tune})
			ws, s := b.upgrade("/engine.io/")
			for _, text := range []string{"4hello", "4", "4" + strings.Repeat("€", 100_000)} {
				ws.Send(text)
				ws.Want(text)
			}
			if !s.Upgraded() || s.Transport() != core.WebSocket {
				t.Error("not upgraded")
			}
			if tune {
				b.eventually(func() bool { return hijackers() == 0 })
			} else if n := hijackers(); n != 1 {
				t.Errorf("%d goroutines of fasthttp", n)
			}
			s.Close()
			ws.WantClosed(1005)
			if reason := await(t, b.closed); reason != core.ForcedClose {
				t.Errorf("reason %s", reason)
			}
			b.eventually(func() bool { return hijackers() == 0 })
		})
	}
}

// TestTheConnectionIsClosed checks this from the client's side, after every kind of end.
func TestTheConnectionIsClosed(t *testing.T) {
	for _, tune := range []bool{true, false} {
		for name, end := range map[string]func(c *raw, s *core.Socket){
			"CloseNow":    func(_ *raw, s *core.Socket) { s.CloseNow() },
			"close frame": func(c *raw, _ *core.Socket) { c.sendf("\x88\x80\x00\x00\x00\x00") },
			"broken rule": func(c *raw, _ *core.Socket) { c.sendf("\xff\xff") },
			"half-closed": func(c *raw, _ *core.Socket) { _ = c.Conn.(*net.TCPConn).CloseWrite() },
		} {
			t.Run(name, func(t *testing.T) {
				b := newBench(t, setup{tune: tune})
				c := b.raw()
				c.sendf("GET /engine.io/?EIO=4&transport=websocket" + upgradeHeaders + "\r\n")
				s := await(t, b.sockets)
				end(c, s)
				await(t, b.closed)
				if name == "CloseNow" || name == "broken rule" {
					c.sendf("\x88\x80\x00\x00\x00\x00") // the close frame that the server waits for
				}
				c.closed()
			})
		}
	}
	t.Run("failed probe", func(t *testing.T) {
		b := newBench(t, setup{tune: true})
		target, s := b.open("/engine.io/")
		ws, _ := b.dial("/engine.io/?EIO=4&transport=websocket&sid="+s.ID(), nil)
		ws.Send("2not a probe")
		ws.WantClosed(1005)
		b.want(b.post(target, "4x"), 200, "ok")
	})
}

// TestFramesSentWithTheRequest sends more frames than fasthttp reads at once.
func TestFramesSentWithTheRequest(t *testing.T) {
	const frames = 200
	text := "4" + strings.Repeat("x", 99)
	for _, tune := range []bool{true, false} {
		b := newBench(t, setup{tune: tune})
		c := b.raw()
		frame := "\x81" + string([]byte{0x80 | byte(len(text)), 0, 0, 0, 0}) + text
		c.sendf("%s", "GET /engine.io/?EIO=4&transport=websocket"+upgradeHeaders+"\r\n"+strings.Repeat(frame, frames))
		if a, err := http.ReadResponse(c.r, nil); err != nil || a.StatusCode != 101 { //nolint:bodyclose // there is none
			t.Fatalf("%v %v", a, err)
		}
		var got strings.Builder
		want := strings.Repeat("\x81"+string([]byte{byte(len(text))})+text, frames)
		if _, err := io.CopyN(&got, c.r, int64(len(want))+4); err != nil { // and the header of the open packet
			t.Fatal(err)
		}
		_, echoed, ok := strings.Cut(got.String(), "}")
		if !ok || !strings.HasPrefix(want, echoed) || len(echoed) < len(want)-200 {
			t.Errorf("got %d bytes of %d", len(echoed), len(want))
		}
		_ = c.Close()
	}
}

// TestMaxConnsPerIP: with this setting fasthttp wraps connections, and reuses the wrappers for other clients
// as soon as they are closed.
func TestMaxConnsPerIP(t *testing.T) {
	for _, tune := range []bool{true, false} {
		b := newBench(t, setup{tune: tune, build: func(app *fiber.App, srv *core.Server) {
			eiofiber.Mount(app, "", srv)
			app.Server().MaxConnsPerIP = 2
		}})
		for range 10 {
			ws, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil)
			if ws == nil {
				t.Fatalf("%d %s %v", a.status, a.body, a.err)
			}
			_, _ = ws.Next()
			ws.Send("4x")
			ws.Want("4x")
			s := await(t, b.sockets)
			done := make(chan struct{})
			go func() { // from several sides at once
				defer close(done)
				for range 100 {
					_ = s.Send(core.Text("y"))
				}
				s.CloseNow()
			}()
			_ = ws.Conn.Close()
			s.CloseNow()
			<-done
			await(t, b.closed)
			// The address may connect again.
			b.eventually(func() bool { return b.app.Server().GetOpenConnectionsCount() == 0 && hijackers() == 0 })
		}
	}
}

func TestAnotherHijackerOfTheApplication(t *testing.T) {
	b := newBench(t, setup{tune: true, build: func(app *fiber.App, srv *core.Server) {
		eiofiber.Mount(app, "", srv)
		app.Get("/raw", func(c *fiber.Ctx) error {
			c.Context().HijackSetNoResponse(true)
			c.Context().Hijack(func(conn net.Conn) {
				_, _ = io.WriteString(conn, "hijacked")
				_ = conn.Close() // as the doc comment of Tune requires
			})
			return nil
		})
	}})
	c := b.raw()
	c.sendf("GET /raw HTTP/1.1\r\nHost: x\r\n\r\n")
	if data, err := io.ReadAll(c.r); err != nil || string(data) != "hijacked" {
		t.Errorf("%q %v", data, err)
	}
}

func TestHeadersOfMiddlewareGoWithThe101(t *testing.T) {
	b := newBench(t, setup{fiber: fiber.Config{ServerHeader: "own"}, build: func(app *fiber.App, srv *core.Server) {
		app.Use(func(c *fiber.Ctx) error {
			c.Set("X-Test", "1")
			c.Cookie(&fiber.Cookie{Name: "a", Value: "1"})
			c.Cookie(&fiber.Cookie{Name: "b", Value: "2"})
			c.Type("json")
			return c.Next()
		})
		eiofiber.Mount(app, "", srv)
	}})
	b.srv.Use(func(next http.Handler) http.Handler { // the core's own, which replaces headers
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Add("Set-Cookie", "c=3")
			next.ServeHTTP(w, r)
		})
	})
	_, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil)
	if a.status != 101 || a.header.Get("Content-Type")+a.header.Get("Server") != "" {
		t.Errorf("%d %v", a.status, a.header)
	}
	for _, a := range []answer{a, b.get("/engine.io/" + poll4)} {
		cookies := a.header.Values("Set-Cookie")
		if a.header.Get("X-Test") != "1" || len(cookies) != 3 || cookies[2] != "c=3" || len(a.header.Values("Content-Type")) > 1 {
			t.Errorf("%d %v", a.status, a.header)
		}
	}
}

package integration_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"
	"github.com/gofiber/fiber/v2"
	"github.com/labstack/echo/v4"

	"github.com/goengineio/engineio/core"
)

// BenchmarkAdapters measures what a request costs under each framework, client and server together
// in one process: "bare" is a handler of the framework that answers as many bytes as a handshake
// does, so that handshake minus bare is what Engine.IO adds to it. "poll" is a POST and the poll
// that brings the echo.
func BenchmarkAdapters(b *testing.B) {
	for _, framework := range frameworks {
		engine, err := core.NewServer(core.Config{
			DisableHTTPCompression: true,
			OnConnection:           func(s *core.Socket) { s.OnMessage(func(m core.Message) { _ = s.Send(m) }) },
		})
		if err != nil {
			b.Fatal(err)
		}
		url := framework.serve(b, engine)
		b.Cleanup(engine.Close)
		b.Run(framework.name+"/bare", func(b *testing.B) {
			c := dialHTTP(b, serveBare(b, framework.name))
			for b.Loop() {
				c.do(b, "GET /engine.io/?EIO=4&transport=polling", "")
			}
		})
		b.Run(framework.name+"/handshake", func(b *testing.B) {
			c := dialHTTP(b, url)
			for b.Loop() {
				c.do(b, "GET /engine.io/?EIO=4&transport=polling", "")
			}
			for s := range engine.All() {
				s.CloseNow()
			}
		})
		b.Run(framework.name+"/poll", func(b *testing.B) {
			c := dialHTTP(b, url)
			_, rest, _ := strings.Cut(c.do(b, "GET /engine.io/?EIO=4&transport=polling", ""), `"sid":"`)
			sid, _, _ := strings.Cut(rest, `"`)
			target := " /engine.io/?EIO=4&transport=polling&sid=" + sid
			message := "4" + strings.Repeat("x", 128)
			for b.Loop() {
				c.do(b, "POST"+target, message)
				if got := c.do(b, "GET"+target, ""); got != message {
					b.Fatalf("echo: %q", got)
				}
			}
		})
		b.Run(framework.name+"/websocket", func(b *testing.B) {
			c := dialHTTP(b, url)
			c.upgrade(b)
			frame := append([]byte{0x81, 0x80 | 126, 0, 129, 0, 0, 0, 0, '4'}, strings.Repeat("x", 128)...)
			echo := make([]byte, 4+129)
			for b.Loop() {
				_, _ = c.conn.Write(frame)
				if _, err := io.ReadFull(c.r, echo); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// serveBare serves a handler that does the HTTP work of a handshake and nothing else.
func serveBare(b *testing.B, framework string) string {
	body := `0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`
	const contentType = "text/plain; charset=UTF-8"
	switch framework {
	case "gin":
		router := gin.New()
		router.Any("/engine.io/*any", func(c *gin.Context) {
			c.Header("Cache-Control", "no-store")
			c.Data(http.StatusOK, contentType, []byte(body))
		})
		return serveHandler(b, router)
	case "echo":
		e := echo.New()
		e.Any("/engine.io/*", func(c echo.Context) error {
			c.Response().Header().Set("Cache-Control", "no-store")
			return c.Blob(http.StatusOK, contentType, []byte(body))
		})
		return serveHandler(b, e)
	case "fiber":
		app := fiber.New(fiber.Config{DisableStartupMessage: true})
		app.Use("/engine.io", func(c *fiber.Ctx) error {
			c.Set("Cache-Control", "no-store")
			c.Set(fiber.HeaderContentType, contentType)
			return c.SendString(body)
		})
		return serveFiber(b, app)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/engine.io/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body)
	})
	return serveQuick(b, mux)
}

// httpConn is a client that costs little.
type httpConn struct {
	conn net.Conn
	r    *bufio.Reader
	body []byte
}

func dialHTTP(b *testing.B, target string) *httpConn {
	b.Helper()
	u, err := url.Parse(target)
	if err != nil {
		b.Fatal(err)
	}
	conn, err := new(net.Dialer).DialContext(b.Context(), "tcp", u.Host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	return &httpConn{conn: conn, r: bufio.NewReader(conn)}
}

// do sends a request and returns the body of the answer.
func (c *httpConn) do(b *testing.B, line, body string) string {
	request := make([]byte, 0, 512)
	request = append(request, line...)
	request = append(request, " HTTP/1.1\r\nHost: x\r\n"...)
	if body != "" {
		request = fmt.Appendf(request, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	request = append(request, "\r\n"...)
	_, _ = c.conn.Write(append(request, body...))
	size := -1
	for {
		header, err := c.r.ReadSlice('\n')
		if err != nil {
			b.Fatal(err)
		}
		if len(header) <= 2 {
			break
		}
		if value, ok := strings.CutPrefix(string(header), "Content-Length: "); ok {
			size, _ = strconv.Atoi(strings.TrimSpace(value))
		}
	}
	if size < 0 {
		b.Fatal("an answer without length")
	}
	if cap(c.body) < size {
		c.body = make([]byte, size)
	}
	c.body = c.body[:size]
	if _, err := io.ReadFull(c.r, c.body); err != nil {
		b.Fatal(err)
	}
	return string(c.body)
}

// upgrade makes the connection a WebSocket and reads the open packet.
func (c *httpConn) upgrade(b *testing.B) {
	b.Helper()
	_, _ = io.WriteString(c.conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	res, err := http.ReadResponse(c.r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		b.Fatalf("%v %v", res, err)
	}
	_ = res.Body.Close()
	header := make([]byte, 2)
	if _, err := io.ReadFull(c.r, header); err != nil {
		b.Fatal(err)
	}
	if _, err := c.r.Discard(int(header[1])); err != nil {
		b.Fatal(err)
	}
}

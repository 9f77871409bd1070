package eiofiber_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

func TestBodies(t *testing.T) {
	const limit = 100_000
	for _, tt := range []struct {
		name string
		cfg  fiber.Config
		tune bool
	}{
		{"buffered", fiber.Config{}, false},
		{"tuned", fiber.Config{BodyLimit: 10}, true},
		{"streamed", fiber.Config{StreamRequestBody: true}, false},
		{"streamed, tuned", fiber.Config{StreamRequestBody: true, BodyLimit: 10}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, setup{fiber: tt.cfg, core: core.Config{MaxPayload: limit, DisableHTTPCompression: true}, tune: tt.tune})
			target, _ := b.open("/engine.io/")
			for _, size := range []int{1, 10, 10_000, limit} {
				body := "4" + strings.Repeat("a", size-1)
				for _, chunked := range []bool{false, true} {
					var r io.Reader = strings.NewReader(body)
					if chunked {
						r = io.MultiReader(r) // of unknown length
					}
					b.want(b.doContext(t.Context(), "POST", target, r, nil), 200, "ok")
					b.want(b.get(target), 200, body)
				}
			}
			for _, chunked := range []bool{false, true} {
				c := b.raw()
				if chunked {
					c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", target, limit+1, bytes.Repeat([]byte("a"), limit+1))
				} else {
					c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", target, limit+1, bytes.Repeat([]byte("a"), limit+1))
				}
				a := c.answer()
				b.want(a, 413, "")
				if a.err == nil && a.header.Get("Connection") != "close" { // then the connection stays open
					c.sendf("GET %s HTTP/1.1\r\nHost: x\r\n\r\n", "/engine.io/"+poll4)
					b.sid(c.answer())
				}
			}
			b.want(b.post(target, "4still there"), 200, "ok")
			b.want(b.get(target), 200, "4still there")
		})
	}
}

// TestAnUnreadBodyIsNotTheNextRequest: fasthttp does not read what a handler leaves of a body.
func TestAnUnreadBodyIsNotTheNextRequest(t *testing.T) {
	b := newBench(t, setup{fiber: fiber.Config{StreamRequestBody: true}})
	smuggled := "GET /engine.io/" + poll4 + " HTTP/1.1\r\nHost: x\r\n\r\n"
	c := b.raw()
	c.sendf("POST /engine.io/%s&sid=nobody HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s%s",
		poll4, 600_000+len(smuggled)+1, strings.Repeat("x", 600_000), smuggled)
	b.want(c.answer(), 400, `{"code":1,"message":"Session ID unknown"}`)
	if a := c.answer(); a.err == nil {
		t.Errorf("then %d %q", a.status, a.body)
	}
	if n := b.srv.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

// TestFormsAreBounded: fasthttp would write forms of any size to files before it calls a handler.
func TestFormsAreBounded(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	b := newBench(t, setup{core: core.Config{MaxPayload: 1000}, fiber: fiber.Config{StreamRequestBody: true, BodyLimit: 1000}, tune: true})
	const form = "--B\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n"
	c := b.raw()
	c.sendf("POST /engine.io/%s&sid=nobody HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=B\r\nContent-Length: %d\r\n\r\n%s%s",
		poll4, 100<<20, form, strings.Repeat("x", 20<<20))
	b.want(c.answer(), 400, `{"code":1,"message":"Session ID unknown"}`)
	if files, err := os.ReadDir(os.TempDir()); err != nil || len(files) > 0 {
		t.Errorf("%v %v", files, err)
	}
}

// TestUpgradeWithABody: the rest of the body must not be taken for a frame.
func TestUpgradeWithABody(t *testing.T) {
	for _, cfg := range []fiber.Config{{}, {StreamRequestBody: true}} {
		b := newBench(t, setup{fiber: cfg, tune: true})
		c := b.raw()
		c.sendf("GET /engine.io/?EIO=4&transport=websocket%sContent-Length: 5\r\n\r\nabcde\x81\x82\x00\x00\x00\x004x", upgradeHeaders)
		if a := c.answer(); a.status != 101 {
			t.Errorf("%d %q", a.status, a.body)
		}
		for _, want := range []string{"0{", "4x"} {
			head := make([]byte, 2)
			if _, err := io.ReadFull(c.r, head); err != nil || head[0] != 0x81 {
				t.Fatalf("%x %v", head, err)
			}
			text := make([]byte, head[1])
			if _, err := io.ReadFull(c.r, text); err != nil || !strings.HasPrefix(string(text), want) {
				t.Errorf("%q %v", text, err)
			}
		}
	}
}

// TestBodiesAreTakenAsSent: Fiber would decode them. The core decides what is allowed.
func TestBodiesAreTakenAsSent(t *testing.T) {
	b := newBench(t, setup{})
	target, _ := b.open("/engine.io/")
	b.want(b.do("POST", target, "4plain", http.Header{"Content-Encoding": {"gzip"}}), 200, "ok")
	b.want(b.get(target), 200, "4plain")
}

func TestSlowBodies(t *testing.T) {
	cfg := core.Config{PingInterval: 150 * time.Millisecond, PingTimeout: 150 * time.Millisecond}
	for name, s := range map[string]setup{
		"tuned":    {core: cfg, tune: true},
		"streamed": {core: cfg, fiber: fiber.Config{StreamRequestBody: true}},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, s)
			target, _ := b.open("/engine.io/")
			c := b.raw()
			c.sendf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 20000\r\n\r\n%s", target, strings.Repeat("x", 10_000))
			if a := c.answer(); a.err == nil && a.status != 400 && a.status != 408 {
				t.Errorf("%d %q", a.status, a.body)
			}
			c.closed()
			await(t, b.closed)
		})
	}
}

func TestBodyLimitIsLogged(t *testing.T) {
	const warning = "BodyLimit=1000 MaxPayload=1000000"
	for _, tt := range []struct {
		name   string
		cfg    fiber.Config
		tune   bool
		warned int
		status int
	}{
		{"too low", fiber.Config{BodyLimit: 1000}, false, 1, 413},
		{"too low, tuned", fiber.Config{BodyLimit: 1000}, true, 0, 200},
		{"too low, streamed", fiber.Config{BodyLimit: 1000, StreamRequestBody: true}, false, 0, 200},
		{"default", fiber.Config{}, false, 0, 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, setup{fiber: tt.cfg, tune: tt.tune})
			target, _ := b.open("/engine.io/")
			_, _ = b.open("/engine.io/")
			if n := strings.Count(b.logged.String(), warning); n != tt.warned || n == 0 && b.logged.String() != "" {
				t.Errorf("logged:\n%s", b.logged)
			}
			b.want(b.post(target, strings.Repeat("6", 2000)), tt.status, "*")
		})
	}
}

func TestTuneCallsWhatIsThere(t *testing.T) {
	seen := make(chan string, 100)
	b := newBench(t, setup{
		fiber: fiber.Config{BodyLimit: 100},
		build: func(app *fiber.App, srv *core.Server) {
			app.Server().HeaderReceived = func(h *fasthttp.RequestHeader) fasthttp.RequestConfig {
				seen <- string(h.RequestURI())
				return fasthttp.RequestConfig{MaxRequestBodySize: 2000}
			}
			if err := eiofiber.Tune(app, srv, "api/engine.io/", "/:room/engine.io"); err != nil {
				t.Error(err)
			}
			app.Use("/engine.iox", func(c *fiber.Ctx) error { return c.SendString(fmt.Sprint(len(c.Body()))) })
			app.Use(eiofiber.Middleware(srv, eiofiber.Config{Path: "/:room/engine.io"}))
		},
	})
	for _, tt := range []struct {
		path   string
		size   int
		status int
	}{
		{"/engine.iox", 1500, 200}, {"/engine.iox", 3000, 413}, {"/engine.io/", 3000, 413}, {"/ENGINE.IO/", 3000, 413},
		{"/lobby/engine.io/", 3000, 400}, {"/api/engine.io", 500_000, 400},
	} {
		b.want(b.post(tt.path, strings.Repeat("x", tt.size)), tt.status, "*")
		if got := await(t, seen); got != tt.path {
			t.Errorf("the earlier function got %q", got)
		}
		for len(seen) > 0 { // once more, to look at the limit
			<-seen
		}
	}
}

func TestTuneLeavesBuffersThatWereChosen(t *testing.T) {
	for _, tt := range []struct{ set, want int }{{0, 2048}, {4096, 2048}, {1024, 1024}, {8192, 8192}} {
		srv, err := core.NewServer(core.Config{})
		if err != nil {
			t.Fatal(err)
		}
		app := fiber.New(fiber.Config{WriteBufferSize: tt.set})
		if err := eiofiber.Tune(app, srv); err != nil {
			t.Fatal(err)
		}
		if got := app.Server().WriteBufferSize; got != tt.want {
			t.Errorf("WriteBufferSize %d became %d, want %d", tt.set, got, tt.want)
		}
	}
}

func TestPrefork(t *testing.T) {
	srv, err := core.NewServer(core.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if err := eiofiber.Tune(fiber.New(fiber.Config{Prefork: true}), srv); err == nil || !strings.Contains(err.Error(), "Prefork") {
		t.Errorf("Tune: %v", err)
	}
	// Fiber forks in Listen only.
	b := newBench(t, setup{fiber: fiber.Config{Prefork: true}})
	for range 2 {
		if a := b.get("/engine.io/" + poll4); a.status != 500 || !strings.Contains(a.body, "Prefork") {
			t.Errorf("%d %q", a.status, a.body)
		}
	}
	if n := strings.Count(b.logged.String(), "Prefork"); n != 1 || b.srv.Len() != 0 {
		t.Errorf("%d sessions; logged:\n%s", b.srv.Len(), b.logged)
	}
}

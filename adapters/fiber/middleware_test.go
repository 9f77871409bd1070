package eiofiber_test

import (
	"compress/gzip"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"
	fiberlog "github.com/gofiber/fiber/v2/log"
	"github.com/gofiber/fiber/v2/middleware/compress"
	"github.com/gofiber/fiber/v2/middleware/cors"
	"github.com/gofiber/fiber/v2/middleware/encryptcookie"
	"github.com/gofiber/fiber/v2/middleware/etag"
	"github.com/gofiber/fiber/v2/middleware/helmet"
	"github.com/gofiber/fiber/v2/middleware/limiter"
	"github.com/gofiber/fiber/v2/middleware/logger"
	"github.com/gofiber/fiber/v2/middleware/recover"
	"github.com/gofiber/fiber/v2/middleware/requestid"
	"github.com/gofiber/fiber/v2/middleware/session"
	"github.com/gofiber/fiber/v2/middleware/timeout"
	corsOptions "github.com/rs/cors"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

const (
	page    = "http://page.example"
	payload = 5000 // bytes of a message that is worth being compressed
)

// middleware is one row of the table.
type middleware struct {
	name      string
	make      func(log io.Writer) fiber.Handler
	preflight int                          // status of OPTIONS, if it answers
	cors      bool                         // it sets Access-Control-Allow-Origin
	check     func(t *testing.T, a answer) // looks at every answer that is not a 101
}

// middlewares are some that applications have in front of the endpoint.
var middlewares = []middleware{
	{name: "none", make: func(io.Writer) fiber.Handler { return func(c *fiber.Ctx) error { return c.Next() } }},
	{name: "recover", make: func(io.Writer) fiber.Handler { return recover.New() }},
	{name: "logger", make: func(log io.Writer) fiber.Handler { return logger.New(logger.Config{Output: log}) }},
	{name: "compress", make: func(io.Writer) fiber.Handler { return compress.New() }},
	{name: "cors", cors: true, preflight: 204, make: func(io.Writer) fiber.Handler {
		return cors.New(cors.Config{AllowOrigins: page, AllowCredentials: true})
	}},
	{
		name: "limiter", make: func(io.Writer) fiber.Handler { return limiter.New(limiter.Config{Max: 1000}) },
		check: func(t *testing.T, a answer) {
			if a.header.Get("X-Ratelimit-Remaining") == "" {
				t.Errorf("no rate limit in %v", a.header)
			}
		},
	},
	{name: "timeout", make: func(io.Writer) fiber.Handler {
		return timeout.NewWithContext(func(c *fiber.Ctx) error { return c.Next() }, patience)
	}},
	{name: "requestid", make: func(io.Writer) fiber.Handler { return requestid.New() },
		check: func(t *testing.T, a answer) {
			if a.header.Get("X-Request-Id") == "" {
				t.Errorf("no request id in %v", a.header)
			}
		}},
	{name: "etag", make: func(io.Writer) fiber.Handler { return etag.New() }},
	{name: "helmet", make: func(io.Writer) fiber.Handler { return helmet.New() }},
	{name: "encryptcookie", make: func(io.Writer) fiber.Handler {
		return encryptcookie.New(encryptcookie.Config{Key: encryptcookie.GenerateKey()})
	}},
	{name: "session", make: func(io.Writer) fiber.Handler {
		store := session.New()
		return func(c *fiber.Ctx) error {
			s, err := store.Get(c)
			if err != nil {
				return err
			}
			s.Set("seen", "yes")
			if err := s.Save(); err != nil {
				return err
			}
			return c.Next()
		}
	}, check: func(t *testing.T, a answer) {
		if len(a.header.Values("Set-Cookie")) != 1 {
			t.Errorf("cookies %v", a.header)
		}
	}},
}

// TestMiddleware puts each middleware in front of the endpoint, with the core's CORS and compression turned
// on and off.
func TestMiddleware(t *testing.T) {
	printed := new(logBuffer)
	fiberlog.SetOutput(printed)
	for _, mw := range middlewares {
		for name, cfg := range map[string]core.Config{
			"": {}, ", core plain": {DisableHTTPCompression: true, AllowAnyOrigin: true},
			", core cors": {CORS: &corsOptions.Options{AllowedOrigins: []string{page}, AllowCredentials: true}},
		} {
			t.Run(mw.name+name, func(t *testing.T) {
				log := new(logBuffer)
				b := newBench(t, setup{core: cfg, build: func(app *fiber.App, srv *core.Server) {
					app.Use(mw.make(log))
					app.All("/engine.io/*", eiofiber.Handler(srv))
				}})
				origin := http.Header{}
				if mw.cors || cfg.CORS != nil || cfg.AllowAnyOrigin {
					origin.Set("Origin", page)
				}
				allowed := 0
				if mw.cors || cfg.CORS != nil {
					allowed = 1
				}
				check := func(a answer) {
					t.Helper()
					if n := len(a.header.Values("Access-Control-Allow-Origin")); n != allowed {
						t.Errorf("%d times Access-Control-Allow-Origin: %v", n, a.header)
					}
					if mw.check != nil {
						mw.check(t, a)
					}
				}
				do := func(method, target, body string) answer {
					t.Helper()
					a := b.do(method, target, body, origin)
					check(a)
					return a
				}

				target := "/engine.io/" + poll4
				b.want(do("GET", target+"&sid=nobody", ""), 400, `{"code":1,"message":"Session ID unknown"}`)
				a := do("GET", target, "")
				id := b.sid(a)
				s := await(t, b.sockets)
				target += "&sid=" + id
				b.want(do("POST", target, "4hello"), 200, "ok")
				b.want(do("GET", target, ""), 200, "4hello")
				poll := b.goGet(target)
				_ = s.Send(core.Text("€"))
				b.want(await(t, poll), 200, "4€")

				large := strings.Repeat("0123456789", payload/10)
				for _, encoding := range []string{"gzip", "br", "br, gzip", "identity", "gzip;q=0"} {
					_ = s.Send(core.Text(large))
					header := origin.Clone()
					header.Set("Accept-Encoding", encoding)
					a := b.do("GET", target, "", header)
					check(a)
					b.want(decoded(t, a), 200, "4"+large)
				}

				want := 400
				if mw.preflight != 0 {
					want = mw.preflight
				} else if cfg.CORS != nil {
					want = 204
				}
				header := origin.Clone()
				header.Set("Access-Control-Request-Method", "POST")
				b.want(b.do("OPTIONS", "/engine.io/"+poll4, "", header), want, "*")

				if cfg.CORS == nil && !cfg.AllowAnyOrigin {
					// Fiber's CORS middleware does not decide about WebSockets: the core's own rule applies.
					_, a := b.dial("/engine.io/?EIO=4&transport=websocket&sid="+id, http.Header{"Origin": {page}})
					if a.status != 400 || a.body != "Forbidden" {
						t.Errorf("a foreign origin: %d %q", a.status, a.body)
					}
					origin = nil
				}
				ws, a := b.dial("/engine.io/?EIO=4&transport=websocket&sid="+id, origin)
				if a.status != 101 {
					t.Fatalf("%d %q %v", a.status, a.body, a.err)
				}
				poll = b.goGet(target)
				ws.Send("2probe")
				ws.Want("3probe")
				b.want(await(t, poll), 200, "6")
				ws.Send("5")
				ws.Send("4echo")
				ws.Want("4echo")
				b.want(b.do("GET", target, "", origin), 400, `{"code":3,"message":"Bad request"}`)
				if mw.name == "logger" && (!strings.Contains(log.String(), "101") || strings.Count(log.String(), "\n") < 10) {
					t.Errorf("logged:\n%s", log)
				}
				if len(b.errors) > 0 {
					t.Errorf("Fiber's ErrorHandler got %v", <-b.errors)
				}
				if text := b.logged.String(); text != "" {
					t.Errorf("printed:\n%s", text)
				}
			})
		}
	}
	if text := printed.String(); text != "" {
		t.Errorf("Fiber printed:\n%s", text)
	}
}

// decoded undoes the content encoding, of which there must be one, and one that was asked for.
func decoded(t *testing.T, a answer) answer {
	t.Helper()
	var r io.Reader = strings.NewReader(a.body)
	switch encodings := a.header.Values("Content-Encoding"); {
	case len(encodings) == 0:
	case len(encodings) > 1:
		t.Errorf("encodings %v", encodings)
	case encodings[0] == "gzip":
		var err error
		if r, err = gzip.NewReader(r); err != nil {
			a.err = err
			return a
		}
	case encodings[0] == "br":
		r = brotli.NewReader(r)
	default:
		t.Errorf("encodings %v", encodings)
	}
	data, err := io.ReadAll(r)
	a.body, a.err = string(data), err
	return a
}

// TestPanicInAllowRequest: fasthttp does not recover, and without Fiber's middleware the process
// would end.
func TestPanicInAllowRequest(t *testing.T) {
	b := newBench(t, setup{
		core: core.Config{AllowRequest: func(r *http.Request) error {
			if r.URL.Query().Get("panic") != "" {
				panic("in AllowRequest")
			}
			return nil
		}},
		build: func(app *fiber.App, srv *core.Server) { app.Use(eiofiber.Middleware(srv)) },
	})
	b.want(b.get("/engine.io/"+poll4+"&panic=1"), 403, `{"code":4,"message":"Forbidden"}`)
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket&panic=1", nil); a.status != 400 {
		t.Errorf("%d %q", a.status, a.body)
	}
	target, _ := b.open("/engine.io/")
	b.want(b.post(target, "4x"), 200, "ok")
}

func TestTheLimiterLimits(t *testing.T) {
	b := newBench(t, setup{build: func(app *fiber.App, srv *core.Server) {
		app.Use("/engine.io", limiter.New(limiter.Config{Max: 2, Expiration: time.Hour}))
		eiofiber.Mount(app, "", srv)
	}})
	b.open("/engine.io/")
	if ws, _ := b.dial("/engine.io/?EIO=4&transport=websocket", nil); ws == nil {
		t.Error("the second request was refused")
	}
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil); a.status != 429 {
		t.Errorf("a third WebSocket: %d", a.status)
	}
	b.want(b.get("/engine.io/"+poll4), 429, "*")
}

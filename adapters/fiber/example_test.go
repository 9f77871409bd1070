package eiofiber_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gofiber/fiber/v2"

	eiofiber "github.com/goengineio/engineio/adapters/fiber"
	"github.com/goengineio/engineio/core"
)

// users stands for whatever knows who owns a token: a JWT verifier, a session store, a database.
var users = map[string]string{"let-ada-in": "ada"}

// authenticate refuses requests without a valid token, and identifies the user of all others. Browsers
// cannot set headers on a WebSocket; for them, put the token into the query or a cookie.
func authenticate(c *fiber.Ctx) error {
	user, ok := users[c.Query("token")]
	if !ok {
		return c.SendStatus(http.StatusUnauthorized)
	}
	c.Locals("user", user)
	return c.Next()
}

func Example_authentication() {
	connected := make(chan any, 1)
	srv, _ := core.NewServer(core.Config{
		OnConnection: func(s *core.Socket) {
			connected <- s.Request().Context().Value("user")
		},
	})
	defer srv.Close()
	app := fiber.New()
	app.Use("/engine.io", authenticate)
	eiofiber.Mount(app, "/engine.io", srv, eiofiber.Options{Locals: []any{"user"}})

	for _, token := range []string{"wrong", "let-ada-in"} {
		r := httptest.NewRequest(http.MethodGet, "/engine.io/?EIO=4&transport=polling&token="+token, nil)
		res, err := app.Test(r)
		if err != nil {
			panic(err)
		}
		fmt.Println(res.StatusCode)
		_ = res.Body.Close()
	}
	fmt.Println("connected:", <-connected)

	// Output:
	// 401
	// 200
	// connected: ada
}

func TestAuthentication(t *testing.T) {
	b := newBench(t, setup{
		core: core.Config{AllowRequest: func(r *http.Request) error {
			if user := r.Context().Value("user"); user != "ada" {
				return errors.New("not ada")
			}
			return nil
		}},
		build: func(app *fiber.App, srv *core.Server) {
			app.Use("/engine.io", authenticate)
			eiofiber.Mount(app, "/engine.io", srv, eiofiber.Options{Locals: []any{"user"}})
		},
	})
	users := func(s *core.Socket) any { return s.Request().Context().Value("user") }

	b.want(b.get("/engine.io/"+poll4), 401, "Unauthorized")
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket&token=wrong", nil); a.status != 401 {
		t.Errorf("a WebSocket without a token: %d", a.status)
	}
	if n := b.srv.Len(); n != 0 {
		t.Errorf("%d sessions", n)
	}

	id := b.sid(b.get("/engine.io/" + poll4 + "&token=let-ada-in"))
	s := await(t, b.sockets)
	if users(s) != "ada" {
		t.Errorf("user %v", users(s))
	}
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket&sid="+id, nil); a.status != 401 {
		t.Errorf("an upgrade without a token: %d", a.status)
	}
	b.want(b.post("/engine.io/"+poll4+"&sid="+id, "4x"), 401, "Unauthorized")
	b.want(b.post("/engine.io/"+poll4+"&token=let-ada-in&sid="+id, "4x"), 200, "ok")

	ws, a := b.dial("/engine.io/?EIO=4&transport=websocket&token=let-ada-in", nil)
	if ws == nil {
		t.Fatalf("%d %v", a.status, a.err)
	}
	if s := await(t, b.sockets); users(s) != "ada" {
		t.Errorf("user %v", users(s))
	}
}

// TestAllowRequest refuses requests with the core's own hook.
func TestAllowRequest(t *testing.T) {
	b := newBench(t, setup{core: core.Config{AllowRequest: func(*http.Request) error { return errors.New("not today") }}})
	b.want(b.get("/engine.io/"+poll4), 403, `{"code":4,"message":"not today"}`)
	if _, a := b.dial("/engine.io/?EIO=4&transport=websocket", nil); a.status != 400 || a.body != "not today" {
		t.Errorf("a WebSocket: %d %q", a.status, a.body)
	}
}

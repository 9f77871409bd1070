package main

import (
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
)

// suite does what the engine.io-client package's own tests expect of a server; see -client-suite.
type suite struct {
	mu    sync.Mutex
	posts map[string]http.Header // header of each session's latest POST, by session id
}

// middleware remembers the headers of POSTs.
func (u *suite) middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			u.mu.Lock()
			u.posts[r.URL.Query().Get("sid")] = r.Header
			u.mu.Unlock()
		}
		next.ServeHTTP(w, r)
	})
}

func (u *suite) forget(s *core.Socket) {
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.posts, s.ID())
}

// initialHeaders sets cookies of every kind.
func (u *suite) initialHeaders(h http.Header, _ *http.Request) {
	for _, c := range []http.Cookie{
		{Name: "1", Value: "1", MaxAge: 86400},
		{Name: "2", Value: "2", Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteStrictMode},
		{Name: "3", Value: "3", MaxAge: -1}, // Max-Age=0
		{Name: "4", Value: "4", Expires: time.Now()},
	} {
		h.Add("Set-Cookie", c.String())
	}
}

// answer replies to m if it is one of the requests of these tests, and otherwise returns false.
func (u *suite) answer(s *core.Socket, m core.Message) bool {
	switch string(m.Data) {
	case "give binary":
		_ = s.Send(core.Binary([]byte{0, 1, 2, 3, 4}))
	case "give utf8":
		_ = s.Send(core.Text("пойду спать всем спокойной ночи"))
	case "sendHeaders":
		_ = s.Send(core.Text(u.headers(s)))
	default:
		return false
	}
	return true
}

func (u *suite) headers(s *core.Socket) string {
	u.mu.Lock()
	defer u.mu.Unlock()
	headers := map[string]string{}
	for name, values := range u.posts[s.ID()] {
		headers[strings.ToLower(name)] = strings.Join(values, "; ")
	}
	text, err := json.Marshal(headers)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

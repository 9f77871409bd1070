package core_test

import (
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/rs/cors"

	"github.com/goengineio/engineio/core"
)

func TestCORS(t *testing.T) {
	const origin = "Access-Control-Allow-Origin"
	from := func(o string) http.Header { return http.Header{"Origin": {o}} }
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, core.Config{CORS: &cors.Options{AllowedOrigins: []string{"http://a.example", "http://b.example"}, AllowCredentials: true}})
		defer b.end()
		a := b.Do("GET", poll4, nil, from("http://b.example")).Wait()
		if a.Status != 200 || a.Header.Get(origin) != "http://b.example" || a.Header.Get("Access-Control-Allow-Credentials") != "true" ||
			a.Header.Get("Vary") != "Origin" {
			t.Errorf("actual request: %d %v", a.Status, a.Header)
		}
		a = b.Do("GET", "EIO=4", nil, from("http://a.example")).Wait()
		if a.Status != 400 || a.Header.Get(origin) != "http://a.example" {
			t.Errorf("error answer: %d %v", a.Status, a.Header)
		}
		a = b.Do("GET", poll4, nil, from("http://c.example")).Wait()
		if a.Status != 200 || a.Header.Get(origin) != "" {
			t.Errorf("foreign origin: %d %v", a.Status, a.Header)
		}
		a = b.Do("OPTIONS", poll4, nil, http.Header{
			"Origin": {"http://a.example"}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {"content-type,x-token"},
		}).Wait()
		if a.Status != 204 || a.Header.Get(origin) != "http://a.example" || a.Header.Get("Access-Control-Allow-Methods") != "POST" ||
			a.Header.Get("Access-Control-Allow-Headers") != "content-type,x-token" {
			t.Errorf("preflight: %d %v", a.Status, a.Header)
		}
	})
	for _, o := range []cors.Options{{AllowCredentials: true}, {AllowCredentials: true, AllowedOrigins: []string{"http://a", "*"}}} {
		if _, err := core.NewServer(core.Config{CORS: &o}); err == nil {
			t.Errorf("%v with credentials was accepted", o.AllowedOrigins)
		}
	}
}

func TestOrigins(t *testing.T) {
	list := &cors.Options{AllowedOrigins: []string{"http://friend.example"}}
	type request struct {
		name   string
		cfg    core.Config
		header http.Header
		ok     bool
	}
	origin := func(o string) http.Header { return http.Header{"Origin": {o}} }
	websockets := []request{
		{"no origin", core.Config{}, nil, true},
		{"same", core.Config{}, origin("http://example.com"), true},
		{"same, in capitals", core.Config{}, origin("https://EXAMPLE.com"), true},
		{"another port", core.Config{}, origin("http://example.com:81"), false},
		{"foreign", core.Config{}, origin("http://evil.example"), false},
		{"null", core.Config{}, origin("null"), false},
		{"suffix", core.Config{}, origin("http://example.com.evil.example"), false},
		{"listed", core.Config{CORS: list}, origin("http://friend.example"), true},
		{"not listed", core.Config{CORS: list}, origin("http://evil.example"), false},
		{"any", core.Config{AllowAnyOrigin: true}, origin("http://evil.example"), true},
		{"any by CORS", core.Config{CORS: &cors.Options{}}, origin("http://evil.example"), true},
	}
	for _, r := range websockets {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, r.cfg)
			defer b.end()
			b.Header = r.header
			ws, a := b.WebSocket(ws4)
			if r.ok {
				if f, ok := ws.Next(); !ok {
					t.Errorf("%s: refused: %d %+v", r.name, a.Status, f)
				}
				return
			}
			if a.Wait(); a.Status != 400 || a.Body != "Forbidden" {
				t.Errorf("%s: %d %q", r.name, a.Status, a.Body)
			}
		})
	}
	jsonp := append(websockets,
		request{"own page", core.Config{}, http.Header{"Referer": {"http://example.com/page"}, "Sec-Fetch-Site": {"same-origin"}}, true},
		request{"foreign page", core.Config{}, http.Header{"Referer": {"http://evil.example/page"}}, false},
		request{"foreign page without referrer", core.Config{}, http.Header{"Sec-Fetch-Site": {"cross-site"}}, false},
		request{"odd referrer", core.Config{}, http.Header{"Referer": {"::"}}, false},
		request{"listed page", core.Config{CORS: list}, http.Header{"Referer": {"http://friend.example/page"}, "Sec-Fetch-Site": {"cross-site"}}, true},
		request{"cross-site, any", core.Config{AllowAnyOrigin: true}, http.Header{"Sec-Fetch-Site": {"cross-site"}}, true},
		request{"disabled", core.Config{DisableJSONP: true}, nil, false},
	)
	for _, r := range jsonp {
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, r.cfg)
			defer b.end()
			b.Header = r.header
			a := b.Get(poll4 + "&j=0").Wait()
			if ok := a.Status == 200; ok != r.ok || !ok && (a.Status != 403 || a.Body != `{"code":4,"message":"Forbidden"}`) {
				t.Errorf("JSONP, %s: %d %s", r.name, a.Status, a.Body)
			}
		})
	}
}

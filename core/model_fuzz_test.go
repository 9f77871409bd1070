package core_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// FuzzSession plays any bytes as actions of the model test, see decodeActions.
func FuzzSession(f *testing.F) {
	f.Add([]byte{})
	for _, c := range modelCases {
		f.Add(encodeActions(c.setup, c.actions...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, actions := decodeActions(data)
		if failures := run(t, s, actions); len(failures) > 0 {
			t.Fatal(report(s, actions, failures))
		}
	})
}

// FuzzRequest sends one request with any query to a server that has a session of revision 4 with the id
// "known". The server must accept exactly what the rules of the reference accept.
func FuzzRequest(f *testing.F) {
	for _, query := range []string{
		"EIO=4&transport=polling", "EIO=3&transport=polling", "EIO=4&transport=websocket", "transport=polling", "EIO=4", "",
		"EIO=4&transport=polling&sid=known", "EIO=3&transport=polling&sid=known", "EIO=4&transport=websocket&sid=known", "EIO=4&transport=polling&sid=x",
		"EIO=4&transport=polling&j=0", "EIO=4&transport=polling&transport=constructor", "EIO=4&transport=polling&sid=", "EIO=4&transport=polling&b64=1",
		"EIO=4&transport=%70olling&sid=kn%6fwn", "EIO=4;transport=polling",
	} {
		for kind := range byte(8) {
			f.Add(query, kind, "")
		}
		f.Add(query, byte(0), "http://example.com")
		f.Add(query, byte(1), "http://elsewhere.example\r\n")
	}
	f.Fuzz(func(t *testing.T, query string, kind byte, origin string) {
		var complaint string
		synctest.Test(t, func(t *testing.T) { complaint = tryRequest(t, query, kind, origin) })
		if complaint != "" {
			t.Fatalf("%q, kind %d, origin %q: %s", query, kind, origin, complaint)
		}
	})
}

// tryRequest sends a request. The bits of kind say whether it is an upgrade and what its method is.
func tryRequest(t *testing.T, query string, kind byte, origin string) (complaint string) {
	srv, err := core.NewServer(core.Config{GenerateID: func(r *http.Request) (string, error) {
		if r.Header.Get("First") != "" {
			return "known", nil
		}
		return "new", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	client := &coretest.Client{Server: srv, Engine: coretest.Engine{}}
	defer func() { // afterwards what waits is answered, and the connections that were taken over end
		srv.Close()
		time.Sleep(10 * ms)
	}()
	client.Do(http.MethodGet, poll4, nil, http.Header{"First": {"1"}}).Wait()

	client.Header = http.Header{"Origin": {origin}}
	method := []string{http.MethodGet, http.MethodPost, http.MethodPut, "get"}[kind>>1&3]
	upgrade := kind&1 != 0
	var a *coretest.Answer
	var ws *coretest.WebSocket
	if upgrade {
		method = http.MethodGet
		ws, a = client.WebSocket(query)
		defer ws.Cut()
	} else {
		a = client.Do(method, query, strings.NewReader("4x"), nil)
	}
	synctest.Wait()
	waits := !a.Answered() // a poll, accepted
	accepted := waits || a.Status == http.StatusOK || upgrade && a.Status == 0
	if !waits && !accepted && (a.Status < 400 || a.Status > 403 || a.Body == "") {
		return "answered " + http.StatusText(a.Status)
	}
	if accepted && !acceptable(query, method, upgrade, origin) {
		return "was accepted"
	}
	if n := srv.Len(); n > 2 || n == 2 && (!accepted || upgrade && a.Status != 0) {
		return "opened a session"
	}
	return ""
}

// acceptable has the rules, applied to the library's own reading of the query, which is stricter.
func acceptable(query, method string, upgrade bool, origin string) bool {
	values, err := url.ParseQuery(query)
	if err != nil {
		values = loose(query)
	}
	last := func(key string) string {
		if v := values[key]; len(v) > 0 {
			return v[len(v)-1]
		}
		return ""
	}
	transport, sid := "polling", last("sid")
	if upgrade {
		transport = "websocket"
	}
	switch {
	case last("transport") != transport, last("EIO") != "4", sid != "" && sid != "known":
		return false
	case strings.ContainsFunc(origin, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return false
	case (upgrade || values.Has("j")) && origin != "" && !sameOrigin(origin):
		return false
	case sid == "":
		return method == http.MethodGet
	default:
		return slices.Contains([]string{http.MethodGet, http.MethodPost}, method)
	}
}

// sameOrigin: coretest's requests are for example.com.
func sameOrigin(origin string) bool {
	u, err := url.Parse(strings.TrimSpace(origin))
	return err == nil && (strings.EqualFold(u.Host, "example.com") || strings.EqualFold(u.Hostname(), "example.com"))
}

// loose is url.ParseQuery, except that invalid escapes are taken as they are.
func loose(query string) url.Values {
	values := url.Values{}
	for pair := range strings.SplitSeq(query, "&") {
		if pair == "" {
			continue
		}
		key, value, _ := strings.Cut(pair, "=")
		for _, part := range []*string{&key, &value} {
			if text, err := url.QueryUnescape(*part); err == nil {
				*part = text
			}
		}
		values.Add(key, value)
	}
	return values
}

package lean_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

func TestAnswer(t *testing.T) {
	o := terms()
	o.Subprotocol = "chat.v2"
	o.Header = http.Header{"X-Extra": {"one", "two"}, "Set-Cookie": {"io=abc; Path=/"}}
	_, c := connect(t, o)
	h := c.res.Header
	if c.res.StatusCode != http.StatusSwitchingProtocols || h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" ||
		h.Get("Sec-Websocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" || h.Get("Sec-Websocket-Protocol") != "chat.v2" ||
		strings.Join(h["X-Extra"], ",") != "one,two" || h.Get("Set-Cookie") != "io=abc; Path=/" {
		t.Errorf("%s %v", c.res.Status, h)
	}
	if _, there := h["Sec-Websocket-Extensions"]; there || len(h) != 6 {
		t.Errorf("%v", h)
	}

	_, c = connect(t, terms())
	if len(c.res.Header) != 3 {
		t.Errorf("the least: %v", c.res.Header)
	}
}

// TestHostileHeaders: whatever the application puts into its header, it cannot end the answer, add to it or
// contradict the handshake.
func TestHostileHeaders(t *testing.T) {
	o := terms()
	o.Subprotocol = "a\r\nX-Evil: 1"
	o.Header = http.Header{
		"X-Value":                  {"1\r\nX-Evil: 1\r\n\r\n\x81\x02hi", "nul\x00 del\x7f tab\t."},
		"X-Evil: 1\r\nX-Evil":      {"1"},
		"X Evil":                   {"1"},
		"X-Evil\n":                 {"1"},
		"":                         {"1"},
		"UPGRADE":                  {"h2c"},
		"connection":               {"close"},
		"sec-websocket-accept":     {"wrong"},
		"Sec-WebSocket-Extensions": {"permessage-deflate"},
		"Sec-Websocket-Protocol":   {"other"},
		"Content-Length":           {"5"},
		"Transfer-Encoding":        {"chunked"},
		"X-Empty":                  {},
	}
	server, c := connect(t, o)
	h := c.res.Header
	if strings.Join(h["X-Value"], "|") != "1  X-Evil: 1    \x81 hi|nul  del  tab\t." || len(h) != 5 ||
		h.Get("Sec-Websocket-Protocol") != "a  X-Evil: 1" || h.Get("Upgrade") != "websocket" || h.Get("Connection") != "Upgrade" {
		t.Errorf("%q", h)
	}
	_ = server.AppendMessage([]byte("first"), false, false)
	flush(t, server)
	c.want(fin|text, "first")
}

// TestOddRequests: the core has checked the handshake; whatever else a request contains, it gets an answer.
func TestOddRequests(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no header":   {},
		"empty":       {Header: http.Header{}},
		"empty key":   {Header: http.Header{"Sec-Websocket-Key": {""}}},
		"long key":    {Header: http.Header{"Sec-Websocket-Key": {strings.Repeat("x", 1_000_000)}}},
		"no offers":   {Header: http.Header{"Sec-Websocket-Extensions": {}}},
		"empty offer": {Header: http.Header{"Sec-Websocket-Extensions": {"", ",", ";", "=", `"`}}},
	} {
		o := terms()
		o.Deflate = new(core.DeflateOptions)
		near := &scripted{r: strings.NewReader("")}
		if _, err := newEngine().Accept(near, nil, r, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestNegotiation(t *testing.T) {
	const accepted = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	for _, test := range []struct {
		offers []string
		want   string
	}{
		{nil, ""},
		{[]string{""}, ""},
		{[]string{"permessage-deflate"}, accepted},
		{[]string{" permessage-deflate\t"}, accepted},
		{[]string{deflateOffer}, accepted},                                                                 // Chrome, ws
		{[]string{"permessage-deflate; server_no_context_takeover; client_no_context_takeover"}, accepted}, // gorilla
		{[]string{"permessage-deflate;client_max_window_bits=8"}, accepted},
		{[]string{`permessage-deflate ; client_max_window_bits = "15" `}, accepted},
		{[]string{"permessage-deflate; server_max_window_bits=15"}, accepted + "; server_max_window_bits=15"},
		{[]string{"foo, bar; x=1, permessage-deflate"}, accepted},
		{[]string{"foo", "permessage-deflate"}, accepted},
		// The second offer is the fallback of the client.
		{[]string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, accepted},
		{[]string{"permessage-deflate; server_max_window_bits=10", "permessage-deflate; server_max_window_bits=15"}, accepted + "; server_max_window_bits=15"},

		{[]string{"permessage-deflate; server_max_window_bits=14"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits"}, ""},
		{[]string{"permessage-deflate; server_max_window_bits=16"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits=7"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits=08"}, ""},
		{[]string{"permessage-deflate; client_max_window_bits="}, ""},
		{[]string{"permessage-deflate; client_max_window_bits; client_max_window_bits=10"}, ""},
		{[]string{"permessage-deflate; server_no_context_takeover; server_no_context_takeover"}, ""},
		{[]string{"permessage-deflate; server_no_context_takeover=1"}, ""},
		{[]string{"permessage-deflate; client_no_context_takeover="}, ""},
		{[]string{"permessage-deflate; unknown"}, ""},
		{[]string{"permessage-deflate;"}, ""},
		{[]string{"permessage-deflate; ;client_max_window_bits"}, ""},
		{[]string{"permessage-deflate=1"}, ""},
		{[]string{"x-webkit-deflate-frame, permessage-bzip2"}, ""},
		{[]string{"Permessage-Deflate"}, ""},
		{[]string{"permessage-deflate-not; client_max_window_bits"}, ""},
	} {
		o := terms()
		o.Deflate = new(core.DeflateOptions)
		_, c := connect(t, o, test.offers...)
		got, there := c.res.Header["Sec-Websocket-Extensions"]
		if strings.Join(got, "|") != test.want || there != (test.want != "") {
			t.Errorf("%q: got %q, want %q", test.offers, got, test.want)
		}
		if _, c = connect(t, terms(), test.offers...); c.res.Header["Sec-Websocket-Extensions"] != nil {
			t.Errorf("%q: agreed to without being allowed", test.offers)
		}
	}
}

// TestHostileOffers uses headers as large as net/http allows. In quadratic time each of them would take
// minutes.
func TestHostileOffers(t *testing.T) {
	const size = 1 << 20
	for _, unit := range []string{
		" ", "\t", ",", ";", "=", `"`, `\`, "a", ", ", "; ", " ;", `",`, `a="`, "permessage-deflate", "permessage-deflate,", "permessage-deflate;",
		"permessage-deflate; client_max_window_bits,", ";client_no_context_takeover", "; server_max_window_bits=14,permessage-deflate",
	} {
		text := strings.Repeat(unit, size/len(unit))
		o := terms()
		o.Deflate = new(core.DeflateOptions)
		r := upgrade("permessage-deflate"+text, text)
		allocated := totalAlloc()
		if _, err := newEngine().Accept(&scripted{r: strings.NewReader("")}, nil, r, o); err != nil {
			t.Errorf("%q: %v", unit, err)
		}
		if allocated = totalAlloc() - allocated; allocated > 100_000 {
			t.Errorf("%q: %d bytes were allocated", unit, allocated)
		}
	}
}

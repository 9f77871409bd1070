package core

import (
	"net/url"
	"strings"
)

// params are the parts of a request's query that the protocol knows.
type params struct {
	transport string
	sid       string
	eio       string
	j         string
	jsonp     bool // j is there, be it empty
	base64    bool // b64 has a value
	more      bool // there is something that it does not know
}

// parseParams reads a raw query. Like the reference, it takes the last of several values.
func parseParams(query string) params {
	var p params
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		switch unescape(key) {
		case "transport":
			p.transport = unescape(value)
		case "sid":
			p.sid = unescape(value)
		case "EIO":
			p.eio = unescape(value)
		case "j":
			p.j, p.jsonp = unescape(value), true
		case "b64":
			p.base64 = value != ""
		default:
			p.more = p.more || pair != ""
		}
	}
	return p
}

// unescape decodes a query component; what is badly escaped stays as it is.
func unescape(s string) string {
	if !strings.ContainsAny(s, "%+") {
		return s
	}
	if decoded, err := url.QueryUnescape(s); err == nil {
		return decoded
	}
	return s
}

// revision is 4 for EIO=4; everything else means 3, as in the reference.
func (p params) revision() int {
	if p.eio == "4" {
		return 4
	}
	return 3
}

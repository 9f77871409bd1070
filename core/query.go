package core

import (
	"net/url"
	"strings"
)

// params are the parameters of a request's query that the protocol knows.
type params struct {
	transport string
	sid       string
	eio       string
	j         string
	jsonp     bool // j is present, even if empty
	base64    bool // b64 has a value
	more      bool // there are other parameters
}

// parseParams reads a raw query. Like the reference, it takes the last of several values.
func parseParams(query string) params {
	var p params
	escaped := strings.IndexByte(query, '%') >= 0 || strings.IndexByte(query, '+') >= 0
	for query != "" {
		var pair string
		pair, query, _ = strings.Cut(query, "&")
		key, value, _ := strings.Cut(pair, "=")
		if escaped {
			key, value = unescape(key), unescape(value)
		}
		switch key {
		case "transport":
			p.transport = value
		case "sid":
			p.sid = value
		case "EIO":
			p.eio = value
		case "j":
			p.j, p.jsonp = value, true
		case "b64":
			p.base64 = value != ""
		default:
			p.more = p.more || pair != ""
		}
	}
	return p
}

// unescape decodes a query component; a malformed one stays as it is.
func unescape(s string) string {
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

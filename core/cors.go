package core

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/rs/cors"
)

// newCORS returns nil when the configuration asks for none.
func newCORS(o *cors.Options) *cors.Cors {
	if o == nil {
		return nil
	}
	options := *o
	if options.AllowedHeaders == nil {
		options.AllowedHeaders = []string{"*"} // the headers asked for, as the reference does
	}
	return cors.New(options)
}

// reflectsAnyOrigin reports whether the options let every site in, credentials and all.
func reflectsAnyOrigin(o *cors.Options) bool {
	byFunc := o.AllowOriginFunc != nil || o.AllowOriginVaryRequestFunc != nil ||
		o.AllowOriginRequestFunc != nil //nolint:staticcheck // deprecated, and still honoured by rs/cors
	return o.AllowCredentials && !byFunc && (len(o.AllowedOrigins) == 0 || slices.Contains(o.AllowedOrigins, "*"))
}

// openEnded reports whether a pattern ends with a wildcard for part of the host: https://example.com*
// matches https://example.com.evil.example as well (CVE-2019-25211 of another package).
func openEnded(origin string) bool {
	scheme, rest, found := strings.Cut(origin, "://")
	if !found {
		return origin != "*" && strings.HasSuffix(origin, "*")
	}
	return scheme != "" && rest != "*" && strings.HasSuffix(rest, "*") && !strings.HasSuffix(rest, ":*")
}

// answerCORS sets the CORS headers of an answer, errors included, and answers preflight requests.
// Where the application's own middleware has set them already, nothing is added.
func (s *Server) answerCORS(x Exchange) (answered bool) {
	if s.cors == nil || x.ResponseHeader("Access-Control-Allow-Origin") != "" {
		return false
	}
	preflight := x.Method() == http.MethodOptions
	if !preflight && x.Header("Origin") == "" {
		x.AddHeader("Vary", "Origin")
		return false
	}
	w := headerWriter{}
	s.protect(func() { s.cors.HandlerFunc(w, x.Request()) }) // it may ask the application
	for name, values := range w {
		for i, value := range values {
			if i == 0 && name != "Vary" {
				x.SetHeader(name, value)
			} else {
				x.AddHeader(name, value)
			}
		}
	}
	if !preflight || s.cfg.CORS.OptionsPassthrough {
		return false
	}
	status := s.cfg.CORS.OptionsSuccessStatus
	if status == 0 {
		status = http.StatusNoContent
	}
	_ = x.Respond(status, nil)
	return true
}

// headerWriter is a ResponseWriter that takes headers and nothing else.
type headerWriter http.Header

func (w headerWriter) Header() http.Header { return http.Header(w) }

func (headerWriter) Write(p []byte) (int, error) { return len(p), nil }

func (headerWriter) WriteHeader(int) {}

// originAllowed decides about WebSockets, which browsers open across origins without asking: no
// Origin (no browser), the same origin, one of the CORS allow-list, or any if the user says so.
func (s *Server) originAllowed(x Exchange) bool {
	return s.cfg.AllowAnyOrigin || x.Header("Origin") == "" || s.admitted(x.Request(), x.Header("Origin"))
}

// jsonpAllowed decides about JSONP, which any page can have a script element fetch, cookies
// included. The page shows itself in Sec-Fetch-Site, Origin or Referer, if at all.
func (s *Server) jsonpAllowed(x Exchange) bool {
	if s.cfg.DisableJSONP {
		return false
	}
	if s.cfg.AllowAnyOrigin {
		return true
	}
	origin, referer := x.Header("Origin"), x.Header("Referer")
	if origin == "" && referer != "" {
		origin = "null"
		if u, err := url.Parse(referer); err == nil && u.Host != "" {
			origin = u.Scheme + "://" + u.Host
		}
	}
	if origin != "" {
		return s.admitted(x.Request(), origin)
	}
	return x.Header("Sec-Fetch-Site") != "cross-site" || s.admitted(x.Request(), "null")
}

// admitted reports whether origin is the request's own or allowed by Config.CORS. r is a copy.
func (s *Server) admitted(r *http.Request, origin string) bool {
	if u, err := url.Parse(origin); err == nil && u.Host != "" && strings.EqualFold(u.Host, r.Host) {
		return true
	}
	if s.cors == nil {
		return false
	}
	r = r.Clone(r.Context())
	r.Header.Set("Origin", origin)
	allowed := false
	s.protect(func() { allowed = s.cors.OriginAllowed(r) })
	return allowed
}

// switchingHeaders returns the response headers that go along with a 101: what middleware has set,
// without what describes a body or the connection.
func switchingHeaders(x Exchange) http.Header {
	h := x.ResponseHeaders()
	for name := range h {
		switch {
		case strings.HasPrefix(name, "Content-"), strings.HasPrefix(name, "Sec-Websocket-"),
			name == "Connection", name == "Upgrade", name == "Transfer-Encoding", name == "Date",
			name == "Keep-Alive", name == "Trailer", name == "Etag":
			delete(h, name)
		}
	}
	return h
}

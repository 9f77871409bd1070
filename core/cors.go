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

// reflectsAnyOrigin reports whether the options admit every site, credentials included.
func reflectsAnyOrigin(o *cors.Options) bool {
	byFunc := o.AllowOriginFunc != nil || o.AllowOriginVaryRequestFunc != nil ||
		o.AllowOriginRequestFunc != nil //nolint:staticcheck // deprecated, and still honoured by rs/cors
	return o.AllowCredentials && !byFunc && (len(o.AllowedOrigins) == 0 || slices.Contains(o.AllowedOrigins, "*"))
}

// openEnded reports whether a pattern ends with a wildcard for part of the host: https://example.com* also
// matches https://example.com.evil.example (CVE-2019-25211 of another package).
func openEnded(origin string) bool {
	scheme, rest, found := strings.Cut(origin, "://")
	if !found {
		return origin != "*" && strings.HasSuffix(origin, "*")
	}
	return scheme != "" && rest != "*" && strings.HasSuffix(rest, "*") && !strings.HasSuffix(rest, ":*")
}

// answerCORS sets the CORS headers of an answer, errors included, and answers preflight requests. It adds
// nothing if the application's own middleware has already set them.
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
	s.protect(func() { s.cors.HandlerFunc(w, x.Request()) }) // it may call the application's functions
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

// headerWriter is a ResponseWriter that keeps headers and discards everything else.
type headerWriter http.Header

func (w headerWriter) Header() http.Header { return http.Header(w) }

func (headerWriter) Write(p []byte) (int, error) { return len(p), nil }

func (headerWriter) WriteHeader(int) {}

// originAllowed decides about WebSocket requests, which browsers send across origins without asking. It
// accepts those without an Origin (not from a browser), from the same origin, from an origin that
// Config.CORS allows, or from any if Config.AllowAnyOrigin is set.
func (s *Server) originAllowed(x Exchange) bool {
	return s.cfg.AllowAnyOrigin || x.Header("Origin") == "" || s.admitted(x.Request(), x.Header("Origin"))
}

// jsonpAllowed decides about JSONP requests, which a script element on any page can send, cookies included.
// If the page shows itself at all, it does so in Origin, Referer or Sec-Fetch-Site.
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

// switchingHeaders returns the response headers to send with a 101: those that middleware has set, except
// those that describe a body or the connection.
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

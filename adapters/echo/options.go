package eioecho

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/goengineio/engineio/core"
)

// Options say what the application learns of the Echo context a session's handshake came with.
//
// Two things are always there: the values of the request's context, in
// socket.Request().Context(), and the route parameters, but for the wildcard, in
// socket.Request().PathValue. Config.AllowRequest is given the same.
type Options struct {
	// Keys are names in the context's store (echo.Context.Set) that are handed on, under the same
	// name:
	//
	//	user, _ := socket.Request().Context().Value("user").(string)
	//
	// Names that are not set are left out. The values outlive the request.
	Keys []string
	// ClientIP has Socket.RemoteAddr, and the request's RemoteAddr, be what echo.Context.RealIP
	// says: an IP address without a port, since proxies tell none. Otherwise it is the address
	// and port of the peer, be it a proxy. Echo believes every client's X-Forwarded-For and
	// X-Real-IP until Echo.IPExtractor is set.
	ClientIP bool
}

// request returns the context's request, or a copy if there is something to add.
func (o *Options) request(c echo.Context) *http.Request {
	r := c.Request()
	var values map[any]any
	for _, key := range o.Keys {
		if value := c.Get(key); value != nil {
			if values == nil {
				values = make(map[any]any, len(o.Keys))
			}
			values[key] = value
		}
	}
	if values != nil {
		r = r.WithContext(core.WithValues(r.Context(), values))
	}
	if strings.Contains(c.Path(), ":") {
		var pairs []string
		parameters := c.ParamValues()
		for i, name := range c.ParamNames() {
			if name != "*" {
				pairs = append(pairs, name, parameters[i])
			}
		}
		r = core.WithPathValues(r, pairs)
	}
	if o.ClientIP {
		if ip := c.RealIP(); ip != "" {
			r = copied(r, c.Request())
			r.RemoteAddr = ip
		}
	}
	return r
}

// copied returns r, or a copy while it still is the original.
func copied(r, original *http.Request) *http.Request {
	if r == original {
		r = r.WithContext(r.Context())
	}
	return r
}

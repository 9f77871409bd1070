package eioecho

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"

	"github.com/goengineio/engineio/core"
)

// Options say what the application can learn about the Echo context of a session's handshake.
//
// Two things are always available: the values of the request's context, from
// socket.Request().Context(), and the route parameters except the wildcard, from
// socket.Request().PathValue. The request given to Config.AllowRequest has them too.
type Options struct {
	// Keys lists names in the Echo context's store (echo.Context.Set) whose values are passed on, under
	// the same names:
	//
	//	user, _ := socket.Request().Context().Value("user").(string)
	//
	// Names that are not set are left out. The values outlive the request.
	Keys []string
	// ClientIP makes Socket.RemoteAddr, and the request's RemoteAddr, the result of
	// echo.Context.RealIP: an IP address without a port, since proxies do not tell the port.
	// Otherwise it is the address and port of the peer, which may be a proxy. Echo trusts every
	// client's X-Forwarded-For and X-Real-IP until Echo.IPExtractor is set.
	ClientIP bool
}

// request returns the context's request, or a copy if there is anything to add.
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

// copied returns r, or a copy of it if r is still the original.
func copied(r, original *http.Request) *http.Request {
	if r == original {
		r = r.WithContext(r.Context())
	}
	return r
}

package eiogin

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/goengineio/engineio/core"
)

// Options say what the application can learn about the Gin context of a session's handshake.
//
// Two things are always available: the values of the request's context, from
// socket.Request().Context(), and the route parameters except the wildcard, from
// socket.Request().PathValue. The request given to Config.AllowRequest has them too.
type Options struct {
	// Keys lists keys of the Gin context (gin.Context.Set) whose values are passed on, under the same
	// keys:
	//
	//	user, _ := socket.Request().Context().Value("user").(string)
	//
	// Keys that are not set are left out. The values outlive the request.
	Keys []any
	// ClientIP makes Socket.RemoteAddr, and the request's RemoteAddr, the result of
	// gin.Context.ClientIP: an IP address without a port, since proxies do not tell the port.
	// Otherwise it is the address and port of the peer, which may be a proxy. Gin trusts every proxy
	// until gin.Engine.SetTrustedProxies is called.
	ClientIP bool
}

// request returns the context's request, or a copy if there is anything to add.
func (o *Options) request(c *gin.Context) *http.Request {
	r := c.Request
	var values map[any]any
	for _, key := range o.Keys {
		if value, ok := c.Get(key); ok {
			if values == nil {
				values = make(map[any]any, len(o.Keys))
			}
			values[key] = value
		}
	}
	if values != nil {
		r = r.WithContext(core.WithValues(r.Context(), values))
	}
	_, wildcard, _ := strings.Cut(c.FullPath(), "*")
	var pairs []string
	for _, p := range c.Params {
		if p.Key != wildcard {
			pairs = append(pairs, p.Key, p.Value)
		}
	}
	if len(pairs) > 0 {
		r = core.WithPathValues(r, pairs)
	}
	if o.ClientIP {
		if ip := c.ClientIP(); ip != "" {
			r = copied(r, c.Request)
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

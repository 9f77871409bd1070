package eiogin

import (
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/goengineio/engineio/core"
)

// Options say what the application learns of the Gin context a session's handshake came with.
//
// Two things are always there: the values of the request's context, in
// socket.Request().Context(), and the route parameters, but for the wildcard, in
// socket.Request().PathValue. Config.AllowRequest is given the same.
type Options struct {
	// Keys are the context's keys (gin.Context.Set) that are handed on, under the same key:
	//
	//	user, _ := socket.Request().Context().Value("user").(string)
	//
	// Keys that are not set are left out. The values outlive the request.
	Keys []any
	// ClientIP has Socket.RemoteAddr, and the request's RemoteAddr, be what gin.Context.ClientIP
	// says: an IP address without a port, since proxies tell none. Otherwise it is the address
	// and port of the peer, be it a proxy. Gin believes every proxy until
	// gin.Engine.SetTrustedProxies is called.
	ClientIP bool
}

// request returns the context's request, or a copy if there is something to add.
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

// copied returns r, or a copy while it still is the original.
func copied(r, original *http.Request) *http.Request {
	if r == original {
		r = r.WithContext(r.Context())
	}
	return r
}

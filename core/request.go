package core

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"reflect"
	"strings"
)

// Kept is what a session keeps, besides the head, of the request that opened it, for Socket.Request to
// return. An http.Request from a browser takes some 2 KiB; Kept and the head take a quarter of that.
type Kept struct {
	// Context has the values left by earlier middleware; nil means none. It must not end with the request.
	Context context.Context //nolint:containedctx // it is kept for the sake of its values
	// Local is the server's address, which the context of the request returned has under
	// http.LocalAddrContextKey. It is nil if Context has the address already, or if it is not known.
	Local *net.TCPAddr
	// TLS is the connection's state, if it is encrypted.
	TLS *tls.ConnectionState
	// URL is set only if the request's URL was changed and differs from the target.
	URL *url.URL
}

// AppendHead appends a request line and host to dst. The fields of the header are to follow as lines
// "name:value\n", as they were sent or tidied up. A Host among them is ignored.
func AppendHead(dst []byte, method, target, proto, host string) []byte {
	dst = append(append(dst, method...), ' ')
	dst = append(append(dst, target...), ' ')
	dst = append(append(dst, proto...), '\n')
	return append(append(dst, host...), '\n')
}

// Keep appends a request's head to dst, and returns what else is to be kept. It is split into functions
// with small stack frames: the stack of a connection's goroutine is as large as its deepest call has been,
// and under net/http 4 KiB can suffice.
func Keep(dst []byte, r *http.Request) (head []byte, k Kept) {
	dst = appendHead(dst, r)
	if strings.Contains(r.Pattern, "{") {
		r = withWildcards(r)
	}
	k.Context, k.Local = valuesOf(r.Context())
	k.TLS = r.TLS
	if !isTarget(r.URL, r.RequestURI) {
		k.URL = r.URL
	}
	return dst, k
}

//go:noinline
func appendHead(dst []byte, r *http.Request) []byte {
	dst = AppendHead(dst, r.Method, r.RequestURI, r.Proto, r.Host)
	for name, values := range r.Header {
		for _, value := range values {
			if strings.IndexByte(value, '\n') >= 0 { // set by middleware; a client cannot send it
				value = strings.ReplaceAll(value, "\n", " ")
			}
			dst = append(append(dst, name...), ':')
			dst = append(append(dst, value...), '\n')
		}
	}
	return dst
}

//go:noinline
func withWildcards(r *http.Request) *http.Request {
	names := wildcards(r.Pattern)
	pairs := make([]string, 0, 2*len(names))
	for _, name := range names {
		pairs = append(pairs, name, r.PathValue(name))
	}
	return WithPathValues(r, pairs)
}

// wildcards returns the names of the wildcards in an http.ServeMux pattern.
func wildcards(pattern string) (names []string) {
	for {
		var name string
		var found bool
		if _, pattern, found = strings.Cut(pattern, "{"); !found {
			return names
		}
		name, pattern, _ = strings.Cut(pattern, "}")
		if name != "$" {
			names = append(names, strings.TrimSuffix(name, "..."))
		}
	}
}

// isTarget reports whether the URL is what a server makes of the given request target.
func isTarget(u *url.URL, target string) bool {
	path, query, _ := strings.Cut(target, "?")
	return u.Path == path && u.RawQuery == query && u.RawPath == "" && !u.ForceQuery && u.Host == "" && u.User == nil
}

type pathValuesKey struct{}

// WithPathValues returns a copy of a request with the given path values; pairs has names and values by
// turns. What is kept of the copy for a session has them, too: http.Request alone does not tell which ones
// it has.
func WithPathValues(r *http.Request, pairs []string) *http.Request {
	r = r.WithContext(WithValues(r.Context(), map[any]any{pathValuesKey{}: pairs}))
	for i := 0; i < len(pairs); i += 2 {
		r.SetPathValue(pairs[i], pairs[i+1])
	}
	return r
}

// valuesOf returns a context that has the values of ctx but does not end with it. The contexts that
// net/http makes for a connection and a request add nothing but their end and the local address. They are
// left out, or they would be kept as long as the session.
func valuesOf(ctx context.Context) (values context.Context, local *net.TCPAddr) {
	ctx = withoutCancel(ctx)
	if addr, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		// A context of this type has a single value: this one, if its parent does not have it.
		if parent := parentOf(ctx, valueContext); parent != nil && parent.Value(http.LocalAddrContextKey) == nil {
			ctx, local = withoutCancel(parent), addr
		}
	}
	if ctx.Done() == nil {
		return ctx, local
	}
	return context.WithoutCancel(ctx), local
}

// withoutCancel strips what context.WithCancel has put around a context.
func withoutCancel(ctx context.Context) context.Context {
	for {
		parent := parentOf(ctx, cancelContext)
		if parent == nil {
			return ctx
		}
		ctx = parent
	}
}

// parentOf returns the context that ctx was made from if ctx is of type t, otherwise nil.
func parentOf(ctx context.Context, t reflect.Type) context.Context {
	if t == nil || reflect.TypeOf(ctx) != t {
		return nil
	}
	parent, _ := reflect.ValueOf(ctx).Elem().Field(0).Interface().(context.Context)
	return parent
}

// The types of the contexts made by context.WithCancel and context.WithValue, or nil unless the first field
// of the type is the context that they were made from, as it has always been.
var (
	cancelContext = wrapperType(func() context.Context {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		return ctx
	}())
	valueContext = wrapperType(context.WithValue(context.Background(), pathValuesKey{}, nil))
)

func wrapperType(ctx context.Context) reflect.Type {
	t := reflect.TypeOf(ctx)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || t.Elem().NumField() == 0 || t.Elem().Field(0).Name != "Context" {
		return nil
	}
	return t
}

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

// Kept is what a session keeps of the request that opened it beside its head, for Socket.Request to
// bring back. An http.Request of a browser takes some 2 KiB, this and the head a quarter of it.
type Kept struct {
	// Context has the values that earlier middleware has left; nil means none. It must not end with
	// the request.
	Context context.Context //nolint:containedctx // it is kept for the sake of its values
	// Local is the server's address, for the request's context to have under
	// http.LocalAddrContextKey; nil where Context has that, or nobody knows.
	Local *net.TCPAddr
	// TLS is the connection's state, if it is encrypted.
	TLS *tls.ConnectionState
	// URL is set only where somebody has made it another than the target says.
	URL *url.URL
}

// AppendHead appends a request's line and host to dst, for the header's fields to follow: lines
// "name:value\n", as they were sent or tidied up. A Host among them is ignored.
func AppendHead(dst []byte, method, target, proto, host string) []byte {
	dst = append(append(dst, method...), ' ')
	dst = append(append(dst, target...), ' ')
	dst = append(append(dst, proto...), '\n')
	return append(append(dst, host...), '\n')
}

// Keep appends a request's head to dst, and returns what else is to be kept. The work is done in
// pieces with small frames: the stack of a connection is as large as its deepest call has been, and
// under net/http 4 KiB can do.
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

// wildcards returns the names in the pattern of a http.ServeMux.
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

// isTarget reports whether the URL is what a server makes of the target of a request.
func isTarget(u *url.URL, target string) bool {
	path, query, _ := strings.Cut(target, "?")
	return u.Path == path && u.RawQuery == query && u.RawPath == "" && !u.ForceQuery && u.Host == "" && u.User == nil
}

type pathValuesKey struct{}

// WithPathValues returns a copy of a request that has these path values, names and values by turns,
// and whose copies that outlive it have them too: http.Request does not tell which it has.
func WithPathValues(r *http.Request, pairs []string) *http.Request {
	r = r.WithContext(WithValues(r.Context(), map[any]any{pathValuesKey{}: pairs}))
	for i := 0; i < len(pairs); i += 2 {
		r.SetPathValue(pairs[i], pairs[i+1])
	}
	return r
}

// valuesOf returns a context with the values of ctx that does not end with it. The contexts that
// net/http makes for a connection and a request add nothing but their end and the address, so they are
// left out: they would be kept as long as the session.
func valuesOf(ctx context.Context) (values context.Context, local *net.TCPAddr) {
	ctx = withoutCancel(ctx)
	if addr, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		// A context has one value at most: this one, if its parent has it not.
		if parent := parentOf(ctx, valueContext); parent != nil && parent.Value(http.LocalAddrContextKey) == nil {
			ctx, local = withoutCancel(parent), addr
		}
	}
	if ctx.Done() == nil {
		return ctx, local
	}
	return context.WithoutCancel(ctx), local
}

// withoutCancel leaves out what context.WithCancel has made of a context.
func withoutCancel(ctx context.Context) context.Context {
	for {
		parent := parentOf(ctx, cancelContext)
		if parent == nil {
			return ctx
		}
		ctx = parent
	}
}

// parentOf returns what ctx was made from, if it is of this type.
func parentOf(ctx context.Context, t reflect.Type) context.Context {
	if t == nil || reflect.TypeOf(ctx) != t {
		return nil
	}
	parent, _ := reflect.ValueOf(ctx).Elem().Field(0).Interface().(context.Context)
	return parent
}

// The types of contexts made by context.WithCancel and context.WithValue, if their first field is the
// context they were made from, as it has always been.
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

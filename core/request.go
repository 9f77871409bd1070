package core

import (
	"context"
	"crypto/tls"
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
	// TLS is the connection's state, if it is encrypted.
	TLS *tls.ConnectionState
	// URL is set only where somebody has made it another than the target says.
	URL *url.URL
}

// AppendHead appends a request's line and host to dst, for the header's fields to follow: lines
// "name:value", as they were sent or tidied up. A Host among them is ignored.
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
	k.Context = valuesOf(r.Context())
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

// request makes the request anew. The head is a Socket's.
func (k *Kept) request(head string) *http.Request {
	remote, rest, _ := strings.Cut(head, "\n")
	line, rest, _ := strings.Cut(rest, "\n")
	host, rest, _ := strings.Cut(rest, "\n")
	method, line, _ := strings.Cut(line, " ")
	target, proto := line, ""
	if i := strings.LastIndexByte(line, ' '); i >= 0 {
		target, proto = line[:i], line[i+1:]
	}
	r := &http.Request{
		Method: method, RequestURI: target, Proto: proto, Host: host, RemoteAddr: remote,
		Header: make(http.Header), Body: http.NoBody, TLS: k.TLS,
	}
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(proto)
	for rest != "" {
		var field string
		field, rest, _ = strings.Cut(rest, "\n")
		name, value, ok := strings.Cut(field, ":")
		if name = http.CanonicalHeaderKey(name); ok && name != "Host" {
			r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
		}
	}
	switch u, err := url.ParseRequestURI(target); {
	case k.URL != nil:
		copied := *k.URL
		r.URL = &copied
	case err == nil:
		r.URL = u
	default: // a server was less strict
		path, query, _ := strings.Cut(target, "?")
		r.URL = &url.URL{Path: path, RawQuery: query}
	}
	ctx := k.values()
	if pairs, ok := ctx.Value(pathValuesKey{}).([]string); ok {
		for i := 0; i < len(pairs); i += 2 {
			r.SetPathValue(pairs[i], pairs[i+1])
		}
	}
	return r.WithContext(ctx)
}

func (k *Kept) values() context.Context {
	if k.Context == nil {
		return context.Background()
	}
	return k.Context
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
// net/http makes for a connection and a request add nothing but their end, so they are left out:
// they would be kept as long as the session.
func valuesOf(ctx context.Context) context.Context {
	for reflect.TypeOf(ctx) == cancelContext {
		parent, ok := reflect.ValueOf(ctx).Elem().Field(0).Interface().(context.Context)
		if !ok {
			break
		}
		ctx = parent
	}
	if ctx.Done() == nil {
		return ctx
	}
	return context.WithoutCancel(ctx)
}

// cancelContext is the type of contexts made by context.WithCancel, if its first field is the
// context it was made from, as it has always been.
var cancelContext = func() reflect.Type {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	t := reflect.TypeOf(ctx)
	if t.Kind() != reflect.Pointer || t.Elem().Kind() != reflect.Struct || t.Elem().NumField() == 0 || t.Elem().Field(0).Name != "Context" {
		return nil
	}
	return t
}()

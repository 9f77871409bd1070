package core

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"unique"
)

// origin is where a session comes from: its id, and the request that opened it. Each session keeps only the
// part of the request's head that is specific to its client. What clients of one kind send alike, which is
// most of what a browser sends, is kept once for all of them.
type origin struct {
	// The id, directly followed by the client's address, and in the next lines the target and fields of the
	// header. All this is one string: an object less for the garbage collector is worth more than the
	// bytes.
	text string
	// Method, target and protocol, and in the next lines the host, the local address and fields of the
	// header. The target is either here or in text.
	common unique.Handle[string]
	idSize uint32
	odd    *oddity         // mostly nil
	values context.Context //nolint:containedctx // it is kept for the sake of its values
}

// oddity is what few requests have.
type oddity struct {
	tls *tls.ConnectionState
	url *url.URL // if it was changed and differs from the target
}

func (o *origin) id() string { return o.text[:o.idSize] }

func (o *origin) remoteAddr() string {
	remote, _, _ := strings.Cut(o.text[o.idSize:], "\n")
	return remote
}

// request builds the request anew.
func (o *origin) request() *http.Request {
	common, text := o.common.Value(), o.text[o.idSize:]
	line, common, _ := strings.Cut(common, "\n")
	host, common, _ := strings.Cut(common, "\n")
	_, common, _ = strings.Cut(common, "\n") // the local address
	remote, text, _ := strings.Cut(text, "\n")
	target, own, _ := strings.Cut(text, "\n")

	method, line, _ := strings.Cut(line, " ")
	simple, proto := cutLast(line, ' ')
	target += simple // the target is in one of the two
	r := &http.Request{
		Method: method, RequestURI: target, Proto: proto, Host: host, RemoteAddr: remote,
		Header: make(http.Header), Body: http.NoBody,
	}
	r.ProtoMajor, r.ProtoMinor, _ = http.ParseHTTPVersion(proto)
	addFields(r.Header, common)
	addFields(r.Header, own)
	if o.odd != nil {
		r.TLS = o.odd.tls
	}
	switch u, err := url.ParseRequestURI(target); {
	case o.odd != nil && o.odd.url != nil:
		copied := *o.odd.url
		r.URL = &copied
	case err == nil:
		r.URL = u
	default: // the server that took it was less strict
		path, query, _ := strings.Cut(target, "?")
		r.URL = &url.URL{Path: path, RawQuery: query}
	}
	ctx := o.context()
	if pairs, ok := ctx.Value(pathValuesKey{}).([]string); ok {
		for i := 0; i < len(pairs); i += 2 {
			r.SetPathValue(pairs[i], pairs[i+1])
		}
	}
	return r.WithContext(ctx)
}

func addFields(header http.Header, lines string) {
	for lines != "" {
		var field string
		field, lines, _ = strings.Cut(lines, "\n")
		if name, value, ok := strings.Cut(field, ":"); ok {
			name = http.CanonicalHeaderKey(name)
			header[name] = append(header[name], strings.TrimSpace(value))
		}
	}
}

// context returns a context with the values of the request's context.
func (o *origin) context() context.Context {
	ctx := o.values
	if ctx == nil {
		ctx = context.Background()
	}
	_, lines, _ := strings.Cut(o.common.Value(), "\n")
	_, lines, _ = strings.Cut(lines, "\n")
	local, _, _ := strings.Cut(lines, "\n")
	if addr, err := netip.ParseAddrPort(local); err == nil {
		ctx = context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(addr)))
	}
	return ctx
}

// cutLast cuts s around the last sep; without one, all of it is before.
func cutLast(s string, sep byte) (before, after string) {
	if i := strings.LastIndexByte(s, sep); i >= 0 {
		return s[:i], s[i+1:]
	}
	return s, ""
}

// originText has the buffers in which the texts of an origin are put together.
type originText struct {
	id     []byte
	head   []byte // as Exchange.Keep wrote it
	own    []byte
	common []byte
	fields []field // those of common
}

// field is a field of the header.
type field struct{ name, value []byte }

// originTexts is a pool of originText.
type originTexts struct{ pool sync.Pool }

// keptText is the largest capacity of an originText that is kept for reuse.
const keptText = 8192

func (p *originTexts) get() *originText {
	if t, ok := p.pool.Get().(*originText); ok {
		return t
	}
	return new(originText)
}

func (p *originTexts) put(t *originText) {
	if cap(t.head)+cap(t.own)+cap(t.common) <= keptText {
		p.pool.Put(t)
	}
}

// write fills in the origin of a session whose id is in t. simple tells whether the request's query has
// nothing but what the protocol asks for. It returns false if the request's head is too large to be kept. Like everything that a handshake calls, it is split into
// functions with small stack frames, see Keep.
//
//go:noinline
func (t *originText) write(o *origin, x Exchange, simple bool) (ok bool) {
	local := t.keep(o, x)
	if len(t.head) > mostHead {
		return false
	}
	t.own = append(append(append(t.own[:0], t.id...), x.RemoteAddr()...), '\n')
	t.divideFields(t.divide(simple, local))
	o.text, o.idSize = string(t.own), uint32(len(t.id))
	o.common = unique.Make(string(t.common))
	return true
}

//go:noinline
func (t *originText) keep(o *origin, x Exchange) (local *net.TCPAddr) {
	head, kept := x.Keep(t.head[:0])
	t.head = head
	if o.values = kept.Context; kept.TLS != nil || kept.URL != nil {
		o.odd = &oddity{kept.TLS, kept.URL}
	}
	return kept.Local
}

// divide divides the head between own and common, except for the fields of the header, which it returns.
//
//go:noinline
func (t *originText) divide(simple bool, local *net.TCPAddr) (fields []byte) {
	line, rest, _ := bytes.Cut(t.head, []byte("\n"))
	host, fields, _ := bytes.Cut(rest, []byte("\n"))
	method, line, _ := bytes.Cut(line, []byte(" "))
	end := max(bytes.LastIndexByte(line, ' '), 0)
	target, proto := line[:end], line[end:]
	t.common = append(append(t.common[:0], method...), ' ')
	if simple {
		t.common = append(t.common, target...)
	} else {
		t.own = append(t.own, target...)
	}
	t.own = append(t.own, '\n')
	t.common = append(append(t.common, proto...), '\n')
	t.common = append(append(t.common, host...), '\n')
	if local != nil {
		t.common = local.AddrPort().AppendTo(t.common)
	}
	t.common = append(t.common, '\n')
	return fields
}

//go:noinline
func (t *originText) divideFields(lines []byte) {
	t.fields = t.fields[:0]
	for len(lines) > 0 {
		var line []byte
		line, lines, _ = bytes.Cut(lines, []byte("\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			continue
		}
		f := field{name, bytes.TrimSpace(value)}
		switch kind := kindOf(name); {
		case kind == commonField && len(t.fields) < mostCommon:
			t.insert(f)
		case kind != droppedField:
			t.own = f.append(t.own)
		}
	}
	for _, f := range t.fields {
		t.common = f.append(t.common)
	}
}

// mostCommon bounds the time that insert takes, for headers with more fields than any real client sends.
const mostCommon = 32

// insert keeps the fields sorted by name, since they come from a map in random order: clients that send the
// same fields must have the same text.
func (t *originText) insert(f field) {
	i := len(t.fields)
	t.fields = append(t.fields, f)
	for ; i > 0 && bytes.Compare(f.name, t.fields[i-1].name) < 0; i-- {
		t.fields[i] = t.fields[i-1]
	}
	t.fields[i] = f
}

func (f field) append(dst []byte) []byte {
	dst = append(append(dst, f.name...), ':')
	return append(append(dst, f.value...), '\n')
}

type fieldKind int

const (
	ownField fieldKind = iota
	commonField
	droppedField
)

// kindOf tells where a field of the header belongs, by its name.
func kindOf(name []byte) fieldKind {
	var lower [32]byte
	if len(name) > len(lower) {
		return ownField
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		lower[i] = c
	}
	switch string(lower[:len(name)]) {
	case "accept", "accept-charset", "accept-encoding", "accept-language", "cache-control", "connection", "dnt", "origin", "pragma",
		"priority", "sec-ch-ua", "sec-ch-ua-mobile", "sec-ch-ua-platform", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-gpc",
		"sec-websocket-extensions", "sec-websocket-version", "upgrade", "user-agent", "via", "x-forwarded-host", "x-forwarded-port",
		"x-forwarded-proto", "x-requested-with":
		return commonField
	case "host", // the request has it elsewhere
		"sec-websocket-key": // was for the opening handshake alone
		return droppedField
	}
	return ownField
}

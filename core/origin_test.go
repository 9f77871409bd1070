package core

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

// keeper is an exchange that can do nothing but keep its request.
type keeper struct {
	Exchange
	r *http.Request
}

func (k keeper) RemoteAddr() string { return k.r.RemoteAddr }

func (k keeper) Keep(dst []byte) ([]byte, Kept) { return Keep(dst, k.r) }

// parseRequest makes a request as net/http does, with the local address in its context.
func parseRequest(t testing.TB, remote, text string) *http.Request {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n") + "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	r.RemoteAddr = remote
	ctx := context.WithValue(context.Background(), http.LocalAddrContextKey,
		net.Addr(net.TCPAddrFromAddrPort(netip.MustParseAddrPort("[fe80::1%eth0]:8080"))))
	ctx, cancel := context.WithCancel(ctx)
	t.Cleanup(cancel)
	return r.WithContext(ctx)
}

func originOf(r *http.Request) *origin {
	o, t := new(origin), &originText{id: []byte("the-id")}
	t.write(o, keeper{r: r}, !parseParams(r.URL.RawQuery).more)
	return o
}

const browserHead = "Host: example.com\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\n" +
	"Accept: */*\nAccept-Language: en-US,en;q=0.5\nAccept-Encoding: gzip, deflate, br, zstd\nOrigin: https://example.com\n" +
	"Connection: keep-alive\nSec-Fetch-Dest: empty\nSec-Fetch-Mode: cors\nSec-Fetch-Site: same-origin\nPriority: u=4\n"

// TestOrigin turns what is kept of requests back into requests.
func TestOrigin(t *testing.T) {
	for name, head := range map[string]string{
		"browser":           "GET /engine.io/?EIO=4&transport=polling&t=abc HTTP/1.1\n" + browserHead + "Cookie: a=b\nReferer: https://example.com/x?y\n",
		"simple query":      "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\n" + browserHead,
		"several of one":    "GET /?EIO=4&transport=polling HTTP/1.1\nHost: x\nAccept: a\nX-One: 1\nVia: b\nAccept: b\nVia: a\nX-One: 2\n",
		"very many":         "GET / HTTP/1.1\nHost: x\n" + strings.Repeat("User-Agent: x\nAccept: y\n", 100),
		"empty values":      "GET /?EIO=3&transport=polling&b64=1 HTTP/1.0\nHost: x\nAccept:\nX-One:\n",
		"colons":            "GET /:a:b/?EIO=4&x=:: HTTP/1.1\nHost: [::1]:80\nOrigin: http://[::1]:80\nX-One: a:b\n",
		"no host, no field": "GET / HTTP/1.0\n",
		"a very long name":  "GET / HTTP/1.1\nHost: x\n" + strings.Repeat("Long-", 100) + "Name: x\n",
		"other method":      "OPTIONS * HTTP/1.1\nHost: x\n",
	} {
		t.Run(name, func(t *testing.T) {
			r := parseRequest(t, "[::1]:1234", head)
			o := originOf(r)
			got := o.request()
			if o.id() != "the-id" || got.RemoteAddr != "[::1]:1234" || o.remoteAddr() != got.RemoteAddr {
				t.Errorf("the id is %q, the address %q and %q", o.id(), got.RemoteAddr, o.remoteAddr())
			}
			if got.Method != r.Method || got.RequestURI != r.RequestURI || got.Proto != r.Proto || got.Host != r.Host || *got.URL != *r.URL {
				t.Errorf("got %s %s %s for %s, %+v", got.Method, got.RequestURI, got.Proto, got.Host, got.URL)
			}
			if !reflect.DeepEqual(got.Header, r.Header) {
				t.Errorf("got the fields %v, want %v", got.Header, r.Header)
			}
			local, _ := got.Context().Value(http.LocalAddrContextKey).(net.Addr)
			if local == nil || local.String() != "[fe80::1%eth0]:8080" {
				t.Errorf("the local address is %v", local)
			}
		})
	}
}

// TestCommonOrigin has clients that differ only in what is kept for each: what they have in common is kept
// once.
func TestCommonOrigin(t *testing.T) {
	fields := strings.SplitAfter(strings.TrimSuffix(browserHead, "\n"), "\n")
	want := originOf(parseRequest(t, "192.0.2.1:1", "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\n"+browserHead))
	for i := range fields {
		head := "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\n" + strings.Join(fields[i:], "") + "\n" + strings.Join(fields[:i], "") +
			"Cookie: a=" + strings.Repeat("x", i) + "\nSec-WebSocket-Key: " + strings.Repeat("y", i) + "\n"
		o := originOf(parseRequest(t, "192.0.2.1:2", head))
		if o.common != want.common {
			t.Errorf("%q and %q are different", o.common.Value(), want.common.Value())
		}
		if cookie := o.request().Header.Get("Cookie"); len(cookie) != 2+i || strings.Contains(o.text, "Key") {
			t.Errorf("the client's own is %q", o.text)
		}
	}
	other := originOf(parseRequest(t, "192.0.2.1:1", "GET /engine.io/?EIO=4&transport=websocket&token=x HTTP/1.1\n"+browserHead))
	if strings.Contains(other.common.Value(), "token") {
		t.Errorf("a query of the application's is in %q", other.common.Value())
	}
}

// TestOriginContext expects what earlier middleware has put into a context, but not what net/http has.
func TestOriginContext(t *testing.T) {
	type key struct{}
	r := parseRequest(t, "", "GET / HTTP/1.1\nHost: x\n")
	if ctx := originOf(r).values; ctx != context.Background() {
		t.Errorf("%v is kept", ctx)
	}
	above := originOf(r.WithContext(context.WithValue(r.Context(), key{}, 7)))
	addr := &net.UnixAddr{Name: "x", Net: "unix"}
	unix := originOf(r.WithContext(context.WithValue(context.WithValue(context.Background(), key{}, 7), http.LocalAddrContextKey, net.Addr(addr))))
	for o, local := range map[*origin]string{above: "[fe80::1%eth0]:8080", unix: "x"} {
		ctx := o.request().Context()
		if got, _ := ctx.Value(http.LocalAddrContextKey).(net.Addr); got == nil || got.String() != local || ctx.Value(key{}) != 7 || ctx.Done() != nil {
			t.Errorf("got the address %v, the value %v", got, ctx.Value(key{}))
		}
	}
}

func BenchmarkOrigin(b *testing.B) {
	x := keeper{r: parseRequest(b, "192.0.2.1:1234", "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\n"+browserHead)}
	o, t := new(origin), &originText{id: []byte("xxxxxxxxxxxxxxxxxxxx")}
	b.ReportAllocs()
	for b.Loop() {
		t.write(o, x, true)
	}
}

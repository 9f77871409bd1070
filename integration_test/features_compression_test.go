package integration_test

import (
	"compress/gzip"
	"compress/zlib"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

// TestPerMessageDeflate reads frames by hand: the first bit after FIN says that one is compressed.
func TestPerMessageDeflate(t *testing.T) {
	const request = "GET /engine.io/?" + ws4 + " HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
	long := core.Text(strings.Repeat("a", 1024))
	short := core.Text(strings.Repeat("a", 100))
	exempt := long
	exempt.NoCompress = true
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		for _, tt := range []struct {
			name       string
			deflate    *core.DeflateOptions
			negotiated bool
			compressed string // of long, short, exempt and prepared long
		}{
			{"off", nil, false, "    "},
			{"default threshold", &core.DeflateOptions{}, true, "x  x"},
			{"no threshold", &core.DeflateOptions{Threshold: -1, Level: 9}, true, "xx x"},
			{"high threshold", &core.DeflateOptions{Threshold: 2000}, true, "    "},
		} {
			b := start(core.Config{PerMessageDeflate: tt.deflate})
			_, r := b.raw(request)
			res, err := http.ReadResponse(r, nil)
			if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%s: %v %v", tt.name, res, err)
			}
			_ = res.Body.Close()
			extensions := res.Header.Get("Sec-WebSocket-Extensions")
			if strings.HasPrefix(extensions, "permessage-deflate") != tt.negotiated || tt.negotiated != strings.Contains(extensions, "server_no_context_takeover") {
				t.Errorf("%s: extensions %q", tt.name, extensions)
			}
			s := await(t, b.sockets, "socket")
			s.Send(long)
			s.Send(short)
			s.Send(exempt)
			b.engine.Broadcast(long)
			got := ""
			readFrame(t, r) // open packet
			for range tt.compressed {
				if first, _ := readFrame(t, r); first&0x40 != 0 {
					got += "x"
				} else {
					got += " "
				}
			}
			if got != tt.compressed {
				t.Errorf("%s: compressed %q, want %q", tt.name, got, tt.compressed)
			}
		}
	})
}

// readFrame returns the first byte and the payload of a WebSocket frame.
func readFrame(t *testing.T, r io.Reader) (first byte, payload []byte) {
	t.Helper()
	read := func(n int) []byte {
		data := make([]byte, n)
		if _, err := io.ReadFull(r, data); err != nil {
			t.Fatalf("reading a frame: %v", err)
		}
		return data
	}
	header := read(2)
	size := int(header[1])
	if size == 126 {
		extended := read(2)
		size = int(extended[0])<<8 | int(extended[1])
	}
	return header[0], read(size)
}

func TestHTTPCompression(t *testing.T) {
	long := core.Text(strings.Repeat("a", 1023)) // 1,024 bytes with the packet's type
	short := core.Text(strings.Repeat("a", 1022))
	exempt := long
	exempt.NoCompress = true
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		for _, tt := range []struct {
			name           string
			cfg            core.Config
			message        core.Message
			accept, encode string
		}{
			{"gzip", core.Config{}, long, "gzip", "gzip"},
			{"deflate", core.Config{}, long, "deflate", "deflate"},
			{"both", core.Config{}, long, "gzip, deflate, br", "gzip"},
			{"by q", core.Config{}, long, "gzip;q=0.5, deflate;q=0.8", "deflate"},
			{"excluded", core.Config{}, long, "gzip;q=0, *", "deflate"},
			{"nothing we know", core.Config{}, long, "br", ""},
			{"not asked for", core.Config{}, long, "", ""},
			{"below the threshold", core.Config{}, short, "gzip", ""},
			{"another threshold", core.Config{HTTPCompressionThreshold: 10}, short, "gzip", "gzip"},
			{"exempt", core.Config{}, exempt, "gzip", ""},
			{"disabled", core.Config{DisableHTTPCompression: true}, long, "gzip", ""},
		} {
			b := start(tt.cfg)
			c := b.connect(poll4)
			c.socket.Send(tt.message)
			header := http.Header{}
			if tt.accept != "" {
				header.Set("Accept-Encoding", tt.accept)
			}
			a := b.do(http.MethodGet, c.query, "", header)
			if got := a.header.Get("Content-Encoding"); got != tt.encode {
				t.Errorf("%s: encoding %q, want %q", tt.name, got, tt.encode)
			}
			if got := inflate(t, a.header.Get("Content-Encoding"), a.body); got != "4"+string(tt.message.Data) {
				t.Errorf("%s: got %.20q", tt.name, got)
			}
		}
	})
}

func inflate(t *testing.T, encoding, body string) string {
	t.Helper()
	var r io.Reader = strings.NewReader(body)
	var err error
	switch encoding {
	case "gzip":
		r, err = gzip.NewReader(r)
	case "deflate":
		r, err = zlib.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Error(err)
	}
	return string(data)
}

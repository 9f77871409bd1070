package eiofiber_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

func selfSigned(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS12, NextProtos: []string{"http/1.1"},
	}
}

func TestTLS(t *testing.T) {
	for _, tune := range []bool{true, false} {
		b := newBench(t, setup{secure: selfSigned(t), tune: tune})
		target, s := b.open("/engine.io/")
		if state := s.Request().TLS; state == nil || !state.HandshakeComplete {
			t.Errorf("TLS state %+v", state)
		}
		for range 3 { // the connection goes on after polls that waited
			poll := b.goGet(target)
			_ = s.Send(core.Text("hello"))
			b.want(await(t, poll), 200, "4hello")
			b.want(b.post(target, "4x"), 200, "ok")
			b.want(b.get(target), 200, "4x")
		}
		ws, s := b.upgrade("/engine.io/")
		large := "4" + strings.Repeat("x", 500_000)
		ws.Send(large)
		ws.Want(large)
		s.Close()
		ws.WantClosed(1005)
		if reason := await(t, b.closed); reason != core.ForcedClose {
			t.Errorf("reason %s", reason)
		}
	}
}

// TestTLSFramesSentWithTheRequest: frames may have been decrypted by TLS, read by fasthttp, or still be to
// come.
func TestTLSFramesSentWithTheRequest(t *testing.T) {
	b := newBench(t, setup{secure: selfSigned(t), tune: true})
	_, s := b.open("/engine.io/")
	conn, err := tls.Dial("tcp", b.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec,noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(patience))
	masked := func(text string) string {
		return "\x81" + string([]byte{0x80 | byte(len(text)), 0, 0, 0, 0}) + text
	}
	request := "GET /engine.io/?EIO=4&transport=websocket&sid=" + s.ID() + upgradeHeaders + "\r\n"
	if _, err := conn.Write([]byte(request + masked("2probe") + masked("5") + masked("4one"))); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte(masked("4two"))); err != nil {
		t.Fatal(err)
	}
	var got string
	for !strings.HasSuffix(got, "\x81\x063probe\x81\x044one\x81\x044two") {
		var chunk [1024]byte
		n, err := conn.Read(chunk[:])
		if err != nil {
			t.Fatalf("after %q: %v", got, err)
		}
		got += string(chunk[:n])
	}
}

// TestALeavingClientOverTLS: the heartbeat notices it.
func TestALeavingClientOverTLS(t *testing.T) {
	b := newBench(t, setup{secure: selfSigned(t), core: core.Config{PingInterval: 100 * time.Millisecond, PingTimeout: 100 * time.Millisecond}})
	target, _ := b.open("/engine.io/")
	conn, err := tls.Dial("tcp", b.addr, &tls.Config{InsecureSkipVerify: true}) //nolint:gosec,noctx // a test
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Write([]byte("GET " + target + " HTTP/1.1\r\nHost: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if reason := await(t, b.closed); reason != core.PingTimeout {
		t.Errorf("reason %s", reason)
	}
}

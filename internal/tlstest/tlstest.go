// Package tlstest is for tests of what a TLS client can do that crypto/tls cannot: asking for new keys, again
// and again, and reading none of the answers.
package tlstest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"
)

// ServerConfig returns a server's configuration with a certificate made for the test. The server writes
// nothing after the handshake by itself, so that one side of a net.Pipe need not be read.
func ServerConfig(tb testing.TB) *tls.Config {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
		MinVersion:   tls.VersionTLS13, SessionTicketsDisabled: true,
	}
}

// Client is the client's side of a connection. After the handshake it writes records by itself, and never
// reads.
type Client struct {
	conn   net.Conn
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
	out    []byte
}

// The numbers that RFC 8446 gives to what a Client sends.
const (
	handshake       = 22
	applicationData = 23
	keyUpdate       = 24
	updateRequested = 1
)

// NewClient does the handshake on conn.
func NewClient(tb testing.TB, conn net.Conn) *Client {
	tb.Helper()
	var keys bytes.Buffer
	client := tls.Client(conn, &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // made up for the test
		MinVersion:         tls.VersionTLS13, KeyLogWriter: &keys,
	})
	if err := client.HandshakeContext(tb.Context()); err != nil {
		tb.Fatal(err)
	}
	if suite := client.ConnectionState().CipherSuite; suite != tls.TLS_AES_128_GCM_SHA256 {
		tb.Skip("this processor prefers", tls.CipherSuiteName(suite))
	}
	c := &Client{conn: conn}
	for line := range strings.Lines(keys.String()) {
		if f := strings.Fields(line); f[0] == "CLIENT_TRAFFIC_SECRET_0" {
			secret, err := hex.DecodeString(f[2])
			if err = errors.Join(err, c.setSecret(secret)); err != nil {
				tb.Fatal(err)
			}
		}
	}
	return c
}

// setSecret begins to write with a new secret (RFC 8446, section 7.3).
func (c *Client) setSecret(secret []byte) error {
	key, err := expand(secret, "key", 16)
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	if c.aead, err = cipher.NewGCM(block); err != nil {
		return err
	}
	c.secret, c.seq = secret, 0
	c.iv, err = expand(secret, "iv", 12)
	return err
}

// expand is HKDF-Expand-Label of RFC 8446, section 7.1, without a context.
func expand(secret []byte, label string, n int) ([]byte, error) {
	label = "tls13 " + label
	info := append([]byte{0, byte(n), byte(len(label))}, label...)
	return hkdf.Expand(sha256.New, secret, string(append(info, 0)), n)
}

// appendRecord adds a record to out (RFC 8446, section 5.2).
func (c *Client) appendRecord(kind byte, data []byte) {
	inner := append(append([]byte(nil), data...), kind)
	head := binary.BigEndian.AppendUint16([]byte{applicationData, 3, 3}, uint16(len(inner)+c.aead.Overhead()))
	nonce := append([]byte(nil), c.iv...)
	binary.BigEndian.PutUint64(nonce[4:], binary.BigEndian.Uint64(nonce[4:])^c.seq)
	c.seq++
	c.out = c.aead.Seal(append(c.out, head...), nonce, inner, head)
}

// Write sends data of at most 16 KiB.
func (c *Client) Write(data []byte) (int, error) {
	c.appendRecord(applicationData, data)
	return len(data), c.send()
}

// RequestKeys asks for new keys n times. A server need not put up with more than 15 between two calls of
// Write.
func (c *Client) RequestKeys(n int) error {
	for range n {
		c.appendRecord(handshake, []byte{keyUpdate, 0, 0, 1, updateRequested})
		secret, err := expand(c.secret, "traffic upd", sha256.Size)
		if err = errors.Join(err, c.setSecret(secret)); err != nil {
			return err
		}
	}
	return c.send()
}

func (c *Client) send() error {
	_, err := c.conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

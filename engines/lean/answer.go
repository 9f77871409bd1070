package lean

import (
	"crypto/sha1"
	"encoding/base64"
	"net/http"
	"strings"
)

// appendAnswer appends the answer to an opening handshake that the core has checked. The application's
// header cannot break it: line breaks become spaces, and invalid names and those of the handshake itself
// are left out.
func appendAnswer(b []byte, key, extension, subprotocol string, header http.Header) []byte {
	b = append(b, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "...)
	b = appendAcceptKey(b, key)
	b = append(b, "\r\n"...)
	if extension != "" {
		b = appendField(b, "Sec-WebSocket-Extensions", extension)
	}
	if subprotocol != "" {
		b = appendField(b, "Sec-WebSocket-Protocol", subprotocol)
	}
	for name, values := range header {
		if !isToken(name) || isHandshakeField(name) {
			continue
		}
		for _, value := range values {
			b = appendField(b, name, value)
		}
	}
	return append(b, "\r\n"...)
}

// appendAcceptKey appends the value of Sec-WebSocket-Accept (RFC 6455, section 4.2.2).
func appendAcceptKey(b []byte, key string) []byte {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.AppendEncode(b, sum[:])
}

func appendField(b []byte, name, value string) []byte {
	b = append(b, name...)
	b = append(b, ": "...)
	for i := range len(value) {
		c := value[i]
		if c < ' ' && c != '\t' || c == 0x7f {
			c = ' '
		}
		b = append(b, c)
	}
	return append(b, "\r\n"...)
}

// isHandshakeField reports whether only the engine may write a field, or whether it would give the
// answer a body.
func isHandshakeField(name string) bool {
	for _, own := range [...]string{
		"Upgrade", "Connection", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Protocol",
		"Content-Length", "Transfer-Encoding",
	} {
		if strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}

// isToken reports whether the text is a token according to RFC 9110, section 5.6.2.
func isToken(text string) bool {
	for i := range len(text) {
		if c := text[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`"(),/:;<=>?@[\]{}`, c) >= 0 {
			return false
		}
	}
	return text != ""
}

package integration_test

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A rawConn is one connection of a client that costs little, so that thousands of them fit into a
// test, and that can break every rule. It speaks HTTP/1.1 and, after upgrade, WebSocket; one
// goroutine reads and one writes. Every wait is bounded by patience.
type rawConn struct {
	conn *net.TCPConn
	r    *bufio.Reader
}

func dialRaw(url string) (*rawConn, error) {
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Now().Add(2 * patience)); err != nil {
		return nil, err
	}
	return &rawConn{conn.(*net.TCPConn), bufio.NewReaderSize(conn, 1<<10)}, nil
}

func (c *rawConn) close() { _ = c.conn.Close() }

// reset cuts the connection: what is under way is thrown away on both sides.
func (c *rawConn) reset() {
	_ = c.conn.SetLinger(0)
	_ = c.conn.Close()
}

// ask sends a request: a GET, or a POST if there is a body.
func (c *rawConn) ask(query, body string) error {
	request := make([]byte, 0, 256+len(body))
	method := "GET"
	if body != "" {
		method = "POST"
	}
	request = append(request, method+" /engine.io/?"+query+" HTTP/1.1\r\nHost: x\r\n"...)
	if body != "" {
		request = fmt.Appendf(request, "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: %d\r\n", len(body))
	}
	request = append(request, "\r\n"...)
	_, err := c.conn.Write(append(request, body...))
	return err
}

// answer reads the answer to a request.
func (c *rawConn) answer() (status int, body string, err error) {
	status, size, err := c.head()
	if err != nil {
		return 0, "", err
	}
	if size < 0 {
		return 0, "", errors.New("an answer without length")
	}
	data := make([]byte, size)
	if _, err := io.ReadFull(c.r, data); err != nil {
		return 0, "", err
	}
	return status, string(data), nil
}

// head reads an answer up to its body, whose size is -1 when it is not told.
func (c *rawConn) head() (status, size int, err error) {
	size = -1
	for first := true; ; first = false {
		line, err := c.r.ReadSlice('\n')
		if err != nil {
			return 0, 0, err
		}
		switch {
		case first:
			_, code, _ := strings.Cut(string(line), " ")
			if status, err = strconv.Atoi(code[:min(3, len(code))]); err != nil {
				return 0, 0, fmt.Errorf("no status line: %q", line)
			}
		case len(line) <= 2:
			return status, size, nil
		case len(line) > 16 && strings.EqualFold(string(line[:16]), "Content-Length: "):
			if size, err = strconv.Atoi(strings.TrimSpace(string(line[16:]))); err != nil {
				return 0, 0, err
			}
		}
	}
}

// askUpgrade sends the opening handshake of a WebSocket.
func (c *rawConn) askUpgrade(query string) error {
	_, err := io.WriteString(c.conn, "GET /engine.io/?"+query+" HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	return err
}

// upgrade makes the connection a WebSocket.
func (c *rawConn) upgrade(query string) error {
	if err := c.askUpgrade(query); err != nil {
		return err
	}
	status, _, err := c.head()
	if err == nil && status != 101 {
		err = fmt.Errorf("the upgrade was answered with %d", status)
	}
	return err
}

const (
	opText  = 0x1
	opBin   = 0x2
	opClose = 0x8
	opPing  = 0x9
	opPong  = 0xa
)

// send writes a frame. Its mask is zero.
func (c *rawConn) send(op byte, payload string) error {
	frame := make([]byte, 0, 14+len(payload))
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|op, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|op, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|op, 0x80|127), uint64(n))
	}
	frame = append(frame, 0, 0, 0, 0)
	_, err := c.conn.Write(append(frame, payload...))
	return err
}

// next reads a frame.
func (c *rawConn) next() (op byte, payload string, err error) {
	var header [10]byte
	if _, err := io.ReadFull(c.r, header[:2]); err != nil {
		return 0, "", err
	}
	size := uint64(header[1] & 0x7f)
	switch size {
	case 126:
		_, err = io.ReadFull(c.r, header[2:4])
		size = uint64(binary.BigEndian.Uint16(header[2:4]))
	case 127:
		_, err = io.ReadFull(c.r, header[2:10])
		size = binary.BigEndian.Uint64(header[2:10])
	}
	if err != nil {
		return 0, "", err
	}
	if size > 64<<20 {
		return 0, "", fmt.Errorf("a frame of %d bytes", size)
	}
	data := make([]byte, size)
	_, err = io.ReadFull(c.r, data)
	return header[0] & 0xf, string(data), err
}

// untilClosed reads frames until the connection ends or a close frame comes.
func (c *rawConn) untilClosed() error {
	for {
		op, _, err := c.next()
		var late net.Error
		switch {
		case errors.As(err, &late) && late.Timeout():
			return err
		case err != nil || op == opClose:
			return nil
		}
	}
}

// sidOf finds the session id in an open packet.
func sidOf(open string) (string, error) {
	_, rest, found := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	if !found || sid == "" {
		return "", fmt.Errorf("no open packet: %.100q", open)
	}
	return sid, nil
}

// counter counts things by name.
type counter[K comparable] struct {
	mu sync.Mutex
	n  map[K]int
}

func (c *counter[K]) add(key K) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.n == nil {
		c.n = make(map[K]int)
	}
	c.n[key]++
	return c.n[key]
}

func (c *counter[K]) total() (total int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, n := range c.n {
		total += n
	}
	return total
}

func (c *counter[K]) all() map[K]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[K]int, len(c.n))
	for key, n := range c.n {
		all[key] = n
	}
	return all
}

package coretest

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
)

// Engine is a WebSocket engine without a wire format: the connection that Client.WebSocket passes in is
// both ends of the WebSocket.
type Engine struct{}

// Accept implements core.WebSocketEngine.
func (Engine) Accept(conn net.Conn, _ []byte, _ *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	ws, ok := conn.(*WebSocket)
	if !ok {
		return nil, errors.New("not a WebSocket in memory")
	}
	ws.options = o
	return ws, nil
}

// Frame is what one side sent: a message, a ping or pong, or a close frame.
type Frame struct {
	Text   string // of a text message, or the bytes of a binary one
	Binary bool
	Pong   bool
	Close  bool
	Code   int
}

// WebSocket is a connection in memory. Methods that do not implement core.WebSocketConn are the client's.
type WebSocket struct {
	net.Conn // never used
	options  core.WebSocketOptions
	arrived  chan struct{} // holds an element while in is not empty
	closed   once

	mu       sync.Mutex
	deadline *time.Timer
	expired  chan struct{}
	in       []Frame
	pending  []Frame
	// unflushed is the size of pending.
	unflushed int
	out       []Frame
	flushes   int
	changed   chan struct{}
	stalled   bool
	lastSent  bool // a close frame was appended
}

// WebSocket opens a WebSocket with the query.
func (c *Client) WebSocket(query string) (*WebSocket, *Answer) {
	ws := &WebSocket{
		arrived: make(chan struct{}, 1), closed: once{c: make(chan struct{})},
		changed: make(chan struct{}), expired: make(chan struct{}),
	}
	x, a := c.exchange(http.MethodGet, query, nil, http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"AAAAAAAAAAAAAAAAAAAAAA=="},
	})
	x.hijack = ws
	go func() {
		defer close(a.done)
		c.Server.Serve(x, c.Engine)
		a.Status, a.Header, a.Body = x.status, x.response, string(x.written)
	}()
	return ws, a
}

// SendText sends a text message.
func (w *WebSocket) SendText(text string) { w.send(Frame{Text: text}) }

// SendBinary sends a binary message.
func (w *WebSocket) SendBinary(data string) { w.send(Frame{Text: data, Binary: true}) }

// SendClose sends a close frame.
func (w *WebSocket) SendClose(code int) { w.send(Frame{Close: true, Code: code}) }

// Ping sends a ping frame.
func (w *WebSocket) Ping(data string) { w.send(Frame{Text: data, Pong: true}) }

func (w *WebSocket) send(f Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.in = append(w.in, f)
	w.arrival()
}

// arrival is called with mu locked, when in is not empty.
func (w *WebSocket) arrival() {
	select {
	case w.arrived <- struct{}{}:
	default:
	}
}

// receive removes and returns the first frame that has arrived.
func (w *WebSocket) receive() (f Frame) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, w.in = w.in[0], w.in[1:]
	if len(w.in) > 0 {
		w.arrival()
	}
	return f
}

// Cut closes the connection without a close frame.
func (w *WebSocket) Cut() { w.closed.close() }

// Done is closed when the connection is.
func (w *WebSocket) Done() <-chan struct{} { return w.closed.c }

// Stall makes the client stop or resume reading.
func (w *WebSocket) Stall(stalled bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stalled = stalled
	w.change()
}

// Next waits for the next frame from the server. It returns false when the connection is closed and no
// frame is left.
func (w *WebSocket) Next() (Frame, bool) {
	for {
		w.mu.Lock()
		if len(w.out) > 0 {
			f := w.out[0]
			w.out = w.out[1:]
			w.mu.Unlock()
			return f, true
		}
		changed := w.changed
		w.mu.Unlock()
		select {
		case <-changed:
		case <-w.closed.c:
			w.mu.Lock()
			empty := len(w.out) == 0
			w.mu.Unlock()
			if empty {
				return Frame{}, false
			}
		}
	}
}

// Flushes returns how many writes sent something.
func (w *WebSocket) Flushes() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.flushes
}

// Waiting returns the number of frames the client has not taken with Next.
func (w *WebSocket) Waiting() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.out)
}

func (w *WebSocket) change() {
	close(w.changed)
	w.changed = make(chan struct{})
}

// ReadMessage implements core.WebSocketConn.
func (w *WebSocket) ReadMessage() ([]byte, bool, error) {
	for {
		if !w.Buffered() {
			w.options.Events.BeforeRead()
		}
		w.mu.Lock()
		expired := w.expired
		w.mu.Unlock()
		select {
		case <-w.closed.c:
			return nil, false, io.EOF
		case <-expired:
			return nil, false, os.ErrDeadlineExceeded
		case <-w.arrived:
			switch f := w.receive(); {
			case f.Close:
				return nil, false, &core.WebSocketError{Peer: true, Code: f.Code}
			case f.Pong:
				w.options.Events.OnPing([]byte(f.Text))
			case int64(len(f.Text)) > w.options.MaxMessage:
				return nil, false, &core.WebSocketError{Code: 1009, Text: "too large", Err: core.ErrTooLarge}
			default:
				return []byte(f.Text), f.Binary, nil
			}
		}
	}
}

// Buffered implements core.WebSocketConn.
func (w *WebSocket) Buffered() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.in) > 0
}

func (w *WebSocket) append(f Frame) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.lastSent {
		w.pending = append(w.pending, f)
		w.unflushed += len(f.Text) + 1
		w.lastSent = f.Close
	}
	return nil
}

// AppendMessage implements core.WebSocketConn.
func (w *WebSocket) AppendMessage(data []byte, binary, _ bool) error {
	return w.append(Frame{Text: string(data), Binary: binary})
}

// AppendFrame implements core.WebSocketConn.
func (w *WebSocket) AppendFrame(frame []byte) error {
	header := 2
	switch frame[1] {
	case 126:
		header = 4
	case 127:
		header = 10
	}
	return w.append(Frame{Text: string(frame[header:]), Binary: frame[0] == 0x82})
}

// AppendPong implements core.WebSocketConn.
func (w *WebSocket) AppendPong(data []byte) error {
	return w.append(Frame{Text: string(data), Pong: true})
}

// AppendClose implements core.WebSocketConn.
func (w *WebSocket) AppendClose(code int, _ string) error {
	return w.append(Frame{Close: true, Code: code})
}

// Flush implements core.WebSocketConn.
func (w *WebSocket) Flush(block bool) (bool, error) {
	for {
		select {
		case <-w.closed.c:
			return false, net.ErrClosed
		default:
		}
		w.mu.Lock()
		if !w.stalled {
			if len(w.pending) > 0 {
				w.flushes++
			}
			w.out = append(w.out, w.pending...)
			w.pending, w.unflushed = nil, 0
			w.change()
			w.mu.Unlock()
			return true, nil
		}
		changed, expired := w.changed, w.expired
		w.mu.Unlock()
		if !block {
			return false, nil
		}
		timer := time.NewTimer(w.options.WriteTimeout)
		select {
		case <-changed:
			timer.Stop()
		case <-w.closed.c:
			timer.Stop()
		case <-expired:
			timer.Stop()
			return false, os.ErrDeadlineExceeded
		case <-timer.C:
			return false, os.ErrDeadlineExceeded
		}
	}
}

// Unflushed implements core.WebSocketConn. Each frame counts as its data and one byte.
func (w *WebSocket) Unflushed() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.unflushed
}

// SetDeadline implements core.WebSocketConn.
func (w *WebSocket) SetDeadline(t time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deadline != nil && !w.deadline.Stop() { // it has passed, or does just now
		w.expired = make(chan struct{})
	}
	w.deadline = nil
	if !t.IsZero() {
		expired := w.expired
		w.deadline = time.AfterFunc(time.Until(t), func() { close(expired) })
	}
	return nil
}

// Close implements core.WebSocketConn.
func (w *WebSocket) Close() error {
	_ = w.SetDeadline(time.Time{})
	w.closed.close()
	return nil
}

// Upgradefloor is the least a Go server with net/http can do for an upgrade: it answers a handshake, has a
// poll wait until the probe comes, and echoes on the WebSocket, without sessions, timers or checks. What
// an upgrade costs beyond that is the library's doing.
package main

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"syscall"
)

const open = `0{"sid":"%020d","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

// floor has the polls by the ids of their sessions, which are numbers.
type floor struct {
	opened atomic.Uint64
	polls  sync.Map
}

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*addr, new(floor)))
}

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sid := r.URL.Query().Get("sid")
	switch {
	case r.Header.Get("Upgrade") != "":
		f.upgrade(w, r, sid)
	case sid != "":
		select {
		case <-f.poll(sid):
		case <-r.Context().Done():
		}
		f.polls.Delete(sid)
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		_, _ = w.Write([]byte("6"))
	default:
		w.Header().Set("Content-Type", "text/plain; charset=UTF-8")
		_, _ = fmt.Fprintf(w, open, f.opened.Add(1))
	}
}

func (f *floor) poll(sid string) chan struct{} {
	poll, _ := f.polls.LoadOrStore(sid, make(chan struct{}, 1))
	return poll.(chan struct{})
}

func (f *floor) upgrade(w http.ResponseWriter, r *http.Request, sid string) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	hash := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
		base64.StdEncoding.EncodeToString(hash[:]) + "\r\n\r\n"
	if _, err := conn.Write([]byte(answer)); err != nil {
		_ = conn.Close()
		return
	}
	go f.talk(conn.(*net.TCPConn), sid)
}

type buffers struct{ in, out [1024]byte }

var pool = sync.Pool{New: func() any { return new(buffers) }}

// talk waits for input without a buffer. The frames of the load come whole.
func (f *floor) talk(conn *net.TCPConn, sid string) {
	defer conn.Close()
	rc, err := conn.SyscallConn()
	if err != nil {
		return
	}
	var b *buffers
	n := 0
	read := func(fd uintptr) bool {
		b = pool.Get().(*buffers)
		if n, err = syscall.Read(int(fd), b.in[:]); errors.Is(err, syscall.EAGAIN) {
			pool.Put(b)
			return false
		}
		return true
	}
	for {
		if rc.Read(read) != nil || err != nil || n <= 0 {
			return
		}
		out, probed, closed := answers(b.in[:n], b.out[:0])
		if len(out) > 0 {
			_, err = conn.Write(out)
		}
		pool.Put(b)
		if probed {
			f.poll(sid) <- struct{}{} // it may come later
		}
		if closed || err != nil {
			return
		}
	}
}

// answers appends to out what is to be said to the client's frames: a pong to the probe, nothing to
// the upgrade packet, and every message once more.
func answers(in, out []byte) (_ []byte, probed, closed bool) {
	for len(in) >= 6 {
		n, head := int(in[1]&0x7f), 2
		if n == 126 {
			n, head = int(binary.BigEndian.Uint16(in[2:])), 4
		}
		if in[0]&15 == 8 || len(in) < head+4+n {
			return out, probed, true
		}
		mask, data := in[head:head+4], in[head+4:head+4+n]
		for i := range data {
			data[i] ^= mask[i&3]
		}
		switch string(data) {
		case "2probe":
			out, probed = append(out, "\x81\x063probe"...), true
		case "5":
		default:
			out = append(append(out, in[0], in[1]&0x7f), in[2:head]...)
			out = append(out, data...)
		}
		in = in[head+4+n:]
	}
	return out, probed, false
}

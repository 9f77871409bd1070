// Pingpong is the least a Go server can do for idle Engine.IO sessions on WebSockets: each connection
// has a goroutine that waits for input without a buffer, and a timer that writes a ping. What
// heartbeats cost beyond that is the library's doing.
package main

import (
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"flag"
	"log"
	"net"
	"net/http"
	"sync"
	"syscall"
	"time"
)

const open = `0{"sid":"AAAAAAAAAAAAAAAAAAAA","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`

func main() {
	addr := flag.String("addr", "127.0.0.1:3000", "address to listen on")
	interval := flag.Duration("ping-interval", 25*time.Second, "time from a pong to the next ping")
	flag.Parse()
	log.Fatal(http.ListenAndServe(*addr, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		hash := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
		answer := "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " +
			base64.StdEncoding.EncodeToString(hash[:]) + "\r\n\r\n\x81" + string(rune(len(open))) + open
		if _, err := conn.Write([]byte(answer)); err != nil {
			_ = conn.Close()
			return
		}
		go hold(conn.(*net.TCPConn), *interval)
	})))
}

var (
	ping    = []byte("\x81\x012")
	buffers = sync.Pool{New: func() any { return new([64]byte) }}
)

// hold takes everything the client sends for a pong.
func hold(conn *net.TCPConn, interval time.Duration) {
	defer conn.Close()
	timer := time.AfterFunc(interval, func() { _, _ = conn.Write(ping) })
	defer timer.Stop()
	rc, err := conn.SyscallConn()
	if err != nil {
		return
	}
	n := 0
	read := func(fd uintptr) bool {
		b := buffers.Get().(*[64]byte)
		defer buffers.Put(b)
		n, err = syscall.Read(int(fd), b[:])
		return !errors.Is(err, syscall.EAGAIN)
	}
	for {
		if rc.Read(read) != nil || err != nil || n <= 0 {
			return
		}
		timer.Reset(interval)
	}
}

//go:build linux && (amd64 || arm64) && !race && !msan && !asan

package wire

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

const clientAddr = "EIO_WIRE_CLIENT"

// TestClient runs in the other process of TestALongCallbackIsInterrupted, so that its system calls do not
// wake the watchdog of this one.
func TestClient(t *testing.T) {
	addr := os.Getenv(clientAddr)
	if addr == "" {
		return
	}
	conn, err := new(net.Dialer).DialContext(t.Context(), "tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range 100 {
		time.Sleep(time.Millisecond)
		_, _ = conn.Write([]byte("."))
	}
	_, _ = conn.Write([]byte("!"))
	_, _ = conn.Read(make([]byte, 1))
}

// TestALongCallbackIsInterrupted: on one processor, a goroutine that computes for long in answer to its
// input is preempted, so that others get their turn, as with a net.Conn.
func TestALongCallbackIsInterrupted(t *testing.T) {
	for name, accept := range map[string]func(net.Listener) (net.Conn, error){
		"Conn": func(l net.Listener) (net.Conn, error) {
			conn, err := l.Accept()
			return wrap(conn, nil, new(counter)), err
		},
		"Listen": func(l net.Listener) (net.Conn, error) { return Listen(l).Accept() },
	} {
		t.Run(name, func(t *testing.T) { testLongCallback(t, accept) })
	}
}

func testLongCallback(t *testing.T, accept func(net.Listener) (net.Conn, error)) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestClient$")
	client.Env = append(os.Environ(), clientAddr+"="+listener.Addr().String())
	if err := client.Start(); err != nil {
		t.Fatal(err)
	}
	conn, err := accept(listener)
	if err != nil {
		t.Fatal(err)
	}
	asked, answered := make(chan struct{}, 1), atomic.Bool{}
	go func() {
		<-asked
		answered.Store(true)
	}()
	for b := make([]byte, 1); b[0] != '!'; {
		if _, err := conn.Read(b); err != nil {
			t.Fatal(err)
		}
	}
	asked <- struct{}{}
	began := time.Now()
	for !answered.Load() && time.Since(began) < 20*time.Second {
	}
	if !answered.Load() {
		t.Error("nobody else had a turn")
	}
	t.Logf("after %v", time.Since(began))
	_ = conn.Close()
	_ = client.Wait()
}

// TestAwake: the scheduler is told about the first input, and about the first input after a pause.
func TestAwake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var a awake
		for range 3 {
			if a.ensure() {
				t.Error("the first input was kept from the scheduler")
			}
			for range 100 {
				time.Sleep(watchEvery * 2 / 3)
				if !a.ensure() {
					t.Fatal("it was told of more")
				}
			}
			time.Sleep(3 * watchEvery)
		}
	})
}

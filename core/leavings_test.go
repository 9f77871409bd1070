package core_test

import (
	"net"
	"net/http"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/coretest"
)

// slowEngine makes connections whose Flush returns one second after the client has received what it wrote,
// as can happen to a goroutine that loses its processor.
type slowEngine struct {
	coretest.Engine
	closes atomic.Int64
}

func (e *slowEngine) Accept(conn net.Conn, buffered []byte, r *http.Request, o core.WebSocketOptions) (core.WebSocketConn, error) {
	inner, err := e.Engine.Accept(conn, buffered, r, o)
	return &slowConn{inner, e}, err
}

type slowConn struct {
	core.WebSocketConn
	engine *slowEngine
}

func (c *slowConn) Flush(block bool) (bool, error) {
	done, err := c.WebSocketConn.Flush(block)
	time.Sleep(time.Second)
	return done, err
}

func (c *slowConn) Close() error {
	c.engine.closes.Add(1)
	return c.WebSocketConn.Close()
}

// A connection that ends while the server says farewell is forgotten.
func TestFarewellToAClientThatIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		engine := &slowEngine{}
		b := newBench(t, core.Config{WebSocketEngine: engine})
		ws, s := b.openWS(ws4)
		time.Sleep(time.Minute / 6)
		go s.CloseNow() // its close frame is on the network at once, but Flush takes a second to return
		synctest.Wait()
		ws.SendClose(1000) // meanwhile the client answers, and the reading goroutine ends
		<-ws.Done()
		time.Sleep(time.Minute)
		before := engine.closes.Load()
		b.Server.Close() // cuts the connections that are still leaving
		if after := engine.closes.Load(); after != before {
			t.Errorf("%d connections were kept that had ended long ago", after-before)
		}
	})
}

//go:build !unix

package wire

import "net"

type awake struct{}

// rawConn can do nothing on this system: reads hold a buffer while they wait, and only a blocking Flush
// writes.
type rawConn struct{}

func (*rawConn) init(*Conn, net.Conn) {}

func (*rawConn) works() bool { return false }

func (*rawConn) read(*Conn) (done bool, err error) { return false, nil }

func (*rawConn) tryWrite(*Conn) error { return nil }

func (*writeBuffer) writeNow(uintptr) bool { return true }

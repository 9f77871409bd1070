//go:build !unix

package wire

import "net"

type awake struct{}

// rawConn can do nothing here: reads hold a buffer while they wait, writes are drained.
type rawConn struct{}

func (*rawConn) init(*Conn, net.Conn) {}

func (*rawConn) read(*Conn) (done bool, err error) { return false, nil }

func (*rawConn) tryWrite(*Conn) error { return nil }

func (*writeBuffer) writeNow(uintptr) bool { return true }

//go:build !unix

package wire

import "net"

// rawConn can do nothing here: reads hold a buffer while they wait, writes are drained.
type rawConn struct{}

func (*rawConn) init(net.Conn) {}

func (*rawConn) read(*Buffers) (*readBuffer, error) { return nil, nil }

func (*rawConn) tryWrite([]byte) (int, error) { return 0, nil }

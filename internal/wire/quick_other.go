//go:build !unix

package wire

import "net"

// Listen returns l on this system.
func Listen(l net.Listener) net.Listener { return l }

// Plain returns conn on this system.
func Plain(conn net.Conn) net.Conn { return conn }

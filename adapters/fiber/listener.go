package eiofiber

import (
	"net"

	"github.com/goengineio/engineio/internal/wire"
)

// Listener returns a listener for fiber.App.Listener, with which each request takes less of the processor,
// those of the application included. If there is TLS, it goes on top.
//
// On Linux (amd64 and arm64) its TCP connections read and write without telling Go's scheduler, as
// WebSockets of this library do: these system calls never wait, and telling it costs more than some of them.
// On all Unix systems, deadlines set a timer only while a call waits. On others it returns l.
//
// The connections are not of type *net.TCPConn. Handlers that hijack one and need that type call its method
// NetConn() net.Conn, and from then on use only what it returns.
func Listener(l net.Listener) net.Listener { return wire.Listen(l) }

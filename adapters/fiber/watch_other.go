//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd)

package eiofiber

import (
	"net"
	"time"

	"github.com/goengineio/engineio/core"
)

// watch cannot watch connections on this system.
func watch(net.Conn, *core.Waiter, time.Duration) (core.WaitResult, bool) { return 0, false }

func departed(net.Conn) bool { return false }

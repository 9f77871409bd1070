//go:build unix

package main

import (
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// collectOnSignal collects garbage and returns memory to the system on SIGUSR2, so that the memory in use
// can be measured. It does so until stop is called.
func collectOnSignal() (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR2)
	go func() {
		for range c {
			debug.FreeOSMemory()
		}
	}()
	return func() {
		signal.Stop(c)
		close(c)
	}
}

//go:build !unix

package main

// collectOnSignal does nothing: this system lacks the signal.
func collectOnSignal() (stop func()) { return func() {} }

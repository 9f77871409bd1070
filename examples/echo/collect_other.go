//go:build !unix

package main

// collectOnSignal needs a signal that this system does not have.
func collectOnSignal() (stop func()) { return func() {} }

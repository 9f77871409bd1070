//go:build profiling

// This file is put beside those of examples/echo when the report takes profiles: the same server as
// users get it, with net/http/pprof on the address in PROFILING_ADDR. It is not part of this module.
package main

import (
	"log"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime"
)

func init() {
	runtime.SetMutexProfileFraction(1)
	go func() { log.Fatal(http.ListenAndServe(os.Getenv("PROFILING_ADDR"), nil)) }()
}

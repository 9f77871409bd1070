// Package eiohttp serves Engine.IO over net/http.
//
//	mux := http.NewServeMux()
//	eiohttp.Mount(mux, "/engine.io", srv)
//
// Mount is for a ServeMux. Handler is for every other router, Middleware for a chain of handlers,
// Attach for an existing *http.Server, and ListenAndServe for a server that does nothing else.
//
// Long polls survive http.Server.ReadTimeout and WriteTimeout; behind a ResponseWriter that hides the
// connection they are answered before these timeouts expire. A client that leaves while its poll waits
// is noticed at once. WebSockets need HTTP/1.1 and a ResponseWriter that can be hijacked, directly or
// through Unwrap methods. If it cannot be hijacked, the answer is 500, the log names the type that is in
// the way, and sessions stay on polling.
package eiohttp

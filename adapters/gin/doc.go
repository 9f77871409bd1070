// Package eiogin serves Engine.IO in a Gin application.
//
//	router := gin.Default()
//	eiogin.Mount(router, "/engine.io", srv)
//
// Mount serves the path with and without trailing slash and everything below it, in an engine or in
// a group. Handler is for a route of one's own.
//
// The application's middleware runs before the endpoint, and what it knows can be handed on: see
// Options. After the endpoint nothing runs; the chain is aborted. Everything that package eiohttp
// promises holds here too, also behind middleware that replaces the context's Writer (gzip, say):
// long polls survive the server's timeouts, and WebSockets can be opened. Where one of them cannot,
// as inside http.TimeoutHandler, the answer is 500 and sessions go on over polling.
package eiogin

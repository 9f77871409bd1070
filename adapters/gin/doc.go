// Package eiogin serves Engine.IO in a Gin application.
//
//	router := gin.Default()
//	eiogin.Mount(router, "/engine.io", srv)
//
// Mount serves the path, with and without a trailing slash, and everything below it, on an engine or a
// group. Handler is for your own routes.
//
// The application's middleware runs before the endpoint, and values that it sets can be passed on: see
// Options. No handler runs after the endpoint; the chain is aborted. Everything that package eiohttp
// promises holds here too, even behind middleware that replaces the context's Writer (such as gzip):
// long polls survive the server's timeouts, and WebSockets can be opened. Where a WebSocket cannot be
// opened, as inside http.TimeoutHandler, the answer is 500 and sessions stay on polling.
package eiogin

// Package eioecho serves Engine.IO in an Echo (v4) application.
//
//	e := echo.New()
//	eioecho.Mount(e, "/engine.io", srv)
//
// Mount serves the path, with and without a trailing slash, and everything below it, on an Echo or a
// group. Handler is for your own routes, Middleware for Echo.Use and Echo.Pre.
//
// The application's middleware runs before the endpoint, and values that it sets can be passed on: see
// Options. The endpoint never returns an error once it has accepted a request. Everything that package
// eiohttp promises holds here too. Where middleware makes WebSockets impossible, as Echo's deprecated
// Timeout does, the answer is 500 and sessions stay on polling; ContextTimeout does no harm. CSRF must
// skip the endpoint, since its clients' POSTs carry no token, and BodyLimit must not be less than
// core.Config.MaxPayload there.
package eioecho

// Package eioecho serves Engine.IO in an Echo (v4) application.
//
//	e := echo.New()
//	eioecho.Mount(e, "/engine.io", srv)
//
// Mount serves the path with and without trailing slash and everything below it, on an Echo or on a
// group. Handler is for a route of one's own, Middleware for Echo.Use and Echo.Pre.
//
// The application's middleware runs before the endpoint, and what it knows can be handed on: see
// Options. The endpoint never returns an error once it has taken a request. Everything that package
// eiohttp promises holds here too. Where a middleware makes WebSockets impossible, as Echo's
// deprecated Timeout does, the answer is 500 and sessions go on over polling; ContextTimeout does
// no harm. CSRF has to skip the endpoint, whose POSTs know no token, and BodyLimit is to be no less than
// core.Config.MaxPayload there.
package eioecho

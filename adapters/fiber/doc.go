// Package eiofiber serves Engine.IO in Fiber v2, directly on fasthttp.
//
//	app := fiber.New()
//	eiofiber.Mount(app, "/engine.io", srv)
//	err := eiofiber.Tune(app, srv) // not needed, but saves memory
//	...
//	err = app.Listen(":8080")
//
// Mount is for apps and groups. Handler is for your own routes, registered with
// app.All("/engine.io/*", ...) or app.Use("/engine.io", ...), and Middleware for a chain of handlers.
// Paths are matched as they were sent, case-sensitively.
//
// Tune, called before the app listens, sets what can only be set on the app: that a WebSocket no longer
// holds on to the memory of its request (KeepHijackedConns), and that on Engine.IO's paths, and only
// there, bodies of up to MaxPayload are accepted whatever BodyLimit and ReadTimeout say. Everything also
// works without it; a BodyLimit below MaxPayload is then logged as a warning.
//
// Without fiber.Config.StreamRequestBody, requests reach their handlers only when their bodies are
// complete: a POST that is cut off, or that overlaps another one, is not noticed, and the connection of
// one that is far too large is closed instead of being answered with 413. With it, and Tune, all of that
// is as under net/http. But then Fiber does not apply BodyLimit to the application's own handlers, so set
// it only if they limit what they read.
//
// Options say which values set by earlier middleware reach the application: locals by name, and the
// client's address as Fiber sees it. Route parameters and the values of the user context always do.
//
// Long polls survive ReadTimeout, WriteTimeout and IdleTimeout. On Unix systems and without TLS, a client
// that leaves while its poll waits is noticed at once; otherwise the heartbeat notices. A poll is
// answered shortly before the deadline of the user context, which Fiber's timeout.NewWithContext sets
// (timeout.New lets a handler run on after its request is over and cannot be used). Prefork cannot work,
// since the sessions of one process are unknown to the others: Tune returns an error, and requests are
// answered with that error and status 500.
//
// Two of Fiber's middlewares must skip the endpoint (see Next in their configurations): cache, which would
// give one client's session to another, and csrf, which refuses POSTs without a token.
//
// To shut down, end the sessions first, so that no poll keeps the app waiting. Give the app a timeout of
// its own, since a client that disappeared can use up all of the first one:
//
//	err := errors.Join(srv.Shutdown(ctx), app.ShutdownWithContext(ctx2))
package eiofiber

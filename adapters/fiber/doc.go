// Package eiofiber serves Engine.IO in Fiber v2, directly on fasthttp.
//
//	app := fiber.New()
//	eiofiber.Mount(app, "/engine.io", srv)
//	err := eiofiber.Tune(app, srv) // not needed, but saves memory
//	...
//	err = app.Listen(":8080")
//
// Mount is for apps and groups. Handler is for routes of one's own, app.All("/engine.io/*", ...) and
// app.Use("/engine.io", ...) alike, and Middleware for a chain of handlers. Paths are decided about
// as they were sent, with regard to case.
//
// Tune, called before the app listens, sets what only the app can: that a WebSocket no longer holds
// on to the memory of its request (KeepHijackedConns), and that on Engine.IO's paths, and there
// alone, bodies up to MaxPayload arrive whatever BodyLimit and ReadTimeout say. Without it
// everything works, too; a BodyLimit below MaxPayload is then logged as a warning.
//
// Without fiber.Config.StreamRequestBody, requests reach their handlers when their bodies are complete:
// a POST that is cut, or that overlaps another one, is not noticed, and one that is far too large is cut
// off instead of being answered with 413. With it, and Tune, all of that is as under net/http; but then
// Fiber does not hold the application's own handlers to BodyLimit, so set it where they bound what they
// read.
//
// What earlier middleware knows reaches the application as far as Options say: locals by name and the
// client's address as Fiber sees it. Route parameters and the values of the user context always do.
//
// Long polls survive ReadTimeout, WriteTimeout and IdleTimeout. A client that leaves while its poll
// waits is noticed at once, on Unix systems and without TLS; otherwise the heartbeat notices. A
// poll is answered shortly before the deadline of the user context, which Fiber's
// timeout.NewWithContext sets (timeout.New lets a handler run on after its request is over and
// cannot be used). Prefork cannot work, since each of its processes would know other sessions: Tune
// returns an error, and requests are answered with it and status 500.
//
// Two of Fiber's middlewares must leave the endpoint alone (see Next of their configurations): cache, which
// would give one client's session to another, and csrf, which refuses POSTs of clients that know no token.
//
// To shut down, end the sessions first, so that no poll keeps the app waiting; the app should have time of
// its own, for a client that left without a word can use up the sessions':
//
//	err := errors.Join(srv.Shutdown(ctx), app.ShutdownWithContext(ctx2))
package eiofiber

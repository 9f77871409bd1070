// Package core implements Engine.IO without a web framework: sessions over HTTP long polling and WebSocket,
// with upgrades from the first to the second, for protocol revisions 3 and 4.
//
//	srv, err := core.NewServer(core.Config{
//		OnConnection: func(s *core.Socket) {
//			s.OnMessage(func(m core.Message) { s.Send(m) })
//		},
//	})
//
// An adapter, such as eiohttp, passes requests to Server.Serve. The interface that an adapter implements is
// in exchange.go, the one that a WebSocket library implements in websocket.go.
//
// # Reading order
//
// server.go and config.go are the outside. verify.go accepts or refuses a request, handshake.go opens
// sessions, and socket.go is the session, with its only way to the closed state. One of two mechanisms
// carries a session: polling.go, where the client comes to fetch what waits (jsonp.go and compress.go deal
// with the form of the answer), or duplex.go, where either side can send at any time. upgrade.go moves a
// session from the first to the second. receive.go is the way in, send.go and flush.go are the way out,
// heartbeat.go and clock.go deal with time. request.go and origin.go are what a session keeps of its first
// request, stats.go is what an operator sees.
//
// # Ownership
//
// One mutex in each Socket guards all of its mutable state. It is held only for work in memory: never across
// I/O, a callback, or another lock, except for the locks of the clock and of the server, under which no other
// lock of this package is taken.
//
// I/O and callbacks are done under a token, a flag that is taken and returned under the mutex:
//
//   - The write token (writing) allows its holder to write to the WebSocket. Send appends to the buffer; if
//     the token is free, Send takes it for a write that does not wait. If that write leaves something,
//     because the socket's buffer is full or the connection is not plain TCP, a goroutine writes the rest
//     and lives only as long as there is work. The holder of the token looks for new output again before
//     returning it. The token is never held while user code runs.
//   - The receive token (receiving) allows its holder to deliver input, so callbacks of a session never run
//     concurrently. OnConnection holds it first. A second source of input (frames after an upgrade, while a
//     POST is still being delivered) waits for the token and reads nothing meanwhile.
//   - OnClose needs no token. It is due when the session is closed, the receive token is free, and no hook,
//     no call of Config.Conflate, no write and no answer to a poll is under way. Whichever goroutine brings
//     about the last of these has it called: last, once, and on a goroutine of its own, so that a Close
//     inside a callback, or by a goroutine that holds locks of its own, waits for nothing.
//
// A poll needs no token. The waiting GET takes the buffer itself when it is woken. It registers before it looks
// for output, both under the mutex, so no wake-up is lost.
//
// A candidate for an upgrade belongs to its reading goroutine, which answers the probe itself. It touches
// the session only to be registered, when the probe comes, and to be adopted or given up. Its read deadline
// is the upgrade timeout. When the session ends, the deadline is moved into the past, and the goroutine
// sends the close frame.
//
// Each session has one timer, an entry in the server's clock. The function that the clock calls compares
// the time with the deadline and acts according to the phase, so a stale call does nothing. (Only busy
// WebSockets have a real timer, to bound by 2 ms how long replies are held back to leave together.)
//
// The only way to the closed state is Socket.finish, which takes everything out of the session under the
// mutex and acts afterwards: on the registry, the waiting poll, the probe and the connection. What was sent
// while a poll waited is left to that poll, and OnClose follows its answer.
//
// A WebSocket ends with a close frame. It is written by the holder of the write token or, if the token is
// free, by the goroutine that ends the session. Until that write is over, which may have to wait for the
// network, the frame is owed: a reading goroutine that has nothing more to read then leaves the closing of
// the connection to the goroutine that owes the frame.
//
// Data: what is passed to OnMessage belongs to the callback. What is passed to Send must not be changed
// until it has been written.
package core

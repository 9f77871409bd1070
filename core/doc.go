// Package core is Engine.IO without a web framework: sessions over long polling and WebSocket that
// move from one to the other, for protocol revisions 3 and 4.
//
//	srv, err := core.NewServer(core.Config{
//		OnConnection: func(s *core.Socket) {
//			s.OnMessage(func(m core.Message) { s.Send(m) })
//		},
//	})
//
// An adapter, such as eiohttp, brings requests to Server.Serve; what an adapter implements is in
// exchange.go, what a WebSocket library implements in websocket.go.
//
// # Reading order
//
// server.go and config.go are the outside. verify.go decides about a request, handshake.go opens
// sessions, socket.go is the session with its one way to the closed state. Two mechanisms carry a
// session: polling.go (somebody comes to fetch; jsonp.go and compress.go are about the form of the
// answer) and duplex.go (either side can speak at any time). upgrade.go moves a session from the
// first to the second. receive.go is the way in, send.go and flush.go the way out, heartbeat.go and
// clock.go the time. request.go is what a session keeps of its first request, stats.go what an
// operator sees.
//
// # Ownership
//
// One mutex in each Socket guards all of its mutable state. It is held for work in memory only:
// never across I/O, a callback, or another lock but that of the clock, which takes none in turn.
//
// I/O and callbacks are done under a token, a flag that is taken and returned under the mutex:
//
//   - The write token (writing) allows to write to the WebSocket. Send appends to the buffer; if the
//     token is free it is taken for a write that does not wait. What that leaves, because the
//     socket's buffer is full or the connection is no plain TCP, is written by a goroutine that
//     lives only as long as there is work. Whoever holds the token looks again before returning it.
//     It is never held while user code runs.
//   - The receive token (receiving) allows to deliver input, so callbacks of a session never run
//     concurrently. OnConnection holds it first. A second source of input (frames after an upgrade,
//     while a POST is still being delivered) waits for it and reads nothing meanwhile.
//   - OnClose is called when the session is closed and the receive token is free, by whoever brings
//     about the later of the two: last, once, and on a goroutine of its own, so that a Close inside
//     a callback, or by a goroutine that holds locks of its own, waits for nothing.
//
// A poll needs no token. The waiting GET takes the buffer itself when it is woken; "is there
// anything?" and "I wait" are one section of the mutex, so no wake-up is lost.
//
// A candidate for an upgrade belongs to its reading goroutine, which answers the probe itself and
// touches the session twice: when probing begins, and to be adopted. Its read deadline is the
// upgrade timeout; whoever ends the session moves it into the past, and the goroutine says farewell.
//
// There is one timer for each session, a place in the server's clock. What it calls compares the time
// with the deadline and acts by phase, so a stale call does nothing. (A real timer exists only on busy
// WebSockets, to bound by 2 ms how long replies are held back to leave together.)
//
// The closed state has one entrance, Socket.finish, which takes everything out of the session under
// the mutex and acts afterwards: the registry, the waiting poll, the probe, the connection. What was sent
// while a poll waited is left to that poll, and OnClose follows its answer.
//
// A WebSocket ends with a close frame, which the write token's holder writes, or whoever finds the token free.
// Where that has to wait for the network the frame is owed, and a reading goroutine that has nothing more to
// read leaves the closing of the connection to whoever owes it.
//
// Data: what is handed to OnMessage belongs to the callback. What is handed to Send must not be
// changed until it has been written.
package core

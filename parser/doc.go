// Package parser turns Engine.IO packets into bytes and bytes into packets. It does no I/O, takes no locks
// and looks at no clock.
//
// [V3] and [V4] are the two revisions of the protocol, each a [Codec] with the same four operations:
// encoding and decoding one packet as the content of a WebSocket message, and many packets as the body of a
// poll. Beside them is the framing of protocol 4.1 for byte streams (WebTransport): [AppendStreamPacket]
// and [DecodeStreamHeader].
//
// # Guarantees
//
// Concurrency: everything here is safe to call from any goroutine at any time, as long as no two calls work
// on the same slice. There is no state between calls.
//
// Memory: encoders append to the slice they are given and allocate nothing if it has room. Decoders never
// copy data: [Packet.Data] lies inside the slice that was decoded, and its capacity ends where it ends, so
// that appending to it cannot reach the next packet. Base64 is decoded in place, which means that decoding
// overwrites its input. Callers that need the original bytes must copy them first.
//
// Time: decoding takes time linear in the length of the input, whatever the input is, and a constant number
// of allocations however many packets it holds. A length in the input is compared with the number of bytes
// that are there before it is used for anything; no allocation ever depends on it.
//
// Errors: malformed input yields an error that matches [ErrMalformed] with errors.Is, and never a panic.
// What was decoded before the error stays valid; what follows it is not looked at.
//
// Text: text is not checked to be valid UTF-8. That is left to the transport, which knows what a violation
// has to lead to, and checks each message once.
package parser

package core

import (
	"encoding/binary"
	"iter"
	"sync"

	"github.com/goengineio/engineio/parser"
)

// Prepared is a message that is encoded once and sent to many sessions. It may be used concurrently.
type Prepared struct {
	message Message
	frames  [2]preparedFrame // of revisions 3 and 4
}

type preparedFrame struct {
	once sync.Once
	data []byte
}

// Prepare returns a message that can be sent to many sessions. Its data must not be changed any more.
func Prepare(m Message) *Prepared { return &Prepared{message: m} }

// SendTo sends the message to each of the sockets and returns how many accepted it. It waits for none of
// them.
func (p *Prepared) SendTo(sockets iter.Seq[*Socket]) (taken int) {
	for s := range sockets {
		if s.SendPrepared(p) == nil {
			taken++
		}
	}
	return taken
}

// Broadcast sends a message, encoded once, to every session and returns how many accepted it. The data must
// not be changed any more.
func (s *Server) Broadcast(m Message) (taken int) { return Prepare(m).SendTo(s.All()) }

// frame returns the message as a complete WebSocket frame.
func (p *Prepared) frame(codec parser.Codec) []byte {
	f := &p.frames[codec.Revision()-3]
	f.once.Do(func() {
		packet := parser.Packet{Type: parser.Message, Binary: p.message.Binary, Data: p.message.Data}
		payload, isBinary := codec.AppendFrame(nil, packet, false)
		f.data = append(appendFrameHeader(make([]byte, 0, len(payload)+10), len(payload), isBinary), payload...)
	})
	return f.data
}

// appendFrameHeader appends the header of an unmasked, unfragmented frame (RFC 6455, 5.2).
func appendFrameHeader(dst []byte, size int, isBinary bool) []byte {
	first := byte(0x81)
	if isBinary {
		first = 0x82
	}
	switch {
	case size < 126:
		return append(dst, first, byte(size))
	case size < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, first, 126), uint16(size))
	}
	return binary.BigEndian.AppendUint64(append(dst, first, 127), uint64(size))
}

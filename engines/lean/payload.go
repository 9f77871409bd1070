package lean

import "github.com/gobwas/ws"

// ahead is how much memory a frame gets on its word alone. From there on its data may grow to four
// times of what has arrived.
const ahead = 4096

// readPayload appends the payload of a frame to data, unmasked. The result does not exceed limit,
// and has no spare room if the frame is the message.
func (c *connection) readPayload(data []byte, h ws.Header, limit int) ([]byte, error) {
	start := len(data)
	end := start + int(h.Length)
	for len(data) < end {
		if len(data) == cap(data) {
			data = grow(data, end, limit, h.Fin && start == 0)
		}
		n, err := c.wire.Read(data[len(data):min(end, cap(data))])
		if err != nil {
			return nil, err
		}
		data = data[:len(data)+n]
	}
	ws.Cipher(data[start:], h.Mask, 0)
	c.wire.Consumed(int(h.Length))
	return data, nil
}

// grow moves data, which is full, to a larger slice, for end bytes as far as they may be trusted to
// come. Unless those are the whole message the slice doubles at least, so that the time that many
// small frames take is proportional to their number.
func grow(data []byte, end, limit int, whole bool) []byte {
	size := min(int64(end), max(ahead, 4*int64(len(data))))
	if !whole {
		size = max(size, min(int64(limit), 2*int64(len(data))))
	}
	return append(make([]byte, 0, size), data...)
}

// readFull fills b.
func (c *connection) readFull(b []byte) error {
	for len(b) > 0 {
		n, err := c.wire.Read(b)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

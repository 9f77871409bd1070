package lean

import "github.com/gobwas/ws"

// ahead is how much memory a frame gets because of its announced length alone. Beyond that, its memory
// may grow to four times what has arrived.
const ahead = 4096

// readPayload appends the unmasked payload of a frame to data. The result does not exceed limit, and
// has no spare capacity if the frame is the whole message.
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

// grow copies data, which is full, to a larger slice, for as many of the announced end bytes as can be
// trusted to arrive. Unless these are the whole message, the slice at least doubles, so that the time for
// many small frames is proportional to their number.
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

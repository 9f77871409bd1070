package lean

import (
	"bytes"
	"compress/flate"
	"errors"
	"io"

	"github.com/gobwas/ws"

	"github.com/goengineio/engineio/core"
)

const (
	defaultThreshold = 1024
	firstInflated    = 4096     // the size of an inflater's own buffer
	keptDeflated     = 64 << 10 // larger buffers are left to the garbage collector

	// syncTail is what the sender removes according to RFC 7692, section 7.2.1. finalTail adds an empty
	// last block, so that the data has an end.
	syncTail  = "\x00\x00\xff\xff"
	finalTail = syncTail + "\x01\x00\x00\xff\xff"
)

// threshold returns the size from which messages are compressed.
func threshold(o *core.DeflateOptions) int {
	if o.Threshold == 0 {
		return defaultThreshold
	}
	return o.Threshold
}

// level returns a valid compression level.
func level(o *core.DeflateOptions) int {
	if o.Level == 0 {
		return flate.BestSpeed
	}
	return max(flate.HuffmanOnly, min(o.Level, flate.BestCompression))
}

// deflater compresses messages one at a time.
type deflater struct {
	w   *flate.Writer
	out bytes.Buffer
}

func (e *Engine) deflater(level int) *deflater {
	if d, ok := e.deflaters[level-flate.HuffmanOnly].Get().(*deflater); ok {
		return d
	}
	d := new(deflater)
	d.w, _ = flate.NewWriter(&d.out, level) // the level is in range
	return d
}

func (e *Engine) returnDeflater(d *deflater, level int) {
	if d.out.Cap() <= keptDeflated {
		e.deflaters[level-flate.HuffmanOnly].Put(d)
	}
}

// deflate returns data as the payload of a compressed message, valid until the next call. It returns
// false if that is not smaller.
func (d *deflater) deflate(data []byte) ([]byte, bool) {
	d.out.Reset()
	d.w.Reset(&d.out)
	_, _ = d.w.Write(data) // a bytes.Buffer does not fail
	_ = d.w.Flush()
	smaller := bytes.TrimSuffix(d.out.Bytes(), []byte(syncTail))
	return smaller, len(smaller) < len(data)
}

// inflater decompresses messages one at a time.
type inflater struct {
	r     io.ReadCloser // a flate.Resetter
	in    bytes.Reader
	first [firstInflated]byte
}

// inflate decompresses payload into a new slice, which never has room for more than the connection's
// limit and one byte. An inflater is borrowed only once the whole payload has arrived, so that slow
// clients hold none.
func (c *connection) inflate(payload []byte) ([]byte, error) {
	f, ok := c.deflate.engine.inflaters.Get().(*inflater)
	if !ok {
		f = new(inflater)
		f.r = flate.NewReader(&f.in)
	}
	f.in.Reset(append(payload, finalTail...))
	_ = f.r.(flate.Resetter).Reset(&f.in, nil) // never fails
	data, err := f.inflate(c.limit)
	f.in.Reset(nil)
	c.deflate.engine.inflaters.Put(f)
	switch {
	case errors.Is(err, core.ErrTooLarge):
		return nil, c.refuse(ws.StatusMessageTooBig, err.Error(), err)
	case err != nil:
		return nil, c.refuse(ws.StatusInvalidFramePayloadData, "invalid compressed data", nil)
	}
	return data, nil
}

func (f *inflater) inflate(limit int) ([]byte, error) {
	data := f.first[:0]
	for {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(int64(limit)+1, 2*int64(len(data)))), data...)
		}
		n, err := f.r.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if len(data) > limit {
			return nil, core.ErrTooLarge
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	if len(data) <= len(f.first) { // it may still be the inflater's buffer
		return append(make([]byte, 0, len(data)), data...), nil
	}
	return data, nil
}

// Package body reads the bodies of HTTP requests for the adapters.
package body

import (
	"errors"
	"io"

	"github.com/goengineio/engineio/core"
)

// ahead is how much memory a body gets because of its announced length alone. Beyond that, its memory may
// grow to four times what has arrived: announcing is free, and many clients may do so at once.
const ahead = 4096

// Read reads a body of the announced size; a negative size means that none was announced. If the body
// exceeds limit it fails with core.ErrTooLarge, and if it ends before its announced size with
// io.ErrUnexpectedEOF. The slice of a body that was announced has no spare capacity.
func Read(r io.Reader, size, limit int64) ([]byte, error) {
	switch {
	case size > limit:
		return nil, core.ErrTooLarge
	case size < 0:
		return readAll(r, limit)
	}
	data := make([]byte, 0, min(size, ahead))
	for int64(len(data)) < size {
		if len(data) == cap(data) {
			data = append(make([]byte, 0, min(size, 4*int64(len(data)))), data...)
		}
		n, err := io.ReadFull(r, data[len(data):cap(data)])
		data = data[:len(data)+n]
		if errors.Is(err, io.EOF) { // nothing at all has arrived since the slice last grew
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return nil, err
		}
	}
	return data, nil
}

func readAll(r io.Reader, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if int64(len(data)) > limit {
		return nil, core.ErrTooLarge
	}
	return data, err
}

package eiogin

import (
	"bufio"
	"net"
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
)

// writerFor returns the context's writer. It wraps the writer if a WebSocket is to be opened, or if
// middleware has installed a writer without an Unwrap method (gin.ResponseWriter does not require one),
// which would put the connection's deadlines out of reach.
func writerFor(c *gin.Context) http.ResponseWriter {
	base, hidden := below(c.Writer)
	upgrade := c.Request.Header.Get("Upgrade") != ""
	if !upgrade && !hidden {
		return c.Writer
	}
	w := &writer{ResponseWriter: c.Writer, base: base}
	if upgrade {
		c.Writer = w
	}
	return w
}

// writer is a Gin writer that knows the one below Gin. After a hijack it stays in the context and
// discards whatever middleware still writes. The size and status that it reports keep gin-contrib/gzip
// from writing a trailer and make the logger log a 101.
type writer struct {
	gin.ResponseWriter
	base     http.ResponseWriter
	hijacked bool
}

func (w *writer) Unwrap() http.ResponseWriter { return w.base }

// Hijack returns http.ErrNotSupported, without having done anything, where Gin's own would panic.
func (w *writer) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	if _, ok := w.base.(http.Hijacker); ok {
		conn, rw, err = w.ResponseWriter.Hijack()
	} else if conn, rw, err = http.NewResponseController(w.base).Hijack(); err == nil {
		setHijacked(w.ResponseWriter)
	}
	w.hijacked = err == nil
	return conn, rw, err
}

// setHijacked tells Gin's own writer that nothing may be written any more. Its Hijack method notes
// that first, and then panics because the writer below has no Hijack method.
func setHijacked(w gin.ResponseWriter) {
	defer func() { _ = recover() }()
	_, _, _ = w.Hijack()
}

func (w *writer) Status() int {
	if w.hijacked {
		return http.StatusSwitchingProtocols
	}
	return w.ResponseWriter.Status()
}

func (w *writer) Size() int {
	if w.hijacked {
		return -1
	}
	return w.ResponseWriter.Size()
}

func (w *writer) WriteHeader(status int) {
	if !w.hijacked {
		w.ResponseWriter.WriteHeader(status)
	}
}

func (w *writer) WriteHeaderNow() {
	if !w.hijacked {
		w.ResponseWriter.WriteHeaderNow()
	}
}

func (w *writer) Write(p []byte) (int, error) {
	if w.hijacked {
		return len(p), nil
	}
	return w.ResponseWriter.Write(p)
}

func (w *writer) WriteString(s string) (int, error) {
	if w.hijacked {
		return len(s), nil
	}
	return w.ResponseWriter.WriteString(s)
}

func (w *writer) Flush() {
	if !w.hijacked {
		w.ResponseWriter.Flush()
	}
}

// below returns the writer below those of Gin and its middleware, or the last one that can be reached.
// It also reports whether it had to look inside a type without an Unwrap method on the way.
func below(w http.ResponseWriter) (base http.ResponseWriter, hidden bool) {
	for {
		if _, ok := w.(gin.ResponseWriter); !ok {
			return w, hidden
		}
		if wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter }); ok {
			w = wrapper.Unwrap()
			continue
		}
		inner := embedded(w)
		if inner == nil {
			return w, hidden
		}
		w, hidden = inner, true
	}
}

// embedded returns the writer that a struct embeds as gin.ResponseWriter (or http.ResponseWriter), as
// the writers of Gin's middleware do, or nil if there is none.
func embedded(w http.ResponseWriter) http.ResponseWriter {
	v := reflect.Indirect(reflect.ValueOf(w))
	if v.Kind() != reflect.Struct {
		return nil
	}
	field, ok := v.Type().FieldByName("ResponseWriter")
	if !ok || !field.Anonymous || len(field.Index) != 1 {
		return nil
	}
	inner, _ := v.FieldByIndex(field.Index).Interface().(http.ResponseWriter)
	return inner
}

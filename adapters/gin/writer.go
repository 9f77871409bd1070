package eiogin

import (
	"bufio"
	"net"
	"net/http"
	"reflect"

	"github.com/gin-gonic/gin"
)

// writerFor returns the context's writer, wrapped if something has to be done for it: a WebSocket
// is to be opened, or middleware has put a writer in place that does not unwrap (gin.ResponseWriter
// does not ask for it), so that the connection's deadlines would be out of reach.
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
// swallows what middleware still has to say; what it tells of size and status has gin-contrib/gzip
// write no trailer, and the logger log a 101.
type writer struct {
	gin.ResponseWriter
	base     http.ResponseWriter
	hijacked bool
}

func (w *writer) Unwrap() http.ResponseWriter { return w.base }

// Hijack returns http.ErrNotSupported, and nothing has happened, where Gin's own would panic.
func (w *writer) Hijack() (conn net.Conn, rw *bufio.ReadWriter, err error) {
	if _, ok := w.base.(http.Hijacker); ok {
		conn, rw, err = w.ResponseWriter.Hijack()
	} else if conn, rw, err = http.NewResponseController(w.base).Hijack(); err == nil {
		setHijacked(w.ResponseWriter)
	}
	w.hijacked = err == nil
	return conn, rw, err
}

// setHijacked has Gin's own writer know that nothing is to be written any more. Its Hijack notes
// that first, and then panics for want of a Hijack method below.
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

// below returns the writer below those of Gin and its middleware, or the last that can be reached,
// and whether a type without Unwrap method had to be looked into on the way.
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

// embedded returns the writer that a struct embeds as gin.ResponseWriter (or http.ResponseWriter),
// which is how the writers of Gin's middleware are made; nil if it does not.
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

package eiogin_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	rscors "github.com/rs/cors"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
	"github.com/goengineio/engineio/internal/adaptertest"
)

// requestID is the usual middleware of that name.
func requestID(c *gin.Context) {
	c.Set("request id", "42")
	c.Header("X-Request-Id", "42")
	c.Next()
}

// bodyLog is middleware with its own writer, of the kind found everywhere: it embeds Gin's writer and has no
// Unwrap method.
func bodyLog(c *gin.Context) {
	w := &bodyLogWriter{ResponseWriter: c.Writer}
	c.Writer = w
	c.Next()
}

type bodyLogWriter struct {
	gin.ResponseWriter
	body bytes.Buffer
}

func (w *bodyLogWriter) Write(p []byte) (int, error) {
	w.body.Write(p)
	return w.ResponseWriter.Write(p)
}

// lateWriter answers any request that has no body yet, whatever the reason.
func lateWriter(c *gin.Context) {
	c.Next()
	if c.Writer.Size() <= 0 && c.Writer.Status() != http.StatusNoContent {
		c.JSON(http.StatusInternalServerError, gin.H{"error": "no answer"})
		_, _ = c.Writer.WriteString("late")
		c.Writer.WriteHeaderNow()
		c.Writer.Flush()
	}
}

// stack is a set of middleware that an application may use: Gin's, and net/http's around it.
type stack struct {
	use       []gin.HandlerFunc
	around    func(http.Handler) http.Handler
	cors      bool // allows adaptertest.Origin
	noUpgrade bool
}

func (s stack) build(srv *core.Server) http.Handler {
	router := gin.New()
	router.Use(s.use...)
	eiogin.Mount(router, "/engine.io", srv)
	if s.around == nil {
		return router
	}
	return s.around(router)
}

func stacks() map[string]stack {
	ginCORS := cors.New(cors.Config{AllowOrigins: []string{adaptertest.Origin}, AllowMethods: []string{"GET", "POST"}})
	rsCORS := rscors.New(rscors.Options{AllowedOrigins: []string{adaptertest.Origin}}).Handler
	timeout := func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "late") }
	logger, recovery, compress := gin.Logger(), gin.Recovery(), gzip.Gzip(gzip.DefaultCompression)
	return map[string]stack{
		"nothing":                   {},
		"logger":                    {use: []gin.HandlerFunc{logger}},
		"recovery":                  {use: []gin.HandlerFunc{recovery}},
		"request id":                {use: []gin.HandlerFunc{requestID}},
		"gzip":                      {use: []gin.HandlerFunc{compress}},
		"body log":                  {use: []gin.HandlerFunc{bodyLog}},
		"late writer":               {use: []gin.HandlerFunc{lateWriter}},
		"gin cors":                  {use: []gin.HandlerFunc{ginCORS}, cors: true},
		"rs/cors":                   {around: rsCORS, cors: true},
		"unwrap only":               {around: adaptertest.UnwrapOnly},
		"unwrap only, body log":     {around: adaptertest.UnwrapOnly, use: []gin.HandlerFunc{logger, bodyLog}},
		"timeout":                   {around: timeout, noUpgrade: true},
		"timeout, gzip":             {around: timeout, use: []gin.HandlerFunc{logger, recovery, compress}, noUpgrade: true},
		"timeout, unwrap only":      {around: func(h http.Handler) http.Handler { return timeout(adaptertest.UnwrapOnly(h)) }, noUpgrade: true},
		"all, rs/cors":              {around: rsCORS, use: []gin.HandlerFunc{logger, recovery, requestID, compress, bodyLog, lateWriter}, cors: true},
		"all, gin cors, other ways": {use: []gin.HandlerFunc{lateWriter, bodyLog, ginCORS, compress, requestID, recovery, logger}, cors: true},
	}
}

// Clients work behind all of them, and no complaint is logged (see TestMain for Gin's log).
func TestMiddleware(t *testing.T) {
	for name, m := range stacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			adaptertest.TestMiddleware(t, m.build, adaptertest.Middleware{CORS: m.cors, NoUpgrade: m.noUpgrade})
		})
	}
}

// Behind nginx the header usually is "Connection: upgrade", which gin-contrib/gzip does not recognize as an
// upgrade; it would write its trailer to the hijacked connection.
func TestGzipBehindNginx(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, stack{use: []gin.HandlerFunc{gzip.Gzip(gzip.DefaultCompression)}}.build)
	_, r := adaptertest.Connect(t, a.Addr, fmt.Sprintf("GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\nConnection: upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", a.Addr))
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	frame := make([]byte, 3)
	if _, err := r.Read(frame); err != nil || frame[0] != 0x81 || frame[2] != '0' {
		t.Errorf("% x, %v", frame, err)
	}
}

// Middleware may take part in the hijacking.
func TestHijackGoesThroughMiddleware(t *testing.T) {
	hijacks := make(chan error, 2)
	a := adaptertest.Start(t, core.Config{}, stack{use: []gin.HandlerFunc{func(c *gin.Context) {
		c.Writer = &hijackWriter{c.Writer, hijacks}
	}}}.build)
	a.Open("/engine.io/").Upgrade()
	if err := <-hijacks; err != nil || len(hijacks) != 0 {
		t.Error(err, len(hijacks))
	}
}

type hijackWriter struct {
	gin.ResponseWriter
	hijacks chan<- error
}

func (w *hijackWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.ResponseWriter.Hijack()
	w.hijacks <- err
	return conn, rw, err
}

func TestLoggedStatus(t *testing.T) {
	log := new(adaptertest.LogBuffer)
	logger := gin.LoggerWithConfig(gin.LoggerConfig{Output: log, Formatter: func(p gin.LogFormatterParams) string {
		return fmt.Sprintln(p.Method, p.StatusCode)
	}})
	handled := make(chan struct{}, 1)
	a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.Use(func(c *gin.Context) { c.Next(); handled <- struct{}{} }, logger)
		eiogin.Mount(router, "/engine.io", srv)
		return router
	})
	a.Dial("/engine.io/?EIO=4&transport=websocket")
	<-handled
	a.Do("POST", "/engine.io/"+adaptertest.Handshake, "")
	<-handled
	if want := "GET 101\nPOST 400\n"; log.String() != want {
		t.Errorf("logged %q, want %q", log.String(), want)
	}
}

func TestChainIsAborted(t *testing.T) {
	a := adaptertest.Start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		never := func(*gin.Context) { t.Error("called") }
		router.Any("/engine.io/*any", eiogin.Handler(srv), never)
		return router
	})
	s := a.Open("/engine.io/")
	s.Echo("4hello")
	s.Upgrade()
	a.Want(a.Raw("/engine%2Eio/"), 404, "404 page not found")
}

func TestLogNamesTheMiddleware(t *testing.T) {
	adaptertest.TestLogNames(t, stacks()["timeout, gzip"].build)
}

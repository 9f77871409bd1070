package eiogin_test

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gin-contrib/cors"
	"github.com/gin-contrib/gzip"
	"github.com/gin-gonic/gin"
	rscors "github.com/rs/cors"

	eiogin "github.com/goengineio/engineio/adapters/gin"
	"github.com/goengineio/engineio/core"
)

const origin = "https://app.example"

// requestID is the usual middleware of that name.
func requestID(c *gin.Context) {
	c.Set("request id", "42")
	c.Header("X-Request-Id", "42")
	c.Next()
}

// bodyLog is a middleware with a writer of its own, as one finds them everywhere: it embeds Gin's
// and does not unwrap.
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

// lateWriter answers whatever has no body yet, without a look at why.
func lateWriter(c *gin.Context) {
	c.Next()
	if c.Writer.Size() <= 0 && c.Writer.Status() != http.StatusNoContent {
		c.JSON(http.StatusInternalServerError, gin.H{"error": "no answer"})
		_, _ = c.Writer.WriteString("late")
		c.Writer.WriteHeaderNow()
		c.Writer.Flush()
	}
}

// unwrapOnly is a net/http middleware whose writer has nothing but an Unwrap method.
func unwrapOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(unwrapWriter{w}, r)
	})
}

type unwrapWriter struct{ http.ResponseWriter }

func (w unwrapWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// stack is an application's middleware: Gin's, and net/http's around it.
type stack struct {
	use       []gin.HandlerFunc
	around    func(http.Handler) http.Handler
	cors      bool // allows origin
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
	ginCORS := cors.New(cors.Config{AllowOrigins: []string{origin}, AllowMethods: []string{"GET", "POST"}})
	rsCORS := rscors.New(rscors.Options{AllowedOrigins: []string{origin}}).Handler
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
		"unwrap only":               {around: unwrapOnly},
		"unwrap only, body log":     {around: unwrapOnly, use: []gin.HandlerFunc{logger, bodyLog}},
		"timeout":                   {around: timeout, noUpgrade: true},
		"timeout, gzip":             {around: timeout, use: []gin.HandlerFunc{logger, recovery, compress}, noUpgrade: true},
		"timeout, unwrap only":      {around: func(h http.Handler) http.Handler { return timeout(unwrapOnly(h)) }, noUpgrade: true},
		"all, rs/cors":              {around: rsCORS, use: []gin.HandlerFunc{logger, recovery, requestID, compress, bodyLog, lateWriter}, cors: true},
		"all, gin cors, other ways": {use: []gin.HandlerFunc{lateWriter, bodyLog, ginCORS, compress, requestID, recovery, logger}, cors: true},
	}
}

// The client works behind all of them, and nobody logs a complaint (see TestMain for Gin's log).
func TestMiddleware(t *testing.T) {
	for name, m := range stacks() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := start(t, core.Config{}, m.build)
			header := []string{"Origin", origin, "Accept-Encoding", "gzip"}
			oneOrigin := func(got answer) answer {
				t.Helper()
				allowed := got.Header.Values("Access-Control-Allow-Origin")
				if m.cors && (len(allowed) != 1 || allowed[0] != origin) || !m.cors && len(allowed) != 0 {
					t.Errorf("Access-Control-Allow-Origin: %q", allowed)
				}
				return got
			}

			got := oneOrigin(a.do("GET", "/engine.io/"+handshake, "", header...))
			s := session{a, "/engine.io/" + handshake + "&sid=" + a.sid(got), <-a.sockets}
			for _, packet := range []string{"4hello", "4" + strings.Repeat("long ", 1000)} {
				a.want(oneOrigin(s.post(packet, header...)), 200, "ok")
				a.want(oneOrigin(s.poll(header...)), 200, packet)
			}

			got = oneOrigin(a.do("GET", s.target+"x", "", header...))
			a.want(got, 400, `{"code":1,"message":"Session ID unknown"}`)
			got = oneOrigin(a.do("OPTIONS", s.target, "", append(header, "Access-Control-Request-Method", "POST")...))
			if m.cors && got.Status/100 != 2 || !m.cors && got.Status != 400 {
				t.Errorf("preflight: %d %s", got.Status, got.Body)
			}

			if m.noUpgrade {
				ws, got := a.websocket(s.target)
				if ws != nil {
					t.Fatal("upgraded")
				}
				a.want(got, 500, "Internal Server Error")
				s.echo("4polling goes on", header...)
				return
			}
			ws := s.upgrade("Accept-Encoding", "gzip")
			a.send(ws, "4ping")
			a.receive(ws, "4ping")
			ws, _ = a.websocket("/engine.io/"+handshake, "Accept-Encoding", "gzip")
			if _, open, err := ws.ReadMessage(); err != nil || open[0] != '0' {
				t.Errorf("%q, %v", open, err)
			}
			a.send(ws, "4pong")
			a.receive(ws, "4pong")
		})
	}
}

// Behind nginx the header is "Connection: upgrade" as a rule, by which gin-contrib/gzip does not
// know an upgrade; it would write its trailer to the hijacked connection.
func TestGzipBehindNginx(t *testing.T) {
	a := start(t, core.Config{}, stack{use: []gin.HandlerFunc{gzip.Gzip(gzip.DefaultCompression)}}.build)
	conn := a.dial()
	defer conn.Close()
	fmt.Fprintf(conn, "GET /engine.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: %s\r\nAccept-Encoding: gzip\r\nConnection: upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n", a.addr)
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 {
		t.Fatal(resp, err)
	}
	frame := make([]byte, 3)
	if _, err := r.Read(frame); err != nil || frame[0] != 0x81 || frame[2] != '0' {
		t.Errorf("% x, %v", frame, err)
	}
}

// A middleware may want to have a hand in the connection.
func TestHijackGoesThroughMiddleware(t *testing.T) {
	hijacks := make(chan error, 2)
	a := start(t, core.Config{}, stack{use: []gin.HandlerFunc{func(c *gin.Context) {
		c.Writer = &hijackWriter{c.Writer, hijacks}
	}}}.build)
	a.open("/engine.io/").upgrade()
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
	log := new(syncBuffer)
	logger := gin.LoggerWithConfig(gin.LoggerConfig{Output: log, Formatter: func(p gin.LogFormatterParams) string {
		return fmt.Sprintln(p.Method, p.StatusCode)
	}})
	handled := make(chan struct{}, 1)
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		router.Use(func(c *gin.Context) { c.Next(); handled <- struct{}{} }, logger)
		eiogin.Mount(router, "/engine.io", srv)
		return router
	})
	a.websocket("/engine.io/?EIO=4&transport=websocket")
	<-handled
	a.do("POST", "/engine.io/"+handshake, "")
	<-handled
	if want := "GET 101\nPOST 400\n"; log.String() != want {
		t.Errorf("logged %q, want %q", log.String(), want)
	}
}

func TestChainIsAborted(t *testing.T) {
	a := start(t, core.Config{}, func(srv *core.Server) http.Handler {
		router := gin.New()
		never := func(*gin.Context) { t.Error("called") }
		router.Any("/engine.io/*any", eiogin.Handler(srv), never)
		return router
	})
	s := a.open("/engine.io/")
	s.echo("4hello")
	s.upgrade()
	a.want(a.raw("/engine%2Eio/"), 404, "404 page not found")
}

// The log names what is in the way of a WebSocket.
func TestLogNamesTheMiddleware(t *testing.T) {
	log := new(syncBuffer)
	cfg := core.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	m := stacks()["timeout, gzip"]
	a := start(t, cfg, m.build)
	_, got := a.websocket("/engine.io/" + handshake)
	a.want(got, 500, "Internal Server Error")
	if text := log.String(); strings.Count(text, "*http.timeoutWriter") != 1 {
		t.Error(text)
	}
}

// Package coretest drives a core.Server without a network, through an Exchange and a WebSocket in memory
// that work with testing/synctest.
package coretest

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/goengineio/engineio/core"
)

// Client sends requests to one server.
type Client struct {
	Server *core.Server
	Engine core.WebSocketEngine
	Header http.Header // sent with every request
}

// Answer is a request that is under way, or its answer.
type Answer struct {
	Status int
	Header http.Header
	Body   string

	done chan struct{}
	gone context.CancelFunc
}

// Wait waits for the answer.
func (a *Answer) Wait() *Answer {
	<-a.done
	return a
}

// Answered reports whether the answer has arrived.
func (a *Answer) Answered() bool {
	select {
	case <-a.done:
		return true
	default:
		return false
	}
}

// Leave closes the client's connection.
func (a *Answer) Leave() { a.gone() }

// Get begins a GET.
func (c *Client) Get(query string) *Answer { return c.Do(http.MethodGet, query, nil, nil) }

// Post begins a POST with a text body.
func (c *Client) Post(query, body string) *Answer {
	return c.Do(http.MethodPost, query, strings.NewReader(body), http.Header{"Content-Type": {"text/plain;charset=UTF-8"}})
}

// Do begins a request. Body may be nil.
func (c *Client) Do(method, query string, body Reader, header http.Header) *Answer {
	x, a := c.exchange(method, query, body, header)
	go func() {
		defer close(a.done)
		c.Server.Serve(x, c.Engine)
		a.Status, a.Header, a.Body = x.status, x.response, string(x.written)
	}()
	return a
}

// Reader is what a body is read from.
type Reader interface{ Read(p []byte) (int, error) }

func (c *Client) exchange(method, query string, body Reader, header http.Header) (*exchange, *Answer) {
	ctx, cancel := context.WithCancel(context.Background())
	all := c.Header.Clone()
	if all == nil {
		all = http.Header{}
	}
	for name, values := range header {
		all[name] = values
	}
	x := &exchange{
		ctx: ctx, method: method, query: query, body: body, header: all, response: http.Header{},
	}
	return x, &Answer{done: make(chan struct{}), gone: cancel}
}

// exchange implements core.Exchange.
type exchange struct {
	ctx      context.Context
	method   string
	query    string
	header   http.Header
	body     Reader
	status   int
	response http.Header
	written  []byte
	hijack   net.Conn
}

func (x *exchange) Method() string { return x.method }

func (x *exchange) Query() string { return x.query }

func (x *exchange) Header(name string) string { return x.header.Get(name) }

func (x *exchange) RemoteAddr() string { return "192.0.2.1:1234" }

func (x *exchange) ResponseHeader(name string) string { return x.response.Get(name) }

func (x *exchange) ResponseHeaders() http.Header { return x.response.Clone() }

func (x *exchange) SetHeader(name, value string) { x.response.Set(name, value) }

func (x *exchange) AddHeader(name, value string) { x.response.Add(name, value) }

func (x *exchange) Request() *http.Request {
	return &http.Request{
		Method: x.method, RequestURI: "/engine.io/?" + x.query, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, URL: &url.URL{Path: "/engine.io/", RawQuery: x.query},
		Header: x.header.Clone(), Host: "example.com", RemoteAddr: x.RemoteAddr(), Body: http.NoBody,
	}
}

func (x *exchange) Keep(dst []byte) ([]byte, core.Kept) { return core.Keep(dst, x.Request()) }

func (x *exchange) Body(limit int64, deadline time.Time) ([]byte, error) {
	if x.body == nil {
		return nil, nil
	}
	type result struct {
		data []byte
		err  error
	}
	got := make(chan result, 1)
	go func() {
		var r result
		buf := make([]byte, 4096)
		for {
			n, err := x.body.Read(buf)
			r.data = append(r.data, buf[:n]...)
			if int64(len(r.data)) > limit {
				r.err = core.ErrTooLarge
				break
			}
			if err != nil {
				if err.Error() != "EOF" {
					r.err = err
				}
				break
			}
		}
		got <- r
	}()
	timer := time.NewTimer(time.Until(deadline))
	defer timer.Stop()
	select {
	case r := <-got:
		return r.data, r.err
	case <-x.ctx.Done():
		return nil, x.ctx.Err()
	case <-timer.C:
		return nil, errors.New("the body did not arrive in time")
	}
}

func (x *exchange) WhenSent(func(error)) bool { return false }

func (x *exchange) Respond(status int, body []byte) error {
	if x.status != 0 {
		panic("answered twice")
	}
	x.status = status
	x.written = append([]byte(nil), body...)
	return x.ctx.Err()
}

func (x *exchange) Wait(w *core.Waiter) core.WaitResult {
	var expired <-chan time.Time
	if w.Expires() > 0 {
		timer := time.NewTimer(w.Expires())
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-w.C():
		return core.Woken
	case <-expired:
		return core.Expired
	case <-x.ctx.Done():
		return core.Gone
	}
}

func (x *exchange) Hijack(serve func(net.Conn, []byte) func()) error {
	if x.hijack == nil {
		return errors.New("this request cannot be hijacked")
	}
	go func() {
		if rest := serve(x.hijack, nil); rest != nil {
			rest()
		}
	}()
	return nil
}

// once is a channel that can be closed more than once.
type once struct {
	c    chan struct{}
	once sync.Once
}

func (o *once) close() { o.once.Do(func() { close(o.c) }) }

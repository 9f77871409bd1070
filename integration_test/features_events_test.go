package integration_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/goengineio/engineio/core"
)

// recorder keeps what hooks were told, in order.
type recorder chan string

func (r recorder) packets(name string) func([]core.Packet) {
	return func(packets []core.Packet) {
		for _, p := range packets {
			r <- fmt.Sprintf("%s %s %s", name, p.Type, p.Data)
		}
	}
}

func (r recorder) packet(name string) func(core.Packet) {
	return func(p core.Packet) { r <- fmt.Sprintf("%s %s %s", name, p.Type, p.Data) }
}

func (r recorder) call(name string) func() { return func() { r <- name } }

func (r recorder) want(t *testing.T, events ...string) {
	t.Helper()
	for _, want := range events {
		if got := await(t, r, want); got != want {
			t.Errorf("got event %q, want %q", got, want)
		}
	}
}

// TestConnectionEvent: handlers set in OnConnection miss nothing, and what is sent in it follows the
// handshake.
func TestConnectionEvent(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		proceed := make(chan struct{})
		messages := make(recorder, 10)
		b := start(core.Config{OnConnection: func(s *core.Socket) {
			s.Send(core.Text("welcome"))
			<-proceed
			s.OnMessage(func(m core.Message) { messages <- string(m.Data) })
		}})
		a := b.get(poll4)
		open := split(poll4, a.body)[0]
		var sid string
		for s := range b.engine.All() {
			sid = s.ID()
		}
		posted := make(chan answer, 1)
		go func() { posted <- b.post(poll4+"&sid="+sid, "4early") }()
		b.want(b.get(poll4+"&sid="+sid), 200, "4welcome")
		close(proceed)
		b.want(await(t, posted, "answer"), 200, "ok")
		messages.want(t, "early")
		if open[0] != '0' {
			t.Errorf("open packet %q", open)
		}
	})
}

func TestSendingEvents(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		own, server := make(recorder, 100), make(recorder, 100)
		b := start(core.Config{
			OnConnection: func(s *core.Socket) {
				s.OnPacketCreate(own.packet("packetCreate"))
				s.OnFlush(own.packets("flush"))
				s.OnDrain(own.call("drain"))
			},
			OnFlush: func(s *core.Socket, packets []core.Packet) {
				if packets[0].Data != nil && s.ID() != "" && packets[0].Type.String() == "message" {
					server.packets("flush")(packets)
				}
			},
			OnDrain: func(*core.Socket) { server <- "drain" },
		})
		b.overBoth(func(c *session) {
			c.socket.Send(core.Text("a"))
			own.want(t, "packetCreate message a")
			c.wantPackets("4a")
			own.want(t, "flush message a", "drain")
			c.socket.Send(core.Text("b"))
			c.wantPackets("4b")
			own.want(t, "packetCreate message b", "flush message b", "drain")
		})
		for range 2 {
			for _, data := range []string{"a", "b"} {
				for got := await(t, server, "flush"); got != "flush message "+data; got = await(t, server, "flush") {
					if got != "drain" { // of the open packet
						t.Fatalf("got %q", got)
					}
				}
				server.want(t, "drain")
			}
		}
	})
}

func TestReceivingEvents(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		events := make(recorder, 100)
		b := start(core.Config{OnConnection: func(s *core.Socket) {
			s.OnPacket(events.packet("packet"))
			s.OnMessage(func(m core.Message) { events <- fmt.Sprintf("message %s %v", m.Data, m.Binary) })
		}})
		b.overBoth(func(c *session) {
			c.send("4a")
			c.send("4")
			c.send("3") // a pong nobody has asked for
			c.send("1")
			events.want(t, "packet message a", "message a false", "packet message ", "message  false", "packet pong ", "packet close ")
			b.wantEnd(core.TransportClose)
		})
		c := b.connect(poll4)
		c.send("bYQ==")
		events.want(t, "packet message a", "message a true")
	})
}

func TestHeartbeatEvent(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		events := make(recorder, 100)
		b := start(core.Config{PingInterval: 20 * time.Millisecond, PingTimeout: patience, AllowEIO3: true, OnConnection: func(s *core.Socket) {
			s.OnHeartbeat(events.call(fmt.Sprint("heartbeat ", s.Protocol())))
		}})
		b.overBoth(func(c *session) {
			for range 2 {
				c.wantPackets("2")
				c.send("3")
				events.want(t, "heartbeat 4")
			}
		})
		c := b.connect(poll3)
		c.send("2")
		c.wantPackets("3")
		events.want(t, "heartbeat 3")
	})
}

func TestErrorAndCloseEvents(t *testing.T) {
	eachFramework(t, func(t *testing.T, start func(core.Config) *bench) {
		failures := make(chan error, 10)
		b := start(core.Config{OnConnection: func(s *core.Socket) { s.OnError(func(err error) { failures <- err }) }})
		b.overBoth(func(c *session) { // what is no packet
			if c.ws == nil {
				b.post(c.query, "x")
			} else {
				c.send("x")
			}
			e := b.wantEnd(core.ParseError)
			if err := await(t, failures, "error"); err == nil || !errors.Is(e.err, err) {
				t.Errorf("OnError got %v, OnClose %v", err, e.err)
			}
		})
		b.overBoth(func(c *session) { // a ping from the side that must not send it
			if c.ws == nil {
				b.post(c.query, "2")
			} else {
				c.send("2")
			}
			if e := b.wantEnd(core.TransportError); !errors.Is(e.err, core.ErrHeartbeat) {
				t.Errorf("OnClose got %v", e.err)
			}
			if err := await(t, failures, "error"); !errors.Is(err, core.ErrHeartbeat) {
				t.Errorf("OnError got %v", err)
			}
		})
		c := b.connect(poll4)
		c.socket.Close() // no error
		c.wantPackets("1")
		b.wantEnd(core.ForcedClose)
		if len(failures) > 0 || len(b.ended) > 0 {
			t.Errorf("%d errors and %d ends too many", len(failures), len(b.ended))
		}
	})
}

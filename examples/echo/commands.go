package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/goengineio/engineio/core"
)

const commandPrefix = "cmd:"

func isCommand(data []byte) bool { return bytes.HasPrefix(data, []byte(commandPrefix)) }

// command does what a message asks for.
func command(s *core.Socket, text string) {
	verb, rest, _ := strings.Cut(strings.TrimPrefix(text, commandPrefix), " ")
	first, second, _ := strings.Cut(rest, " ")
	n, _ := strconv.Atoi(first)
	switch verb {
	case "close": // gracefully
		s.Close()
	case "close-now": // dropping what is buffered
		s.CloseNow()
	case "send-then-close": // N: N messages, then a graceful close
		for i := range n {
			_ = s.Send(core.Text(fmt.Sprintf("bye:%d", i)))
		}
		s.Close()
	case "burst": // N SIZE: N texts, filled up to SIZE characters
		size, _ := strconv.Atoi(second)
		for i := range n {
			text := fmt.Sprintf("n:%d:", i)
			_ = s.Send(core.Text(text + strings.Repeat("x", max(0, size-len(text)))))
		}
	case "binary": // N: one binary message of N bytes
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(i)
		}
		_ = s.Send(core.Binary(data))
	case "mixed": // N: N messages, text and binary in turn
		for i := range n {
			if i%2 == 0 {
				_ = s.Send(core.Text(fmt.Sprintf("m:%d", i)))
			} else {
				_ = s.Send(core.Binary([]byte{byte(i)}))
			}
		}
	case "plain": // N: N bytes that are not to be compressed
		m := core.Text(strings.Repeat("p", n))
		m.NoCompress = true
		_ = s.Send(m)
	case "stream": // N MS: N messages, one every MS milliseconds
		pause, _ := strconv.Atoi(second)
		go stream(s, n, time.Duration(pause)*time.Millisecond)
	case "after": // MS TEXT: TEXT after MS milliseconds
		time.AfterFunc(time.Duration(n)*time.Millisecond, func() { _ = s.Send(core.Text(second)) })
	case "info":
		_ = s.Send(core.Text(info(s)))
	default:
		_ = s.Send(core.Text("unknown command " + verb))
	}
}

func stream(s *core.Socket, n int, pause time.Duration) {
	ticker := time.NewTicker(max(pause, time.Millisecond))
	defer ticker.Stop()
	for i := range n {
		<-ticker.C
		if s.Send(core.Text(fmt.Sprintf("s:%d", i))) != nil {
			return
		}
	}
}

// info describes the session and its handshake request.
func info(s *core.Socket) string {
	r := s.Request()
	query, headers := map[string]string{}, map[string]string{}
	for name, values := range r.URL.Query() {
		query[name] = values[len(values)-1]
	}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.Join(values, ", ")
	}
	if cookies := r.Header["Cookie"]; len(cookies) > 0 {
		headers["cookie"] = strings.Join(cookies, "; ")
	}
	address, _, err := net.SplitHostPort(s.RemoteAddr())
	if err != nil {
		address = s.RemoteAddr()
	}
	headers["host"] = r.Host
	text, err := json.Marshal(map[string]any{
		"id": s.ID(), "protocol": s.Protocol(), "transport": s.Transport(),
		"remoteAddress": address, "query": query, "headers": headers,
	})
	if err != nil {
		return err.Error()
	}
	return string(text)
}

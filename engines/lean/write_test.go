package lean_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestFramesLeaveTogether: only Flush writes, and one Flush sends all frames in order.
func TestFramesLeaveTogether(t *testing.T) {
	var out bytes.Buffer
	writes := 0
	server := accept(t, &recorded{scripted{}, &out, &writes}, "", terms())
	_ = server.AppendMessage([]byte("text"), false, false)
	_ = server.AppendMessage(nil, true, true)
	_ = server.AppendFrame([]byte("\x81\x05as is"))
	_ = server.AppendPong([]byte("pong"))
	if err := server.AppendPong(make([]byte, 126)); err == nil {
		t.Error("a pong of 126 bytes was taken")
	}
	_ = server.AppendClose(1001, "bye")
	if writes != 0 {
		t.Error("something left before the flush")
	}
	flush(t, server)
	_, frames, _ := strings.Cut(out.String(), "\r\n\r\n")
	if writes != 1 || frames != "\x81\x04text\x82\x00\x81\x05as is\x8a\x04pong\x88\x05\x03\xe9bye" {
		t.Errorf("%d writes brought %q", writes, frames)
	}
}

func TestDataIsCopied(t *testing.T) {
	server, c := connect(t, terms())
	data := []byte("original")
	_ = server.AppendMessage(data, false, false)
	_ = server.AppendPong(data)
	copy(data, "changed!")
	flush(t, server)
	c.want(fin|text, "original")
	c.want(fin|pong, "original")
}

func TestAppendClose(t *testing.T) {
	long := strings.Repeat("x", 122) + "€" // two bytes too many, of a character of three
	for name, test := range map[string]struct {
		code   int
		reason string
		want   string
	}{
		"none":                    {0, "", ""},
		"none, and yet a reason":  {0, "why", ""},
		"stands for none":         {1005, "", ""},
		"code":                    {1009, "", closeFrame(1009)},
		"reason":                  {4000, "why", closeFrame(4000) + "why"},
		"longest reason":          {4000, long[:123-1] + "y", closeFrame(4000) + long[:122] + "y"},
		"reason that is too long": {4000, long, closeFrame(4000) + long[:122]},
	} {
		t.Run(name, func(t *testing.T) {
			server, c := connect(t, terms())
			_ = server.AppendMessage([]byte("before"), false, false)
			if err := server.AppendClose(test.code, test.reason); err != nil {
				t.Fatal(err)
			}
			for _, err := range []error{
				server.AppendMessage([]byte("x"), false, false), server.AppendFrame([]byte("\x81\x01x")),
				server.AppendPong(nil), server.AppendClose(1000, ""),
			} {
				if err != nil {
					t.Errorf("after the close frame: %v", err)
				}
			}
			flush(t, server)
			_ = server.Close()
			c.want(fin|text, "before")
			c.want(fin|closing, test.want)
			if _, err := c.r.ReadByte(); !errors.Is(err, io.EOF) {
				t.Errorf("something came after the close frame, or %v", err)
			}
		})
	}
}

// TestCloseAndDeadlineFromAnywhere is for the race detector.
func TestCloseAndDeadlineFromAnywhere(t *testing.T) {
	server, c := connect(t, terms())
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			if _, _, err := server.ReadMessage(); err != nil {
				return
			}
			server.Buffered()
		}
	})
	wg.Go(func() {
		for range 100 {
			_ = server.SetDeadline(time.Now().Add(time.Hour))
			_ = server.AppendMessage([]byte("x"), false, false)
			_, _ = server.Flush(false)
		}
	})
	for range 100 {
		c.send(frame(fin|text, "x"))
	}
	wg.Go(func() { _ = server.Close() })
	_ = server.Close()
	wg.Wait()
}

// TestFlushThatDoesNotWait: what the network does not accept is left to the next Flush.
func TestFlushThatDoesNotWait(t *testing.T) {
	server, c := connect(t, terms())
	large := pattern(16 << 20)
	_ = server.AppendMessage([]byte(large), true, false)
	if done, err := server.Flush(false); err != nil || done {
		t.Fatalf("%v %v", done, err)
	}
	_ = server.AppendMessage([]byte("behind"), false, false)
	flushed := goFlush(server)
	c.want(fin|binaryData, large)
	c.want(fin|text, "behind")
	if err := <-flushed; err != nil {
		t.Error(err)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goengineio/engineio/core"
)

// tab is a page without a browser: it records what it is sent, without the times.
type tab struct{ got []string }

func (t *tab) Transport() core.Transport { return core.Polling }

func (t *tab) Send(m core.Message) error {
	if m.Binary {
		t.got = append(t.got, fmt.Sprintf("%d bytes", len(m.Data)))
		return nil
	}
	var e event
	if err := json.Unmarshal(m.Data, &e); err != nil {
		return err
	}
	t.got = append(t.got, strings.TrimSpace(fmt.Sprintf("%s %d %s %s%s", e.Type, e.From, e.Name, e.Text, names(e.People))))
	return nil
}

func names(people []entry) (names []string) {
	for _, p := range people {
		names = append(names, p.Name)
	}
	return names
}

// want checks what the tab was sent since the last call.
func (t *tab) want(tb testing.TB, want ...string) {
	tb.Helper()
	if !slices.Equal(t.got, want) {
		tb.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(t.got, "\n\t"), strings.Join(want, "\n\t"))
	}
	t.got = nil
}

func ask(kind, text string) core.Message {
	data, _ := json.Marshal(request{kind, text})
	return core.Message{Data: data}
}

// twoTabs makes a room with Ada and Grace in it.
func twoTabs(tb testing.TB) (r *room, ada, grace *tab) {
	r, ada, grace = &room{}, &tab{}, &tab{}
	r.receive(ada, ask("join", "Ada"))
	ada.want(tb, "welcome 1  []", "joined 0 Ada []", "people 0  [Ada]")
	r.receive(grace, ask("join", "  Grace   Hopper "))
	grace.want(tb, "welcome 2  []", "joined 0 Grace Hopper []", "people 0  [Ada Grace Hopper]")
	ada.want(tb, "joined 0 Grace Hopper []", "people 0  [Ada Grace Hopper]")
	return r, ada, grace
}

func TestEverybodyHearsWhatIsSaid(t *testing.T) {
	r, ada, grace := twoTabs(t)
	r.receive(ada, ask("say", " <b>Hello</b> "))
	ada.want(t, "said 1 Ada <b>Hello</b>[]")
	grace.want(t, "said 1 Ada <b>Hello</b>[]")
}

func TestPictureFollowsItsAnnouncement(t *testing.T) {
	r, ada, grace := twoTabs(t)
	r.receive(grace, core.Binary([]byte("\x89PNG\r\n\x1a\n and so on")))
	ada.want(t, "picture 2 Grace Hopper image/png[]", "18 bytes")
	grace.want(t, "picture 2 Grace Hopper image/png[]", "18 bytes")
}

func TestLeaving(t *testing.T) {
	r, ada, grace := twoTabs(t)
	r.leave(grace)
	ada.want(t, "left 0 Grace Hopper []", "people 0  [Ada]")
	grace.want(t)
	r.leave(&tab{})
	ada.want(t)
}

func TestRefusedForTheSenderOnly(t *testing.T) {
	for name, m := range map[string]core.Message{
		"not JSON":        core.Text("hello"),
		"unknown request": ask("dance", ""),
		"join again":      ask("join", "Ada"),
		"say nothing":     ask("say", "  "),
		"say too much":    ask("say", strings.Repeat("ä", maxText+1)),
		"not a picture":   core.Binary([]byte("<svg onload=alert(1)>")),
		"large picture":   core.Binary(append([]byte("GIF89a"), make([]byte, maxPicture)...)),
	} {
		t.Run(name, func(t *testing.T) {
			r, ada, grace := twoTabs(t)
			r.receive(ada, m)
			if len(ada.got) != 1 || !strings.HasPrefix(ada.got[0], "refused") {
				t.Errorf("got %q, want one refusal", ada.got)
			}
			grace.want(t)
		})
	}
}

func TestStrangersMayOnlyJoin(t *testing.T) {
	for name, m := range map[string]core.Message{
		"say":           ask("say", "hello"),
		"picture":       core.Binary([]byte("GIF89a")),
		"empty name":    ask("join", " \t"),
		"long name":     ask("join", strings.Repeat("x", maxName+1)),
		"control codes": ask("join", "a\x00b"),
	} {
		t.Run(name, func(t *testing.T) {
			r, ada, _ := twoTabs(t)
			stranger := &tab{}
			r.receive(stranger, m)
			if len(stranger.got) != 1 || !strings.HasPrefix(stranger.got[0], "refused") {
				t.Errorf("got %q, want one refusal", stranger.got)
			}
			ada.want(t)
		})
	}
}

package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goengineio/engineio/core"
)

// Limits of what one person may send. Over polling, a picture travels as base64, which makes it a third
// larger, and it still has to fit into one payload.
const (
	maxName    = 24   // characters
	maxText    = 2000 // characters
	maxPicture = 3_500_000
	maxPayload = 5_000_000
)

// pictureTypes are the pictures the room passes on, judged by their content.
var pictureTypes = []string{"image/png", "image/jpeg", "image/gif", "image/webp"}

// A room has the people of the chat. Events are sent under its lock, so that everybody sees everything in
// the same order, and a picture right after the event that announces it. Sending only appends to the
// receiver's buffer, so a slow receiver delays nobody.
type room struct {
	mu     sync.Mutex
	people []*person // those who have given a name, in the order in which they joined
	lastID int
}

// A person is one session that has joined.
type person struct {
	wire wire
	id   int
	name string
}

// A wire is what the room needs of a session. Send fails only if the session is closing; then its OnClose,
// which calls leave, is about to follow.
type wire interface {
	Send(core.Message) error
	Transport() core.Transport
}

// A request is what a page sends as text: {"type": "join", "text": name} once, then
// {"type": "say", "text": message}. A binary message is a picture.
type request struct {
	Type string `json:"type"`
	Text string `json:"text"`
}

// An event is what pages receive as text. The types:
//
//	welcome  answers a join: From is the receiver's own number
//	people   somebody came, left or switched transports: People is everybody who is there now
//	joined   Name came
//	left     Name left
//	said     From wrote Text
//	picture  From sent a picture of type Text: the next binary message
//	refused  the receiver's request was refused, Text says why
type event struct {
	Type   string  `json:"type"`
	From   int     `json:"from,omitempty"`
	Name   string  `json:"name,omitempty"`
	Text   string  `json:"text,omitempty"`
	At     int64   `json:"at"` // milliseconds since 1970
	People []entry `json:"people,omitempty"`
}

// An entry is a person in the list of those who are there. The ID is the room's own number: with the
// session's id, others could use the session.
type entry struct {
	ID        int            `json:"id"`
	Name      string         `json:"name"`
	Transport core.Transport `json:"transport"`
}

// open connects a new session to the room; it is the server's OnConnection.
func (r *room) open(s *core.Socket) {
	s.OnMessage(func(m core.Message) { r.receive(s, m) })
	s.OnUpgrade(func(core.Transport) { r.refresh() })
	s.OnClose(func(core.CloseReason, error) { r.leave(s) })
}

// receive handles one message from a page.
func (r *room) receive(w wire, m core.Message) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if why := r.obey(w, m); why != "" {
		_ = w.Send(encode(event{Type: "refused", Text: why}))
	}
}

// obey carries out a message, or returns the reason for refusing it.
func (r *room) obey(w wire, m core.Message) (refusal string) {
	from := r.find(w)
	if m.Binary {
		if from == nil {
			return "Join first."
		}
		return r.picture(from, m.Data)
	}
	var req request
	if err := json.Unmarshal(m.Data, &req); err != nil {
		return "That is not a request."
	}
	switch {
	case req.Type == "join" && from == nil:
		return r.join(w, req.Text)
	case req.Type == "say" && from != nil:
		return r.say(from, req.Text)
	}
	return "That cannot be done now."
}

func (r *room) join(w wire, name string) (refusal string) {
	name = strings.Join(strings.Fields(name), " ")
	if name == "" || utf8.RuneCountInString(name) > maxName || strings.ContainsFunc(name, unicode.IsControl) {
		return "A name has 1 to 24 characters."
	}
	r.lastID++
	r.people = append(r.people, &person{wire: w, id: r.lastID, name: name})
	_ = w.Send(encode(event{Type: "welcome", From: r.lastID}))
	r.broadcast(event{Type: "joined", Name: name})
	r.broadcastPeople()
	return ""
}

func (r *room) say(from *person, text string) (refusal string) {
	text = strings.TrimSpace(text)
	if text == "" || utf8.RuneCountInString(text) > maxText {
		return "A message has 1 to 2000 characters."
	}
	r.broadcast(event{Type: "said", From: from.id, Name: from.name, Text: text})
	return ""
}

func (r *room) picture(from *person, data []byte) (refusal string) {
	mime := http.DetectContentType(data)
	if !slices.Contains(pictureTypes, mime) {
		return "Only PNG, JPEG, GIF and WebP pictures can be sent."
	}
	if len(data) > maxPicture {
		return "A picture may have 3.5 MB at most."
	}
	r.broadcast(event{Type: "picture", From: from.id, Name: from.name, Text: mime}, core.Binary(data))
	return ""
}

// leave removes a session that has ended. If it never joined, nobody is told.
func (r *room) leave(w wire) {
	r.mu.Lock()
	defer r.mu.Unlock()
	gone := r.find(w)
	if gone == nil {
		return
	}
	r.people = slices.DeleteFunc(r.people, func(p *person) bool { return p == gone })
	r.broadcast(event{Type: "left", Name: gone.name})
	r.broadcastPeople()
}

// refresh tells everybody who is there, and which transport each uses.
func (r *room) refresh() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.broadcastPeople()
}

// The functions below are called with the lock held.

func (r *room) find(w wire) *person {
	i := slices.IndexFunc(r.people, func(p *person) bool { return p.wire == w })
	if i < 0 {
		return nil
	}
	return r.people[i]
}

func (r *room) broadcastPeople() {
	entries := make([]entry, 0, len(r.people))
	for _, p := range r.people {
		entries = append(entries, entry{p.id, p.name, p.wire.Transport()})
	}
	r.broadcast(event{Type: "people", People: entries})
}

// broadcast sends the event to everybody, followed directly by the attachments.
func (r *room) broadcast(e event, attachments ...core.Message) {
	messages := append([]core.Message{encode(e)}, attachments...)
	for _, p := range r.people {
		for _, m := range messages {
			_ = p.wire.Send(m)
		}
	}
}

// encode sets the time of the event and encodes it.
func encode(e event) core.Message {
	e.At = time.Now().UnixMilli()
	data, err := json.Marshal(e)
	if err != nil {
		panic(err) // cannot happen with strings and numbers
	}
	return core.Message{Data: data}
}

package fakesms

import (
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"
)

// patience is how long Wait waits in a test without a deadline.
const patience = 30 * time.Second

// Message is a text message as its reader sees it.
type Message struct {
	Gateway string // that it came through: "twilio", "verify", "modica", "generic"
	To      string
	Text    string
	Code    string // in the text, if there is one
	ID      string // that the sender gave it, where the protocol has one
	Header  http.Header
	Body    string // of the request
}

// Phones keep the messages that they get. The zero value is ready.
type Phones struct {
	mu      sync.Mutex
	kept    []Message
	changed chan struct{} // closed and replaced at every change
}

var code = regexp.MustCompile(`(?:^|[^\w+-])(\d{4,10})(?:$|[^\w-])`)

// Keep takes a message.
func (p *Phones) Keep(m Message) {
	if found := code.FindStringSubmatch(m.Text); found != nil {
		m.Code = found[1]
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.kept = append(p.kept, m)
	if p.changed != nil {
		close(p.changed)
		p.changed = nil
	}
}

// Messages lists everything that came, oldest first.
func (p *Phones) Messages() []Message {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]Message(nil), p.kept...)
}

// To lists what came for a number.
func (p *Phones) To(number string) []Message {
	var list []Message
	for _, m := range p.Messages() {
		if m.To == number {
			list = append(list, m)
		}
	}
	return list
}

// Wait blocks until n messages came for the number, and returns them. The test fails when that has
// not happened shortly before its deadline.
func (p *Phones) Wait(t testing.TB, number string, n int) []Message {
	t.Helper()
	timer := time.NewTimer(patienceOf(t))
	defer timer.Stop()
	for {
		changed := p.watch()
		list := p.To(number)
		if len(list) >= n {
			return list
		}
		select {
		case <-changed:
		case <-timer.C:
			t.Fatalf("fakesms: %d messages for %s, want %d; there are %d in all", len(list), number, n, len(p.Messages()))
		}
	}
}

func (p *Phones) watch() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.changed == nil {
		p.changed = make(chan struct{})
	}
	return p.changed
}

func patienceOf(t testing.TB) time.Duration {
	d, ok := t.(interface{ Deadline() (time.Time, bool) })
	if !ok {
		return patience
	}
	deadline, set := d.Deadline()
	if !set {
		return patience
	}
	return min(patience, max(time.Until(deadline)-time.Second, time.Millisecond))
}

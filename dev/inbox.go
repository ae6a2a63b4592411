package dev

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"
)

// kept is how many messages the inbox remembers.
const kept = 500

// Inbox keeps the mails and SMS that were caught, in memory and in a file.
type Inbox struct {
	mu       sync.Mutex
	messages []Message // oldest first
	last     int64     // the highest id given
	path     string
	file     *os.File
	lines    int // in the file
	watchers map[chan struct{}]bool
	closed   bool
}

// OpenInbox reads what an earlier run kept in the file, and keeps on there.
func OpenInbox(path string) (*Inbox, error) {
	in := &Inbox{path: path, watchers: map[chan struct{}]bool{}}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|os.O_APPEND, 0o600) // #nosec G304 -- in the folder we were given
	if err != nil {
		return nil, err
	}
	in.file = file
	if err := in.load(); err != nil {
		_ = file.Close()
		return nil, err
	}
	return in, nil
}

// load reads the file and writes it anew, without what is too old or was torn by a crash.
func (in *Inbox) load() error {
	reader := bufio.NewReader(in.file)
	for {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		var m Message
		if json.Unmarshal(line, &m) == nil && m.ID != "" {
			in.remember(m)
			if id, err := strconv.ParseInt(m.ID, 36, 64); err == nil {
				in.last = max(in.last, id)
			}
		}
		if err != nil {
			return in.rewrite()
		}
	}
}

func (in *Inbox) remember(m Message) {
	in.messages = append(in.messages, m)
	if extra := len(in.messages) - kept; extra > 0 {
		in.messages = slices.Delete(in.messages, 0, extra)
	}
}

// rewrite replaces the file by what is remembered.
func (in *Inbox) rewrite() error {
	var text bytes.Buffer
	encode := json.NewEncoder(&text)
	for _, m := range in.messages {
		if err := encode.Encode(m); err != nil {
			return err
		}
	}
	draft, err := os.CreateTemp(filepath.Dir(in.path), "inbox-*") // mode 0600
	if err != nil {
		return err
	}
	_, err = draft.Write(text.Bytes())
	if err == nil {
		err = os.Rename(draft.Name(), in.path)
	}
	if err != nil {
		_ = draft.Close()
		_ = os.Remove(draft.Name())
		return err
	}
	old := in.file
	in.file, in.lines = draft, len(in.messages)
	return old.Close()
}

// Catch keeps an SMS instead of sending it. What cannot be written to the file is still shown
// until the next start.
func (in *Inbox) Catch(to, text string) { _ = in.add(newSMS(to, text)) }

// add keeps a message: it is in the file before it is acknowledged.
func (in *Inbox) add(m Message) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	m.ReceivedAt = time.Now().UTC()
	in.last = max(in.last+1, m.ReceivedAt.UnixMilli()) // an id is never given twice, also not after a clearing
	m.ID = strconv.FormatInt(in.last, 36)
	in.remember(m)
	defer in.tell()
	if in.closed {
		return os.ErrClosed
	}
	line, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if _, err := in.file.Write(append(line, '\n')); err != nil {
		return err
	}
	if in.lines++; in.lines >= 2*kept {
		return in.rewrite()
	}
	return nil
}

// Messages returns what went to an address, newest first; an empty address means all.
func (in *Inbox) Messages(to string) []Message {
	in.mu.Lock()
	defer in.mu.Unlock()
	found := []Message{}
	for _, m := range slices.Backward(in.messages) {
		if m.sentTo(to) {
			found = append(found, m)
		}
	}
	return found
}

// Message finds one message by its id.
func (in *Inbox) Message(id string) (Message, bool) {
	in.mu.Lock()
	defer in.mu.Unlock()
	i := slices.IndexFunc(in.messages, func(m Message) bool { return m.ID == id })
	if i < 0 {
		return Message{}, false
	}
	return in.messages[i], true
}

// Clear forgets the messages to an address; an empty address means all.
func (in *Inbox) Clear(to string) error {
	return in.forget(func(m Message) bool { return m.sentTo(to) })
}

func (in *Inbox) forget(which func(Message) bool) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.messages = slices.DeleteFunc(in.messages, which)
	in.tell()
	return in.rewrite()
}

// watch returns a channel that has something in it after each change, and is closed with the inbox.
func (in *Inbox) watch() (changed <-chan struct{}, stop func()) {
	in.mu.Lock()
	defer in.mu.Unlock()
	c := make(chan struct{}, 1)
	if in.closed {
		close(c)
		return c, func() {}
	}
	in.watchers[c] = true
	return c, func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		delete(in.watchers, c)
	}
}

// tell wakes everybody who watches; one waiting wake-up stands for many changes.
func (in *Inbox) tell() {
	for c := range in.watchers {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// HangUp ends the pages' connections that wait for new messages, so that a server can shut down
// gracefully: give it to http.Server.RegisterOnShutdown.
func (in *Inbox) HangUp() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for c := range in.watchers {
		close(c)
		delete(in.watchers, c)
	}
}

// Close hangs up and closes the file. What comes later is refused.
func (in *Inbox) Close() error {
	in.HangUp()
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.closed {
		return nil
	}
	in.closed = true
	return in.file.Close()
}

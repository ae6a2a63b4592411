package testmail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"strings"
)

// Message is a mail as a reader would see it.
type Message struct {
	From, To string      // of the envelope
	Headers  mail.Header // unfolded and decoded
	Subject  string
	Text     string
	HTML     string
	Link     string // X-Link
	Ticket   string // X-Ticket

	User string // who authenticated, if anybody
	TLS  bool   // it came encrypted
	Helo string
	Raw  []byte
	Err  error // why the mail could not be read, if so
}

// read fills in what the raw mail says.
func read(m Message) Message {
	parsed, err := mail.ReadMessage(bytes.NewReader(m.Raw))
	if err != nil {
		m.Err = err
		return m
	}
	m.Headers = decoded(parsed.Header)
	m.Subject = m.Headers.Get("Subject")
	m.Link = m.Headers.Get("X-Link")
	m.Ticket = m.Headers.Get("X-Ticket")
	m.Err = m.part(textproto.MIMEHeader(parsed.Header), parsed.Body)
	return m
}

func decoded(h mail.Header) mail.Header {
	out := mail.Header{}
	words := &mime.WordDecoder{}
	for name, values := range h {
		for _, v := range values {
			if plain, err := words.DecodeHeader(v); err == nil {
				v = plain
			}
			out[name] = append(out[name], v)
		}
	}
	return out
}

// part reads a part and those within it.
func (m *Message) part(h textproto.MIMEHeader, body io.Reader) error {
	kind, parameters, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		return err
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			p, err := parts.NextRawPart()
			if errors.Is(err, io.EOF) {
				return nil
			}
			if err != nil {
				return err
			}
			if err := m.part(p.Header, p); err != nil {
				return err
			}
		}
	}
	switch strings.ToLower(h.Get("Content-Transfer-Encoding")) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	switch kind {
	case "text/html":
		m.HTML = string(text)
	case "text/plain":
		m.Text = string(text)
	}
	return nil
}

package dev

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding/charmap"
)

// Kinds of messages.
const (
	Email = "email"
	SMS   = "sms"
)

const (
	maxMail  = 16 << 20 // bytes of a mail
	maxDepth = 8        // of parts within parts
)

// Message is one mail or SMS that was caught.
type Message struct {
	ID         string              `json:"id"`
	Kind       string              `json:"kind"` // Email or SMS
	To         string              `json:"to"`   // whom it was sent to; several are separated by ", "
	From       string              `json:"from"`
	Subject    string              `json:"subject"`
	ReceivedAt time.Time           `json:"receivedAt"`
	Headers    map[string][]string `json:"headers"` // decoded; names in canonical case
	Text       string              `json:"text"`
	HTML       string              `json:"html"`
	Links      []string            `json:"links"` // each once, in order
	Codes      []string            `json:"codes"` // what looks like a one-time code, each once
}

// sentTo says whether the message went to the address. An empty address means any.
func (m *Message) sentTo(address string) bool {
	if address == "" {
		return true
	}
	return slices.ContainsFunc(strings.Split(m.To, ","), func(to string) bool {
		return strings.EqualFold(strings.TrimSpace(to), strings.TrimSpace(address))
	})
}

// parseMail reads a mail as well as it can be read: what is not a mail becomes one with that text.
func parseMail(raw []byte) Message {
	m := Message{Kind: Email, Headers: map[string][]string{}}
	parsed, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		m.Subject, m.Text = "(not a readable mail)", valid(raw)
		m.read()
		return m
	}
	for name, values := range parsed.Header {
		for _, value := range values {
			m.Headers[name] = append(m.Headers[name], decodeWords(value))
		}
	}
	m.Subject = decodeWords(parsed.Header.Get("Subject"))
	m.From = decodeWords(parsed.Header.Get("From"))
	m.part(textproto.MIMEHeader(parsed.Header), parsed.Body, 0)
	m.read()
	return m
}

func decodeWords(s string) string {
	decoder := mime.WordDecoder{CharsetReader: func(label string, body io.Reader) (io.Reader, error) { return inUTF8(label, body), nil }}
	if text, err := decoder.DecodeHeader(s); err == nil {
		s = text
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// part takes the texts out of one part. Attachments are passed over; what is broken ends there,
// and what was read before it stays.
func (m *Message) part(header textproto.MIMEHeader, body io.Reader, depth int) {
	kind, params, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil {
		kind = "text/plain"
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	}
	if strings.HasPrefix(kind, "multipart/") {
		parts := multipart.NewReader(body, params["boundary"])
		for depth < maxDepth {
			p, err := parts.NextRawPart()
			if err != nil {
				return
			}
			m.part(p.Header, p, depth+1)
		}
		return
	}
	if disposition, _, err := mime.ParseMediaType(header.Get("Content-Disposition")); err == nil && disposition == "attachment" {
		return
	}
	if kind != "text/plain" && kind != "text/html" {
		return
	}
	text, _ := io.ReadAll(inUTF8(params["charset"], body)) // a broken end still leaves the beginning
	if kind == "text/html" {
		m.HTML += valid(text)
		return
	}
	m.Text += strings.ReplaceAll(valid(text), "\r\n", "\n")
}

// inUTF8 reads what is in Latin letters. Our own mails are in UTF-8; a table of every other alphabet is a megabyte of the binary.
func inUTF8(label string, body io.Reader) io.Reader {
	switch strings.ToLower(label) {
	case "iso-8859-1", "latin1", "windows-1252":
		return charmap.Windows1252.NewDecoder().Reader(body)
	}
	return body
}

// read fills in what a person looks for: links and codes.
func (m *Message) read() {
	shown, links := readHTML(m.HTML)
	text := m.Text
	if text == "" {
		text = shown
	}
	for _, link := range addresses.FindAllString(text, -1) {
		links = append(links, trimAddress(link))
	}
	m.Links = once(links)
	m.Codes = codesIn(m.Kind, m.Subject+"\n"+addresses.ReplaceAllString(text, " "))
}

// addresses finds web addresses in plain text.
var addresses = regexp.MustCompile(`https?://[^\s<>"\x60{}|\\^]+`)

// trimAddress takes off the punctuation of the sentence that an address ends.
func trimAddress(link string) string {
	for {
		trimmed := strings.TrimRight(link, ".,;:!?'*")
		for _, pair := range []string{"()", "[]"} {
			if strings.HasSuffix(trimmed, pair[1:]) && strings.Count(trimmed, pair[:1]) < strings.Count(trimmed, pair[1:]) {
				trimmed = trimmed[:len(trimmed)-1]
			}
		}
		if trimmed == link {
			return link
		}
		link = trimmed
	}
}

// readHTML returns the text that a page shows and where its links lead.
func readHTML(page string) (text string, links []string) {
	var shown strings.Builder
	tokens := html.NewTokenizer(strings.NewReader(page))
	hidden := ""
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return shown.String(), links
		case html.TextToken:
			if hidden == "" {
				shown.WriteString(string(tokens.Text()) + " ")
			}
		case html.StartTagToken:
			token := tokens.Token()
			switch token.Data {
			case "style", "script", "title":
				hidden = token.Data
			case "a", "area":
				for _, a := range token.Attr {
					if a.Key == "href" && isWebAddress(a.Val) {
						links = append(links, strings.TrimSpace(a.Val))
					}
				}
			}
		case html.EndTagToken:
			if name, _ := tokens.TagName(); string(name) == hidden {
				hidden = ""
			}
		case html.SelfClosingTagToken, html.CommentToken, html.DoctypeToken: // nothing to read
		}
	}
}

// isWebAddress tells links that may be made clickable from those that could run something.
func isWebAddress(s string) bool {
	u, err := url.Parse(strings.TrimSpace(s))
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

// Codes stand alone: not in a longer word or number, not a telephone number, not a price. An SMS
// is short enough to take shorter ones for codes too.
var codePatterns = map[string]*regexp.Regexp{
	Email: regexp.MustCompile(`(?:^|[^\p{L}\p{N}_+.,:/#-])(\d{6,8})(?:$|[^\p{L}\p{N}_/-])`),
	SMS:   regexp.MustCompile(`(?:^|[^\p{L}\p{N}_+.,:/#-])(\d{4,8})(?:$|[^\p{L}\p{N}_/-])`),
}

func codesIn(kind, text string) []string {
	var codes []string
	spread := strings.Join(strings.Fields(text), "  ") // neighbours need a blank each
	for _, match := range codePatterns[kind].FindAllStringSubmatch(spread, -1) {
		codes = append(codes, match[1])
	}
	return once(codes)
}

// once drops repetitions. It never returns nil, which JSON would show as null.
func once(list []string) []string {
	kept := []string{}
	for _, s := range list {
		if !slices.Contains(kept, s) {
			kept = append(kept, s)
		}
	}
	return kept
}

// newSMS is a text message that was sent to a number.
func newSMS(to, text string) Message {
	m := Message{Kind: SMS, To: to, Text: strings.ToValidUTF8(text, "\uFFFD"), Headers: map[string][]string{}}
	m.read()
	m.Subject = fmt.Sprintf("SMS to %s", to)
	return m
}

package sms

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/webhooks"
)

// generic posts to whatever gateway the operator has.
type generic struct {
	client
	url         string
	contentType string
	body        *bodyTemplate
	header      http.Header
	secrets     webhooks.Keys // of the signature; none means that requests are not signed
	now         func() time.Time
}

func newGeneric(s Settings, c client, now func() time.Time) (*generic, error) {
	body, err := s.bodyTemplate()
	if err != nil {
		return nil, fmt.Errorf("AUTH_SMS_GENERIC_BODY_TEMPLATE %w", err)
	}
	header, err := parseHeaders(s.GenericHeaders, s.GenericSecret != "")
	if err != nil {
		return nil, fmt.Errorf("AUTH_SMS_GENERIC_HEADERS %w", err)
	}
	secrets, err := parseSecrets(s.GenericSecret)
	if err != nil {
		return nil, fmt.Errorf("AUTH_SMS_GENERIC_SECRET %w", err)
	}
	return &generic{
		client: c, url: s.GenericURL, contentType: s.GenericContentType, body: body, header: header,
		secrets: secrets, now: now,
	}, nil
}

// Send hands the message over.
func (g *generic) Send(ctx context.Context, m Message) error {
	body, err := g.body.fill(m.To, m.Text)
	if err != nil {
		return hopeless(err)
	}
	header := g.header.Clone()
	if len(g.secrets) > 0 {
		sign(header, g.secrets, m.ID, g.now(), body)
	}
	a, err := g.do(ctx, post{gateway: "the gateway", url: g.url, contentType: g.contentType, body: body, header: header})
	if err != nil {
		return err
	}
	if !a.ok() {
		return refused("the gateway", a.status)
	}
	return nil
}

// A bodyTemplate is the text of a request with ${to} and ${body} in it.
type bodyTemplate struct {
	parts  []bodyPart
	syntax syntax
}

// bodyPart is text as it stands, or the name of a value.
type bodyPart struct{ text, name string }

// syntax is the language of a body, which says how a value is written into it.
type syntax int

const (
	asText syntax = iota // as it is
	asJSON
	asForm // JSON of one object, whose members become the fields of a form
	asXML
)

// syntaxOf reads a content type.
func syntaxOf(contentType string) (syntax, error) {
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil || !strings.Contains(media, "/") || strings.ContainsAny(contentType, "\r\n") {
		return 0, errors.New("must be a media type such as application/json")
	}
	switch {
	case media == "application/x-www-form-urlencoded":
		return asForm, nil
	case media == "application/json", strings.HasSuffix(media, "+json"):
		return asJSON, nil
	case media == "application/xml", media == "text/xml", strings.HasSuffix(media, "+xml"):
		return asXML, nil
	case strings.HasPrefix(media, "multipart/"):
		return 0, errors.New("cannot be of several parts")
	}
	return asText, nil
}

// defaultBody is used where the settings have no template and the syntax allows it.
const defaultBody = `{"to": "${to}", "body": "${body}"}`

// The values of a body.
const (
	toName   = "to"
	bodyName = "body"
)

// parseBody reads a template and tries it.
func parseBody(text string, s syntax) (*bodyTemplate, error) {
	t := &bodyTemplate{syntax: s}
	for text != "" {
		before, rest, found := strings.Cut(text, "${")
		t.parts = append(t.parts, bodyPart{text: before})
		if !found {
			break
		}
		name, after, closed := strings.Cut(rest, "}")
		if !closed {
			return nil, errors.New("has a ${ that is not closed")
		}
		name = strings.TrimSpace(name)
		if name != toName && name != bodyName {
			return nil, fmt.Errorf("has ${%s} in it; there are ${to} and ${body}", name)
		}
		t.parts = append(t.parts, bodyPart{name: name})
		text = after
	}
	for _, name := range []string{toName, bodyName} {
		if !slices.Contains(t.parts, bodyPart{name: name}) {
			return nil, fmt.Errorf("has no ${%s} in it", name)
		}
	}
	// A number and a text that are right only where a value is in quotes.
	if _, err := t.fill("+15550100", `a "b" \ {c}`); err != nil {
		return nil, err
	}
	return t, nil
}

// fill writes the values into the template.
func (t *bodyTemplate) fill(to, text string) (string, error) {
	values := map[string]string{toName: to, bodyName: text}
	var b strings.Builder
	for _, p := range t.parts {
		b.WriteString(p.text)
		if p.name == "" {
			continue
		}
		v, err := t.syntax.escape(values[p.name])
		if err != nil {
			return "", err
		}
		b.WriteString(v)
	}
	switch t.syntax {
	case asJSON:
		if !json.Valid([]byte(b.String())) {
			return "", errors.New(`is not JSON; values stand in quotes, as in {"to": "${to}"}`)
		}
	case asForm:
		return formOf(b.String())
	case asText, asXML:
	}
	return b.String(), nil
}

// escape writes a value so that it ends where its place ends.
func (s syntax) escape(v string) (string, error) {
	var b bytes.Buffer
	switch s {
	case asJSON, asForm:
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(v); err != nil {
			return "", errors.New("a value cannot be written as JSON")
		}
		quoted := strings.TrimSuffix(b.String(), "\n")
		return quoted[1 : len(quoted)-1], nil
	case asXML:
		if err := xml.EscapeText(&b, []byte(v)); err != nil {
			return "", errors.New("a value cannot be written as XML")
		}
		return b.String(), nil
	case asText:
	}
	return v, nil
}

// formOf makes a form of a JSON object.
func formOf(object string) (string, error) {
	bad := errors.New(`is not one flat JSON object, whose members become the fields of the form: {"to": "${to}", "text": "${body}"}`)
	d := json.NewDecoder(strings.NewReader(object))
	d.UseNumber()
	var members map[string]any
	if err := d.Decode(&members); err != nil || members == nil {
		return "", bad
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return "", bad
	}
	form := url.Values{}
	for name, v := range members {
		switch v := v.(type) {
		case string:
			form.Set(name, v)
		case json.Number:
			form.Set(name, v.String())
		case bool:
			form.Set(name, strconv.FormatBool(v))
		default:
			return "", bad
		}
	}
	return form.Encode(), nil
}

// parseHeaders reads a JSON object of header lines. Those that are ours to write are refused.
func parseHeaders(text string, signed bool) (http.Header, error) {
	header := http.Header{}
	if strings.TrimSpace(text) == "" {
		return header, nil
	}
	var lines map[string]string
	if err := json.Unmarshal([]byte(text), &lines); err != nil {
		return nil, errors.New(`must be a JSON object with text in it, such as {"Authorization": "Bearer …"}`)
	}
	for name, value := range lines {
		name = http.CanonicalHeaderKey(name)
		switch {
		case !isHeaderName(name):
			return nil, fmt.Errorf("has the name %q, which no header can have", name)
		case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
			return nil, fmt.Errorf("has a value for %s that is not one line", name)
		case name == "Content-Type":
			return nil, errors.New("cannot have Content-Type; AUTH_SMS_GENERIC_CONTENT_TYPE says it")
		case slices.Contains([]string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Trailer", "Te", "Upgrade", "Expect"}, name):
			return nil, fmt.Errorf("cannot have %s, which belongs to the connection", name)
		case signed && strings.HasPrefix(name, "Webhook-"):
			return nil, fmt.Errorf("cannot have %s, which belongs to the signature", name)
		case header[name] != nil:
			return nil, fmt.Errorf("has %s twice", name)
		}
		header.Set(name, value)
	}
	return header, nil
}

func isHeaderName(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r)
	})
}

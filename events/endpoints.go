package events

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strings"

	"postern/webhooks"
)

// An Endpoint is where events go.
type Endpoint struct {
	Name    string
	URL     string
	Keys    webhooks.Keys
	Filters []string
	Header  http.Header
}

// Patterns are the filters as patterns of SQL's like.
func (e Endpoint) Patterns() []string {
	patterns := make([]string, len(e.Filters))
	for i, f := range e.Filters {
		patterns[i] = Pattern(f)
	}
	return patterns
}

// declared is an endpoint as the settings write it.
type declared struct {
	Name    string            `json:"name"`
	URL     string            `json:"url"`
	Secrets []string          `json:"secrets"`
	Events  []string          `json:"events"`
	Headers map[string]string `json:"headers"`
}

var (
	names   = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)
	headers = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")
)

// Parse reads the endpoints of the settings, a JSON array, and reports everything that is wrong with
// them. No report repeats a secret or an address.
func Parse(text string, report func(problem string)) []Endpoint {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var list []json.RawMessage
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		report(`must be a JSON array such as [{"name": "crm", "url": "https://crm.example.com/events", "secrets": ["whsec_…"], "events": ["user.*"]}]: ` + jsonProblem(err))
		return nil
	}
	var endpoints []Endpoint
	seen := map[string]bool{}
	for i, raw := range list {
		e := parseOne(raw, func(problem string) { report(fmt.Sprintf("endpoint %d %s", i+1, problem)) })
		if e.Name != "" && seen[e.Name] {
			report(fmt.Sprintf("endpoint %d has the name %q of one before it", i+1, e.Name))
		}
		seen[e.Name] = true
		endpoints = append(endpoints, e)
	}
	return endpoints
}

func parseOne(raw []byte, report func(string)) Endpoint {
	var d declared
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&d); err != nil {
		report("cannot be read: " + jsonProblem(err))
		return Endpoint{}
	}
	e := Endpoint{Name: d.Name, URL: d.URL, Filters: d.Events, Header: http.Header{}}
	if !names.MatchString(d.Name) {
		report("needs a name of small letters, digits, - and _, of at most 63 characters")
	}
	if problem := checkURL(d.URL); problem != "" {
		report("(" + d.Name + ") " + problem)
	}
	for i, text := range d.Secrets {
		key, err := webhooks.Parse(text)
		switch {
		case err != nil:
			report(fmt.Sprintf("(%s) has an unusable secret, number %d: %v", d.Name, i+1, err))
		case !key.Signs():
			report(fmt.Sprintf("(%s) has a secret, number %d, that is only for verifying", d.Name, i+1))
		}
		e.Keys = append(e.Keys, key)
	}
	if len(d.Secrets) == 0 {
		report("(" + d.Name + `) needs secrets, such as ["whsec_…"]; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	if len(d.Events) == 0 {
		e.Filters = []string{"*"}
	}
	for _, f := range d.Events {
		if problem := CheckFilter(f); problem != "" {
			report(fmt.Sprintf("(%s) asks for %q, which %s", d.Name, f, problem))
		}
	}
	for name, value := range d.Headers {
		if problem := checkHeader(name, value); problem != "" {
			report("(" + d.Name + ") " + problem)
		}
		e.Header.Set(name, value)
	}
	return e
}

// jsonProblem words an error of decoding without repeating what was decoded.
func jsonProblem(err error) string {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("it is not JSON at byte %d", syntax.Offset)
	case errors.As(err, &kind) && kind.Field != "":
		return "the member " + kind.Field + " has the wrong type"
	case errors.As(err, &kind):
		return "it has the wrong type"
	case strings.Contains(err.Error(), "unknown field"):
		return "it has a member beside name, url, secrets, events and headers"
	default:
		return "it is not JSON"
	}
}

func checkURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return "needs a url that begins with https:// (or http://)"
	case u.User != nil:
		return "has a password in its url; put it into headers, as Authorization"
	case u.Fragment != "":
		return "has a url with a fragment, which is never sent"
	default:
		return ""
	}
}

func checkHeader(name, value string) string {
	canonical := textproto.CanonicalMIMEHeaderKey(name)
	switch {
	case !headers.MatchString(name):
		return "has a header whose name is none"
	case strings.HasPrefix(canonical, "Webhook-") || canonical == "Content-Type" || canonical == "Content-Length" || canonical == "Host" ||
		canonical == "Transfer-Encoding" || canonical == "Connection" || canonical == "Trailer":
		return "may not set the header " + canonical
	case strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }):
		return "has a control character in the header " + canonical
	default:
		return ""
	}
}

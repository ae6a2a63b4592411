package auth0

import (
	"bytes"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/store"
)

// misfit is a part of a request that breaks a rule, in the words of Auth0: it names the rule and the
// property, and repeats nothing that was sent.
type misfit struct {
	errorCode, what, rule, property string
}

// Error is what the client reads.
func (m misfit) Error() string {
	return fmt.Sprintf("%s validation error: '%s' on property %s", m.what, m.rule, m.property)
}

// Unwrap gives auth.BadRequest.
func (misfit) Unwrap() error { return auth.BadRequest }

func bodyMisfit(property, rule string) misfit {
	return misfit{"invalid_body", "Payload", rule, property}
}

func queryMisfit(property, rule string) misfit {
	return misfit{"invalid_query_string", "Query", rule, property}
}

// fields are the members of a hook, in Auth0's order.
var fields = []string{"id", "name", "script", "dependencies", "triggerId", "enabled"}

// hook is a script as Auth0 shows it: all of it, or the fields that were asked for.
type hook struct {
	script store.HookScript
	shown  []string // nil for all
}

// MarshalJSON writes the fields in their order.
func (h hook) MarshalJSON() ([]byte, error) {
	s := h.script
	if s.Dependencies == nil {
		s.Dependencies = map[string]string{}
	}
	values := map[string]any{"id": s.ID, "name": s.Name, "script": s.Source, "dependencies": s.Dependencies, "triggerId": s.Trigger, "enabled": s.Enabled}
	var b bytes.Buffer
	b.WriteByte('{')
	for _, name := range fields {
		if h.shown != nil && !slices.Contains(h.shown, name) {
			continue
		}
		text, err := json.Marshal(values[name], json.Deterministic(true))
		if err != nil {
			return nil, err
		}
		if b.Len() > 1 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "%q:%s", name, text)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// scriptID is the path's id of a hook.
var idShape = regexp.MustCompile(`^[A-Za-z0-9-]*$`)

func idOf(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if !idShape.MatchString(id) || len(id) > 100 {
		return "", misfit{"invalid_uri", "Path", "String does not match pattern " + idShape.String(), "id"}
	}
	return id, nil
}

// object reads a body that is a JSON object, and refuses members that it may not have.
func object(r *http.Request, may ...string) (map[string]jsontext.Value, error) {
	body, err := readJSON(r)
	if err != nil {
		return nil, err
	}
	var members map[string]jsontext.Value
	if err := json.Unmarshal(body, &members); err != nil || members == nil {
		return nil, bodyMisfit("body", "Expected type object, valid and with each property once")
	}
	for name := range members {
		if may != nil && !slices.Contains(may, name) {
			return nil, bodyMisfit(printable(name), "Additional properties not allowed")
		}
	}
	return members, nil
}

func readJSON(r *http.Request) ([]byte, error) {
	body, err := server.ReadBody(r)
	if err != nil {
		return nil, err
	}
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
		return nil, bodyMisfit("Content-Type", "Expected application/json")
	}
	return body, nil
}

var plainName = regexp.MustCompile(`^[\w .$-]+$`)

// printable is the name of a property as it may stand in a message.
func printable(name string) string {
	if len(name) > 64 || !plainName.MatchString(name) {
		return "(unnamed)"
	}
	return name
}

func text(m map[string]jsontext.Value, name string) (*string, error) {
	v, there := m[name]
	if !there {
		return nil, nil
	}
	var s string
	if v.Kind() != '"' || json.Unmarshal(v, &s) != nil {
		return nil, bodyMisfit(name, "Expected type string")
	}
	return &s, nil
}

// truth reads a boolean, which Auth0's own examples write as a string.
func truth(m map[string]jsontext.Value, name string) (*bool, error) {
	v, there := m[name]
	if !there {
		return nil, nil
	}
	b := false
	switch strings.Trim(string(v), `"`) {
	case "true":
		b = true
	case "false":
	default:
		return nil, bodyMisfit(name, "Expected type boolean")
	}
	return &b, nil
}

// texts reads an object whose values are strings.
func texts(v jsontext.Value, property string) (map[string]string, error) {
	if v.Kind() != '{' {
		return nil, bodyMisfit(property, "Expected type object")
	}
	m := map[string]string{}
	if err := json.Unmarshal(v, &m); err != nil {
		return nil, bodyMisfit(property, "Expected type string for every value")
	}
	return m, nil
}

func toNewScript(r *http.Request) (in flow.NewScript, err error) {
	m, err := object(r, "name", "script", "triggerId", "enabled", "dependencies")
	if err != nil {
		return in, err
	}
	for _, p := range []struct {
		name string
		to   *string
	}{{"name", &in.Name}, {"script", &in.Source}, {"triggerId", &in.Trigger}} {
		value, err := text(m, p.name)
		switch {
		case err != nil:
			return in, err
		case value == nil:
			return in, bodyMisfit(p.name, "Missing required property")
		}
		*p.to = *value
	}
	enabled, err := truth(m, "enabled")
	if err != nil {
		return in, err
	}
	in.Enabled = enabled != nil && *enabled
	if v, there := m["dependencies"]; there {
		in.Dependencies, err = texts(v, "dependencies")
	}
	return in, err
}

func toScriptChange(r *http.Request) (in flow.ScriptChange, err error) {
	m, err := object(r, "name", "script", "enabled", "dependencies")
	if err != nil {
		return in, err
	}
	if len(m) == 0 {
		return in, bodyMisfit("body", "Too few properties defined (0), minimum 1")
	}
	if in.Name, err = text(m, "name"); err != nil {
		return in, err
	}
	if in.Source, err = text(m, "script"); err != nil {
		return in, err
	}
	if in.Enabled, err = truth(m, "enabled"); err != nil {
		return in, err
	}
	if v, there := m["dependencies"]; there {
		in.Dependencies, err = texts(v, "dependencies")
	}
	return in, err
}

// page says which part of a list is asked for, and how it is shown.
type page struct {
	number, size int
	paged        bool // otherwise the whole list
	totals       bool
	shown        []string
}

func (p page) start() int { return p.number * p.size }

// limit is what the answer says of the size of pages.
func (p page) limit(all int) int {
	if p.paged {
		return p.size
	}
	return all
}

// defaultSize is how many are on a page where only the page's number is given.
const defaultSize = 50

// pageOf reads the paging of a list, and ignores what else is asked.
func pageOf(q url.Values) (page, error) {
	p := page{size: defaultSize}
	for _, n := range []struct {
		name string
		most int
		to   *int
	}{{"page", 1_000_000, &p.number}, {"per_page", 100, &p.size}} {
		if !q.Has(n.name) {
			continue
		}
		v, err := strconv.Atoi(q.Get(n.name))
		if err != nil || v < 0 || v > n.most {
			return p, queryMisfit(n.name, fmt.Sprintf("Expected an integer from 0 to %d", n.most))
		}
		p.paged, *n.to = true, v
	}
	totals, err := flag(q, "include_totals")
	p.totals = totals != nil && *totals
	return p, err
}

// flag reads a boolean of a query; nil is none.
func flag(q url.Values, name string) (*bool, error) {
	if !q.Has(name) {
		return nil, nil
	}
	b := q.Get(name) == "true"
	if !b && q.Get(name) != "false" {
		return nil, queryMisfit(name, "Expected type boolean")
	}
	return &b, nil
}

// shownOf reads which fields of hooks are asked for, or are not.
func shownOf(q url.Values) ([]string, error) {
	include, err := flag(q, "include_fields")
	if err != nil || q.Get("fields") == "" {
		return nil, err
	}
	named := strings.Split(q.Get("fields"), ",")
	for i, name := range named {
		named[i] = strings.TrimSpace(name)
		if !slices.Contains(fields, named[i]) {
			return nil, queryMisfit("fields", "Expected a list of "+strings.Join(fields, ", "))
		}
	}
	if include == nil || *include {
		return named, nil
	}
	shown := []string{} // not nil, which means all
	for _, name := range fields {
		if !slices.Contains(named, name) {
			shown = append(shown, name)
		}
	}
	return shown, nil
}

// only refuses parameters of a query that there are none of, and those that are there twice.
func only(q url.Values, may ...string) error {
	for name, values := range q {
		switch {
		case !slices.Contains(may, name):
			return queryMisfit(printable(name), "Additional properties not allowed")
		case len(values) > 1:
			return queryMisfit(name, "Expected one value")
		}
	}
	return nil
}

package auth0

import (
	"bytes"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"postern/hooks"
)

// result is how a script called back.
type result struct {
	data   json.RawMessage // nil when it said nothing
	thrown *thrown
}

// thrown is the error that a script called back with, or ended in.
type thrown struct {
	name, message, friendly, where string
}

// read takes an answer apart.
func read(a hooks.Answer) (result, error) {
	var said struct {
		Status string          `json:"status"`
		Data   json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(a.Body, &said); err != nil {
		return result{}, hooks.BadAnswer{Why: "it is no JSON"}
	}
	switch said.Status {
	case "success":
		if bytes.Equal(said.Data, []byte("null")) {
			said.Data = nil
		}
		return result{data: said.Data}, nil
	case "error":
		return result{thrown: errorOf(said.Data)}, nil
	}
	return result{}, hooks.BadAnswer{Why: "it is neither a success nor an error"}
}

// errorOf reads the own properties of an error, each of which a script may have made anything.
func errorOf(data json.RawMessage) *thrown {
	var all map[string]any
	_ = json.Unmarshal(data, &all) // an error that cannot be read is still one
	text := func(name string) string {
		s, _ := all[name].(string)
		return s
	}
	t := &thrown{name: text("name"), message: text("message"), friendly: text("friendlyMessage")}
	if why := text("error_description"); why != "" {
		t.message += ": " + why
	}
	where, _, _ := strings.Cut(strings.TrimSpace(text("stack")), "\n")
	t.where = strings.TrimPrefix(strings.TrimSpace(where), "at ")
	return t
}

// longestWhy is how much of an error of a script reaches the log.
const longestWhy = 500

// String is the error in one line, for the log.
func (t *thrown) String() string {
	text := strings.TrimPrefix(t.name+": "+t.message, ": ")
	if t.where != "" {
		text += " (" + t.where + ")"
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	for len(text) > longestWhy || !utf8.ValidString(text) {
		text = text[:min(longestWhy, len(text)-1)]
	}
	return text
}

// failure is an error of a script that means no refusal.
func (t *thrown) failure() error { return hooks.Crashed{Why: t.String()} }

// object reads one, with its numbers as they are written.
func object(text []byte) (o map[string]any, ok bool) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&o) != nil || o == nil {
		return nil, false
	}
	return o, true
}

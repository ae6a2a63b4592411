package providers

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// object is a JSON object of a provider. Its methods never convert: what has the wrong type is
// missing. "true", 1 and ["a@example.com"] are wrong types.
type object map[string]any

// answers is all that a provider said about a person.
type answers struct {
	user   object // of the profile's endpoint
	emails any    // of the endpoint for addresses
	claims object // of the id token
}

// at follows a path of members.
func (o object) at(path ...string) any {
	var v any = map[string]any(o)
	for _, name := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = m[name]
	}
	return v
}

// text is a string, or empty.
func (o object) text(path ...string) string {
	s, _ := o.at(path...).(string)
	return strings.TrimSpace(s)
}

// yes is true for the boolean true alone.
func (o object) yes(path ...string) bool { return o.at(path...) == true }

// object is a member that is one itself.
func (o object) object(path ...string) object {
	m, _ := o.at(path...).(map[string]any)
	return m
}

var wholeNumber = regexp.MustCompile(`^[1-9][0-9]{0,30}$`)

// id is a string, or a whole number above zero: providers number their users either way.
func (o object) id(path ...string) string {
	switch v := o.at(path...).(type) {
	case string:
		return v
	case json.Number:
		if wholeNumber.MatchString(v.String()) {
			return v.String()
		}
	}
	return ""
}

// objects are the members of a list that are objects.
func objects(v any) []object {
	list, _ := v.([]any)
	var out []object
	for _, item := range list {
		if m, ok := item.(map[string]any); ok {
			out = append(out, m)
		}
	}
	return out
}

var errNotJSON = errors.New("the answer is not JSON")

// decode reads one JSON value, whole. Numbers stay as they were written.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, errNotJSON // the reason would repeat a part of the answer
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errNotJSON
	}
	return v, nil
}

func decodeObject(text []byte) (object, error) {
	v, err := decode(text)
	if err != nil {
		return nil, err
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, errors.New("the answer is not a JSON object")
	}
	return m, nil
}

const (
	mostID    = 255
	mostEmail = 254
	mostName  = 255
	mostURL   = 2048
)

// tidy refuses a profile without a usable id and drops what could not be kept.
func (p Profile) tidy() (Profile, error) {
	switch {
	case strings.TrimSpace(p.ID) == "":
		return Profile{}, fmt.Errorf("%w: it has no id", ErrProfile)
	case len(p.ID) > mostID || !printable(p.ID):
		return Profile{}, fmt.Errorf("%w: its id is no id", ErrProfile)
	}
	if len(p.Email) > mostEmail || !printable(p.Email) || !strings.Contains(p.Email, "@") {
		p.Email = ""
	}
	p.EmailVerified = p.EmailVerified && p.Email != ""
	p.Name = shorten(p.Name)
	if u, err := url.Parse(p.AvatarURL); err != nil || len(p.AvatarURL) > mostURL || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		p.AvatarURL = ""
	}
	return p, nil
}

// shorten makes a name one line of bearable length. A name without letters is none.
func shorten(name string) string {
	name = strings.Join(strings.Fields(strings.ToValidUTF8(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, name), "")), " ")
	for len(name) > mostName {
		_, size := utf8.DecodeLastRuneInString(name)
		name = name[:len(name)-size]
	}
	return name
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

const (
	mostRaw   = 64 << 10 // bytes of a profile that is kept as it came
	mostDepth = 32       // objects and lists in each other
)

// raw is what is kept of the answers: the profile, and what the id token adds. A profile that is
// too large is not kept.
func (a answers) raw() json.RawMessage {
	all := map[string]any{}
	for name, v := range a.claims {
		all[name] = v
	}
	for name, v := range a.user {
		all[name] = v
	}
	for _, name := range []string{"nonce", "at_hash", "c_hash"} {
		delete(all, name)
	}
	text, err := json.Marshal(storable(all, 0))
	if err != nil || len(text) > mostRaw {
		return json.RawMessage("{}")
	}
	return text
}

// storable takes out what a database cannot keep as JSON: the character 0, numbers beyond all
// bounds, boxes in boxes in boxes.
func storable(v any, depth int) any {
	if depth > mostDepth {
		return nil
	}
	switch v := v.(type) {
	case string:
		return strings.ReplaceAll(v, "\x00", "")
	case json.Number:
		if f, err := v.Float64(); err != nil || math.IsInf(f, 0) {
			return nil
		}
		return v
	case map[string]any:
		out := make(map[string]any, len(v))
		for name, member := range v {
			out[strings.ReplaceAll(name, "\x00", "")] = storable(member, depth+1)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = storable(member, depth+1)
		}
		return out
	default:
		return v
	}
}

package config

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

// Value is one setting with what is in effect.
type Value struct {
	Name   string `json:"name"`
	Room   string `json:"group"`
	Text   string `json:"value"`  // for showing: secrets are masked
	Origin string `json:"origin"` // "default", "environment", ".env:3", "--port"
	Secret bool   `json:"secret"`
	// What the documentation says of it.
	Default string `json:"-"`
	Doc     string `json:"-"`
	raw     string
}

// mask stands for a secret.
const mask = "••••"

// show words the value in effect. raw is what the operator wrote, if anything.
func (s *setting) show(raw string) string {
	if s.secret {
		return masked(raw)
	}
	v := s.fields[0]
	switch {
	case s.isText() && raw != "":
		return strings.TrimSpace(raw)
	case s.isText():
		return s.preset
	case v.Type() == reflect.TypeFor[time.Duration]():
		return humane(time.Duration(v.Int()))
	case v.Kind() == reflect.Slice:
		list := make([]string, v.Len())
		for i := range list {
			list[i] = v.Index(i).String()
		}
		return strings.Join(list, ", ")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// masked says how long a secret is, and of a database URL everything but the password.
func masked(raw string) string {
	if raw == "" {
		return ""
	}
	if u, err := url.Parse(raw); err == nil && (u.Scheme == "postgres" || u.Scheme == "postgresql") && !strings.Contains(u.Path, "@") {
		if _, has := u.User.Password(); has {
			return u.Scheme + "://" + url.PathEscape(u.User.Username()) + ":" + mask + "@" + u.Host + u.Path
		}
	}
	return mask + " (" + count(utf8.RuneCountInString(raw), "character", "characters") + ")"
}

// Show prints every setting with the value in effect and where it came from, in columns. What was
// set stands out; in colour if the terminal can show it.
func (r *Report) Show(w io.Writer, colour bool) error {
	const most = 60
	p := pen{colour}
	name, text := 0, 0
	for _, v := range r.Values {
		name = max(name, utf8.RuneCountInString(v.Name))
		text = max(text, min(most, utf8.RuneCountInString(v.text())))
	}
	var b strings.Builder
	room := ""
	for i, v := range r.Values {
		if v.Room != room {
			if i > 0 {
				b.WriteString("\n")
			}
			room = v.Room
			b.WriteString(p.strong(room) + "\n")
		}
		line := "  " + pad(v.Name, name) + "  " + pad(v.text(), text) + "  "
		if v.Origin == "default" {
			b.WriteString(p.faint(line+v.Origin) + "\n")
		} else {
			b.WriteString(line + p.note(v.Origin) + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text is the value on one line, or a dash when there is none.
func (v Value) text() string {
	if v.Text == "" {
		return "–"
	}
	return strings.Join(strings.Fields(v.Text), " ")
}

// ShowJSON prints the same as a JSON array.
func (r *Report) ShowJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(r.Values)
}

func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-utf8.RuneCountInString(text)))
}

package platform

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"postern/hooks"
)

// member is one of an object.
type member struct {
	name  string
	value any
}

// payload is what a hook is told: {"provider", "data"}, with data byte for byte as the client sent it. To it are
// added, at its end, what receivers look for and the client said in other words or not at all.
func payload(e hooks.Requested) ([]byte, error) {
	if len(e.Whole) > 0 {
		return e.Whole, nil
	}
	data, err := with(e.Data, additions(e))
	if err != nil {
		return nil, err
	}
	provider, err := json.Marshal(providerOf(e.Method, e.Provider))
	if err != nil {
		return nil, err
	}
	body := append([]byte(`{"provider":`), provider...)
	body = append(body, `,"data":`...)
	body = append(body, data...)
	return append(body, '}'), nil
}

// additions are what the client did not say itself.
func additions(e hooks.Requested) []member {
	var list []member
	if e.Phone != "" {
		country, mobile := split(e.Phone)
		list = append(list, member{"mobile", mobile}, member{"country_code", country})
	}
	if e.Email != "" {
		list = append(list, member{"email", e.Email})
	}
	if e.Claims != nil {
		list = append(list, member{"profile", e.Claims})
	}
	return list
}

// with adds members to an object. A member of the client's with one of their names is left out: a receiver must
// not judge another number or address than the one that counts.
func with(object []byte, added []member) ([]byte, error) {
	object = bytes.TrimSpace(object)
	if len(object) == 0 {
		object = []byte("{}")
	}
	if len(added) == 0 {
		return object, nil
	}
	kept, err := without(object, added)
	if err != nil {
		return nil, err
	}
	out := append([]byte(nil), bytes.TrimRight(kept[:len(kept)-1], " \t\r\n")...)
	for _, m := range added {
		value, err := json.Marshal(m.value)
		if err != nil {
			return nil, err
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		if out, err = jsontext.AppendQuote(out, m.name); err != nil {
			return nil, err
		}
		out = append(append(out, ':'), value...)
	}
	return append(out, '}'), nil
}

// without leaves members out of an object. One that has none of them stays as it is, byte for byte.
func without(object []byte, members []member) ([]byte, error) {
	if v := jsontext.Value(object); !v.IsValid() || v.Kind() != '{' {
		return nil, hooks.BadAnswer{Why: "there is none: what the client sent is no object"}
	}
	d := jsontext.NewDecoder(bytes.NewReader(object))
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	rest, left := []byte{'{'}, false
	for d.PeekKind() == '"' {
		token, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		name := token.String()
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		if has(members, name) {
			left = true
			continue
		}
		if len(rest) > 1 {
			rest = append(rest, ',')
		}
		if rest, err = jsontext.AppendQuote(rest, name); err != nil {
			return nil, err
		}
		rest = append(append(rest, ':'), value...)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if !left {
		return object, nil
	}
	return append(rest, '}'), nil
}

func has(members []member, name string) bool {
	for _, m := range members {
		if m.name == name {
			return true
		}
	}
	return false
}

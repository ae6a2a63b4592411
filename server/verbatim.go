package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
)

// Verbatim is what a wire struct embeds that has the body kept as it came, for hooks:
//
//	server.Verbatim `json:"-"`
type Verbatim struct{ raw json.RawMessage }

func (v *Verbatim) keep(raw []byte) { v.raw = raw }

// Raw is the body, byte for byte.
func (v *Verbatim) Raw() json.RawMessage { return v.raw }

// knows tells whether a place in a body is one that the struct has. What it does not have may be null where somebody
// else reads it.
func knows(t reflect.Type, p jsontext.Pointer) bool {
	for name := range p.Tokens() {
		if t.Kind() == reflect.Pointer {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct {
			return true // a list, or something that reads itself
		}
		inner := field(t, name)
		if inner == nil {
			return false
		}
		t = inner
	}
	return true
}

// field is the type of a member, or nil.
func field(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		f := t.Field(i)
		if tag, _, _ := strings.Cut(f.Tag.Get("json"), ","); tag == name {
			return f.Type
		}
		if f.Anonymous && f.Tag.Get("json") == "" && f.Type.Kind() == reflect.Struct {
			if inner := field(f.Type, name); inner != nil {
				return inner
			}
		}
	}
	return nil
}

// lookalikes refuses members of one object whose names differ in letter case alone: we read the one, and somebody
// who reads the body as it came may read the other. What may hold any JSON is not looked at.
func lookalikes(raw []byte, free []string) error {
	d := jsontext.NewDecoder(bytes.NewReader(raw))
	var names []map[string]bool // of the objects that are open
	for {
		t, err := d.ReadToken()
		if err != nil {
			return nil //nolint:nilerr // the end, or what scan tells of
		}
		depth := d.StackDepth()
		switch kind, length := d.StackIndex(depth); {
		case t.Kind() == '{' || t.Kind() == '[':
			names = append(names, map[string]bool{})
		case t.Kind() == '}' || t.Kind() == ']':
			names = names[:depth]
		case kind == '{' && length%2 == 1 && t.Kind() == '"':
			field := member(d.StackPointer())
			folded := strings.ToLower(strings.ToUpper(t.String()))
			if names[depth-1][folded] && !under(field, free) {
				return auth.Invalid{Field: field, Problem: "must not appear twice, in other letters"}
			}
			names[depth-1][folded] = true
		}
	}
}

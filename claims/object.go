package claims

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json/jsontext"
)

// member is one member of a JSON object, which the standard decoders would put into a map: there,
// the second of two equal names silently wins.
type member struct {
	name  string
	value jsontext.Value
}

var errNoObject = errors.New("no object")

// members reads an object in its order, equal names included.
func members(text []byte) ([]member, error) {
	d := jsontext.NewDecoder(bytes.NewReader(text), jsontext.AllowDuplicateNames(true))
	if d.PeekKind() != '{' {
		if _, err := d.ReadValue(); err != nil {
			return nil, err
		}
		return nil, errNoObject
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	var list []member
	for d.PeekKind() == '"' {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		m := member{name: name.String()}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		m.value = value.Clone()
		list = append(list, m)
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	if d.PeekKind() != 0 {
		return nil, errors.New("something follows after the object")
	}
	return list, nil
}

// jsonProblem says where text stops being JSON.
func jsonProblem(err error) string {
	var syntax *jsontext.SyntacticError
	switch {
	case errors.Is(err, errNoObject):
		return "it is JSON, but no object"
	case errors.As(err, &syntax):
		return fmt.Sprintf("it stops being JSON at character %d: %v", syntax.ByteOffset+1, syntax.Err)
	default:
		return err.Error()
	}
}

// kindOf names what a JSON value is.
func kindOf(v jsontext.Value) string {
	switch v.Kind() {
	case '"':
		return "text"
	case '{':
		return "an object"
	case '[':
		return "a list"
	case 'n':
		return "null"
	case 't', 'f':
		return "true or false"
	default:
		return "a number"
	}
}

package tokens

import (
	"bytes"
	stdjson "encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// MaxPayload is how many bytes of claims somebody else may put into a token: more than any header
// that carries it can take.
const MaxPayload = 32 << 10

// Payload is what the token would say, decoded: the claims of Hasura are an object, also where the
// token has them as text. Nothing in it is shared.
func (s *Signer) Payload(a Access, now time.Time) (map[string]any, error) {
	payload, err := s.payload(a, now, false)
	if err != nil {
		return nil, err
	}
	return plain(payload)
}

// Reserved lists the claims of every token that stay as they are whatever anybody else says: those of the payload,
// and those of Hasura.
func Reserved() []string { return slices.Concat(registered, builtIn) }

// Override takes another payload for what the token says, as far as it is open: what is in it beside
// the claims that are ours replaces the custom claims, and what is not in it is gone. Ours stay as they
// are, whatever it says:
//
//   - iss, sub, aud, exp, nbf, iat, jti and session_id, in any letter case;
//   - the claims of Hasura that say who the user is (IsBuiltIn), in any letter case;
//   - the member that holds the claims of Hasura, of which it may change those with names of its own;
//   - the members that claims_map has Hasura look at.
func (s *Signer) Override(a Access, payload map[string]any) (Access, error) {
	payload, err := plain(payload)
	if err != nil {
		return a, err
	}
	custom := payload
	for _, name := range s.s.namespace {
		custom, _ = custom[name].(map[string]any)
	}
	a.Extra = map[string]string{}
	for name, value := range custom {
		if !strings.HasPrefix(strings.ToLower(name), claimPrefix) || IsBuiltIn(name) || strings.EqualFold(name, oldAnonymous) {
			continue
		}
		text, err := variable(value)
		if err != nil {
			return a, fmt.Errorf("claim %.60q %w", name, err)
		}
		a.Extra[name] = text
	}
	a.Others = map[string]any{}
	for name, value := range payload {
		if !s.s.owns(name) {
			a.Others[name] = value
		}
	}
	return a, nil
}

// owns tells whether a member of the payload is written by us alone.
func (s *secret) owns(name string) bool {
	same := func(ours string) bool { return strings.EqualFold(ours, name) }
	switch {
	case slices.ContainsFunc(registered, same):
		return true
	case len(s.namespace) > 0 && same(s.namespace[0]):
		return true
	case len(s.namespace) == 0 && strings.HasPrefix(strings.ToLower(name), claimPrefix):
		return true
	}
	return slices.ContainsFunc(s.mappings, func(m mapping) bool { return same(m.path[0]) })
}

// variable is a value as a session variable of Hasura, which is always a text.
func variable(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case bool:
		return strconv.FormatBool(v), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	}
	return "", errors.New("must be a text, a number or a boolean, which is all that Hasura takes")
}

// plain copies an object as JSON has it: numbers are int64 where they are whole, else float64.
func plain(object map[string]any) (map[string]any, error) {
	text, err := stdjson.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if len(text) > MaxPayload {
		return nil, fmt.Errorf("the claims are longer than %d bytes", MaxPayload)
	}
	d := stdjson.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var decoded map[string]any
	if err := d.Decode(&decoded); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if decoded == nil {
		return nil, errors.New("claims must be an object")
	}
	for name, value := range decoded {
		decoded[name] = numbers(value)
	}
	return decoded, nil
}

// numbers turns the numbers in a value into Go's.
func numbers(value any) any {
	switch v := value.(type) {
	case stdjson.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, err := v.Float64()
		if err != nil { // beyond what a float can say
			return v.String()
		}
		return f
	case map[string]any:
		for name, inner := range v {
			v[name] = numbers(inner)
		}
	case []any:
		for i, inner := range v {
			v[i] = numbers(inner)
		}
	}
	return value
}

// others begins a payload with what somebody else put into it.
func (a Access) others() map[string]any {
	payload := make(map[string]any, len(a.Others)+8)
	maps.Copy(payload, a.Others)
	return payload
}

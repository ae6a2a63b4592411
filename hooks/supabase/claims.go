package supabase

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// rule says what a claim must be.
type rule struct {
	name     string
	required bool
	types    []string // of JSON Schema; none is any
	items    []string // of an array
}

// rules are those that Supabase holds the claims of an answer to. Further claims are free.
var rules = []rule{
	{"aal", true, []string{"string"}, nil},
	{"amr", false, []string{"array"}, []string{"string", "object"}},
	{"app_metadata", false, []string{"object"}, nil},
	{"aud", true, []string{"string", "array"}, []string{"string"}},
	{"client_id", false, []string{"string"}, nil},
	{"email", true, []string{"string"}, nil},
	{"exp", true, []string{"integer"}, nil},
	{"iat", true, []string{"integer"}, nil},
	{"is_anonymous", true, nil, nil},
	{"iss", false, []string{"string"}, nil},
	{"jti", false, []string{"string"}, nil},
	{"nbf", false, []string{"integer"}, nil},
	{"phone", true, []string{"string"}, nil},
	{"role", true, []string{"string"}, nil},
	{"session_id", true, []string{"string"}, nil},
	{"sub", true, []string{"string"}, nil},
	{"user_metadata", false, []string{"object"}, nil},
}

// violations lists what is wrong with claims, without a word of what they say.
func violations(claims map[string]any) []string {
	var wrong []string
	for _, r := range rules {
		value, there := claims[r.name]
		switch {
		case !there && r.required:
			wrong = append(wrong, r.name+" is missing")
		case !there || len(r.types) == 0:
		case !is(value, r.types):
			wrong = append(wrong, r.name+" is not of type "+strings.Join(r.types, " or "))
		case r.items != nil:
			list, _ := value.([]any)
			if slices.ContainsFunc(list, func(item any) bool { return !is(item, r.items) }) {
				wrong = append(wrong, "not every item of "+r.name+" is of type "+strings.Join(r.items, " or "))
			}
		}
	}
	return wrong
}

// is tells whether a value has one of the types.
func is(value any, types []string) bool { return slices.Contains(types, typeOf(value)) }

// typeOf is the type of a value, as JSON Schema has it.
func typeOf(value any) string {
	switch v := value.(type) {
	case string:
		return "string"
	case bool:
		return "boolean"
	case []any:
		return "array"
	case map[string]any:
		return "object"
	case json.Number:
		if f, err := v.Float64(); err == nil && f == math.Trunc(f) {
			return "integer"
		}
		return "number"
	}
	return "null"
}

package graph

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/99designs/gqlgen/graphql"

	"postern/auth"
	"postern/graph/wire"
)

// wants tells whether the answer to a field is to have one of its own fields: what costs a statement is not
// found out for nothing.
func wants(ctx context.Context, field string) bool {
	return slices.Contains(graphql.CollectAllFields(ctx), field)
}

// under names the place of a field that a flow finds fault with: in the argument it came in.
func under(argument string, err error) error {
	var wrong auth.Invalid
	if !errors.As(err, &wrong) || wrong.Field == "first" || wrong.Field == "last" || wrong.Field == "after" || wrong.Field == "before" {
		return err
	}
	if wrong.Field != argument {
		wrong.Field = argument + "." + wrong.Field
	}
	return wrong
}

// texts makes a map of names with their texts; nil stays nil. No name may be there twice.
func texts(field string, list []*wire.TextInput) (map[string]string, error) {
	if list == nil {
		return nil, nil
	}
	m := make(map[string]string, len(list))
	for _, t := range list {
		if _, twice := m[t.Name]; twice {
			return nil, auth.Invalid{Field: "input." + field, Problem: "must have each name once"}
		}
		m[t.Name] = t.Value
	}
	return m, nil
}

// jsonOf is a map of texts as JSON.
func jsonOf(m map[string]string) json.RawMessage {
	if m == nil {
		m = map[string]string{}
	}
	text, _ := json.Marshal(m) // a map of texts always can be
	return slices.Clip(text)
}

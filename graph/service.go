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

// wantsTotal tells whether the answer is to say how many there are: what costs a statement is not
// found out for nothing.
func wantsTotal(ctx context.Context) bool {
	return slices.Contains(graphql.CollectAllFields(ctx), "totalCount")
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

// Configuration lists the settings.
func (q *query) Configuration(ctx context.Context) ([]*wire.ConfigurationValue, error) {
	all, err := q.Service.InEffect(ctx, operator(ctx))
	list := make([]*wire.ConfigurationValue, len(all))
	for i, v := range all {
		list[i] = &wire.ConfigurationValue{
			Section: v.Section, Name: v.Name, Value: v.Value, Default: v.Default, Source: v.Source, IsSecret: v.Secret, Description: v.Doc,
		}
	}
	return list, err
}

// Health looks at what the service needs.
func (q *query) Health(ctx context.Context) (*wire.Health, error) {
	r, err := q.Service.Health(ctx, operator(ctx))
	h := &wire.Health{State: wire.HealthState(r.State), Checks: make([]*wire.HealthCheck, len(r.Checks))}
	for i, c := range r.Checks {
		h.Checks[i] = &wire.HealthCheck{Kind: c.Kind, Name: c.Name, State: wire.HealthState(c.State), Message: c.Sentence, Milliseconds: milliseconds(c.Took)}
	}
	return h, err
}

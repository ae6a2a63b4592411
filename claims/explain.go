package claims

import (
	"context"
	"time"
)

// Explanation says how the claims of one user come about.
type Explanation struct {
	Query   string        // what the source was asked; empty when its schema is not known
	Took    time.Duration // by the source
	Problem string        // why the source gave nothing, or empty
	Claims  []Explained   // in the order of the setting
}

// Explained says how one claim comes about.
type Explained struct {
	Claim      string // as the operator wrote it
	Name       string // as it is in tokens
	Expression string // as the operator wrote it
	Evaluated  string // the JSONata that it means
	Fields     []string
	Required   bool
	Raw        any // what the expression gave; nil for nothing
	Literal    string
	Present    bool // the token has the claim
	State      State
	Reason     string // why there is no value; it may repeat data of the user
	Took       time.Duration
	Refused    error // why there is no token, or nil
}

// Explain computes the claims of a user and says how. Nothing is counted or told. An error is the
// context's own.
func (m *Mapper) Explain(ctx context.Context, userID string) (Explanation, error) {
	if m.None() {
		return Explanation{}, nil
	}
	r, err := m.run(ctx, userID, nil)
	if err != nil {
		return Explanation{}, err
	}
	e := Explanation{Took: r.took}
	if r.plan != nil {
		e.Query = r.plan.query
	}
	if r.source != nil {
		e.Problem = r.source.reason
	}
	for i, o := range r.outcomes {
		one := Explained{
			Claim: o.written, Name: o.name, Expression: o.path, Required: o.required,
			Raw: o.raw, Literal: o.literal, Present: o.ok, State: o.state, Reason: o.reason, Took: o.took, Refused: o.refusal(),
		}
		if o.detail != "" {
			one.Reason += ": " + o.detail
		}
		if o.expression != nil {
			one.Evaluated = o.expression.Text()
		}
		if r.plan != nil && r.plan.claims[i].selected != nil {
			one.Fields = r.plan.claims[i].selected.Paths()
		}
		e.Claims = append(e.Claims, one)
	}
	return e, nil
}

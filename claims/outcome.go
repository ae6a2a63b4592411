package claims

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"time"

	"postern/claims/jsonata"
)

// State is what became of a claim.
type State string

// The states.
const (
	Value   State = "value"   // the expression gave one
	Empty   State = "empty"   // it gave a list without elements
	Default State = "default" // it gave nothing, and there is a default
	Omitted State = "omitted" // it gave nothing: the token is without the claim, or refused
	Failed  State = "failed"  // it could not be computed: the default, no claim, or no token
)

// emptyList is how Postgres writes an array without elements.
const emptyList = "{}"

// outcome is one claim of one user.
type outcome struct {
	*definition

	state   State
	raw     any // what the expression gave
	literal string
	ok      bool   // the literal is the claim's
	reason  string // why there is no value; it holds none of the user's
	detail  string // the same, in the engine's words, which may hold one
	known   bool   // the check has said so
	took    time.Duration
}

// fail gives the claim its default, if it may have one.
func (o *outcome) fail(reason string) {
	o.state, o.reason = Failed, reason
	o.literal, o.ok = o.fallback.literal, o.fallback.ok
}

// compute evaluates the claim. roots are the objects of the answer.
func (o *outcome) compute(ctx context.Context, m *Mapper, c *claim, roots, known map[string]any) {
	if c.wrong != "" {
		o.fail(c.wrong)
		o.known = true
		return
	}
	began := m.now()
	defer func() { o.took = m.now().Sub(began) }()
	value, found, err := c.expression.Evaluate(ctx, c.document(roots, known))
	if err != nil {
		o.fail(evaluationProblem(err))
		o.detail = line(err.Error())
		return
	}
	if !found || value == nil {
		o.nothing(c)
		return
	}
	o.raw = value
	if o.literal, err = encode(value); err != nil {
		o.fail("the value cannot be a claim: " + err.Error())
		return
	}
	o.state, o.ok = Value, true
	if _, isList := value.([]any); isList && o.literal == emptyList {
		o.state = Empty
	}
}

// nothing is the claim of a user for whom the expression has no value.
func (o *outcome) nothing(c *claim) {
	o.reason = "the expression gives no value for this user"
	switch {
	case o.fallback.ok:
		o.state, o.literal, o.ok = Default, o.fallback.literal, true
	case c.expression.ListShaped() && !o.required:
		o.state, o.literal, o.ok = Empty, emptyList, true
	default:
		o.state = Omitted
	}
}

// document is the user as the claim's expression sees them. It sees what it selected and nothing that
// other claims did.
func (c *claim) document(roots, known map[string]any) any {
	user, _ := roots[c.root].(map[string]any)
	if c.prune {
		user, _ = c.selected.Prune(user).(map[string]any)
	}
	var changed map[string]any
	for answer, f := range c.selected.Fields {
		if f.Field == nil || !f.Field.Leaf() || f.Args != "" {
			continue
		}
		if value, ok := known[f.Field.Name]; ok {
			if changed == nil {
				changed = maps.Clone(user)
			}
			changed[answer] = value
		}
	}
	if changed != nil {
		return changed
	}
	return user
}

// code tells JSONata's own name of an error.
var code = regexp.MustCompile(`\b[DSTU][0-9]{4}\b`)

// evaluationProblem says why an expression failed without repeating the data it failed on.
func evaluationProblem(err error) string {
	switch {
	case errors.Is(err, jsonata.TooMuch):
		return "the expression takes more time or memory than it may"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return "the expression was not evaluated in time"
	}
	if name := code.FindString(err.Error()); name != "" {
		return fmt.Sprintf("the expression fails on this user's data (JSONata error %s); 'postern claims explain' shows it", name)
	}
	return "the expression fails on this user's data; 'postern claims explain' shows it"
}

// fit keeps all claims together within the size that tokens have room for. While they are longer, the
// longest one fails.
func fit(outcomes []*outcome, most int) {
	for {
		total := 0
		var longest *outcome
		for _, o := range outcomes {
			if !o.ok {
				continue
			}
			total += o.size()
			if longest == nil || o.size() > longest.size() {
				longest = o
			}
		}
		if total <= most || longest == nil {
			return
		}
		reason := fmt.Sprintf("the claims are %d bytes together and may be %d (AUTH_CLAIMS_MAX_BYTES); this is the longest with %d", total, most, longest.size())
		before := longest.literal
		longest.fail(reason)
		if longest.ok && len(longest.literal) >= len(before) {
			longest.literal, longest.ok = "", false // its default is no shorter
		}
	}
}

func (o *outcome) size() int { return len(o.name) + len(o.literal) }

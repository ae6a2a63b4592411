package claims

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/claims/jsonata"
	"postern/claims/schema"
)

// plan is what the definitions come to on a schema. It is immutable.
type plan struct {
	query  string
	claims []*claim // as many as there are definitions, and in their order
	report Report
	read   time.Time
}

// claim is one claim, ready to be computed.
type claim struct {
	*definition

	root     string            // which object of the answer the expression reads
	selected *schema.Selection // nil when the claim is broken
	prune    bool              // the expression sees whole objects: it gets no more than it selected
	wrong    string            // why it cannot work, or empty
}

// The names in the query.
const (
	operation = "PosternClaims"
	userRoot  = "user"
)

// build makes a plan and checks every claim. It is good for nothing when the context ended meanwhile.
func build(ctx context.Context, defs *definitions, s *schema.Schema, now time.Time) *plan {
	p := &plan{read: now, report: Report{
		Problems: slices.Clone(defs.problems), Warnings: slices.Clone(defs.warnings), Claims: len(defs.list),
	}}
	shared := schema.NewSelection(s.User())
	var roots []string
	for i := range defs.list {
		c := &claim{definition: &defs.list[i], root: userRoot, wrong: defs.list[i].broken}
		p.claims = append(p.claims, c)
		switch {
		case c.wrong != "":
			continue // it was told with the definitions
		case c.choice != nil:
			c.root = fmt.Sprintf("c%d", i+1) // arguments and aliases clash with nothing there
			p.byHand(ctx, c, s.User(), defs.lenient)
		default:
			p.byExpression(ctx, c, s.User(), defs.lenient)
		}
		switch {
		case c.wrong != "":
		case c.root == userRoot:
			shared.Merge(c.selected)
		default:
			roots = append(roots, c.root+": user(id: $id) "+c.selected.Text())
		}
	}
	if len(shared.Fields) == 0 && len(roots) == 0 {
		shared.AddTypename() // it still matters whether the user is there
	}
	if len(shared.Fields) > 0 {
		roots = append([]string{"user(id: $id) " + shared.Text()}, roots...)
	}
	p.query = "query " + operation + "($id: uuid!) { " + strings.Join(roots, " ") + " }"
	p.report.Query = p.query
	return p
}

// fail notes why a claim cannot work.
func (p *plan) fail(c *claim, lenient bool, text string) {
	if c.wrong == "" {
		c.wrong = text
	}
	p.report.Problems = append(p.report.Problems, Problem{
		Claim: c.written, Text: text, setting: envDefinitions, required: c.required, Fatal: c.required || !lenient,
	})
}

// misconfigured notes what is wrong with the settings of the source.
func (p *plan) misconfigured(problems []string, lenient bool) {
	for _, text := range problems {
		setting, what, _ := strings.Cut(text, ": ")
		p.report.Problems = append(p.report.Problems, Problem{Text: what, setting: setting, Fatal: !lenient})
	}
}

func (p *plan) warn(c *claim, text string) {
	p.report.Warnings = append(p.report.Warnings, Problem{Claim: c.written, Text: text, setting: envDefinitions})
}

// byExpression selects what the expression reads, and tries it.
func (p *plan) byExpression(ctx context.Context, c *claim, user *schema.Type, lenient bool) {
	selected, picked := pick(c.expression, c.reads, user)
	for _, problem := range picked.problems {
		p.fail(c, lenient, problem)
	}
	if c.wrong != "" {
		return
	}
	c.selected, c.prune = selected, picked.whole
	for _, warning := range picked.warnings {
		p.warn(c, warning)
	}
	if names, ok := c.expression.Path(); ok && !c.expression.ListShaped() && len(picked.lists) > 0 {
		p.warn(c, listWarning(names, picked.lists[0]))
	}
	p.try(ctx, c, lenient)
}

// listWarning says what a path across a list does without brackets.
func listWarning(names []string, list string) string {
	at := strings.Count(list, ".") + 1
	right := list + "[]"
	if at < len(names) {
		right += "." + strings.Join(names[at:], ".")
	}
	return fmt.Sprintf("%s is a list: with one row the claim is a single value, and with several a list; write [] to get a list always: %s", list, right)
}

// byHand takes the fields as they were given, and tries the expression on them.
func (p *plan) byHand(ctx context.Context, c *claim, user *schema.Type, lenient bool) {
	selected, wrong := c.choice.On(user)
	for _, err := range wrong {
		p.fail(c, lenient, "select: "+err.Error())
	}
	if c.wrong != "" {
		return
	}
	if reads, err := c.expression.Fields(); err == nil {
		for _, path := range missing(selected, reads, nil) {
			p.fail(c, lenient, fmt.Sprintf(`the expression reads %s, which is not among the fields of the member "select"`, path))
		}
	}
	if c.wrong != "" {
		return
	}
	c.selected = selected
	p.try(ctx, c, lenient)
}

// missing are the paths of an expression that a selection does not have.
func missing(s *schema.Selection, reads *jsonata.Field, path []string) []string {
	var list []string
	for _, name := range sorted(reads.Children) {
		below := append(slices.Clone(path), name)
		f := s.Fields[name]
		switch {
		case f == nil:
			list = append(list, strings.Join(below, "."))
		case f.Below != nil:
			list = append(list, missing(f.Below, reads.Children[name], below)...)
		}
	}
	return list
}

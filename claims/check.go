package claims

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"postern/claims/jsonata"
)

// Report is what a check of the claims found.
type Report struct {
	Claims   int       // how many are defined
	Query    string    // what every token asks the source
	Problems []Problem // claims that cannot work
	Warnings []Problem // what may surprise
}

// Err lists the problems that forbid the start, or is nil.
func (r Report) Err() error { return r.forbids(false) }

// forbids is Err, or what concerns required claims alone.
func (r Report) forbids(requiredOnly bool) error {
	var lines []string
	for _, p := range r.Problems {
		if p.Fatal && (p.required || !requiredOnly) {
			lines = append(lines, p.setting+": "+p.text())
		}
	}
	if len(lines) == 0 {
		return nil
	}
	return errors.New(strings.Join(lines, "\n"))
}

// Check reads the schema of the source and tries every claim on it. An error means that the source
// could not be asked; what is wrong with the claims is in the report.
func (m *Mapper) Check(ctx context.Context) (Report, error) {
	if m.None() { // perhaps since nothing can be read
		return Report{Problems: m.defsProblems()}, nil
	}
	asking, cancel := bounded(ctx, schemaTime)
	defer cancel()
	p, err := m.refresh(asking, nil, true)
	if err != nil {
		return Report{}, err
	}
	return p.report, nil
}

func (m *Mapper) defsProblems() []Problem {
	if m == nil {
		return nil
	}
	return m.defs.problems
}

// random tells the functions that give another value each time.
var random = regexp.MustCompile(`\$(random|now|millis|shuffle)\b`)

// try evaluates the expression on invented users: once with all the data that there is, and once with
// what would be fetched. When the results differ, the expression reads something that was not seen in
// it, and its claim would be wrong.
func (p *plan) try(ctx context.Context, c *claim, lenient bool) {
	differs := random.MatchString(c.expression.Text())
	if differs {
		p.warn(c, "it gives another value each time, so tokens of one user differ")
	}
	works, greedy := false, true
	var first error
	for _, v := range variants(c.expression.Text()) {
		document := v.document(c.selected, c.reads)
		all, err := c.result(ctx, document)
		works = works || err == nil
		greedy = greedy && (errors.Is(err, jsonata.TooMuch) || errors.Is(err, context.DeadlineExceeded))
		if err != nil && first == nil {
			first = err
		}
		if c.choice != nil || differs {
			continue
		}
		fetched, err2 := c.result(ctx, c.selected.Prune(document))
		if (err == nil) != (err2 == nil) || !bytes.Equal(all, fetched) {
			p.fail(c, lenient, `its value depends on fields that cannot be seen in the expression; give the fields by hand with the member "select", such as "select": "profile { id }"`)
			return
		}
	}
	switch {
	case works:
	case greedy:
		p.fail(c, lenient, "it takes too much time or memory for any user")
	case c.blind():
		p.fail(c, lenient, fmt.Sprintf("it fails, and would for every user: %v", first))
	default:
		p.warn(c, fmt.Sprintf("it fails on every user that the check could invent: %v", first))
	}
}

// blind tells an expression that does not look at the user: it does the same for all.
func (c *claim) blind() bool {
	return c.reads != nil && len(c.reads.Children) == 0 && c.reads.Any == nil && !c.reads.Used
}

// result evaluates the expression and writes what comes out in one way always.
func (c *claim) result(ctx context.Context, document any) ([]byte, error) {
	value, found, err := c.expression.Evaluate(ctx, document)
	if err != nil || !found {
		return nil, err
	}
	return appendJSON(nil, value)
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"postern/auth"
	"postern/claims"
)

// explanation is how the claims of a user come about, for people and for programs.
type explanation struct {
	claims.Explanation

	user auth.User
	role string // that a request takes; empty for the default
}

// refused tells that the user would get no token.
func (e explanation) refused() bool {
	for _, c := range e.Claims {
		if c.Refused != nil {
			return true
		}
	}
	return false
}

// takes is the role of the request.
func (e explanation) takes() string {
	if e.role != "" {
		return e.role
	}
	return e.user.DefaultRole
}

// write tells people.
func (e explanation) write(w io.Writer) error {
	var b strings.Builder
	line := func(label, format string, args ...any) {
		fmt.Fprintf(&b, "%-8s %s\n", label, fmt.Sprintf(format, args...))
	}
	name := e.user.Email
	if name == "" {
		name = e.user.DisplayName
	}
	line("user", "%s (%s)", name, e.user.ID)
	line("role", "%s, of %s", e.takes(), strings.Join(e.user.AllowedRoles(), ", "))
	if e.Query != "" {
		line("query", "%s", e.Query)
		line("", "answered in %s", short(e.Took))
	}
	if e.Problem != "" {
		line("problem", "%s", e.Problem)
	}
	if len(e.Claims) == 0 {
		b.WriteString("\nThere are no custom claims. AUTH_JWT_CUSTOM_CLAIMS defines them.\n")
	}
	for _, c := range e.Claims {
		fmt.Fprintf(&b, "\n%s = %s\n", c.Claim, c.Expression)
		if c.Evaluated != "" && c.Evaluated != c.Expression {
			line("  means", "%s", c.Evaluated)
		}
		if len(c.Fields) > 0 {
			line("  reads", "%s", strings.Join(c.Fields, ", "))
		}
		line("  value", "%s", found(c))
		line("  claim", "%s", written(c))
	}
	if e.refused() {
		b.WriteString("\nThis user gets no token: a required claim has no value.\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// found words what the expression gave.
func found(c claims.Explained) string {
	text := "nothing"
	if c.Raw != nil {
		raw, err := json.Marshal(c.Raw)
		if err != nil {
			raw = []byte(fmt.Sprint(c.Raw))
		}
		text = string(raw)
	}
	if c.Reason != "" {
		text += ": " + c.Reason
	}
	return fmt.Sprintf("%s, in %s", text, short(c.Took))
}

// written words what the token says.
func written(c claims.Explained) string {
	switch {
	case c.Refused != nil:
		return "refused: it is required"
	case !c.Present:
		return "left out"
	case c.State == claims.Default, c.State == claims.Failed:
		return fmt.Sprintf("%s: %s (the default)", c.Name, c.Literal)
	}
	return c.Name + ": " + c.Literal
}

func short(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d.Microseconds())/1000) }

// writeJSON tells programs.
func (e explanation) writeJSON(w io.Writer) error {
	type claim struct {
		Claim      string   `json:"claim"`
		Name       string   `json:"name"`
		Expression string   `json:"expression"`
		Evaluated  string   `json:"evaluated"`
		Fields     []string `json:"fields"`
		Required   bool     `json:"required"`
		State      string   `json:"state"`
		Raw        any      `json:"raw"`
		Literal    *string  `json:"literal"`
		Reason     string   `json:"reason,omitempty"`
		Refused    bool     `json:"refused"`
		Ms         float64  `json:"ms"`
	}
	out := struct {
		UserID  string   `json:"userId"`
		Role    string   `json:"role"`
		Roles   []string `json:"roles"`
		Query   string   `json:"query"`
		Ms      float64  `json:"ms"`
		Problem string   `json:"problem,omitempty"`
		Refused bool     `json:"refused"`
		Claims  []claim  `json:"claims"`
	}{
		UserID: e.user.ID, Role: e.takes(), Roles: e.user.AllowedRoles(), Query: e.Query, Ms: milliseconds(e.Took),
		Problem: e.Problem, Refused: e.refused(), Claims: []claim{},
	}
	for _, c := range e.Claims {
		one := claim{
			Claim: c.Claim, Name: c.Name, Expression: c.Expression, Evaluated: c.Evaluated, Fields: c.Fields, Required: c.Required,
			State: string(c.State), Raw: c.Raw, Reason: c.Reason, Refused: c.Refused != nil, Ms: milliseconds(c.Took),
		}
		if c.Present {
			one.Literal = &c.Literal
		}
		out.Claims = append(out.Claims, one)
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(out)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

package claims

import (
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/claims/jsonata"
	"postern/claims/schema"
)

// Problem is why a claim cannot work, or what an operator should know about it.
type Problem struct {
	Claim string // as the operator wrote it; empty when it is no single claim
	Text  string // what is wrong and what would be right
	Fatal bool   // there is no start with it

	setting  string
	required bool
}

// text is the problem as a sentence about its setting.
func (p Problem) text() string {
	if p.Claim == "" {
		return p.Text
	}
	return fmt.Sprintf("claim %q: %s", p.Claim, p.Text)
}

// String is the problem on one line.
func (p Problem) String() string { return p.text() }

// definition is one claim as the operator defined it.
type definition struct {
	written    string // its name in the setting
	name       string // its full name
	path       string
	expression *jsonata.Expression // nil when the claim is broken
	reads      *jsonata.Field      // nil with a selection by hand
	choice     *schema.Draft       // the selection by hand, or nil
	required   bool
	fallback   fallback
	broken     string // why it cannot work, or empty
}

// fallback is the default of a claim: a literal, if there is one.
type fallback struct {
	literal string
	ok      bool
}

// definitions is what the settings define, and what is wrong with it.
type definitions struct {
	list     []definition // in the order of the setting; some may be broken
	problems []Problem
	warnings []Problem
	lenient  bool
	language *jsonata.Language
}

// read reads the two settings. It finds all problems at once.
func (s Settings) read() *definitions {
	d := &definitions{lenient: s.lenient(), language: jsonata.New(jsonata.Limits{})}
	d.readClaims(s.Definitions)
	d.readDefaults(s.Defaults)
	return d
}

// fail notes a problem.
func (d *definitions) fail(setting, claim string, required bool, format string, args ...any) {
	d.problems = append(d.problems, Problem{
		Claim: claim, Text: fmt.Sprintf(format, args...), setting: setting, required: required,
		Fatal: required || !d.lenient,
	})
}

// readClaims reads AUTH_JWT_CUSTOM_CLAIMS.
func (d *definitions) readClaims(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	list, err := members([]byte(text))
	if err != nil {
		mayRequire := strings.Contains(strings.ToLower(text), "req") // or something like it, misspelt
		d.fail(envDefinitions, "", mayRequire, `it must be a JSON object such as {"organisation-id": "profile.organisation.id"}; %s`, jsonProblem(err))
		return
	}
	taken := map[string]string{}
	for _, m := range list {
		def := d.readClaim(m)
		if problem := nameProblem(m.name); problem != "" {
			d.fail(envDefinitions, m.name, def.required, "%s", problem)
			continue
		}
		if before, twice := taken[def.name]; twice {
			d.fail(envDefinitions, m.name, def.required, "it is defined twice, before as %q; letter case and x-hasura- make no difference", before)
			continue
		}
		taken[def.name] = m.name
		d.list = append(d.list, def)
	}
}

// readClaim reads the definition of one claim. What is wrong with it is noted, and in the definition.
func (d *definitions) readClaim(m member) definition {
	def := definition{written: m.name, name: fullName(m.name)}
	before := len(d.problems)
	switch m.value.Kind() {
	case '"':
		_ = json.Unmarshal(m.value, &def.path) // a string it is
	case '{':
		d.readMembers(m, &def)
	default:
		d.fail(envDefinitions, m.name, false, "it must be an expression in quotes, or an object with the member path; it is %s", kindOf(m.value))
	}
	if len(d.problems) == before {
		d.parse(&def)
	}
	if len(d.problems) > before {
		def.broken = d.problems[before].Text
	}
	return def
}

// parse reads the expression of a claim.
func (d *definitions) parse(def *definition) {
	fail := func(format string, args ...any) { d.fail(envDefinitions, def.written, def.required, format, args...) }
	if strings.TrimSpace(def.path) == "" {
		fail(`the expression is empty; it should say where the value is, as "profile.organisation.id" does`)
		return
	}
	expression, err := d.language.Parse(def.path)
	if err != nil {
		fail("the expression cannot be read: %v", err)
		return
	}
	def.expression = expression
	if def.choice != nil {
		return // the fields are given
	}
	if def.reads, err = expression.Fields(); err != nil {
		fail(`it cannot be told which fields the expression reads: %v; or give them by hand with the member "select"`, err)
	}
}

// definitionMembers are what a definition in the long form may have.
var definitionMembers = []string{"path", "default", "required", "select"}

// readMembers reads a definition in the long form.
func (d *definitions) readMembers(m member, def *definition) {
	list, err := members(m.value)
	if err != nil {
		d.fail(envDefinitions, m.name, false, "%s", jsonProblem(err))
		return
	}
	seen := map[string]bool{}
	for _, part := range list {
		// First, for it decides how grave the rest is. What is not plainly false may mean true, and
		// so may a word with a typo.
		def.required = def.required || part.value.Kind() != 'f' && meansRequired(part.name)
		seen[part.name] = true
	}
	fail := func(format string, args ...any) { d.fail(envDefinitions, m.name, def.required, format, args...) }
	if !seen["path"] {
		fail(`the member "path" is missing: the expression`)
	}
	for _, part := range list {
		if !seen[part.name] {
			fail("the member %q is there twice", part.name)
			continue
		}
		seen[part.name] = false
		if problem := def.readMember(part); problem != "" {
			fail("%s", problem)
		}
	}
}

// meansRequired tells the member "required", and what somebody may have written for it.
func meansRequired(name string) bool {
	return name == "required" || !slices.Contains(definitionMembers, name) && len(schema.Nearest(name, []string{"required"})) > 0
}

// readMember reads one member of a definition and says what is wrong with it, or nothing.
func (def *definition) readMember(part member) string {
	var text string
	isText := part.value.Kind() == '"' && json.Unmarshal(part.value, &text) == nil
	switch part.name {
	case "path", "select":
		if !isText {
			return fmt.Sprintf("the member %q must be text in quotes; it is %s", part.name, kindOf(part.value))
		}
		if part.name == "path" {
			def.path = text
			return ""
		}
		if strings.Trim(text, " \t\n{}") == "" {
			return `the member "select" is empty; leave it out, or write fields such as "profile { id }"`
		}
		var err error
		if def.choice, err = schema.ParseDraft(text); err != nil {
			return fmt.Sprintf(`the member "select" must be GraphQL fields of the user, such as "profile { id }": %v`, err)
		}
	case "required":
		if part.value.Kind() != 't' && part.value.Kind() != 'f' {
			return "the member \"required\" must be true or false; it is " + kindOf(part.value)
		}
	case "default":
		var err error
		if def.fallback, err = readFallback(part.value); err != nil {
			return fmt.Sprintf("its default cannot be a claim: %v", err)
		}
	default:
		return fmt.Sprintf("it has the member %q, which means nothing%s", part.name, suggest(part.name, definitionMembers))
	}
	return ""
}

// readFallback makes a default a literal. null is the same as none.
func readFallback(text jsontext.Value) (fallback, error) {
	value, err := decode(text)
	if err != nil || value == nil {
		return fallback{}, err
	}
	literal, err := encode(value)
	return fallback{literal: literal, ok: err == nil}, err
}

// readDefaults reads AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS and gives the claims their defaults. One that a
// claim has in its own definition stays.
func (d *definitions) readDefaults(text string) {
	if strings.TrimSpace(text) == "" {
		return
	}
	list, err := members([]byte(text))
	if err != nil {
		d.fail(envDefaults, "", false, `it must be a JSON object such as {"organisation-id": "none"}; %s`, jsonProblem(err))
		return
	}
	taken := map[string]string{}
	for _, m := range list {
		name := fullName(m.name)
		if before, twice := taken[name]; twice {
			d.fail(envDefaults, m.name, false, "it has two defaults, the other under %q; letter case and x-hasura- make no difference", before)
			continue
		}
		taken[name] = m.name
		value, err := readFallback(m.value)
		at := slices.IndexFunc(d.list, func(def definition) bool { return def.name == name })
		switch {
		case err != nil:
			d.fail(envDefaults, m.name, at >= 0 && d.list[at].required, "the default cannot be a claim: %v", err)
		case at < 0:
			d.warnings = append(d.warnings, Problem{Claim: m.name, setting: envDefaults, Text: "it has a default, and no such claim is defined" + suggest(m.name, d.names())})
		case !d.list[at].fallback.ok:
			d.list[at].fallback = value
		}
	}
}

// names are the claims as the operator wrote them.
func (d *definitions) names() []string {
	names := make([]string, 0, len(d.list))
	for _, def := range d.list {
		names = append(names, def.written)
	}
	return names
}

// suggest ends a sentence about an unknown name with the names that are near it.
func suggest(name string, known []string) string {
	near := schema.Nearest(name, known)
	if len(near) == 0 {
		return ""
	}
	return "; did you mean " + strings.Join(near, " or ") + "?"
}

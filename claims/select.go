package claims

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"postern/claims/jsonata"
	"postern/claims/schema"
)

const (
	mostFields = 2000 // fields that one claim may select
	mostVisits = 50_000
	manyFields = 50 // more than these by a wildcard, and the check says so
)

// secret tells the fields that no expression gets unless it names them: the secrets of users, and what is
// one wherever it is, such as the tokens of other services.
func (p *picker) secret(t *schema.Type, field string) bool {
	switch strings.ToLower(strings.ReplaceAll(field, "_", "")) {
	case "passwordhash", "totpsecret", "otphash", "accesstoken", "refreshtoken", "refreshtokenhash", "tokenhash", "codehash",
		"clientsecret", "clientsecrethash":
		return true
	case "ticket", "currentchallenge", "webauthncurrentchallenge":
		return t == p.root // elsewhere a ticket may be one for a concert
	}
	return false
}

// picker turns what an expression reads into a selection of a type's fields.
type picker struct {
	expression *jsonata.Expression
	root       *schema.Type
	left       int // fields that may still be selected; below nothing, and the claim is refused
	visits     int // objects that may still be looked at
	problems   []string
	warnings   []string
	whole      bool     // it sees an object as a value, or by a wildcard
	lists      []string // relationships to many that it crosses, as paths
}

// pick selects what an expression reads of a user.
func pick(e *jsonata.Expression, reads *jsonata.Field, user *schema.Type) (*schema.Selection, *picker) {
	p := &picker{expression: e, root: user, left: mostFields, visits: mostVisits}
	s := schema.NewSelection(user)
	p.object(s, reads, nil, false)
	if p.left < 0 {
		p.problems = []string{fmt.Sprintf(`it would read more than %d fields; name those that it needs, or give them by hand with the member "select"`, mostFields)}
	}
	if len(s.Fields) == 0 {
		p.key(s)
	}
	return s, p
}

// object selects fields of one object. loose leaves out what is not there: below a wildcard, not
// every object has every field.
func (p *picker) object(s *schema.Selection, reads *jsonata.Field, path []string, loose bool) {
	if p.visits--; p.visits < 0 {
		p.left = -1
		return
	}
	p.whole = p.whole || reads.Used || reads.Counted || reads.Any != nil
	if reads.Used {
		p.all(s, path)
	}
	for _, name := range slices.Sorted(maps.Keys(reads.Children)) {
		below := append(slices.Clone(path), name)
		if f := s.Type.Fields[name]; f != nil {
			p.field(s, f, reads.Children[name], below, loose)
		} else if name == schema.Typename {
			s.AddTypename()
		} else if !loose {
			p.problems = append(p.problems, p.unknown(s.Type, below))
		}
	}
	if reads.Any != nil {
		p.any(s, reads.Any, path, loose)
	}
	if len(s.Fields) == 0 && !loose {
		p.key(s) // it matters only whether there is one, or how many
	}
}

// unknown says that there is no such field, and what to write.
func (p *picker) unknown(t *schema.Type, path []string) string {
	if len(path) > 1 || path[0] != "user" {
		return schema.Unknown(t, path)
	}
	text := "the expression begins at the user already"
	if right := withoutRoot(p.expression.Source()); right != "" {
		return text + ": write " + right
	}
	return text + ": write the name of one of the user's fields"
}

// withoutRoot takes the needless "user." out of an expression.
func withoutRoot(source string) string {
	var b strings.Builder
	for i := 0; i < len(source); {
		rest := source[i:]
		inside := i > 0 && (isWord(source[i-1]) || strings.IndexByte(".$`\"'", source[i-1]) >= 0)
		if !inside && strings.HasPrefix(rest, "user.") {
			i += len("user.")
			continue
		}
		b.WriteByte(source[i])
		i++
	}
	if right := strings.TrimSpace(b.String()); right != strings.TrimSpace(source) {
		return right
	}
	return ""
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// field selects one field and what is read below it.
func (p *picker) field(s *schema.Selection, f *schema.Field, reads *jsonata.Field, path []string, loose bool) {
	if problem := p.unreadable(f, reads, path); problem != "" {
		if !loose {
			p.problems = append(p.problems, problem)
		}
		return
	}
	if p.secret(s.Type, f.Name) && !loose {
		p.warnings = append(p.warnings, strings.Join(path, ".")+": this is a secret, and everybody who holds a token can read it there")
	}
	if f.Leaf() {
		p.add(s, f)
		return
	}
	if f.List && !slices.Contains(p.lists, strings.Join(path, ".")) {
		p.lists = append(p.lists, strings.Join(path, "."))
	}
	below := schema.NewSelection(f.Type)
	if p.left >= 0 {
		p.object(below, reads, path, loose)
	}
	if len(below.Fields) > 0 {
		p.add(s, f).Below.Merge(below)
	}
}

// unreadable says why a field cannot be read as it is meant to be, or nothing.
func (p *picker) unreadable(f *schema.Field, reads *jsonata.Field, path []string) string {
	at := strings.Join(path, ".")
	switch required := f.Required(); {
	case f.Type.Kind == schema.Abstract:
		return at + ": it is a union or an interface, which claims cannot read"
	case len(required) > 0:
		return fmt.Sprintf(`%s: it needs the argument %s, which JSONata cannot give; write the fields by hand with the member "select"`, at, strings.Join(required, ", "))
	case f.Leaf() && !f.Type.JSON() && (len(reads.Children) > 0 || reads.Any != nil):
		inner := "*"
		for _, name := range slices.Sorted(maps.Keys(reads.Children)) {
			inner = name
			break
		}
		return fmt.Sprintf("%s.%s: %s is a plain value (type %s), and nothing is in it", at, inner, path[len(path)-1], f.Type.Name)
	}
	return ""
}

func (p *picker) add(s *schema.Selection, f *schema.Field) *schema.Selected {
	if s.Fields[f.Name] == nil {
		p.left--
	}
	return s.Add(f)
}

// open tells the fields that a wildcard or a whole object means: plain ones that need no argument and
// are no secret.
func (p *picker) open(t *schema.Type, f *schema.Field) bool {
	return f.Leaf() && len(f.Required()) == 0 && !p.secret(t, f.Name)
}

// all selects the plain fields of an object: what is meant by the object as a value.
func (p *picker) all(s *schema.Selection, path []string) {
	found := 0
	for _, name := range s.Type.Names() {
		if f := s.Type.Fields[name]; p.open(s.Type, f) {
			p.add(s, f)
			found++
		}
	}
	p.many(found, path)
}

func (p *picker) many(n int, path []string) {
	if n > manyFields {
		p.warnings = append(p.warnings, fmt.Sprintf("%s: it reads all %d fields; name those that it needs", strings.Join(append(slices.Clone(path), "*"), "."), n))
	}
}

// any selects what a wildcard means: the plain fields, or those that have what is read below it.
func (p *picker) any(s *schema.Selection, reads *jsonata.Field, path []string, loose bool) {
	before := s.Size()
	deep := len(reads.Children) > 0 || reads.Any != nil
	for _, name := range s.Type.Names() {
		f := s.Type.Fields[name]
		switch {
		case p.open(s.Type, f) && (!deep || reads.Used || f.Type.JSON()):
			p.add(s, f)
		case deep && f.Type.Kind == schema.Object && len(f.Required()) == 0:
			p.field(s, f, reads, append(slices.Clone(path), name), true)
		}
	}
	found := s.Size() - before
	if found == 0 && !loose && len(s.Fields) == 0 {
		p.problems = append(p.problems, fmt.Sprintf("%s: nothing here has what is read below the *", strings.Join(append(slices.Clone(path), "*"), ".")))
	}
	p.many(found, path)
}

// key selects one small field, to see that there is an object.
func (p *picker) key(s *schema.Selection) {
	if f := s.Type.Fields["id"]; f != nil && p.open(s.Type, f) {
		p.add(s, f)
		return
	}
	s.AddTypename()
}

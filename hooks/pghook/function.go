package pghook

import (
	"errors"
	"net/url"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Function is one in the database, by its name.
type Function struct{ Schema, Name string }

// maxName is how long a name in Postgres can be.
const maxName = 63

// IsURI tells addresses of functions from others.
func IsURI(text string) bool { return strings.HasPrefix(strings.ToLower(text), "pg-functions:") }

// ParseURI reads pg-functions://postgres/schema/function. The host means nothing, since it is always
// the database of the settings.
func ParseURI(text string) (Function, error) {
	wrong := errors.New("it is not pg-functions://postgres/schema/function")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "pg-functions" || u.User != nil || u.Opaque != "" || u.RawQuery != "" || u.Fragment != "" {
		return Function{}, wrong
	}
	schema, name, found := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	switch {
	case !found:
		return Function{}, wrong
	case !identifier(schema):
		return Function{}, errors.New("the name of its schema has other characters than letters, digits and underscores, a digit at the front or more than 63 of them")
	case !identifier(name):
		return Function{}, errors.New("the name of its function has other characters than letters, digits and underscores, a digit at the front or more than 63 of them")
	}
	return Function{Schema: schema, Name: name}, nil
}

// identifier tells names that Supabase takes. They are quoted all the same, so upper case stays.
func identifier(name string) bool {
	if name == "" || len(name) > maxName || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_'
	})
}

// String is the name as SQL has it.
func (f Function) String() string { return pgx.Identifier{f.Schema, f.Name}.Sanitize() }

// Package claims computes the custom claims of access tokens. An operator writes expressions over the
// user's data (JSONata); one GraphQL query fetches what all of them read, and each value becomes a
// session variable as Hasura can read it. What cannot work is found before the first user signs in.
package claims

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
)

// Source answers GraphQL: Hasura's engine, or the database itself. It gives the content of "data".
// An error that has a method Unreachable() bool which says true means that the source could not be
// asked: it is down, too slow, or answers nonsense. One with a method GraphQLErrors() []string means
// that it was asked and answered with errors.
type Source interface {
	Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error)
}

// configured is a source with settings of its own that may not fit what it found: the problems begin
// with the setting and a colon.
type configured interface {
	Problems(ctx context.Context) ([]string, error)
}

// Failure is one time that a claim could not be computed. The reason holds no value of the user and
// no secret.
type Failure struct {
	Claim       string // its full name, or empty when it is every claim: the source failed
	UserID      string
	Reason      string
	Unreachable bool // the source could not be asked
	Known       bool // the claim cannot work, as the check has said already: there is nothing new
}

// prefix begins the names of session variables.
const prefix = "x-hasura-"

// BuiltIn are the claims that are not the operator's to define, in lower case: Postern sets them, or
// Hasura does.
func BuiltIn() []string {
	return []string{
		"x-hasura-allowed-roles", "x-hasura-auth-elevated", "x-hasura-default-role", "x-hasura-impersonator", "x-hasura-role",
		"x-hasura-user-id", "x-hasura-user-is-anonymous", "x-hasura-user-isanonymous",
	}
}

// fullName is how a claim is called in tokens: in lower case and with the prefix.
func fullName(written string) string {
	name := strings.ToLower(written)
	if !strings.HasPrefix(name, prefix) {
		name = prefix + name
	}
	return name
}

// nameProblem says what is wrong with a claim's name, or nothing.
func nameProblem(written string) string {
	full := fullName(written)
	switch {
	case full == prefix:
		return "a claim needs a name"
	case len(full) > 128:
		return "the name is longer than 128 characters"
	case strings.ContainsFunc(written, func(r rune) bool { return r <= ' ' || r > '~' }):
		return "the name may have neither blanks nor letters outside ASCII, since Hasura takes it from headers too"
	case full == "x-hasura-role":
		return "Hasura sets this one itself, for each request"
	case slices.Contains(BuiltIn(), full):
		return "this is one of the claims that Postern sets itself; give yours another name"
	}
	return ""
}

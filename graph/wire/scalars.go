// Package wire is the schema of the operators' API, and what gqlgen makes of it: the executor, the types
// of inputs and answers. Beside the schema files, this file and page.go are the only ones
// written by hand.
package wire

import (
	"embed"
	"encoding/json"
	"io"
	"strings"
	"time"

	"github.com/99designs/gqlgen/graphql"

	"postern/auth"
	"postern/tokens"
)

// Files are the files of the schema.
//
//go:embed *.graphqls
var Files embed.FS

// MarshalUUID writes an id.
func MarshalUUID(id string) graphql.Marshaler { return graphql.MarshalString(id) }

// UnmarshalUUID reads an id in its usual form; others that Postgres would take are refused, so that one
// thing has one name. The answer is in lower case.
func UnmarshalUUID(v any) (string, error) {
	s, _ := v.(string)
	id := strings.ToLower(s)
	if !tokens.IsUUID(id) {
		return "", Misread("must be a UUID, such as 6ba7b810-9dad-41d1-80b4-00c04fd430c8")
	}
	return id, nil
}

// MarshalTime writes a moment in UTC, and none as null.
func MarshalTime(t time.Time) graphql.Marshaler {
	if t.IsZero() {
		return graphql.Null
	}
	return graphql.MarshalString(t.UTC().Format(time.RFC3339Nano))
}

// UnmarshalTime reads a moment that Postgres can keep.
func UnmarshalTime(v any) (time.Time, error) {
	s, _ := v.(string)
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 || t.IsZero() {
		return time.Time{}, Misread("must be a moment such as 2026-11-22T10:00:00Z")
	}
	return t.UTC(), nil
}

// MarshalJSON writes JSON as it is, and none as null.
func MarshalJSON(j json.RawMessage) graphql.Marshaler {
	if len(j) == 0 {
		return graphql.Null
	}
	return graphql.WriterFunc(func(w io.Writer) { _, _ = w.Write(j) }) // the writer is a buffer
}

// UnmarshalJSON keeps what a literal or a variable says.
func UnmarshalJSON(v any) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, Misread("must be JSON")
	}
	return text, nil
}

// PageInfo says where a page lies in its list.
type PageInfo struct {
	HasNextPage, HasPreviousPage bool
	StartCursor, EndCursor       *string
}

// Misread says what a value of a scalar must be. Where it stands, the executor knows.
type Misread string

// Error is what the client reads behind the place.
func (m Misread) Error() string { return string(m) }

// Unwrap gives auth.BadRequest.
func (Misread) Unwrap() error { return auth.BadRequest }

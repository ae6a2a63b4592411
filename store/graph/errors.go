package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// Codes of errors, as Hasura has them in their extensions.
const (
	validationFailed = "validation-failed"
	parseFailed      = "parse-failed"
	dataException    = "data-exception"
	notSupported     = "not-supported"
	permissionDenied = "permission-denied"
	databaseError    = "postgres-error"
	tooLarge         = "too-large"
)

// An Error is what is wrong with a query, in Hasura's words.
type Error struct {
	Message    string `json:"message"`
	Extensions struct {
		Path string `json:"path"` // where in the query
		Code string `json:"code"`
	} `json:"extensions"`
}

// Errors is the answer to a query that could not be carried out.
type Errors []Error

// Error names the errors one after another.
func (e Errors) Error() string { return "graph: " + strings.Join(e.GraphQLErrors(), "; ") }

// GraphQLErrors are the messages, each with the place it is about.
func (e Errors) GraphQLErrors() []string {
	messages := make([]string, len(e))
	for i, one := range e {
		messages[i] = one.Message
		if one.Extensions.Path != "$" {
			messages[i] += " (at " + one.Extensions.Path + ")"
		}
	}
	return messages
}

// failure is one error of a query.
func failure(code, path, format string, args ...any) error {
	one := Error{Message: fmt.Sprintf(format, args...)}
	one.Extensions.Code, one.Extensions.Path = code, path
	return Errors{one}
}

func invalid(path, format string, args ...any) error {
	return failure(validationFailed, path, format, args...)
}

// isOf tells whether an error is one of a query with this code.
func isOf(err error, code string) bool {
	var e Errors
	return errors.As(err, &e) && len(e) > 0 && e[0].Extensions.Code == code
}

// unreachable says that the database gave no answer, or not in time.
type unreachable struct{ error }

func (u unreachable) Unreachable() bool { return true }
func (u unreachable) Unwrap() error     { return u.error }

// refused turns what Postgres says about a statement into an error of the query, or into one that
// says that there was no answer.
func refused(ctx context.Context, err error) error {
	var pg *pgconn.PgError
	if ctx.Err() != nil || !errors.As(err, &pg) {
		return unreachable{fmt.Errorf("graph: the database did not answer: %w", err)}
	}
	switch class := pg.Code[:min(2, len(pg.Code))]; {
	case pg.Code == "57014": // canceled, as limitsSQL has it
		return unreachable{fmt.Errorf("graph: the statement took too long: %w", context.DeadlineExceeded)}
	case class == "22", pg.Code == "42601" && strings.Contains(pg.Message, "jsonpath"):
		return failure(dataException, "$", "%s", pg.Message)
	case pg.Code == "42501":
		return failure(permissionDenied, "$", "%s", pg.Message)
	case class == "08", class == "53", class == "57", class == "58", class == "XX":
		return unreachable{fmt.Errorf("graph: the database did not answer: %w", err)}
	}
	return failure(databaseError, "$", "database query error: %s", pg.Message)
}

// outdated tells whether a statement failed because tables are no longer what they were.
func outdated(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) {
		return false
	}
	switch pg.Code {
	case "42703", "42P01", "42883", "42704", "3F000", "42804", // undefined column, table, operator, type, schema; another type
		"0A000": // cached plan must not change result type
		return true
	}
	return false
}

// at is a path with one more step.
func at(path, step string) string {
	if isName(step) || strings.HasPrefix(step, "__") {
		return path + "." + step
	}
	quoted, _ := json.Marshal(step)
	return path + "[" + string(quoted) + "]"
}

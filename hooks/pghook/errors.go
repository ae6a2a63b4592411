package pghook

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"postern/hooks"
)

// understand gives the error of package hooks that says what happened.
func understand(err error, limit time.Duration) error {
	var pg *pgconn.PgError
	var large hooks.TooLarge
	var bad hooks.BadAnswer
	var flood *pgproto3.ExceededMaxBodyLenErr
	var connect *pgconn.ConnectError
	var absent hooks.NotThere
	switch {
	case errors.As(err, &absent):
		return absent
	case errors.As(err, &large):
		return large
	case errors.As(err, &flood):
		return hooks.TooLarge{Most: maxAnswer}
	case errors.As(err, &bad):
		return bad
	case errors.As(err, &connect):
		return hooks.Unreachable{Why: "the database takes no connection: " + reason(connect)}
	case errors.As(err, &pg):
		return judge(pg, limit)
	case errors.Is(err, context.DeadlineExceeded):
		return hooks.TimedOut{After: limit}
	}
	return hooks.Unreachable{Why: "the question could not be put to the database, or the connection ended"}
}

// reason says why a connection was not made, without where it was to go.
func reason(err error) string {
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return "SQLSTATE " + pg.Code
	}
	return "nobody answers"
}

// judge tells what Postgres said about the call from what came out of the function: only that has a
// context, the line of the function.
func judge(pg *pgconn.PgError, limit time.Duration) error {
	switch class := pg.Code[:min(2, len(pg.Code))]; {
	case pg.Code == "57014": // query_canceled
		return hooks.TimedOut{After: limit}
	case class == "08" || class == "53" && pg.Where == "" || class == "57" || pg.Code == "25P04": // connection, resources, operator, transaction_timeout
		return hooks.Unreachable{Why: "the database gave up: SQLSTATE " + pg.Code}
	case pg.Where == "" && strings.Contains(" 42883 3F000 42501 42725 ", " "+pg.Code+" "):
		return hooks.NotThere{Why: absence[pg.Code]}
	}
	return hooks.Raised{State: pg.Code, Message: bounded(pg.Message), Detail: bounded(pg.Detail), Hint: bounded(pg.Hint), Constraint: bounded(pg.ConstraintName)}
}

// absence says why a function cannot be called.
var absence = map[string]string{
	"42883": "there is no such function with one argument that takes JSON",
	"3F000": "there is no such schema",
	"42501": "the role may not use the schema, or not execute the function",
	"42725": "there are several such functions, and it is not clear which is meant",
}

// bounded cuts text of a function to a size that is fit to be kept.
func bounded(text string) string {
	const most = 2000
	if len(text) <= most {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	text = text[:most]
	for !utf8.ValidString(text) && len(text) > most-utf8.UTFMax {
		text = text[:len(text)-1]
	}
	return strings.ToValidUTF8(text, "\uFFFD")
}

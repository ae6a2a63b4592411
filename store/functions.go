package store

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5"
)

// maxFunctionAnswer is how much a function may return to CallFunction.
const maxFunctionAnswer = 200 << 10

// CallFunction calls schema.name with one argument of JSON and gives what it returns, as text; nil is
// null. The function is part of the transaction, in which it ends at the limit; nothing else holds it
// back. Errors are as Postgres words them: what a constraint says to the function is not what it says to us.
//
// It is one round trip. Afterwards statements have the time that they had.
func (db *DB) CallFunction(ctx context.Context, schema, name string, argument []byte, limit time.Duration) ([]byte, error) {
	if db.tx == nil {
		return nil, errors.New("store: a function joins a transaction, and there is none")
	}
	var size *int
	var answer []byte
	batch := &pgx.Batch{}
	batch.Queue(limitFunctionSQL, strconv.FormatInt(max(limit.Milliseconds(), 1), 10))
	batch.Queue("with answer as materialized (select "+pgx.Identifier{schema, name}.Sanitize()+"($1)::text as text) select octet_length(text), case when octet_length(text) <= $2 then text end from answer limit 1",
		string(argument), maxFunctionAnswer).QueryRow(func(row pgx.Row) error { return row.Scan(&size, &answer) })
	batch.Queue(unlimitFunctionSQL)
	err := db.SendBatch(ctx, batch).Close()
	switch {
	case errors.Is(err, pgx.ErrNoRows): // a function that returns a set may return nothing
		return nil, nil
	case err != nil:
		return nil, err
	case size != nil && *size > maxFunctionAnswer:
		return nil, errors.New("store: the function returns more than 200 KiB")
	}
	return answer, nil
}

const (
	limitFunctionSQL = `
	select set_config('postern.statement_timeout', current_setting('statement_timeout'), true), set_config('statement_timeout', $1, true)`

	unlimitFunctionSQL = `
	select set_config('statement_timeout', current_setting('postern.statement_timeout', true), true)`
)

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

// functionGrace is what the database has for saying that the time is up.
const functionGrace = 250 * time.Millisecond

// CallFunction calls schema.name with one argument of JSON and gives what it returns, as text; nil is
// null. The function is part of the transaction, in which it ends at the limit: one that will not be stopped costs
// the transaction its connection, which the database then notices. Errors are as Postgres words them: what a
// constraint says to the function is not what it says to us.
//
// It is one round trip. Afterwards settings and the role are those of the connection, whatever the function made of
// them: the rest of the transaction, and whoever has the connection next, must not go by them.
func (db *DB) CallFunction(ctx context.Context, schema, name string, argument []byte, limit time.Duration) ([]byte, error) {
	if db.tx == nil {
		return nil, errors.New("store: a function joins a transaction, and there is none")
	}
	ctx, cancel := context.WithTimeout(ctx, limit+functionGrace)
	defer cancel()
	var size *int
	var answer []byte
	batch := &pgx.Batch{}
	batch.Queue(limitFunctionSQL, strconv.FormatInt(max(limit.Milliseconds(), 1), 10))
	batch.Queue("with answer as materialized (select "+pgx.Identifier{schema, name}.Sanitize()+"($1)::text as text) select octet_length(text), case when octet_length(text) <= $2 then text end from answer limit 1",
		string(argument), maxFunctionAnswer).QueryRow(func(row pgx.Row) error { return row.Scan(&size, &answer) })
	batch.Queue("reset all")
	batch.Queue("reset role")
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

// Only where the operating system can tell does the database look whether we are still there: elsewhere it would
// refuse the setting.
const limitFunctionSQL = `
	select set_config('statement_timeout', $1, true),
		set_config('client_connection_check_interval', case when version() like '%linux%' then '500' else '0' end, true)`

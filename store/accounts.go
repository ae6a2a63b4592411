package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"
)

// ErrIDTaken says that another user has an id, or had it.
var ErrIDTaken = errors.New("store: the id is taken")

// HoldRoles keeps roles from being deleted until the transaction ends, and lists those that do not exist.
// It must run in a transaction.
func (db *DB) HoldRoles(ctx context.Context, roles []string) (missing []string, err error) {
	rows, err := db.Query(ctx, holdRolesSQL, roles)
	if err != nil {
		return nil, refusal(err)
	}
	held, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return nil, refusal(err)
	}
	known := map[string]bool{}
	for _, r := range held {
		known[r] = true
	}
	for _, r := range roles {
		if !known[r] {
			missing, known[r] = append(missing, r), true
		}
	}
	return missing, nil
}

const holdRolesSQL = `select role from auth.roles where role = any($1::text[]) order by role for key share`

// IsBuried tells whether a user of the id was deleted.
func (db *DB) IsBuried(ctx context.Context, id string) (is bool, err error) {
	err = db.QueryRow(ctx, isBuriedSQL, id).Scan(&is)
	return is, err
}

const isBuriedSQL = `select exists (select from auth.deleted_users where id = $1)`

// IsBadValue tells whether an error is that of a value that Postgres cannot keep.
func IsBadValue(err error) bool { return strings.HasPrefix(sqlState(err), "22") }

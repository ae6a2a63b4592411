package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// WholeUser is a user as operators see them, with what is known beside their row.
type WholeUser struct {
	UserRecord
	Details auth.Details
}

// wholeRow is how Postgres gives a WholeUser.
type wholeRow struct {
	UserRecord
	detailsRow
}

func (r wholeRow) whole() (WholeUser, error) {
	d, err := r.details()
	return WholeUser{r.UserRecord, d}, err
}

// WholeUser finds a user for an operator, with what is known beside their row, in one round trip.
func (db *DB) WholeUser(ctx context.Context, id string) (WholeUser, error) {
	row, err := one[wholeRow](ctx, db, wholeUserSQL, id)
	if err != nil {
		return WholeUser{}, err
	}
	return row.whole()
}

// UserPage is a page of all users, by when they were made.
type UserPage struct {
	Contains  string // in their address or name, whatever the case of its letters; empty for any
	Ascending bool   // the oldest first
	Offset    int64
	Most      int
}

// PageOfUsers lists a page, and counts how many users there are on all pages.
func (db *DB) PageOfUsers(ctx context.Context, p UserPage) (list []WholeUser, total int64, err error) {
	sql, like := newestUsersSQL, nullable(likeEscapes.Replace(p.Contains))
	if p.Ascending {
		sql = oldestUsersSQL
	}
	if err := db.QueryRow(ctx, countListedSQL, like).Scan(&total); err != nil || p.Offset >= total {
		return nil, total, refusal(err)
	}
	rows, err := db.Query(ctx, sql, like, p.Offset, p.Most)
	if err != nil {
		return nil, total, refusal(err)
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[wholeRow])
	if err != nil {
		return nil, total, refusal(err)
	}
	for _, row := range found {
		u, err := row.whole()
		if err != nil {
			return nil, total, err
		}
		list = append(list, u)
	}
	return list, total, nil
}

const (
	wholeColumns = recordColumns + `,` + detailsColumns
	wholeUserSQL = `select` + wholeColumns + ` from auth.users u where u.id = $1`
	isListed     = ` where ($1::text is null or u.email::text ilike '%' || $1 || '%' or u.display_name ilike '%' || $1 || '%'
		or u.metadata->>'full_name' ilike '%' || $1 || '%')`
	countListedSQL = `select count(*) from auth.users u` + isListed
	newestUsersSQL = `with page as materialized (select u.id, u.created_at as made from auth.users u` + isListed + ` order by u.created_at desc, u.id desc offset $2::bigint limit $3::int)
		select` + wholeColumns + ` from page join auth.users u on u.id = page.id order by page.made desc, page.id desc`
	oldestUsersSQL = `with page as materialized (select u.id, u.created_at as made from auth.users u` + isListed + ` order by u.created_at, u.id offset $2::bigint limit $3::int)
		select` + wholeColumns + ` from page join auth.users u on u.id = page.id order by page.made, page.id`
)

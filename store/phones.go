package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// UserByPhone finds the user of a number. Numbers that Hasura Auth took may be written in another
// way than ours are, so the number is looked for as it was typed, too.
func (db *DB) UserByPhone(ctx context.Context, number, typed string) (auth.User, error) {
	return one[auth.User](ctx, db, userByPhoneSQL, []string{number, typed}, number)
}

const userByPhoneSQL = `select` + userColumns + ` from auth.users u where u.phone_number = any($1::text[])
	order by u.phone_number <> $2 limit 1`

// ConfirmPhone marks the user's number as proved, if it is still the same. It must run in a
// transaction.
func (db *DB) ConfirmPhone(ctx context.Context, userID, number string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(confirmPhoneSQL, userID, number)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const confirmPhoneSQL = `update auth.users set phone_number_verified = true where id = $1 and phone_number = $2 and not (contested and email is null)`

// ReleasePhone takes a number away from whoever has it and never proved it, and tells who that was.
// Whoever did prove it keeps it. It must run in the transaction that gives the number to somebody
// who has.
func (db *DB) ReleasePhone(ctx context.Context, number, except string) (from string, err error) {
	rows, err := db.Query(ctx, releasePhoneSQL, number, except)
	if err != nil {
		return "", refusal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) == 0 {
		return "", refusal(err)
	}
	return ids[0], nil
}

const releasePhoneSQL = `update auth.users set phone_number = null
	where phone_number = $1 and id <> $2 and not phone_number_verified returning id`

// ChangePhone gives the user a number that they have proved and ends what the old one let in: every
// session but keep (an empty keep ends all), and every one-time secret of the user. It must run in a
// transaction.
//
// Whoever changes it from a session must still have the session: otherwise it is ErrChanged. A
// number that somebody else has is auth.PhoneTaken.
func (db *DB) ChangePhone(ctx context.Context, userID, number, keep string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(changePhoneSQL, userID, number, e.At)
	b.Queue(keepSessionSQL, userID, nullable(keep))
	b.Queue(endOtherSessionsSQL, userID, nullable(keep))
	b.Queue(dropTicketsSQL, userID)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const changePhoneSQL = `update auth.users set phone_number = $2, phone_number_verified = true where id = $1 and` + isOpen + `$3)`

// Note writes a journal entry of its own. It must run in the transaction of what it tells.
func (db *DB) Note(ctx context.Context, e Entry) error {
	b := &pgx.Batch{}
	queueEntry(b, e)
	_, err := changed(ctx, db, b)
	return err
}

// PendingNumber finds the change of a number that waits for a code: of the user who has a number, or the one with an id. Only those
// count that were asked for in a session.
func (db *DB) PendingNumber(ctx context.Context, number, ticketID string, now time.Time) (Found, error) {
	return one[Found](ctx, db, pendingNumberSQL, auth.ChangePhone, number, ticketID, now)
}

const pendingNumberSQL = `select` + userColumns + `,
		k.id::text as ticket_id, k.purpose as ticket_purpose, '' as parent_id,` + ticketColumns + `
	from auth.users u cross join lateral (select * from auth.tickets t
		where t.user_id = u.id and t.purpose = $1 and t.expires_at > $4 and t.payload ? 'session' order by t.created_at desc limit 1) k
	where u.phone_number = $2
	union all select` + userColumns + `,
		k.id::text as ticket_id, k.purpose as ticket_purpose, '' as parent_id,` + ticketColumns + `
	from auth.tickets k join auth.users u on u.id = k.user_id where k.id = $3 and k.purpose = $1 and k.expires_at > $4 and k.payload ? 'session' limit 1`

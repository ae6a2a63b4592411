package store

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// Deanonymization is a guest who becomes a user and keeps the id.
type Deanonymization struct {
	NewUser        // as what they go on; CreatedAt is not looked at
	Asking  string // the session that asks; empty in tokens of an older server
	Keep    bool   // it lives on; otherwise all sessions end, and all else that let the guest in
	Hash    bool   // the password that the guest has stays
	Entry   Entry
}

// Deanonymize makes a guest a user. Whether they still are a guest is decided here, with their row
// locked: of many who ask at once one finds it so. It ends what let the guest in, but for the session
// that asks where that may be kept, and drops the one-time secrets that were sent before.
//
// Somebody who is no guest any more, is locked, or has lost the session that asks, is ErrChanged. It
// must run in a transaction.
func (db *DB) Deanonymize(ctx context.Context, d Deanonymization) error {
	b := &pgx.Batch{}
	b.Queue(holdUserSQL, d.ID) // those who come too late wait as well, and do the rest in turns before it is undone
	b.Queue(deanonymizeSQL, d.ID, nullable(d.Email), nullable(d.PasswordHash), d.DefaultRole, d.DisplayName, d.Locale, jsonOrNull(d.Metadata),
		d.Disabled, nullable(d.PhoneNumber), d.PhoneNumberVerified, d.Entry.At, d.EmailVerified, d.Hash)
	b.Queue(keepSessionSQL, d.ID, nullable(d.Asking))
	if d.Keep {
		b.Queue(endOtherSessionsSQL, d.ID, nullable(d.Asking))
	} else { // personal access tokens too: Hasura Auth gave them to guests
		b.Queue(endEverythingSQL, d.ID)
	}
	b.Queue(dropRolesSQL, d.ID)
	b.Queue(addRolesSQL, d.ID, d.Roles, d.Entry.At)
	b.Queue(dropTicketsSQL, d.ID)
	queueEntry(b, d.Entry)
	return guardedBatch(ctx, db, b, 3)
}

const (
	deanonymizeSQL = `update auth.users set is_anonymous = false, email = $2, email_verified = $12, new_email = null, password_hash = case when $13::boolean then password_hash else $3 end,
			default_role = $4, display_name = $5, locale = $6, metadata = $7, disabled = $8, phone_number = $9, phone_number_verified = $10,
			ticket = null, ticket_expires_at = $11
		where id = $1 and is_anonymous and` + isOpen + `$11)`
	dropRolesSQL = `delete from auth.user_roles where user_id = $1`
)

// DropGuest deletes a guest who never had a session. Anybody else is ErrChanged. It must run in a
// transaction.
func (db *DB) DropGuest(ctx context.Context, userID string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(dropGuestSQL, userID)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const dropGuestSQL = `delete from auth.users u
	where u.id = $1 and u.is_anonymous and not exists (select from auth.refresh_tokens t where t.user_id = u.id)`

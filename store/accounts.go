package store

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5"

	"postern/auth"
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

// HoldUserRecord finds a user and keeps everybody else from changing them until the transaction ends. It
// must run in a transaction.
//
// The user is read by a statement of its own: it begins once the row is held, and so sees what was
// committed while that waited, of other tables too.
func (db *DB) HoldUserRecord(ctx context.Context, id string) (UserRecord, error) {
	if _, err := db.Exec(ctx, holdUserSQL, id); err != nil {
		return UserRecord{}, refusal(err)
	}
	return db.UserRecord(ctx, id)
}

// UserChange is what an operator changes of a user.
type UserChange struct {
	auth.User        // as they will be
	Banned      bool // the end of their ban is another one
	WithRoles   bool // the roles are others
	DropTickets bool // one-time secrets were sent to an address that is no longer theirs
	EndSessions bool
	// PasswordHash is that of another password; empty leaves theirs. LockoutKey counts the wrong ones, which count no more.
	PasswordHash, LockoutKey string
}

// ChangeUser writes a user as an operator wants them. Personal access tokens are left: while the user is
// locked they let nobody in. Whoever is gone, or deleted, is ErrChanged. It must run in a transaction.
func (db *DB) ChangeUser(ctx context.Context, c UserChange, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(changeUserSQL, c.ID, nullable(c.Email), c.EmailVerified, nullable(c.NewEmail), nullable(c.PhoneNumber), c.PhoneNumberVerified,
		c.DisplayName, c.AvatarURL, c.Locale, c.DefaultRole, jsonOrNull(c.Metadata), c.Disabled, c.Banned, nullableTime(c.BannedUntil), c.DropTickets, nullable(c.PasswordHash))
	if c.WithRoles {
		b.Queue(dropOtherRolesSQL, c.ID, c.Roles)
		b.Queue(addMoreRolesSQL, c.ID, c.Roles, e.At)
	}
	if c.DropTickets {
		b.Queue(dropTicketsSQL, c.ID)
	}
	if c.PasswordHash != "" {
		b.Queue(dropCounterSQL, c.LockoutKey)
	}
	if c.EndSessions {
		b.Queue(endOtherSessionsSQL, c.ID, nil)
		b.Queue(dropImpersonationsSQL, c.ID)
	}
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const (
	changeUserSQL = `update auth.users set email = $2, email_verified = $3, new_email = $4, phone_number = $5, phone_number_verified = $6,
			display_name = $7, avatar_url = $8, locale = $9, default_role = $10, metadata = $11, disabled = $12,
			banned_until = case when $13::boolean then $14::timestamptz else banned_until end, ticket = case when $15::boolean then null else ticket end,
			password_hash = coalesce($16, password_hash), password_must_change = password_must_change and $16::text is null
		where id = $1 and deleted_at is null`
	dropOtherRolesSQL = `delete from auth.user_roles where user_id = $1 and role <> all($2::text[])`
)

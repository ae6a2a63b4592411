package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Impersonation is an access token by which an operator sees what a user sees.
type Impersonation struct {
	ID        string
	UserID    string
	ActorID   string // the operator; empty for whoever has the admin secret alone
	Reason    string
	CreatedAt time.Time
	ExpiresAt time.Time
}

// AddImpersonation writes one, unless the user is locked or gone, or has one of the roles that nobody acts in
// the place of: then it is ErrChanged.
func (db *DB) AddImpersonation(ctx context.Context, i Impersonation, roles []string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(addImpersonationSQL, i.ID, i.UserID, nullable(i.ActorID), i.Reason, i.CreatedAt, i.ExpiresAt, roles)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

const addImpersonationSQL = `insert into auth.impersonations (id, user_id, actor_id, reason, created_at, expires_at)
	select $1::uuid, u.id, $3::uuid, $4::text, $5::timestamptz, $6::timestamptz from auth.users u
	where u.id = $2 and not u.disabled and u.deleted_at is null and (u.banned_until is null or u.banned_until <= $5) and u.default_role <> all($7::text[])
		and not exists (select from auth.user_roles r where r.user_id = u.id and r.role = any($7::text[]))`

// UserOfImpersonation finds the user in whose place an operator acts, provided that it has not ended.
func (db *DB) UserOfImpersonation(ctx context.Context, a auth.Actor, now time.Time) (auth.User, error) {
	return one[auth.User](ctx, db, userOfImpersonationSQL, a.UserID, nullable(a.SessionID), now)
}

const userOfImpersonationSQL = `select` + userColumns + ` from auth.users u
	where u.id = $1 and exists (select from auth.impersonations i where i.id = $2::uuid and i.user_id = u.id and i.expires_at > $3)`

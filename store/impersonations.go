package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Impersonation is an access token by which an operator sees what a user sees.
type Impersonation struct {
	ID             string
	UserID         string
	ActorID        string   // the operator; empty for whoever has the admin secret and is nobody besides
	ActorRole      string   // that the operator must hold all the while; empty with the admin secret
	ActorSessionID string   // that must be alive all the while; empty where it is not known
	Except         []string // roles whose holders nobody acts in the place of
	Reason         string
	CreatedAt      time.Time
	ExpiresAt      time.Time
}

// AddImpersonation writes one, if the operator and the user are as it says and neither is locked or gone: else
// it is ErrChanged.
func (db *DB) AddImpersonation(ctx context.Context, i Impersonation, alive Alive, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(addImpersonationSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, i.ID, i.UserID, nullable(i.ActorID), nullable(i.ActorRole), nullable(i.ActorSessionID),
		append([]string{}, i.Except...), i.Reason, i.CreatedAt, i.ExpiresAt)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

// mayAct is the condition that the operator of an impersonation i is still one, in the session that they came
// with, and that its user u is nobody in whose place nobody acts. The first three parameters are an Alive.
const mayAct = ` u.default_role <> all(i.except_roles) and not exists (select from auth.user_roles r where r.user_id = u.id and r.role = any(i.except_roles))
	and not exists (select from auth.users a where a.id = i.actor_id and not (` + isOpen + `$1)))
	and (i.actor_role is null or exists (select from auth.users a where a.id = i.actor_id
		and (a.default_role = i.actor_role or exists (select from auth.user_roles r where r.user_id = a.id and r.role = i.actor_role))))
	and (i.actor_session_id is null or exists (select from auth.refresh_tokens t where t.id = i.actor_session_id and t.user_id = i.actor_id and` + isAlive + `))`

const addImpersonationSQL = `insert into auth.impersonations (id, user_id, actor_id, actor_role, actor_session_id, except_roles, reason, created_at, expires_at)
	select $4::uuid, u.id, i.actor_id, i.actor_role, i.actor_session_id, i.except_roles, $10::text, $11::timestamptz, $12::timestamptz
	from auth.users u, (select $6::uuid as actor_id, $7::text as actor_role, $8::uuid as actor_session_id, $9::text[] as except_roles) i
	where u.id = $5 and` + isOpen + `$1) and` + mayAct

// UserOfImpersonation finds the user in whose place an operator acts, provided that it has not ended: by itself,
// with the operator's session, or because one of the two is no longer who they were. Whether the user is locked,
// the user says.
func (db *DB) UserOfImpersonation(ctx context.Context, a auth.Actor, alive Alive) (auth.User, error) {
	return one[auth.User](ctx, db, userOfImpersonationSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, a.UserID, nullable(a.SessionID))
}

const userOfImpersonationSQL = `select` + userColumns + ` from auth.users u join auth.impersonations i on i.user_id = u.id
	where u.id = $4 and i.id = $5::uuid and i.expires_at > $1 and` + mayAct

// What a user's end ends: what operators have in their place, and what they have in the place of others.
const (
	dropImpersonationsSQL = `delete from auth.impersonations where user_id = $1 or actor_id = $1`
	dropActedSQL          = `delete from auth.impersonations where actor_id = $1`
)

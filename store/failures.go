package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// A Failure is a sign-in that came to nothing. It is in the audit log alone, and names no address: an operator sees who
// was aimed at where somebody is known, and how many others were.
type Failure struct {
	UserID   string // empty when nobody is known by what was typed
	Method   string // "password"
	Provider string // that vouched; empty when none did
	Reason   string // "invalid-credentials"
	Client   auth.Client
	At       time.Time
}

const failedEvent = "signin.failed"

func (f Failure) detail() []byte {
	d := map[string]any{"method": f.Method, "reason": f.Reason}
	if f.Provider != "" {
		d["provider"] = f.Provider
	}
	return mustJSON(d)
}

// AddFailure writes a failure that nothing is counted with.
func (db *DB) AddFailure(ctx context.Context, f Failure) error {
	b := &pgx.Batch{}
	b.Queue(addFailureSQL, f.At, failedEvent, nullable(f.UserID), nullable(f.Client.Logged()), nullable(UserAgent(f.Client)), f.detail())
	_, err := changed(ctx, db, b)
	return err
}

const addFailureSQL = `insert into auth.audit_entries (at, event, user_id, address_prefix, user_agent, detail) values ($1, $2, $3, $4, $5, $6::jsonb)`

// CountFailedSignIn is CountFailure of a sign-in, with the failure in the same statement: what is written is
// the same, and as much, whether anybody is known by what was typed or not. The failure that uses a guard up says so.
func (db *DB) CountFailedSignIn(ctx context.Context, guards []Guard, f Failure) error {
	if len(guards) == 0 {
		return db.AddFailure(ctx, f)
	}
	keys, most := spread(guards)
	var until *time.Time
	err := db.QueryRow(ctx, countFailedSignInSQL, keys, most, ends(guards, f.At), f.At, failedEvent, nullable(f.UserID),
		nullable(f.Client.Logged()), nullable(UserAgent(f.Client)), f.detail()).Scan(&until)
	if err != nil || until == nil {
		return err
	}
	return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: until.Sub(f.At)}
}

const countFailedSignInSQL = countedFailure + `, audited as (
		insert into auth.audit_entries (at, event, user_id, address_prefix, user_agent, detail)
		select $4::timestamptz, $5::text, $6::uuid, $7::text, $8::text, $9::jsonb || case when exists (
			select from counted c join unnest($1::text[], $2::int[]) as g(key, most) using (key) where c.count >= g.most)
			then '{"locks": true}' else '{}' end::jsonb
	)` + countedOver

package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Raised is a session of which more is proved than before.
type Raised struct {
	auth.Session
	RefreshHash string        // of the first token of another chain: from now on no older one is good
	MaxLife     time.Duration // how long a session may last in all; 0 means any time
	Client      auth.Client
	Alive       Alive
	Entry       Entry
}

// RaiseSession has a live session go on at another level, with another refresh token that no older one leads to, and
// ends the user's other sessions that have not proved a second factor. Programs, which cannot, keep theirs. A session
// that is over is ErrChanged. It must run in a transaction that holds the user.
func (db *DB) RaiseSession(ctx context.Context, r Raised) error {
	amr, err := json.Marshal(r.AMR)
	if err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(holdSessionsSQL, r.UserID)
	b.Queue(raiseSessionSQL, r.Alive.Now, r.Alive.UsedAfter, r.Alive.OpenedAfter, r.ID, r.UserID, r.RefreshHash, r.AAL, amr,
		r.ExpiresAt, nullableDuration(r.MaxLife), nullable(UserAgent(r.Client)), nullable(r.Client.Prefix()))
	b.Queue(dropTripwiresSQL, r.ID)
	b.Queue(endLesserSessionsSQL, r.UserID, r.ID)
	queueEntry(b, r.Entry)
	counts, err := changed(ctx, db, b)
	if err == nil && counts[1] == 0 {
		err = ErrChanged
	}
	return err
}

const (
	raiseSessionSQL = `update auth.refresh_tokens t
		set refresh_token_hash = $6, aal = $7, amr = $8::jsonb, factor_due = false, rotated_at = $1,
			expires_at = least($9::timestamptz, t.ends_at, t.created_at + $10::interval), ends_at = least(t.ends_at, t.created_at + $10::interval),
			user_agent = $11, address_prefix = $12
		where t.id = $4 and t.user_id = $5 and` + isAlive
	dropTripwiresSQL     = `delete from auth.refresh_tripwires where session_id = $1`
	endLesserSessionsSQL = `delete from auth.refresh_tokens where user_id = $1 and id <> $2 and type in ('regular', 'oauth') and aal < 2 and factor_id is null
		and not coalesce(amr @? '$[*] ? ` + isFactorProof + `', false)`
)

// DropPendingFactor forgets a factor that was never confirmed. One that is there no more, or was confirmed meanwhile,
// is ErrChanged. It must run in a transaction.
func (db *DB) DropPendingFactor(ctx context.Context, factorID string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, e.UserID, e.At)
	b.Queue(keepSessionSQL, e.UserID, nullable(e.SessionID))
	b.Queue(dropPendingFactorSQL, factorID, e.UserID)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 3)
}

const dropPendingFactorSQL = `delete from auth.factors where id = $1 and user_id = $2 and status = 'pending'`

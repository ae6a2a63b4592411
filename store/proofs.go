package store

import (
	"context"
	"time"

	"postern/auth"
)

// Proofs are how a session was opened.
type Proofs struct {
	AAL int
	AMR []auth.Method
	// CreatedAt is when the session began; zero where the token names none.
	CreatedAt time.Time
}

// ProofsOf tells how the session of an actor was opened. Tokens of an older server name none: then it
// is level 1, by nothing known.
func (db *DB) ProofsOf(ctx context.Context, a auth.Actor) (Proofs, error) {
	if a.SessionID == "" {
		return Proofs{AAL: 1}, nil
	}
	return one[Proofs](ctx, db, proofsOfSessionSQL, a.SessionID, a.UserID)
}

const proofsOfSessionSQL = `select t.aal, t.amr, t.created_at from auth.refresh_tokens t where t.id = $1 and t.user_id = $2 and t.type = 'regular'`

// KeepSession holds the session of an actor until the transaction ends. One that is over is
// ErrChanged.
func (db *DB) KeepSession(ctx context.Context, a auth.Actor) error {
	return db.guarded(ctx, keepSessionSQL, a.UserID, nullable(a.SessionID))
}

package house

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"postern/claims"
	"postern/config"
	"postern/engine"
	"postern/store"
)

// firstLook is how long the start waits for whatever answers the questions of claims: what cannot work
// is then known before the first user comes. Whoever takes longer is waited for in the background.
const firstLook = 3 * time.Second

// Source is what the data of claims is asked of: Hasura's engine, or the database itself.
func Source(c *config.Config, db *store.DB, hasura *engine.Engine, now func() time.Time) claims.Source {
	if c.Claims.Source == "database" || hasura == nil {
		return db.Graph(c.Graph, now)
	}
	return hasura
}

// ClaimsError is why claims forbid the start.
type ClaimsError struct{ Report claims.Report }

// Error lists the problems.
func (e *ClaimsError) Error() string { return e.Report.Err().Error() }

// checkClaims settles Hasura's metadata and tries the claims before the first user does. Where nobody
// answers yet, both are caught up on in the background. In development a claim may be written before
// its table is: that is logged, and such a claim starts to work with the table.
func (h *House) checkClaims(ctx context.Context, source claims.Source, development bool) error {
	settling, cancel := context.WithTimeout(ctx, firstLook)
	err := h.metadata.atStart(settling)
	cancel()
	var down interface{ Unreachable() bool }
	if _, asked := source.(*engine.Engine); asked && errors.As(err, &down) && down.Unreachable() {
		return ctx.Err() // it would not answer now
	}
	looking, cancel := context.WithTimeout(ctx, firstLook)
	defer cancel()
	report, err := h.Kit.Claims.Check(looking)
	if err != nil { // what Keep logs
		return ctx.Err()
	}
	if report.Err() != nil && !development {
		return &ClaimsError{report}
	}
	if h.Kit.Claims.None() && len(report.Problems) > 0 { // there is nothing left that Keep would check
		h.claimsChecked(ctx, report, nil)
	}
	return nil
}

// claimsChecked logs what a check of the claims found, when it is something else than before.
func (h *House) claimsChecked(ctx context.Context, r claims.Report, err error) {
	if err != nil {
		h.log.WarnContext(ctx, "custom claims cannot be checked; trying again", slog.String("reason", err.Error()))
		return
	}
	for _, p := range r.Problems {
		h.log.ErrorContext(ctx, "a custom claim cannot work", slog.String("problem", p.String()))
	}
	for _, p := range r.Warnings {
		h.log.WarnContext(ctx, "a custom claim may surprise", slog.String("notice", p.String()))
	}
	if len(r.Problems) == 0 {
		h.log.InfoContext(ctx, "custom claims are checked", slog.Int("claims", r.Claims), slog.String("query", r.Query))
	}
}

// tellEvery bounds the events about one claim that fails: for whom, is in the log.
const tellEvery = time.Minute

// failures tells of claims that could not be computed.
type failures struct {
	store *store.DB
	log   *slog.Logger
	now   func() time.Time

	mu   sync.Mutex
	told map[string]time.Time // by claim, when there was last an event
}

// note logs a failure and, once in a while, makes an event of it.
func (f *failures) note(ctx context.Context, failed claims.Failure) {
	claim := failed.Claim
	if claim == "" {
		claim = "all"
	}
	due := f.due(claim)
	if due || !failed.Known { // what is the same for every token is told once in a while
		f.log.WarnContext(ctx, "a custom claim could not be computed", slog.String("claim", claim),
			slog.String("user", failed.UserID), slog.String("reason", failed.Reason))
	}
	if !due {
		return
	}
	telling, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := f.store.Tell(telling, store.Entry{
		Event: "claims.failed", UserID: failed.UserID, At: f.now(),
		Detail: map[string]any{"claim": claim, "reason": failed.Reason, "unreachable": failed.Unreachable},
	})
	if err != nil {
		f.log.WarnContext(ctx, "the failure of a claim could not be told", slog.String("reason", err.Error()))
	}
}

func (f *failures) due(claim string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := f.now()
	if last, ok := f.told[claim]; ok && now.Sub(last) < tellEvery {
		return false
	}
	f.told[claim] = now
	return true
}

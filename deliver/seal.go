package deliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"postern/store"
)

const (
	sealEvery   = 750 * time.Millisecond // how often somebody looks whether entries wait: a statement of one row
	sealStep    = 2000                   // entries that are sealed at once
	complainBy  = 10 * time.Minute       // how often the same trouble is told
	showEvery   = time.Hour              // how often the log is told where the chain ends
	leaveItTime = 10 * time.Second       // between two looks while it lasts
)

// sealer binds the entries of the audit log to their chain, soon after they are committed. Every server has
// one; they take turns. An entry costs whoever writes it no lock that others wait for, and one that is committed
// late is sealed late.
type sealer struct {
	store *store.DB
	chain *store.Chain
	log   *slog.Logger
	now   func() time.Time

	begun   bool       // the chain is signed: nobody but a server that starts does that
	seen    store.Seal // the last that this server made or saw
	shown   time.Time  // when the log was told where the chain ends
	witness int64      // which seal that was

	told  time.Time // when trouble was told last
	about string    // which
}

func (c *Carriers) sealer() *sealer {
	return &sealer{store: c.Store, chain: store.NewChain(c.Keys.ChainKeys()), log: c.Log, now: c.Now}
}

// run seals until stop ends; working ends what is under way.
func (s *sealer) run(stop, working context.Context) {
	tick := time.NewTicker(sealEvery)
	defer tick.Stop()
	var rests time.Time
	for {
		if !s.now().Before(rests) {
			if err := s.all(stop, working); err != nil && stop.Err() == nil {
				s.complain(working, err)
				rests = s.now().Add(leaveItTime)
			}
		}
		select {
		case <-stop.Done():
			// What was written until now may be the last for a long time.
			_ = s.all(working, working)
			return
		case <-tick.C:
		}
	}
}

// begin signs a chain that is new, and tells where it ends: what the log has is a witness that whoever changes the
// database does not reach.
func (s *sealer) begin(ctx context.Context) error {
	last, begun, err := s.store.BeginChain(ctx, s.chain, s.now())
	if err != nil {
		return err
	}
	s.begun, s.shown, s.witness = true, s.now(), last.No
	switch {
	case begun == nil:
	case begun.Through > 0:
		s.log.WarnContext(ctx, "the audit log begins to be sealed and has entries already, which nothing proves: unless this is the first start, somebody made it anew", slog.Int64("entries", begun.Through))
	default:
		s.log.InfoContext(ctx, "the audit log begins to be sealed: unless this is the first start, somebody took it away")
	}
	s.log.InfoContext(ctx, "the audit log ends at", slog.String("head", headText(last)))
	return nil
}

// show tells each hour where the chain ends, as far as this server knows, when it is somewhere else.
func (s *sealer) show(ctx context.Context) {
	if now := s.now(); s.seen.No != s.witness && now.Sub(s.shown) >= showEvery {
		s.shown, s.witness = now, s.seen.No
		s.log.InfoContext(ctx, "the audit log ends at", slog.String("head", headText(s.seen)))
	}
}

func headText(s store.Seal) string { return fmt.Sprintf("%d:%x", s.No, s.Seal) }

// all seals what waits.
func (s *sealer) all(stop, working context.Context) error {
	if !s.begun {
		if err := s.begin(working); err != nil {
			return err
		}
	}
	s.show(working)
	waits, err := s.store.Waits(stop)
	for err == nil && waits && stop.Err() == nil {
		var did store.Sealing
		did, err = s.store.SealEntries(working, s.chain, s.seen, sealStep, s.now())
		s.seen, waits = did.Last, did.Waited == sealStep
		if did.Late > 0 {
			s.log.WarnContext(working, "entries of the audit log were sealed more than an hour after their time: no server ran meanwhile, or somebody dated them back", slog.Int("entries", did.Late), slog.String("head", headText(did.Last)))
		}
	}
	return err
}

// complain tells of trouble, the same not again and again.
func (s *sealer) complain(ctx context.Context, err error) {
	now := s.now()
	if s.about == err.Error() && now.Sub(s.told) < complainBy {
		return
	}
	s.told, s.about = now, err.Error()
	level, text := slog.LevelWarn, "the audit log cannot be sealed, trying again"
	if errors.Is(err, store.ErrChainBroken) {
		level, text = slog.LevelError, "the audit log was tampered with: nothing more is sealed until somebody has looked; see 'postern audit verify'"
	}
	s.log.Log(ctx, level, text, slog.String("reason", err.Error()))
}

// activeDays is for how long it is kept who was seen on a day. How many were is kept for ever.
const activeDays = 31

// sweepAudit drops what of the audit log is kept no longer, and counts who was active.
func (c *Carriers) sweepAudit(ctx context.Context, now time.Time) error {
	since := now.Add(-2*c.SweepPeriod - time.Hour)
	err := c.Store.CountActive(ctx, since, now.AddDate(0, 0, -activeDays))
	if c.AuditKept == 0 {
		return err
	}
	months, expired := c.Store.ExpireAudit(ctx, store.NewChain(c.Keys.ChainKeys()), now.Add(-c.AuditKept), now)
	if months > 0 && expired == nil {
		c.Log.InfoContext(ctx, "entries of the audit log went whose time to be kept is over (AUTH_AUDIT_KEPT)", slog.Int("months", months))
	}
	return errors.Join(err, expired)
}

package deliver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"postern/events"
	"postern/store"
	"postern/tokens"
)

// EventSettings say where events go, and how.
type EventSettings struct {
	Endpoints   string        `env:"AUTH_EVENTS_ENDPOINTS" secret:"true" doc:"Where events go, as a JSON array of objects with the members name, url, secrets (whsec_… or whsk_…; the newest first, all sign), events (such as [\"user.*\", \"session.replayed\"]; without it all) and headers. Empty means nowhere. events.md explains."`
	Concurrency int           `env:"AUTH_EVENTS_CONCURRENCY" default:"8" min:"1" max:"200" doc:"How many events each server sends to one endpoint at the same time; never two of one user."`
	Timeout     time.Duration `env:"AUTH_EVENTS_TIMEOUT" default:"15s" min:"100ms" max:"30s" doc:"How long an endpoint may take to answer."`
	RetriedFor  time.Duration `env:"AUTH_EVENTS_RETRIED_FOR" default:"76h" min:"1m" max:"720h" doc:"How long an event is tried, with growing pauses, before it is kept as a dead letter."`
	DeadKept    time.Duration `env:"AUTH_EVENTS_DEAD_LETTERS_KEPT" default:"2160h" min:"1h" doc:"How long events are kept that did not arrive."`
}

// Check reports everything that is wrong with the endpoints.
func (s EventSettings) Check(report func(env, problem string)) {
	events.Parse(s.Endpoints, func(problem string) { report("AUTH_EVENTS_ENDPOINTS", problem) })
}

// Parse gives the endpoints. What is wrong with them, Check has reported.
func (s EventSettings) Parse() []events.Endpoint {
	return events.Parse(s.Endpoints, func(string) {})
}

const (
	lookEvery  = 500 * time.Millisecond
	lookBack   = 10 * time.Second // how long a transaction takes to commit, mostly
	lookFarBy  = 30 * time.Second // how often somebody looks for the others …
	lookFar    = 10 * time.Minute // … which take up to this long
	lookAllBy  = time.Hour        // and how often for whatever else was missed
	laneMargin = 10 * time.Second // beyond the time limit of an attempt, until another server takes a lane over
	laneEvents = 16               // events sent from one lane before others have their turn
	brokenAt   = 5                // failures in a row that make an endpoint count as down
	probeEvery = 5 * time.Second  // how often one lane is tried while it is
	leastTries = 5                // of an event before it is given up, however old it is
	laterGone  = time.Hour        // when an endpoint is asked again that wants no more
	atOncePool = 2 * time.Second  // for the statement that gives a lane back at the end
)

// route carries events to one endpoint. Every server has one for each endpoint; what they share is
// in the database.
type route struct {
	settings EventSettings
	sender   *events.Sender
	receiver store.Receiver
	store    *store.DB
	log      *slog.Logger
	now      func() time.Time
	rest     func(attempts int, down bool) time.Duration

	looked, lookedFar, lookedAll time.Time // when users were last looked for

	slots chan struct{} // a lane that is worked on has one
	freed chan struct{} // a slot was given back
	lanes sync.WaitGroup

	mu       sync.Mutex
	failures int       // in a row
	closed   time.Time // nothing is sent before
}

// OpenRoutes makes a way to each endpoint. What happens from then on is for it, when it is new.
func (c *Carriers) OpenRoutes(ctx context.Context) error {
	for _, e := range c.Events.Parse() {
		since, err := c.Store.EnsureReceiver(ctx, e.Name, c.Now())
		if err != nil {
			return fmt.Errorf("deliver: %w", err)
		}
		c.routes = append(c.routes, &route{
			settings: c.Events, sender: e.Open(c.Events.Concurrency, c.Events.Timeout, c.Now),
			receiver: store.Receiver{Name: e.Name, Since: since, Types: e.Patterns()},
			store:    c.Store, log: c.Log.With(slog.String("endpoint", e.Name)), now: c.Now, rest: jittered,
			slots: make(chan struct{}, c.Events.Concurrency), freed: make(chan struct{}, 1),
		})
	}
	return nil
}

// run carries until stop ends; working ends what is under way.
func (r *route) run(stop, working context.Context) {
	defer r.sender.Close()
	defer r.lanes.Wait()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		r.look(stop)
		for stop.Err() == nil && r.take(stop, working) {
		}
		select {
		case <-stop.Done():
			return
		case <-tick.C:
		case <-r.freed:
		}
	}
}

// look finds users who have something to be sent. Rows appear in the order in which transactions
// commit, not in that of their times: so every look goes back a little, some go further, and the
// first goes all the way.
func (r *route) look(ctx context.Context) {
	now := r.now()
	if now.Sub(r.looked) < lookEvery/2 {
		return
	}
	after := r.looked.Add(-lookBack)
	far, all := now.Sub(r.lookedFar) >= lookFarBy, now.Sub(r.lookedAll) >= lookAllBy
	switch {
	case all:
		after = time.Time{}
	case far:
		after = r.lookedFar.Add(-lookFar)
	}
	_, err := r.store.FindDue(ctx, r.receiver, after, now)
	if err != nil {
		r.failed(ctx, "events cannot be looked for", err)
		return
	}
	r.looked = now
	if far || all {
		r.lookedFar = now
	}
	if all {
		r.lookedAll = now
	}
}

// take begins to work on lanes that are due, and tells whether there may be more.
func (r *route) take(stop, working context.Context) bool {
	most := r.most()
	if most == 0 {
		return false
	}
	now := r.now()
	claims, err := r.store.ClaimLanes(stop, r.receiver, tokens.NewUUID(), most, now, r.until(now))
	if err != nil {
		r.failed(stop, "events cannot be taken up", err)
		return false
	}
	for _, c := range claims {
		r.slots <- struct{}{} // there is room: nobody else fills it
		r.lanes.Go(func() {
			defer func() {
				<-r.slots
				select {
				case r.freed <- struct{}{}:
				default:
				}
			}()
			r.carry(working, c)
		})
	}
	return len(claims) == most
}

// most is how many lanes may be begun: one, once in a while, at an endpoint that is down.
func (r *route) most() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.now()
	if now.Before(r.closed) {
		return 0
	}
	if r.failures >= brokenAt {
		r.closed = now.Add(probeEvery)
		return min(1, cap(r.slots)-len(r.slots))
	}
	return cap(r.slots) - len(r.slots)
}

// until is when a lane may be taken from somebody who says nothing any more.
func (r *route) until(now time.Time) time.Time { return now.Add(r.settings.Timeout + laneMargin) }

// carry sends what a lane holds, in order, until it is empty, an event fails, or others should have
// their turn.
func (r *route) carry(ctx context.Context, c store.Claim) {
	list, err := r.store.NextEvents(ctx, c, laneEvents)
	if err != nil {
		r.handBack(ctx, c, err)
		return
	}
	for _, e := range list {
		err := r.sender.Send(ctx, message(e))
		if ctx.Err() != nil {
			r.handBack(ctx, c, nil) // nobody knows whether it arrived: it goes again, with the same id
			return
		}
		if err != nil {
			r.stumble(ctx, c, e, err)
			return
		}
		r.recovered(ctx)
		c.Attempts = 0
		if err := r.store.Delivered(ctx, c, e, r.until(r.now())); err != nil {
			r.handBack(ctx, c, err)
			return
		}
	}
	if err := r.store.Leave(ctx, c, r.now()); err != nil {
		r.handBack(ctx, c, err)
	}
}

func message(e store.Event) events.Message {
	return events.Message{ID: events.MessageID(e.ID), Type: e.Type, Timestamp: e.At.UTC(), Data: json.RawMessage(e.Payload)}
}

// handBack gives a lane to whoever comes next. One that is somebody else's already needs no more.
func (r *route) handBack(ctx context.Context, c store.Claim, cause error) {
	if errors.Is(cause, store.ErrChanged) {
		return
	}
	if cause != nil {
		r.failed(ctx, "the progress of events cannot be noted", cause)
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), atOncePool)
	defer cancel()
	due := r.now()
	if cause != nil {
		due = due.Add(time.Second)
	}
	_ = r.store.Postpone(last, c, c.Attempts, "", due) // else it is due again by itself, a little later
}

// stumble notes a failed attempt: the user's lane waits, or goes on without the event.
func (r *route) stumble(ctx context.Context, c store.Claim, e store.Event, err error) {
	now, attempts := r.now(), c.Attempts+1
	var f *events.Failure
	if !errors.As(err, &f) {
		f = &events.Failure{Reason: err.Error()}
	}
	r.count(f, now)
	about := []any{
		slog.String("event", events.MessageID(e.ID)), slog.String("type", e.Type), slog.String("user", e.UserID),
		slog.Int("attempt", attempts), slog.String("reason", f.Reason),
	}
	if attempts >= leastTries && now.Sub(e.WaitsAt) >= r.settings.RetriedFor {
		r.log.ErrorContext(ctx, "event given up, kept as a dead letter", about...)
		err = r.store.Bury(ctx, c, e, store.Letter{Attempts: attempts, Error: f.Reason, At: now})
	} else {
		level := slog.LevelWarn
		if f.Gone {
			level = slog.LevelError // the operator should take the endpoint out of the settings
		}
		r.log.Log(ctx, level, "event did not arrive, will be sent again", about...)
		err = r.store.Postpone(ctx, c, attempts, f.Reason, now.Add(max(f.RetryAfter, r.rest(attempts, f.Down))))
	}
	if err != nil {
		r.handBack(ctx, c, err)
	}
}

// count keeps the failures in a row, and what the endpoint asks of everybody.
func (r *route) count(f *events.Failure, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures++
	wait := f.RetryAfter
	if f.Gone {
		wait = laterGone
	}
	if until := now.Add(min(wait, laterGone)); until.After(r.closed) {
		r.closed = until
	}
	if r.failures == brokenAt {
		r.log.Error("endpoint counts as down: its events wait, one is tried now and then", slog.String("reason", f.Reason))
	}
}

// recovered notes that an event arrived. After a time in which nothing did, all that waits is due.
func (r *route) recovered(ctx context.Context) {
	r.mu.Lock()
	down := r.failures >= brokenAt
	r.failures = 0
	if down {
		r.closed = time.Time{}
	}
	r.mu.Unlock()
	if !down {
		return
	}
	n, err := r.store.Rouse(ctx, r.receiver, r.now())
	if err != nil {
		r.failed(ctx, "events cannot be taken up again", err)
		return
	}
	r.log.InfoContext(ctx, "endpoint takes events again", slog.Int64("users_waiting", n))
}

func (r *route) failed(ctx context.Context, what string, err error) {
	if ctx.Err() == nil {
		r.log.WarnContext(ctx, what, slog.String("reason", err.Error()))
	}
}

// schedule is how long an event rests after each failed attempt, the last entry ever after.
var schedule = [...]time.Duration{
	5 * time.Second, time.Minute, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour,
	5 * time.Hour, 10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// downRest is the longest pause of an event whose endpoint is down.
const downRest = 30 * time.Second

// restAfter is the pause after so many attempts. An endpoint that is down is asked at least twice a
// minute, so that its events come soon after it is back, whoever remembers that it was down.
func restAfter(attempts int, down bool) time.Duration {
	d := schedule[min(max(attempts, 1), len(schedule))-1]
	if down {
		return min(d, downRest)
	}
	return d
}

// jittered adds up to a fifth, so that what failed together does not come back together.
func jittered(attempts int, down bool) time.Duration {
	d := restAfter(attempts, down)
	return d + time.Duration(rand.Int64N(int64(d)/5+1)) //nolint:gosec // chance is enough to spread load
}

package claims

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"postern/auth"
)

// Mapper computes the custom claims of users. A nil Mapper has none. It is safe for concurrent use
// once its functions are set.
type Mapper struct {
	// Failed is told of each failure; nil tells nobody.
	Failed func(ctx context.Context, f Failure)
	// Checked is told what Keep finds, whenever it is something else than before; nil tells nobody.
	// The error says why the source could not be asked.
	Checked func(ctx context.Context, r Report, err error)

	settings Settings
	now      func() time.Time
	defs     *definitions
	asker    *asker
	plan     atomic.Pointer[plan] // nil until the source has been asked

	broken chan struct{} // tells Keep that a required claim has broken

	mu        sync.Mutex
	flight    *flight   // who reads the schema at the moment
	fruitless time.Time // when the schema was last read in vain, after an error of the source
	unread    error     // why it could not be read, the last time
	passed    bool      // a check found nothing that forbids the start
	failures  map[string]uint64
}

// Open reads the definitions. It asks nobody. The error lists all that forbids the start.
func Open(s Settings, source Source, now func() time.Time) (*Mapper, error) {
	m := newMapper(s, source, now)
	if err := (Report{Problems: m.defs.problems}).Err(); err != nil {
		return nil, err
	}
	if !m.None() && source == nil {
		return nil, errors.New("there are custom claims, and nothing that their data could come from")
	}
	return m, nil
}

func newMapper(s Settings, source Source, now func() time.Time) *Mapper {
	s = s.withDefaults()
	m := &Mapper{settings: s, now: now, defs: s.read(), failures: map[string]uint64{}, broken: make(chan struct{}, 1)}
	m.asker = &asker{source: source, now: now, slots: make(chan struct{}, s.Concurrency), broken: make(chan struct{}, 1)}
	return m
}

// None tells that no claims are configured.
func (m *Mapper) None() bool { return m == nil || len(m.defs.list) == 0 }

// Of computes the claims of a user: full names and literals. known are fields of the user that the
// caller is about to change, and that count more than what the source says. An error is the context's
// own or wraps auth.ClaimMissing or auth.ClaimsUnavailable: a required claim has no value, or cannot
// be computed.
func (m *Mapper) Of(ctx context.Context, userID string, known map[string]any) (map[string]string, error) {
	if m.None() {
		return nil, nil
	}
	r, err := m.run(ctx, userID, known)
	if err != nil {
		return nil, err
	}
	m.tell(ctx, userID, r)
	claims := make(map[string]string, len(r.outcomes))
	for _, o := range r.outcomes {
		if err := o.refusal(); err != nil {
			return nil, err
		}
		if o.ok {
			claims[o.name] = o.literal
		}
	}
	return claims, nil
}

// refusal says why there must be no token, or nothing.
func (o *outcome) refusal() error {
	switch {
	case !o.required:
		return nil
	case o.state == Failed:
		return fmt.Errorf("%w: claim %s: %s", unavailable(), o.written, o.reason)
	case !o.ok:
		return fmt.Errorf("%w: claim %s: %s", auth.ClaimMissing, o.written, o.reason)
	}
	return nil
}

// unavailable asks the client to come again soon.
func unavailable() error {
	return auth.TooSoon{Code: auth.ClaimsUnavailable, RetryAfter: time.Second}
}

// run is one computation of all claims.
type run struct {
	plan     *plan // nil when there is none yet
	source   *sourceError
	took     time.Duration // by the source
	outcomes []*outcome
}

// run computes every claim. The error is the context's own: whoever asked has gone.
func (m *Mapper) run(ctx context.Context, userID string, known map[string]any) (*run, error) {
	r := &run{}
	user, err := m.fetch(ctx, r, userID)
	if err != nil && !errors.As(err, &r.source) {
		return nil, err
	}
	evaluating, cancel := bounded(ctx, m.settings.Timeout)
	defer cancel()
	for i := range m.defs.list {
		o := &outcome{definition: &m.defs.list[i]}
		switch {
		case r.source != nil && o.broken == "":
			o.fail(r.source.reason)
		case r.source != nil:
			o.fail(o.broken)
			o.known = true
		default:
			o.compute(evaluating, m, r.plan.claims[i], user, known)
		}
		r.outcomes = append(r.outcomes, o)
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	fit(r.outcomes, m.settings.MaxBytes)
	return r, nil
}

// fetch asks the source for all that the claims of a user need. When the source says that the query is
// wrong, its schema may have changed: it is read again, and the query asked once more.
func (m *Mapper) fetch(ctx context.Context, r *run, userID string) (map[string]any, error) {
	asking, cancel := bounded(ctx, m.settings.Timeout)
	defer cancel()
	var err error
	if r.plan = m.plan.Load(); r.plan == nil {
		if r.plan, err = m.refresh(asking, nil, false); err != nil {
			return nil, err
		}
	}
	began := m.now()
	user, err := m.question(asking, r.plan, userID)
	var failed *sourceError
	if errors.As(err, &failed) && !failed.unreachable && failed.answered {
		fresh, err2 := m.again(asking, r.plan)
		if gone(ctx) {
			return nil, ctx.Err()
		}
		if err2 == nil && fresh != nil {
			r.plan = fresh
			user, err = m.question(asking, fresh, userID)
		}
	}
	r.took = m.now().Sub(began)
	return user, err
}

// question asks one query and reads the answer.
func (m *Mapper) question(ctx context.Context, p *plan, userID string) (map[string]any, error) {
	answer, err := m.asker.ask(ctx, question{query: p.query, user: userID})
	if err != nil {
		return nil, err
	}
	value, err := decode(answer)
	roots, ok := value.(map[string]any)
	if err != nil || !ok {
		return nil, &sourceError{reason: "the source cannot be asked: its answer is no JSON object", unreachable: true}
	}
	for _, c := range p.claims {
		if c.wrong != "" {
			continue
		}
		user, there := roots[c.root]
		if _, ok := user.(map[string]any); !ok && user != nil || !there {
			return nil, &sourceError{reason: "the source cannot be asked: its answer does not fit the query", unreachable: true}
		}
		if user == nil {
			return nil, &sourceError{reason: "the source has no such user"}
		}
	}
	return roots, nil
}

// tell counts the failures and tells them.
func (m *Mapper) tell(ctx context.Context, userID string, r *run) {
	var list []Failure
	m.mu.Lock()
	for _, o := range r.outcomes {
		if o.state != Failed {
			continue
		}
		m.failures[o.name]++
		if r.source == nil || o.known {
			list = append(list, Failure{Claim: o.name, UserID: userID, Reason: o.reason, Known: o.known})
		}
	}
	m.mu.Unlock()
	if r.source != nil {
		list = append(list, Failure{UserID: userID, Reason: r.source.reason, Unreachable: r.source.unreachable})
	}
	if m.Failed == nil {
		return
	}
	for _, f := range list {
		m.Failed(ctx, f)
	}
}

// Failures counts, by full name, how often each claim could not be computed.
func (m *Mapper) Failures() map[string]uint64 {
	if m.None() {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.failures)
}

// Ready says why the server should get no traffic, or nothing: a required claim cannot be computed now,
// or, before a check has passed, any claim forbids the start. A table that is dropped under a running
// server does not take the server down for the sake of a claim that is not required. The error wraps
// auth.ClaimsUnavailable.
func (m *Mapper) Ready() error {
	if m.None() {
		return nil
	}
	m.mu.Lock()
	passed := m.passed
	m.mu.Unlock()
	return m.able(passed)
}

// Able says why no token can be made for anybody now, or nothing: a required claim cannot be computed.
// The error wraps auth.ClaimsUnavailable.
func (m *Mapper) Able() error {
	if m.None() {
		return nil
	}
	return m.able(true)
}

func (m *Mapper) able(requiredOnly bool) error {
	var needed []string
	for _, def := range m.defs.list {
		if def.required {
			needed = append(needed, def.written)
		}
	}
	p := m.plan.Load()
	m.mu.Lock()
	why := m.unread
	m.mu.Unlock()
	if p != nil {
		if err := p.report.forbids(requiredOnly); err != nil {
			return fmt.Errorf("%w: %w", unavailable(), err)
		}
	}
	switch {
	case len(needed) == 0:
		return nil
	case p == nil:
		if why == nil {
			why = errors.New("the schema of the source has not been read yet")
		}
		return fmt.Errorf("%w: required claims (%s) are not checked: %w", unavailable(), strings.Join(needed, ", "), why)
	case m.asker.down():
		return fmt.Errorf("%w: required claims (%s) cannot be computed: the source does not answer", unavailable(), strings.Join(needed, ", "))
	}
	return nil
}

package claims

import (
	"context"
	"errors"
	"slices"
	"time"

	"postern/claims/schema"

	"postern/pause"
)

const (
	schemaTime = 30 * time.Second // how long reading the schema may take where nobody waits for a token
	waitFirst  = time.Second      // between two tries to read it
	waitMost   = 30 * time.Second
	waitVain   = 5 * time.Second // between two readings that errors of the source caused in vain
)

// flight is one reading of the schema that many may wait for.
type flight struct {
	done chan struct{}
	plan *plan
	err  error
}

// refresh reads the schema and checks the claims, once for all who ask at the same time. Unless it is
// forced, it is content with any plan that is not the stale one.
func (m *Mapper) refresh(ctx context.Context, stale *plan, force bool) (*plan, error) {
	for {
		m.mu.Lock()
		if have := m.plan.Load(); !force && have != stale {
			m.mu.Unlock()
			return have, nil
		}
		f := m.flight
		if f == nil {
			f = &flight{done: make(chan struct{})}
			m.flight = f
			m.mu.Unlock()
			m.lead(ctx, f, force)
			return f.plan, f.err
		}
		m.mu.Unlock()
		select {
		case <-f.done:
		case <-ctx.Done():
			if gone(ctx) {
				return nil, ctx.Err()
			}
			return nil, &sourceError{reason: "the schema of the source was not read in time", unreachable: true}
		}
		var failed *sourceError
		if f.err == nil || errors.As(f.err, &failed) && !force {
			return f.plan, f.err
		}
		// Who read it has gone, or was a token, which has less time than a large schema takes: the next
		// one tries.
	}
}

// lead reads the schema for all who wait.
func (m *Mapper) lead(ctx context.Context, f *flight, insists bool) {
	f.plan, f.err = m.readPlan(ctx, insists)
	m.mu.Lock()
	defer m.mu.Unlock()
	if f.err == nil {
		m.plan.Store(f.plan)
		if f.plan.report.forbids(true) != nil {
			select {
			case m.broken <- struct{}{}: // tokens are refused now, so Keep looks again soon
			default:
			}
		}
		m.passed = m.passed || f.plan.report.Err() == nil
	}
	m.unread = f.err
	m.flight = nil
	close(f.done)
}

func (m *Mapper) readPlan(ctx context.Context, insists bool) (*plan, error) {
	answer, err := m.asker.ask(ctx, question{query: schema.Introspection, insists: insists})
	if err != nil {
		return nil, err
	}
	s, err := schema.Decode(answer)
	if err != nil {
		return nil, &sourceError{reason: err.Error()}
	}
	p := build(ctx, m.defs, s, m.now())
	if source, ok := m.asker.source.(configured); ok {
		problems, err := source.Problems(ctx)
		if err != nil {
			return nil, explain(err, ctx.Err() != nil)
		}
		p.misconfigured(problems, m.defs.lenient)
	}
	switch {
	case gone(ctx):
		return nil, ctx.Err()
	case ctx.Err() != nil:
		return nil, &sourceError{reason: "the claims were not checked in time", unreachable: true}
	}
	return p, nil
}

// again reads the schema after the source refused a plan's query. It gives nil when there is nothing
// new, and does not ask again for some seconds then.
func (m *Mapper) again(ctx context.Context, refused *plan) (*plan, error) {
	m.mu.Lock()
	tooSoon := m.plan.Load() == refused && m.now().Sub(m.fruitless) < waitVain
	m.mu.Unlock()
	if tooSoon {
		return nil, nil
	}
	fresh, err := m.refresh(ctx, refused, false)
	if err == nil && fresh.query != refused.query {
		return fresh, nil
	}
	m.mu.Lock()
	m.fruitless = m.now()
	m.mu.Unlock()
	return nil, err
}

// Keep checks the claims as soon as the source answers, and again whenever the schema may have
// changed, until the context ends.
func (m *Mapper) Keep(ctx context.Context) {
	if m.None() {
		return
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var told *verdict
	backingOff := false // the next look comes soon already
	for wait := waitFirst; ; {
		select {
		case <-ctx.Done():
			return
		case <-m.broken:
			if !backingOff {
				timer.Reset(wait)
				backingOff = true
			}
			continue
		case <-m.asker.broken:
			m.probe(ctx)
			timer.Reset(0) // to say what was found
			continue
		case <-timer.C:
		}
		report, err := m.check(ctx)
		if ctx.Err() != nil {
			return
		}
		if now := judge(report, err); told == nil || !told.same(now) {
			told = &now
			if m.Checked != nil {
				m.Checked(ctx, report, err)
			}
		}
		if err != nil || report.forbids(true) != nil { // tokens are refused meanwhile
			timer.Reset(wait)
			wait = min(2*wait, waitMost)
			backingOff = true
			continue
		}
		wait, backingOff = waitFirst, false
		timer.Reset(m.settings.SchemaRefresh)
	}
}

// nobodysID is the id of a user whom no source has.
const nobodysID = "00000000-0000-0000-0000-000000000000"

// probe asks a source that is left alone until it answers: while the server is not ready for it, no token
// may come to find out.
func (m *Mapper) probe(ctx context.Context) {
	for m.asker.down() {
		if pause.For(ctx, breakFor) != nil {
			return
		}
		if p := m.plan.Load(); p != nil {
			asking, cancel := bounded(ctx, m.settings.Timeout)
			_, _ = m.asker.ask(asking, question{query: p.query, user: nobodysID, insists: true}) // the asker notes how it went
			cancel()
		} else if _, err := m.Check(ctx); err == nil {
			return
		}
	}
}

// check is Check, but content with a plan that is still fresh: the start, or a token, was faster.
func (m *Mapper) check(ctx context.Context) (Report, error) {
	if p := m.plan.Load(); p != nil && m.now().Sub(p.read) < min(waitFirst, m.settings.SchemaRefresh) {
		return p.report, nil
	}
	return m.Check(ctx)
}

// verdict is what there is to say about a check.
type verdict struct {
	err   string
	lines []string
}

func judge(r Report, err error) verdict {
	if err != nil {
		return verdict{err: err.Error()}
	}
	v := verdict{}
	for _, p := range slices.Concat(r.Problems, r.Warnings) {
		v.lines = append(v.lines, p.text())
	}
	return v
}

func (v *verdict) same(other verdict) bool {
	return v.err == other.err && slices.Equal(v.lines, other.lines)
}

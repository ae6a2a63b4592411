package flow

import (
	"context"
	"errors"
	"sync"
	"time"
)

const (
	mostRemembered = 16 << 20 // bytes
	visitPatience  = 10 * time.Second
)

var errVisitBroke = errors.New("the look into the database broke off")

// question is all that an answer about a request depends on beside the database.
type question struct {
	credential [32]byte // SHA-256 of the whole credential
	role       string
	issuer     string
}

// memory remembers who credentials speak of, for as long as it is allowed to. Only what was found is
// remembered: a refusal is judged anew every time, so that nobody stays locked out by it, and nobody fills
// the memory with credentials that are none.
type memory struct {
	mu     sync.Mutex
	known  map[question]*remembered
	ofUser map[string][]question
	visits map[question]*visit // under way
	size   int
}

type remembered struct {
	identity *Identity
	userID   string
	since    time.Time
	size     int
}

// good tells whether the answer may be given again. Where the clock went back, it may not.
func (r *remembered) good(now time.Time) bool {
	return !now.Before(r.since) && now.Before(r.identity.Fresh) && (r.identity.Ends.IsZero() || now.Before(r.identity.Ends))
}

// visit is one look into the database. Those who ask the same meanwhile share it.
type visit struct {
	memory   *memory
	since    time.Time
	done     chan struct{}
	userID   string // empty while it is not known
	outdated bool   // something changed since it began: who is on it gets the answer, and nobody after
	unkept   bool   // it is about to be asked for anew every time; known when it is over
	identity *Identity
	err      error
}

// fresh tells whether what a visit finds may be told to somebody who asks now: it looked when it began, or
// after that.
func (v *visit) fresh(now time.Time, life time.Duration) bool {
	return !now.Before(v.since) && now.Sub(v.since) < life
}

// of says whom the visit turned out to be about.
func (v *visit) of(userID string) {
	v.memory.mu.Lock()
	defer v.memory.mu.Unlock()
	v.userID = userID
}

// recall gives the remembered answer, or that of a visit.
func (m *memory) recall(ctx context.Context, q question, now time.Time, life time.Duration, look func(context.Context, *visit) (*Identity, error)) (*Identity, error) {
	m.mu.Lock()
	if r := m.known[q]; r != nil && r.good(now) {
		m.mu.Unlock()
		return r.identity, nil
	}
	if v := m.visits[q]; v != nil && v.fresh(now, life) {
		m.mu.Unlock()
		select {
		case <-v.done:
			return v.identity, v.err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if old := m.visits[q]; old != nil {
		old.outdated = true // what it finds is no longer for anybody else, and nobody would tell it of changes
	}
	v := &visit{memory: m, since: now, done: make(chan struct{}), err: errVisitBroke}
	if m.visits == nil {
		m.visits = map[question]*visit{}
	}
	m.visits[q] = v
	m.mu.Unlock()

	defer m.leave(q, v, now, life)
	// Others wait for the answer, so it does not end with the one who asks first.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), visitPatience)
	defer cancel()
	v.identity, v.err = look(ctx, v)
	switch {
	case v.err != nil:
	case v.unkept:
		v.identity.Fresh = now
	default:
		v.identity.Fresh = now.Add(life)
	}
	return v.identity, v.err
}

// leave ends a visit and remembers what it found, unless something changed meanwhile.
func (m *memory) leave(q question, v *visit, now time.Time, life time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	close(v.done)
	if m.visits[q] == v {
		delete(m.visits, q)
	}
	if v.outdated || v.unkept || v.err != nil || life <= 0 {
		return
	}
	m.drop(q)
	r := &remembered{identity: v.identity, userID: v.userID, since: now, size: sizeOf(q, v.identity)}
	if m.size+r.size > mostRemembered {
		m.makeRoom(now)
	}
	if m.known == nil {
		m.known, m.ofUser = map[question]*remembered{}, map[string][]question{}
	}
	m.known[q] = r
	m.ofUser[r.userID] = append(m.ofUser[r.userID], q)
	m.size += r.size
}

// sizeOf is about what an answer takes in memory.
func sizeOf(q question, i *Identity) int {
	n := 512 + len(q.role)
	for _, v := range i.Variables {
		n += 32 + len(v.Name) + len(v.Value)
	}
	return n
}

// makeRoom drops what is too old, and then whatever comes first, down to seven eighths.
func (m *memory) makeRoom(now time.Time) {
	for q, r := range m.known {
		if !r.good(now) {
			m.drop(q)
		}
	}
	for q := range m.known {
		if m.size <= mostRemembered/8*7 {
			return
		}
		m.drop(q)
	}
}

func (m *memory) drop(q question) {
	r := m.known[q]
	if r == nil {
		return
	}
	delete(m.known, q)
	m.size -= r.size
	rest := m.ofUser[r.userID]
	for i := range rest {
		if rest[i] == q {
			rest[i] = rest[len(rest)-1]
			rest = rest[:len(rest)-1]
			break
		}
	}
	if len(rest) == 0 {
		delete(m.ofUser, r.userID)
		return
	}
	m.ofUser[r.userID] = rest
}

// forget drops what is known of a user. A visit under way may have seen what was before, so nobody who
// asks from now on shares it, and its answer is not kept.
func (m *memory) forget(userID string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, q := range m.ofUser[userID] {
		m.size -= m.known[q].size
		delete(m.known, q)
	}
	delete(m.ofUser, userID)
	for q, v := range m.visits {
		if v.userID == "" || v.userID == userID {
			v.outdated = true
			delete(m.visits, q)
		}
	}
}

// forgetAll drops everything in the same way.
func (m *memory) forgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known, m.ofUser, m.size = nil, nil, 0
	for _, v := range m.visits {
		v.outdated = true
	}
	m.visits = nil
}

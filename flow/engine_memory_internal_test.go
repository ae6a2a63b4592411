package flow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// looks answers questions in the place of the database, and counts.
type looks struct {
	mu sync.Mutex
	n  int
}

func (l *looks) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.n
}

// of is a look that finds a user, after doing something.
func (l *looks) of(userID string, meanwhile func()) func(context.Context, *visit) (*Identity, error) {
	return func(_ context.Context, v *visit) (*Identity, error) {
		l.mu.Lock()
		l.n++
		l.mu.Unlock()
		v.of(userID)
		if meanwhile != nil {
			meanwhile()
		}
		return &Identity{Variables: []Variable{{variableUserID, userID}}}, nil
	}
}

func ask(credential string) question { return question{credential: sha256.Sum256([]byte(credential))} }

func TestMemoryRemembersForItsTime(t *testing.T) {
	t.Parallel()
	var m memory
	var l looks
	start := time.Unix(1_000_000, 0)
	for i, c := range []struct {
		after time.Duration
		looks int
	}{{0, 1}, {4999 * time.Millisecond, 1}, {5 * time.Second, 2}, {9 * time.Second, 2}, {-time.Hour, 3}, {0, 4}} {
		if _, err := m.recall(t.Context(), ask("a"), start.Add(c.after), 5*time.Second, l.of("ada", nil)); err != nil {
			t.Fatal(err)
		}
		if l.count() != c.looks {
			t.Errorf("question %d: %d looks, want %d", i, l.count(), c.looks)
		}
	}
	if len(m.known) != 1 || len(m.ofUser["ada"]) != 1 {
		t.Errorf("it holds %d answers, %d of the user", len(m.known), len(m.ofUser["ada"]))
	}
}

// Whatever changes while somebody looks may have come too late for the look: its answer is given to who asked,
// and not kept.
func TestMemoryKeepsNothingThatChangedMeanwhile(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	for name, c := range map[string]struct {
		change func(*memory)
		kept   bool
	}{
		"nothing":         {func(*memory) {}, true},
		"the user":        {func(m *memory) { m.forget("ada") }, false},
		"another user":    {func(m *memory) { m.forget("bob") }, true},
		"perhaps anybody": {func(m *memory) { m.forgetAll() }, false},
	} {
		var m memory
		var l looks
		for range 2 {
			_, err := m.recall(t.Context(), ask("a"), now, time.Second, l.of("ada", func() {
				if l.count() == 1 {
					c.change(&m)
				}
			}))
			if err != nil {
				t.Fatal(err)
			}
		}
		if kept := l.count() == 1; kept != c.kept {
			t.Errorf("%s changed: kept %t", name, kept)
		}
	}
	// Before a look knows whom it is about, it may be about anybody.
	var m memory
	var l looks
	find := l.of("ada", nil)
	for range 2 {
		_, err := m.recall(t.Context(), ask("a"), now, time.Second, func(ctx context.Context, v *visit) (*Identity, error) {
			m.forget("bob")
			return find(ctx, v)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if l.count() != 2 {
		t.Errorf("%d looks, want 2", l.count())
	}
}

// Who asks after a change never shares a look that began before it.
func TestMemorySharesALookUntilSomethingChanges(t *testing.T) {
	t.Parallel()
	var m memory
	var l looks
	now := time.Unix(1_000_000, 0)
	begun, finish := make(chan struct{}), make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		_, _ = m.recall(t.Context(), ask("a"), now, time.Second, l.of("ada", func() { close(begun); <-finish }))
	})
	<-begun
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := m.recall(impatient, ask("a"), now, time.Second, l.of("ada", nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	for range 8 {
		wg.Go(func() {
			if i, err := m.recall(t.Context(), ask("a"), now, time.Second, l.of("other", nil)); err != nil || i.Variables[0].Value == "" {
				t.Errorf("got %v, %v", i, err)
			}
		})
	}
	m.forget("ada")
	if i, err := m.recall(t.Context(), ask("a"), now, time.Second, l.of("new", nil)); err != nil || i.Variables[0].Value != "new" && i.Variables[0].Value != "other" {
		t.Errorf("after the change: %v, %v", i, err)
	}
	close(finish)
	wg.Wait()
	if i, err := m.recall(t.Context(), ask("a"), now, time.Second, l.of("later", nil)); err != nil || i.Variables[0].Value == "ada" {
		t.Errorf("what was before the change is remembered: %v, %v", i, err)
	}
}

func TestMemoryRemembersNoRefusalAndSurvivesPanics(t *testing.T) {
	t.Parallel()
	var m memory
	now := time.Unix(1_000_000, 0)
	no := errors.New("no")
	for range 2 {
		_, err := m.recall(t.Context(), ask("a"), now, time.Second, func(context.Context, *visit) (*Identity, error) { return nil, no })
		if !errors.Is(err, no) {
			t.Fatal(err)
		}
	}
	func() {
		defer func() { _ = recover() }()
		_, _ = m.recall(t.Context(), ask("a"), now, time.Second, func(context.Context, *visit) (*Identity, error) { panic("broken") })
	}()
	var l looks
	if _, err := m.recall(t.Context(), ask("a"), now, time.Second, l.of("ada", nil)); err != nil || l.count() != 1 || len(m.visits) != 0 {
		t.Errorf("%v, %d looks, %d under way", err, l.count(), len(m.visits))
	}
	// An asker who leaves does not take the answer from those who wait.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := m.recall(gone, ask("b"), now, time.Second, func(ctx context.Context, _ *visit) (*Identity, error) { return &Identity{}, ctx.Err() })
	if err != nil {
		t.Error(err)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	t.Parallel()
	var m memory
	var l looks
	now := time.Unix(1_000_000, 0)
	long := strings.Repeat("x", 8<<10)
	const n = 4 * mostRemembered / (8 << 10)
	for i := range n {
		q := question{credential: sha256.Sum256([]byte(strconv.Itoa(i))), role: long}
		if _, err := m.recall(t.Context(), q, now, time.Hour, l.of(fmt.Sprint("user", i%7), nil)); err != nil {
			t.Fatal(err)
		}
		if m.size > mostRemembered {
			t.Fatalf("it holds %d bytes", m.size)
		}
	}
	size, index := 0, 0
	for _, r := range m.known {
		size += r.size
	}
	for _, list := range m.ofUser {
		index += len(list)
	}
	if size != m.size || index != len(m.known) || m.size < mostRemembered/2 {
		t.Errorf("%d answers of %d bytes; it counts %d bytes and %d answers", len(m.known), size, m.size, index)
	}
	for i := range 7 {
		m.forget(fmt.Sprint("user", i))
	}
	if len(m.known) != 0 || len(m.ofUser) != 0 || m.size != 0 {
		t.Errorf("after forgetting everybody: %d answers, %d users, %d bytes", len(m.known), len(m.ofUser), m.size)
	}
	// What is too old goes first.
	for i := range 100 {
		q := question{credential: sha256.Sum256([]byte(strconv.Itoa(i))), role: long}
		_, _ = m.recall(t.Context(), q, now.Add(time.Duration(i)*time.Minute), time.Hour, l.of("ada", nil))
	}
	m.makeRoom(now.Add(99 * time.Minute))
	if len(m.known) != 60 { // those of the last hour
		t.Errorf("%d answers left", len(m.known))
	}
}

// A look that has been under way for as long as an answer is remembered tells nothing to who asks now, and
// with no time to remember each asks for themselves.
func TestMemorySharesNoLookThatIsTooOld(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_000_000, 0)
	for _, life := range []time.Duration{0, 5 * time.Second} {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		var m memory
		var l looks
		later := start.Add(life)
		_, err := m.recall(ctx, ask("a"), start, life, l.of("ada", func() {
			if _, err := m.recall(ctx, ask("a"), later, life, l.of("ada", nil)); err != nil {
				t.Errorf("while another one looks, for %s: %v", life, err)
			}
		}))
		if err != nil || l.count() != 2 || len(m.visits) != 0 {
			t.Errorf("%d looks, %d under way, %v", l.count(), len(m.visits), err)
		}
		if r := m.known[ask("a")]; life > 0 && (r == nil || !r.since.Equal(later)) {
			t.Errorf("remembered is %+v, want the younger answer", r)
		}
	}
}

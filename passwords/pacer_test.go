package passwords

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

func yield() { runtime.Gosched() }

func TestRefusalsEndAtTheSameMoment(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(cheap, time.Now)
		p := NewPacer(h, time.Now)
		h.times.calibrate("$2a$12", 200*time.Millisecond)
		h.times.done()
		for name, spent := range map[string]time.Duration{
			"unknown: nothing was compared":      0,
			"locked: the row was read":           time.Millisecond,
			"wrong: a quick kind was compared":   15 * time.Millisecond,
			"wrong: the slowest kind, it queued": 230 * time.Millisecond,
		} {
			start := time.Now()
			time.Sleep(spent)
			if err := p.Refuse(t.Context(), start); err != nil {
				t.Fatal(err)
			}
			if got := time.Since(start); got != p.Target() {
				t.Errorf("%s: took %s, want %s", name, got, p.Target())
			}
		}
		if got := p.Target(); got < 250*time.Millisecond || got > 300*time.Millisecond {
			t.Errorf("target is %s, want a quarter more than 200 ms", got)
		}
	})
}

func TestRefusalEndsWithTheRequest(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := NewPacer(NewHasher(cheap, time.Now), time.Now)
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if err := p.Refuse(ctx, time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
		if err := p.Refuse(ctx, time.Now().Add(-time.Hour)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("due long ago: got %v", err)
		}
	})
}

func TestWaitingTakesNoPlaceAtTheGate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		h := NewHasher(Settings{Memory: 64, Iterations: 1, Concurrency: 1, Queue: 1}, time.Now)
		p := NewPacer(h, time.Now)
		done := make(chan error)
		for range 100 {
			go func() { done <- p.Refuse(t.Context(), time.Now()) }()
		}
		synctest.Wait() // all hundred wait
		if _, err := h.Hash(t.Context(), "password"); err != nil {
			t.Errorf("hashing beside a hundred refusals: %v", err)
		}
		for range 100 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}

func TestTargetFollowsRecentComparisonsAndReturns(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	now := func() time.Time { return at }
	h := NewHasher(cheap, now)
	p := NewPacer(h, now)
	if got := p.Target(); got < unknownFloor {
		t.Errorf("before anything was measured: %s", got)
	}
	h.times.calibrate("$2a$10", 60*time.Millisecond)
	h.times.done()
	calm := p.Target()
	if calm < 75*time.Millisecond || calm > 86*time.Millisecond {
		t.Errorf("calibrated: %s, want about 75 ms", calm)
	}
	h.times.observe("$2a$10", 60*time.Millisecond, 800*time.Millisecond, at) // it queued
	if got := p.Target(); got < time.Second {
		t.Errorf("in a flood: %s, want a quarter more than 800 ms", got)
	}
	at = at.Add(2 * period)
	if got := p.Target(); got < time.Second {
		t.Errorf("the flood is forgotten after %s: %s", 2*period, got)
	}
	at = at.Add(period)
	if got := p.Target(); got != calm {
		t.Errorf("after the flood: %s, want %s again", got, calm)
	}
	h.times.observe("$2a$13", 500*time.Millisecond, 500*time.Millisecond, at) // imported meanwhile
	at = at.Add(time.Hour)
	if got := p.Target(); got < 625*time.Millisecond {
		t.Errorf("a kind never calibrated is forgotten: %s", got)
	}
	h.times.observe("$2a$10", time.Hour, time.Hour, at)
	if got := p.Target(); got != longest {
		t.Errorf("a refusal would take %s", got)
	}
}

func TestTargetMovesInSteps(t *testing.T) {
	t.Parallel()
	seen := map[time.Duration]bool{}
	for d := time.Millisecond; d < 2*time.Millisecond; d += 1000 {
		s := stepUp(d)
		if s < d || s > d+d/7 {
			t.Fatalf("%s becomes %s", d, s)
		}
		seen[s] = true
	}
	if len(seen) > 10 {
		t.Errorf("%d steps between 1 ms and 2 ms", len(seen))
	}
	if stepUp(0) != 0 {
		t.Error("nothing becomes something")
	}
}

func TestCalibrateMeasuresTheKindsOfTheTable(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	tick := func() time.Time { // everything takes 8 ms
		at = at.Add(8 * time.Millisecond)
		return at
	}
	h := NewHasher(cheap, tick)
	p := NewPacer(h, tick)
	if err := p.Calibrate(t.Context(), "$2a$04", "$2b$05", "$2y$06", "$argon2id$v=19$m=128,t=1,p=2"); err != nil {
		t.Fatal(err)
	}
	want := map[string]time.Duration{}
	for _, kind := range []string{"$argon2id$v=19$m=64,t=1,p=1", "$2a$04", "$2a$05", "$2a$06", "$argon2id$v=19$m=128,t=1,p=2"} {
		want[kind] = 8 * time.Millisecond
	}
	if diff := cmp.Diff(want, h.times.kinds); diff != "" {
		t.Errorf("measured (-want +got):\n%s", diff)
	}
	if got := p.Target(); got != stepUp(10*time.Millisecond) {
		t.Errorf("waits %s, want a quarter more than 8 ms", got)
	}
	for _, kind := range []string{"", "$", "$2", "$2a$31", "$argon2id$v=19$m=1,t=1,p=1", "md5"} {
		if err := p.Calibrate(t.Context(), kind); auth.CodeOf(err) != auth.Internal || err == nil {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
	mixed := NewHasher(cheap, time.Now)
	if err := NewPacer(mixed, time.Now).Calibrate(t.Context(), "md5", "$2a$04"); err == nil || mixed.times.kinds["$2a$04"] <= 0 || !mixed.times.calibrated {
		t.Errorf("one kind that cannot be read stops the others: %v, %v", mixed.times.kinds, err)
	}
	bcryptOnly := NewHasher(Settings{Hash: Bcrypt, BcryptCost: 4}, time.Now)
	if err := NewPacer(bcryptOnly, time.Now).Calibrate(t.Context()); err != nil || bcryptOnly.times.kinds["$2a$04"] <= 0 {
		t.Errorf("kind of new passwords: %v, %v", bcryptOnly.times.kinds, err)
	}
}

func TestRealComparisonsAreObserved(t *testing.T) {
	t.Parallel()
	h := NewHasher(cheap, time.Now)
	stored := hashOf(t, h, "password")
	if _, _, err := h.Verify(t.Context(), stored, "wrong"); err != nil {
		t.Fatal(err)
	}
	if h.times.kinds["$argon2id$v=19$m=64,t=1,p=1"] <= 0 || h.times.longest[0] <= 0 {
		t.Errorf("nothing was learned: %v %v", h.times.kinds, h.times.longest)
	}
}

func TestKindsThatAreRememberedAreBounded(t *testing.T) {
	t.Parallel()
	times := newTimes()
	for i := range 10_000 {
		times.observe(fmt.Sprint("kind ", i), 1, 1, time.Time{})
	}
	if len(times.kinds) > mostKinds {
		t.Errorf("%d kinds are kept", len(times.kinds))
	}
}

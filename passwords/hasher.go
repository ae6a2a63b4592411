package passwords

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"postern/auth"
	"postern/passwords/argon2"
)

// Hasher hashes and compares passwords, a few at once. Make it with NewHasher.
type Hasher struct {
	settings Settings
	gate     *gate
	argon2   *argon2.Hasher
	times    *times
	now      clock
}

// NewHasher readies the gate. now tells the time that comparisons take; it is time.Now but in
// tests.
func NewHasher(settings Settings, now func() time.Time) *Hasher {
	settings = settings.defaults()
	places := settings.Concurrency
	if places <= 0 {
		places = runtime.GOMAXPROCS(0)
	}
	return &Hasher{
		settings: settings,
		gate:     newGate(places, settings.Queue),
		argon2:   &argon2.Hasher{Memory: uint32(settings.Memory), Lanes: uint8(settings.Parallelism)}, //#nosec G115 -- the settings have these bounds
		times:    newTimes(),
		now:      now,
	}
}

// Threads is how many passwords are hashed at once. The program should let Go run as many threads
// more than there are processors:
//
//	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + hasher.Threads())
//
// Hashing steps back behind other threads as far as the system is concerned, but Go's own
// scheduler knows no priorities: with hashes on all its processors, a request would wait for the
// end of their time slice (10 ms) at every step it makes.
func (h *Hasher) Threads() int { return h.gate.places }

// Hash hashes a new password. It refuses with auth.PasswordTooLong what the hash would not take
// whole, and with auth.Overloaded when too many wait.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.fits(password); err != nil {
		return "", err
	}
	var stored string
	err := h.inside(ctx, func() (err error) {
		stored, err = newHash(h.settings, password, h.argon2)
		return err
	})
	return stored, err
}

// fits refuses passwords that the hash of new passwords does not take whole.
func (h *Hasher) fits(password string) error { return fits(h.settings, password) }

func fits(s Settings, password string) error {
	most := MaxBytes
	if s.Hash == Bcrypt {
		most = bcryptBytes
	}
	if len(password) > most {
		return fmt.Errorf("%w: %d bytes, %d are taken", auth.PasswordTooLong, len(password), most)
	}
	return nil
}

// Verify compares a password with a stored hash. stale says that it matched and that it should be
// hashed anew with Hash.
//
// A user who is unknown, locked or without a password is asked about with an empty stored hash:
// nothing is compared, but the refusals of a full queue and of an overlong password are the same.
// Every refused sign-in then goes through Pacer.Refuse.
func (h *Hasher) Verify(ctx context.Context, stored, password string) (ok, stale bool, err error) {
	return h.VerifyWhile(ctx, stored, password, func() {})
}

// VerifyWhile is Verify, and calls begun when the comparison begins: not for a password that is refused
// without one, and not before its turn has come.
func (h *Hasher) VerifyWhile(ctx context.Context, stored, password string, begun func()) (ok, stale bool, err error) {
	if len(password) > MaxBytes {
		return false, false, fmt.Errorf("%w: %d bytes, %d are taken", auth.PasswordTooLong, len(password), MaxBytes)
	}
	if stored == "" {
		return false, false, h.gate.full()
	}
	parsed, err := parse(stored)
	if err != nil {
		return false, false, fmt.Errorf("%w: %w", auth.Internal, err)
	}
	called := h.now()
	var hashing time.Duration
	err = h.inside(ctx, func() (err error) {
		begun()
		entered := h.now()
		ok, err = parsed.matches(password, h.argon2)
		hashing = h.now().Sub(entered)
		return err
	})
	if err != nil {
		return false, false, err
	}
	h.times.observe(parsed.kind(), hashing, h.now().Sub(called), called)
	return ok, ok && parsed.stale(h.settings, password), nil
}

// Learn measures what it takes to compare a hash that came from elsewhere, unless hashes of its kind are
// known: refusals take as long from then on.
func (h *Hasher) Learn(ctx context.Context, stored string) error {
	parsed, err := parse(stored)
	if err != nil || h.times.knows(parsed.kind()) {
		return err
	}
	_, _, err = h.Verify(ctx, stored, "a password that nobody has")
	return err
}

// inside does work that takes a processor, when its turn has come. Once begun it is finished: the
// place at the gate is free when the processor is.
func (h *Hasher) inside(ctx context.Context, work func() error) error {
	if err := h.gate.enter(ctx); err != nil {
		return err
	}
	entered := h.now()
	defer func() { h.gate.leave(h.now().Sub(entered)) }()
	var err error
	inBackground(func() { err = work() })
	return err
}

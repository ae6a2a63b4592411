package passwords

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"strings"
	"sync"
	"time"

	"postern/auth"

	"postern/pause"
)

const (
	// unknownFloor is the least a refusal takes until Calibrate has measured.
	unknownFloor = 250 * time.Millisecond
	// longest bounds the wait of a refusal, whatever was measured.
	longest = 10 * time.Second
	// period is how long the longest comparison is remembered: two to three periods.
	period = 5 * time.Second
	// mostKinds bounds what is remembered of kinds of hash.
	mostKinds = 64
)

// Pacer makes refusals take the same time: whether the address is unknown, the user is locked, has
// no password or has given a wrong one, the answer comes when a comparison with the slowest kind
// of hash in the table would have answered. Waiting takes no place at the gate of the Hasher.
type Pacer struct {
	hasher *Hasher
	now    clock
}

// NewPacer paces the refusals of a Hasher.
func NewPacer(hasher *Hasher, now func() time.Time) *Pacer {
	return &Pacer{hasher: hasher, now: now}
}

// Refuse waits until a refusal that began at start is due. start is taken when the user was looked
// up, in every case alike, before Verify is called; what else a refusal does (count the attempt,
// write it down) is done before Refuse, so that its time disappears in the wait.
func (p *Pacer) Refuse(ctx context.Context, start time.Time) error {
	wait := start.Add(p.Target()).Sub(p.now())
	if wait <= 0 {
		return ctx.Err()
	}
	return pause.For(ctx, wait)
}

// Target is how long a refusal takes at present: a quarter more than the slowest comparison of the
// last seconds, waiting at the gate included, and never less than the slowest kind took when it
// was calibrated. It moves in steps, so that two refusals near in time have the same.
func (p *Pacer) Target() time.Duration {
	return p.hasher.times.target(p.now())
}

// Calibrate measures the kinds of hash that the table holds, given as the beginnings of hashes
// ("$2a$12", "$argon2id$v=19$m=65536,t=3,p=4"), and the kind of new passwords. Until it has
// returned refusals take a quarter of a second at least. Call it at start, and again when hashes
// of another kind were imported. Kinds that Verify would not read are named in the error, and the
// others are measured all the same.
func (p *Pacer) Calibrate(ctx context.Context, kinds ...string) error {
	own, err := parse(sampleOf(ownKind(p.hasher.settings)))
	if err != nil {
		return fmt.Errorf("%w: kind of new passwords: %w", auth.Internal, err)
	}
	hashes := []hash{own}
	var unread error
	for _, kind := range kinds {
		h, err := parse(sampleOf(kind))
		if err != nil {
			unread = errors.Join(unread, fmt.Errorf("%w: kind %.60q: %w", auth.Internal, kind, err))
			continue
		}
		hashes = append(hashes, h)
	}
	for _, h := range hashes {
		var slowest time.Duration
		for range 3 {
			err := p.hasher.inside(ctx, func() error {
				began := p.now()
				_, err := h.matches("a password that nobody has", p.hasher.argon2)
				slowest = max(slowest, p.now().Sub(began))
				return err
			})
			if err != nil {
				return err
			}
		}
		p.hasher.times.calibrate(h.kind(), slowest)
	}
	p.hasher.times.done()
	return unread
}

func ownKind(s Settings) string {
	if s.Hash == Bcrypt {
		return hash{bcrypt: []byte{}, cost: s.BcryptCost}.kind()
	}
	return hash{memory: uint32(s.Memory), iterations: uint32(s.Iterations), lanes: uint8(s.Parallelism)}.kind() //#nosec G115 -- the settings have these bounds
}

// sampleOf completes the beginning of a hash to one that takes as long and that nothing matches.
func sampleOf(kind string) string {
	if len(kind) > 1 && kind[1] == '2' {
		return kind + "$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuvwxyz01234"
	}
	if strings.HasPrefix(kind, "$fbscrypt$") {
		return kind + ",ss=Bw==,sk=AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAA=="
	}
	return kind + "$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
}

// times remembers how long comparisons take.
type times struct {
	mu         sync.Mutex
	calibrated bool
	kinds      map[string]time.Duration // hashing alone, by kind
	longest    [3]time.Duration         // with the wait at the gate: this period and two before
	period     int64                    // number of this period
}

func newTimes() *times { return &times{kinds: map[string]time.Duration{}} }

// observe learns from a real comparison. A kind that was never calibrated counts from its first
// comparison on, or its users would stand out each time the last seconds are forgotten.
func (t *times) observe(kind string, hashing, total time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.kinds[kind]; !known && len(t.kinds) < mostKinds {
		t.kinds[kind] = hashing
	}
	t.advance(now)
	t.longest[0] = max(t.longest[0], total)
}

func (t *times) knows(kind string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, known := t.kinds[kind]
	return known
}

func (t *times) calibrate(kind string, slowest time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kinds[kind] = slowest
}

func (t *times) done() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.calibrated = true
}

func (t *times) advance(now time.Time) {
	number := now.UnixNano() / int64(period)
	for ; t.period < number && t.longest != [3]time.Duration{}; t.period++ {
		t.longest = [3]time.Duration{0, t.longest[0], t.longest[1]}
	}
	t.period = max(t.period, number)
}

func (t *times) target(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.advance(now)
	var slowest time.Duration
	if !t.calibrated {
		slowest = unknownFloor
	}
	for _, d := range t.kinds {
		slowest = max(slowest, d)
	}
	for _, d := range t.longest {
		slowest = max(slowest, d)
	}
	return min(stepUp(slowest+slowest/4), longest)
}

// stepUp rounds up so that only the four leading bits remain: steps of 7 to 14 per cent.
func stepUp(d time.Duration) time.Duration {
	step := time.Duration(1) << max(bits.Len64(uint64(d))-4, 0) //#nosec G115 -- never negative
	return (d + step - 1) / step * step
}

package limits

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func TestBurstPassesAndTheNextIsToldWhen(t *testing.T) {
	t.Parallel()
	var m Memory
	limit := Limit{Burst: 3, Interval: time.Minute}
	for i := range 3 {
		if _, ok := m.Take("signups", "a", limit, noon.Add(time.Duration(i)*time.Second)); !ok {
			t.Fatalf("take %d was refused", i+1)
		}
	}
	wait, ok := m.Take("signups", "a", limit, noon.Add(3*time.Second))
	if ok || wait <= 0 || wait > limit.Interval*9/8 {
		t.Fatalf("the fourth: %v, wait %s", ok, wait)
	}
	for name, c := range map[string]struct {
		bucket, key string
		want        bool
	}{
		"another key": {"signups", "b", true}, "another bucket": {"email", "a", true},
		"bucket and key run together": {"signupsa", "", true}, "the same": {"signups", "a", false},
	} {
		if _, ok := m.Take(c.bucket, c.key, limit, noon.Add(4*time.Second)); ok != c.want {
			t.Errorf("%s: %v", name, ok)
		}
	}
	if _, ok := m.Take("signups", "a", limit, noon.Add(3*time.Second+wait-time.Millisecond)); ok {
		t.Error("a place was free before it was promised")
	}
	if _, ok := m.Take("signups", "a", limit, noon.Add(3*time.Second+wait)); !ok {
		t.Error("no place was free when it was promised")
	}
}

func TestLeftCountsDownAndUpAgain(t *testing.T) {
	t.Parallel()
	var m Memory
	limit := Limit{Burst: 2, Interval: time.Minute}
	for i, want := range []int{2, 1, 0, 0} {
		if got := m.Left("b", "k", limit, noon); got != want {
			t.Errorf("before take %d: %d left, want %d", i+1, got, want)
		}
		m.Take("b", "k", limit, noon)
	}
	if got := m.Left("b", "k", limit, noon.Add(2*time.Minute)); got != 2 {
		t.Errorf("later: %d left", got)
	}
}

func TestNoLimitLetsEverythingPass(t *testing.T) {
	t.Parallel()
	var m Memory
	for _, limit := range []Limit{{}, {Burst: 5}, {Interval: time.Minute}, {Burst: -1, Interval: time.Minute}} {
		for range 50 {
			if _, ok := m.Take("b", "k", limit, noon); !ok {
				t.Fatalf("%+v refuses", limit)
			}
		}
	}
	if m.Keys() != 0 {
		t.Errorf("%d keys were kept for nothing", m.Keys())
	}
}

// However takes are spread, no interval has more than the burst, and whoever comes back when told
// is served.
func TestNeverMoreThanTheBurstInAnyInterval(t *testing.T) {
	t.Parallel()
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 7)) //#nosec G404 -- the same spread at every run
		var m Memory
		limit := Limit{Burst: 1 + r.IntN(12), Interval: time.Duration(1+r.IntN(100_000)) * time.Millisecond}
		now := noon.Add(time.Duration(r.Int64N(int64(time.Hour))))
		var passed []time.Time
		var promise time.Time
		for range 400 {
			switch r.IntN(4) {
			case 0: // a rush
			case 1:
				now = now.Add(time.Duration(r.Int64N(int64(limit.Interval))))
			case 2:
				now = now.Add(time.Duration(r.Int64N(int64(limit.Interval)/int64(limit.Burst) + 1)))
			default: // exactly when a place was promised
				if promise.After(now) {
					now = promise
				}
			}
			wait, ok := m.Take("b", "k", limit, now)
			if !ok {
				if wait <= 0 || wait > limit.Interval*9/8+time.Millisecond {
					t.Fatalf("seed %d: told to wait %s of %s", seed, wait, limit.Interval)
				}
				if !promise.IsZero() && !now.Before(promise) && promise.After(last(passed)) {
					t.Fatalf("seed %d: came back at %s as told and was refused", seed, now)
				}
				promise = now.Add(wait)
				continue
			}
			passed = append(passed, now)
			if n := len(passed); n > limit.Burst && passed[n-1].Sub(passed[n-1-limit.Burst]) < limit.Interval {
				t.Fatalf("seed %d: %d passed within %s, less than %s", seed, limit.Burst+1, passed[n-1].Sub(passed[n-1-limit.Burst]), limit.Interval)
			}
		}
		if len(passed) < limit.Burst {
			t.Fatalf("seed %d: only %d passed", seed, len(passed))
		}
	}
}

func last(times []time.Time) time.Time {
	if len(times) == 0 {
		return time.Time{}
	}
	return times[len(times)-1]
}

func TestClockSetBackFreesNothing(t *testing.T) {
	t.Parallel()
	var m Memory
	limit := Limit{Burst: 2, Interval: time.Minute}
	m.Take("b", "k", limit, noon)
	m.Take("b", "k", limit, noon)
	for _, back := range []time.Duration{time.Second, time.Hour, 60 * 24 * time.Hour} {
		if wait, ok := m.Take("b", "k", limit, noon.Add(-back)); ok || wait <= 0 || wait > 2*limit.Interval {
			t.Errorf("set back by %s: %v, wait %s", back, ok, wait)
		}
	}
	if _, ok := m.Take("b", "k", limit, time.Time{}); ok {
		t.Error("a clock that stands at nothing frees a place")
	}
}

func TestChangedLimitCountsAnew(t *testing.T) {
	t.Parallel()
	var m Memory
	for i, limit := range []Limit{{1, time.Minute}, {1, time.Hour}} {
		if _, ok := m.Take("b", "k", limit, noon); !ok {
			t.Errorf("limit %d refuses", i)
		}
	}
	if _, ok := m.Take("b", "k", Limit{1, 3}, noon); !ok {
		t.Error("an interval of three nanoseconds refuses its first take")
	}
}

func TestKeysAreBoundedAndFloodsDoNotFreeWhoIsHeldBack(t *testing.T) {
	t.Parallel()
	m := Memory{Max: 640}
	limit := Limit{Burst: 10, Interval: time.Minute}
	for range 10 {
		m.Take("b", "held back", limit, noon)
	}
	for i := range 50_000 {
		m.Take("b", fmt.Sprint("flood ", i), limit, noon)
	}
	if n := m.Keys(); n > 640 {
		t.Errorf("%d keys are kept, at most 640 may be", n)
	}
	if _, ok := m.Take("b", "held back", limit, noon); ok {
		t.Error("a flood of other keys freed the one that was held back")
	}
	// An interval later the old ones make room without pushing anyone out.
	for i := range 50_000 {
		m.Take("b", fmt.Sprint("later ", i), limit, noon.Add(2*time.Minute))
	}
	if n := m.Keys(); n > 640 {
		t.Errorf("%d keys are kept later", n)
	}
}

func TestTakesAtOnceAreCountedOnce(t *testing.T) {
	t.Parallel()
	var m Memory
	limit := Limit{Burst: 100, Interval: time.Minute}
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				if _, ok := m.Take("b", "k", limit, noon); ok {
					passed.Add(1)
				}
				m.Take("b", strconv.Itoa(i), limit, noon)
			}
		})
	}
	all.Wait()
	if passed.Load() != 100 {
		t.Errorf("%d passed, want 100", passed.Load())
	}
}

func TestT40OneNetworkIsOneBucket(t *testing.T) {
	t.Parallel()
	limit := Limit{Burst: 1, Interval: time.Minute}
	for name, c := range map[string]struct {
		first, second string
		same          bool
	}{
		"the same /64":                 {"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		"upper case, zeros written":    {"2001:db8:1:2::a", "2001:0DB8:0001:0002:0000:0000:0000:000A", true},
		"another /64":                  {"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		"IPv4 in IPv6":                 {"192.0.2.7", "::ffff:192.0.2.7", true},
		"IPv4 in IPv6, as hexadecimal": {"192.0.2.7", "::ffff:c000:207", true},
		"another IPv4 address":         {"192.0.2.7", "192.0.2.8", false},
		"a zone":                       {"fe80::1%eth0", "fe80::1%eth1", true},
		"IPv4 and its own IPv6 form":   {"192.0.2.7", "::192.0.2.7", false},
	} {
		var m Memory
		take := func(address string) bool {
			_, ok := m.Take("b", auth.Client{Address: netip.MustParseAddr(address)}.Bucket(), limit, noon)
			return ok
		}
		if !take(c.first) {
			t.Fatalf("%s: the first was refused", name)
		}
		if got := !take(c.second); got != c.same {
			t.Errorf("%s: one bucket %v, want %v", name, got, c.same)
		}
	}
}

func TestSettingsGiveTheirLimits(t *testing.T) {
	t.Parallel()
	s := Settings{
		Enable: true, GlobalBurst: 1, GlobalInterval: 2, EmailBurst: 3, EmailInterval: 4, SMSBurst: 5, SMSInterval: 6,
		BruteForceBurst: 7, BruteForceInterval: 8, SignupsBurst: 9, SignupsInterval: 10, ManagementBurst: 11, ManagementInterval: 12,
	}
	all := func() []Limit {
		return []Limit{s.Global(), s.Email(), s.SMS(), s.BruteForce(), s.Signups(), s.Management()}
	}
	if diff := cmp.Diff([]Limit{{1, 2}, {3, 4}, {5, 6}, {7, 8}, {9, 10}, {11, 12}}, all()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	s.Enable = false
	for i, l := range all() {
		if !l.Unlimited() {
			t.Errorf("switched off, limit %d still is %+v", i, l)
		}
	}
}

func BenchmarkTake(b *testing.B) {
	keys := make([]string, 10_000)
	for i := range keys {
		keys[i] = fmt.Sprintf("198.51.%d.%d", i/256, i%256)
	}
	limit := Limit{Burst: 100, Interval: time.Minute}
	b.Run("ten thousand clients", func(b *testing.B) {
		var m Memory
		var n atomic.Int64
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				i := n.Add(1)
				m.Take("global", keys[i%int64(len(keys))], limit, noon.Add(time.Duration(i)*time.Millisecond))
			}
		})
	})
	b.Run("a flood of new clients", func(b *testing.B) {
		var m Memory
		b.ReportAllocs()
		for i := 0; b.Loop(); i++ {
			m.Take("global", strconv.Itoa(i), limit, noon)
		}
	})
}

func ExampleMemory_Take() {
	var m Memory
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for range 3 {
		wait, ok := m.Take("signups", "198.51.100.7", Limit{Burst: 2, Interval: 8 * time.Second}, now)
		fmt.Println(ok, wait)
	}
	// Output:
	// true 0s
	// true 0s
	// false 9s
}

package limits

import (
	"hash/maphash"
	"sync"
	"time"
)

const (
	parts      = 8       // an interval is counted in so many parts
	shards     = 64      // locks, so that cores rarely wait for one another
	defaultMax = 1 << 16 // keys kept when Max is not set: about 8 MiB
	sample     = 8       // keys looked at to make room for another
)

// Memory counts takes of a limit by key, in this process. It never lets more than Burst pass in
// any Interval, however they are spread; a place is free again after an Interval, at most an
// eighth of it later. The zero Memory is ready; it is safe for concurrent use and must not be
// copied.
//
// It keeps no key, only a hash of it, and at most Max of them: past that the keys least used make
// room, so that a flood of new keys does not free those that are being held back.
type Memory struct {
	Max int // keys to keep; 0 for the default

	once   sync.Once
	seeds  [2]maphash.Seed
	shards [shards]shard
}

type shard struct {
	mu      sync.Mutex
	windows map[id]*window
}

// id is a key hashed twice with seeds of this process. Two keys that share one are never seen.
type id [2]uint64

// window counts the takes of one key: those of the part that is now, and of the eight before.
type window struct {
	width  time.Duration // of a part
	now    int64         // number of the latest part that was counted in
	counts [parts + 1]uint32
}

// Take takes one place of the limit for the key, in a bucket of keys that share no count with any
// other bucket. When there is none, it says how long until there is one; refused takes are not
// counted.
func (m *Memory) Take(bucket, key string, limit Limit, now time.Time) (retryAfter time.Duration, ok bool) {
	if limit.Unlimited() {
		return 0, true
	}
	s, k := m.shard(bucket, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	w := s.windows[k]
	width := (limit.Interval + parts - 1) / parts
	if w == nil || w.width != width {
		if w == nil {
			s.makeRoom(m.perShard(), now)
		}
		w = &window{width: width, now: partAt(now, width)}
		s.windows[k] = w
	}
	return w.take(limit.Burst, now)
}

// Left tells how many takes would still pass, without taking a place.
func (m *Memory) Left(bucket, key string, limit Limit, now time.Time) int {
	if limit.Unlimited() {
		return 0
	}
	w, counted := m.look(bucket, key)
	if !counted {
		return limit.Burst
	}
	w.advance(partAt(now, w.width))
	return max(0, limit.Burst-int(w.total()))
}

// Spent tells whether the next Take would be refused, and how long still, without taking a place.
func (m *Memory) Spent(bucket, key string, limit Limit, now time.Time) (retryAfter time.Duration, spent bool) {
	if limit.Unlimited() {
		return 0, false
	}
	w, counted := m.look(bucket, key)
	if !counted {
		return 0, false
	}
	retryAfter, free := w.take(limit.Burst, now)
	return retryAfter, !free
}

// look gives a copy of what was counted, if anything was.
func (m *Memory) look(bucket, key string) (w window, counted bool) {
	s, k := m.shard(bucket, key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.windows[k]; found != nil {
		return *found, true
	}
	return window{}, false
}

// shard is where the takes of a key are counted, and under which id.
func (m *Memory) shard(bucket, key string) (*shard, id) {
	m.once.Do(func() { m.seeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()} })
	k := m.id(bucket, key)
	return &m.shards[k[0]%shards], k
}

func (m *Memory) id(bucket, key string) id {
	var k id
	for i, seed := range m.seeds {
		var h maphash.Hash
		h.SetSeed(seed)
		_, _ = h.WriteString(bucket)
		_ = h.WriteByte(0)
		_, _ = h.WriteString(key)
		k[i] = h.Sum64()
	}
	return k
}

func (m *Memory) perShard() int {
	most := m.Max
	if most <= 0 {
		most = defaultMax
	}
	return max(most/shards, 1)
}

// makeRoom drops what has expired among a few keys, and where the shard is full the least used of
// them. Maps are walked from a random place, so every key has its turn.
func (s *shard) makeRoom(most int, now time.Time) {
	if s.windows == nil {
		s.windows = map[id]*window{}
	}
	var least id
	var leastUsed uint32
	seen := 0
	for k, w := range s.windows {
		if seen == sample {
			break
		}
		used := w.used(now)
		if used == 0 {
			delete(s.windows, k)
			continue
		}
		if seen == 0 || used < leastUsed {
			least, leastUsed = k, used
		}
		seen++
	}
	if len(s.windows) >= most {
		delete(s.windows, least)
	}
}

// Keys counts the keys that are kept.
func (m *Memory) Keys() int {
	n := 0
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.windows)
		s.mu.Unlock()
	}
	return n
}

func partAt(t time.Time, width time.Duration) int64 { return t.UnixNano() / int64(width) }

func (w *window) take(burst int, now time.Time) (time.Duration, bool) {
	w.advance(partAt(now, w.width))
	used := w.total()
	if int64(used) < int64(burst) {
		*w.count(w.now)++
		return 0, true
	}
	// The oldest takes leave first: find the part whose leaving frees a place.
	for s := w.now - parts; s <= w.now; s++ {
		if used -= *w.count(s); int64(used) < int64(burst) {
			free := time.Unix(0, (s+parts+1)*int64(w.width))
			return max(free.Sub(now), time.Millisecond), false
		}
	}
	return w.width, false
}

// advance forgets the parts that have left the interval. A clock that was set back a little counts
// on in the latest part; one that was set back far takes the counts along, so that nobody is held
// back until it has caught up.
func (w *window) advance(to int64) {
	if ahead := w.now - to; ahead > parts {
		total := w.total()
		w.counts = [parts + 1]uint32{}
		*w.count(to) = total
		w.now = to
	}
	if to-w.now > parts {
		w.counts = [parts + 1]uint32{}
		w.now = to
	}
	for w.now < to {
		w.now++
		*w.count(w.now) = 0
	}
}

// count is that of a part in or just before the interval.
func (w *window) count(part int64) *uint32 {
	return &w.counts[uint64(part)%uint64(len(w.counts))] //#nosec G115 -- any fixed order of parts will do
}

func (w *window) total() uint32 {
	var n uint32
	for _, c := range w.counts {
		n += c
	}
	return n
}

// used tells how many takes still count, without counting another.
func (w *window) used(now time.Time) uint32 {
	if partAt(now, w.width)-w.now > parts {
		return 0
	}
	return w.total()
}

package passwords

import (
	"container/list"
	"context"
	"sync"
	"time"

	"postern/auth"
)

// gate lets a few in at once, lets a few more wait in the order they came, and turns the rest away
// at once. A hash takes a whole processor: more of them at a time would serve nobody sooner.
type gate struct {
	mu      sync.Mutex
	free    int
	waiting list.List // of chan struct{}, closed when its owner is let in
	queue   int
	places  int
	average time.Duration // of recent stays inside
}

func newGate(places, queue int) *gate {
	return &gate{free: places, places: places, queue: queue}
}

// full is the refusal of a gate whose queue is full, nil while there is room.
func (g *gate) full() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.free > 0 || g.waiting.Len() < g.queue {
		return nil
	}
	return g.refusal()
}

// refusal estimates when a full queue will have been served.
func (g *gate) refusal() error {
	wait := g.average * time.Duration(g.waiting.Len()+1) / time.Duration(g.places)
	return auth.TooSoon{Code: auth.Overloaded, RetryAfter: max(wait.Round(time.Second), time.Second)}
}

// enter waits for a place. Whoever got one must leave.
func (g *gate) enter(ctx context.Context) error {
	g.mu.Lock()
	if g.free > 0 {
		g.free--
		g.mu.Unlock()
		return nil
	}
	if g.waiting.Len() >= g.queue {
		defer g.mu.Unlock()
		return g.refusal()
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.mu.Unlock()

	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		g.giveUp(place, turn)
		return ctx.Err()
	}
}

// giveUp leaves the queue. Who was let in at that very moment passes the place on.
func (g *gate) giveUp(place *list.Element, turn <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-turn:
		g.pass()
	default:
		g.waiting.Remove(place)
	}
}

// leave gives the place to whoever waits longest.
func (g *gate) leave(stay time.Duration) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.average += (stay - g.average) / 8
	g.pass()
}

func (g *gate) pass() {
	next := g.waiting.Front()
	if next == nil {
		g.free++
		return
	}
	g.waiting.Remove(next)
	if turn, ok := next.Value.(chan struct{}); ok {
		close(turn)
	}
}

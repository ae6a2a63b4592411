package jshook

import (
	"context"
	"errors"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// Pool runs scripts in processes of our own program, a bounded number at a time. What a script can do
// to its process, it cannot do to the server.
type Pool struct {
	settings Settings
	client   *http.Client
	program  string

	slots    chan struct{} // one for each call that runs
	patient  chan struct{} // turns of all scripts that linger: nobody waits for them
	waiting  atomic.Int64
	starts   chan start
	mu       sync.Mutex
	idle     []*process
	closed   bool
	bundles  map[string]*ready
	bundling chan struct{}
	all      sync.WaitGroup
}

// Options are what the settings don't say.
type Options struct {
	// Client carries what scripts fetch. It must refuse what scripts must not reach. Nil means that
	// nothing can be fetched.
	Client *http.Client
	// Program is one that begins with Main: empty means the one that runs, which must do so too. A
	// program that does not would run as it always does.
	Program string
}

// start is a process to be started.
type start struct {
	begin func() error
	done  chan error
}

// Open makes a pool. Processes start when they are needed; main must begin with Main.
func Open(s Settings, o Options) (*Pool, error) {
	program := o.Program
	if program == "" {
		var err error
		if program, err = Itself(); err != nil {
			return nil, err
		}
	}
	p := &Pool{
		settings: s, client: straight(o.Client), program: program,
		slots: make(chan struct{}, s.Workers), starts: make(chan start),
		bundles: map[string]*ready{}, bundling: make(chan struct{}, 1),
	}
	p.patient = p.turns()
	p.all.Go(p.starter)
	return p, nil
}

// turns are as many as leave a worker to others, where there is more than one.
func (p *Pool) turns() chan struct{} { return make(chan struct{}, max(1, p.settings.Workers-1)) }

// Itself is the program that runs.
func Itself() (string, error) {
	if _, err := os.Stat(itself); itself != "" && err == nil {
		return itself, nil
	}
	return os.Executable()
}

// starter starts processes, all from one thread that stays: on Linux a process ends with the thread
// that started it, not only with the program.
func (p *Pool) starter() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	for s := range p.starts {
		s.done <- s.begin()
	}
}

// begin starts a process from that thread.
func (p *Pool) begin(c interface{ Start() error }) error {
	done := make(chan error, 1)
	p.starts <- start{c.Start, done}
	return <-done
}

var (
	errClosed = errors.New("scripts do not run any more")
	errBusy   = errors.New("too many scripts wait already")
)

// Close ends all processes and waits until they are gone. No call may begin any more; those that run
// are waited for.
func (p *Pool) Close() {
	p.mu.Lock()
	was := p.closed
	p.closed = true
	p.mu.Unlock()
	if was {
		return
	}
	for range cap(p.slots) {
		p.slots <- struct{}{}
	}
	p.bundling <- struct{}{}
	p.mu.Lock()
	idle := p.idle
	p.idle = nil
	p.mu.Unlock()
	for _, w := range idle {
		w.stop()
	}
	close(p.starts)
	p.all.Wait()
}

func (p *Pool) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// enter waits for a turn.
func (p *Pool) enter(ctx context.Context) error {
	if p.waiting.Add(1) > int64(p.settings.Queue+p.settings.Workers) {
		p.waiting.Add(-1)
		return errBusy
	}
	defer p.waiting.Add(-1)
	if p.isClosed() {
		return errClosed
	}
	select {
	case p.slots <- struct{}{}:
		if p.isClosed() {
			<-p.slots
			return errClosed
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// leave ends a turn. A process that is not healthy is replaced before the turn goes to somebody else.
func (p *Pool) leave(w *process, healthy bool) {
	if healthy {
		p.keep(w)
		<-p.slots
		return
	}
	p.all.Go(func() {
		if w != nil {
			w.stop()
			if next, err := p.worker(); err == nil {
				p.keep(next)
			}
		}
		<-p.slots
	})
}

func (p *Pool) keep(w *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.idle = append(p.idle, w)
}

// take gives a process that waits, the one that worked last, or a fresh one.
func (p *Pool) take() (*process, error) {
	p.mu.Lock()
	for len(p.idle) > 0 {
		w := p.idle[len(p.idle)-1]
		p.idle = p.idle[:len(p.idle)-1]
		select {
		case <-w.gone: // somebody killed it
			w.stop()
		default:
			p.mu.Unlock()
			return w, nil
		}
	}
	p.mu.Unlock()
	return p.worker()
}

// worker starts a process.
func (p *Pool) worker() (*process, error) {
	engine := uint64(p.settings.Memory) << 20 //nolint:gosec // bounded by its tag
	return p.launch(p.command(Command, engine, engine+aroundEngine))
}

// run has some process run a job.
func (p *Pool) run(ctx context.Context, j *job, s *program) (*outcome, error) {
	if err := p.enter(ctx); err != nil {
		return nil, err
	}
	w, err := p.take()
	if err != nil {
		p.leave(nil, false)
		return nil, err
	}
	deadline, ok := ctx.Deadline()
	if left := time.Until(deadline); ok && left > 0 {
		j.BudgetNS = int64(left)
	} else {
		p.leave(w, true)
		return nil, context.DeadlineExceeded
	}
	o, healthy, err := w.call(ctx, j, s, p.client)
	p.leave(w, healthy)
	return o, err
}

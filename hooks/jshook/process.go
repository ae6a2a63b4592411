package jshook

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"
)

// grace is how long a worker may stay silent beyond the budget before it is killed: most calls that
// take too long are ended by the engine itself, and their process goes on.
const grace = 250 * time.Millisecond

// aroundEngine is the memory of a worker besides that of the engine.
const aroundEngine = 192 << 20

// What a worker keeps, and how many calls it answers, before another one takes its place.
const (
	maxKnown = 16 << 20
	maxCalls = 1000
)

// process is a worker, seen from the parent. One call has it at a time.
type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	pipe  io.Closer // of out
	out   *bufio.Reader
	write sync.Mutex // of in
	gone  chan struct{}

	known map[string]bool // scripts that it has
	size  int             // of these
	calls int
}

// command is how a worker is started.
func (p *Pool) command(what string, engine, memory uint64) *exec.Cmd {
	c := exec.Command(p.program, what, strconv.FormatUint(engine, 10), strconv.FormatUint(memory, 10)) //nolint:gosec,noctx // ourselves; a worker outlives the call that starts it
	c.Args[0] = "postern"
	c.Env = []string{}
	apart(c)
	return c
}

// launch starts a process and waits for its end on the side, so that no zombie is left.
func (p *Pool) launch(c *exec.Cmd) (*process, error) {
	in, err := c.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, outside, err := os.Pipe()
	if err != nil {
		_ = in.Close()
		return nil, err
	}
	c.Stdout = outside
	err = p.begin(c)
	_ = outside.Close()
	if err != nil {
		_ = in.Close()
		_ = out.Close()
		return nil, fmt.Errorf("start a worker: %w", err)
	}
	w := &process{cmd: c, in: in, pipe: out, out: bufio.NewReaderSize(out, 64<<10), gone: make(chan struct{}), known: map[string]bool{}}
	p.all.Go(func() {
		_ = c.Wait()
		close(w.gone)
	})
	return w, nil
}

// kill ends the process at once. That it is gone already is as well.
func (w *process) kill() { _ = w.cmd.Process.Kill() }

// stop ends the process and waits until it is gone.
func (w *process) stop() {
	w.kill()
	<-w.gone
	_ = w.in.Close()
	_ = w.pipe.Close()
}

// send tells the process something. Answers to fetch come from several goroutines.
func (w *process) send(o order) error {
	w.write.Lock()
	defer w.write.Unlock()
	return writeFrame(w.in, o)
}

var errDied = errors.New("the worker died")

// call has the process run one job. healthy tells whether it may be asked again.
func (w *process) call(ctx context.Context, j *job, s *program, client *http.Client) (o *outcome, healthy bool, err error) {
	w.calls++
	if !w.known[j.Key] {
		if w.size+s.size() > maxKnown {
			clear(w.known)
			w.size, j.Forget = 0, true
		}
		w.known[j.Key] = true
		w.size += s.size()
		j.Script = s
	}
	timer := time.AfterFunc(time.Duration(j.BudgetNS)+grace, w.kill)
	left := context.AfterFunc(ctx, func() {
		if errors.Is(context.Cause(ctx), context.Canceled) {
			w.kill() // nobody waits for the answer any more
		}
	})
	asking, end := context.WithCancel(ctx)
	f := &fetcher{client: client, limit: make(chan struct{}, maxFetching)}
	f.answer = func(a *fetched) { _ = w.send(order{Fetched: a}) } // a dead worker shows when it is read from
	o, err = w.converse(asking, j, f)
	end()
	f.all.Wait()
	if err == nil && o.End == endCompile {
		delete(w.known, j.Key)
	}
	stopped := timer.Stop()
	stopped = left() && stopped
	return o, err == nil && stopped && !o.Retire && w.calls < maxCalls, err
}

// converse sends the job and does what the worker asks for until it has an answer.
func (w *process) converse(ctx context.Context, j *job, f *fetcher) (*outcome, error) {
	if err := w.send(order{Job: j}); err != nil {
		return nil, errDied
	}
	for {
		var r report
		if err := readFrame(w.out, maxReport, &r); err != nil {
			return nil, errDied
		}
		switch {
		case r.Done != nil:
			return r.Done, nil
		case r.Fetch == nil, !f.start(ctx, r.Fetch):
			return nil, errDied
		}
	}
}

package jshook

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"runtime/debug"
	"strconv"
	"time"
)

// Command is the first argument of a process that runs scripts, and Bundler of one that gathers the
// packages that a script requires. Both are for our own use: main hands them to Main before it does
// anything else.
const (
	Command = "__script-worker"
	Bundler = "__script-bundler"
)

// Main is the whole life of a worker process. It tells whether the arguments, without the program's
// name, ask for one.
func Main(args []string, in io.Reader, out io.Writer) (code int, asked bool) {
	if len(args) != 3 || args[0] != Command && args[0] != Bundler {
		return 0, false
	}
	engine, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return 2, true
	}
	process, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return 2, true
	}
	if args[0] == Bundler {
		err = bundleOnce(in, out, process)
	} else {
		err = work(in, out, engine, process)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return 1, true
	}
	return 0, true
}

// maxGoStack bounds the stack of one goroutine, which grows with the depth of a script.
const maxGoStack = 128 << 20

// work answers jobs until the parent is gone. engine and process are bytes of memory.
func work(in io.Reader, out io.Writer, engine, process uint64) error {
	debug.SetMaxStack(maxGoStack)
	debug.SetGCPercent(50)
	time.AfterFunc(time.Hour, func() {}).Stop() // the runtime opens what timers need, before it may open nothing
	status, err := os.Open(meter)
	if err != nil {
		status = nil // then nobody knows how large we are
	}
	if err := confine(process, 0); err != nil {
		return err
	}
	lib, err := newLibrary()
	if err != nil {
		return err
	}
	w := &worker{status: status, lib: lib, memory: engine, out: bufio.NewWriter(out), jobs: make(chan *job), answers: make(chan *fetched, maxFetching)}
	go w.listen(in)
	return w.serve()
}

// worker is the process that runs scripts, seen from inside.
type worker struct {
	status  *os.File // of the process, in the words of the kernel
	lib     *library
	memory  uint64
	out     *bufio.Writer
	jobs    chan *job
	answers chan *fetched
}

// listen takes what the parent sends. When the parent is gone, so is the process, whatever it does.
func (w *worker) listen(in io.Reader) {
	r := bufio.NewReaderSize(in, 64<<10)
	for {
		var o order
		if err := readFrame(r, maxOrder, &o); err != nil {
			os.Exit(0)
		}
		if o.Fetched != nil {
			w.answers <- o.Fetched
		}
		if o.Job != nil {
			w.jobs <- o.Job
		}
	}
}

// serve runs job after job, each on a machine of its own that is made ready while nobody waits.
func (w *worker) serve() error {
	for {
		m, err := w.lib.newMachine(w.memory, w.large)
		if err != nil {
			return err
		}
		m.ask = func(r fetchRequest) error { return w.send(report{Fetch: &r}) }
		o := w.answer(m, w.next())
		o.Retire = o.Retire || w.large() || processor() > maxWorkerTime
		if err := w.send(report{Done: o}); err != nil {
			return err
		}
		m.close()
	}
}

// next waits for a job. What was fetched for the job before, and came too late for it, is dropped: the parent
// sends it before the next job, so all of it is there when that one is.
func (w *worker) next() *job {
	for {
		select {
		case <-w.answers:
		case j := <-w.jobs:
			for len(w.answers) > 0 {
				<-w.answers
			}
			return j
		}
	}
}

// answer runs one job.
func (w *worker) answer(m *machine, j *job) *outcome {
	if j.Forget {
		clear(w.lib.scripts)
	}
	script := w.lib.scripts[j.Key]
	if script == nil && j.Script != nil {
		var err error
		if script, err = w.lib.compile(j.Key, j.Script); err != nil {
			return failure(endCompile, err)
		}
	}
	if script == nil {
		return &outcome{End: endCompile, Retire: true}
	}
	if j.Check {
		return &outcome{End: endAnswer}
	}
	return m.run(j, script, w.answers)
}

func (w *worker) send(r report) error {
	if err := writeFrame(w.out, r); err != nil {
		return err
	}
	return w.out.Flush()
}

// large tells whether the process has ever been so large that memory has probably run out.
func (w *worker) large() bool {
	if w.status == nil {
		return false
	}
	text := make([]byte, 4<<10)
	n, err := w.status.ReadAt(text, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return false
	}
	_, rest, _ := bytes.Cut(text[:n], []byte("VmHWM:"))
	size, _, _ := bytes.Cut(rest, []byte("kB"))
	kib, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 10, 64)
	return err == nil && kib<<10 > smallWorker+w.memory/2
}

// What a worker may become before it is replaced.
const (
	smallWorker   = 32 << 20         // bytes, of one that has done little
	maxWorkerTime = 60 * time.Second // of processor
)

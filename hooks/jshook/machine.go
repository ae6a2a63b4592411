package jshook

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"modernc.org/quickjs"
)

//go:embed js/driver.js
var driverSource string

//go:embed js/web.js
var webSource string

// maxAnswer is the longest answer of a script.
const maxAnswer = 1 << 20

// maxDepth bounds how deep scripts may recurse: frames, of which 8192 take about 40 MiB.
const maxDepth = 8192

// compiled is a script as the engine keeps it between calls, in the form that any machine runs.
type compiled struct {
	program
	code    []byte            // of the wrapped script
	modules map[string][]byte // wrapped, compiled when first required
}

// library is what one worker has compiled.
type library struct {
	driver, web []byte
	scripts     map[string]*compiled
}

// machine is one fresh JavaScript engine, for a single call.
type machine struct {
	vm     *quickjs.VM
	driver quickjs.Value
	lib    *library
	large  func() bool // whether the process has become so
	end    time.Time   // of the budget

	script  *compiled
	console transcript
	result  *outcome
	budget  time.Duration
	fetches int // under way
	ask     func(fetchRequest) error
}

// newLibrary compiles what every machine starts with.
func newLibrary() (*library, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	defer vm.Close()
	l := &library{scripts: map[string]*compiled{}}
	if l.driver, err = vm.Compile(driverSource, quickjs.EvalGlobal); err != nil {
		return nil, fmt.Errorf("driver: %w", err)
	}
	if l.web, err = vm.Compile(webSource, quickjs.EvalGlobal); err != nil {
		return nil, fmt.Errorf("web: %w", err)
	}
	return l, nil
}

// newMachine makes a machine that waits for its script.
func (l *library) newMachine(memory uint64, large func() bool) (*machine, error) {
	vm, err := quickjs.NewVM()
	if err != nil {
		return nil, err
	}
	m := &machine{vm: vm, lib: l, large: large}
	if err := m.furnish(memory); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// furnish gives the machine its limits and what scripts know besides the language.
func (m *machine) furnish(memory uint64) error {
	m.vm.SetMemoryLimit(uintptr(memory))
	m.vm.SetMaxStackSize(maxDepth)
	if err := m.vm.RegisterHostFunc("__host", m.host); err != nil {
		return err
	}
	if err := m.vm.RegisterFunc("__module", m.module, false); err != nil {
		return err
	}
	if err := m.vm.RegisterFunc("__web", func() quickjs.Value { return m.eval(m.lib.web) }, false); err != nil {
		return err
	}
	driver, err := m.vm.EvalBytecodeValue(m.lib.driver)
	if err != nil {
		return err
	}
	m.driver = driver
	return nil
}

// close gives everything back. The engine's memory is not Go's, so it must be called.
func (m *machine) close() {
	m.driver.Free()
	_ = m.vm.Close()
}

// run runs one job to its end. answers are the answers to what the script fetches.
func (m *machine) run(j *job, s *compiled, answers <-chan *fetched) *outcome {
	m.script, m.budget = s, time.Duration(j.BudgetNS)
	ctx, cancel := context.WithTimeout(context.Background(), m.budget)
	defer cancel()
	m.end, _ = ctx.Deadline()
	m.console = transcript{hide: Redactor(j.Secrets)}
	m.fetches = 0
	o := m.work(j, answers)
	o.Console = m.console.lines
	return o
}

// left is what remains of the budget.
func (m *machine) left() time.Duration { return time.Until(m.end) }

// guarded lets the engine run for what is left of the budget.
func (m *machine) guarded(step func() error) error {
	left := m.left()
	if left <= 0 {
		return errTime
	}
	if err := m.vm.SetEvalTimeout(left); err != nil {
		return err
	}
	return step()
}

var errTime = errors.New("out of time")

// work starts the script and turns the loop of events until there is an answer or nothing to wait for.
func (m *machine) work(j *job, answers <-chan *fetched) *outcome {
	if o := m.start(j); o != nil {
		return o
	}
	for {
		if err := m.guarded(m.microtasks); err != nil {
			return m.ended(err)
		}
		if m.result != nil && !m.script.Linger {
			return m.result
		}
		wait, err := m.tick()
		switch {
		case err != nil:
			return m.ended(err)
		case wait == 0:
			continue
		case wait < 0 && m.fetches == 0 && m.result == nil:
			return &outcome{End: endSilent}
		case wait < 0 && m.fetches == 0:
			return m.result
		}
		if err := m.pause(wait, answers); err != nil {
			return m.ended(err)
		}
	}
}

// microtasks runs what promises have queued.
func (m *machine) microtasks() error {
	_, err := m.vm.ExecutePendingJobs()
	if m.left() <= 0 {
		return errTime
	}
	return err
}

// tick runs one timer that is due and says how long the next one waits: less than zero when there is
// none.
func (m *machine) tick() (wait time.Duration, err error) {
	err = m.guarded(func() error {
		next, err := m.driver.Call(quickjs.UndefinedValue, "tick", m.now())
		if err != nil {
			return err
		}
		ms, ok := number(next)
		if !ok {
			return errors.New("the timers are broken")
		}
		wait = time.Duration(ms * float64(time.Millisecond))
		return nil
	})
	return wait, err
}

// pause waits for a timer, an answer or the end of time.
func (m *machine) pause(wait time.Duration, answers <-chan *fetched) error {
	left := m.left()
	if wait < 0 || wait > left {
		wait = left
	}
	timer := time.NewTimer(max(wait, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		if m.left() <= 0 {
			return errTime
		}
		return nil
	case a := <-answers:
		m.fetches--
		text, err := json.Marshal(a)
		if err != nil {
			return err
		}
		return m.guarded(func() error {
			_, err := m.driver.Call(quickjs.UndefinedValue, "fetched", a.ID, string(text))
			return err
		})
	}
}

// ended says how a call ended that the engine broke off. With an answer already given, lingering is
// merely over.
func (m *machine) ended(err error) *outcome {
	if m.result != nil && m.script.Linger {
		return m.result
	}
	if m.left() <= 0 || errors.Is(err, errTime) {
		return &outcome{End: endTime}
	}
	return failure(endError, err)
}

// failure tells of an error that the engine reports. What is thrown without being an error is one all
// the same: the engine throws null when there is no memory.
func failure(end string, err error) *outcome {
	data := map[string]string{"name": "Error", "message": err.Error()}
	var thrown *quickjs.Error
	if errors.As(err, &thrown) && thrown.Name != "" {
		data["name"], data["message"], data["stack"] = thrown.Name, thrown.Message, strings.ReplaceAll(thrown.Stack, "<eval>:", scriptName+":")
		if thrown.LineNumber > 0 {
			data["line"] = strconv.Itoa(thrown.LineNumber)
		}
	}
	if strings.TrimSpace(data["message"]) == "null" || strings.Contains(data["message"], "out of memory") {
		return &outcome{End: endMemory, Retire: true}
	}
	text, err := json.Marshal(data)
	if err != nil {
		text = []byte(`{"name":"Error","message":"an error that cannot be read"}`)
	}
	return &outcome{End: end, Body: string(text)}
}

// now is the machine's clock for timers, in milliseconds.
func (m *machine) now() float64 { return float64(m.budget-m.left()) / float64(time.Millisecond) }

func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int:
		return float64(v), true
	case int32:
		return float64(v), true
	case int64:
		return float64(v), true
	case float64:
		return v, true
	}
	return 0, false
}

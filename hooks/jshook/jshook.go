// Package jshook runs hooks that are written in JavaScript. A script runs in a fresh QuickJS machine
// inside a worker process of our own program: the machine bounds its memory and its time, and the
// process what the machine cannot. It has no files, no network but fetch, which the server carries out
// for it, and no environment.
package jshook

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"postern/hooks"
)

// Convention is how a script is called and answers.
type Convention int

// The conventions.
const (
	// Modern is a function of the event, exported as default or by module.exports, and its value, or
	// that of its promise, is the answer. Its second argument is {id, name, secrets}.
	Modern Convention = iota
	// Callback is a function whose last argument is called with an error or a result, as Node had it
	// once. The answer's body is {"status":"success","data":…}, without data where there was no
	// result, or {"status":"error","data":{"name":…,"message":…,…}}.
	Callback
)

// Script is a hook in JavaScript.
type Script struct {
	Source     string // a CommonJS or ECMAScript module
	Prelude    string // put before the source, on its first line, so that stacks keep their lines
	Convention Convention
	Member     string // of the last argument, that scripts of the callback convention find in module too
	// Args makes the arguments of a call. Nil means those of the modern convention.
	Args    func(c hooks.Call) ([]json.RawMessage, error)
	Secrets map[string]string // for the script; hidden in what it writes and throws
	Timeout time.Duration     // of one call, waiting included; 0 means that of the settings
	// Linger lets what the script has begun go on after it has answered: the answer waits for it, as
	// long as there is time.
	Linger bool
}

// Runner runs one script. It is a hooks.Runner.
type Runner struct {
	pool    *Pool
	script  Script
	key     string
	secrets []string
	hide    *strings.Replacer
	turns   chan struct{} // so that one script, or all together that linger, leaves a worker to others
}

var _ hooks.Runner = (*Runner)(nil)

// maxSource is the longest script.
const maxSource = 1 << 20

// Runner makes a script a hook. Whether it is JavaScript at all is seen when it runs.
func (p *Pool) Runner(s Script) (*Runner, error) {
	switch {
	case len(s.Source) > maxSource:
		return nil, fmt.Errorf("the script has %d bytes, more than %d", len(s.Source), maxSource)
	case strings.ContainsAny(s.Prelude, "\r\n\u2028\u2029"):
		return nil, errors.New("what is put before a script must be one line")
	}
	if s.Timeout <= 0 {
		s.Timeout = p.settings.Timeout
	}
	secrets := slices.Sorted(maps.Values(s.Secrets))
	r := &Runner{pool: p, script: s, key: keyOf(s), secrets: secrets, hide: Redactor(secrets), turns: p.patient}
	if !s.Linger {
		r.turns = p.turns()
	}
	return r, nil
}

// Run calls the script once. What it wrote to its console is in the answer, also when there is an
// error.
func (r *Runner) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.script.Timeout)
	defer cancel()
	args, err := r.args(c)
	if err != nil {
		return hooks.Answer{}, err
	}
	ready, o, err := r.do(ctx, &job{Key: r.key, Args: args, Secrets: r.secrets})
	if err != nil {
		return hooks.Answer{}, err
	}
	a := hooks.Answer{Status: 200, ContentType: "application/json", Console: r.console(o.Console)}
	a.Body, err = r.body(ready, o)
	return a, err
}

// Check tells why the script is no JavaScript, without running it.
func (r *Runner) Check(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, r.script.Timeout)
	defer cancel()
	ready, o, err := r.do(ctx, &job{Key: r.key, Check: true})
	if err != nil {
		return err
	}
	if o.End == endAnswer {
		return nil
	}
	thrown, err := r.thrown(ready, o)
	if err != nil {
		return err
	}
	return errors.New(describe(thrown))
}

// Timeout is how long a call may take, waiting included.
func (r *Runner) Timeout() time.Duration { return r.script.Timeout }

// do has some process do a job.
func (r *Runner) do(ctx context.Context, j *job) (*ready, *outcome, error) {
	ready, err := r.pool.prepare(ctx, r.key, r.script)
	if err != nil {
		return nil, nil, r.failed(ctx, err)
	}
	select {
	case r.turns <- struct{}{}:
		defer func() { <-r.turns }()
	case <-ctx.Done():
		return nil, nil, r.failed(ctx, ctx.Err())
	}
	o, err := r.pool.run(ctx, j, &ready.program)
	if err != nil {
		return nil, nil, r.failed(ctx, err)
	}
	return ready, o, nil
}

// args are the arguments of a call.
func (r *Runner) args(c hooks.Call) ([]json.RawMessage, error) {
	if r.script.Args != nil {
		return r.script.Args(c)
	}
	secrets := r.script.Secrets
	if secrets == nil {
		secrets = map[string]string{}
	}
	about, err := json.Marshal(map[string]any{"id": c.ID, "name": c.Name, "secrets": secrets})
	if err != nil {
		return nil, err
	}
	return []json.RawMessage{c.Body, about}, nil
}

// failed tells of a call that did not come to an end.
func (r *Runner) failed(ctx context.Context, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return hooks.TimedOut{After: r.script.Timeout}
	case errors.Is(err, errDied):
		return hooks.Crashed{Why: "its process ended, probably for want of memory"}
	}
	return hooks.Unreachable{Why: err.Error()}
}

// body is the answer in the words of the convention.
func (r *Runner) body(ready *ready, o *outcome) ([]byte, error) {
	callback := r.script.Convention == Callback
	switch o.End {
	case endAnswer:
		return answerBody(o.Body, callback)
	case endTime:
		return nil, hooks.TimedOut{After: r.script.Timeout}
	case endSilent:
		if callback {
			return nil, hooks.Crashed{Why: "hook did not call back"}
		}
		return nil, hooks.Crashed{Why: "its promise never settles"}
	case endSize:
		return nil, hooks.TooLarge{Most: maxAnswer}
	case endMemory:
		return nil, hooks.Crashed{Why: "out of memory, or null was thrown"}
	case endError, endCompile:
	default:
		return nil, hooks.BadAnswer{Why: "the worker says " + fmt.Sprintf("%.40q", o.End)}
	}
	thrown, err := r.thrown(ready, o)
	if err != nil {
		return nil, err
	}
	if !callback {
		return nil, hooks.Crashed{Why: describe(thrown)}
	}
	if o.End == endCompile {
		thrown = map[string]any{"name": "Error", "message": "Unable to compile the extensibility code as javascript", "error_description": thrown["message"]}
	}
	return []byte(encode(map[string]any{"status": "error", "data": thrown})), nil
}

// thrown is the error that a call ended in, without secrets and with the lines of the original.
func (r *Runner) thrown(ready *ready, o *outcome) (map[string]any, error) {
	thrown := map[string]any{}
	if err := json.Unmarshal([]byte(o.Body), &thrown); err != nil {
		return nil, hooks.BadAnswer{Why: "an error that cannot be read"}
	}
	if o.End == endCompile && ready.problem != "" { // of a module the engine only says that it is one
		return map[string]any{"name": "SyntaxError", "message": r.hide.Replace(ready.problem)}, nil
	}
	for name, v := range thrown {
		if text, ok := v.(string); ok {
			thrown[name] = r.hide.Replace(ready.original(text))
		}
	}
	return thrown, nil
}

// answerBody is what a script said. Nothing is an empty object in the modern convention.
func answerBody(text string, callback bool) ([]byte, error) {
	switch {
	case text != "" && !json.Valid([]byte(text)):
		return nil, hooks.BadAnswer{Why: "the worker's answer is no JSON"}
	case callback && text == "":
		return []byte(`{"status":"success"}`), nil
	case callback:
		return []byte(`{"status":"success","data":` + text + `}`), nil
	case text == "":
		return []byte("{}"), nil
	}
	return []byte(text), nil
}

// longestWhy is how much of an error of a script reaches the log.
const longestWhy = 500

// describe is an error of a script in one line.
func describe(thrown map[string]any) string {
	name, _ := thrown["name"].(string)
	message, _ := thrown["message"].(string)
	stack, _ := thrown["stack"].(string)
	where, _, _ := strings.Cut(strings.TrimSpace(stack), "\n")
	text := strings.TrimPrefix(name+": "+message, ": ")
	if where != "" {
		text += " (" + strings.TrimPrefix(strings.TrimSpace(where), "at ") + ")"
	}
	text = strings.ToValidUTF8(strings.Join(strings.Fields(text), " "), "\uFFFD")
	if len(text) > longestWhy {
		text = strings.ToValidUTF8(text[:longestWhy], "")
	}
	return text
}

// console is what the script wrote. The worker has hidden secrets and cut it already; but a worker is
// not believed.
func (r *Runner) console(lines []string) []string {
	t := transcript{hide: r.hide}
	for _, line := range lines {
		t.say(line)
	}
	return t.lines
}

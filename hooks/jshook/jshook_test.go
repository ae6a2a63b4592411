package jshook_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"postern/hooks"
	"postern/hooks/jshook"
)

// program is what tests start as a worker: themselves, when it is empty.
var program string

func TestMain(m *testing.M) {
	if code, asked := jshook.Main(os.Args[1:], os.Stdin, os.Stdout); asked {
		os.Exit(code)
	}
	os.Exit(runTests(m))
}

func runTests(m *testing.M) int {
	if raced {
		dir, err := os.MkdirTemp("", "worker")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program = filepath.Join(dir, "worker")
		if out, err := exec.Command("go", "build", "-o", program, "./testdata/worker").CombinedOutput(); err != nil {
			panic(string(out))
		}
	}
	return m.Run()
}

func open(t testing.TB, change func(*jshook.Settings, *jshook.Options)) *jshook.Pool {
	t.Helper()
	s := jshook.Settings{Workers: 2, Queue: 1000, Timeout: 5 * time.Second, Memory: 64}
	o := jshook.Options{Program: program}
	if change != nil {
		change(&s, &o)
	}
	p, err := jshook.Open(s, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func run(t testing.TB, p *jshook.Pool, s jshook.Script, body string) (hooks.Answer, error) {
	t.Helper()
	r, err := p.Runner(s)
	if err != nil {
		t.Fatal(err)
	}
	return r.Run(t.Context(), hooks.Call{ID: "event-1", Name: "test", Body: []byte(body), At: time.Now()})
}

func twoArgs(c hooks.Call) ([]json.RawMessage, error) {
	return []json.RawMessage{c.Body, json.RawMessage(`{"webtask":{}}`)}, nil
}

func TestConventions(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for name, test := range map[string]struct {
		source   string
		callback bool
		want     string
		problem  string
	}{
		"a default export":      {"export default async function (event) { return {hello: event.name} }", false, `{"hello":"Ann"}`, ""},
		"module.exports, async": {"module.exports = async (event) => ({hello: event.name})", false, `{"hello":"Ann"}`, ""},
		"module.exports, sync":  {"module.exports = (event, about) => ({id: about.id})", false, `{"id":"event-1"}`, ""},
		"exports.default":       {"exports.default = (event) => 1", false, `1`, ""},
		"no value":              {"module.exports = () => {}", false, `{}`, ""},
		"a timer":               {"module.exports = () => new Promise(r => setTimeout(r, 5, {ok: true}))", false, `{"ok":true}`, ""},
		"throws":                {"module.exports = () => {\n  throw new TypeError('no way') }", false, "", "ended in an error: TypeError: no way (<anonymous> (hook.js:2:22))"},
		"a module throws":       {"// one\nimport {createHash} from 'crypto'\n// two\n\nexport default () => {\n\n  throw new TypeError('no way')\n}\n", false, "", "ended in an error: TypeError: no way (hook_default (hook.js:7:22))"},
		"an unknown package":    {"import x from 'y'; export default () => x", false, "", "ended in an error: Error: Cannot find module 'y'"},
		"no JavaScript":         {"module.exports = (", false, "", "ended in an error: SyntaxError: unexpected token in expression: '}' (hook.js:2:1)"},
		"no function":           {"module.exports = {}", false, "", "ended in an error: TypeError: the script exports no function"},
		"calls back":            {"module.exports = function (user, context, cb) { cb(null, {user: user.name}) }", true, `{"status":"success","data":{"user":"Ann"}}`, ""},
		"calls back with error": {"module.exports = function (user, context, cb) { cb(new Error('x')) }", true, `{"data":{"message":"x","name":"Error","stack":"    at <anonymous> (hook.js:1:122)"},"status":"error"}`, ""},
		"returns":               {"return function (user, context, cb) { cb() }", true, `{"status":"success"}`, ""},
		"async generators":      {"export default async () => { async function* g() { yield 1; yield 2 }; let n = 0; for await (const i of g()) n += i; return n }", false, `3`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := jshook.Script{Source: test.source}
			if test.callback {
				s.Convention, s.Args = jshook.Callback, twoArgs
			}
			a, err := run(t, p, s, `{"name":"Ann"}`)
			if string(a.Body) != test.want || (err == nil) != (test.problem == "") || err != nil && err.Error() != test.problem {
				t.Errorf("%s %v; want %s %s", a.Body, err, test.want, test.problem)
			}
		})
	}
}

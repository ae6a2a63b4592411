package jshook_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/hooks"
	"postern/hooks/jshook"
)

func TestAThousandAtOnce(t *testing.T) {
	t.Parallel()
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.Timeout = 20 * time.Second })
	r, err := p.Runner(jshook.Script{Source: `module.exports = async (n) => { await null; globalThis.mine = (globalThis.mine || 0) + n; return mine }`})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for i := range 1000 {
		all.Go(func() {
			a, err := r.Run(t.Context(), hooks.Call{Body: []byte(strconv.Itoa(i))})
			if err != nil || string(a.Body) != strconv.Itoa(i) {
				t.Errorf("%d: %s %v", i, a.Body, err)
			}
		})
	}
	all.Wait()
}

func TestTheQueueIsBounded(t *testing.T) {
	t.Parallel()
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.Workers, s.Queue = 1, 5 })
	var full, late atomic.Int64
	var all sync.WaitGroup
	for range 50 {
		r, err := p.Runner(jshook.Script{Source: `module.exports = () => { for (;;) {} }`, Timeout: 500 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			_, err := r.Run(t.Context(), hooks.Call{Body: []byte(`{}`)})
			switch {
			case errors.As(err, new(hooks.Unreachable)):
				full.Add(1)
			case errors.As(err, new(hooks.TimedOut)):
				late.Add(1)
			default:
				t.Errorf("%v", err)
			}
		})
	}
	all.Wait()
	if full.Load() < 40 || late.Load() < 1 {
		t.Errorf("%d found the queue full and %d were late", full.Load(), late.Load())
	}
}

// TestScriptsThatLingerLeaveAWorker has two scripts linger that nobody waits for. Somebody who does wait must find a
// worker all the same.
func TestScriptsThatLingerLeaveAWorker(t *testing.T) {
	t.Parallel()
	begun, over := make(chan struct{}, 2), make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { begun <- struct{}{}; <-over }))
	defer service.Close()
	defer close(over)
	p := open(t, func(s *jshook.Settings, o *jshook.Options) { s.Workers, o.Client = 2, service.Client() })
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for i := range 2 {
		r, err := p.Runner(jshook.Script{
			Source: fmt.Sprintf(`module.exports = (url, secrets, cb) => { fetch(url).catch(() => {}); cb(null, %d) }`, i), Convention: jshook.Callback,
			Args: func(hooks.Call) ([]json.RawMessage, error) {
				return []json.RawMessage{[]byte(strconv.Quote(service.URL)), []byte("{}")}, nil
			},
			Linger: true, Timeout: time.Minute,
		})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() { _, _ = r.Run(ctx, hooks.Call{Body: []byte(`{}`)}) })
	}
	<-begun
	for range 5 {
		if a, err := run(t, p, jshook.Script{Source: `module.exports = () => 1`, Timeout: 5 * time.Second}, `{}`); err != nil {
			t.Fatalf("%s %v", a.Body, err)
		}
	}
	cancel()
	all.Wait()
}

// Calls leave no processes, files or goroutines behind. POSTERN_SCRIPT_CALLS=10000 is the full size.
func TestNoLeaks(t *testing.T) {
	calls := 300
	if n, err := strconv.Atoi(os.Getenv("POSTERN_SCRIPT_CALLS")); err == nil {
		calls = n
	}
	before, files := runtime.NumGoroutine(), openFiles()
	p := open(t, nil)
	good, err := p.Runner(jshook.Script{Source: `module.exports = (e) => e`})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := p.Runner(jshook.Script{Source: `module.exports = () => { new Array(4e8).join() }`, Timeout: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range calls {
		if _, err := good.Run(t.Context(), hooks.Call{Body: []byte(`{"a":1}`)}); err != nil {
			t.Fatal(err)
		}
		if i%100 == 50 {
			if _, err := bad.Run(t.Context(), hooks.Call{Body: []byte(`{}`)}); err == nil {
				t.Error("a bomb answered")
			}
		}
	}
	for pid, peak := range workersOf(t) {
		t.Logf("after %d calls worker %d has had %d MiB", calls, pid, peak>>20)
	}
	p.Close()
	if left := workersOf(t); len(left) > 0 {
		t.Errorf("processes are left: %v", left)
	}
	if now := openFiles(); now > files {
		t.Errorf("%d files are open, %d were before", now, files)
	}
	if now := runtime.NumGoroutine(); now > before+2 {
		t.Errorf("%d goroutines, %d before", now, before)
	}
	if _, err := good.Run(t.Context(), hooks.Call{Body: []byte(`{}`)}); !errors.As(err, new(hooks.Unreachable)) {
		t.Errorf("a closed pool: %v", err)
	}
}

func openFiles() int {
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	return len(files)
}

// Whoever asked has gone: the process goes too, and another takes its place.
func TestWhoeverAskedHasGone(t *testing.T) {
	t.Parallel()
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.Workers = 1 })
	r, err := p.Runner(jshook.Script{Source: `module.exports = (e) => { while (e) {} return 1 }`})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := r.Run(ctx, hooks.Call{Body: []byte(`true`)}); !errors.As(err, new(hooks.TimedOut)) {
		t.Errorf("a deadline of the caller: %v", err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := r.Run(ctx, hooks.Call{Body: []byte(`true`)}); !errors.Is(err, context.Canceled) {
		t.Errorf("a caller who leaves: %v", err)
	}
	if a, err := r.Run(t.Context(), hooks.Call{Body: []byte(`false`)}); err != nil || string(a.Body) != "1" {
		t.Errorf("the next one: %s %v", a.Body, err)
	}
}

// TestParent is the parent that TestWorkersEndWithTheirParent kills; by itself it does nothing.
func TestParent(t *testing.T) {
	if os.Getenv("POSTERN_PARENT") == "" {
		t.Skip("only for TestWorkersEndWithTheirParent")
	}
	p := open(t, nil)
	if _, err := run(t, p, jshook.Script{Source: `module.exports = () => 1`}, `{}`); err != nil {
		t.Fatal(err)
	}
	r, err := p.Runner(jshook.Script{Source: `module.exports = () => { for (;;) {} }`, Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	for pid := range workersOf(t) {
		fmt.Println("worker", pid)
	}
	_, _ = r.Run(t.Context(), hooks.Call{Body: []byte(`{}`)})
}

func TestWorkersEndWithTheirParent(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("looks into /proc")
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestParent$", "-test.v")
	c.Env = append(os.Environ(), "POSTERN_PARENT=1")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	said, buffer := "", make([]byte, 4096)
	for !strings.Contains(said, "worker ") || !strings.HasSuffix(said, "\n") {
		n, err := out.Read(buffer)
		if err != nil {
			t.Fatal(said, err)
		}
		said += string(buffer[:n])
	}
	_, number, _ := strings.Cut(said, "worker ")
	worker, _, _ := strings.Cut(number, "\n")
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	for until := time.Now().Add(5 * time.Second); ; runtime.Gosched() {
		text, err := os.ReadFile("/proc/" + worker + "/stat")
		if err != nil || strings.Contains(string(text), ") Z ") {
			return
		}
		if time.Now().After(until) {
			t.Fatalf("worker %s lives on: %s", worker, text)
		}
	}
}

func TestModules(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("secret.js", `module.exports = 'outside'`)
	write("hooks/node_modules/plain/package.json", `{"main": "lib/index.js"}`)
	write("hooks/node_modules/plain/lib/index.js", `exports.twice = require('./twice'); exports.hash = (s) => require('crypto').createHash('sha256').update(s).digest('hex'); let n = 0; exports.count = () => ++n`)
	write("hooks/node_modules/plain/lib/twice.js", `const dep = require('@scope/dep'); module.exports = (x) => dep.default(x) * 2`)
	write("hooks/node_modules/@scope/dep/package.json", `{"type": "module", "main": "i.js"}`)
	write("hooks/node_modules/@scope/dep/i.js", `export default (x) => x; export const named = 'named'`)
	write("hooks/node_modules/prying/index.js", `module.exports = require('../../../secret.js')`)
	write("hooks/node_modules/broken/index.js", `module.exports = (`)
	write("hooks/node_modules/files/index.js", `exports.fs = () => require('fs')`)
	if err := os.Symlink(filepath.Join(dir, "secret.js"), filepath.Join(dir, "hooks/node_modules/link.js")); err != nil {
		t.Fatal(err)
	}
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.ModulesDir = filepath.Join(dir, "hooks") })
	for name, test := range map[string]struct{ source, want string }{
		"a package":              {`module.exports = () => require('plain').twice(21)`, `42`},
		"a version":              {`module.exports = () => require('plain@1.2.3').twice(21)`, `42`},
		"a file of it":           {`module.exports = () => require('plain/lib/twice')(1)`, `2`},
		"once in a call":         {`module.exports = () => { require('plain').count(); return require('plain').count() }`, `2`},
		"crypto in it":           {`module.exports = () => require('plain').hash('abc')`, `"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"`},
		"import":                 {"import { named } from '@scope/dep'\nimport f from '@scope/dep'\nexport default () => f(named)", `"named"`},
		"import of a package":    {"import * as plain from 'plain'; export default () => plain.twice(4)", `8`},
		"no such package":        {`module.exports = () => require('none')`, `Cannot find module 'none'`},
		"none, and not needed":   {`module.exports = (e) => e ? 1 : require('none')`, `1`},
		"outside":                {`module.exports = () => require('prying')`, `Cannot find module 'prying'`},
		"a link to the outside":  {`module.exports = () => require('link.js')`, `Cannot find module 'link.js'`},
		"a path":                 {`module.exports = () => require('../secret.js')`, `Cannot find module '../secret.js'`},
		"a path in a name":       {`module.exports = () => require('plain/../../../secret.js')`, `Cannot find module 'plain/../../../secret.js'`},
		"an absolute path":       {`module.exports = () => require(` + strconv.Quote(filepath.Join(dir, "secret.js")) + `)`, `Cannot find module '/`},
		"broken":                 {`module.exports = () => require('broken')`, `Cannot find module 'broken'`},
		"a module of Node in it": {`module.exports = () => require('files').fs()`, `Cannot find module 'fs'`},
		"a name made up":         {`module.exports = () => require(['pl', 'ain'].join(''))`, `Cannot find module 'plain'`},
		"deep source":            {`module.exports = () => ` + strings.Repeat("(", 200000) + `require('plain')`, `!`},
	} {
		a, err := run(t, p, jshook.Script{Source: test.source, Timeout: 20 * time.Second}, `{}`)
		if got := fmt.Sprint(string(a.Body), " ", err); !strings.Contains(got, test.want) && (test.want != "!" || err == nil) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// What scripts know from browsers and from Node, against what Node 20 says.
func TestKnownThings(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for source, want := range map[string]string{
		`Buffer.from('häé€😀').toString('hex')`:                                                                                                          `"68c3a4c3a9e282acf09f9880"`,
		`Buffer.from('aGk_', 'base64url').toString() + Buffer.from('aGk=', 'base64') + Buffer.from('6869', 'hex')`:                                      `"hi?hihi"`,
		`[Buffer.from('hi>?').toString('base64'), Buffer.from('hi>?').toString('base64url')]`:                                                           `["aGk+Pw==","aGk-Pw"]`,
		`Buffer.concat([Buffer.from('a'), Buffer.from('bc')]).toJSON()`:                                                                                 `{"type":"Buffer","data":[97,98,99]}`,
		`[Buffer.isBuffer(Buffer.alloc(2)), Buffer.byteLength('€'), Buffer.from('abc').equals(Buffer.from('abc'))]`:                                     `[true,3,true]`,
		`Buffer.from([0xff, 0x41]).toString()`:                                                                                                          "\"\uFFFDA\"",
		`crypto.randomUUID().length`:                                                                                                                    `36`,
		`require('crypto').randomBytes(7).length`:                                                                                                       `7`,
		`require('crypto').createHmac('sha256', 'key').update('The quick brown fox ').update('jumps over the lazy dog').digest('hex')`:                  `"f7bc83f430538424b13298e6aa6fb143ef4d59a14946175997479dbc2d1a3cd8"`,
		`require('node:crypto').createHash('sha1').update('abc').digest('base64')`:                                                                      `"qZk+NkcGgWq6PiVxeFDCbJzQ2J0="`,
		`require('crypto').createHash('md5').update('').digest('hex')`:                                                                                  `"d41d8cd98f00b204e9800998ecf8427e"`,
		`require('crypto').timingSafeEqual(Buffer.from('a'), Buffer.from('a'))`:                                                                         `true`,
		`btoa('hi') + atob('aGk=')`:                                                                                                                     `"aGk=hi"`,
		`new TextDecoder().decode(new TextEncoder().encode('hä€'))`:                                                                                     `"hä€"`,
		`new URL('../c?x=1#y', 'https://Example.COM:443/a/b/').href`:                                                                                    `"https://example.com/a/c?x=1#y"`,
		`(() => { const u = new URL('http://a.b/?q=1'); u.searchParams.append('ä', 'b c'); u.pathname = '/p q'; u.port = '8080'; return String(u) })()`: `"http://a.b:8080/p%20q?q=1&%C3%A4=b+c"`,
		`(() => { try { new URL('nonsense') } catch (e) { return [e.name, URL.canParse('http://x'), URL.canParse('/x')] } })()`:                         `["TypeError",true,false]`,
		`new URL('http://a:b@[::1]:81/x').host + new URL('HTTP:\\\\a\\b').href`:                                                                         `"[::1]:81http://a/b"`,
		`[...new URLSearchParams('?a=1&b=%20x+y&a=2').entries()]`:                                                                                       `[["a","1"],["b"," x y"],["a","2"]]`,
		`new URLSearchParams({a: '1 2', 'b&': "x'~"}).toString()`:                                                                                       `"a=1+2&b%26=x%27%7E"`,
		`structuredClone({a: [1]})`:                                                                                                                     `{"a":[1]}`,
		`new Promise((r) => { const l = []; setTimeout(() => { l.push(2); r(l) }, 200); setTimeout(() => l.push('no'), 1e6); clearTimeout(setTimeout(() => l.push('never'), 1)); setImmediate(() => l.push(1)); process.nextTick(() => l.push(0)) })`: `[0,1,2]`,
		`new Promise((r) => { let n = 0; const i = setInterval(() => { if (++n === 3) { clearInterval(i); r(n) } }, 1) })`:                                                                                                                            `3`,
		`require('util').promisify((a, cb) => cb(null, a + 1))(1)`: `2`,
		`new Headers({A: '1'}).get('a')`:                           `"1"`,
	} {
		a, err := run(t, p, jshook.Script{Source: "module.exports = async () => (" + source + ")"}, `{}`)
		if err != nil || string(a.Body) != want {
			t.Errorf("%s: %s %v, want %s", source, a.Body, err, want)
		}
	}
}

func BenchmarkScript(b *testing.B) {
	p := open(b, nil)
	r, err := p.Runner(jshook.Script{Source: `module.exports = async (event) => { await null; return { claims: { ...event.claims, plan: 'gold' } } }`})
	if err != nil {
		b.Fatal(err)
	}
	call := hooks.Call{ID: "1", Name: "bench", Body: []byte(`{"user_id":"8c1f4a52-5e0e-4d6c-9a1b-0d7b2f6f5d10","claims":{"sub":"8c1f4a52","role":"user","aud":"x"}}`)}
	if _, err := r.Run(b.Context(), call); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := r.Run(b.Context(), call); err != nil {
			b.Fatal(err)
		}
	}
}

func TestPreludeKeepsLines(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	a, err := run(t, p, jshook.Script{
		Prelude:    "class PreUserRegistrationError extends Error { constructor(m, f) { super(m); this.name = 'PreUserRegistrationError'; this.friendlyMessage = f } };",
		Source:     "module.exports = function (user, context, cb) {\n\n  cb(new PreUserRegistrationError('no', 'please not'))\n}",
		Convention: jshook.Callback, Args: twoArgs,
	}, `{}`)
	for _, want := range []string{`"name":"PreUserRegistrationError"`, `"friendlyMessage":"please not"`, `hook.js:3:`} {
		if err != nil || !strings.Contains(string(a.Body), want) {
			t.Errorf("%s %v lacks %s", a.Body, err, want)
		}
	}
	if _, err := p.Runner(jshook.Script{Prelude: "a\nb"}); err == nil {
		t.Error("a prelude of two lines was taken")
	}
}

// What goes on after the answer is waited for where a script may linger, and cut off elsewhere.
func TestLinger(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	for linger, want := range map[bool]int{true: 2, false: 1} {
		a, err := run(t, p, jshook.Script{
			Source:     "module.exports = function (user, context, cb) { console.log('first'); setTimeout(() => console.log('second'), 20); cb() }",
			Convention: jshook.Callback, Args: twoArgs, Linger: linger,
		}, `{}`)
		if err != nil || len(a.Console) != want || string(a.Body) != `{"status":"success"}` {
			t.Errorf("linger %v: %s %q %v", linger, a.Body, a.Console, err)
		}
	}
}

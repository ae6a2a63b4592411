package jshook_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
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

// workersOf lists the processes below this one that run scripts, with their peak of memory in bytes.
func workersOf(t testing.TB) map[int]uint64 {
	t.Helper()
	found := map[int]uint64{}
	stats, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range stats {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended
		}
		fields := map[string]string{}
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			fields[key] = strings.TrimSpace(value)
		}
		if fields["PPid"] != strconv.Itoa(os.Getpid()) {
			continue
		}
		line, err := os.ReadFile(filepath.Join(filepath.Dir(name), "cmdline"))
		if err != nil || !strings.Contains(string(line), jshook.Command) {
			continue
		}
		pid, _ := strconv.Atoi(fields["Pid"])
		peak, _ := strconv.ParseUint(strings.TrimSuffix(fields["VmHWM"], " kB"), 10, 64)
		found[pid] = peak << 10
	}
	return found
}

// watch notes the largest worker until stop is called.
func watch(t testing.TB) (stop func() uint64) {
	t.Helper()
	var largest uint64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			for _, peak := range workersOf(t) {
				largest = max(largest, peak)
			}
			select {
			case <-done:
				return
			case <-tick.C:
			}
		}
	}()
	return func() uint64 { close(done); <-ended; return largest }
}

const (
	crashed = "ended in an error"
	late    = "no answer within"
	memory  = "out of memory"
	died    = "its process ended"
)

// bombs are scripts that must neither succeed nor harm anybody. In each, %s is what has to go on.
var bombs = map[string]struct {
	source string
	want   string // beginnings of errors, separated by |
}{
	"an endless loop":                  {`for (;;) {}`, late},
	"an endless loop in a catch":       {`try { null.x } catch (e) { for (;;) {} }`, late},
	"an endless loop in a finally":     {`try { for (;;) {} } finally { for (;;) {} }`, late},
	"a loop that catches":              {`for (;;) { try { for (;;) {} } catch (e) {} }`, late},
	"endless microtasks":               {`const f = () => Promise.resolve().then(f); await f()`, late},
	"microtasks that breed":            {`const f = () => { Promise.resolve().then(f); Promise.resolve().then(f) }; f(); await new Promise(() => {})`, late + "|" + memory + "|" + died},
	"an await in a loop":               {`for (;;) await null`, late},
	"timers without end":               {`await new Promise(() => setInterval(() => {}, 0))`, late},
	"too many timers":                  {`for (;;) setTimeout(() => {}, 1e9)`, crashed},
	"a regular expression":             {`/^(a+)+$/.test('a'.repeat(40) + 'b')`, late},
	"a regular expression, look-ahead": {`/^(?=(a+)+$)a/.test('a'.repeat(40) + 'b')`, late},
	"a long join":                      {`Array(4e8).join()`, late + "|" + memory + "|" + died},
	"a long fill":                      {`Array(3e8).fill(1)`, late + "|" + memory + "|" + crashed + "|" + died},
	"a sort that lies":                 {`const a = Array.from({length: 1e6}, Math.random); for (;;) a.sort(() => Math.random() - .5)`, late},
	"recursion":                        {`const f = () => f() + 1; f()`, crashed},
	"recursion that catches":           {`const f = () => { try { f() } catch (e) { f() } }; f()`, late + "|" + crashed},
	"recursion of getters":             {`const o = { get x() { return this.x } }; o.x`, crashed},
	"recursion of toJSON":              {`const o = { toJSON() { return { o } } }; return o`, crashed},
	"recursion of a proxy":             {`const p = new Proxy({}, { get(t, k, r) { return r[k] } }); p.x`, crashed},
	"deep JSON":                        {`JSON.parse('['.repeat(1e6))`, crashed},
	"deep source":                      {`eval('('.repeat(1e5))`, crashed},
	"a deep regular expression":        {`new RegExp('('.repeat(1e5))`, crashed},
	"arrays":                           {`const a = []; for (;;) a.push(new Array(1000).fill(1.5))`, memory + "|" + crashed + "|" + late},
	"objects":                          {`const a = []; for (;;) a.push({x: {y: 1}})`, memory + "|" + crashed + "|" + late},
	"strings":                          {`const a = []; for (let i = 0;; i++) a.push('x'.repeat(1000) + i)`, memory + "|" + crashed + "|" + late},
	"one huge string":                  {`'x'.repeat(2 ** 28)`, memory + "|" + crashed},
	"a rope":                           {`let s = 'x'; for (;;) s += s`, memory + "|" + crashed},
	"an ArrayBuffer":                   {`new ArrayBuffer(2 ** 30)`, memory + "|" + crashed},
	"many ArrayBuffers":                {`const a = []; for (;;) a.push(new ArrayBuffer(2 ** 20))`, memory + "|" + crashed},
	"a Map":                            {`const m = new Map(); for (let i = 0;; i++) m.set(i, {})`, memory + "|" + crashed + "|" + late},
	"closures":                         {`let f = () => 1; for (;;) { const g = f; f = () => g }`, memory + "|" + crashed + "|" + late},
	"symbols":                          {`const a = []; for (let i = 0;; i++) a.push(Symbol.for('s' + i))`, memory + "|" + crashed + "|" + late},
	"BigInt":                           {`let n = 2n; for (;;) n *= n`, memory + "|" + crashed + "|" + late + "|" + died},
	"a huge answer":                    {`return 'x'.repeat(2 ** 22)`, "the answer is longer"},
	"a promise that never settles":     {`await new Promise(() => {})`, crashed + ": its promise never settles"},
	"throw null":                       {`throw null`, crashed},
	"throw undefined":                  {`throw undefined`, crashed},
	"throw 0":                          {`throw 0`, crashed},
	"throw an empty text":              {`throw ''`, crashed},
	"throw false":                      {`throw false`, crashed},
	"throw NaN":                        {`throw NaN`, crashed},
	"throw a proxy":                    {`throw new Proxy({}, { get() { throw null }, ownKeys() { throw null } })`, crashed},
	"throw what throws":                {`throw { get message() { for (;;) {} } }`, late},
	"an answer that throws":            {`return { get x() { throw null } }`, crashed},
	"an answer in a circle":            {`const o = {}; o.o = o; return o`, crashed},
	"an answer that is a BigInt":       {`return 1n`, crashed},
	"an answer that is a function":     {`return () => 1`, crashed},
	"an answer that loops":             {`return { toJSON() { for (;;) {} } }`, late},
	"a then that loops":                {`return { then() { for (;;) {} } }`, late},
	"a then that never settles":        {`return { then() {} }`, crashed},
	"a rejection with null":            {`return Promise.reject(null)`, crashed},
	"a rejection later":                {`await null; throw undefined`, crashed},
	"an error in a timer":              {`setTimeout(() => { throw 0 }); await new Promise(() => {})`, crashed},
	"no Promise any more":              {`globalThis.Promise = undefined; Object.prototype.then = () => { for (;;) {} }; return {}`, late + "|" + crashed},
}

func TestBombs(t *testing.T) {
	t.Parallel()
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.Workers = 3 })
	innocent, err := p.Runner(jshook.Script{Source: `module.exports = (e) => ({hello: e.name})`, Timeout: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	var served atomic.Int64
	stop := make(chan struct{})
	var others sync.WaitGroup
	others.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			a, err := innocent.Run(t.Context(), hooks.Call{Body: []byte(`{"name":"Ann"}`)})
			if err != nil || string(a.Body) != `{"hello":"Ann"}` {
				t.Errorf("somebody else, meanwhile: %s %v", a.Body, err)
				return
			}
			served.Add(1)
		}
	})
	largest := watch(t)
	for name, bomb := range bombs {
		began := time.Now()
		_, err := run(t, p, jshook.Script{Source: "module.exports = async (event) => {" + bomb.source + "\n; return {}}", Timeout: 400 * time.Millisecond}, `{}`)
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
		matches := false
		for want := range strings.SplitSeq(bomb.want+"|"+late, "|") { // on a busy machine anything may be late
			matches = matches || err != nil && strings.Contains(err.Error(), want)
		}
		if !matches {
			t.Errorf("%s: %v, want %s", name, err, bomb.want)
		}
	}
	close(stop)
	others.Wait()
	peak := largest()
	t.Logf("the largest worker had %d MiB, others were served %d times", peak>>20, served.Load())
	if most := uint64(64+192+32) << 20; runtime.GOOS == "linux" && (peak == 0 || peak > most) {
		t.Errorf("a worker had %d MiB", peak>>20)
	}
	if served.Load() < 50 {
		t.Errorf("others were served %d times only", served.Load())
	}
}

// What a callback script may say, and how often.
func TestCallbacks(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	const ok = `{"status":"success"}`
	for name, test := range map[string]struct{ body, want string }{
		"nothing":                         {`cb()`, ok},
		"null":                            {`cb(null)`, ok},
		"a result":                        {`cb(null, {a: 1})`, `{"status":"success","data":{"a":1}}`},
		"undefined and a result":          {`cb(undefined, 1)`, `{"status":"success","data":1}`},
		"twice, the first counts":         {`cb(null, 1); cb(new Error('x'))`, `{"status":"success","data":1}`},
		"twice, an error first":           {`cb(new Error('x')); cb(null, 1)`, `"message":"x"`},
		"after the return":                {`setTimeout(() => cb(null, 2), 5)`, `{"status":"success","data":2}`},
		"after a promise":                 {`Promise.resolve(3).then((v) => cb(null, v))`, `{"status":"success","data":3}`},
		"never":                           {``, "hook did not call back"},
		"never, with a promise":           {`return new Promise(() => {})`, "hook did not call back"},
		"never, with a promise that ends": {`return Promise.resolve({a: 1})`, "hook did not call back"},
		"a rejection":                     {`return Promise.reject(new Error('x'))`, `"message":"x"`},
		"a rejection with nothing":        {`return Promise.reject()`, `"status":"error"`},
		"a throw":                         {`throw new RangeError('x')`, `"name":"RangeError"`},
		"a throw of null":                 {`throw null`, memory},
		"a throw of undefined":            {`throw undefined`, `"status":"error"`},
		"a throw of 0":                    {`throw 0`, `"status":"error"`},
		"a throw of an empty text":        {`throw ''`, `"status":"error"`},
		"a throw in a timer":              {`setTimeout(() => { throw '' }, 1)`, `"status":"error"`},
		"0 caught and passed on":          {`try { throw 0 } catch (e) { cb(e) }`, `"status":"error"`},
		"'' caught and passed on":         {`try { throw '' } catch (e) { cb(e) }`, `"status":"error"`},
		"false caught and passed on":      {`try { throw false } catch (e) { cb(e) }`, `"status":"error"`},
		"memory out, and passed on":       {`try { const a = [new ArrayBuffer(62 << 20)]; for (;;) a.push({x: {y: 1}}) } catch (e) { cb(e) }`, memory},
		"memory out later, and passed on": {`const a = [new ArrayBuffer(62 << 20)]; setTimeout(() => { try { for (;;) a.push({x: {y: 1}}) } catch (e) { cb(e) } })`, memory},
		"a text":                          {`cb('no')`, `"message":"no"`},
		"an object":                       {`cb({message: 'no', code: 1})`, `"message":"no"`},
		"an error with more":              {`const e = new Error('x'); e.friendlyMessage = 'y'; e.fn = () => 1; cb(e)`, `"friendlyMessage":"y"`},
		"a result in a circle":            {`const o = {}; o.o = o; cb(null, o)`, `cannot be written as JSON`},
		"an error that cannot be read":    {`cb(Object.defineProperty(new Error('x'), 'message', {get() { throw 1 }}))`, `"status":"error"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := run(t, p, jshook.Script{Source: "module.exports = function (user, context, cb) {" + test.body + "\n}", Convention: jshook.Callback, Args: twoArgs}, `{}`)
			if got := fmt.Sprint(string(a.Body), err); !strings.Contains(got, test.want) || test.want == ok && string(a.Body) != ok {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// Every call has a world of its own.
func TestNothingIsLeftBehind(t *testing.T) {
	t.Parallel()
	p := open(t, func(s *jshook.Settings, _ *jshook.Options) { s.Workers = 1 })
	spoil := `module.exports = () => { globalThis.left = 1; Object.prototype.left = 2; Array.prototype.map = null; JSON.stringify = () => '"spoilt"'; Promise.prototype.then = null; require('crypto').createHash = null; console.log = null; return {} }`
	look := `module.exports = () => [typeof left, typeof {}.left, typeof [].map, JSON.stringify(1), typeof Promise.prototype.then, typeof require('crypto').createHash, typeof console.log]`
	for range 3 {
		if _, err := run(t, p, jshook.Script{Source: spoil}, `{}`); err != nil {
			t.Logf("the spoiler: %v", err)
		}
		a, err := run(t, p, jshook.Script{Source: look}, `{}`)
		if want := `["undefined","undefined","function","1","function","function","function"]`; err != nil || string(a.Body) != want {
			t.Errorf("%s %v, want %s", a.Body, err, want)
		}
	}
}

// A script has no way to the machine it runs on.
func TestNoWayOut(t *testing.T) {
	t.Setenv("POSTERN_CANARY", "canary-in-the-environment")
	p := open(t, nil)
	a, err := run(t, p, jshook.Script{Source: `module.exports = () => {
		const found = [];
		for (const name of ['fs', 'node:fs', 'child_process', 'net', 'http', 'os', 'std', 'vm', 'worker_threads', 'module', '/etc/passwd', '../../etc/passwd', './x', 'file:///etc/passwd'])
			try { require(name); found.push(name) } catch (e) { if (e.code !== 'MODULE_NOT_FOUND') found.push(String(e)) }
		for (const name of ['std', 'os', 'bjson', '__host', '__loadScript', 'load', 'print', 'scriptArgs', 'Deno', 'Bun', 'Worker', 'WebAssembly', 'navigator'])
			if (name in globalThis) found.push(name);
		const f = Function('return this')();
		for (const name of Object.getOwnPropertyNames(f)) if (/^__/.test(name) && name !== '__postern') found.push(name);
		return { found, env: process.env, up: typeof process.mainModule, kill: typeof process.kill, binding: typeof process.binding };
	}`}, `{}`)
	if want := `{"found":[],"env":{},"up":"undefined","kill":"undefined","binding":"undefined"}`; err != nil || string(a.Body) != want {
		t.Errorf("%s %v", a.Body, err)
	}
	if _, err := run(t, p, jshook.Script{Source: `module.exports = async () => { await import('fs'); return 1 }`}, `{}`); err == nil {
		t.Error("import() brought something")
	}
	if runtime.GOOS != "linux" {
		return
	}
	for pid := range workersOf(t) {
		dir := fmt.Sprintf("/proc/%d/", pid)
		if env, err := os.ReadFile(dir + "environ"); err != nil || len(env) != 0 {
			t.Errorf("the environment of a worker: %q %v", env, err)
		}
		if cwd, err := os.Readlink(dir + "cwd"); err != nil || cwd != "/" {
			t.Errorf("a worker is in %s %v", cwd, err)
		}
		files, err := os.ReadDir(dir + "fd")
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			to, err := os.Readlink(dir + "fd/" + f.Name())
			if err == nil && !strings.HasPrefix(to, "pipe:") && to != "/dev/null" && !strings.HasPrefix(to, "/sys/fs/cgroup/") && to != dir+"status" && !strings.HasPrefix(to, "anon_inode:[event") {
				t.Errorf("a worker has %s open as %s", to, f.Name())
			}
		}
		limits, err := os.ReadFile(dir + "limits")
		if err != nil || !strings.Contains(strings.Join(strings.Fields(string(limits)), " "), "Max open files 0 0") {
			t.Errorf("the limits of a worker: %s %v", limits, err)
		}
	}
}

func TestConsole(t *testing.T) {
	t.Parallel()
	p := open(t, nil)
	secret := `s3cret-"quoted"/&`
	a, err := run(t, p, jshook.Script{Source: `module.exports = (e, {secrets}) => {
		console.log('%s is %d, %j', 'Ann', 42, {a: 1}, 'and more');
		console.error(new Error('broken'));
		console.log('key', secrets.KEY, {secrets}, encodeURIComponent(secrets.KEY));
		console.info(undefined, null, true, 1n, Symbol('s'), () => 1, [1, [2]]);
		const o = {}; o.o = o; console.log(o);
		console.log(new Proxy({}, {get() { throw null }, ownKeys() { throw null }}));
		throw new Error('never say ' + secrets.KEY);
	}`, Secrets: map[string]string{"KEY": secret}}, `{}`)
	text := strings.Join(a.Console, "\n")
	for _, want := range []string{`Ann is 42, {"a":1} and more`, "Error: broken", "key [secret]", "undefined null true 1n Symbol(s) [Function: ] [1,[2]]"} {
		if !strings.Contains(text, want) {
			t.Errorf("the console lacks %q: %s", want, text)
		}
	}
	if err == nil || strings.Contains(text+err.Error(), "s3cret") {
		t.Errorf("a secret is told: %s %v", text, err)
	}
	a, err = run(t, p, jshook.Script{Source: `module.exports = (e, {secrets}) => { console.log('x'.repeat(65530) + secrets.KEY); return 1 }`, Secrets: map[string]string{"KEY": secret}}, `{}`)
	if text = strings.Join(a.Console, "\n"); err != nil || strings.Contains(text, "s3c") || !strings.Contains(text, "too long") {
		t.Errorf("half a secret at the end of %d bytes, %v", len(text), err)
	}
	a, err = run(t, p, jshook.Script{Source: `module.exports = (e, {secrets}) => { console.log('x'.repeat(65000)); for (let i = 0; i < 200; i++) console.log('x'.repeat(505) + secrets.KEY + i, 'y'.repeat(1e3)); return 1 }`, Secrets: map[string]string{"KEY": secret}}, `{}`)
	text = strings.Join(a.Console, "\n")
	if err != nil || len(text) > 64<<10+100 || !strings.HasSuffix(text, "[the console is full]") || strings.Contains(text, "s3c") {
		t.Errorf("%d bytes of console, %v", len(text), err)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var asked, together, most atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		now := together.Add(1)
		defer together.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		switch r.URL.Path {
		case "/hang":
			<-r.Context().Done()
		case "/huge":
			_, _ = w.Write(make([]byte, 3<<20))
		case "/headers":
			for i := range 3000 {
				w.Header().Set("x-"+strconv.Itoa(i), strings.Repeat("y", 200))
			}
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/elsewhere":
			t.Error("a redirect was followed")
		default:
			w.Header().Set("X-Echo", r.Header.Get("X-Mine"))
			w.WriteHeader(http.StatusCreated)
			_, _ = fmt.Fprintf(w, `{"method":%q,"host":%v,"agent":%q}`, r.Method, r.Host == "evil", r.UserAgent())
		}
	}))
	defer service.Close()
	p := open(t, func(_ *jshook.Settings, o *jshook.Options) { o.Client = service.Client() })
	for name, test := range map[string]struct{ body, want string }{
		"an answer":          {`const r = await fetch(url + '/x', {method: 'POST', body: JSON.stringify({a: 1}), headers: {'X-Mine': 'ä', host: 'evil'}}); return [r.status, r.ok, r.headers.get('x-echo'), await r.json()]`, `[201,true,"ä",{"method":"POST","host":false,"agent":"postern-hook"}]`},
		"in parallel":        {`const all = await Promise.all(Array.from({length: 50}, () => fetch(url))); return all.length`, `50`},
		"a fork bomb":        {`const all = await Promise.allSettled(Array.from({length: 5000}, () => fetch(url))); return all.filter((r) => r.status === 'fulfilled').length <= 100`, `true`},
		"no redirects":       {`const r = await fetch(url + '/redirect'); return [r.status, r.headers.get('location')]`, `[302,"/elsewhere"]`},
		"a huge answer":      {`try { await fetch(url + '/huge') } catch (e) { return String(e) }`, `"TypeError: fetch failed: the answer is too long"`},
		"huge headers":       {`try { await fetch(url + '/headers') } catch (e) { return 'failed' }`, `"failed"`},
		"a file":             {`try { await fetch('file:///etc/passwd') } catch (e) { return String(e) }`, `"TypeError: fetch failed: no address that makes sense"`},
		"a password":         {`try { await fetch('http://a:b@127.0.0.1/') } catch (e) { return String(e) }`, `"TypeError: fetch failed: names and passwords do not belong in an address"`},
		"no address":         {`try { await fetch('/x') } catch (e) { return String(e) }`, `"TypeError: Invalid URL"`},
		"a header with more": {`try { await fetch(url, {headers: {a: 'b\r\nc: d'}}) } catch (e) { return String(e) }`, `"TypeError: no value of a header"`},
		"CONNECT":            {`try { await fetch(url, {method: 'connect'}) } catch (e) { return String(e) }`, `"TypeError: fetch failed: no method for a script"`},
		"a signal":           {`try { await fetch(url + '/hang', {signal: AbortSignal.timeout(20)}) } catch (e) { return e.name }`, `"TimeoutError"`},
		"nobody waits":       {`fetch(url + '/hang').catch(() => {}); return 1`, `1`},
	} {
		t.Run(name, func(t *testing.T) {
			a, err := run(t, p, jshook.Script{Source: "module.exports = async (url) => {" + test.body + "}"}, strconv.Quote(service.URL))
			if err != nil || string(a.Body) != test.want {
				t.Errorf("%s %v, want %s", a.Body, err, test.want)
			}
		})
	}
	if most.Load() > 8*2+4 {
		t.Errorf("%d requests at a time", most.Load())
	}
	_, err := run(t, p, jshook.Script{Source: "module.exports = (url) => fetch(url + '/hang')", Timeout: 200 * time.Millisecond}, strconv.Quote(service.URL))
	if !errors.As(err, new(hooks.TimedOut)) {
		t.Errorf("a service that hangs: %v", err)
	}
	closed := open(t, nil)
	if _, err := run(t, closed, jshook.Script{Source: "module.exports = (url) => fetch(url)"}, strconv.Quote(service.URL)); err == nil {
		t.Error("without a client there was an answer")
	}
}

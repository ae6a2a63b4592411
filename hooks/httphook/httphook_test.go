package httphook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
	"postern/webhooks"
)

const secret = "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// clock goes on by a second each time it is looked at.
func clock() func() time.Time {
	var seconds atomic.Int64
	return func() time.Time { return time.Unix(1_700_000_000+seconds.Add(1), 0) }
}

// ask makes a runner of Supabase's rules that waits for nobody, and keeps what it would have waited.
func ask(t testing.TB, address string, change func(*Options)) (*Runner, *[]time.Duration) {
	t.Helper()
	u, err := ParseAddress(address, true)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := webhooks.ParseAll(secret)
	if err != nil {
		t.Fatal(err)
	}
	o := Options{URL: u, Keys: keys, Rules: Supabase(), Client: NewClient(), Now: clock()}
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Client.CloseIdleConnections)
	var waited []time.Duration
	r.pause = func(_ context.Context, d time.Duration) { waited = append(waited, d) }
	return r, &waited
}

func call() hooks.Call {
	return hooks.Call{ID: "4f3ae1a8-4f8e-4d7b-8c52-9a1a4b7b3c11", Name: "test", Body: []byte(`{"user":"canary-body"}`)}
}

func says(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// What is sent is signed as the verifier of Standard Webhooks wants it, and by each key.
func TestQuestionsAreSigned(t *testing.T) {
	t.Parallel()
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32))
	public := base64.StdEncoding.EncodeToString(private[32:])
	asymmetric := "v1a,whpk_" + public + ":whsk_" + base64.StdEncoding.EncodeToString(private)
	other := "whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("o"), 64))
	var got http.Header
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		body, _ = io.ReadAll(r.Body)
		says(200, "application/json; charset=utf-8", `{"ok":true}`)(w, r)
	}))
	defer server.Close()
	r, _ := ask(t, server.URL, func(o *Options) {
		var err error
		if o.Keys, err = webhooks.ParseAll(secret + "|" + other + "|" + asymmetric); err != nil {
			t.Fatal(err)
		}
	})
	c := call()
	c.Header = map[string]string{"X-Dialect": "yes", "webhook-signature": "forged", "Content-Type": "text/plain", "Accept-Encoding": "gzip"}
	answer, err := r.Run(t.Context(), c)
	if err != nil || string(answer.Body) != `{"ok":true}` || answer.Status != 200 || answer.ContentType != "application/json; charset=utf-8" {
		t.Fatalf("%+v, %v", answer, err)
	}
	want := map[string]string{
		"Content-Type": "application/json", "Accept-Encoding": "identity", "Webhook-Id": c.ID, "Webhook-Timestamp": "1700000001", "X-Dialect": "yes", "User-Agent": "Postern",
	}
	for name, value := range want {
		if got.Get(name) != value || len(got.Values(name)) != 1 {
			t.Errorf("%s is %q, want %q", name, got.Values(name), value)
		}
	}
	if n := len(strings.Split(got.Get("Webhook-Signature"), " ")); n != 3 || strings.Contains(got.Get("Webhook-Signature"), ", ") {
		t.Errorf("signatures: %q", got.Get("Webhook-Signature"))
	}
	if d := cmp.Diff(c.Body, body); d != "" {
		t.Errorf("the body (-want +got):\n%s", d)
	}
	for _, held := range []string{secret, other, "whpk_" + public} {
		receiver, err := webhooks.ParseAll(held)
		if err != nil {
			t.Fatal(err)
		}
		if err := receiver.Verify(got.Get("webhook-id"), got.Get("webhook-timestamp"), got.Get("webhook-signature"), body, time.Unix(1_700_000_001, 0)); err != nil {
			t.Errorf("%.5s: %v", held, err)
		}
	}
}

func TestWithoutKeysThereIsNoSignature(t *testing.T) {
	t.Parallel()
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		w.WriteHeader(http.StatusNoContent)
	}))
	defer server.Close()
	r, _ := ask(t, server.URL, func(o *Options) { o.Keys = nil })
	unsigned := call()
	unsigned.Header = map[string]string{"Webhook-Signature": "forged"}
	answer, err := r.Run(t.Context(), unsigned)
	if err != nil || answer.Status != 204 || answer.Body != nil {
		t.Errorf("%+v, %v", answer, err)
	}
	if _, there := got["Webhook-Signature"]; there || got.Get("Webhook-Id") == "" {
		t.Errorf("the head of the question: %v", got)
	}
	for _, id := range []string{"", "a.b", "a b", "a\r\nX: y", strings.Repeat("a", 256), "ä"} {
		c := call()
		c.ID = id
		if _, err := r.Run(t.Context(), c); err == nil {
			t.Errorf("the id %q is signed", id)
		}
	}
	public, err := webhooks.ParseAll("whpk_" + base64.StdEncoding.EncodeToString(ed25519.NewKeyFromSeed(make([]byte, 32))[32:]))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{URL: r.URL, Keys: public, Client: r.Client, Now: r.Now}); err == nil {
		t.Error("a key that cannot sign is taken for one that does")
	}
}

// A retry has the same id, a fresh time and so another signature.
func TestRetriesKeepTheID(t *testing.T) {
	t.Parallel()
	type seen struct{ id, at, signature string }
	var all []seen
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all = append(all, seen{r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature")})
		if len(all) < 3 {
			w.Header().Set("Retry-After", "1")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		says(202, "application/json", `{}`)(w, r)
	}))
	defer server.Close()
	r, waited := ask(t, server.URL, nil)
	if _, err := r.Run(t.Context(), call()); err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 || all[0].id != all[2].id || all[0].id != call().ID || all[0].at == all[1].at || all[1].at == all[2].at || all[0].signature == all[1].signature {
		t.Errorf("tries: %+v", all)
	}
	if d := cmp.Diff([]time.Duration{time.Second, time.Second}, *waited); d != "" {
		t.Errorf("pauses (-want +got):\n%s", d)
	}
}

// Supabase's table, and plain webhooks beside it.
func TestAnswers(t *testing.T) {
	t.Parallel()
	busy := func(status int, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if after != "" {
				w.Header().Set("Retry-After", after)
			}
			w.WriteHeader(status)
		}
	}
	const js = "application/json"
	big := `"` + strings.Repeat("x", 200<<10) + `"`
	for name, test := range map[string]struct {
		say   http.HandlerFunc
		rules func() Rules
		want  error // nil for an answer
		tries int
	}{
		"200":                        {says(200, js, `{"a":1}`), Supabase, nil, 1},
		"202":                        {says(202, js, `{}`), Supabase, nil, 1},
		"204":                        {says(204, "", ""), Supabase, nil, 1},
		"a parameter":                {says(200, "application/JSON;charset=utf-8", `{}`), Supabase, nil, 1},
		"exactly as much as allowed": {says(200, js, big[:200<<10-1]+`"`), Supabase, nil, 1},
		"201":                        {says(201, js, `{}`), Supabase, hooks.BadStatus{Status: 201}, 1},
		"400":                        {says(400, js, `{}`), Supabase, hooks.BadStatus{Status: 400}, 1},
		"401":                        {says(401, js, `{}`), Supabase, hooks.BadStatus{Status: 401}, 1},
		"500":                        {says(500, js, `{}`), Supabase, hooks.BadStatus{Status: 500}, 1},
		"500 with Retry-After":       {busy(500, "1"), Supabase, hooks.BadStatus{Status: 500}, 1},
		"429":                        {busy(429, ""), Supabase, hooks.BadStatus{Status: 429}, 1},
		"429 with Retry-After":       {busy(429, "0"), Supabase, hooks.BadStatus{Status: 429}, 3},
		"503 with Retry-After":       {busy(503, "1"), Supabase, hooks.BadStatus{Status: 503}, 3},
		"503 with a word":            {busy(503, "true"), Supabase, hooks.BadStatus{Status: 503}, 3},
		"503 much later":             {busy(503, "3600"), Supabase, hooks.BadStatus{Status: 503}, 1},
		"503 on a day":               {busy(503, "Tue, 01 Dec 2026 00:00:00 GMT"), Supabase, hooks.BadStatus{Status: 503}, 1},
		"503 in the past":            {busy(503, "Tue, 01 Dec 1998 00:00:00 GMT"), Supabase, hooks.BadStatus{Status: 503}, 3},
		"no type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header()["Content-Type"] = nil
			_, _ = io.WriteString(w, "{}")
		}, Supabase, hooks.WrongType{}, 1},
		"HTML":                       {says(200, "text/html", `<p>canary-answer</p>`), Supabase, hooks.WrongType{}, 1},
		"another JSON":               {says(200, "application/problem+json", `{}`), Supabase, hooks.WrongType{}, 1},
		"empty":                      {says(200, js, ``), Supabase, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}, 1},
		"garbage":                    {says(200, js, `{"canary-answer`), Supabase, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}, 1},
		"not UTF-8":                  {says(200, js, "{\"a\":\"\xff\xfe\"}"), Supabase, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}, 1},
		"twice the same member":      {says(200, js, `{"a":1,"a":2}`), Supabase, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}, 1},
		"deep":                       {says(200, js, strings.Repeat("[", 100_000)), Supabase, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}, 1},
		"too large":                  {says(200, js, big), Supabase, hooks.TooLarge{Most: 200 << 10}, 1},
		"plain 201":                  {says(201, "text/plain", "fine"), Plain, nil, 1},
		"plain 299":                  {says(299, "", ""), Plain, nil, 1},
		"plain 302":                  {busy(302, ""), Plain, hooks.BadStatus{Status: 302}, 1},
		"plain 410":                  {busy(410, ""), Plain, hooks.BadStatus{Status: 410}, 1},
		"plain 503":                  {busy(503, "0"), Plain, hooks.BadStatus{Status: 503}, 1},
		"legacy 500":                 {busy(500, ""), Legacy, hooks.BadStatus{Status: 500}, 3},
		"legacy 404":                 {busy(404, ""), Legacy, hooks.BadStatus{Status: 404}, 3},
		"legacy 200 that is no JSON": {says(200, "text/plain", "fine"), Legacy, nil, 1},
		"compressed without being asked": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			says(200, js, "\x1f\x8b")(w, r)
		}, Supabase, hooks.BadAnswer{Why: "it is compressed, which was not asked for"}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var tries atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				tries.Add(1)
				test.say(w, r)
			}))
			defer server.Close()
			r, _ := ask(t, strings.Replace(server.URL, "http://", "http://canary-user:canary-password@", 1)+"/canary-path?key=canary-key", func(o *Options) { o.Rules = test.rules() })
			answer, err := r.Run(t.Context(), call())
			if d := cmp.Diff(test.want, err, cmp.Comparer(func(a, b error) bool { return a == b })); d != "" { //nolint:errorlint // the errors are comparable values, and are to come as they are
				t.Errorf("(-want +got):\n%s", d)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("it says too much: %v", err)
			}
			if int(tries.Load()) != test.tries {
				t.Errorf("asked %d times, want %d", tries.Load(), test.tries)
			}
			if status := new(hooks.BadStatus); errors.As(err, status) && (answer.Status != status.Status || answer.Body != nil) {
				t.Errorf("the answer beside the status: %+v", answer)
			}
		})
	}
}

// hang speaks to whoever connects in its own way.
func hang(t testing.TB, speak func(net.Conn)) (address string, connections *atomic.Int32) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	connections = new(atomic.Int32)
	var all sync.WaitGroup
	t.Cleanup(func() { _ = l.Close(); all.Wait() })
	all.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			connections.Add(1)
			all.Go(func() {
				defer func() { _ = conn.Close() }()
				speak(conn)
			})
		}
	})
	return "http://" + l.Addr().String(), connections
}

// Nobody who does not answer as one should holds the question for longer than the budget.
func TestHostileServers(t *testing.T) {
	t.Parallel()
	const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
	hear := func(conn net.Conn) { _, _ = conn.Read(make([]byte, 4096)) }
	drip := func(conn net.Conn, first, piece string) {
		hear(conn)
		_, err := io.WriteString(conn, first)
		for err == nil {
			_, err = io.WriteString(conn, piece)
			if len(piece) < 10 && err == nil {
				err = conn.SetReadDeadline(time.Now().Add(5 * time.Millisecond)) // a slow one
				hear(conn)
			}
		}
	}
	for name, test := range map[string]struct {
		speak       func(net.Conn)
		want        func(error) bool
		connections int32
	}{
		"silence":            {func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, is[hooks.TimedOut], 1},
		"a slow head":        {func(c net.Conn) { drip(c, "HTTP/1.1 200 OK\r\nX: ", "x") }, is[hooks.TimedOut], 1},
		"a slow body":        {func(c net.Conn) { drip(c, head+"Content-Length: 100000\r\n\r\n", " ") }, is[hooks.TimedOut], 1},
		"a slow chunk":       {func(c net.Conn) { drip(c, head+"Transfer-Encoding: chunked\r\n\r\n", "1\r\n \r\n") }, is[hooks.TimedOut], 1},
		"endless headers":    {func(c net.Conn) { drip(c, head, strings.Repeat("X-Canary: canary-header\r\n", 1000)) }, is[hooks.BadAnswer], 1},
		"one endless header": {func(c net.Conn) { drip(c, head+"X: ", strings.Repeat("canary", 1000)) }, is[hooks.BadAnswer], 1},
		"endless hints": {func(c net.Conn) {
			drip(c, "", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: </canary>\r\n\r\n", 100))
		}, is[hooks.BadAnswer], 1},
		"100 MB":          {func(c net.Conn) { drip(c, head+"Content-Length: 100000000\r\n\r\n", strings.Repeat("x", 64<<10)) }, is[hooks.TooLarge], 1},
		"an endless body": {func(c net.Conn) { drip(c, head+"\r\n", strings.Repeat("x", 64<<10)) }, is[hooks.TooLarge], 1},
		"endless chunks": {func(c net.Conn) {
			drip(c, head+"Transfer-Encoding: chunked\r\n\r\n", "2000\r\n"+strings.Repeat("x", 0x2000)+"\r\n")
		}, is[hooks.TooLarge], 1},
		"not HTTP":           {func(c net.Conn) { hear(c); _, _ = io.WriteString(c, "SSH-2.0-canary\r\n\r\n") }, is[hooks.BadAnswer], 1},
		"it hangs up":        {hear, is[hooks.Unreachable], 3},
		"it hangs up midway": {func(c net.Conn) { hear(c); _, _ = io.WriteString(c, head+"Content-Length: 10\r\n\r\n{") }, is[hooks.Unreachable], 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			address, connections := hang(t, test.speak)
			r, _ := ask(t, address, func(o *Options) {
				o.Rules.Pause, o.Rules.Budget = time.Millisecond, time.Minute
				if test.want(hooks.TimedOut{}) {
					o.Rules.Budget = 300 * time.Millisecond
				}
			})
			started := time.Now()
			_, err := r.Run(t.Context(), call())
			if !test.want(err) {
				t.Errorf("%T: %v", err, err)
			}
			if took := time.Since(started); took > 30*time.Second {
				t.Errorf("it held the question for %s", took)
			}
			if err != nil && strings.Contains(err.Error(), "canary") {
				t.Errorf("it says too much: %v", err)
			}
			if n := connections.Load(); n != test.connections {
				t.Errorf("asked %d times, want %d", n, test.connections)
			}
		})
	}
}

func is[T error](err error) bool {
	_, ok := err.(T) //nolint:errorlint // they are to come as they are, for whoever switches over types
	return ok
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := "http://canary-user:canary-password@" + l.Addr().String() + "/canary-path?canary"
	_ = l.Close()
	for rules, tries := range map[string]int{"Supabase": 3, "Legacy": 1, "Plain": 1} {
		r, waited := ask(t, address, func(o *Options) {
			o.Rules = map[string]Rules{"Supabase": Supabase(), "Legacy": Legacy(), "Plain": Plain()}[rules]
		})
		_, err = r.Run(t.Context(), call())
		if !is[hooks.Unreachable](err) || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", rules, err)
		}
		if len(*waited) != tries-1 || tries == 3 && (*waited)[0] != 2*time.Second {
			t.Errorf("%s: waited %v", rules, *waited)
		}
	}
	// What cannot be had within the budget is not waited for.
	r, waited := ask(t, address, func(o *Options) { o.Rules.Budget = time.Second })
	if _, err := r.Run(t.Context(), call()); !is[hooks.Unreachable](err) || len(*waited) != 0 {
		t.Errorf("%v, waited %v", err, *waited)
	}
	// Whoever asked has gone.
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Run(gone, call()); !errors.Is(err, context.Canceled) {
		t.Errorf("gone: %v", err)
	}
}

// GoTrue's webhooks of old put the question again when one try was too slow.
func TestSlowTries(t *testing.T) {
	t.Parallel()
	address, connections := hang(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	r, _ := ask(t, address, func(o *Options) { o.Rules = Legacy(); o.Rules.PerTry = 50 * time.Millisecond })
	if _, err := r.Run(t.Context(), call()); !is[hooks.TimedOut](err) || connections.Load() != 3 {
		t.Errorf("%v after %d tries", err, connections.Load())
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var reached atomic.Bool
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached.Store(true) }))
	defer inside.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, to := range []string{inside.URL, "http://169.254.169.254/latest/meta-data/", "file:///etc/passwd"} {
			server := httptest.NewServer(http.RedirectHandler(to, status))
			client := NewClient()
			client.CheckRedirect = nil // somebody forgot it
			r, _ := ask(t, server.URL, func(o *Options) { o.Client = client })
			if _, err := r.Run(t.Context(), call()); !errors.Is(err, hooks.BadStatus{Status: status}) {
				t.Errorf("%d: %v", status, err)
			}
			server.Close()
		}
	}
	if reached.Load() {
		t.Error("a redirect was followed")
	}
}

// A certificate that nobody vouches for does not become better by asking again.
func TestCertificates(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(says(200, "application/json", "{}"))
	server.Config.ErrorLog = nil
	server.StartTLS()
	defer server.Close()
	r, waited := ask(t, server.URL, nil)
	if _, err := r.Run(t.Context(), call()); !is[hooks.Unreachable](err) || len(*waited) != 0 || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("%v, waited %v", err, *waited)
	}
	r, _ = ask(t, server.URL, func(o *Options) { o.Client = server.Client() })
	if _, err := r.Run(t.Context(), call()); err != nil {
		t.Error(err)
	}
}

// refusing is a transport that says where it does not go, as the guarded one does.
type refusing struct{ asked int }

func (r *refusing) RoundTrip(*http.Request) (*http.Response, error) { r.asked++; return nil, noWay{} }

type noWay struct{}

func (noWay) Error() string   { return "canary" }
func (noWay) Refusal() string { return "10.0.0.1 is a private network" }

func TestGuardedClients(t *testing.T) {
	t.Parallel()
	transport := &refusing{}
	r, _ := ask(t, "https://example.com/canary", func(o *Options) { o.Client = &http.Client{Transport: transport} })
	_, err := r.Run(t.Context(), call())
	if want := (hooks.Unreachable{Why: "example.com: 10.0.0.1 is a private network"}); !errors.Is(err, want) || transport.asked != 1 {
		t.Errorf("%v after %d tries", err, transport.asked)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for address, want := range map[string][2]bool{ // by itself, and where the operator allows to go without TLS
		"https://hooks.example/x?y=z":         {true, true},
		"https://user:password@hooks.example": {true, true},
		"http://localhost:3000/x":             {true, true},
		"http://LOCALHOST/x":                  {true, true},
		"http://127.0.0.1:3000":               {true, true},
		"http://[::1]:3000":                   {true, true},
		"http://host.docker.internal:54321/x": {true, true},
		"http://hooks.example/x":              {false, true},
		"http://127.0.0.2/":                   {false, true},
		"http://localhost.example/":           {false, true},
		"http://169.254.169.254/":             {false, true},
		"":                                    {}, "hooks.example": {}, "ftp://localhost/": {}, "file:///etc/passwd": {}, "https://": {}, "https:///x": {}, "https:hooks.example": {},
		"pg-functions://postgres/public/f": {}, "https://exa mple/": {}, "https://example\r\n/": {}, "https://[::1": {}, "https://example:port/": {}, "\x00": {},
	} {
		for i, without := range []bool{false, true} {
			u, err := ParseAddress(address, without)
			if (err == nil) != want[i] {
				t.Errorf("%q (without TLS %t): %v", address, without, err)
			}
			if err != nil && strings.Contains(err.Error(), "password") {
				t.Errorf("%q: it says too much: %v", address, err)
			}
			if err == nil && u.Host == "" {
				t.Errorf("%q: nobody", address)
			}
		}
	}
}

// A flood of questions waits for connections, and opens no flood of them.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(says(200, "application/json", "{}"))
	server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	r, _ := ask(t, server.URL, func(o *Options) { o.Rules.Budget = time.Minute })
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			if _, err := r.Run(t.Context(), call()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := opened.Load(); n > 64 {
		t.Errorf("%d connections", n)
	}
}

func ExampleRunner() {
	server := httptest.NewServer(says(200, "application/json", `{"decision":"continue"}`))
	defer server.Close()
	address, err := ParseAddress(server.URL, false)
	if err != nil {
		fmt.Println(err)
		return
	}
	r, err := New(Options{URL: address, Rules: Supabase(), Client: NewClient(), Now: time.Now})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := r.Run(context.Background(), hooks.Call{ID: "evt_1", Body: []byte(`{"valid":true}`)})
	fmt.Println(string(answer.Body), err)
	// Output: {"decision":"continue"} <nil>
}

func BenchmarkLoopback(b *testing.B) {
	server := httptest.NewServer(says(200, "application/json", `{"claims":{}}`))
	defer server.Close()
	r, _ := ask(b, server.URL, nil)
	c := call()
	c.Body = bytes.Repeat([]byte("x"), 1024)
	for b.Loop() {
		if _, err := r.Run(b.Context(), c); err != nil {
			b.Fatal(err)
		}
	}
}

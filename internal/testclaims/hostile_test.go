package testclaims_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"postern/claims"
	"postern/internal/fakehasura"
)

// told collects what a mapper tells of failures.
func told(m *claims.Mapper) func() []claims.Failure {
	var mu sync.Mutex
	var list []claims.Failure
	m.Failed = func(_ context.Context, f claims.Failure) {
		mu.Lock()
		defer mu.Unlock()
		list = append(list, f)
	}
	return func() []claims.Failure {
		mu.Lock()
		defer mu.Unlock()
		got := list
		list = nil
		return got
	}
}

func containsAny(text string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// elsewhere is a host that nobody meant to ask. It must not hear the admin secret.
type elsewhere struct {
	*httptest.Server

	requests atomic.Int64
	secret   atomic.Bool
}

func newElsewhere(t testing.TB) *elsewhere {
	t.Helper()
	e := &elsewhere{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.requests.Add(1)
		body, _ := io.ReadAll(r.Body)
		for _, values := range r.Header {
			e.secret.Store(e.secret.Load() || containsAny(strings.Join(values, " "), fakehasura.Secret))
		}
		e.secret.Store(e.secret.Load() || containsAny(r.URL.String()+string(body), fakehasura.Secret))
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"data":{"user":{"profile":{"organisation":{"name":"of a stranger"}}}}}`)
	}))
	t.Cleanup(e.Close)
	return e
}

// troubles are the ways in which a source fails, as handlers.
func troubles(away *elsewhere) map[string]http.HandlerFunc {
	const good = `{"data":{"user":{"profile":{"organisation":{"name":"Acme"}}}}}`
	redirect := func(status int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", away.URL+"/v1/graphql")
			w.WriteHeader(status)
		}
	}
	return map[string]http.HandlerFunc{
		"ten seconds":            fakehasura.Slow(10 * time.Second),
		"500":                    fakehasura.Says(500, "application/json", good),
		"503 of a proxy":         fakehasura.Says(503, "text/html", "<html>503</html>"),
		"garbage":                fakehasura.Says(200, "application/json", "\x00\xff{{{"),
		"half":                   fakehasura.Says(200, "application/json", good[:25]),
		"nothing":                fakehasura.Says(200, "application/json", ""),
		"a page":                 fakehasura.Says(200, "text/html", "<html>please sign in</html>"),
		"the wrong content type": fakehasura.Says(200, "text/plain", good),
		"the wrong secret":       fakehasura.Says(200, "application/json", `{"errors":[{"extensions":{"path":"$","code":"access-denied"},"message":"invalid x-hasura-admin-secret"}]}`),
		"redirect 302":           redirect(302),
		"redirect 307":           redirect(307),
		"redirect 308":           redirect(308),
		"data and errors":        fakehasura.Says(200, "application/json", good[:len(good)-1]+`,"errors":[{"message":"x"}]}`),
		"a list for the user":    fakehasura.Says(200, "application/json", `{"data":{"user":[{"profile":null}]}}`),
		"no user at all":         fakehasura.Says(200, "application/json", `{"data":{"other":1}}`),
		"100 MB": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_, _ = io.WriteString(w, `{"data":{"user":{"profile":{"organisation":{"name":"`)
			piece := strings.Repeat("a", 1<<20)
			for range 100 {
				if _, err := io.WriteString(w, piece); err != nil {
					return
				}
			}
			_, _ = io.WriteString(w, `"}}}}}`)
		},
		"drop by drop": func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			for range 1000 {
				if _, err := io.WriteString(w, " "); err != nil || http.NewResponseController(w).Flush() != nil {
					return
				}
				pause := time.NewTimer(20 * time.Millisecond)
				select {
				case <-r.Context().Done():
					pause.Stop()
					return
				case <-pause.C:
				}
			}
		},
	}
}

// bound is far more than what three tokens may take, and less than what any source would like.
const bound = 9 * time.Second

// TestHostileSources lets the source fail in every way, after it was well: policy holds, within the
// limit of time, the secret stays at home, and all is well again afterwards.
func TestHostileSources(t *testing.T) {
	t.Parallel()
	database := application(t)
	away := newElsewhere(t)
	for name, trouble := range troubles(away) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			from, fake := overHTTP(t, database)
			const path = "profile.organisation.name"
			plain, fallback := formed(t, from, short, path, false, ""), formed(t, from, short, path, false, "own")
			required := formed(t, from, 2*time.Second, path, true, "own")
			failures := told(required)
			fake.Misbehave(trouble)
			began := time.Now()
			for _, one := range []struct {
				m    *claims.Mapper
				want string
			}{{plain, omitted}, {fallback, "D"}, {required, unavailable}} {
				if got := outcome(t, one.m, rich); got != one.want {
					t.Errorf("%s, want %s", got, one.want)
				}
			}
			if took := time.Since(began); took > bound {
				t.Errorf("three tokens took %s", took)
			}
			for _, f := range failures() {
				if f.Reason == "" || containsAny(f.Reason, fakehasura.Secret, "Acme", "127.0.0.1") || len(f.Reason) > 1000 {
					t.Errorf("the reason is empty or shows too much: %q", f.Reason)
				}
			}
			fake.Misbehave(nil)
			if got := outcome(t, required, rich); got != "Acme" {
				t.Errorf("after the trouble: %s", got)
			}
		})
	}
	t.Cleanup(func() {
		if away.requests.Load() > 0 || away.secret.Load() {
			t.Errorf("another host was asked %d times, with the secret: %t", away.requests.Load(), away.secret.Load())
		}
	})
}

// TestDownFromTheStart opens the claims while nobody answers, and lets the source come later.
func TestDownFromTheStart(t *testing.T) {
	t.Parallel()
	from, fake := overHTTP(t, application(t))
	fake.Down(true)
	m := open(t, claims.Settings{Definitions: `{"c": {"path": "profile.organisation.name", "required": true}, "d": {"path": "emial", "default": "D"}}`, Invalid: "warn", Timeout: ample}, from)
	if _, err := m.Check(t.Context()); err == nil || containsAny(err.Error(), fakehasura.Secret) {
		t.Errorf("the check of a source that is down: %v", err)
	}
	if m.Ready() == nil {
		t.Error("it is ready though nothing was checked")
	}
	if got := outcome(t, m, rich); got != unavailable {
		t.Errorf("%s, want a refusal", got)
	}
	fake.Down(false)
	got, err := m.Of(t.Context(), rich, nil)
	if err != nil || got["x-hasura-c"] != "Acme" || got["x-hasura-d"] != "D" || len(got) != 2 {
		t.Errorf("when it is there: %v, %v", got, err)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("it is not ready: %v", err)
	}
}

// TestCircuitBreaker counts what a source hears that is down: after a few failures nothing, and then
// one question that finds out whether it is back.
func TestCircuitBreaker(t *testing.T) {
	t.Parallel()
	from, fake := overHTTP(t, application(t))
	var ahead atomic.Int64
	now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
	m, err := claims.Open(claims.Settings{Definitions: `{"c": {"path": "profile.organisation.name", "required": true}}`}, from, now)
	if err != nil {
		t.Fatal(err)
	}
	if got := outcome(t, m, rich); got != "Acme" {
		t.Fatal(got)
	}
	var heard atomic.Int64
	fake.Misbehave(func(w http.ResponseWriter, r *http.Request) {
		heard.Add(1)
		fakehasura.Says(500, "text/plain", "")(w, r)
	})
	for range 50 {
		if got := outcome(t, m, rich); got != unavailable {
			t.Fatal(got)
		}
	}
	if n := heard.Load(); n < 2 || n > 20 {
		t.Errorf("a source that is down heard %d of 50 questions", n)
	}
	if m.Ready() == nil {
		t.Error("it is ready while the source is left alone")
	}
	before := heard.Load()
	ahead.Add(int64(time.Minute))
	for range 20 { // still down: one of them tries
		if got := outcome(t, m, rich); got != unavailable {
			t.Fatal(got)
		}
	}
	if n := heard.Load() - before; n != 1 {
		t.Errorf("%d questions after the rest, want one", n)
	}
	fake.Misbehave(nil)
	ahead.Add(int64(time.Minute))
	if got := outcome(t, m, rich); got != "Acme" {
		t.Errorf("the source is back: %s", got)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("not ready: %v", err)
	}
}

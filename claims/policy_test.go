package claims

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

const nobody = "7d3f0f5a-0000-4000-8000-00000000dead"

// TestPolicy holds required, default and neither against every way that a value can be missing.
func TestPolicy(t *testing.T) {
	t.Parallel()
	type want struct {
		claims string // "name=literal …", or empty
		code   auth.Code
	}
	one := func(members string) string { return `{"it": {` + members + `}}` }
	fails := func(err error) func(context.Context, string) error {
		return func(_ context.Context, query string) error {
			if strings.Contains(query, "__schema") {
				return nil
			}
			return err
		}
	}
	tests := []struct {
		name    string
		claims  string
		user    string
		fail    func(context.Context, string) error
		want    want
		failure string // in the reason told
	}{
		{"a value", one(`"path": "email", "required": true, "default": "none"`), ann, nil, want{claims: "x-hasura-it=ann@example.com"}, ""},
		{"nothing: omitted", one(`"path": "profile.nick"`), ann, nil, want{}, ""},
		{"nothing: default", one(`"path": "profile.nick", "default": "Nick"`), ann, nil, want{claims: "x-hasura-it=Nick"}, ""},
		{"nothing: default list", one(`"path": "profile.nick", "default": ["a", 1]`), ann, nil, want{claims: `x-hasura-it={"a",1}`}, ""},
		{"nothing: required", one(`"path": "profile.nick", "required": true`), ann, nil, want{code: auth.ClaimMissing}, ""},
		{"nothing: required with a default", one(`"path": "profile.nick", "required": true, "default": "Nick"`), ann, nil, want{claims: "x-hasura-it=Nick"}, ""},
		{"an empty list is a value", one(`"path": "organizations[].id", "default": "none", "required": true`), ann, nil, want{claims: "x-hasura-it={}"}, ""},
		{"no list: default", one(`"path": "profile.nick[]", "default": "none"`), ann, nil, want{claims: "x-hasura-it=none"}, ""},
		{"no list: empty", one(`"path": "profile.nick[]"`), ann, nil, want{claims: "x-hasura-it={}"}, ""},
		{"no list: required", one(`"path": "profile.nick[]", "required": true`), ann, nil, want{code: auth.ClaimMissing}, ""},

		{"source down: omitted", one(`"path": "email"`), ann, fails(down("connection refused")), want{}, "connection refused"},
		{"source down: default", one(`"path": "email", "default": "none"`), ann, fails(down("connection refused")), want{claims: "x-hasura-it=none"}, "connection refused"},
		{"source down: required in spite of a default", one(`"path": "email", "default": "none", "required": true`), ann, fails(down("connection refused")), want{code: auth.ClaimsUnavailable}, "connection refused"},
		{"source answers errors: required", one(`"path": "email", "required": true`), ann, fails(refused{"database query error"}), want{code: auth.ClaimsUnavailable}, "database query error"},
		{"source answers errors: default", one(`"path": "email", "default": "none"`), ann, fails(refused{"database query error"}), want{claims: "x-hasura-it=none"}, "database query error"},
		{"source fails in no known way", one(`"path": "email", "required": true`), ann, fails(errPlain), want{code: auth.ClaimsUnavailable}, "something else"},
		{"no schema: required", one(`"path": "email", "required": true`), ann, func(context.Context, string) error { return down("no route") }, want{code: auth.ClaimsUnavailable}, "no route"},
		{"no schema: default", one(`"path": "email", "default": "none"`), ann, func(context.Context, string) error { return down("no route") }, want{claims: "x-hasura-it=none"}, "no route"},
		{"no such user: required", one(`"path": "email", "required": true`), nobody, nil, want{code: auth.ClaimsUnavailable}, "no such user"},
		{"no such user: default", one(`"path": "email", "default": "none"`), nobody, nil, want{claims: "x-hasura-it=none"}, "no such user"},

		{"evaluation fails: default", one(`"path": "$number(email)", "default": 0`), ann, nil, want{claims: "x-hasura-it=0"}, "D3030"},
		{"evaluation fails: required", one(`"path": "$number(email)", "required": true`), ann, nil, want{code: auth.ClaimsUnavailable}, "D3030"},
		{"evaluation fails: others stay", `{"it": "$number(email)", "name": "displayName"}`, ann, nil, want{claims: "x-hasura-name=Ann"}, "D3030"},
		{"not to be written: omitted", `{"it": "profile.settings.nul", "name": "displayName"}`, ann, nil, want{claims: "x-hasura-name=Ann"}, "cannot be"},

		{"too long: omitted", `{"it": "$pad(email, 5000)", "name": "displayName"}`, ann, nil, want{claims: "x-hasura-name=Ann"}, "AUTH_CLAIMS_MAX_BYTES"},
		{"too long: default", `{"it": {"path": "$pad(email, 5000)", "default": "long"}, "name": "displayName"}`, ann, nil, want{claims: "x-hasura-it=long x-hasura-name=Ann"}, "AUTH_CLAIMS_MAX_BYTES"},
		{"too long: required", one(`"path": "$pad(email, 5000)", "required": true`), ann, nil, want{code: auth.ClaimsUnavailable}, "AUTH_CLAIMS_MAX_BYTES"},
		{"far too long", one(`"path": "$pad(email, 500000)", "default": "long"`), ann, nil, want{claims: "x-hasura-it=long"}, "D3010"},
		{"a value of the default list", `{"it": "profile.nick"}`, ann, nil, want{claims: "x-hasura-it=from the list"}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := Settings{Definitions: tt.claims}
			if tt.name == "a value of the default list" {
				s.Defaults = `{"X-Hasura-IT": "from the list"}`
			}
			m, from := open(t, s)
			var told []Failure
			m.Failed = func(_ context.Context, f Failure) { told = append(told, f) }
			from.breakWith(tt.fail)
			got, err := m.Of(t.Context(), tt.user, nil)
			if auth.CodeOf(err) != tt.want.code {
				t.Fatalf("got %v and %v, want the code %q", got, err, tt.want.code)
			}
			if diff := cmp.Diff(parse(tt.want.claims, tt.want.code), got); diff != "" {
				t.Errorf("claims (-want +got):\n%s", diff)
			}
			switch {
			case tt.failure == "" && len(told) > 0:
				t.Errorf("told %v", told)
			case tt.failure != "" && (len(told) != 1 || !strings.Contains(told[0].Reason, tt.failure) || told[0].UserID != tt.user):
				t.Errorf("told %+v, want one with %q", told, tt.failure)
			case tt.failure != "" && m.Failures()["x-hasura-it"] != 1:
				t.Errorf("counted %v", m.Failures())
			}
			for _, f := range told {
				if strings.Contains(f.Reason, "ann@example.com") {
					t.Errorf("the reason repeats the user's data: %s", f.Reason)
				}
			}
			var wait auth.TooSoon
			if tt.want.code == auth.ClaimsUnavailable && (!errors.As(err, &wait) || wait.RetryAfter <= 0) {
				t.Errorf("%v does not say when to come back", err)
			}
		})
	}
}

// parse reads "name=literal name=literal".
func parse(text string, code auth.Code) map[string]string {
	if code != "" {
		return nil
	}
	claims := map[string]string{}
	name := ""
	for word := range strings.FieldsSeq(text) {
		if before, after, ok := strings.Cut(word, "="); ok && strings.HasPrefix(word, prefix) {
			name = before
			claims[name] = after
			continue
		}
		claims[name] += " " + word
	}
	return claims
}

func TestNoClaims(t *testing.T) {
	t.Parallel()
	empty, err := Open(Settings{Definitions: " {} "}, nil, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	for name, m := range map[string]*Mapper{"nil": nil, "an empty object": empty} {
		got, err := m.Of(t.Context(), ann, nil)
		if !m.None() || got != nil || err != nil || m.Ready() != nil || m.Failures() != nil {
			t.Errorf("%s: %v %v", name, got, err)
		}
		m.Keep(t.Context())
		if r, err := m.Check(t.Context()); err != nil || r.Err() != nil {
			t.Errorf("%s: %v %v", name, r, err)
		}
		if e, err := m.Explain(t.Context(), ann); err != nil || len(e.Claims) > 0 {
			t.Errorf("%s: %v %v", name, e, err)
		}
	}
	if _, err := Open(Settings{Definitions: `{"a": "email"}`}, nil, time.Now); err == nil {
		t.Error("claims without a source were opened")
	}
}

// TestKnown holds that what a caller is about to change counts more than what the source says, and
// only where a claim reads it.
func TestKnown(t *testing.T) {
	t.Parallel()
	m, _ := open(t, Settings{Definitions: `{
		"verified": "emailVerified", "email": "email", "all": "$",
		"hand": {"path": "sure & x", "select": "sure: emailVerified x: metadata(path: \"a\")"}}`})
	got, err := m.Of(t.Context(), ann, map[string]any{"emailVerified": true, "email": nil, "newEmail": "x"})
	if err != nil {
		t.Fatal(err)
	}
	if got["x-hasura-verified"] != "true" || !strings.HasPrefix(got["x-hasura-hand"], "true") {
		t.Errorf("got %v", got)
	}
	if _, ok := got["x-hasura-email"]; ok {
		t.Error("there is an address that is about to go")
	}
	if all := got["x-hasura-all"]; !strings.Contains(all, `"emailVerified":true`) || strings.Contains(all, "newEmail") {
		t.Errorf("the whole user is %s", all)
	}
}

// TestClaimsDoNotMeet holds that what one claim selects changes no other.
func TestClaimsDoNotMeet(t *testing.T) {
	t.Parallel()
	alone, _ := open(t, Settings{Definitions: `{"org": "profile.organisation", "any": "profile.*.id", "keys": "$keys(profile)"}`})
	among, _ := open(t, Settings{Definitions: `{"org": "profile.organisation", "any": "profile.*.id", "keys": "$keys(profile)",
		"more": "profile.organisation.projects.name", "deep": "profile.contributesTo.project.organization.size", "self": "profile.user.email"}`})
	want, err := alone.Of(t.Context(), ann, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := among.Of(t.Context(), ann, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s is %s among others, and %s alone", name, got[name], want[name])
		}
	}
}

// TestWholeUserHasNoSecrets holds that hashes, tickets and tokens of others are in no claim that does not
// name them.
func TestWholeUserHasNoSecrets(t *testing.T) {
	t.Parallel()
	for _, expression := range []string{"$", "$string($)", "*", "**.ticket", "$keys($)", "$each($, function($v) {$v})", "profile.user", "$lookup($, 'pass' & 'wordHash')", "githubUser", "githubUser.*", "$string(githubUser)", "*.*"} {
		m, err := Open(Settings{Definitions: define(t, expression)}, newSource(t, model), time.Now)
		if err != nil {
			continue // refused
		}
		r, err := m.Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(r.Query, "passwordHash") || strings.Contains(r.Query, "ticket") || strings.Contains(r.Query, "accessToken") {
			t.Errorf("%s asks %s", expression, r.Query)
		}
	}
	m, _ := open(t, Settings{Definitions: define(t, "passwordHash")})
	r, err := m.Check(t.Context())
	if err != nil || len(r.Problems) > 0 || len(r.Warnings) != 1 || !strings.Contains(r.Warnings[0].Text, "secret") {
		t.Errorf("a hash that is named: %+v %v", r, err)
	}
}

// TestSchemaChanges drops and adds a field under a running mapper.
func TestSchemaChanges(t *testing.T) {
	t.Parallel()
	without := strings.Replace(model, "displayName: String!", "", 1)
	m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}, "name": {"path": "displayName", "default": "none"}}`})
	time1 := newClock()
	m.now = time1.Now
	of := func() map[string]string {
		t.Helper()
		got, err := m.Of(t.Context(), ann, nil)
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	if got := of(); got["x-hasura-name"] != "Ann" {
		t.Fatalf("got %v", got)
	}
	from.become(t, without)
	if got := of(); got["x-hasura-mail"] != "ann@example.com" || got["x-hasura-name"] != "none" {
		t.Fatalf("a dropped field took %v", got)
	}
	if err := m.Ready(); err != nil {
		t.Errorf("a claim that is not required made the server not ready: %v", err)
	}
	if data, introspections := from.asked(); len(data) != 3 || len(introspections) != 2 {
		t.Errorf("%d and %d questions", len(data), len(introspections))
	}
	from.become(t, model)
	time1.pass(time.Minute)
	if _, err := m.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := of(); got["x-hasura-name"] != "Ann" {
		t.Fatalf("a field that is back is not read: %v", got)
	}
	from.become(t, strings.Replace(model, "email: citext", "", 1))
	if _, err := m.Of(t.Context(), ann, nil); auth.CodeOf(err) != auth.ClaimsUnavailable {
		t.Errorf("without the field of a required claim: %v", err)
	}
	if err := m.Ready(); auth.CodeOf(err) != auth.ClaimsUnavailable {
		t.Errorf("ready: %v", err)
	}
}

// TestErrorsDoNotFlood holds that a source which answers with errors is not asked for its schema at
// every token.
func TestErrorsDoNotFlood(t *testing.T) {
	t.Parallel()
	m, from := open(t, Settings{Definitions: `{"mail": "email"}`})
	at := newClock()
	m.now = at.Now
	if _, err := m.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	from.breakWith(func(_ context.Context, query string) error {
		if strings.Contains(query, "__schema") {
			return nil
		}
		return refused{"permission denied"}
	})
	for range 10 {
		if _, err := m.Of(t.Context(), ann, nil); err != nil {
			t.Fatal(err)
		}
	}
	if data, introspections := from.asked(); len(data) != 10 || len(introspections) != 2 {
		t.Errorf("%d and %d questions", len(data), len(introspections))
	}
	at.pass(waitVain)
	_, _ = m.Of(t.Context(), ann, nil)
	if _, introspections := from.asked(); len(introspections) != 3 {
		t.Errorf("%d readings of the schema", len(introspections))
	}
}

// TestBreaker leaves a dead source alone, tries it once in a while, and comes back.
func TestBreaker(t *testing.T) {
	t.Parallel()
	m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}}`})
	at := newClock()
	m.now, m.asker.now = at.Now, at.Now
	if _, err := m.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	from.breakWith(func(context.Context, string) error { return down("connection refused") })
	questions := func() int { data, _ := from.asked(); return len(data) }
	try := func() error { _, err := m.Of(t.Context(), ann, nil); return err }
	for range 20 {
		if err := try(); auth.CodeOf(err) != auth.ClaimsUnavailable {
			t.Fatal(err)
		}
	}
	if questions() != breakAfter {
		t.Fatalf("a dead source was asked %d times", questions())
	}
	if m.Ready() == nil {
		t.Error("ready without the source of a required claim")
	}
	at.pass(breakFor)
	_, _ = try(), try()
	if questions() != breakAfter+1 {
		t.Fatalf("asked %d times after a while", questions())
	}
	from.breakWith(nil)
	at.pass(breakFor)
	for range 3 {
		if err := try(); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.Ready(); err != nil {
		t.Error(err)
	}
	from.breakWith(func(context.Context, string) error { return down("connection reset") })
	_ = try()
	from.breakWith(nil)
	if err := try(); err != nil {
		t.Errorf("one failure after many is taken for one more: %v", err)
	}
	from.breakWith(func(context.Context, string) error { return refused{"no"} })
	for range 2 * breakAfter {
		_ = try()
	}
	if m.asker.down() {
		t.Error("a source that answers is taken for dead")
	}
}

// TestSlowSource holds the time limit, the number of requests at once, and whoever goes away.
func TestSlowSource(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "default": "none"}}`, Timeout: time.Second, Concurrency: 2})
		if _, err := m.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		from.breakWith(func(ctx context.Context, _ string) error {
			<-ctx.Done()
			return fmt.Errorf("asking: %w", ctx.Err())
		})
		var reasons []string
		var mu sync.Mutex
		m.Failed = func(_ context.Context, f Failure) {
			mu.Lock()
			defer mu.Unlock()
			reasons = append(reasons, f.Reason)
		}
		began := time.Now()
		var wait sync.WaitGroup
		for range 4 { // two of them wait in vain for their turn
			wait.Go(func() {
				if got, err := m.Of(t.Context(), ann, nil); err != nil || got["x-hasura-mail"] != "none" {
					t.Errorf("got %v %v", got, err)
				}
			})
		}
		wait.Wait()
		if took := time.Since(began); took != time.Second {
			t.Errorf("a slow source held a token for %s", took)
		}
		all := strings.Join(reasons, "\n")
		if strings.Count(all, "did not answer in time")+strings.Count(all, "AUTH_CLAIMS_CONCURRENCY") != 4 || len(reasons) != 4 {
			t.Errorf("told:\n%s", all)
		}

		told := len(reasons)
		for range 2 * breakAfter {
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			if _, err := m.Of(ctx, ann, nil); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v for somebody who has gone", err)
			}
		}
		if len(reasons) != told || m.asker.down() {
			t.Error("somebody who went away is taken for a failure of the source")
		}
	})
}

// TestKeep starts while the source is down, and finds a required claim broken once it answers.
func TestKeep(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := open(t, Settings{Definitions: `{"name": {"path": "displayName", "required": true}}`, SchemaRefresh: time.Minute})
		var told []string
		m.Checked = func(_ context.Context, r Report, err error) {
			told = append(told, fmt.Sprint(len(r.Problems), " ", err != nil))
		}
		from.breakWith(func(context.Context, string) error { return down("starting") })
		ctx, cancel := context.WithCancel(t.Context())
		var kept sync.WaitGroup
		kept.Go(func() { m.Keep(ctx) })
		time.Sleep(20 * time.Second) // of the bubble's clock
		if err := m.Ready(); auth.CodeOf(err) != auth.ClaimsUnavailable || !strings.Contains(err.Error(), "name") {
			t.Errorf("not checked, and ready: %v", err)
		}
		if _, introspections := from.asked(); len(introspections) < 3 || len(introspections) > 6 {
			t.Errorf("the schema was asked for %d times in 20 seconds", len(introspections))
		}
		from.become(t, strings.Replace(model, "displayName: String!", "", 1))
		from.breakWith(nil)
		time.Sleep(31 * time.Second)
		if err := m.Ready(); err == nil || !strings.Contains(err.Error(), `"displayName"`) {
			t.Errorf("broken, and ready: %v", err)
		}
		from.become(t, model)
		time.Sleep(time.Minute)
		if err := m.Ready(); err != nil {
			t.Error(err)
		}
		time.Sleep(10 * time.Minute)
		cancel()
		kept.Wait()
		if diff := cmp.Diff([]string{"0 true", "1 false", "0 false"}, told); diff != "" {
			t.Errorf("told (-want +got):\n%s", diff)
		}
	})
}

// TestOneReading has many tokens wait for one reading of the schema.
func TestOneReading(t *testing.T) {
	t.Parallel()
	m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}}`})
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			if got, err := m.Of(t.Context(), ann, nil); err != nil || got["x-hasura-mail"] != "ann@example.com" {
				t.Errorf("got %v %v", got, err)
			}
		})
	}
	wait.Wait()
	if data, introspections := from.asked(); len(data) != 32 || len(introspections) != 1 {
		t.Errorf("%d and %d questions", len(data), len(introspections))
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	m, from := open(t, Settings{Definitions: `{"Org": "profile.organisation.id", "lead": "contributions[?(@.role == 'lead')].id", "nick": {"path": "profile.nick", "required": true},
		"bad": {"path": "$number(email)", "default": 1}}`})
	e, err := m.Explain(t.Context(), ann)
	if err != nil {
		t.Fatal(err)
	}
	if e.Problem != "" || !strings.Contains(e.Query, "contributions { id role }") || len(e.Claims) != 4 {
		t.Fatalf("%+v", e)
	}
	org, lead, nick, bad := e.Claims[0], e.Claims[1], e.Claims[2], e.Claims[3]
	if org.Claim != "Org" || org.Name != "x-hasura-org" || org.Literal != "o1" || org.State != Value || !org.Present {
		t.Errorf("%+v", org)
	}
	if diff := cmp.Diff([]string{"contributions.id", "contributions.role"}, lead.Fields); diff != "" || lead.Evaluated == lead.Expression {
		t.Errorf("%+v\n%s", lead, diff)
	}
	if nick.State != Omitted || !errors.Is(nick.Refused, auth.ClaimMissing) || nick.Reason == "" {
		t.Errorf("%+v", nick)
	}
	if bad.State != Failed || bad.Literal != "1" || !strings.Contains(bad.Reason, "D3030") {
		t.Errorf("%+v", bad)
	}
	if len(m.Failures()) > 0 {
		t.Error("an explanation was counted")
	}
	from.breakWith(func(context.Context, string) error { return down("connection refused") })
	if e, err = m.Explain(t.Context(), ann); err != nil || !strings.Contains(e.Problem, "connection refused") {
		t.Errorf("%+v %v", e, err)
	}
}

// TestSlowForOne has the source be too slow for one user, who tries again and again: it is not left alone
// for all.
func TestSlowForOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}}`, Timeout: time.Second})
		if _, err := m.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		slow := func(ctx context.Context, _ string) error { <-ctx.Done(); return ctx.Err() }
		from.breakWith(slow)
		for range 3 * breakAfter {
			if _, err := m.Of(t.Context(), ann, nil); auth.CodeOf(err) != auth.ClaimsUnavailable {
				t.Fatal(err)
			}
		}
		if m.asker.down() {
			t.Error("one user has the source left alone for all")
		}
		for i := range breakAfter {
			_, _ = m.Of(t.Context(), fmt.Sprintf("7d3f0f5a-0000-4000-8000-%012d", i), nil)
		}
		if !m.asker.down() {
			t.Error("a source that is too slow for everybody is asked on")
		}
	})
}

// TestProbe leaves a dead source alone while nobody comes: the server is not ready until the source
// answers, and then soon.
func TestProbe(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}}`})
		ctx, cancel := context.WithCancel(t.Context())
		var kept sync.WaitGroup
		kept.Go(func() { m.Keep(ctx) })
		synctest.Wait()
		from.breakWith(func(context.Context, string) error { return down("connection refused") })
		for range breakAfter {
			_, _ = m.Of(t.Context(), ann, nil)
		}
		for range 60 {
			time.Sleep(time.Second)
			if m.Ready() == nil {
				t.Fatal("ready, and the source is down")
			}
		}
		if data, _ := from.asked(); len(data) < 20 || len(data) > 30 {
			t.Errorf("a dead source was asked %d times in a minute", len(data))
		}
		from.breakWith(nil)
		time.Sleep(2 * breakFor)
		if err := m.Ready(); err != nil {
			t.Errorf("not ready, and the source is back: %v", err)
		}
		cancel()
		kept.Wait()
	})
}

// TestLargeSchema reads a schema that takes longer than a token may, from a source that was down, while
// tokens are asked for all the time: they must not be the only ones who try.
func TestLargeSchema(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, from := open(t, Settings{Definitions: `{"mail": {"path": "email", "required": true}}`, Timeout: time.Second})
		began := time.Now()
		from.breakWith(func(ctx context.Context, query string) error {
			if time.Since(began) < 10*time.Second {
				return down("connection refused")
			}
			if !strings.Contains(query, "__schema") {
				return nil
			}
			select {
			case <-time.After(5 * time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		ctx, cancel := context.WithCancel(t.Context())
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				for ctx.Err() == nil {
					_, _ = m.Of(ctx, ann, nil)
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		time.Sleep(time.Second / 2) // tokens are first
		all.Go(func() { m.Keep(ctx) })
		time.Sleep(time.Minute)
		if err := m.Ready(); err != nil {
			t.Errorf("after a minute: %v", err)
		}
		cancel()
		all.Wait()
	})
}

// TestErrorsRepeatNoValues has the source repeat a value of the user in its error, as Postgres does.
func TestErrorsRepeatNoValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`invalid input syntax for type integer: "Jane ""J"" Doe"`: `invalid input syntax for type integer: "…"`,
		`value "756.1234.5678.97" is out of range for type int8`:  `value "…" is out of range for type int8`,
		`Cannot query field "nick" on type "profiles"`:            `Cannot query field "nick" on type "profiles"`,
	} {
		m, from := open(t, Settings{Definitions: `{"mail": "email"}`})
		if _, err := m.Check(t.Context()); err != nil {
			t.Fatal(err)
		}
		from.breakWith(func(context.Context, string) error { return refused{text} })
		var reason string
		m.Failed = func(_ context.Context, f Failure) { reason = f.Reason }
		if _, err := m.Of(t.Context(), ann, nil); err != nil || !strings.HasSuffix(reason, ": "+want) {
			t.Errorf("%s is told as %q, %v", text, reason, err)
		}
	}
}

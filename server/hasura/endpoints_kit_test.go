package hasura_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"postern/docs/openapi"
	"postern/house"
	"postern/internal/contract"
	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/tokens"
)

// vouching is every provider, for houses that have none of their own.
var vouching *fakeprovider.Server

// document is the contract that the tests of this package hold the door to. They count together.
var document *contract.Contract

func TestMain(m *testing.M) {
	var err error
	if document, err = contract.Load(openapi.Hasura(), "/v1"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if vouching, err = fakeprovider.Start("127.0.0.1:0"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	flag.Parse()
	// These tests wait for a database and for refusals that take their time, more than they compute.
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	code := m.Run()
	if missing := document.Missing(); code == 0 && wholeRun() && len(missing) > 0 {
		fmt.Fprintf(os.Stderr, "the document promises what no test has seen:\n\t%s\n", strings.Join(missing, "\n\t"))
		code = 1
	}
	_ = vouching.Close() // the process ends anyway
	os.Exit(code)
}

// wholeRun tells whether every test ran, so that what none exercised is missing.
func wholeRun() bool {
	for _, name := range []string{"test.run", "test.skip", "test.list", "test.fuzz", "test.fuzzworker", "test.short"} {
		f := flag.Lookup(name)
		if f != nil && f.Value.String() != "" && f.Value.String() != "false" {
			return false
		}
	}
	return true
}

// doorway is a house whose door is spoken to through the contract. The requests reach the real
// handlers without a socket, so that a test may come from any address and with any header.
type doorway struct{ *testhouse.House }

// openDoor opens a house in which every way to sign in is on, unless the settings say otherwise.
func openDoor(t testing.TB, settings map[string]string, options ...func(*house.Options)) doorway {
	t.Helper()
	return doorway{testhouse.Open(t, everyWayIn(settings), append([]func(*house.Options){through(vouching)}, options...)...)}
}

// everyWayIn turns every way to sign in on, unless the settings say otherwise.
func everyWayIn(settings map[string]string) map[string]string {
	all := map[string]string{
		"AUTH_EMAIL_PASSWORDLESS_ENABLED": "true", "AUTH_ANONYMOUS_USERS_ENABLED": "true", "AUTH_WEBAUTHN_ENABLED": "true",
		"AUTH_OTP_EMAIL_ENABLED": "true", "AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_HASURA_WEBHOOK_ENABLED": "true",
	}
	all["AUTH_MFA_ENABLED"] = "true"
	maps.Copy(all, everyProvider())
	maps.Copy(all, settings)
	return all
}

// unverified are the settings of a house where nobody has to confirm an address.
func unverified(more ...string) map[string]string {
	m := map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// with is one more thing about a request.
type with func(*http.Request)

func header(name, value string) with {
	return func(r *http.Request) { r.Header.Add(name, value) }
}
func bearer(token string) with { return header("Authorization", "Bearer "+token) }
func formed() with {
	return func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }
}
func browser() with { return header("Accept", "text/html,application/xhtml+xml") }
func peer(address string) with {
	return func(r *http.Request) { r.RemoteAddr = address }
}

// answer is what the door said.
type answer struct {
	request string
	status  int
	header  http.Header
	body    string
}

// ask sends a request that the document allows.
func (d doorway) ask(t testing.TB, method, path string, body any, more ...with) answer {
	t.Helper()
	return d.request(t, document.For(t).Client(d.Handler), method, path, body, more)
}

// knock sends a request that the document need not allow. Its answer must be one of the document's,
// and not a 500.
func (d doorway) knock(t testing.TB, method, path string, body any, more ...with) answer {
	t.Helper()
	return d.request(t, document.For(t).BadInputClient(d.Handler), method, path, body, more)
}

// bare sends a request that nobody judges: no OpenAPI router knows its path for what it is.
func (d doorway) bare(t testing.TB, method, path string, body any, more ...with) answer {
	t.Helper()
	return d.request(t, &http.Client{Transport: unjudged{d.Handler}, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, method, path, body, more)
}

// unjudged serves requests as they are.
type unjudged struct{ http.Handler }

func (h unjudged) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	in.URL.Scheme, in.URL.Host = "", ""
	if in.RemoteAddr == "" {
		in.RemoteAddr = "192.0.2.1:49152"
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	return rec.Result(), nil
}

func (d doorway) request(t testing.TB, c *http.Client, method, path string, body any, more []with) answer {
	t.Helper()
	var reader io.Reader
	switch v := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(v)
	case io.Reader:
		reader = v
	default:
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		reader = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(t.Context(), method, "http://postern.test/v1"+path, reader)
	if err != nil {
		t.Fatal(err)
	}
	if reader != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, w := range more {
		w(req)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{method + " " + short(path), resp.StatusCode, resp.Header, string(raw)}
	if a.header.Get("X-Request-Id") == "" || a.header.Get("X-Content-Type-Options") != "nosniff" || a.header.Get("Cache-Control") == "" {
		t.Errorf("%s: headers every answer has are missing: %v", a.request, a.header)
	}
	return a
}

func (a answer) String() string {
	return fmt.Sprintf("%s → %d %s", a.request, a.status, short(a.body))
}

func short(s string) string {
	if len(s) > 300 {
		return s[:300] + "…"
	}
	return strings.TrimSpace(s)
}

// is checks status and body; an empty body is not looked at.
func (a answer) is(t testing.TB, status int, body string) answer {
	t.Helper()
	if a.status != status || body != "" && strings.TrimSpace(a.body) != body {
		t.Fatalf("%s, want %d %s", a, status, body)
	}
	return a
}

func (a answer) ok(t testing.TB) { t.Helper(); a.is(t, http.StatusOK, `"OK"`) }

// wireRefusal is the one shape of a refusal.
type wireRefusal struct {
	Status  int    `json:"status"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

// refusal reads a refusal and checks its shape: three members, in JSON, the status twice the same.
func (a answer) refusal(t testing.TB) wireRefusal {
	t.Helper()
	var members map[string]json.RawMessage
	var no wireRefusal
	err := errors.Join(json.Unmarshal([]byte(a.body), &members), json.Unmarshal([]byte(a.body), &no))
	if err != nil || len(members) != 3 || no.Status != a.status || no.Error == "" || no.Message == "" || a.header.Get("Content-Type") != "application/json" {
		t.Fatalf("%s is not a refusal: %v", a, err)
	}
	return no
}

// refused checks a refusal. The message must be exactly this one, unless it is empty.
func (a answer) refused(t testing.TB, status int, id, message string) {
	t.Helper()
	no := a.refusal(t)
	if no.Status != status || no.Error != id || message != "" && no.Message != message {
		t.Fatalf("%s, want %d %s %q", a, status, id, message)
	}
}

// invalid checks a plain 400 that names the field.
func (a answer) invalid(t testing.TB, field string) {
	t.Helper()
	no := a.refusal(t)
	if no.Status != 400 || no.Error != "invalid-request" || !strings.HasPrefix(no.Message, field+" ") {
		t.Errorf("%s, want a 400 that names %s", a, field)
	}
}

// redirect is where an answer leads, with its query.
func (a answer) redirect(t testing.TB, status int) (to string, query url.Values) {
	t.Helper()
	u, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != status || u.Host == "" || a.body != "" {
		t.Fatalf("%s to %q is no %d", a, a.header.Get("Location"), status)
	}
	query = u.Query()
	u.RawQuery = ""
	return u.String(), query
}

// redirectsWith checks a redirect that carries a refusal.
func (a answer) redirectsWith(t testing.TB, status int, to, id string) {
	t.Helper()
	got, q := a.redirect(t, status)
	if got != to || q.Get("error") != id || q.Get("errorDescription") == "" || q.Has("refreshToken") || q.Has("code") {
		t.Fatalf("%s to %s %v, want %s with %s", a, got, q, to, id)
	}
}

// fullSession is a session with all that its user says.
type fullSession struct {
	wireSession
	user map[string]any
}

// session reads a session, wrapped or not.
func (a answer) session(t testing.TB) fullSession {
	t.Helper()
	var wrapped struct{ Session json.RawMessage }
	if err := json.Unmarshal([]byte(a.body), &wrapped); err != nil || a.status != 200 {
		t.Fatalf("%s has no session: %v", a, err)
	}
	raw := wrapped.Session
	if raw == nil {
		raw = json.RawMessage(a.body)
	}
	var s fullSession
	var u struct{ User map[string]any }
	if err := errors.Join(json.Unmarshal(raw, &s.wireSession), json.Unmarshal(raw, &u)); err != nil || s.RefreshToken == "" {
		t.Fatalf("%s has no session: %v", a, err)
	}
	s.user = u.User
	return s
}

// object reads a JSON object.
func (a answer) object(t testing.TB) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return m
}

// person is a user whom a test made, with an open session.
type person struct {
	fullSession
	email, password string
}

// signUp signs a person up by an address of its own and gives the address.
func (d doorway) signUp(t testing.TB, more fields) (email string) {
	t.Helper()
	body := fields{"email": newAddress(), "password": rightPassword}
	maps.Copy(body, more)
	d.ask(t, "POST", "/signup/email-password", body).is(t, 200, "")
	email, _ = body["email"].(string)
	return email
}

// person makes a user with a confirmed address, signed in.
func (d doorway) person(t testing.TB) person {
	t.Helper()
	email := d.signUp(t, nil)
	d.sql(t, `update auth.users set email_verified = true where email = $1::text::public.citext`, email)
	return person{d.signIn(t, email, rightPassword), email, rightPassword}
}

func (d doorway) signIn(t testing.TB, email, password string) fullSession {
	t.Helper()
	return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password}).session(t)
}

// sql changes rows behind the server's back.
func (d doorway) sql(t testing.TB, sql string, args ...any) {
	t.Helper()
	if _, err := d.Store.Exec(t.Context(), sql, args...); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

// value reads one value from the database.
func value[T any](t testing.TB, d doorway, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := d.Store.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// mail waits for the n-th mail of a template to an address. Mails are carried out in parallel, so the
// order among templates means nothing.
func (d doorway) mail(t testing.TB, to, template string, n int) testmail.Message {
	t.Helper()
	for want := n; ; want++ {
		seen := 0
		for _, m := range d.Mail.Wait(t, to, want) {
			if m.Err != nil {
				t.Fatalf("a mail that nobody can read: %v", m.Err)
			}
			if m.Headers.Get("X-Email-Template") != template {
				continue
			}
			if seen++; seen == n {
				return m
			}
		}
	}
}

// pathOf is the path and query of a mail's link, below the prefix.
func pathOf(t testing.TB, m testmail.Message) string {
	t.Helper()
	u, err := url.Parse(m.Link)
	if err != nil || !strings.HasPrefix(u.Path, "/v1/") {
		t.Fatalf("a strange link %q: %v", m.Link, err)
	}
	return strings.TrimPrefix(u.Path, "/v1") + "?" + u.RawQuery
}

// state sums up everything that is stored but counters of attempts, one line a table. Two that are
// equal say that nothing was written between them. A code that nobody was sent is there to count
// attempts, as the audit log's entries of failed sign-ins are.
func (d doorway) state(t testing.TB) string {
	t.Helper()
	var b strings.Builder
	for _, table := range value[[]string](t, d, `select array_agg('auth.' || quote_ident(tablename) order by tablename) from pg_tables
		where schemaname = 'auth' and tablename not in ('security_counters', 'audit_pending', 'audit_seals', 'audit_head', 'audit_counts', 'active_users', 'active_counts')
		and tablename not like 'audit_entries\_%'`) { // partitions are part of theirs
		b.WriteString(value[string](t, d, `select '`+table+` ' || count(*) || ' ' || md5(coalesce(string_agg(x::text, '|' order by x::text), '')) from `+table+` x
			where case '`+table+`' when 'auth.tickets' then to_jsonb(x)->>'user_id' is not null or to_jsonb(x)->>'attempts_left' is null
				when 'auth.audit_entries' then to_jsonb(x)->>'event' <> 'signin.failed' else true end`) + "\n")
	}
	b.WriteString(value[string](t, d, `select 'jobs ' || count(*) from postern_river.river_job where kind in ('postern_mail', 'postern_sms')`) + "\n")
	return b.String()
}

// sameState fails when something was written since.
func (d doorway) sameState(t testing.TB, before, after string) {
	t.Helper()
	if now := d.state(t); now != before {
		t.Errorf("something was written by %s:\n%s", after, difference(before, now))
	}
}

func difference(before, after string) string {
	was := strings.Split(before, "\n")
	var b strings.Builder
	for i, line := range strings.Split(after, "\n") {
		if i >= len(was) || was[i] != line {
			fmt.Fprintf(&b, "\t%s\n\tnow %s\n", slices.Concat(was, []string{""})[min(i, len(was))], line)
		}
	}
	return b.String()
}

// accessToken signs a token with the key of the house.
func (d doorway) accessToken(t testing.TB, change func(*tokens.Access), of wireSession) string {
	t.Helper()
	a := tokens.Access{
		UserID: of.User.ID, SessionID: of.RefreshTokenID, Roles: []string{"me", "user"}, DefaultRole: "user", Life: d.Kit.AccessTokenLife,
	}
	if change != nil {
		change(&a)
	}
	token, err := d.Kit.Signer.Sign(a, d.Kit.Now())
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// stopped gives a house a clock that only a test moves.
func stopped(c *stillClock) func(*house.Options) {
	return func(o *house.Options) { o.Now = c.Now }
}

// mailIsDown is a mail server that takes nothing for now.
func mailIsDown() testmail.Fault { return testmail.Reply(testmail.Greeting, 421) }

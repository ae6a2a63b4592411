package house_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/hooks/supabase"
	"postern/house"
	"postern/internal/testhouse"
)

// verdict is what a deed of a receiver comes to.
type verdict int

const (
	fails verdict = iota
	allows
	denies // with 418
	errs   // denies without a status of its own
)

// deed is something that a receiver does when it is asked. What it says has the word canary in it wherever
// neither a client nor the log may have it.
type deed struct {
	verdict verdict
	hangs   bool
	late    bool // it takes long
	http    http.HandlerFunc
	code    string // SQL, or JavaScript; GOOD stands for the answer that allows
}

const no418 = `{"error":{"http_code":418,"message":"Not today"}}`

// raw speaks to whoever asks in its own way.
func raw(speak func(net.Conn) error) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		for err == nil {
			err = speak(conn)
		}
		_ = conn.Close()
	}
}

// floods sends a text, and then another for ever.
func floods(first, then string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		begun := false
		raw(func(c net.Conn) error {
			text := then
			if !begun {
				begun, text = true, first
			}
			_, err := io.WriteString(c, text)
			return err
		})(w, q)
	}
}

func again(after string) http.HandlerFunc {
	return func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("Retry-After", after)
		says(429, `{"canary":1}`)(w, q)
	}
}

const goodHead = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

// overHTTP are the deeds of receivers behind an address.
var overHTTP = map[string]deed{
	"an error object":              {verdict: denies, http: says(200, no418)},
	"an error with a text as code": {verdict: errs, http: says(200, `{"error":{"http_code":"418","message":"Not today"}}`)},
	"an error that is a text":      {http: says(200, `{"error":"canary"}`)},
	"500":                          {http: says(500, `{"error":{"http_code":200,"message":"canary"}}`)},
	"400":                          {http: says(400, no418)},
	"429":                          {http: says(429, `{"canary":1}`)},
	"429, again at once":           {http: again("0")},
	"429, again in an hour":        {http: again("3600")},
	"429, again never":             {http: again("canary")},
	"garbage":                      {http: says(200, `{"canary`)},
	"nothing that says it is JSON": {http: says(200, ``)},
	"a list":                       {http: says(200, `["canary"]`)},
	"no UTF-8":                     {http: says(200, "{\"canary\":\"\xff\"}")},
	"a member twice":               {http: says(200, `{"canary":1,"canary":2}`)},
	"deep":                         {http: says(200, strings.Repeat(`{"canary":`, 20_000)+"1"+strings.Repeat("}", 20_000))},
	"HTML":                         {http: func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<p>canary</p>") }},
	"100 MB":                       {http: floods(goodHead+"Content-Length: 100000000\r\n\r\n", strings.Repeat("canary", 10_000))},
	"endless chunks":               {http: floods(goodHead+"Transfer-Encoding: chunked\r\n\r\n", "1770\r\n"+strings.Repeat("canary", 1000)+"\r\n")},
	"endless headers":              {http: floods(goodHead, strings.Repeat("X-Canary: canary\r\n", 1000))},
	"endless hints":                {http: floods("", strings.Repeat("HTTP/1.1 103 Early Hints\r\nLink: <canary>\r\n\r\n", 100))},
	"not HTTP":                     {http: raw(func(c net.Conn) error { _, _ = io.WriteString(c, "SSH-2.0-canary\r\n\r\n"); return io.EOF })},
	"a redirect to metadata": {http: func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "http://169.254.169.254/canary", http.StatusTemporaryRedirect)
	}},
	"a redirect to a file": {http: func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, "file:///etc/passwd?canary", http.StatusFound)
	}},
	"a redirect to itself": {http: func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, q.URL.Path, http.StatusPermanentRedirect)
	}},
	"it hangs up": {late: true, http: raw(func(net.Conn) error { return io.EOF })},
	"slow":        {hangs: true, http: waits},
	"a slow body": {hangs: true, http: func(w http.ResponseWriter, q *http.Request) {
		says(200, `{"canary":`)(w, q)
		_ = http.NewResponseController(w).Flush()
		waits(w, q)
	}},
}

// inTheDatabase are the deeds of functions.
var inTheDatabase = map[string]deed{
	"an error object":         {verdict: denies, code: `return '` + no418 + `';`},
	"a state with a status":   {verdict: denies, code: `raise exception 'Not today' using errcode = 'PT418', detail = 'canary', hint = 'canary';`},
	"an error that is a text": {code: `return '{"error":"canary"}';`},
	"an exception":            {code: `raise exception 'canary %', event;`},
	"a violated constraint":   {code: `insert into auth.roles values ('user'), ('canary');`},
	"a shout":                 {code: `raise exception '%', repeat('canary', 3000000);`},
	"warnings":                {code: `raise warning '%', repeat('canary', 3000000); return '{}';`},
	"a list":                  {code: `return '["canary"]';`},
	"large":                   {code: `return jsonb_build_object('canary', repeat('x', 300000));`},
	"very large":              {code: `return jsonb_build_object('canary', repeat('x', 100000000));`},
	"gone":                    {code: `perform pg_terminate_backend(pg_backend_pid()); return '{}';`},
	"loops":                   {late: true, code: `loop null; end loop;`},
	"slow":                    {hangs: true, code: `perform pg_sleep(20); return '{}';`},
	"will not be stopped":     {hangs: true, code: `loop begin perform pg_sleep(20); exception when query_canceled then null; end; end loop;`},
}

// asScripts are the deeds of JavaScript.
var asScripts = map[string]deed{
	"an error object":         {verdict: denies, code: `return ` + no418},
	"an error that is a text": {code: `return {error: 'canary'}`},
	"throws":                  {code: `throw new Error('tiger-lily')`},
	"throws null":             {code: `throw null`},
	"rejects":                 {code: `return Promise.reject(undefined)`},
	"a number":                {code: `return 7`},
	"a list":                  {code: `return ['canary']`},
	"a function":              {code: `return () => 'canary'`},
	"lone surrogates":         {code: `return ['\ud800canary']`},
	"long":                    {code: `return {canary: 'x'.repeat(3e6)}`},
	"a circle":                {code: `const a = {}; a.canary = a; return a`},
	"asks metadata":           {code: `await fetch('http://169.254.169.254/canary'); return GOOD`},
	"asks this machine":       {code: `await fetch('http://[::1]:1/canary'); return GOOD`},
	"reads a file":            {code: `await fetch('file:///etc/passwd'); return GOOD`},
	"eats":                    {late: true, code: `const all = []; for (;;) all.push(new Array(1e5).fill(all.length))`},
	"loops":                   {late: true, code: `for (;;) {}`},
	"slow":                    {hangs: true, code: `return new Promise(() => {})`},
}

// scene is a hook with what a client does that has it asked.
type scene struct {
	hook     string
	settings map[string]string
	good     [3]string // the answer that allows: JSON, SQL, JavaScript
	prepare  func(t testing.TB, h *testhouse.House) func() string
	// ready comes so far that the next request has the hook asked, which it gives.
	ready func(t testing.TB, h *testhouse.House, n int, code func() string) (path, body string)
	// failed is what the client is told when the hook fails, if it is something else than of others.
	failed [3]any
	told   bool // the user is made and stays
}

func signingIn(email string) (path, body string) {
	return "/signin/email-password", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password)
}

func signingUp(_ testing.TB, _ *testhouse.House, n int, _ func() string) (path, body string) {
	return "/signup/email-password", fmt.Sprintf(`{"email":"jane%d@example.com","password":%q}`, n, password)
}

func jane(t testing.TB, h *testhouse.House) func() string {
	t.Helper()
	signs(t, h, "signup", "jane@example.com").entered(t)
	return nil
}

var decided = [3]string{`{"decision":"continue"}`, `'{"decision":"continue"}'::jsonb`, `{decision: 'continue'}`}

// scenes are those of all hooks of Supabase's dialect.
var scenes = []scene{
	{
		hook: supabase.CustomAccessToken, good: [3]string{"", `jsonb_build_object('claims', event->'claims' || '{"sub":"somebody else"}')`, `{claims: {...event.claims, sub: 'somebody else'}}`}, prepare: jane,
		ready: func(_ testing.TB, _ *testhouse.House, _ int, _ func() string) (string, string) {
			return signingIn("jane@example.com")
		},
	},
	{hook: supabase.BeforeUserCreated, good: [3]string{`{"user":{"id":"1"}}`, `'{"user_id":"1"}'::jsonb`, `undefined`}, ready: signingUp},
	{hook: supabase.UserInserted, good: [3]string{"", `'{}'::jsonb`, ""}, ready: signingUp},
	{hook: supabase.AfterUserCreated, good: [3]string{`{}`, `null::jsonb`, `{}`}, ready: signingUp, told: true},
	{
		hook: supabase.PasswordVerification, good: decided, prepare: jane,
		ready: func(_ testing.TB, _ *testhouse.House, _ int, _ func() string) (string, string) {
			return signingIn("jane@example.com")
		},
	},
	{
		hook: supabase.MFAVerification, good: decided, settings: map[string]string{"AUTH_MFA_ENABLED": "true"},
		prepare: func(t testing.TB, h *testhouse.House) func() string {
			t.Helper()
			_, code := enrolled(t, h)
			return code
		},
		ready: func(t testing.TB, h *testhouse.House, _ int, code func() string) (string, string) {
			t.Helper()
			var first struct{ MFA struct{ Ticket string } }
			if r := signs(t, h, "signin", "jane@example.com"); json.Unmarshal([]byte(r.body), &first) != nil || first.MFA.Ticket == "" {
				t.Fatalf("%d %s", r.status, r.body)
			}
			return "/signin/mfa/totp", fmt.Sprintf(`{"ticket":%q,"otp":%q}`, first.MFA.Ticket, code())
		},
	},
	{
		hook: supabase.PasswordUnknown, failed: [3]any{401, "invalid-email-password", "Incorrect email or password"},
		good: [3]string{`{"decision":"vouch","user":{"id":"1","email_verified":true}}`, `'{"decision":"vouch","user":{"email_verified":true}}'::jsonb`, `{decision: 'vouch', user: {email_verified: true}}`},
		ready: func(_ testing.TB, _ *testhouse.House, n int, _ func() string) (string, string) {
			return signingIn(fmt.Sprintf("jane%d@example.com", n))
		},
	},
	{
		hook: supabase.SendSMS, settings: map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_SMS_PROVIDER": ""}, good: [3]string{`{}`, `null::jsonb`, `undefined`},
		ready: func(_ testing.TB, _ *testhouse.House, n int, _ func() string) (string, string) {
			return "/signin/passwordless/sms", fmt.Sprintf(`{"phoneNumber":"+1555123%04d"}`, n)
		},
	},
	{
		hook: supabase.SendEmail, good: [3]string{`{}`, `null::jsonb`, `undefined`},
		settings: map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true", "AUTH_SMTP_HOST": "", "AUTH_SMTP_SENDER": ""}, ready: signingUp,
	},
}

// stage is where a scene is played: a house whose hook does as a test says.
type stage struct {
	scene
	*testhouse.House
	transport int
	asked     chan struct{} // the hook has been asked and hangs
	code      func() string

	mu      sync.Mutex
	deed    deed
	secrets []string // that it was told
}

// does has the hook do something else from now on.
func (s *stage) does(t testing.TB, d deed) {
	t.Helper()
	if s.transport == 1 {
		function(t, s.House, strings.ReplaceAll(d.code, "GOOD", s.good[1]))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deed = d
}

// ServeHTTP is the receiver, or tells the script what to do.
func (s *stage) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	text, _ := io.ReadAll(q.Body)
	s.mu.Lock()
	d := s.deed
	s.secrets = append(s.secrets, secretsOf(text)...)
	s.mu.Unlock()
	if d.hangs {
		s.asked <- struct{}{}
	}
	switch {
	case s.transport == 2:
		_, _ = io.WriteString(w, strings.ReplaceAll(d.code, "GOOD", s.good[2]))
	case d.http != nil:
		d.http(w, q)
	case s.hook == supabase.CustomAccessToken:
		var asked map[string]map[string]any
		_ = json.Unmarshal(text, &asked)
		var whole struct{ Claims map[string]any }
		_ = json.Unmarshal(text, &whole)
		whole.Claims["sub"] = "somebody else"
		answer, _ := json.Marshal(map[string]any{"claims": whole.Claims, "user_id": "somebody else"})
		says(200, string(answer))(w, q)
	default:
		says(200, s.good[0])(w, q)
	}
}

// secretsOf are what of a question nobody else may learn.
func secretsOf(text []byte) []string {
	var q struct {
		Password string
		SMS      struct{ OTP string }
		Mail     struct {
			Token string
			Hash  string `json:"token_hash"`
		} `json:"email_data"`
	}
	_ = json.Unmarshal(text, &q)
	return []string{q.Password, q.SMS.OTP, q.Mail.Token, q.Mail.Hash}
}

// stages opens a house for a scene over a transport.
func stageOf(t testing.TB, sc scene, transport int) *stage {
	t.Helper()
	s := &stage{scene: sc, transport: transport, asked: make(chan struct{}, 100)}
	receiver := httptest.NewServer(s)
	t.Cleanup(receiver.Close)
	var settings map[string]string
	var options []func(*house.Options)
	switch transport {
	case 0:
		settings = hook(sc.hook, receiver.URL+"/?key=tiger-lily")
	case 1:
		settings = hook(sc.hook, "pg-functions://postgres/app/hook")
		settings["AUTH_HOOKS_POSTGRES_TIMEOUT"] = "1500ms"
	default:
		settings = scripted(t, sc.hook, `
export default async function (event, {secrets}) {
	const code = await (await fetch(secrets.DIRECTOR, {method: 'POST', body: JSON.stringify(event)})).text();
	return await (new (async () => {}).constructor('event', code))(event);
}`)
		settings["AUTH_HOOKS_SCRIPT_SECRET_DIRECTOR"], settings["AUTH_OUTBOUND_ALLOWED_NETWORKS"] = receiver.URL, "127.0.0.1"
		options = append(options, inWorkers)
	}
	maps.Copy(settings, sc.settings)
	if sc.hook == supabase.UserInserted {
		delete(settings, "AUTH_HOOK_USER_INSERTED_SECRETS")
	}
	s.House = testhouse.Open(t, settings, options...)
	s.does(t, deed{verdict: allows, code: "return GOOD;"})
	if sc.prepare != nil {
		s.code = sc.prepare(t, s.House)
	}
	return s
}

const whatIsWritten = `select string_agg(x, ' ') from (
	select 'users ' || md5(coalesce(string_agg(u::text, '|' order by id), '')) from auth.users u
	union all select 'roles ' || count(*) from auth.user_roles
	union all select 'sessions ' || md5(coalesce(string_agg(r::text, '|' order by id), '')) from auth.refresh_tokens r
	union all select 'tickets ' || md5(coalesce(string_agg(k::text, '|' order by id), '')) from auth.tickets k
	union all select 'audit ' || count(*) from auth.audit_entries where event <> 'signin.failed'
	union all select 'events ' || count(*) from auth.events
	union all select 'jobs ' || count(*) from postern_river.river_job where kind in ('postern_mail', 'postern_sms')) as all_of_it(x)`

// text reads one text from the database.
func text(ctx context.Context, h *testhouse.House, sql string) (string, error) {
	conn, err := pgx.Connect(ctx, h.Database)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var s string
	return s, conn.QueryRow(ctx, sql).Scan(&s)
}

func mustText(t testing.TB, h *testhouse.House, sql string) string {
	t.Helper()
	s, err := text(t.Context(), h, sql)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// free waits until the hook hangs, and tells what somebody else then finds locked or open.
func (s *stage) free(ctx context.Context) (string, error) {
	if s.transport == 1 {
		for {
			n, err := text(ctx, s.House, `select count(*)::text from pg_stat_activity where datname = current_database() and application_name = 'postern hooks' and wait_event = 'PgSleep'`)
			if err != nil {
				return "", err
			}
			if n != "0" {
				break
			}
		}
	} else {
		select {
		case <-s.asked:
		case <-ctx.Done():
			return "", ctx.Err()
		}
	}
	return text(ctx, s.House, `with locked as materialized (
			select count(*) from (select from auth.users for update nowait) u, (select from auth.tickets for update nowait) k, (select from auth.refresh_tokens for update nowait) r),
		later as materialized (select pg_sleep(0.3) from locked)
		select count(*)::text from later, pg_stat_activity a where a.datname = current_database() and a.pid <> pg_backend_pid()
			and a.application_name <> 'postern hooks' and a.state like 'idle in transaction%' and a.xact_start < clock_timestamp() - interval '250 milliseconds'`)
}

// play has the hook do one deed to a client, and judges what came of it.
func (s *stage) play(t *testing.T, n int, d deed) {
	t.Helper()
	run(t, s.House, `delete from auth.security_counters; delete from auth.tickets`)
	s.Clock.Advance(6 * time.Minute) // what took long before is forgotten
	s.does(t, deed{verdict: allows, code: "return GOOD;"})
	path, body := s.ready(t, s.House, n, s.code)
	s.does(t, d)
	before := mustText(t, s.House, whatIsWritten)
	type finding struct {
		open string
		err  error
	}
	found := make(chan finding, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for len(s.asked) > 0 { // by what came before
		<-s.asked
	}
	watched := d.hangs && s.hook != supabase.UserInserted
	if watched {
		go func() {
			open, err := s.free(ctx)
			found <- finding{open, err}
		}()
	}
	began := time.Now()
	got := post(t, s.House, path, body)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the client waited for %s", took)
	}
	if watched {
		if f := <-found; f.err != nil || f.open != "0" {
			t.Errorf("while the hook hangs, %s transactions are open, and locks: %v", f.open, f.err)
		}
	}
	if strings.Contains(got.body, "canary") || strings.Contains(got.body, "tiger-lily") {
		t.Errorf("the client is told %s", got.body)
	}
	switch d.verdict {
	case allows:
		if got.status != http.StatusOK || strings.Contains(got.body, "error") {
			t.Errorf("%d %s", got.status, got.body)
		}
		var in session // of whoever the client is, whatever the hook says
		if json.Unmarshal([]byte(got.body), &in) == nil && in.Session.AccessToken != "" && claimsOf(t, in.Session.AccessToken)["sub"] == "somebody else" {
			t.Errorf("the token is of %v", claimsOf(t, in.Session.AccessToken)["sub"])
		}
		return
	case denies:
		got.turnedAway(t, 418, "hook-denied", "Not today")
	case errs:
		got.turnedAway(t, 500, "hook-denied", "Not today")
	default:
		if status, ok := s.failed[0].(int); ok {
			got.turnedAway(t, status, s.failed[1].(string), s.failed[2].(string))
		} else {
			got.turnedAway(t, 500, "hook-failed", failed)
		}
	}
	after := mustText(t, s.House, whatIsWritten)
	if s.told {
		email := fmt.Sprintf("jane%d@example.com", n)
		if !users(t, s.House, email) || mustText(t, s.House, `select count(*)::text from auth.refresh_tokens r join auth.users u on u.id = r.user_id where u.email = '`+email+`'`) != "0" {
			t.Error("who was made is gone, or has a session")
		}
	} else if before != after {
		t.Errorf("something is written:\n%s\n%s", before, after)
	}
}

// TestEveryHookOverEveryTransport has every hook asked by a real client over every transport that it can have, and
// the receiver do everything that it should not: H-07 and H-23 of the hostile inputs. The client is told nothing of
// it, nothing is written or locked, the log has the reason and no secret, and afterwards all is well.
func TestEveryHookOverEveryTransport(t *testing.T) {
	t.Parallel()
	cells := 0
	// Nearly all of the time is waiting, so more houses are open at once than there are processors.
	var houses sync.WaitGroup
	turns := make(chan struct{}, 8)
	for _, sc := range scenes {
		for transport, deeds := range []map[string]deed{overHTTP, inTheDatabase, asScripts} {
			if sc.hook == supabase.UserInserted && transport != 1 {
				continue
			}
			cells += len(deeds) + 1
			inHouse := func(t *testing.T) {
				s := stageOf(t, sc, transport)
				n := 0
				for _, late := range []bool{false, true} { // refusals of passwords wait as long as the slowest one did
					for name, d := range deeds {
						if (d.hangs || d.late) != late || sc.hook == supabase.UserInserted && name == "warnings" { // which cost it nothing but time
							continue
						}
						n++
						t.Run(name, func(t *testing.T) { s.play(t, n, d) })
					}
				}
				t.Run("allows", func(t *testing.T) { s.play(t, n+1, deed{verdict: allows, code: "return GOOD;"}) })
				s.inLog(t)
			}
			houses.Go(func() {
				turns <- struct{}{}
				t.Run(sc.hook+" "+[]string{"over HTTP", "in the database", "in JavaScript"}[transport], inHouse)
				<-turns
			})
		}
	}
	houses.Wait()
	t.Logf("%d cells", cells)
}

// inLog looks for what must not be in the log, and for what must.
func (s *stage) inLog(t *testing.T) {
	t.Helper()
	log := s.Log.String()
	for _, secret := range append(s.secrets, "canary", "tiger-lily", password, newSecret, oldSecret, strings.TrimPrefix(newSecret, "v1,whsec_"), "verifyEmail:") {
		if secret != "" && strings.Contains(log, secret) {
			t.Errorf("the log has %s", secret)
			for line := range strings.Lines(log) {
				if strings.Contains(line, secret) {
					t.Log(line)
					break
				}
			}
		}
	}
	if !strings.Contains(log, `"msg":"hook failed"`) {
		t.Error("the log tells of no failure")
	}
}

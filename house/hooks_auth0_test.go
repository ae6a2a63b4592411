package house_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/flow"
	"postern/hooks"
	"postern/hooks/auth0"
	"postern/house"
	"postern/internal/testhouse"
)

const managementSecret = "bf3c1a0e5d9247f68ab1c04e7d3952f6"

// managed is a house with the management API, and who manages it.
type managed struct {
	*testhouse.House
	token  string
	failed chan hooks.Failure // what the engine has told of
}

// manage opens a house with the management API on.
func manage(t testing.TB, settings map[string]string) *managed {
	t.Helper()
	all := map[string]string{
		"AUTH_MANAGEMENT_CLIENT_ID": "deployer", "AUTH_MANAGEMENT_CLIENT_SECRET": managementSecret, "AUTH_MANAGEMENT_AUDIENCE": "https://auth.example.com/api/v2/",
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_HOOKS_SCRIPT_TIMEOUT": "2s", "AUTH_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1",
	}
	maps.Copy(all, settings)
	m := &managed{failed: make(chan hooks.Failure, 1000)}
	moments := hooks.New()
	moments.Failed = func(_ context.Context, f hooks.Failure) { m.failed <- f }
	m.House = testhouse.Open(t, all, inWorkers, func(o *house.Options) { o.Hooks = moments })
	granted := m.grant(t)
	var said struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(granted.body), &said); err != nil || said.Token == "" {
		t.Fatalf("%d %s", granted.status, granted.body)
	}
	m.token = said.Token
	return m
}

// api asks outside the prefix of users.
func (m *managed) api(t testing.TB, method, path string, body any) reply {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, strings.TrimSuffix(m.URL, "/v1")+path, strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := m.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, string(got)}
}

// grant asks for a token for a machine.
func (m *managed) grant(t testing.TB) reply {
	t.Helper()
	return m.api(t, http.MethodPost, "/oauth/token", map[string]any{
		"grant_type": "client_credentials", "client_id": "deployer", "client_secret": managementSecret, "audience": "https://auth.example.com/api/v2/",
	})
}

// script makes a script the one that has a say at its trigger.
func (m *managed) script(t testing.TB, trigger, source string, secrets map[string]string) (id string) {
	t.Helper()
	name := fmt.Sprintf("%s-%d", trigger, time.Now().UnixNano())
	made := m.api(t, http.MethodPost, "/api/v2/hooks", map[string]any{"name": name, "triggerId": trigger, "script": source, "enabled": true})
	var hook struct{ ID string }
	if err := json.Unmarshal([]byte(made.body), &hook); err != nil || made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}
	if len(secrets) > 0 {
		if r := m.api(t, http.MethodPost, "/api/v2/hooks/"+hook.ID+"/secrets", secrets); r.status != http.StatusCreated {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	return hook.ID
}

// off takes the say from a script.
func (m *managed) off(t testing.TB, id string) {
	t.Helper()
	if r := m.api(t, http.MethodPatch, "/api/v2/hooks/"+id, map[string]any{"enabled": false}); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
}

// broke waits for the engine to tell that a trigger's script failed.
func (m *managed) broke(t testing.TB, trigger string) hooks.Failure {
	t.Helper()
	select {
	case f := <-m.failed:
		if f.Hook != "auth0/"+trigger {
			t.Errorf("%s failed: %v", f.Hook, f.Err)
		}
		return f
	case <-time.After(30 * time.Second):
		t.Fatal("nobody told of a failure")
	}
	return hooks.Failure{}
}

// TestScriptsThatNobodyAsksAreToldOf starts a server without the management API beside one that has scripts.
func TestScriptsThatNobodyAsksAreToldOf(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	id := m.script(t, "pre-user-registration", "module.exports = (user, context, cb) => cb(new Error('no'))", nil)
	plain := map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"}
	const told = `"trigger":"pre-user-registration"`
	if beside := m.With(t, plain); !strings.Contains(beside.Log.String(), told) {
		t.Error("nobody is told of a script that is not asked")
	}
	m.off(t, id)
	if beside := m.With(t, plain); strings.Contains(beside.Log.String(), told) {
		t.Error("a script that is switched off is warned of")
	}
}

// TestTriggersAreThoseOfTheDialect holds those for which scripts are taken beside those at which they are asked.
func TestTriggersAreThoseOfTheDialect(t *testing.T) {
	t.Parallel()
	if asked, taken := slices.Sorted(slices.Values(auth0.Triggers())), flow.Triggers(); !slices.Equal(asked, taken) {
		t.Errorf("scripts are asked at %v and taken for %v", asked, taken)
	}
}

// misbehaviours are bodies of scripts that are no answer, and what the log says of them.
var misbehaviours = map[string]string{
	"throw 'boom'":                     "boom",
	"throw null":                       "null was thrown",
	"throw new Error('boom')":          "Error: boom",
	"cb(new Error('boom'))":            "Error: boom",
	"cb('boom')":                       "boom",
	"return Promise.reject(undefined)": "undefined was thrown",
	"return 7":                         "hook did not call back",
	"for (;;) {}":                      "no answer within",
	"const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)": "",
	"}}} this is no JavaScript":                                 "Unable to compile the extensibility code as javascript",
	"require('no-such-package'); cb()":                          "Cannot find module",
	"const o = {}; o.o = o; cb(null, o)":                        "cannot be written as JSON",
	"cb(null, 'x'.repeat(3e6))":                                 "longer than",
	"class ServerError {}; cb(undefined)":                       "",
}

// scriptOf is a script of a trigger with that body.
func scriptOf(trigger, body string) string {
	params := map[string]string{
		auth0.CredentialsExchange: "client, scope, audience, context", auth0.SendPhoneMessage: "recipient, text, context",
	}[trigger]
	if params == "" {
		params = "user, context"
	}
	return "module.exports = function (" + params + ", cb) {\n" + body + "\n};"
}

func TestCredentialsExchange(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	m.script(t, auth0.CredentialsExchange, scriptOf(auth0.CredentialsExchange, `
		if (client.id !== 'deployer' || !Array.isArray(scope) || audience !== 'https://auth.example.com/api/v2/') return cb(new ServerError('not told enough'));
		if (module.webtask.secrets.KEY !== context.webtask.secrets.KEY) return cb(new ServerError('no webtask'));
		const token = {scope: scope.filter((s) => s !== 'delete:hooks').concat('read:tea'), sub: 'somebody'};
		token['https://example.com/key'] = context.webtask.secrets.KEY;
		token['https://x.auth0.com/no'] = true;
		cb(null, token);`), map[string]string{"KEY": "tiger-lily"})
	granted := m.grant(t)
	var said struct {
		Token string `json:"access_token"`
		Scope string `json:"scope"`
	}
	if err := json.Unmarshal([]byte(granted.body), &said); err != nil || granted.status != http.StatusOK {
		t.Fatalf("%d %s", granted.status, granted.body)
	}
	claims := claimsOf(t, said.Token)
	if said.Scope != "read:hooks create:hooks update:hooks" || claims["scope"] != said.Scope || claims["https://example.com/key"] != "tiger-lily" ||
		claims["https://x.auth0.com/no"] != nil || claims["sub"] != "deployer@clients" {
		t.Errorf("%s %v", said.Scope, claims)
	}
	for body, want := range map[string]struct {
		status int
		text   string
	}{
		"cb(null, {})": {200, `"token_type":"Bearer","expires_in":3600}`},
		"cb(new InvalidScopeError('no such scope'))":   {400, `"error":"invalid_scope","error_description":"no such scope"`},
		"cb(new InvalidRequestError('ask otherwise'))": {400, `"error":"invalid_request","error_description":"ask otherwise"`},
		"cb(new ServerError('come back'))":             {500, `"error":"server_error","error_description":"come back"`},
		"cb(new Error('come back'))":                   {500, `"error":"server_error","error_description":"come back"`},
		"throw 'boom'":                                 {500, `"error":"server_error","error_description":"boom"`},
		"throw null":                                   {500, `"error":"server_error"`},
		"return 7":                                     {500, `"error":"server_error"`},
		"for (;;) {}":                                  {500, `"error":"server_error"`},
		"const a = []; for (;;) a.push('x'.repeat(1e6) + a.length)": {500, `"error":"server_error"`},
		"}}} no JavaScript":      {500, "Unable to compile the extensibility code as javascript"},
		"cb(null, [])":           {500, `"error":"server_error"`},
		"cb(null, {scope: [7]})": {500, `"error":"server_error"`},
		"cb(null, {'https://hasura.io/jwt/claims': {'x-hasura-role': 'admin'}})": {500, `"error":"server_error"`},
	} {
		m.script(t, auth0.CredentialsExchange, scriptOf(auth0.CredentialsExchange, body), nil)
		if got := m.grant(t); got.status != want.status || !strings.Contains(got.body, want.text) {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	if strings.Contains(m.Log.String(), "tiger-lily") {
		t.Error("a secret is in the log")
	}
}

func TestPreUserRegistration(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	sign := func(email, metadata string) reply {
		t.Helper()
		return post(t, m.House, "/signup/email-password", fmt.Sprintf(`{"email":%q,"password":%q,"options":{"metadata":%s}}`, email, password, metadata))
	}
	sign("first@example.com", `{"a":1,"app_metadata":{"plan":"gold"}}`).entered(t)
	holds := func(email, want string) {
		t.Helper()
		u, err := m.Store.UserByEmail(t.Context(), email)
		if err != nil || string(u.Metadata) != want {
			t.Errorf("%s has %s, want %s (%v)", email, u.Metadata, want, err)
		}
	}
	holds("first@example.com", `{"a": 1}`) // without a script, too, that part is not the person's
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, `
		const bad = user.password !== 'correct horse battery' || user.app_metadata.plan || context.connection.name !== 'Username-Password-Authentication'
			|| context.request.ip !== '::ffff:127.0.0.1' || user.emailVerified || context.webtask.secrets.ROLE !== 'tiger-lily';
		if (bad) return cb(new Error('not told enough'));
		user.email = 'other@example.com';
		user.user_metadata.b = 2;
		user.app_metadata.role = context.webtask.secrets.ROLE;
		console.log('comes', user.email, context.webtask.secrets.ROLE);
		cb(null, {user});`), map[string]string{"ROLE": "tiger-lily"})
	sign("second@example.com", `{"a":1,"app_metadata":{"plan":"gold"}}`).entered(t)
	holds("second@example.com", `{"a": 1, "b": 2, "app_metadata": {"role": "tiger-lily"}}`)
	if log := m.Log.String(); !strings.Contains(log, `"line":"comes other@example.com [secret]"`) || strings.Contains(log, "tiger-lily") {
		t.Error("the console of the script is not in the log as it should be")
	}

	before := counts(t, m.House)
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, `cb(new PreUserRegistrationError('not of us', 'Only people of example.net may sign up'))`), nil)
	sign("third@example.com", `{}`).turnedAway(t, 400, "hook-denied", "Only people of example.net may sign up")
	if !strings.Contains(m.Log.String(), "PreUserRegistrationError: not of us") {
		t.Error("the log does not say why")
	}
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, `cb(new PreUserRegistrationError('not of us'))`), nil)
	sign("third@example.com", `{}`).turnedAway(t, 400, "hook-denied", "The request was denied")
	for body, why := range misbehaviours {
		if strings.HasPrefix(body, "class ServerError") {
			body, why = "class Mine {}; cb(null, {user: {user_metadata: {'a.b': 1}}})", "has a dot in it"
		}
		m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, body), nil)
		sign("third@example.com", `{}`).turnedAway(t, 500, "hook-failed", failed)
		if f := m.broke(t, auth0.PreUserRegistration); !strings.Contains(f.Err.Error(), why) {
			t.Errorf("%s: %v", body, f.Err)
		}
	}
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, `}`)+"\nclass PreUserRegistrationError {}", nil)
	sign("third@example.com", `{}`).turnedAway(t, 500, "hook-failed", failed)
	m.broke(t, auth0.PreUserRegistration)
	if after := counts(t, m.House); after != before {
		t.Errorf("refused sign-ups left something behind:\n%s\n%s", before, after)
	}
	last := m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, `cb()`), nil)
	sign("third@example.com", `{}`).entered(t)
	m.off(t, last)
	sign("fourth@example.com", `{}`).entered(t)
}

// counts tells how many rows about people there are.
func counts(t testing.TB, h *testhouse.House) (text string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	err = conn.QueryRow(t.Context(), `select format('%s users, %s sessions, %s tickets, %s events, %s jobs, %s counters',
		(select count(*) from auth.users), (select count(*) from auth.refresh_tokens), (select count(*) from auth.tickets),
		(select count(*) from auth.events), (select count(*) from postern_river.river_job where kind <> 'postern_sweep'),
		(select count(*) from auth.security_counters))`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hears is a receiver that scripts fetch.
func hears(t testing.TB) (url string, heard chan string) {
	t.Helper()
	heard = make(chan string, 100)
	s := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		heard <- string(text)
	}))
	t.Cleanup(s.Close)
	return s.URL, heard
}

// next is what a receiver hears next.
func next(t testing.TB, heard chan string) map[string]any {
	t.Helper()
	select {
	case text := <-heard:
		var said map[string]any
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return said
	case <-time.After(30 * time.Second):
		t.Fatal("nothing was heard")
	}
	return nil
}

func TestPostUserRegistration(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	url, heard := hears(t)
	// It goes on after it has called back, as many scripts do.
	m.script(t, auth0.PostUserRegistration, scriptOf(auth0.PostUserRegistration, `
		cb();
		setTimeout(() => fetch(context.webtask.secrets.WHERE, {method: 'POST', body: JSON.stringify({user, connection: context.connection.name, id: context.webtask.id})}), 20);`),
		map[string]string{"WHERE": url})
	s := signs(t, m.House, "signup", "jane@example.com").entered(t)
	said := next(t, heard)
	who, _ := said["user"].(map[string]any)
	if who["id"] != claimsOf(t, s.Session.AccessToken)["sub"] || who["email"] != "jane@example.com" || who["password"] != nil || said["connection"] != "Username-Password-Authentication" {
		t.Errorf("told %v", said)
	}
	signs(t, m.House, "signin", "jane@example.com").entered(t)
	i := 0
	for body, why := range misbehaviours {
		if strings.HasPrefix(body, "class ServerError") || strings.HasPrefix(body, "cb(null, 'x'") {
			continue
		}
		m.script(t, auth0.PostUserRegistration, scriptOf(auth0.PostUserRegistration, body), nil)
		i++
		signs(t, m.House, "signup", fmt.Sprintf("jane%d@example.com", i)).entered(t)
		if f := m.broke(t, auth0.PostUserRegistration); !strings.Contains(f.Err.Error(), why) || !f.Carried {
			t.Errorf("%s: %v", body, f.Err)
		}
		if body == "for (;;) {}" { // it is told again, as it gave no answer
			m.script(t, auth0.PostUserRegistration, scriptOf(auth0.PostUserRegistration, `fetch(context.webtask.secrets.WHERE, {method: 'POST', body: JSON.stringify(user)}).then(() => cb(), cb)`),
				map[string]string{"WHERE": url})
			if again := next(t, heard); again["email"] != fmt.Sprintf("jane%d@example.com", i) {
				t.Errorf("told of %v", again)
			}
		}
	}
	if len(heard) > 0 {
		t.Error("somebody was told of twice")
	}
}

func TestPostChangePassword(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	url, heard := hears(t)
	m.script(t, auth0.PostChangePassword, scriptOf(auth0.PostChangePassword,
		`fetch(context.webtask.secrets.WHERE, {method: 'POST', body: JSON.stringify({user, connection: context.connection.name})}).then(() => cb(), cb)`), map[string]string{"WHERE": url})
	s := signs(t, m.House, "signup", "jane@example.com").entered(t)
	change := func(to string) {
		t.Helper()
		resp, body := m.Do(t, http.MethodPost, "/user/password", fmt.Sprintf(`{"newPassword":%q}`, to), "Authorization", "Bearer "+s.Session.AccessToken)
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Fatalf("%d %s", resp.StatusCode, body)
		}
	}
	change("another horse battery")
	said := next(t, heard)
	who, _ := said["user"].(map[string]any)
	at, err := time.Parse(time.RFC3339, fmt.Sprint(who["last_password_reset"]))
	if err != nil || who["id"] != claimsOf(t, s.Session.AccessToken)["sub"] || who["email"] != "jane@example.com" || time.Since(at) > time.Minute {
		t.Errorf("told %v %v", said, err)
	}
	for _, body := range []string{"throw null", "throw 'boom'", "cb(new Error('boom'))", "return 7", "}}}"} {
		m.script(t, auth0.PostChangePassword, scriptOf(auth0.PostChangePassword, body), nil)
		change("a third horse battery")
		m.broke(t, auth0.PostChangePassword)
	}
}

// texted is a house whose user has a phone number, and their session.
func texted(t testing.TB, settings map[string]string) (*managed, session) {
	t.Helper()
	all := map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_SMS_USER_HOURLY_LIMIT": "100"}
	maps.Copy(all, settings)
	m := manage(t, all)
	if got := asksForText(t, m.House, "+15551234567"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	code := digits(m.SMS(t, "+15551234567", 1)[0].Text)
	return m, post(t, m.House, "/signin/passwordless/sms/otp", fmt.Sprintf(`{"phoneNumber":"+15551234567","otp":%q}`, code)).entered(t)
}

// digits is the code in a text.
func digits(text string) string {
	return strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, text)
}

func TestSendPhoneMessage(t *testing.T) {
	t.Parallel()
	m, s := texted(t, nil)
	prove := func(path, body string) reply {
		t.Helper()
		resp, text := m.Do(t, http.MethodPost, "/elevate/otp/sms"+path, body, "Authorization", "Bearer "+s.Session.AccessToken)
		_ = resp.Body.Close()
		return reply{resp.StatusCode, text}
	}
	good := func(r reply) {
		t.Helper()
		if r.status != http.StatusOK {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	good(prove("", "")) // no script: the gateway's
	if n := len(m.SMS(t, "+15551234567", 2)); n != 2 {
		t.Errorf("%d messages", n)
	}
	url, heard := hears(t)
	m.script(t, auth0.SendPhoneMessage, scriptOf(auth0.SendPhoneMessage,
		`fetch(context.webtask.secrets.WHERE, {method: 'POST', body: JSON.stringify({recipient, text, context})}).then(() => cb(null, {MessageID: 1}), cb)`), map[string]string{"WHERE": url})
	good(prove("", ""))
	said := next(t, heard)
	about, _ := said["context"].(map[string]any)
	code, _ := about["code"].(string)
	text, _ := said["text"].(string)
	if said["recipient"] != "+15551234567" || !strings.Contains(text, code) || len(code) < 6 || about["message_type"] != "sms" || about["action"] != "second-factor-authentication" ||
		about["ip"] != "127.0.0.1" || about["user_agent"] == nil || about["language"] != "en" {
		t.Errorf("told %v", said)
	}
	good(prove("/verify", fmt.Sprintf(`{"otp":%q}`, code)))
	if got := asksForText(t, m.House, "+15551234567"); got.status != http.StatusOK { // not one of its own
		t.Fatalf("%d %s", got.status, got.body)
	}
	if n := len(m.SMS(t, "+15551234567", 3)); n != 3 || len(heard) != 0 {
		t.Errorf("%d messages by the gateway, %d by the script", n, len(heard))
	}

	prove("", "") // so that there is a count of messages asked for, which refused ones are part of
	next(t, heard)
	before := counts(t, m.House)
	m.script(t, auth0.SendPhoneMessage, scriptOf(auth0.SendPhoneMessage, `cb(new SendPhoneMessageError('no money left', 'No messages today'))`), nil)
	prove("", "").turnedAway(t, 500, "hook-denied", "No messages today")
	for body, why := range misbehaviours {
		if strings.HasPrefix(body, "class ServerError") {
			continue
		}
		m.script(t, auth0.SendPhoneMessage, scriptOf(auth0.SendPhoneMessage, body), nil)
		prove("", "").turnedAway(t, 500, "hook-failed", failed)
		if f := m.broke(t, auth0.SendPhoneMessage); !strings.Contains(f.Err.Error(), why) {
			t.Errorf("%s: %v", body, f.Err)
		}
	}
	if after := counts(t, m.House); after != before {
		t.Errorf("refused messages left something behind:\n%s\n%s", before, after)
	}
	last := m.script(t, auth0.SendPhoneMessage, scriptOf(auth0.SendPhoneMessage, `cb()`), nil)
	good(prove("", ""))
	m.off(t, last)
	good(prove("", ""))
	if n := len(m.SMS(t, "+15551234567", 4)); n != 4 {
		t.Errorf("%d messages", n)
	}
}

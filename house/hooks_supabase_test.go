package house_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/hooks/supabase"
	"postern/internal/testhouse"
	"postern/webhooks"
)

// The secrets of a receiver that is about to change its own: it knows the second alone.
const (
	newSecret = "v1,whsec_TmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldyE="
	oldSecret = "v1,whsec_T2xkLW9sZC1vbGQtb2xkLW9sZC1vbGQtb2xkLW9sZCE="
)

const password = "correct horse battery"

// question is what a receiver was asked.
type question struct {
	id   string
	body map[string]any
}

// receiver is somebody else's program behind an address. It answers as a test says.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	answer http.HandlerFunc
	asked  []question
	wrong  []string // what it found wrong with questions
}

// listen opens a receiver of one hook.
func listen(t testing.TB, name string) *receiver {
	t.Helper()
	keys, err := webhooks.ParseAll(oldSecret)
	if err != nil {
		t.Fatal(err)
	}
	r := &receiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		text, err := io.ReadAll(q.Body)
		if err == nil {
			err = keys.Verify(q.Header.Get("webhook-id"), q.Header.Get("webhook-timestamp"), q.Header.Get("webhook-signature"), text, time.Now())
		}
		var body map[string]any
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		if err == nil {
			err = fits(supabase.Schema(name), text)
		}
		if err == nil && (q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json") {
			err = fmt.Errorf("%s of %s", q.Method, q.Header.Get("Content-Type"))
		}
		r.mu.Lock()
		r.asked = append(r.asked, question{q.Header.Get("webhook-id"), body})
		if err != nil {
			r.wrong = append(r.wrong, err.Error())
		}
		answer := r.answer
		r.mu.Unlock()
		if err != nil || answer == nil {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		q.Body = io.NopCloser(strings.NewReader(string(text)))
		answer(w, q)
	}))
	t.Cleanup(func() {
		r.Close()
		if len(r.wrong) > 0 {
			t.Errorf("questions that a receiver would not take: %q", r.wrong)
		}
	})
	return r
}

// says has the receiver answer otherwise from now on, and forgets what it was asked.
func (r *receiver) says(answer http.HandlerFunc) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer, r.asked = answer, nil
}

// questions are what it was asked since.
func (r *receiver) questions() []question {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.asked
}

// fits holds a payload against its schema, with no member beside those that the schema has.
func fits(schema, payload []byte) error {
	var s openapi3.Schema
	if err := json.Unmarshal(schema, &s); err != nil {
		return err
	}
	var value any
	if err := json.Unmarshal(payload, &value); err != nil {
		return err
	}
	if err := s.VisitJSON(value); err != nil {
		return err
	}
	return strict(&s, value, "")
}

// strict finds members that a schema says nothing of. Claims are free to have more.
func strict(s *openapi3.Schema, value any, where string) error {
	object, ok := value.(map[string]any)
	if !ok || len(s.Properties) == 0 || strings.HasSuffix(where, "/claims") {
		return nil
	}
	for name, inner := range object {
		p := s.Properties[name]
		if p == nil {
			return fmt.Errorf("%s/%s is not in the schema", where, name)
		}
		if err := strict(p.Value, inner, where+"/"+name); err != nil {
			return err
		}
	}
	return nil
}

func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// waits until whoever asked has given up.
func waits(_ http.ResponseWriter, q *http.Request) { <-q.Context().Done() }

// hook are the settings of one hook at an address.
func hook(name, uri string) map[string]string {
	name = strings.ToUpper(name)
	return map[string]string{
		"AUTH_HOOK_" + name + "_ENABLED": "true", "AUTH_HOOK_" + name + "_URI": uri, "AUTH_HOOK_" + name + "_SECRETS": newSecret + "|" + oldSecret,
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_HOOKS_POSTGRES_TIMEOUT": "300ms",
	}
}

// session is what a sign-in ends in.
type session struct {
	Session struct{ AccessToken, RefreshToken string }
}

// reply is what the door said.
type reply struct {
	status int
	body   string
}

// post asks the door.
func post(t testing.TB, h *testhouse.House, path, body string) reply {
	t.Helper()
	resp, text := h.Do(t, http.MethodPost, path, body)
	_ = resp.Body.Close() // read already
	return reply{resp.StatusCode, text}
}

// signs signs somebody up or in.
func signs(t testing.TB, h *testhouse.House, way, email string) reply {
	t.Helper()
	return post(t, h, "/"+way+"/email-password", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
}

// refreshed goes on with a session.
func refreshed(t testing.TB, h *testhouse.House, s session) reply {
	t.Helper()
	return post(t, h, "/token", fmt.Sprintf(`{"refreshToken":%q}`, s.Session.RefreshToken))
}

// entered reads the session of an answer.
func (r reply) entered(t testing.TB) session {
	t.Helper()
	var s session
	if err := json.Unmarshal([]byte(r.body), &s); err != nil || r.status != http.StatusOK || s.Session.AccessToken == "" {
		t.Fatalf("%d %s", r.status, r.body)
	}
	return s
}

// turnedAway checks a refusal.
func (r reply) turnedAway(t testing.TB, status int, code, message string) {
	t.Helper()
	var got struct{ Error, Message string }
	if err := json.Unmarshal([]byte(r.body), &got); err != nil || r.status != status || got.Error != code || got.Message != message {
		t.Fatalf("%d %s, want %d %s %q", r.status, r.body, status, code, message)
	}
}

const failed = "The request could not be checked, try again later"

// claimsOf reads a token.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(raw, &claims); err != nil {
		t.Fatal(err)
	}
	return claims
}

// badge is a receiver of custom_access_token as people write it, that also lies about what is ours.
func badge(w http.ResponseWriter, q *http.Request) {
	var asked struct {
		Claims map[string]any `json:"claims"`
		Method string         `json:"authentication_method"`
	}
	if err := json.NewDecoder(q.Body).Decode(&asked); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	asked.Claims["badge"] = asked.Method
	asked.Claims["exp"], asked.Claims["sub"] = 1, "somebody else"
	delete(asked.Claims, "user_metadata")
	text, _ := json.Marshal(map[string]any{"claims": asked.Claims}) // what was JSON is JSON
	says(200, string(text))(w, q)
}

func TestCustomAccessTokenOverHTTP(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.CustomAccessToken)
	h := testhouse.Open(t, hook(supabase.CustomAccessToken, r.URL))

	r.says(badge)
	s := signs(t, h, "signup", "jane@example.com").entered(t)
	claims := claimsOf(t, s.Session.AccessToken)
	if claims["badge"] != "password" || claims["email"] != "jane@example.com" || claims["role"] != "authenticated" || claims["sub"] == "somebody else" || claims["exp"] == 1.0 {
		t.Errorf("the token says %v", claims)
	}
	if _, there := claims["user_metadata"]; there {
		t.Error("what the hook left out is in the token")
	}
	ours, _ := claims["https://hasura.io/jwt/claims"].(map[string]any)
	if ours["x-hasura-user-id"] != claims["sub"] || ours["x-hasura-default-role"] != "user" {
		t.Errorf("claims of Hasura: %v", ours)
	}
	asked := r.questions()
	if len(asked) != 1 {
		t.Fatalf("asked %d times", len(asked))
	}
	meta, _ := asked[0].body["metadata"].(map[string]any)
	if meta["uuid"] != asked[0].id || meta["name"] != "customize-access-token" || meta["ip_address"] != "127.0.0.1" {
		t.Errorf("metadata %v of %s", meta, asked[0].id)
	}

	for _, tt := range []struct {
		name    string
		answer  http.HandlerFunc
		status  int
		code    string
		message string
	}{
		{"an error object", says(200, `{"error":{"http_code":403,"message":"Your plan has ended"}}`), 403, "hook-denied", "Your plan has ended"},
		{"an error object without a status", says(200, `{"error":{"message":"No"}}`), 500, "hook-denied", "No"},
		{"an error object with 202", says(202, `{"error":{"http_code":429,"message":"Slower"}}`), 429, "hook-denied", "Slower"},
		{"a status that is no answer", says(400, `{"error":{"http_code":403,"message":"Your plan has ended"}}`), 500, "hook-failed", failed},
		{"trouble", says(500, `{}`), 500, "hook-failed", failed},
		{"no claims", says(200, `{}`), 500, "hook-failed", failed},
		{"no content", says(204, ``), 500, "hook-failed", failed},
		{"claims that are no object", says(200, `{"claims":"admin"}`), 500, "hook-failed", failed},
		{"claims that lack what they must have", says(200, `{"claims":{"sub":"x","role":7}}`), 500, "hook-failed", failed},
		{"no JSON", says(200, `claims`), 500, "hook-failed", failed},
		{"a redirect", func(w http.ResponseWriter, q *http.Request) {
			http.Redirect(w, q, "/elsewhere", http.StatusTemporaryRedirect)
		}, 500, "hook-failed", failed},
		{"too much", says(200, `{"claims":{"x":"`+strings.Repeat("x", 300<<10)+`"}}`), 500, "hook-failed", failed},
	} {
		r.says(tt.answer)
		refreshed(t, h, s).turnedAway(t, tt.status, tt.code, tt.message)
		signs(t, h, "signin", "jane@example.com").turnedAway(t, tt.status, tt.code, tt.message)
	}
	if log := h.Log.String(); !strings.Contains(log, "role is not of type string") || !strings.Contains(log, "aal is missing") {
		t.Error("the log does not say what is wrong with the claims")
	}

	r.says(badge)
	later := refreshed(t, h, s) // no refusal used the token up
	var again struct{ AccessToken string }
	if err := json.Unmarshal([]byte(later.body), &again); err != nil || later.status != http.StatusOK || claimsOf(t, again.AccessToken)["badge"] != "token_refresh" {
		t.Fatalf("%d %s", later.status, later.body)
	}
	for _, secret := range []string{newSecret, oldSecret, s.Session.RefreshToken, password} {
		if strings.Contains(h.Log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestRetriesHaveOneID(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.CustomAccessToken)
	h := testhouse.Open(t, hook(supabase.CustomAccessToken, r.URL))
	r.says(func(w http.ResponseWriter, q *http.Request) {
		if len(r.questions()) < 3 {
			w.Header().Set("Retry-After", "0")
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		badge(w, q)
	})
	signs(t, h, "signup", "jane@example.com").entered(t)
	asked := r.questions()
	if len(asked) != 3 || asked[0].id != asked[2].id {
		t.Fatalf("asked %d times", len(asked))
	}
	if diff := cmp.Diff(asked[0].body, asked[2].body); diff != "" {
		t.Errorf("the question changed: %s", diff)
	}
}

func TestSlowReceiver(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.CustomAccessToken)
	h := testhouse.Open(t, hook(supabase.CustomAccessToken, r.URL))
	r.says(waits)
	began := time.Now()
	signs(t, h, "signup", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	if took := time.Since(began); took > 15*time.Second {
		t.Errorf("it took %s", took)
	}
	r.says(badge)
	signs(t, h, "signin", "jane@example.com").entered(t)
}

// run has SQL run in the database of a house.
func run(t testing.TB, h *testhouse.House, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}

// function has the function of a test answer otherwise.
func function(t testing.TB, h *testhouse.House, body string) {
	t.Helper()
	run(t, h, `create schema if not exists app;
		create or replace function app.hook(event jsonb) returns jsonb language plpgsql as $hook$ begin `+body+` end $hook$;
		revoke execute on function app.hook from public`)
}

func TestCustomAccessTokenInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, hook(supabase.CustomAccessToken, "pg-functions://postgres/app/hook"))
	if !strings.Contains(h.Log.String(), "the function of a hook is not as it should be") {
		t.Error("no warning of a function that is missing")
	}
	email := "jane@example.com"
	signs(t, h, "signup", email).turnedAway(t, 500, "hook-failed", failed)

	good := `return jsonb_build_object('claims', event->'claims' || jsonb_build_object('badge', event->>'authentication_method', 'sub', 'somebody else'));`
	function(t, h, good)
	s := signs(t, h, "signin", email).entered(t)
	if claims := claimsOf(t, s.Session.AccessToken); claims["badge"] != "password" || claims["sub"] == "somebody else" {
		t.Errorf("the token says %v", claims)
	}
	for _, tt := range []struct {
		name, function string
		status         int
		code, message  string
	}{
		{"an error object", `return '{"error":{"http_code":403,"message":"Your plan has ended"}}';`, 403, "hook-denied", "Your plan has ended"},
		{"a state with a status", `raise exception 'Pay first' using errcode = 'PT402';`, 402, "hook-denied", "Pay first"},
		{"an exception", `raise exception 'boom %', event;`, 500, "hook-failed", failed},
		{"null", `return null;`, 500, "hook-failed", failed},
		{"no claims", `return '{}';`, 500, "hook-failed", failed},
		{"slow", `perform pg_sleep(20); return event;`, 500, "hook-failed", failed},
	} {
		function(t, h, tt.function)
		refreshed(t, h, s).turnedAway(t, tt.status, tt.code, tt.message)
		signs(t, h, "signin", email).turnedAway(t, tt.status, tt.code, tt.message)
	}
	function(t, h, good)
	if r := refreshed(t, h, s); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
}

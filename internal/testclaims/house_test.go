package testclaims_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/house"
	"postern/internal/fakehasura"
	"postern/internal/fakesms"
	"postern/internal/testhouse"
	"postern/internal/testmail"
)

const password = "correct horse battery"

// street is some houses over one database and one engine, with one clock.
type street struct {
	database string
	fake     *fakehasura.Engine
	clock    *testhouse.Clock
	mail     *testmail.Server
}

func newStreet(t *testing.T) *street {
	t.Helper()
	database := application(t)
	return &street{database, hasura(t, database), &testhouse.Clock{}, testmail.New(t)}
}

// open opens a house with the claims of a setting.
func (s *street) open(t *testing.T, definitions string, more map[string]string) *testhouse.House {
	t.Helper()
	env := map[string]string{
		"HASURA_GRAPHQL_GRAPHQL_URL": s.fake.URL, "HASURA_GRAPHQL_ADMIN_SECRET": fakehasura.Secret, "AUTH_HASURA_METADATA": "off",
		"AUTH_CLAIMS_TIMEOUT": "1s", "AUTH_JWT_CUSTOM_CLAIMS": definitions, "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}
	maps.Copy(env, more)
	like := &testhouse.House{Database: s.database, Mail: s.mail, Phones: &fakesms.Phones{}, Env: env}
	return like.Beside(t, func(o *house.Options) { o.Now = s.clock.Now })
}

// resident makes a user who has an organisation, and gives their address.
func (s *street) resident(t *testing.T, h *testhouse.House) string {
	t.Helper()
	const email = "resident@example.com"
	if status, _, body := do(t, h, "POST", "/signup/email-password", `{"email":"`+email+`","password":"`+password+`"}`); status != http.StatusOK {
		t.Fatalf("sign-up: %d %s", status, body)
	}
	if _, err := h.Store.Exec(t.Context(), `insert into public.profiles (user_id, organisation_id) select id, $2 from auth.users where email = $1::text::public.citext`, email, org1); err != nil {
		t.Fatal(err)
	}
	return email
}

// do sends a request.
func do(t *testing.T, h *testhouse.House, method, path, body string) (status int, retryAfter, text string) {
	t.Helper()
	a, text := h.Do(t, method, path, body)
	defer func() { _ = a.Body.Close() }()
	return a.StatusCode, a.Header.Get("Retry-After"), text
}

// enter is a request that gives a session: what came of it, the claim "c", and the refresh token.
func enter(t *testing.T, h *testhouse.House, path, body string) (got, refreshToken string) {
	t.Helper()
	began := time.Now()
	status, retryAfter, text := do(t, h, "POST", path, body)
	if took := time.Since(began); took > bound {
		t.Errorf("%s took %s", path, took)
	}
	var no struct{ Error string }
	var s struct {
		AccessToken, RefreshToken string
		Session                   *struct{ AccessToken, RefreshToken string }
	}
	if err := json.Unmarshal([]byte(text), &no); err != nil {
		t.Fatal(err)
	}
	if status != http.StatusOK {
		if status != http.StatusServiceUnavailable || no.Error != "claims-unavailable" || retryAfter == "" {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		return unavailable, ""
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		t.Fatal(err)
	}
	if s.Session != nil {
		s.AccessToken, s.RefreshToken = s.Session.AccessToken, s.Session.RefreshToken
	}
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(s.AccessToken, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var token struct {
		Claims map[string]any `json:"https://hasura.io/jwt/claims"`
	}
	if err := json.Unmarshal(raw, &token); err != nil {
		t.Fatal(err)
	}
	literal, ok := token.Claims["x-hasura-c"].(string)
	if !ok {
		literal = omitted
	}
	return literal, s.RefreshToken
}

// TestHousesWithHostileSources lets Hasura fail in every way beside houses whose claims are required,
// have a default, or are none.
func TestHousesWithHostileSources(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	away := newElsewhere(t)
	const path = `"path": "profile.organisation.name"`
	none := s.open(t, "", nil)
	credentials := `{"email":"` + s.resident(t, none) + `","password":"` + password + `"}`
	fallback := s.open(t, `{"c": {`+path+`, "default": "D"}}`, nil)
	required := s.open(t, `{"c": {`+path+`, "required": true, "default": "D"}}`, nil)
	got, token := enter(t, required, "/signin/email-password", credentials)
	if got != "Acme" {
		t.Fatalf("while all is well: %s", got)
	}
	refresh := `{"refreshToken":"` + token + `"}`
	for name, trouble := range troubles(away) {
		s.fake.Misbehave(trouble)
		for _, one := range []struct {
			house            *testhouse.House
			path, body, want string
		}{
			{none, "/signin/email-password", credentials, omitted},
			{fallback, "/signin/email-password", credentials, "D"},
			{required, "/signin/email-password", credentials, unavailable},
			{required, "/token", refresh, unavailable},
		} {
			if got, _ := enter(t, one.house, one.path, one.body); got != one.want {
				t.Errorf("%s: %s, want %s", name, got, one.want)
			}
		}
		s.fake.Misbehave(nil)
		s.clock.Advance(10 * time.Second) // the source is left alone after some failures
		for end := time.Now().Add(20 * time.Second); ; {
			got, next := enter(t, required, "/token", refresh)
			if got == "Acme" {
				refresh = `{"refreshToken":"` + next + `"}`
				break
			}
			if time.Now().After(end) {
				t.Fatalf("%s: after the trouble: %s", name, got)
			}
			s.clock.Advance(time.Second)
		}
	}
	if away.requests.Load() > 0 || away.secret.Load() {
		t.Errorf("another host was asked %d times, with the secret: %t", away.requests.Load(), away.secret.Load())
	}
	for _, h := range []*testhouse.House{none, fallback, required} {
		if containsAny(h.Log.String(), fakehasura.Secret, "of a stranger") {
			t.Error("the log has the admin secret, or what a stranger said")
		}
	}
	var events, leaks int
	err := required.Store.QueryRow(t.Context(), `select count(*), count(*) filter (where payload::text like '%' || $1 || '%') from auth.events where type = 'claims.failed'`, fakehasura.Secret).Scan(&events, &leaks)
	if err != nil || events == 0 || leaks > 0 {
		t.Errorf("%d events tell of failures, %d with the secret; error %v", events, leaks, err)
	}
}

// TestHouseOpensWithoutItsSource starts a house while Hasura is down: it serves, is not ready, and is
// when Hasura comes.
func TestHouseOpensWithoutItsSource(t *testing.T) {
	t.Parallel()
	s := newStreet(t)
	credentials := `{"email":"` + s.resident(t, s.open(t, "", nil)) + `","password":"` + password + `"}`
	s.fake.Down(true)
	h := s.open(t, `{"c": {"path": "profile.organisation.name", "required": true}}`, map[string]string{"AUTH_CLAIMS_TIMEOUT": "30s"})
	if got, _ := enter(t, h, "/signin/email-password", credentials); got != unavailable {
		t.Errorf("while Hasura is down: %s", got)
	}
	if status, _, body := do(t, h, "GET", "/readyz", ""); status != http.StatusServiceUnavailable {
		t.Errorf("while Hasura is down, readiness is %d %s", status, body)
	}
	s.fake.Down(false)
	for end := time.Now().Add(20 * time.Second); ; {
		s.clock.Advance(time.Second)
		got, _ := enter(t, h, "/signin/email-password", credentials)
		status, _, _ := do(t, h, "GET", "/readyz", "")
		if got == "Acme" && status == http.StatusOK {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("after Hasura came: %s, readiness %d", got, status)
		}
	}
}

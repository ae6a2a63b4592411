package auth0_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
	"postern/tokens"
)

const allScopes = "read:hooks create:hooks update:hooks delete:hooks"

// TestTokenGranted asks for a token in every way that clients do.
func TestTokenGranted(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	form := url.Values{"grant_type": {"client_credentials"}, "audience": {audience}}
	shown := url.Values{"client_id": {clientID}, "client_secret": {clientSecret}}
	for k, v := range form {
		shown[k] = v
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(clientID+":"+clientSecret))
	const formed = "application/x-www-form-urlencoded"
	for name, got := range map[string]answer{
		"JSON":           d.grant(t, nil),
		"a form":         d.send(t, "POST", "/oauth/token", shown.Encode(), "Content-Type", formed+";charset=UTF-8"),
		"basic and form": d.send(t, "POST", "/oauth/token", form.Encode(), "Content-Type", formed, "Authorization", basic),
	} {
		got.is(t, 200, `"access_token":"`)
		said := got.object(t)
		delete(said, "access_token")
		if diff := cmp.Diff(object{"token_type": "Bearer", "expires_in": 3600.0, "scope": allScopes}, said); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if got.header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s may be cached", name)
		}
	}
	d.grant(t, object{"scope": "read:hooks"}).is(t, 200, `"scope":"read:hooks"`)
}

func TestTokenRefused(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	for name, c := range map[string]struct {
		with        object
		status      int
		error, text string
	}{
		"wrong secret":           {object{"client_secret": strings.Repeat("x", 32)}, 401, "access_denied", "Unauthorized"},
		"no secret":              {object{"client_secret": ""}, 401, "access_denied", "Unauthorized"},
		"unknown client":         {object{"client_id": "somebody"}, 401, "access_denied", "Unauthorized"},
		"an id with a NUL":       {object{"client_id": "a\x00"}, 401, "access_denied", "Unauthorized"},
		"an id of bad UTF-8":     {object{"client_id": "\xff"}, 401, "access_denied", "Unauthorized"},
		"an id that is no text":  {object{"client_id": 5}, 401, "access_denied", "Unauthorized"},
		"no audience":            {object{"audience": ""}, 403, "access_denied", "Client is not authorized"},
		"another audience":       {object{"audience": "https://auth.example.com/api/v3/"}, 403, "access_denied", "Client is not authorized"},
		"audience without slash": {object{"audience": strings.TrimSuffix(audience, "/")}, 403, "access_denied", "Client is not authorized"},
		"more scope":             {object{"scope": "read:hooks read:users"}, 403, "access_denied", "scopes"},
		"another grant":          {object{"grant_type": "password"}, 400, "unsupported_grant_type", "client_credentials"},
		"an assertion":           {object{"client_assertion": "x"}, 400, "invalid_request", "client_assertion"},
	} {
		got := d.grant(t, c.with)
		got.is(t, c.status, `{"error":"`+c.error+`","error_description":"`)
		if !strings.Contains(got.body, c.text) {
			t.Errorf("%s: %s", name, got.body)
		}
	}
	for body, kind := range map[string]string{
		"": "application/json", "[]": "application/json", `{"grant_type":"client_credentials","grant_type":"x"}`: "application/json", "x": "text/plain",
		"client_id=a&client_id=b": "application/x-www-form-urlencoded", "%zz": "application/x-www-form-urlencoded", "grant_type=%ff": "application/x-www-form-urlencoded",
		strings.Repeat("a", 10<<20): "application/x-www-form-urlencoded",
	} {
		d.send(t, "POST", "/oauth/token", body, "Content-Type", kind).is(t, 400, `"error":"invalid_request"`)
	}
	twice := url.Values{"grant_type": {"client_credentials"}, "audience": {audience}, "client_secret": {clientSecret}}.Encode()
	d.send(t, "POST", "/oauth/token", twice, "Content-Type", "application/x-www-form-urlencoded", "Authorization", "Basic eDp5").is(t, 400, "another way")
	d.send(t, "GET", "/oauth/token", "").is(t, 404, `"error":"not_found"`)
	if log := d.Log.Errors(); log != "" || strings.Contains(d.Log.String(), clientSecret) {
		t.Error("errors or the secret in the log", log)
	}
}

// TestTokenIsOfAMachine holds the two kinds of tokens apart: no user's is taken here, and no machine's
// where users' are.
func TestTokenIsOfAMachine(t *testing.T) {
	t.Parallel()
	d := open(t, settings("AUTH_HASURA_WEBHOOK_ENABLED", "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", "false"))
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(d.token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var said object
	if err := json.Unmarshal(payload, &said); err != nil {
		t.Fatalf("%s: %v", payload, err)
	}
	claims := object{"sub": clientID + "@clients", "azp": clientID, "aud": audience, "gty": "client-credentials", "scope": allScopes}
	for name, want := range claims {
		if said[name] != want {
			t.Errorf("%s is %v", name, said[name])
		}
	}
	if strings.Contains(string(payload), "x-hasura") {
		t.Errorf("claims of a user in %s", payload)
	}

	session := d.send(t, "POST", "/v1/signup/email-password", `{"email":"jane@example.com","password":"correct horse battery"}`, "Content-Type", "application/json").body
	var opened struct{ Session struct{ AccessToken string } }
	if err := json.Unmarshal([]byte(session), &opened); err != nil || opened.Session.AccessToken == "" {
		t.Fatal(session)
	}
	user := opened.Session.AccessToken
	d.send(t, "GET", "/v1/user", "", "Authorization", "Bearer "+user).plainly(t, 200)
	d.send(t, "GET", "/v1/user", "", "Authorization", "Bearer "+d.token).plainly(t, 401)
	d.send(t, "GET", "/v1/hasura/webhook", "", "Authorization", "Bearer "+user).plainly(t, 200)
	d.send(t, "GET", "/v1/hasura/webhook", "", "Authorization", "Bearer "+d.token).plainly(t, 401)
	d.send(t, "POST", "/v1/token/verify", `{"token":"`+d.token+`"}`, "Content-Type", "application/json").plainly(t, 400)
	state, err := d.Kit.Signer.SignPurpose("machine", object{"azp": clientID}, time.Hour, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	plain := strings.Split(d.token, ".")
	for name, token := range map[string]string{
		"a user's": user, "none": "", "text": "x", "another purpose's": state, "a changed payload": plain[0] + "." + plain[1] + "A." + plain[2],
		"no signature": plain[0] + "." + plain[1] + ".", "alg none": base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"postern-machine+jwt"}`)) + "." + plain[1] + ".",
	} {
		got := d.send(t, "GET", "/api/v2/hooks", "", "Authorization", "Bearer "+token)
		if got.is(t, 401, `{"statusCode":401,"error":"Unauthorized","message":"`); got.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: no challenge", name)
		}
	}
	d.send(t, "GET", "/api/v2/hooks", "").is(t, 401, "Missing authentication")
	d.send(t, "GET", "/api/v2/hooks", "", "Authorization", "Bearer "+d.token, "Authorization", "Bearer "+d.token).is(t, 401, "Missing authentication")
	d.send(t, "GET", "/api/v2/hooks?access_token="+d.token, "").is(t, 401, "Missing authentication")
}

func (a answer) plainly(t *testing.T, status int) {
	t.Helper()
	if a.status != status {
		t.Errorf("%d %s, want %d", a.status, a.body, status)
	}
}

// TestTokenEnds has tokens end with their time, with the secret that they were got with, and with the
// client.
func TestTokenEnds(t *testing.T) {
	t.Parallel()
	d := open(t, settings("AUTH_MANAGEMENT_TOKEN_EXPIRES_IN", "1m"))
	old := d.token
	d.Clock.Advance(61 * time.Second)
	d.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token")
	d.token, _ = d.grant(t, nil).object(t)["access_token"].(string)
	d.api(t, "GET", "hooks", nil).is(t, 200, "[]")
	if old == d.token {
		t.Error("the same token twice")
	}

	same := &door{House: d.Beside(t, testhouse.OnClock(d.Clock)), token: d.token}
	same.api(t, "GET", "hooks", nil).is(t, 200, "[]") // another replica, the same settings
	const second = "0d94a8e1c67b25f30d94b7e1c67a25f3-z"
	next := &door{House: d.With(t, settings("AUTH_MANAGEMENT_CLIENT_SECRET", second), testhouse.OnClock(d.Clock)), token: d.token}
	next.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token")
	d.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token") // on every replica
	next.grant(t, nil).is(t, 401, "access_denied")
	next.token, _ = next.grant(t, object{"client_secret": second}).object(t)["access_token"].(string)
	d.token = next.token
	d.api(t, "GET", "hooks", nil).is(t, 200, "[]")

	other := &door{House: d.With(t, settings("AUTH_MANAGEMENT_CLIENT_ID", "other"), testhouse.OnClock(d.Clock))}
	next.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token")
	next.grant(t, object{"client_secret": second}).is(t, 401, "access_denied")
	other.grant(t, object{"client_id": "other"}).is(t, 200, "access_token")
}

// TestScopesBoundWhatAMachineMayDo asks everything with each scope alone.
func TestScopesBoundWhatAMachineMayDo(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	all := d.token
	id := d.api(t, "POST", "hooks", newHook("x")).id(t)
	calls := []struct {
		method, path string
		body         any
		needs        []string
	}{
		{"GET", "hooks", nil, []string{"read:hooks"}},
		{"GET", "hooks/" + id, nil, []string{"read:hooks"}},
		{"GET", "hooks/" + id + "/secrets", nil, []string{"read:hooks"}},
		{"POST", "hooks", object{}, []string{"create:hooks"}},
		{"PATCH", "hooks/" + id, object{}, []string{"update:hooks", "create:hooks"}},
		{"POST", "hooks/" + id + "/secrets", object{}, []string{"create:hooks", "update:hooks"}},
		{"PATCH", "hooks/" + id + "/secrets", object{}, []string{"update:hooks", "create:hooks"}},
		{"DELETE", "hooks/" + id + "/secrets", []string{}, []string{"delete:hooks"}},
		{"DELETE", "hooks/01M7ZYJR7YR8F804MPC5VN9P6E", nil, []string{"delete:hooks"}},
		{"GET", "clients", nil, strings.Fields(allScopes)},
	}
	for _, scope := range strings.Fields(allScopes) {
		d.token, _ = d.grant(t, object{"scope": scope}).object(t)["access_token"].(string)
		for _, c := range calls {
			got := d.api(t, c.method, c.path, c.body)
			if slices.Contains(c.needs, scope) {
				if got.status == 403 || got.status == 401 {
					t.Errorf("%s %s with %s: %s", c.method, c.path, scope, got.body)
				}
				continue
			}
			got.is(t, 403, `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: `+strings.Join(c.needs, ",")+`","errorCode":"insufficient_scope"}`)
		}
	}
	// What the client loses, its tokens lose.
	if _, err := d.Store.Exec(t.Context(), `update auth.machine_clients set scopes = '{read:hooks}'`); err != nil {
		t.Fatal(err)
	}
	d.token = all
	d.api(t, "GET", "hooks", nil).is(t, 200, id)
	d.api(t, "DELETE", "hooks/"+id, nil).is(t, 403, "Insufficient scope")
	if _, err := d.Store.Exec(t.Context(), `update auth.machine_clients set audiences = '{https://elsewhere.example.com/}'`); err != nil {
		t.Fatal(err)
	}
	d.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token")
	d.grant(t, object{"audience": "https://elsewhere.example.com/"}).is(t, 200, "access_token")
	d.token, _ = d.grant(t, object{"audience": "https://elsewhere.example.com/"}).object(t)["access_token"].(string)
	d.api(t, "GET", "hooks", nil).is(t, 401, "Invalid token") // for somebody else
}

// TestElsewhereIsForbidden asks what the Deploy CLI asks on its way through a whole tenant.
func TestElsewhereIsForbidden(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	for call, scope := range map[string]string{
		"GET rules": "read:rules", "GET tenants/settings": "read:tenants", "POST clients": "create:clients", "PATCH users/x": "update:users", "PUT guardian/policies": "update:guardian",
		"DELETE connections/a": "delete:connections", "GET client-grants?page=0": "read:client_grants", "PUT hooks": "update:hooks", "DELETE hooks": "delete:hooks",
		"POST hooks/x": "create:hooks", "GET hooks/a/b/c": "read:hooks", "OPTIONS hooks": "read:hooks", "GET clients/x": "read:clients",
	} {
		method, path, _ := strings.Cut(call, " ")
		d.api(t, method, path, nil).is(t, 403, `{"statusCode":403,"error":"Forbidden","message":"Insufficient scope, expected any of: `+scope+`","errorCode":"insufficient_scope"}`)
		d.send(t, method, "/api/v2/"+path, "").is(t, 401, "Missing authentication")
	}
	d.api(t, "GET", "clients", nil).is(t, 200, "[]\n")
	d.api(t, "GET", "clients?is_global=true&page=0&per_page=100&include_totals=true", nil).is(t, 403, "Insufficient scope, expected any of: read:clients")
	d.api(t, "GET", "clients?is_global=false&page=0&per_page=100&include_totals=true", nil).is(t, 200, `{"total":0,"start":0,"limit":100,"clients":[]}`)
	for _, path := range []string{"", "/hooks", "../hooks", "%2e%2e/v1/user", "Hooks", "hooks/", "hooks//x"} {
		if got := d.api(t, "GET", path, nil); got.status != 404 && got.status != 403 {
			t.Errorf("%q: %d %s", path, got.status, got.body)
		}
	}
	got := d.send(t, "OPTIONS", "/api/v2/hooks", "", "Origin", "https://app.example.com", "Access-Control-Request-Method", "GET")
	if got.is(t, 401, ""); got.header.Get("Access-Control-Allow-Origin") != "" {
		t.Error("web pages may ask")
	}
	if log := d.Log.Errors(); log != "" {
		t.Error(log)
	}
}

// TestDoorIsOff asks a house without the settings.
func TestDoorIsOff(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	for _, call := range []string{"POST /oauth/token", "GET /api/v2/hooks", "GET /api/v2/clients", "POST /api/v2/hooks", "GET /api/v2/rules", "GET /api/v2"} {
		method, path, _ := strings.Cut(call, " ")
		d.send(t, method, path, "{}", "Content-Type", "application/json").plainly(t, 404)
	}
}

// TestSecretGuessesAreLimited holds back who guesses, also with the right secret at last, and nobody
// elsewhere.
func TestSecretGuessesAreLimited(t *testing.T) {
	t.Parallel()
	d := open(t, settings("AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "5"))
	for range 5 {
		d.grant(t, object{"client_secret": "wrong"}).is(t, 401, "access_denied")
	}
	got := d.grant(t, nil)
	got.is(t, 429, `"error":"too_many_requests"`)
	if got.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	d.grant(t, object{"client_id": "other"}).is(t, 401, "access_denied")
	if n, named := d.refusals(t); n != 5 || named != 5 {
		t.Errorf("%d entries, %d of them name the client, want 5 for one address whatever clients it tries", n, named)
	}
	d.Clock.Advance(6 * time.Minute)
	d.grant(t, nil).is(t, 200, "access_token")
	d.grant(t, object{"client_id": "other"}).is(t, 401, "access_denied")
	if n, named := d.refusals(t); n != 6 || named != 5 {
		t.Errorf("%d entries, %d of them name the client, after a try at a client that is none", n, named)
	}
}

// TestSecretGuessesWithoutLimitsDoNotFillTheLog: they are heard, and no more are kept than with limits.
func TestSecretGuessesWithoutLimitsDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	d := open(t, settings("AUTH_RATE_LIMIT_ENABLE", "false", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "3"))
	for range 8 {
		d.grant(t, object{"client_secret": "wrong"}).is(t, 401, "access_denied")
	}
	if n, _ := d.refusals(t); n != 3 {
		t.Errorf("%d entries, want 3", n)
	}
}

// refusals counts the entries of wrong secrets, and those that name the client, and finds nothing in them that was shown.
func (d *door) refusals(t *testing.T) (all, named int) {
	t.Helper()
	var shown int
	err := d.Store.Pool().QueryRow(t.Context(), `select count(*), count(*) filter (where detail = jsonb_build_object('client', $1::text)),
		count(*) filter (where e::text like '%wrong%' or e::text like '%other%' or address_prefix is null)
		from auth.audit_entries e where event = 'machine-client.refused'`, clientID).Scan(&all, &named, &shown)
	if err != nil || shown > 0 {
		t.Fatalf("%d show what they should not, %v", shown, err)
	}
	return all, named
}

// TestLimitsAreTold counts requests of one client down, and holds it back.
func TestLimitsAreTold(t *testing.T) {
	t.Parallel()
	d := open(t, settings("AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_MANAGEMENT_BURST", "2", "AUTH_RATE_LIMIT_GLOBAL_BURST", "4"))
	for left := 1; left >= 0; left-- {
		got := d.api(t, "GET", "hooks", nil)
		if got.is(t, 200, ""); got.header.Get("X-RateLimit-Limit") != "2" || got.header.Get("X-RateLimit-Remaining") != strconv.Itoa(left) {
			t.Errorf("%v", got.header)
		}
	}
	d.api(t, "GET", "rules", nil).is(t, 429, `{"statusCode":429,"error":"Too Many Requests","message":"Global limit has been reached","errorCode":"too_many_requests"}`)
	for range 3 { // the token took one place of the address
		d.send(t, "GET", "/api/v2/hooks", "").is(t, 401, "Missing")
	}
	d.send(t, "GET", "/api/v2/hooks", "").is(t, 429, "too_many_requests")
}

// TestHooksOfTheGrant lets hooks have their say in a token, within what the client has.
func TestHooksOfTheGrant(t *testing.T) {
	t.Parallel()
	var say func(e hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error)
	h := hooks.New()
	err := h.ClientTokenMinting.Bind(hooks.Binding[hooks.ClientTokenMinting]{Name: "test", Ask: func(_ context.Context, e hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error) {
		if say == nil {
			return nil, nil
		}
		return say(e)
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := open(t, settings(), func(o *house.Options) { o.Hooks = h })
	effect := func(f func(*hooks.ClientTokenMinting) error) func(hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error) {
		return func(e hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error) {
			if e.ClientID != clientID || e.Audience != audience || strings.Join(e.Scope, " ") != allScopes {
				t.Errorf("told of %+v", e)
			}
			return f, nil
		}
	}
	say = effect(func(e *hooks.ClientTokenMinting) error {
		e.Rescope([]string{"read:hooks", "read:users", "read:hooks"})
		return e.Claim("https://example.com/team", "ops")
	})
	got := d.grant(t, nil)
	got.is(t, 200, `"scope":"read:hooks"}`)
	d.token, _ = got.object(t)["access_token"].(string)
	payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(d.token, ".")[1])
	if !strings.Contains(string(payload), `"https://example.com/team":"ops"`) {
		t.Errorf("%s", payload)
	}
	d.api(t, "POST", "hooks", newHook("x")).is(t, 403, "Insufficient scope")
	say = effect(func(e *hooks.ClientTokenMinting) error { e.Rescope(nil); return nil })
	if got := d.grant(t, nil); got.status != 200 || strings.Contains(got.body, "scope") {
		t.Errorf("%d %s", got.status, got.body)
	}
	for name, f := range map[string]func(*hooks.ClientTokenMinting) error{
		"a claim of ours": func(e *hooks.ClientTokenMinting) error { return e.Claim("aud", "x") },
		"the claims of Hasura": func(e *hooks.ClientTokenMinting) error {
			return e.Claim("https://hasura.io/jwt/claims", object{"x-hasura-role": "admin"})
		},
		"a scope of two": func(e *hooks.ClientTokenMinting) error { e.Rescope([]string{"a b"}); return nil },
		"a token of a megabyte": func(e *hooks.ClientTokenMinting) error {
			return e.Claim("https://example.com/x", strings.Repeat("x", 1<<20))
		},
	} {
		say = effect(f)
		if got := d.grant(t, nil); got.status != 500 || !strings.Contains(got.body, `"error":"server_error"`) {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	for _, c := range []struct {
		err  error
		want string
		code int
	}{
		{&hooks.Denied{Status: 400, Code: "invalid_scope", Message: "not these"}, `{"error":"invalid_scope","error_description":"not these"}`, 400},
		{&hooks.Denied{Status: 500, Code: "server_error", Message: "down"}, `{"error":"server_error","error_description":"down"}`, 500},
		{&hooks.Denied{Status: 403, Code: "odd"}, `{"error":"access_denied","error_description":"The request was denied"}`, 403},
		{errors.New("broken"), `{"error":"server_error","error_description":"The request could not be checked"}`, 500},
	} {
		say = func(hooks.ClientTokenMinting) (func(*hooks.ClientTokenMinting) error, error) { return nil, c.err }
		if got := d.grant(t, nil); got.status != c.code || strings.TrimSpace(got.body) != c.want {
			t.Errorf("%d %s, want %s", got.status, got.body, c.want)
		}
	}
	say = nil
	d.grant(t, object{"client_secret": "wrong"}).is(t, http.StatusUnauthorized, "access_denied")
}

// TestKeysOfTokensAreTheirOwn holds that the key of users' tokens signs none for machines.
func TestKeysOfTokensAreTheirOwn(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	forged, err := d.Kit.Signer.Sign(tokens.Access{UserID: tokens.NewUUID(), DefaultRole: "user", Life: time.Hour, Others: object{"azp": clientID, "gty": "client-credentials", "aud": audience, "scope": allScopes, "sec": ""}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	d.send(t, "GET", "/api/v2/hooks", "", "Authorization", "Bearer "+forged).is(t, 401, "Invalid token")
	if _, err := d.Kit.Signer.VerifyMachine(d.token, []string{audience}, time.Now()); err != nil {
		t.Error(err)
	}
	if _, err := d.Kit.Signer.VerifyMachine(d.token, []string{"https://other.example.com/"}, time.Now()); err == nil {
		t.Error("taken by another audience")
	}
}

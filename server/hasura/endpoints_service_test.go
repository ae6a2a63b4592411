package hasura_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"postern/docs/openapi"
	"postern/house"
	"postern/tokens"
)

// operation is one of the document's, with a request that it allows.
type operation struct {
	id, method, path string
	query            string
	body             fields // nil for none
	form             string // in the place of a body of JSON
	bearer           bool   // the request needs one
	schema           *openapi3.Schema
}

// operations lists everything that the document has. A test that walks them covers what is added
// later, and fails until there is a request for it here.
func operations(t testing.TB) []operation {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Hasura())
	if err != nil {
		t.Fatal(err)
	}
	_, challenge := "", tokens.ChallengeOf(strings.Repeat("v", 43))
	redirect := fields{"redirectTo": clientURL + "/x"}
	link := "?ticket=verifyEmail:" + tokens.NewUUID() + "&redirectTo=" + clientURL
	options := fields{
		"displayName": "Jane", "locale": "en", "defaultRole": "user", "allowedRoles": []any{"user", "me"}, "metadata": fields{"a": fields{"b": 1}}, "redirectTo": clientURL,
	}
	requests := map[string]operation{
		"signUpEmailPassword":         {body: fields{"email": "sweep@example.com", "password": rightPassword, "codeChallenge": challenge, "options": options}},
		"signUpPasswordlessEmail":     {body: fields{"email": "sweep3@example.com", "codeChallenge": challenge, "options": options}},
		"signInPasswordlessEmail":     {body: fields{"email": "sweep4@example.com", "codeChallenge": challenge, "options": options}},
		"signUpOTPEmail":              {body: fields{"email": "sweep5@example.com", "codeChallenge": challenge, "options": options}},
		"signInOTPEmail":              {body: fields{"email": "sweep6@example.com", "codeChallenge": challenge, "options": options}},
		"verifySignInOTPEmail":        {body: fields{"email": "sweep6@example.com", "otp": "123456"}},
		"signUpPasswordlessSms":       {body: fields{"phoneNumber": "+41791110001", "options": options}},
		"signInPasswordlessSms":       {body: fields{"phoneNumber": "+41791110002", "options": options}},
		"verifySignInPasswordlessSms": {body: fields{"phoneNumber": "+41791110002", "otp": "123456"}},
		"changeUserPhoneNumber":       {body: fields{"newPhoneNumber": "+41791110003"}, bearer: true},
		"verifyChangeUserPhoneNumber": {body: fields{"newPhoneNumber": "+41791110003", "otp": "123456"}, bearer: true},
		"elevateOTPEmail":             {bearer: true}, "verifyElevateOTPEmail": {body: fields{"otp": "123456"}, bearer: true},
		"elevateOTPSms": {bearer: true}, "verifyElevateOTPSms": {body: fields{"otp": "123456"}, bearer: true},
		"signInEmailPassword":    {body: fields{"email": "sweep@example.com", "password": rightPassword}},
		"refreshToken":           {body: fields{"refreshToken": tokens.NewUUID()}},
		"verifyToken":            {body: fields{"token": "x.y.z"}},
		"tokenExchange":          {body: fields{"code": tokens.NewUUID(), "codeVerifier": strings.Repeat("v", 43)}},
		"signOut":                {body: fields{"refreshToken": tokens.NewUUID(), "all": false}},
		"getUser":                {bearer: true},
		"changeUserPassword":     {body: fields{"newPassword": rightPassword, "ticket": "passwordReset:" + tokens.NewUUID()}},
		"sendPasswordResetEmail": {body: fields{"email": "sweep@example.com", "options": redirect, "codeChallenge": challenge}},
		"changeUserEmail":        {body: fields{"newEmail": "sweep2@example.com", "options": redirect, "codeChallenge": challenge}, bearer: true},
		"sendVerificationEmail":  {body: fields{"email": "sweep@example.com", "options": redirect, "codeChallenge": challenge}},
		"verifyTicket":           {query: link}, "verifyTicketHead": {query: link}, "verifyTicketConfirmed": {query: link},

		"signInAnonymous":    {body: fields{"displayName": "Guest", "locale": "en", "metadata": fields{"a": 1}}},
		"signInPAT":          {body: fields{"personalAccessToken": tokens.NewUUID()}},
		"createPAT":          {body: fields{"expiresAt": "2099-01-31T12:00:00Z", "metadata": fields{"a": 1}}, bearer: true},
		"listPATs":           {bearer: true},
		"deletePAT":          {path: "/pat/" + tokens.NewUUID(), bearer: true},
		"listSessions":       {bearer: true},
		"endSession":         {path: "/user/sessions/" + tokens.NewUUID(), bearer: true},
		"deanonymizeUserSms": {body: fields{"phoneNumber": "+41791110009", "options": options}, bearer: true},
		"deanonymizeUser":    {body: fields{"signInMethod": "email-password", "email": "sweep7@example.com", "password": rightPassword, "connection": "email", "options": options, "codeChallenge": challenge}, bearer: true},

		"signUpWebauthn":       {body: fields{"email": "sweep8@example.com", "options": fields{"displayName": "Jane", "nickname": "key", "metadata": fields{"a": fields{"b": 1}}}}},
		"verifySignUpWebauthn": {body: fields{"credential": strangeKey(t), "options": options, "nickname": "key", "codeChallenge": challenge}},
		"signInWebauthn":       {body: fields{"email": "sweep@example.com"}},
		"verifySignInWebauthn": {body: fields{"credential": strangeSignature(t), "email": "sweep@example.com"}},
		"elevateWebauthn":      {bearer: true}, "addSecurityKey": {bearer: true}, "listSecurityKeys": {bearer: true}, "removeSecurityKey": {path: "/user/webauthn/" + nobodysID, bearer: true},
		"verifyElevateWebauthn": {body: fields{"credential": strangeSignature(t), "email": "sweep@example.com"}, bearer: true},
		"verifyAddSecurityKey":  {body: fields{"credential": strangeKey(t), "nickname": "key"}, bearer: true},
		"renameSecurityKey":     {path: "/user/webauthn/" + nobodysID, body: fields{"nickname": "key"}, bearer: true},

		"healthCheckGet": {}, "healthCheckHead": {}, "readinessCheck": {}, "getVersion": {}, "getJWKs": {}, "getOpenAPI": {},
		"hasuraWebhookGet": {bearer: true}, "hasuraWebhookPost": {body: fields{"headers": fields{"Authorization": "Bearer " + tokens.NewUUID()}}},
	}
	maps.Copy(requests, factorRequests())
	maps.Copy(requests, oauthOperations(challenge))
	maps.Copy(requests, providerOperations(challenge, options))
	var list []operation
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, op := range doc.Paths.Value(path).Operations() {
			o, ok := requests[op.OperationID]
			if !ok {
				t.Errorf("there is no request for %s %s (%s): add one, and every sweep covers it", method, path, op.OperationID)
				continue
			}
			delete(requests, op.OperationID)
			o.id, o.method = op.OperationID, method
			if o.path == "" { // no id in it
				o.path = path
			}
			if b := op.RequestBody; b != nil && b.Value.Content.Get("application/json") != nil {
				o.schema = b.Value.Content.Get("application/json").Schema.Value
			}
			list = append(list, o)
		}
	}
	for id := range requests {
		t.Errorf("the document has no operation %s", id)
	}
	return list
}

// send asks the operation with its good request.
func (o operation) send(t testing.TB, d doorway, token string, more ...with) answer {
	t.Helper()
	if o.bearer {
		more = append(more, bearer(token))
	}
	if o.form != "" {
		return d.ask(t, o.method, o.path+o.query, o.form, append(more, formed())...)
	}
	if o.body == nil {
		return d.ask(t, o.method, o.path+o.query, nil, more...)
	}
	return d.ask(t, o.method, o.path+o.query, o.body, more...)
}

func TestServiceEndpoints(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	d.ask(t, "GET", "/healthz", nil).ok(t)
	if a := d.ask(t, "HEAD", "/healthz", nil); a.status != 200 || a.body != "" {
		t.Errorf("%s", a)
	}
	d.ask(t, "GET", "/version", nil).is(t, 200, `{"version":"test"}`)
	jwks := d.ask(t, "GET", "/.well-known/jwks.json", nil)
	jwks.is(t, 200, `{"keys":[]}`)
	doc := d.ask(t, "GET", "/openapi.yaml", nil)
	if doc.body != string(openapi.Hasura()) || !strings.HasPrefix(doc.header.Get("Content-Type"), "application/yaml") {
		t.Errorf("%s is not the document", doc)
	}
	for _, a := range []answer{jwks, doc} {
		if a.header.Get("Cache-Control") != "public, max-age=300" {
			t.Errorf("%s: Cache-Control %q", a, a.header.Get("Cache-Control"))
		}
	}
	d.waitUntilReady(t)

	// Outside the prefix only the health check is there, in Hasura Auth's other words.
	base := strings.TrimSuffix(d.URL, "/v1")
	for path, want := range map[string]struct {
		status int
		body   string
	}{
		"/healthz": {200, `{"status":"ok"}`}, "/version": {404, ""}, "/": {404, ""}, "/user": {404, ""}, "/signin/email-password": {404, ""}, "/v1": {404, ""}, "/v1/": {404, ""}, "/v2/user": {404, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := d.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != want.status || want.body != "" && strings.TrimSpace(string(body)) != want.body {
			t.Errorf("GET %s: %d %s, %v", path, resp.StatusCode, body, err)
		}
		if want.status == 404 {
			answer{"GET " + path, resp.StatusCode, resp.Header, string(body)}.refused(t, 404, "not-found", "")
		}
	}
}

// waitUntilReady waits for the carriers to run.
func (d doorway) waitUntilReady(t testing.TB) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); ; {
		a := d.ask(t, "GET", "/readyz", nil)
		if a.status == 200 {
			a.ok(t)
			return
		}
		a.refused(t, 503, "not-ready", "")
		if time.Now().After(end) {
			t.Fatalf("%s", a)
		}
	}
}

func TestUnknownPathsAndVerbs(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	before := d.state(t)
	for _, path := range []string{"/", "/nope", "/user/", "/user/x", "/signup", "/signup/email-password/", "/SIGNUP/email-password", "/change-env", "/signup/email-password.json", "/metrics", "/debug/pprof/"} {
		for _, method := range []string{"GET", "POST", "PUT"} {
			d.bare(t, method, path, nil, bearer(p.AccessToken)).refused(t, 404, "not-found", "")
		}
	}
	d.knock(t, "GET", "/nope", nil).refused(t, 404, "not-found", "There is nothing at this address")
	known := map[string]bool{}
	for _, o := range operations(t) {
		known[o.method+o.path] = true
	}
	for _, o := range operations(t) {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "PROPFIND", "QUERY"} {
			if !known[method+o.path] {
				d.knock(t, method, o.path+o.query, nil, bearer(p.AccessToken)).refused(t, 404, "not-found", "")
			}
		}
		// What pretends to be another verb is none.
		for _, override := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
			if o.method == "POST" && !known["GET"+o.path] {
				d.knock(t, "GET", o.path+"?_method=POST", nil, header(override, "POST"), bearer(p.AccessToken)).refused(t, 404, "not-found", "")
			}
		}
	}
	d.sameState(t, before, "paths and verbs that are not there")
}

func TestCORS(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://*.allowed.example/app"})
	p := d.person(t)
	before := d.state(t)
	trusted := map[string]bool{
		clientURL: true, "https://a.allowed.example": true,
		"https://evil.example": false, "null": false, "http://app.example.com": false, clientURL + ".evil.example": false, clientURL + ":444": false,
		"https://evilapp.example.com": false, "https://a.b.allowed.example": false, "https://allowed.example": false, clientURL + "/": false, "file://": false,
	}
	for origin, credentials := range trusted {
		for _, path := range []string{"/token", "/user", "/nowhere", "/healthz"} {
			a := d.knock(t, "OPTIONS", path, nil, header("Origin", origin), header("Access-Control-Request-Method", "POST"), header("Access-Control-Request-Headers", "authorization,content-type,x-own"))
			want := map[string]string{
				"Access-Control-Allow-Origin": origin, "Access-Control-Allow-Methods": "POST, GET, DELETE", "Access-Control-Allow-Headers": "authorization,content-type,x-own",
				"Access-Control-Max-Age": "86400", "Access-Control-Allow-Credentials": map[bool]string{true: "true"}[credentials],
			}
			got := map[string]string{}
			for name := range want {
				got[name] = a.header.Get(name)
			}
			if diff := cmp.Diff(want, got); diff != "" || a.status != 204 || a.body != "" {
				t.Errorf("preflight of %s from %s: %d %q %s", path, origin, a.status, a.body, diff)
			}
		}
		a := d.ask(t, "GET", "/user", nil, header("Origin", origin), bearer(p.AccessToken)).is(t, 200, "")
		if a.header.Get("Access-Control-Allow-Origin") != origin || (a.header.Get("Access-Control-Allow-Credentials") == "true") != credentials || a.header.Get("Access-Control-Expose-Headers") != "X-Request-Id, Retry-After" {
			t.Errorf("from %s: %v", origin, a.header)
		}
		d.ask(t, "GET", "/user", nil, header("Origin", origin)).refused(t, 401, "unauthorized", "")
	}
	// Whether an origin was named changes the answer, so a cache must know, also for those that had none.
	for _, path := range []string{"/.well-known/jwks.json", "/openapi.yaml", "/user"} {
		if vary := strings.Join(d.knock(t, "GET", path, nil).header.Values("Vary"), ","); !strings.Contains(vary, "Origin") {
			t.Errorf("GET %s: Vary %q", path, vary)
		}
	}
	if a := d.knock(t, "OPTIONS", "/token", nil); a.status != 204 || a.header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("OPTIONS without an origin: %d %v", a.status, a.header)
	}
	// A page elsewhere cannot post a form: that would need no preflight.
	for _, kind := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"} {
		a := d.knock(t, "POST", "/signout", `{"refreshToken":"`+p.RefreshToken+`"}`, func(r *http.Request) { r.Header.Set("Content-Type", kind) }, header("Origin", "https://evil.example"))
		a.invalid(t, "Content-Type")
	}
	d.sameState(t, before, "requests from elsewhere")
}

func TestElevation(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"recommended", "required"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": mode, "AUTH_WEBAUTHN_ENABLED": "true", "AUTH_OTP_EMAIL_ENABLED": "false"})
			p := d.person(t)
			change := func(t *testing.T, token string) []answer {
				t.Helper()
				return []answer{
					d.ask(t, "POST", "/user/password", fields{"newPassword": p.password}, bearer(token)),
					d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(token)),
				}
			}
			if mode == "recommended" {
				for _, a := range change(t, p.AccessToken) {
					a.ok(t) // the user has no way to give a fresh proof
				}
				d.sql(t, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, 'credential', 'key')`, p.User.ID)
			}
			before := d.state(t)
			for _, a := range change(t, p.AccessToken) {
				a.refused(t, 403, "elevated-claim-required", "")
			}
			// A claim that elevates somebody else elevates nobody.
			d.sameState(t, before, "changes without a fresh proof")
			for _, a := range change(t, d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, p.wireSession)) {
				a.ok(t)
			}
			// What does not change credentials needs no proof.
			d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
			d.ask(t, "POST", "/token/verify", nil, bearer(p.AccessToken)).ok(t)
			d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
			// A ticket is a proof by itself, also beside a bearer that is not fresh.
			ticket := d.mail(t, p.email, "password-reset", 1).Ticket
			d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}, bearer(p.AccessToken)).ok(t)
			d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken))
		})
	}
}

func TestTrustedProxies(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_TRUSTED_PROXIES", "10.0.0.0/8,2001:db8::/32"))
	email := d.signUp(t, nil)
	for name, c := range map[string]struct {
		peer, forwarded, want string
	}{
		"no proxy":                     {"198.51.100.7:5", "203.0.113.9", "198.51.100.0/24"},
		"through one":                  {"10.1.2.3:5", "203.0.113.9", "203.0.113.0/24"},
		"through two":                  {"10.1.2.3:5", "203.0.113.9, 10.9.9.9", "203.0.113.0/24"},
		"what was there before counts": {"10.1.2.3:5", "8.8.8.8, 203.0.113.9", "203.0.113.0/24"},
		"over IPv6":                    {"[2001:db8::1]:5", "2001:470:1:2::3", "2001:470:1:2::/64"},
		"v4 in v6":                     {"[::ffff:10.1.2.3]:5", "::ffff:203.0.113.9", "203.0.113.0/24"},
		"with a port":                  {"10.1.2.3:5", "203.0.113.9:4711", "203.0.113.0/24"},
		"nonsense":                     {"10.1.2.3:5", "unknown", "10.1.2.0/24"},
	} {
		t.Run(name, func(t *testing.T) {
			s := d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}, peer(c.peer), header("X-Forwarded-For", c.forwarded),
				header("Forwarded", "for=1.1.1.1"), header("X-Real-IP", "1.1.1.1"), header("True-Client-IP", "1.1.1.1"), header("CF-Connecting-IP", "1.1.1.1"),
				header("X_Forwarded_For", "1.1.1.1"), header("X-Client-IP", "1.1.1.1")).session(t)
			if got := value[string](t, d, `select address_prefix from auth.refresh_tokens where id = $1`, s.RefreshTokenID); got != c.want {
				t.Errorf("the client is %s, want %s", got, c.want)
			}
		})
	}
}

// TestEveryOperationIsLimited uses up the limit of one client and calls everything.
func TestEveryOperationIsLimited(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_GLOBAL_BURST": "1", "AUTH_RATE_LIMIT_GLOBAL_INTERVAL": "1h"})
	d.ask(t, "GET", "/version", nil).is(t, 200, "")
	before := d.state(t)
	for _, o := range operations(t) {
		a := o.send(t, d, "x.y.z")
		if o.path == "/healthz" || o.path == "/readyz" || o.path == "/hasura/webhook" { // machines must get an answer
			if a.status == 429 {
				t.Errorf("%s", a)
			}
			continue
		}
		if o.method == "HEAD" {
			if a.status != 429 || a.body != "" {
				t.Errorf("%s", a)
			}
		} else {
			a.refused(t, 429, "too-many-requests", "")
		}
		var seconds int
		if _, err := fmt.Sscan(a.header.Get("Retry-After"), &seconds); err != nil || seconds < 1 || seconds > 3600*9/8 { // a place is free at most an eighth of the interval late
			t.Errorf("%s: Retry-After %q", a, a.header.Get("Retry-After"))
		}
	}
	d.bare(t, "GET", "/nowhere", nil).refused(t, 429, "too-many-requests", "")
	d.sameState(t, before, "requests over the limit")
	d.ask(t, "GET", "/version", nil, peer("192.0.2.2:1")).is(t, 200, "") // somebody else
	d.Clock.Advance(70 * time.Minute)
	d.ask(t, "GET", "/version", nil).is(t, 200, "")
}

// TestEveryOperationWithoutItsDatabase holds T-17 for every operation: what could not be done is
// never said to be done.
func TestT17EveryOperationWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	var fault atomic.Pointer[error]
	d := oauthDoor(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"}, func(o *house.Options) {
		o.Pool = func(c *pgxpool.Config) {
			c.PrepareConn = func(context.Context, *pgx.Conn) (bool, error) {
				if err := fault.Load(); err != nil {
					return true, *err
				}
				return true, nil
			}
		}
	})
	p := d.person(t)
	d.waitUntilReady(t)
	t.Cleanup(func() { fault.Store(nil) })
	withoutDatabase := map[string]bool{"healthCheckGet": true, "healthCheckHead": true, "getVersion": true, "getJWKs": true, "getOpenAPI": true, "verifyTicketHead": true, "verifyToken": true}
	maps.Copy(withoutDatabase, map[string]bool{ // the third asks for a bearer first
		"oauth2Jwks": true, "getOpenIDConfiguration": true, "oauth2LoginPost": true, "getOAuthAuthorizationServer": true, "oauth2UserinfoGet": true, "oauth2UserinfoPost": true,
	})
	for status, err := range map[int]error{
		http.StatusInternalServerError: errors.New("relation auth.users has a secret-canary problem"),
		http.StatusServiceUnavailable:  &net.OpError{Op: "dial", Err: errors.New("secret-canary is away")},
	} {
		for _, o := range operations(t) {
			fault.Store(&err)
			a := o.send(t, d, p.AccessToken)
			fault.Store(nil)
			switch {
			case o.id == "readinessCheck":
				a.refused(t, 503, "not-ready", "")
			case withoutDatabase[o.id]:
				if a.status >= 500 {
					t.Errorf("%s", a)
				}
			case a.status != status:
				t.Errorf("%s (%s): want %d", a, a.header.Get("Location"), status)
			default:
				a.refusal(t)
				if retry := a.header.Get("Retry-After"); (retry != "") != (status == 503) {
					t.Errorf("%s: Retry-After %q", a, retry)
				}
			}
			if strings.Contains(a.body, "canary") {
				t.Errorf("the reason of a failure went out: %s", a)
			}
		}
		fault.Store(&err)
		a := d.ask(t, "POST", "/token/verify", nil, bearer(p.AccessToken))
		b := d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken))
		c := d.ask(t, "POST", "/oauth2/login", fields{"requestId": tokens.NewUUID()}, bearer(p.AccessToken))
		fault.Store(nil)
		if a.status != status || b.status != status || c.status != status {
			t.Errorf("%s, %s, %s: want %d", a, b, c, status)
		}
	}
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
	if !strings.Contains(d.Log.String(), "canary") {
		t.Error("the log does not say what went wrong")
	}
}

package hasura_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/softkey"
	"postern/tokens"
)

func TestPasskeySignUp(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_WEBAUTHN_RP_NAME", "The Example", "AUTH_WEBAUTHN_RP_ID", "example.com"))
	email := newAddress()
	begun := d.ask(t, "POST", "/signup/webauthn", fields{"email": email, "options": fields{"displayName": "Jane", "nickname": ""}})
	var got map[string]any
	if err := json.Unmarshal([]byte(begun.is(t, 200, "").body), &got); err != nil {
		t.Fatal(err)
	}
	user, _ := got["user"].(map[string]any)
	challenge, _ := got["challenge"].(string)
	id, _ := user["id"].(string)
	if raw, err := base64.RawURLEncoding.DecodeString(challenge); err != nil || len(raw) != 32 || len(id) != 36 {
		t.Fatalf("%s: challenge or user id are not what clients expect", begun)
	}
	var params []any
	for _, alg := range []float64{-7, -35, -36, -257, -258, -259, -37, -38, -39, -8} {
		params = append(params, map[string]any{"type": "public-key", "alg": alg})
	}
	want := map[string]any{
		"rp": map[string]any{"id": "example.com", "name": "The Example"}, "user": map[string]any{"id": id, "name": "Jane", "displayName": "Jane"},
		"challenge": challenge, "timeout": 60000.0, "attestation": "indirect", "pubKeyCredParams": params,
		"authenticatorSelection": map[string]any{"requireResidentKey": false, "residentKey": "preferred", "userVerification": "preferred"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	key := device()
	key.AAGUID = [16]byte{0xfb, 0xfc, 0x30, 0x07}
	s := d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": begun.create(t, key), "nickname": "my phone"}).session(t)
	if s.User.ID != id || s.user["displayName"] != "Jane" || s.user["email"] != email {
		t.Errorf("signed up as %v", s.user)
	}
	if aal := value[int](t, d, `select aal from auth.refresh_tokens where id = $1`, s.RefreshTokenID); aal != 2 {
		t.Errorf("a verified passkey opened a session of level %d", aal)
	}
	row := value[map[string]any](t, d, `select to_jsonb(s) - 'id' - 'credential_public_key' - 'added_at' from auth.user_security_keys s`)
	if diff := cmp.Diff(map[string]any{
		"user_id": id, "credential_id": softkey.Base64(key.Keys[0].ID), "counter": 0.0, "transports": "", "nickname": "my phone",
		"used_at": nil, "aaguid": "fbfc3007-0000-0000-0000-000000000000", "backup_eligible": true, "backed_up": true,
	}, row); diff != "" {
		t.Error(diff)
	}
	d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).is(t, 200, "")

	// Signing in with and without an address, whatever body a client sends.
	for _, body := range []any{nil, fields{}, fields{"email": email}, fields{"email": strings.ToUpper(email)}} {
		options := d.ask(t, "POST", "/signin/webauthn", body)
		var got map[string]any
		if err := json.Unmarshal([]byte(options.is(t, 200, "").body), &got); err != nil {
			t.Fatal(err)
		}
		delete(got, "challenge")
		want := map[string]any{"timeout": 60000.0, "rpId": "example.com", "userVerification": "preferred"}
		if f, ok := body.(fields); ok && len(f) > 0 {
			want["allowCredentials"] = []any{map[string]any{"type": "public-key", "id": softkey.Base64(key.Keys[0].ID)}}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		in := d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": options.sign(t, key), "email": "somebody@example.com"}).session(t)
		if in.User.ID != id {
			t.Errorf("signed in as %s", in.User.ID)
		}
	}
	if !value[bool](t, d, `select used_at is not null from auth.user_security_keys`) {
		t.Error("the use of the key was not noted")
	}
}

func TestPasskeySignUpAsksForAVerifiedAddress(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	key, email := device(), newAddress()
	verifier := strings.Repeat("v", 43)
	credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
	d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential, "options": fields{"nickname": "phone", "redirectTo": clientURL + "/in"}, "codeChallenge": tokens.ChallengeOf(verifier)}).is(t, 200, "{}")
	if name := value[string](t, d, `select nickname from auth.user_security_keys`); name != "phone" {
		t.Errorf("the key is called %q", name)
	}
	early := d.ask(t, "POST", "/signin/webauthn", fields{"email": email}).sign(t, key)
	d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": early}).refused(t, 401, "unverified-user", "")
	to, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "email-verify", 1)), nil).redirect(t, 302)
	if to != clientURL+"/in" || q.Get("code") == "" {
		t.Fatalf("the link leads to %s %v", to, q)
	}
	d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
	d.passkeySignIn(t, key, email)
}

func TestPasskeySignUpSettings(t *testing.T) {
	t.Parallel()
	t.Run("AUTH_WEBAUTHN_ENABLED", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified("AUTH_WEBAUTHN_ENABLED", "false"))
		p := d.person(t)
		before := d.state(t)
		for _, o := range operations(t) {
			if strings.Contains(o.id, "Webauthn") || o.id == "addSecurityKey" || o.id == "verifyAddSecurityKey" {
				o.send(t, d, p.AccessToken).refused(t, 409, "disabled-endpoint", "This endpoint is disabled")
			}
		}
		d.ask(t, "GET", "/user/webauthn", nil, bearer(p.AccessToken)).is(t, 200, `{"securityKeys":[]}`)
		d.sameState(t, before, "passkeys that are off")
	})
	t.Run("AUTH_DISABLE_SIGNUP", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified())
		credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, device())
		closed := doorway{d.Beside(t)}
		closed.Kit.Policy.DisableSignUp = true
		closed.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).refused(t, 403, "signup-disabled", "")
		closed.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).refused(t, 403, "signup-disabled", "")
		if n := value[int](t, d, `select count(*) from auth.users`); n != 0 {
			t.Errorf("%d users", n)
		}
	})
	t.Run("AUTH_DISABLE_NEW_USERS", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified("AUTH_DISABLE_NEW_USERS", "true"))
		key, email := device(), newAddress()
		credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
		d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).refused(t, 401, "disabled-user", "")
		in := d.ask(t, "POST", "/signin/webauthn", fields{"email": email}).sign(t, key)
		d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": in}).refused(t, 401, "disabled-user", "")
		d.sql(t, `update auth.users set disabled = false`)
		d.passkeySignIn(t, key, email)
	})
	t.Run("access lists", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified("AUTH_ACCESS_CONTROL_BLOCKED_EMAILS", "blocked@example.com"))
		for _, path := range []string{"/signup/webauthn", "/signin/webauthn"} {
			d.ask(t, "POST", path, fields{"email": "Blocked@example.com"}).refused(t, 401, "invalid-email-password", "")
		}
		credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": "late@example.com"}).create(t, device())
		d.sql(t, `update auth.tickets set payload = jsonb_set(payload, '{email}', '"blocked@example.com"')`)
		d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).refused(t, 401, "invalid-email-password", "")
	})
	t.Run("no mail server", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_SMTP_HOST": ""})
		d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).refused(t, 503, "mail-not-configured", "")
	})
}

// TestPasskeySignInTellsNothing holds that who has an account, or a key, is not told: an address that
// nobody has is asked for keys like any other, and for the same ones again.
func TestPasskeySignInTellsNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	without := d.person(t)
	key := device()
	with := d.passkeyPerson(t, key)
	d.sql(t, `update auth.users set disabled = true where id = $1`, with.User.ID)
	allowed := func(email string) []any {
		list, _ := d.ask(t, "POST", "/signin/webauthn", fields{"email": email}).is(t, 200, "").object(t)["allowCredentials"].([]any)
		if len(list) == 0 {
			t.Errorf("%s is asked for no key", email)
		}
		return list
	}
	for _, email := range []string{"nobody@example.com", without.email, with.email} {
		if diff := cmp.Diff(allowed(email), allowed(strings.ToUpper(email))); diff != "" {
			t.Errorf("%s: %s", email, diff)
		}
	}
	// The challenge of a decoy is none to answer with a real key.
	stranger := device()
	d.passkeyPerson(t, stranger)
	for _, email := range []string{"nobody@example.com", without.email, with.email} {
		challenge, _ := d.ask(t, "POST", "/signin/webauthn", fields{"email": email}).object(t)["challenge"].(string)
		signed, err := stranger.Sign(stranger.Keys[0], challenge)
		if err != nil {
			t.Fatal(err)
		}
		d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": plain(t, signed)}).refused(t, 400, "invalid-request", "The request payload is incorrect")
	}
}

func TestPasskeyStates(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	key := device()
	p := d.passkeyPerson(t, key)
	for change, want := range map[string]struct {
		status int
		id     string
	}{
		"disabled = true":        {401, "disabled-user"},
		"email_verified = false": {401, "unverified-user"},
		"is_anonymous = true":    {403, "forbidden-anonymous"},
	} {
		credential := d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)
		undo := map[string]string{"disabled = true": "disabled = false", "email_verified = false": "email_verified = true", "is_anonymous = true": "is_anonymous = false"}[change]
		d.sql(t, `update auth.users set `+change+` where id = $1`, p.User.ID)
		d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential}).refused(t, want.status, want.id, "")
		if want.status == 403 {
			for _, o := range operations(t) {
				if o.bearer && strings.Contains(o.path, "webauthn") {
					o.send(t, d, p.AccessToken).refused(t, 403, "forbidden-anonymous", "")
				}
			}
		}
		d.sql(t, `update auth.users set `+undo+` where id = $1`, p.User.ID)
	}
	d.passkeySignIn(t, key, "")
}

func TestPasskeyAndSecondFactor(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	phone, stick := device(), securityKey()
	d.addPasskey(t, p.AccessToken, phone, "")
	d.addPasskey(t, p.AccessToken, stick, "")
	d.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID)
	d.passkeySignIn(t, phone, p.email) // it saw who the person is
	credential := d.ask(t, "POST", "/signin/webauthn", fields{"email": p.email}).sign(t, stick)
	a := d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential}).is(t, 200, "")
	mfa, _ := a.object(t)["mfa"].(map[string]any)
	if ticket, _ := mfa["ticket"].(string); !strings.HasPrefix(ticket, "mfaTotp:") || a.object(t)["session"] != nil {
		t.Errorf("a key that verified nobody: %s", a)
	}
	if n := value[int64](t, d, `select counter from auth.user_security_keys where credential_id = $1`, softkey.Base64(stick.Keys[0].ID)); n != 1 {
		t.Errorf("the counter is %d", n)
	}
}

func TestPasskeyElevation(t *testing.T) {
	t.Parallel()
	d := openDoor(t, passkeysAlone("AUTH_REQUIRE_ELEVATED_CLAIM", "required"))
	p := d.person(t)
	d.ask(t, "POST", "/elevate/webauthn", nil, bearer(p.AccessToken)).refused(t, 400, "invalid-request", "The request payload is incorrect")
	key := device()
	d.addPasskey(t, p.AccessToken, key, "first") // the first needs no fresh proof, the second does
	d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	d.ask(t, "POST", "/user/webauthn/verify", fields{"credential": strangeKey(t)}, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")

	for _, body := range []any{nil, fields{}, fields{"email": p.email}} {
		begun := d.bare(t, "POST", "/elevate/webauthn", body, bearer(p.AccessToken))
		s := d.ask(t, "POST", "/elevate/webauthn/verify", fields{"email": p.email, "credential": begun.sign(t, key)}, bearer(p.AccessToken)).session(t)
		if claims := claimsOf(t, s.AccessToken); claims["x-hasura-auth-elevated"] != p.User.ID {
			t.Errorf("the claims are %v", claims)
		}
		if s.RefreshTokenID == p.RefreshTokenID {
			t.Error("the elevated session is no new one")
		}
		d.ask(t, "POST", "/user/webauthn/add", nil, bearer(s.AccessToken)).is(t, 200, "")
		// The claim is gone with the first refresh, and the session from before goes on.
		again := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
		d.ask(t, "POST", "/user/webauthn/add", nil, bearer(again.AccessToken)).refused(t, 403, "elevated-claim-required", "")
		d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
	}
	amr := value[[]map[string]any](t, d, `select amr from auth.refresh_tokens where user_id = $1 order by created_at desc limit 1`, p.User.ID)
	if len(amr) != 2 || amr[0]["method"] != "password" || amr[1]["method"] != "webauthn" {
		t.Errorf("amr %v", amr)
	}
	// Nobody is elevated by another's key, nor by the challenge of a sign-in.
	other := d.passkeyPerson(t, device())
	credential := d.ask(t, "POST", "/elevate/webauthn", nil, bearer(p.AccessToken)).sign(t, key)
	d.ask(t, "POST", "/elevate/webauthn/verify", fields{"credential": credential}, bearer(other.AccessToken)).refused(t, 400, "invalid-request", "")
	credential = d.ask(t, "POST", "/signin/webauthn", fields{"email": p.email}).sign(t, key)
	d.ask(t, "POST", "/elevate/webauthn/verify", fields{"credential": credential}, bearer(p.AccessToken)).refused(t, 400, "invalid-request", "")
}

// claimsOf reads the Hasura claims of an access token.
func claimsOf(t testing.TB, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	claims, _ := all["https://hasura.io/jwt/claims"].(map[string]any)
	return claims
}

func TestPasskeyLifeInTheAccount(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	elsewhere := d.signIn(t, p.email, p.password)
	first, second := device(), securityKey()
	second.AAGUID = [16]byte{9}

	a := d.addPasskey(t, p.AccessToken, first, "")
	d.mail(t, p.email, "passkey-added", 1)
	d.ask(t, "GET", "/user", nil, bearer(elsewhere.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")

	options := d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken))
	excluded, _ := options.object(t)["excludeCredentials"].([]any)
	if diff := cmp.Diff([]any{map[string]any{"type": "public-key", "id": softkey.Base64(first.Keys[0].ID)}}, excluded); diff != "" {
		t.Error(diff)
	}
	if user, _ := options.object(t)["user"].(map[string]any); user["id"] != p.User.ID {
		t.Errorf("the key is asked for %v", user)
	}
	b := d.addPasskey(t, p.AccessToken, second, "stick")
	d.passkeySignIn(t, second, p.email)

	list := func() []any {
		keys, _ := d.ask(t, "GET", "/user/webauthn", nil, bearer(p.AccessToken)).is(t, 200, "").object(t)["securityKeys"].([]any)
		return keys
	}
	keys := list()
	if len(keys) != 2 {
		t.Fatalf("the list is %v", keys)
	}
	names := [2][]string{}
	for i := range names {
		m, _ := keys[i].(map[string]any)
		names[i] = slices.Sorted(maps.Keys(m))
	}
	if diff := cmp.Diff([2][]string{{"addedAt", "backedUp", "backupEligible", "id"}, {"aaguid", "addedAt", "backedUp", "backupEligible", "id", "lastUsedAt", "nickname"}}, names); diff != "" {
		t.Error(diff)
	}

	d.ask(t, "POST", "/user/webauthn/"+a, fields{"nickname": "phone"}, bearer(p.AccessToken)).ok(t)
	d.knock(t, "POST", "/user/webauthn/"+a, fields{"nickname": ""}, bearer(p.AccessToken)).invalid(t, "nickname")
	if m, _ := list()[0].(map[string]any); m["nickname"] != "phone" {
		t.Errorf("the list is %v", m)
	}

	signedIn := d.passkeySignIn(t, first, "")
	d.ask(t, "DELETE", "/user/webauthn/"+b, nil, bearer(signedIn.AccessToken)).ok(t)
	d.mail(t, p.email, "passkey-removed", 1)
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "DELETE", "/user/webauthn/"+b, nil, bearer(signedIn.AccessToken)).refused(t, 404, "not-found", "")
	if n := value[int](t, d, `select count(*) from auth.user_security_keys`); n != 1 {
		t.Errorf("%d keys", n)
	}
	if aal := value[int](t, d, `select aal from auth.refresh_tokens where id = $1`, signedIn.RefreshTokenID); aal != 2 {
		t.Errorf("while a key is left the session keeps its level, not %d", aal)
	}
	d.ask(t, "DELETE", "/user/webauthn/"+a, nil, bearer(signedIn.AccessToken)).ok(t) // a password is left
	if aal := value[int](t, d, `select aal from auth.refresh_tokens where id = $1`, signedIn.RefreshTokenID); aal != 1 {
		t.Errorf("no key is left and the session claims level %d", aal)
	}
	for event, want := range map[string]int{"passkey.added": 2, "passkey.renamed": 1, "passkey.removed": 2} {
		audit := value[int](t, d, `select count(*) from auth.audit_entries where event = $1 and user_id = $2`, event, p.User.ID)
		told := value[int](t, d, `select count(*) from auth.events where type = $1 and user_id = $2`, event, p.User.ID)
		if audit != want || told != want {
			t.Errorf("%s is told %d and %d times, want %d", event, audit, told, want)
		}
	}
}

func TestLastPasskeyStays(t *testing.T) {
	t.Parallel()
	d := openDoor(t, passkeysAlone())
	key := device()
	p := d.passkeyPerson(t, key)
	id := value[string](t, d, `select id from auth.user_security_keys`)
	remove := func() answer { return d.ask(t, "DELETE", "/user/webauthn/"+id, nil, bearer(p.AccessToken)) }
	before := d.state(t)
	remove().refused(t, 409, "last-way-in", "")
	d.sameState(t, before, "the removal of the last way in")
	d.sql(t, `update auth.users set phone_number = '+15550100', phone_number_verified = true where id = $1`, p.User.ID)
	remove().refused(t, 409, "last-way-in", "") // text messages are off
	d.sql(t, `insert into auth.user_providers (user_id, access_token, provider_id, provider_user_id) values ($1, 'unset', 'github', '1')`, p.User.ID)
	remove().ok(t)

	// With a link in a mail there is another way in.
	links := openDoor(t, nil)
	q := links.passkeyPerson(t, device())
	links.ask(t, "DELETE", "/user/webauthn/"+value[string](t, links, `select id from auth.user_security_keys`), nil, bearer(q.AccessToken)).ok(t)

	// Two who remove the last two at once: one key stays.
	for range 5 {
		r := d.passkeyPerson(t, device())
		d.addPasskey(t, r.AccessToken, device(), "")
		ids := value[[]string](t, d, `select array_agg(id::text) from auth.user_security_keys where user_id = $1`, r.User.ID)
		answers, err := parallel(2, func(i int) (answer, error) {
			return d.ask(t, "DELETE", "/user/webauthn/"+ids[i], nil, bearer(r.AccessToken)), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if answers[0].status+answers[1].status != 200+409 {
			t.Errorf("%s, %s", answers[0], answers[1])
		}
	}
}

// TestT26And27PasskeysOfOthers holds every endpoint that takes the id of a key against a stranger.
func TestT26And27PasskeysOfOthers(t *testing.T) {
	t.Parallel()
	d := openDoor(t, passkeysAlone("AUTH_REQUIRE_ELEVATED_CLAIM", "recommended"))
	owner := d.person(t)
	id := d.addPasskey(t, owner.AccessToken, device(), "mine")
	stranger := d.person(t)
	before := d.state(t)
	if a := d.ask(t, "GET", "/user/webauthn", nil, bearer(stranger.AccessToken)).is(t, 200, `{"securityKeys":[]}`); strings.Contains(a.body, id) {
		t.Error(a)
	}
	elevated := d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, stranger.wireSession)
	for _, token := range []string{stranger.AccessToken, elevated} {
		for _, other := range []string{id, nobodysID} {
			d.ask(t, "POST", "/user/webauthn/"+other, fields{"nickname": "theirs"}, bearer(token)).refused(t, 404, "not-found", "There is nothing at this address")
			d.ask(t, "DELETE", "/user/webauthn/"+other, nil, bearer(token)).refused(t, 404, "not-found", "There is nothing at this address")
		}
	}
	for _, nonsense := range []string{"add", "verify", "x", strings.ToUpper(id), id + "0", "%2e%2e", "'", "00000000000040008000000000000000"} {
		for _, method := range []string{"DELETE", "PUT", "PATCH"} {
			d.bare(t, method, "/user/webauthn/"+nonsense, nil, bearer(owner.AccessToken)).refused(t, 404, "not-found", "")
		}
	}
	for _, o := range operations(t) {
		if o.bearer && strings.Contains(o.path, "webauthn") {
			o.bearer = false
			o.send(t, d, "").refused(t, http.StatusUnauthorized, "unauthorized", "")
		}
	}
	d.ask(t, "DELETE", "/user/webauthn/"+id, nil, bearer(owner.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	d.sameState(t, before, "requests for the keys of others")
}

func TestTooManyPasskeys(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.sql(t, `insert into auth.user_security_keys (user_id, credential_id) select $1, 'key' || n from generate_series(1, 50) n`, p.User.ID)
	d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken)).invalid(t, "passkeys")
	d.sql(t, `delete from auth.user_security_keys where credential_id = 'key1'`)
	d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken)).is(t, 200, "")
}

// TestPasskeysOfHasuraAuth signs in by keys that Hasura Auth wrote: no times, no flags, no counter.
func TestPasskeysOfHasuraAuth(t *testing.T) {
	t.Parallel()
	d := adopted(t, nil, 0)
	for name, key := range map[string]*softkey.Device{"phone": device(), "stick": securityKey()} {
		email := d.upstreamUser(t, "", d.Clock.Now(), "")
		id := value[string](t, d, `select id from auth.users where email = $1`, email)
		made, err := softkey.NewKey(softkey.ES256)
		if err != nil {
			t.Fatal(err)
		}
		made.RPID, made.Handle, made.Counter = "app.example.com", key.Handle(id), 40*key.Step // phones never count
		key.Keys = []*softkey.Key{made}
		d.sql(t, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, $2, $3)`, id, softkey.Base64(made.ID), made.Public())
		before := d.ask(t, "GET", "/user/webauthn", nil, bearer(d.accessToken(t, func(a *tokens.Access) { a.UserID, a.SessionID = id, "" }, wireSession{}))).is(t, 200, "")
		keys, _ := before.object(t)["securityKeys"].([]any)
		if m, _ := keys[0].(map[string]any); len(m) != 1 {
			t.Errorf("%s: %s", name, before)
		}
		for range 2 {
			d.passkeySignIn(t, key, email)
		}
		if got := value[bool](t, d, `select counter = $2 and backup_eligible = $3 and used_at is not null from auth.user_security_keys where user_id = $1`, id, made.Counter, name == "phone"); !got {
			t.Errorf("%s: what the key told was not kept", name)
		}
	}
}

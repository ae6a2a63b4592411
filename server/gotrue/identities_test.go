package gotrue_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"postern/internal/fakeprovider"
	"postern/tokens"
	"postern/userobject"
)

var linking = map[string]string{"AUTH_GOTRUE_MANUAL_LINKING_ENABLED": "true", "AUTH_ANONYMOUS_USERS_ENABLED": "true"}

// idToken is what a client posts to sign in by an ID token.
func (d providerDoor) idToken(claims map[string]any, more string) string {
	return `{"provider":"google","id_token":"` + d.fake.IDToken("google", claims) + `"` + more + `}`
}

// TestIDTokens signs in by tokens that the client got by itself.
func TestIDTokens(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"google", "github"}, linking)
	email, sub := newAddress(), tokens.NewUUID()
	sum := sha256.Sum256([]byte("the nonce"))
	access := sha256.Sum256([]byte("the access token"))
	claims := func(more map[string]any) map[string]any {
		all := map[string]any{"sub": sub, "email": email, "email_verified": true}
		for name, v := range more {
			all[name] = v
		}
		return all
	}
	hashed := claims(map[string]any{"nonce": hex.EncodeToString(sum[:]), "at_hash": base64.RawURLEncoding.EncodeToString(access[:16])})
	s := d.ok(t, "POST", "/token?grant_type=id_token", d.idToken(hashed, `,"nonce":"the nonce","access_token":"the access token","gotrue_meta_security":{}`))
	id := s["user"].(map[string]any)["id"]
	if s["user"].(map[string]any)["email"] != email || s["access_token"] == nil || s["refresh_token"] == nil {
		t.Errorf("%v", s)
	}
	byIssuer := strings.Replace(d.idToken(claims(nil), `,"issuer":"https://accounts.google.com","client_id":"`+fakeprovider.ClientID("google")+`"`), `"provider":"google",`, "", 1)
	if s := d.ok(t, "POST", "/token?grant_type=id_token", byIssuer); s["user"].(map[string]any)["id"] != id {
		t.Errorf("by issuer: %v", s["user"])
	}
	for name, body := range map[string]string{
		"none": `{"provider":"google"}`, "no provider": `{"id_token":"a.b.c"}`, "nonsense": `{"provider":"google","id_token":"a.b.c"}`,
		"another nonce": d.idToken(hashed, `,"nonce":"another"`), "a nonce not told": d.idToken(hashed, ""), "a nonce not in it": d.idToken(claims(nil), `,"nonce":"the nonce"`),
		"another access token": d.idToken(hashed, `,"nonce":"the nonce","access_token":"another"`), "another audience": d.idToken(claims(map[string]any{"aud": "another"}), ""),
		"another issuer": d.idToken(claims(map[string]any{"iss": "https://evil.example"}), ""), "expired": d.idToken(claims(map[string]any{"exp": 1}), ""),
	} {
		a := d.ask(t, "POST", "/token?grant_type=id_token", body, "X-Supabase-Api-Version", "2024-01-01")
		if got := a.said(t); a.status != 400 || got["error"] == nil || got["error_description"] == nil || got["code"] != nil {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	for body, code := range map[string]string{
		`{"provider":"github","id_token":"a.b.c"}`: "provider_disabled", `{"provider":"nobody","id_token":"a.b.c"}`: "validation_failed",
		`{"issuer":"https://evil.example","client_id":"x","id_token":"a.b.c"}`: "validation_failed",
	} {
		if a := d.ask(t, "POST", "/token?grant_type=id_token", body); a.status != 400 || a.code(t) != code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// TestIDTokensAreLinked adds the identity of an ID token to the account of whoever is signed in.
func TestIDTokensAreLinked(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"google"}, linking)
	mine := d.confirmed(t, newAddress())
	body := d.idToken(map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true}, `,"link_identity":true`)
	if a := d.ask(t, "POST", "/token?grant_type=id_token", body); a.status != 401 {
		t.Errorf("of nobody: %+v", a)
	}
	s := d.ok(t, "POST", "/token?grant_type=id_token", body, "Authorization", bearer(mine))
	u, was := s["user"].(map[string]any), mine["user"].(map[string]any)
	if u["id"] != was["id"] || u["email"] != was["email"] || len(u["identities"].([]any)) != 2 {
		t.Errorf("%v", u)
	}
	other := d.confirmed(t, newAddress())
	if a := d.ask(t, "POST", "/token?grant_type=id_token", body, "Authorization", bearer(other)); a.status != 422 || a.code(t) != "identity_already_exists" {
		t.Errorf("linked twice: %+v", a)
	}
}

// TestOneFactorLinksNoIdentity holds that a session whose second factor is due links nothing: with one password and an identity of
// their own somebody would be in for good, and past the second factor where providers' sign-ins ask for none.
func TestOneFactorLinksNoIdentity(t *testing.T) {
	t.Parallel()
	for _, asked := range []string{"all", "password"} {
		d := openProviders(t, []string{"google"}, map[string]string{"AUTH_GOTRUE_MANUAL_LINKING_ENABLED": "true", "AUTH_MFA_SIGN_INS": asked})
		email := newAddress()
		d.confirmed(t, email)
		ann := d.enrolled(t, email)
		half := d.signIn(t, email)
		as := []string{"Authorization", bearer(half)}
		body := d.idToken(map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true}, `,"link_identity":true`)
		d.ask(t, "POST", "/token?grant_type=id_token", body, as...).refused(t, 403, "insufficient_aal")
		start, _ := withChallenge("google")
		for _, query := range []url.Values{at("google"), start} {
			d.ask(t, "GET", "/user/identities/authorize?"+query.Encode(), "", as...).refused(t, 403, "insufficient_aal")
		}
		d.ok(t, "POST", "/token?grant_type=id_token", body, "Authorization", bearer(ann.raise(t, half)))
	}
}

// linkBy asks for the address to go to.
func (d providerDoor) linkBy(t testing.TB, start url.Values, session map[string]any) string {
	t.Helper()
	start.Set("skip_http_redirect", "true")
	return d.ok(t, "GET", "/user/identities/authorize?"+start.Encode(), "", "Authorization", bearer(session))["url"].(string)
}

func (d providerDoor) providersOf(t testing.TB, session map[string]any) []any {
	t.Helper()
	return d.me(t, session["access_token"].(string))["app_metadata"].(map[string]any)["providers"].([]any)
}

// TestIdentitiesAreLinkedByCode has a client link that exchanges a code. Until it does, nothing is linked: whoever was made to open the
// address would have their identity linked to the account of another.
func TestIdentitiesAreLinkedByCode(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, linking)
	mine, p := d.confirmed(t, newAddress()), someone()
	start, verifier := withChallenge("corp")
	back := func(session map[string]any, start url.Values) url.Values {
		t.Helper()
		_, query, _ := d.comeBack(t, d.visit(t, d.linkBy(t, start, session), nil, p)).landed(t, http.StatusFound)
		return query
	}
	code := back(mine, start).Get("code")
	if got := d.providersOf(t, mine); len(got) != 1 || code == "" {
		t.Fatalf("before the code is exchanged: %v", got)
	}
	exchange := func(verifier string) answer {
		return d.ask(t, "POST", "/token?grant_type=pkce", `{"auth_code":"`+code+`","code_verifier":"`+verifier+`"}`)
	}
	_, wrong := withChallenge("corp")
	if a := exchange(wrong); a.status != 404 || len(d.providersOf(t, mine)) != 1 {
		t.Errorf("by another verifier: %+v", a)
	}
	s := exchange(verifier).said(t)
	if s["provider_token"] == nil || s["user"].(map[string]any)["id"] != mine["user"].(map[string]any)["id"] || len(d.providersOf(t, mine)) != 2 {
		t.Errorf("%v", s)
	}
	if a := exchange(verifier); a.status != 404 {
		t.Errorf("twice: %+v", a)
	}
	start, _ = withChallenge("corp")
	if q := back(d.confirmed(t, newAddress()), start); q.Get("error_code") != "identity_already_exists" {
		t.Errorf("an identity of somebody else: %v", q)
	}
	if got := d.enters(t, "corp", p); d.me(t, got.Get("access_token"))["id"] != mine["user"].(map[string]any)["id"] {
		t.Error("the identity signs in to another account")
	}

	start, verifier = withChallenge("corp")
	p = someone()
	gone := d.confirmed(t, newAddress())
	code = back(gone, start).Get("code")
	if a := d.ask(t, "POST", "/logout?scope=global", "", "Authorization", bearer(gone)); a.status != 204 {
		t.Fatal(a)
	}
	if a := exchange(verifier); a.status == 200 {
		t.Errorf("the session that asked is gone: %+v", a)
	}
}

// TestIdentitiesAreLinkedByThePage has a page link that reads the session off the address. The browser that comes back must be the
// one that set out, from a page of the application.
func TestIdentitiesAreLinkedByThePage(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, linking)
	mine, p := d.confirmed(t, newAddress()), someone()
	goThere := func(headers ...string) answer {
		t.Helper()
		u, err := url.Parse(d.linkBy(t, at("corp"), mine))
		if err != nil || !strings.HasSuffix(u.Path, "/auth/v1/user/identities/go") {
			t.Fatalf("to %s: %v", u, err)
		}
		return d.ask(t, "GET", "/user/identities/go?"+u.RawQuery, "", append(headers, browser...)...)
	}
	for name, headers := range map[string][]string{
		"from elsewhere": {"Referer", "https://evil.example/"}, "from nowhere": nil, "from a mail": {"Sec-Fetch-Site", "none"}, "without a page": {"Sec-Fetch-Site", "cross-site"},
	} {
		if a := goThere(headers...); a.status != 400 || a.header.Get("Set-Cookie") != "" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	a := goThere("Referer", app+"/")
	b := d.visit(t, a.header.Get("Location"), a.header, p)
	stolen := b
	stolen.cookie = ""
	a = goThere("Referer", app+"/")
	again := d.visit(t, a.header.Get("Location"), a.header, p)
	if _, q, _ := d.comeBack(t, stolen).landed(t, http.StatusSeeOther); q.Get("error_code") != "bad_oauth_state" || len(d.providersOf(t, mine)) != 1 {
		t.Errorf("in another browser: %v", q)
	}
	to, _, f := d.comeBack(t, again).landed(t, http.StatusFound)
	if to != app+"/welcome" || f.Get("provider") != "corp" || d.me(t, f.Get("access_token"))["id"] != mine["user"].(map[string]any)["id"] || len(d.providersOf(t, mine)) != 2 {
		t.Errorf("to %s with %v", to, f)
	}
	if a := d.ask(t, "GET", "/user/identities/go?ticket="+tokens.NewUUID(), "", append([]string{"Referer", app + "/"}, browser...)...); a.status != 400 || a.code(t) != "bad_oauth_state" {
		t.Errorf("a ticket of nobody: %+v", a)
	}
}

// TestGuestsBecomeUsersByAnIdentity keeps their id and what they said of themselves.
func TestGuestsBecomeUsersByAnIdentity(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp", "google"}, linking)
	guest := d.ok(t, "POST", "/signup", `{"data":{"cart":7}}`)
	p := someone()
	start, verifier := withChallenge("corp")
	_, query, _ := d.comeBack(t, d.visit(t, d.linkBy(t, start, guest), nil, p)).landed(t, http.StatusFound)
	s := d.ok(t, "POST", "/token?grant_type=pkce", `{"auth_code":"`+query.Get("code")+`","code_verifier":"`+verifier+`"}`)
	u := s["user"].(map[string]any)
	if u["id"] != guest["user"].(map[string]any)["id"] || u["is_anonymous"] != false || u["email"] != p.Email || u["email_confirmed_at"] == nil || u["user_metadata"].(map[string]any)["cart"] != 7.0 {
		t.Errorf("%v", u)
	}
	if got := d.me(t, guest["access_token"].(string)); got["is_anonymous"] != false {
		t.Errorf("the session goes on as %v", got)
	}
	other := d.ok(t, "POST", "/signup", `{}`)
	body := d.idToken(map[string]any{"sub": tokens.NewUUID(), "email": p.Email, "email_verified": true}, `,"link_identity":true`)
	if a := d.ask(t, "POST", "/token?grant_type=id_token", body, "Authorization", bearer(other)); a.status != 422 || a.code(t) != "email_exists" {
		t.Errorf("with an address that is taken: %+v", a)
	}
	if got := d.me(t, other["access_token"].(string)); got["is_anonymous"] != true || len(got["identities"].([]any)) != 0 {
		t.Errorf("%v", got)
	}
}

// TestUnlinking takes identities off, and leaves a way in.
func TestUnlinking(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"google", "corp"}, map[string]string{"AUTH_GOTRUE_MANUAL_LINKING_ENABLED": "true", "AUTH_EMAIL_PASSWORDLESS_ENABLED": "false"})
	mine, other := d.confirmed(t, newAddress()), d.confirmed(t, newAddress())
	sub := tokens.NewUUID()
	claims := map[string]any{"sub": sub, "email": newAddress(), "email_verified": true}
	s := d.ok(t, "POST", "/token?grant_type=id_token", d.idToken(claims, `,"link_identity":true`), "Authorization", bearer(mine))
	identity := s["user"].(map[string]any)["identities"].([]any)[1].(map[string]any)["identity_id"].(string)
	unlink := func(session map[string]any, id string) answer {
		return d.ask(t, "DELETE", "/user/identities/"+id, "", "Authorization", bearer(session))
	}
	for id, want := range map[string]struct {
		status int
		code   string
	}{
		"nonsense": {404, "validation_failed"}, strings.ToUpper(identity): {404, "validation_failed"}, tokens.NewUUID(): {422, "identity_not_found"},
		userobject.OwnIdentity(mine["user"].(map[string]any)["id"].(string), "email"): {422, "single_identity_not_deletable"},
	} {
		if a := unlink(mine, id); a.status != want.status || a.code(t) != want.code {
			t.Errorf("%s: %+v", id, a)
		}
	}
	if a := unlink(other, identity); a.status != 422 || a.code(t) != "identity_not_found" {
		t.Errorf("somebody else's: %+v", a)
	}
	if a := unlink(mine, identity); a.status != 200 || a.body != "{}\n" && a.body != "{}" {
		t.Errorf("%+v", a)
	}
	if got := d.providersOf(t, mine); len(got) != 1 {
		t.Errorf("%v", got)
	}
	alone := d.enters(t, "corp", someone())
	session := map[string]any{"access_token": alone.Get("access_token")}
	only := d.me(t, alone.Get("access_token"))["identities"].([]any)[0].(map[string]any)["identity_id"].(string)
	if a := unlink(session, only); a.status != 422 || a.code(t) != "single_identity_not_deletable" {
		t.Errorf("the last way in: %+v", a)
	}
}

// TestLinkingIsOffUnlessTheOperatorWantsIt answers as if there were nothing.
func TestLinkingIsOffUnlessTheOperatorWantsIt(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"google"}, nil)
	s := d.confirmed(t, newAddress())
	for _, c := range [][3]string{
		{"GET", "/user/identities/authorize?provider=google", ""},
		{"GET", "/user/identities/go?ticket=x", ""},
		{"DELETE", "/user/identities/" + tokens.NewUUID(), ""},
		{"POST", "/token?grant_type=id_token", `{"provider":"google","id_token":"a.b.c","link_identity":true}`},
	} {
		if a := d.ask(t, c[0], c[1], c[2], "Authorization", bearer(s)); a.status != 404 || a.code(t) != "manual_linking_disabled" {
			t.Errorf("%v: %+v", c, a)
		}
	}
}

// TestNobodySetsAnAccountUpForAProvidersUser has an attacker sign up with somebody's address and wait for them to come by a provider: the
// password goes, and with it all that the attacker could get in by.
func TestNobodySetsAnAccountUpForAProvidersUser(t *testing.T) {
	t.Parallel()
	d := openProviders(t, []string{"corp"}, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	p := someone()
	theirs := d.ok(t, "POST", "/signup", credentials(p.Email, password))
	owner := d.me(t, d.enters(t, "corp", p).Get("access_token"))
	if owner["id"] != theirs["user"].(map[string]any)["id"] || owner["email_confirmed_at"] == nil {
		t.Errorf("%v", owner)
	}
	if a := d.ask(t, "POST", "/token?grant_type=password", credentials(p.Email, password)); a.status != 400 {
		t.Errorf("by the password: %+v", a)
	}
	if a := d.ask(t, "GET", "/user", "", "Authorization", bearer(theirs)); a.status != 403 {
		t.Errorf("by the session: %+v", a)
	}
	if a := d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+theirs["refresh_token"].(string)+`"}`); a.status != 400 {
		t.Errorf("by the refresh token: %+v", a)
	}
}

package gotrue_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
	"postern/house"
	"postern/internal/softkey"
	"postern/internal/testhouse"
	"postern/tokens"
)

// withKeys opens a house where keys may be second factors, beside passkeys.
func withKeys(t testing.TB, more map[string]string) door {
	t.Helper()
	settings := map[string]string{"AUTH_MFA_WEBAUTHN_ENABLED": "true"}
	maps.Copy(settings, more)
	return withPasskeys(t, settings)
}

// stick is a security key: it asks for no PIN, counts what it signs, and keeps no user.
func stick() *softkey.Device {
	d := unverified()
	d.Return = func([]byte) string { return "" }
	return d
}

// key is a factor, and the device that has its key.
type key struct {
	door
	factor string
	device *softkey.Device
}

// begin enrols a factor without a key yet.
func (d door) begin(t testing.TB, session map[string]any, name string) key {
	t.Helper()
	got := d.ok(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"`+name+`"}`, "Authorization", bearer(session))
	if got["type"] != "webauthn" || got["friendly_name"] != name || !tokens.IsUUID(got["id"].(string)) || len(got) != 3 {
		t.Errorf("enrolled %v", got)
	}
	return key{d, got["id"].(string), stick()}
}

const herePage = `{"rpId":"app.example.com","rpOrigins":["` + appOrigin + `"]}`

// wished is a challenge: its id, what is asked of the browser, and the options.
func (k key) wished(t testing.TB, session map[string]any) (id, kind string, options map[string]any) {
	t.Helper()
	got := k.ok(t, "POST", "/factors/"+k.factor+"/challenge", `{"factorId":"`+k.factor+`","webauthn":`+herePage+`}`, "Authorization", bearer(session))
	wish := got["webauthn"].(map[string]any)
	if got["type"] != "webauthn" {
		t.Errorf("challenged %v", got)
	}
	return got["id"].(string), wish["type"].(string), wish["credential_options"].(map[string]any)["publicKey"].(map[string]any)
}

// proofOf is the body that answers a challenge.
func proofOf(t testing.TB, challenge, kind string, credential softkey.Answer) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"challenge_id": challenge, "webauthn": map[string]any{
		"type": kind, "rpId": "app.example.com", "rpOrigins": []string{appOrigin}, "credential_response": credential,
	}})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// answers asks for what the factor needs and has the device give it: it is ready to be sent.
func (k key) answers(t testing.TB, session map[string]any, change ...func(*softkey.Draft)) string {
	t.Helper()
	id, kind, options := k.wished(t, session)
	answer := k.device.Create
	if kind == "request" {
		answer = k.device.Get
	}
	credential, err := answer(options, change...)
	if err != nil {
		t.Fatal(err)
	}
	return proofOf(t, id, kind, credential)
}

func (k key) verify(t testing.TB, session map[string]any, body string) answer {
	t.Helper()
	return k.ask(t, "POST", "/factors/"+k.factor+"/verify", body, "Authorization", bearer(session))
}

// raise makes the key, or signs with it, and gives the session that is raised.
func (k key) raise(t testing.TB, session map[string]any) map[string]any {
	t.Helper()
	a := k.verify(t, session, k.answers(t, session))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return a.said(t)
}

// hasKey gives the session a factor whose key is in a device.
func (d door) hasKey(t testing.TB, session map[string]any, name string) (key, map[string]any) {
	t.Helper()
	k := d.begin(t, session, name)
	return k, k.raise(t, session)
}

func factorsOf(t testing.TB, d door, session map[string]any) (list []map[string]any) {
	t.Helper()
	all, _ := d.ok(t, "GET", "/user", "", "Authorization", bearer(session))["factors"].([]any)
	for _, f := range all {
		list = append(list, f.(map[string]any))
	}
	return list
}

// TestKeysAreSecondFactors goes all the way: enrol, make the key, sign in with one factor, raise the session by a signature, take it off.
func TestKeysAreSecondFactors(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	first := d.confirmed(t, email)
	other := d.signIn(t, email)

	k := d.begin(t, first, "blue stick")
	if f := factorsOf(t, d, first); len(f) != 1 || f[0]["status"] != "unverified" || f[0]["factor_type"] != "webauthn" || f[0]["friendly_name"] != "blue stick" || f[0]["phone"] != "" {
		t.Errorf("factors %v", f)
	}
	if c := claims(t, d.signIn(t, email)); c["factor_due"] != nil {
		t.Error("a factor is asked for that has no key yet")
	}
	challenge := d.ok(t, "POST", "/factors/"+k.factor+"/challenge", `{"factorId":"`+k.factor+`","webauthn":`+herePage+`}`, "Authorization", bearer(first))
	if ends := challenge["expires_at"].(float64) - float64(d.Clock.Now().Unix()); ends < 295 || ends > 300 {
		t.Errorf("a challenge is good for %v s", ends)
	}
	_, kind, options := k.wished(t, first)
	want := map[string]any{"requireResidentKey": false, "residentKey": "discouraged", "userVerification": "preferred"}
	if diff := cmp.Diff(want, options["authenticatorSelection"]); diff != "" || kind != "create" || options["attestation"] != "none" || options["rp"].(map[string]any)["id"] != "app.example.com" {
		t.Errorf("%s %v: %s", kind, options, diff)
	}
	if user := options["user"].(map[string]any); user["name"] == "" || user["displayName"] == "" {
		t.Errorf("browsers take no nameless user: %v", user)
	}
	raised := k.raise(t, first)
	if c, was := claims(t, raised), claims(t, first); c["aal"] != "aal2" || c["session_id"] != was["session_id"] || c["factor_due"] != nil {
		t.Errorf("raised to %v", c)
	}
	if diff := cmp.Diff([]string{"mfa/webauthn", "otp"}, methods(t, raised)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	if f := raised["user"].(map[string]any)["factors"].([]any); f[0].(map[string]any)["status"] != "verified" {
		t.Errorf("the answer has factors %v", f)
	}
	if raised["refresh_token"] == first["refresh_token"] {
		t.Error("the refresh token is that of one factor")
	}
	d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+first["refresh_token"].(string)+`"}`).refused(t, 400, "refresh_token_not_found")
	d.ask(t, "GET", "/user", "", "Authorization", bearer(other)).refused(t, 403, "session_not_found")
	d.Mail.Wait(t, email, 2)

	half := d.signIn(t, email)
	if c := claims(t, half); c["aal"] != "aal1" || c["factor_due"] != true || c["https://hasura.io/jwt/claims"] != nil {
		t.Errorf("after one factor: %v", c)
	}
	half = d.refresh(t, half).said(t)
	_, kind, options = k.wished(t, half)
	allowed, _ := options["allowCredentials"].([]any)
	if kind != "request" || options["rpId"] != "app.example.com" || len(allowed) != 1 || allowed[0].(map[string]any)["id"] != softkey.Base64(k.device.Keys[0].ID) {
		t.Errorf("%s %v", kind, options)
	}
	whole := k.raise(t, half)
	if c := claims(t, whole); c["aal"] != "aal2" || c["session_id"] != claims(t, half)["session_id"] || c["https://hasura.io/jwt/claims"] == nil {
		t.Errorf("after both: %v", c)
	}
	whole = d.refresh(t, whole).said(t)
	if c := claims(t, whole); c["aal"] != "aal2" || !slices.Contains(methods(t, whole), "mfa/webauthn") {
		t.Errorf("after a refresh: %v", c)
	}
	if a := d.byHasura(t, "GET", "/user", "", "Authorization", bearer(whole)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	if got := d.ok(t, "DELETE", "/factors/"+k.factor, "", "Authorization", bearer(whole)); got["id"] != k.factor {
		t.Errorf("%v", got)
	}
	left := d.refresh(t, whole).said(t)
	if c := claims(t, left); c["aal"] != "aal1" || left["user"].(map[string]any)["factors"] != nil || slices.Contains(methods(t, left), "mfa/webauthn") {
		t.Errorf("without the factor: %v", left)
	}
	if c := claims(t, d.signIn(t, email)); c["factor_due"] != nil {
		t.Errorf("after it is gone: %v", c)
	}
	seen := d.told(t, email)
	for _, word := range []string{"factor.staged", "factor.enabled", "session.raised", "factor.disabled"} {
		if !slices.Contains(seen, word) {
			t.Errorf("the audit log lacks %s: %v", word, seen)
		}
	}
}

// TestManyKeys has a user with several: each has a name of its own, there are only so many, and any of them will do.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	first, s := d.hasKey(t, d.confirmed(t, email), "first")
	as := func(s map[string]any) []string { return []string{"Authorization", bearer(s)} }
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"first"}`, as(s)...).refused(t, 422, "mfa_factor_name_conflict")
	second := d.begin(t, s, "second")
	_, _, options := second.wished(t, s)
	if not, _ := options["excludeCredentials"].([]any); len(not) != 1 || not[0].(map[string]any)["id"] != softkey.Base64(first.device.Keys[0].ID) {
		t.Errorf("the authenticator is not told what it has already: %v", options)
	}
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"second"}`, as(s)...).refused(t, 422, "mfa_factor_name_conflict")
	s = second.raise(t, s)
	if c := claims(t, s); c["aal"] != "aal2" {
		t.Errorf("%v", c)
	}
	for _, k := range []key{first, second} {
		half := d.signIn(t, email)
		other := key{d, k.factor, first.device}
		if k.factor == first.factor {
			other.device = second.device
		}
		id, _, options := k.wished(t, half)
		wrong, err := other.device.Sign(other.device.Keys[0], options["challenge"].(string))
		if err != nil {
			t.Fatal(err)
		}
		k.verify(t, half, proofOf(t, id, "request", wrong)).refused(t, 400, "webauthn_verification_failed")
		s = k.raise(t, half)
	}
	// One of several goes: the other is still asked for.
	d.ok(t, "DELETE", "/factors/"+first.factor, "", as(s)...)
	half := d.signIn(t, email)
	if c := claims(t, half); c["factor_due"] != true {
		t.Errorf("one of two is gone: %v", c)
	}
	d.ask(t, "POST", "/factors/"+first.factor+"/challenge", "{}", as(half)...).refused(t, 404, "mfa_factor_not_found")
	s = second.raise(t, half)

	for i := range 9 {
		d.begin(t, s, "more "+strconv.Itoa(i))
	}
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"eleventh"}`, as(s)...).refused(t, 422, "too_many_enrolled_mfa_factors")
	d.Clock.Advance(time.Hour + time.Minute)
	s = second.raise(t, d.signIn(t, email))
	d.begin(t, s, "eleventh") // those that nobody finished are forgotten
	if f := factorsOf(t, d, s); len(f) != 2 {
		t.Errorf("%v", f)
	}
}

// TestKeyChallengesAreTheirOwn tries answers to challenges that are not those of who asks, for this factor, in this session, now.
func TestKeyChallengesAreTheirOwn(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	hers := newAddress()
	annWhole := d.confirmed(t, hers)
	passkey := phoneKey()
	d.addKey(t, annWhole, passkey)
	k, annWhole := d.hasKey(t, annWhole, "stick")
	bob := d.confirmed(t, newAddress())
	his, bob := d.hasKey(t, bob, "his")
	ann := d.signIn(t, hers)
	sign := func(challenge any, device *softkey.Device) softkey.Answer {
		t.Helper()
		a, err := device.Sign(device.Keys[0], challenge.(string))
		if err != nil {
			t.Fatal(err)
		}
		return a
	}

	// Of a sign-in by passkey, and of registering one.
	asked := d.ok(t, "POST", "/passkeys/authentication/options", `{}`)
	k.verify(t, ann, proofOf(t, asked["challenge_id"].(string), "request", sign(asked["options"].(map[string]any)["challenge"], k.device))).refused(t, 422, "mfa_challenge_expired")
	id, _, options := k.wished(t, ann)
	k.verify(t, ann, proofOf(t, id, "request", sign(asked["options"].(map[string]any)["challenge"], k.device))).refused(t, 400, "webauthn_verification_failed")
	for _, device := range []*softkey.Device{k.device, passkey} {
		d.ask(t, "POST", "/passkeys/authentication/verify", answered(t, id, sign(options["challenge"], device))).refused(t, 400, "webauthn_challenge_not_found")
	}
	fresh := d.begin(t, annWhole, "fresh")
	asked = d.ok(t, "POST", "/passkeys/registration/options", `{}`, "Authorization", bearer(annWhole))
	made, err := fresh.device.Create(asked["options"])
	if err != nil {
		t.Fatal(err)
	}
	fresh.verify(t, annWhole, proofOf(t, asked["challenge_id"].(string), "create", made)).refused(t, 422, "mfa_challenge_expired")
	freshID, _, freshOptions := fresh.wished(t, annWhole)
	fresh.verify(t, annWhole, proofOf(t, freshID, "create", made)).refused(t, 400, "webauthn_verification_failed")
	if made, err = phoneKey().Create(freshOptions); err != nil {
		t.Fatal(err)
	}
	d.ask(t, "POST", "/passkeys/registration/verify", answered(t, freshID, made), "Authorization", bearer(annWhole)).refused(t, 400, "webauthn_challenge_not_found")

	// Of another session, another user, another factor, another kind of question, nobody, and the past.
	another := d.signIn(t, hers)
	good := proofOf(t, id, "request", sign(options["challenge"], k.device))
	k.verify(t, another, good).refused(t, 422, "mfa_challenge_expired")
	k.verify(t, bob, good).refused(t, 404, "mfa_factor_not_found")
	his.verify(t, bob, good).refused(t, 422, "mfa_challenge_expired")
	fresh.verify(t, ann, good).refused(t, 422, "mfa_challenge_expired")
	k.verify(t, ann, proofOf(t, tokens.NewUUID(), "request", sign(options["challenge"], k.device))).refused(t, 422, "mfa_challenge_expired")
	k.verify(t, ann, proofOf(t, id, "create", made)).refused(t, 400, "webauthn_verification_failed")
	k.verify(t, ann, proofOf(t, id, "request", sign(options["challenge"], passkey))).refused(t, 400, "webauthn_verification_failed")
	k.verify(t, ann, proofOf(t, id, "request", sign(options["challenge"], his.device))).refused(t, 400, "webauthn_verification_failed")
	fresh.verify(t, annWhole, proofOf(t, freshID, "request", sign(freshOptions["challenge"], k.device))).refused(t, 400, "webauthn_verification_failed")

	id, _, options = k.wished(t, ann)
	good = proofOf(t, id, "request", sign(options["challenge"], k.device))
	if a := k.verify(t, ann, good); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	ann = d.signIn(t, hers)
	k.verify(t, ann, good).refused(t, 422, "mfa_challenge_expired") // once
	late := k.answers(t, ann)
	d.Clock.Advance(5*time.Minute + time.Second)
	ann = d.refresh(t, ann).said(t)
	k.verify(t, ann, late).refused(t, 422, "mfa_challenge_expired")
}

// TestAKeyRaisesOneSession sends one signature many times at once.
func TestAKeyRaisesOneSession(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	succeed := func(k key, s map[string]any, body string) (good int) {
		t.Helper()
		answers := make([]answer, 6)
		var wg sync.WaitGroup
		for i := range answers {
			wg.Go(func() { answers[i] = k.verify(t, s, body) })
		}
		wg.Wait()
		for _, a := range answers {
			if a.status == 200 {
				good++
			} else if a.status >= 500 {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		return good
	}
	k := d.begin(t, d.confirmed(t, email), "stick")
	k.device.Step = 0 // many authenticators do not count
	k.raise(t, d.signIn(t, email))
	half := d.signIn(t, email)
	if n := succeed(k, half, k.answers(t, half)); n != 1 {
		t.Errorf("one signature raised the session %d times", n)
	}
	s := d.confirmed(t, newAddress())
	fresh := d.begin(t, s, "fresh")
	if n := succeed(fresh, s, fresh.answers(t, s)); n != 1 {
		t.Errorf("one key was made %d times", n)
	}
}

// TestClonedFactorKey has a signature come whose counter somebody has been past already.
func TestClonedFactorKey(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	k, _ := d.hasKey(t, d.confirmed(t, email), "stick")
	k.device.Keys[0].Counter = 40
	k.raise(t, d.signIn(t, email))
	half := d.signIn(t, email)
	for _, counter := range []uint32{41, 40, 1, 0} {
		k.verify(t, half, k.answers(t, half, func(f *softkey.Draft) { f.Counter = counter })).refused(t, 400, "webauthn_verification_failed")
	}
	seen := d.told(t, email)
	if n := len(slices.DeleteFunc(seen, func(word string) bool { return word != "factor.cloned" })); n != 4 {
		t.Errorf("the audit log tells %d times of a clone", n)
	}
	k.device.Keys[0].Counter = 50
	k.raise(t, half)
}

// TestAFactorsKeyIsNoWayIn holds keys that are factors apart from passkeys: one signs nobody in, the other proves no factor.
func TestAFactorsKeyIsNoWayIn(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	passkey := phoneKey()
	d.addKey(t, s, passkey)
	k, s := d.hasKey(t, s, "stick")
	k.device.Return = func(handle []byte) string { return softkey.Base64(handle) }
	k.device.Flags |= softkey.Verified
	d.ask(t, "POST", "/passkeys/authentication/verify", d.signature(t, k.device)).refused(t, 400, "webauthn_verification_failed")
	asked := d.byHasura(t, "POST", "/signin/webauthn", `{"email":"`+email+`"}`).said(t)
	if len(asked["allowCredentials"].([]any)) != 1 {
		t.Errorf("the key of a factor is asked for at sign-in: %v", asked)
	}
	signed, err := k.device.Sign(k.device.Keys[0], asked["challenge"].(string))
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := json.Marshal(map[string]any{"credential": signed})
	if a := d.byHasura(t, "POST", "/signin/webauthn/verify", string(raw)); a.status != 400 {
		t.Errorf("%d %s", a.status, a.body)
	}
	if list := d.keysOf(t, s); len(list) != 1 {
		t.Errorf("passkeys %v", list)
	}
	if c := claims(t, d.byKey(t, passkey)); c["aal"] != "aal2" || c["factor_due"] != nil {
		t.Errorf("a passkey that saw who it is gives %v", c)
	}

	// An authenticator that has one is asked not to make the other.
	more := d.begin(t, s, "more")
	_, _, options := more.wished(t, s)
	another := d.ok(t, "POST", "/passkeys/registration/options", "", "Authorization", bearer(s))["options"].(map[string]any)
	for what, options := range map[string]map[string]any{"a factor": options, "a passkey": another} {
		var ids []string
		for _, c := range options["excludeCredentials"].([]any) {
			ids = append(ids, c.(map[string]any)["id"].(string))
		}
		if !slices.Contains(ids, softkey.Base64(k.device.Keys[0].ID)) || !slices.Contains(ids, softkey.Base64(passkey.Keys[0].ID)) {
			t.Errorf("%s may be made by what has the other: %v", what, ids)
		}
	}

	// A key is one or the other, and of one user.
	same := func(k key, s map[string]any, id []byte) answer {
		t.Helper()
		return k.verify(t, s, k.answers(t, s, func(f *softkey.Draft) { f.ID = id }))
	}
	bob := d.confirmed(t, newAddress())
	his := d.begin(t, bob, "his")
	same(his, bob, k.device.Keys[0].ID).refused(t, 422, "webauthn_credential_exists")
	same(his, bob, passkey.Keys[0].ID).refused(t, 422, "webauthn_credential_exists")
	if c := claims(t, d.refresh(t, bob).said(t)); c["aal"] != "aal1" {
		t.Errorf("%v", c)
	}
	as := d.wish(t, bob, phoneKey(), func(f *softkey.Draft) { f.ID = k.device.Keys[0].ID })
	d.ask(t, "POST", "/passkeys/registration/verify", as, "Authorization", bearer(bob)).refused(t, 422, "webauthn_credential_exists")

	// Nor does anybody begin an account with it.
	for taken, id := range map[bool][]byte{true: k.device.Keys[0].ID, false: []byte("a key that nobody has")} {
		made, err := phoneKey().Create(d.byHasura(t, "POST", "/signup/webauthn", `{"email":"`+newAddress()+`"}`).said(t), func(f *softkey.Draft) { f.ID = id })
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := json.Marshal(map[string]any{"credential": made})
		if a := d.byHasura(t, "POST", "/signup/webauthn/verify", string(raw)); (a.status != 200) != taken {
			t.Errorf("an account with a key that is a factor (%v): %d %s", taken, a.status, a.body)
		}
	}
}

// TestTokensOfOneFactorInTheSecondOfTheOther has the token that owed the factor answer for what only both may, in the same second that
// the session was raised in.
func TestTokensOfOneFactorInTheSecondOfTheOther(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	k, _ := d.hasKey(t, d.confirmed(t, email), "stick")
	half := d.signIn(t, email)
	whole := k.raise(t, half)
	more := d.begin(t, whole, "more")
	answers := more.answers(t, whole)
	more.verify(t, half, answers).refused(t, 403, "insufficient_aal")
	if a := more.verify(t, whole, answers); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestOneFactorAddsNoKey has a session that owes a factor enrol another, and finish one that was begun before there was any.
func TestOneFactorAddsNoKey(t *testing.T) {
	t.Parallel()
	d := withKeys(t, map[string]string{"AUTH_MFA_SIGN_INS": "password"})
	email := newAddress()
	whole := d.confirmed(t, email)
	before := d.begin(t, whole, "before")
	thief := d.signIn(t, email)
	k, whole := d.hasKey(t, whole, "stick")
	d.ask(t, "GET", "/user", "", "Authorization", bearer(thief)).refused(t, 403, "session_not_found")

	// Whoever began it may not be who has the factor now.
	d.ask(t, "POST", "/factors/"+before.factor+"/challenge", "{}", "Authorization", bearer(whole)).refused(t, 404, "mfa_factor_not_found")
	before = d.begin(t, whole, "before")
	half := d.signIn(t, email)
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"mine"}`, "Authorization", bearer(half)).refused(t, 403, "insufficient_aal")
	d.ask(t, "POST", "/factors/"+before.factor+"/challenge", "{}", "Authorization", bearer(half)).refused(t, 403, "insufficient_aal")
	d.ask(t, "DELETE", "/factors/"+k.factor, "", "Authorization", bearer(half)).refused(t, 422, "insufficient_aal")
	d.ask(t, "DELETE", "/factors/"+before.factor, "", "Authorization", bearer(half)).refused(t, 422, "insufficient_aal")
	id, _, options := before.wished(t, whole)
	made, err := before.device.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	before.verify(t, half, proofOf(t, id, "create", made)).refused(t, 422, "mfa_challenge_expired")

	// Somebody who came by a code, of which no second factor is asked here, has one factor all the same.
	d.Mail.Wait(t, email, 2)
	d.ok(t, "POST", "/otp", `{"email":"`+email+`"}`)
	code, _ := d.mailed(t, email, 3)
	byCode := d.ok(t, "POST", "/verify", `{"type":"email","email":"`+email+`","token":"`+code+`"}`)
	if c := claims(t, byCode); c["aal"] != "aal1" || c["factor_due"] != nil {
		t.Fatalf("%v", c)
	}
	for _, r := range [][3]string{
		{"POST", "/factors", `{"factor_type":"webauthn","friendly_name":"mine"}`}, {"DELETE", "/factors/" + k.factor, ""}, {"POST", "/passkeys/registration/options", ""}, {"POST", "/factors", `{"factor_type":"totp"}`},
	} {
		if a := d.ask(t, r[0], r[1], r[2], "Authorization", bearer(byCode)); a.code(t) != "insufficient_aal" {
			t.Errorf("%v: %d %s", r, a.status, a.body)
		}
	}
	d.ask(t, "POST", "/factors/"+before.factor+"/challenge", "{}", "Authorization", bearer(byCode)).refused(t, 403, "insufficient_aal")

	// An access token from before the session was raised answers no challenge that was asked for since.
	half = d.signIn(t, email)
	d.Clock.Advance(time.Second)
	raised := k.raise(t, byCode)
	before = d.begin(t, raised, "mine")
	answers := before.answers(t, raised)
	before.verify(t, byCode, answers).refused(t, 403, "insufficient_aal")
	before.verify(t, half, answers).refused(t, 403, "session_not_found") // it had proved one factor alone
	if a := before.verify(t, raised, answers); a.status != http.StatusOK {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// TestKeysOfTheLocked has people banned and factors taken off between the challenge and its answer.
func TestKeysOfTheLocked(t *testing.T) {
	t.Parallel()
	d := withKeys(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	email := newAddress()
	k, whole := d.hasKey(t, d.confirmed(t, email), "stick")
	half := d.signIn(t, email)
	body := k.answers(t, half)
	for column, code := range map[string]string{"banned_until = now() + interval '1 hour'": "user_banned", "banned_until = null, disabled = true": "user_banned"} {
		if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set `+column+` where email = $1`, email); err != nil {
			t.Fatal(err)
		}
		k.verify(t, half, body).refused(t, 403, code)
	}
	if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set banned_until = null, disabled = false where email = $1`, email); err != nil {
		t.Fatal(err)
	}
	d.ok(t, "DELETE", "/factors/"+k.factor, "", "Authorization", bearer(whole))
	if a := k.verify(t, half, body); a.status != 404 && a.status != 403 {
		t.Errorf("%d %s", a.status, a.body)
	}
	guest := d.ok(t, "POST", "/signup", `{}`)
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn"}`, "Authorization", bearer(guest)).refused(t, 403, "no_authorization")
	d.ask(t, "POST", "/factors", `{"factor_type":"webauthn"}`).refused(t, 401, "no_authorization")
}

// TestKeyAnswersThatAreNone sends what no authenticator makes, and pages that are elsewhere: never a 500.
func TestKeyAnswersThatAreNone(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	k := d.begin(t, s, "stick")
	as := []string{"Authorization", bearer(s)}
	for page, status := range map[string]int{
		`{"rpId":"evil.example.com"}`: 400, `{"rpOrigins":["https://evil.example.com"]}`: 400, `{"rpId":"app.example.com","rpOrigins":["` + appOrigin + `","https://evil.example.com"]}`: 400,
		`{"rpId":1}`: 400, `[]`: 400, `null`: 200, `{}`: 200, herePage: 200,
	} {
		if a := d.ask(t, "POST", "/factors/"+k.factor+"/challenge", `{"webauthn":`+page+`}`, as...); a.status != status {
			t.Errorf("%s: %d %s", page, a.status, a.body)
		}
	}
	id, _, options := k.wished(t, s)
	made, err := k.device.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	good := proofOf(t, id, "create", made)
	long := strings.Repeat("A", 100_000)
	for _, body := range []string{
		`{"challenge_id":"` + id + `","webauthn":{}}`,
		`{"challenge_id":"` + id + `","webauthn":{"type":"create"}}`,
		`{"challenge_id":"` + id + `","webauthn":{"type":"create","credential_response":null}}`,
		`{"challenge_id":"` + id + `","webauthn":{"type":"create","credential_response":7}}`,
		`{"challenge_id":"` + id + `","webauthn":{"type":"create","credential_response":{"id":"` + long + `","rawId":"` + long + `","type":"public-key","response":{}}}}`,
		strings.Replace(good, `"create"`, `"steal"`, 1),
		strings.Replace(good, `"create"`, `"request"`, 1),
		strings.Replace(good, `"attestationObject":"`, `"attestationObject":"`+long, 1),
		strings.Replace(good, `"rpId":"app.example.com"`, `"rpId":"evil.example.com"`, 1),
		strings.Replace(good, appOrigin, "https://evil.example.com", 1),
		`{"challenge_id":"` + id + `","code":"123456"}`,
	} {
		if a := k.verify(t, s, body); a.status != 400 && a.status != 422 {
			t.Errorf("%.200s: %d %s", body, a.status, a.body)
		}
	}
	if a := k.verify(t, s, `{"challenge_id":"`+id+`","x":"`+strings.Repeat("a", 2<<20)+`"}`); a.status != 413 {
		t.Errorf("%d %.100s", a.status, a.body)
	}
	for name, change := range map[string]func(*softkey.Draft){
		"another origin":      func(f *softkey.Draft) { f.ClientData["origin"] = "https://evil.example.com" },
		"another domain":      func(f *softkey.Draft) { f.RPID = "evil.example.com" },
		"another challenge":   func(f *softkey.Draft) { f.ClientData["challenge"] = softkey.Base64(make([]byte, 32)) },
		"nobody was there":    func(f *softkey.Draft) { f.Flags &^= softkey.Present },
		"another question":    func(f *softkey.Draft) { f.ClientData["type"] = "webauthn.get" },
		"nonsense at the end": func(f *softkey.Draft) { f.Trailing = []byte("x") },
	} {
		a := k.verify(t, s, k.answers(t, s, change))
		if a.refused(t, 400, "webauthn_verification_failed"); t.Failed() {
			t.Fatal(name)
		}
	}
	k.device.Keys = nil
	k.raise(t, s)
	half := d.signIn(t, email)
	for name, change := range map[string]func(*softkey.Draft){
		"another origin":   func(f *softkey.Draft) { f.ClientData["origin"] = "https://evil.example.com" },
		"another domain":   func(f *softkey.Draft) { f.RPID = "evil.example.com" },
		"nobody was there": func(f *softkey.Draft) { f.Flags &^= softkey.Present },
		"another hand":     func(f *softkey.Draft) { f.Signed = func(s []byte) []byte { s[len(s)-1] ^= 1; return s } },
		"another user":     func(f *softkey.Draft) { f.Handle = []byte(tokens.NewUUID()) },
	} {
		k.device.Return = func(handle []byte) string { return softkey.Base64(handle) }
		a := k.verify(t, half, k.answers(t, half, change))
		if a.refused(t, 400, "webauthn_verification_failed"); t.Failed() {
			t.Fatal(name)
		}
	}
}

// TestKeysAreOffUnlessAskedFor has the door say so; who has one goes on proving it.
func TestKeysAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	k, _ := d.hasKey(t, d.confirmed(t, email), "stick")
	off := door{d.With(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1", "AUTH_WEBAUTHN_RP_ID": "app.example.com", "AUTH_WEBAUTHN_RP_ORIGINS": appOrigin})}
	half := off.signIn(t, email)
	if c := claims(t, half); c["factor_due"] != true {
		t.Errorf("%v", c)
	}
	k.door = off
	whole := k.raise(t, half)
	off.ask(t, "POST", "/factors", `{"factor_type":"webauthn","friendly_name":"x"}`, "Authorization", bearer(whole)).refused(t, 422, "mfa_webauthn_enroll_not_enabled")
	fresh := d.begin(t, whole, "x")
	body := fresh.answers(t, whole)
	fresh.door = off
	off.ask(t, "POST", "/factors/"+fresh.factor+"/challenge", "{}", "Authorization", bearer(whole)).refused(t, 422, "mfa_webauthn_verify_not_enabled")
	fresh.verify(t, whole, body).refused(t, 422, "mfa_webauthn_verify_not_enabled")

	// Where no domain is known, nobody can prove a key; who has one is not let in without.
	nowhere := door{d.With(t, map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1", "AUTH_CLIENT_URL": "http://127.0.0.1:3000"})}
	half = nowhere.signIn(t, email)
	if c := claims(t, half); c["factor_due"] != true {
		t.Errorf("%v", c)
	}
	nowhere.ask(t, "POST", "/factors/"+k.factor+"/challenge", "{}", "Authorization", bearer(half)).refused(t, 422, "mfa_webauthn_verify_not_enabled")
	body = k.answers(t, half)
	nowhere.ask(t, "POST", "/factors/"+k.factor+"/verify", body, "Authorization", bearer(half)).refused(t, 422, "mfa_webauthn_verify_not_enabled")
}

// TestLostKeys has people whose key is gone: a recovery code stands in for it, and operators take it off.
func TestLostKeys(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	k, whole := d.hasKey(t, d.confirmed(t, email), "stick")
	made := d.byHasura(t, "POST", "/mfa/recovery-codes", `{}`, "Authorization", bearer(whole))
	codes, _ := made.said(t)["recoveryCodes"].([]any)
	if made.status != 200 || len(codes) < 2 {
		t.Fatalf("%+v", made)
	}
	half := d.signIn(t, email)
	id, _, _ := k.wished(t, half)
	prove := func(code string) answer {
		t.Helper()
		return d.prove(t, half, k.factor, id, code)
	}
	prove("123456").refused(t, 400, "webauthn_verification_failed")
	a := prove(codes[0].(string))
	if a.status != 200 || methods(t, a.said(t))[0] != "recovery-code" || claims(t, a.said(t))["aal"] != "aal2" {
		t.Errorf("%+v", a)
	}
	half = d.signIn(t, email)
	id, _, _ = k.wished(t, half)
	prove(codes[0].(string)).refused(t, 422, "mfa_verification_failed") // once

	user := whole["user"].(map[string]any)["id"].(string)
	list := d.admin(t, "GET", "/admin/users/"+user+"/factors", "")
	if !strings.Contains(list.body, `"factor_type":"webauthn"`) || !strings.Contains(list.body, `"status":"verified"`) || strings.Contains(list.body, "public_key") {
		t.Errorf("%+v", list)
	}
	if f := d.ok(t, "DELETE", "/admin/users/"+user+"/factors/"+k.factor, "", "Authorization", serviceKey()); f["id"] != k.factor || f["factor_type"] != "webauthn" {
		t.Errorf("%v", f)
	}
	d.ask(t, "GET", "/user", "", "Authorization", bearer(half)).refused(t, 403, "session_not_found")
	s := d.signIn(t, email)
	if c := claims(t, s); c["factor_due"] != nil || c["aal"] != "aal1" {
		t.Errorf("%v", c)
	}
	// The stick may be registered anew, and the codes of the one that is gone are worth nothing.
	k.device.Keys = k.device.Keys[:1]
	again := key{d, d.begin(t, s, "stick").factor, k.device}
	again.raise(t, s)
	half = d.signIn(t, email)
	id, _, _ = again.wished(t, half)
	d.prove(t, half, again.factor, id, codes[1].(string)).refused(t, 422, "mfa_verification_failed")
}

// TestKeysBesideAnApp has a user with factors of two kinds: either will do, and which is gone is not asked for.
func TestKeysBesideAnApp(t *testing.T) {
	t.Parallel()
	d := withKeys(t, nil)
	email := newAddress()
	d.confirmed(t, email)
	app := d.enrolled(t, email)
	k, whole := d.hasKey(t, app.raise(t, d.signIn(t, email)), "stick")
	if f := factorsOf(t, d, whole); len(f) != 2 {
		t.Errorf("%v", f)
	}
	k.raise(t, d.signIn(t, email))
	whole = app.raise(t, d.signIn(t, email))
	id, _, options := k.wished(t, whole)
	signed, err := k.device.Get(options)
	if err != nil {
		t.Fatal(err)
	}
	app.prove(t, whole, app.factor, id, app.code(t)).refused(t, 422, "mfa_challenge_expired") // of the other factor
	other := d.challenge(t, whole, app.factor)
	app.verifyBody(t, whole, proofOf(t, other, "request", signed)).refused(t, 422, "mfa_verification_failed")
	d.ok(t, "DELETE", "/factors/"+app.factor, "", "Authorization", bearer(whole))
	half := d.signIn(t, email)
	if c := claims(t, half); c["factor_due"] != true {
		t.Errorf("the key is asked for no more: %v", c)
	}
	k.raise(t, half)
}

func (a *authenticator) verifyBody(t testing.TB, session map[string]any, body string) answer {
	t.Helper()
	return a.ask(t, "POST", "/factors/"+a.factor+"/verify", body, "Authorization", bearer(session))
}

// TestWhoHasAKeySignsInWhereKeysAreAskedFor tries the doors that know no keys: nobody gets in there with one factor.
func TestWhoHasAKeySignsInWhereKeysAreAskedFor(t *testing.T) {
	t.Parallel()
	d := withKeys(t, map[string]string{"AUTH_MFA_ENABLED": "true", "AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"})
	email := newAddress()
	k, _ := d.hasKey(t, d.confirmed(t, email), "stick")
	a := d.byHasura(t, "POST", "/signin/email-password", credentials(email, password))
	if a.status == 200 || strings.Contains(a.body, "refreshToken") || strings.Contains(a.body, "ticket") {
		t.Errorf("%+v", a)
	}
	half := d.signIn(t, email)
	if a := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+half["refresh_token"].(string)+`"}`); a.status != 401 {
		t.Errorf("%+v", a)
	}
	if a := d.byHasura(t, "GET", "/user", "", "Authorization", bearer(half)); a.status != 401 {
		t.Errorf("%+v", a)
	}
	whole := k.raise(t, half)
	if a := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+whole["refresh_token"].(string)+`"}`); a.status != 200 {
		t.Errorf("%+v", a)
	}
}

// TestKeyHook has a hook told of keys, and refuse a good one.
func TestKeyHook(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	var mu sync.Mutex
	var seen []hooks.FactorChecked
	deny := false
	err := h.FactorChecked.Bind(hooks.Binding[hooks.FactorChecked]{Name: "factor", Kind: hooks.Vetoer, Timeout: time.Minute, Ask: func(_ context.Context, e hooks.FactorChecked) (func(*hooks.FactorChecked) error, error) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, e)
		if deny {
			return nil, &hooks.Denied{Status: 403, Code: "mfa_verification_rejected", Message: "not today", EndSessions: true}
		}
		return nil, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := door{testhouse.Open(t, map[string]string{
		"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_MFA_WEBAUTHN_ENABLED": "true", "AUTH_WEBAUTHN_RP_ID": "app.example.com", "AUTH_WEBAUTHN_RP_ORIGINS": appOrigin,
	}, func(o *house.Options) { o.Hooks = h })}
	email := newAddress()
	k, _ := d.hasKey(t, d.confirmed(t, email), "stick")
	half := d.signIn(t, email)
	k.verify(t, half, k.answers(t, half, func(f *softkey.Draft) { f.Signed = func(s []byte) []byte { s[len(s)-1] ^= 1; return s } })).refused(t, 400, "webauthn_verification_failed")
	mu.Lock()
	deny = true
	mu.Unlock()
	k.verify(t, half, k.answers(t, half)).refused(t, 403, "mfa_verification_rejected")
	d.ask(t, "GET", "/user", "", "Authorization", bearer(half)).refused(t, 403, "session_not_found")
	mu.Lock()
	defer mu.Unlock()
	var valid []bool
	for _, e := range seen {
		if valid = append(valid, e.Valid); e.Type != "webauthn" || e.FactorID != k.factor {
			t.Errorf("the hook heard %+v", e)
		}
	}
	if diff := cmp.Diff([]bool{true, false, true}, valid); diff != "" {
		t.Errorf("the hook heard: %s", diff)
	}
}

// FuzzKeyAnswers sends anything as what an authenticator answered: no answer is a 500, and nobody is raised by it.
func FuzzKeyAnswers(f *testing.F) {
	d := withKeys(f, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "false"})
	email := newAddress()
	k, _ := d.hasKey(f, d.confirmed(f, email), "stick")
	half := d.signIn(f, email)
	wait := k.answers(f, half)
	f.Add(wait[strings.Index(wait, `"webauthn":`)+len(`"webauthn":`) : len(wait)-1])
	f.Add(`{"type":"create","credential_response":{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","attestationObject":"oA"}}}`)
	f.Add(`{"type":"request","rpId":"app.example.com","rpOrigins":["https://app.example.com",null],"credential_response":{"id":"AA","rawId":"AA","type":"public-key","response":{"clientDataJSON":"e30","authenticatorData":"AA","signature":"AA","userHandle":null}}}`)
	f.Add(`{"type":"request","credential_response":[{}]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, answer string) {
		for path, body := range map[string]string{
			"/verify":    `{"challenge_id":"` + tokens.NewUUID() + `","webauthn":` + answer + `}`,
			"/challenge": `{"webauthn":` + answer + `}`,
		} {
			req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/auth/v1/factors/"+k.factor+path, strings.NewReader(body))
			req.Header.Set("Authorization", bearer(half))
			rec := httptest.NewRecorder()
			d.Handler.ServeHTTP(rec, req)
			said := rec.Body.String()
			if rec.Code >= 500 || !json.Valid([]byte(said)) || path == "/verify" && rec.Code == http.StatusOK || rec.Code != http.StatusOK && !strings.Contains(said, `"error_code"`) {
				t.Fatalf("%s %q: %d %s", path, body, rec.Code, said)
			}
		}
	})
}

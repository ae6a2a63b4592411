package gotrue_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/softkey"
	"postern/tokens"
)

const appOrigin = "https://app.example.com"

// withPasskeys opens a house where people sign in by passkeys.
func withPasskeys(t testing.TB, more map[string]string) door {
	t.Helper()
	settings := map[string]string{"AUTH_WEBAUTHN_ENABLED": "true", "AUTH_WEBAUTHN_RP_ID": "app.example.com", "AUTH_WEBAUTHN_RP_ORIGINS": appOrigin}
	for name, value := range more {
		settings[name] = value
	}
	return open(t, settings)
}

// phoneKey is an authenticator in a browser whose client library reads bytes as base64url, as Supabase's does.
func phoneKey() *softkey.Device {
	d := softkey.New(appOrigin)
	d.Handle = func(id string) []byte {
		raw, _ := base64.RawURLEncoding.DecodeString(id)
		return raw
	}
	d.Return = func(handle []byte) string { return base64.RawURLEncoding.EncodeToString(handle) }
	return d
}

// unverified is a security key that asks for no PIN.
func unverified() *softkey.Device {
	d := phoneKey()
	d.Flags, d.Step = softkey.Present, 1
	return d
}

// answered is the body that answers a challenge.
func answered(t testing.TB, challenge string, credential softkey.Answer) string {
	t.Helper()
	raw, err := json.Marshal(map[string]any{"challenge_id": challenge, "credential": credential})
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// wish asks for a new key, and has a device make it: it is ready to be sent.
func (d door) wish(t testing.TB, session map[string]any, device *softkey.Device, change ...func(*softkey.Draft)) string {
	t.Helper()
	asked := d.ok(t, "POST", "/passkeys/registration/options", "{}", "Authorization", bearer(session))
	made, err := device.Create(asked["options"], change...)
	if err != nil {
		t.Fatal(err)
	}
	return answered(t, asked["challenge_id"].(string), made)
}

// addKey registers a key of a device.
func (d door) addKey(t testing.TB, session map[string]any, device *softkey.Device) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/passkeys/registration/verify", d.wish(t, session, device), "Authorization", bearer(session))
}

// signature asks for a signature, and has a device give it: it is ready to be sent.
func (d door) signature(t testing.TB, device *softkey.Device, change ...func(*softkey.Draft)) string {
	t.Helper()
	asked := d.ok(t, "POST", "/passkeys/authentication/options", `{"gotrue_meta_security":{"captcha_token":null}}`)
	made, err := device.Get(asked["options"], change...)
	if err != nil {
		t.Fatal(err)
	}
	return answered(t, asked["challenge_id"].(string), made)
}

// byKey signs in with a device.
func (d door) byKey(t testing.TB, device *softkey.Device) map[string]any {
	t.Helper()
	return d.ok(t, "POST", "/passkeys/authentication/verify", d.signature(t, device))
}

func (d door) keysOf(t testing.TB, session map[string]any) (list []map[string]any) {
	t.Helper()
	a := d.ask(t, "GET", "/passkeys", "", "Authorization", bearer(session))
	if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return list
}

// TestPasskeys goes all the way: register, list, sign in, rename, delete.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, nil)
	if d.ok(t, "GET", "/settings", "")["passkeys_enabled"] != true {
		t.Error("the settings do not tell of passkeys")
	}
	email := newAddress()
	s := d.confirmed(t, email)
	other := d.signIn(t, email)
	as := []string{"Authorization", bearer(s)}
	if got := d.keysOf(t, s); len(got) != 0 {
		t.Errorf("%v", got)
	}

	asked := d.ok(t, "POST", "/passkeys/registration/options", "", as...)
	options := asked["options"].(map[string]any)
	want := map[string]any{"requireResidentKey": true, "residentKey": "required", "userVerification": "preferred"}
	if diff := cmp.Diff(want, options["authenticatorSelection"]); diff != "" || options["attestation"] != "none" {
		t.Errorf("options %v: %s", options, diff)
	}
	if ends := asked["expires_at"].(float64) - float64(d.Clock.Now().Unix()); ends < 295 || ends > 300 {
		t.Errorf("a challenge is good for %v s", ends)
	}
	device := phoneKey()
	device.AAGUID = [16]byte{0xba, 0xda, 0x55, 0x66, 0xa7, 0xaa, 0x40, 0x1f, 0xbd, 0x96, 0x45, 0x61, 0x9a, 0x55, 0x12, 0x0d}
	key := d.addKey(t, s, device)
	if key["friendly_name"] != "1Password" || key["created_at"] == nil || !tokens.IsUUID(key["id"].(string)) {
		t.Errorf("registered %v", key)
	}
	d.Mail.Wait(t, email, 2)
	d.ask(t, "GET", "/user", "", "Authorization", bearer(other)).refused(t, 403, "session_not_found") // a new way in ends the others
	if list := d.keysOf(t, s); len(list) != 1 || list[0]["last_used_at"] != nil {
		t.Errorf("%v", list)
	}
	again := d.ok(t, "POST", "/passkeys/registration/options", "", as...)["options"].(map[string]any)
	if len(again["excludeCredentials"].([]any)) != 1 {
		t.Errorf("the authenticator is not told what it has already: %v", again)
	}

	request := d.ok(t, "POST", "/passkeys/authentication/options", "{}")["options"].(map[string]any)
	if request["allowCredentials"] != nil || request["rpId"] != "app.example.com" || request["userVerification"] != "preferred" {
		t.Errorf("options %v", request)
	}
	in := d.byKey(t, device)
	if c := claims(t, in); c["email"] != email || c["aal"] != "aal2" || c["factor_due"] != nil {
		t.Errorf("a key that saw who it is gives %v", c)
	}
	if diff := cmp.Diff([]string{"passkey"}, methods(t, in)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	if list := d.keysOf(t, in); list[0]["last_used_at"] == nil {
		t.Errorf("%v", list)
	}

	path := "/passkeys/" + key["id"].(string)
	if got := d.ok(t, "PATCH", path, `{"friendly_name":"Ann's"}`, as...); got["friendly_name"] != "Ann's" || got["id"] != key["id"] {
		t.Errorf("%v", got)
	}
	for _, body := range []string{`{}`, `{"friendly_name":""}`, `{"friendly_name":"` + strings.Repeat("x", 121) + `"}`, `{"friendly_name":"a\nb"}`} {
		d.ask(t, "PATCH", path, body, as...).refused(t, 400, "validation_failed")
	}
	if a := d.ask(t, "DELETE", path, "", as...); a.status != http.StatusNoContent || a.body != "" {
		t.Errorf("%+v", a)
	}
	d.ask(t, "DELETE", path, "", as...).refused(t, 404, "webauthn_credential_not_found")
	d.ask(t, "PATCH", path, `{"friendly_name":"x"}`, as...).refused(t, 404, "webauthn_credential_not_found")
	d.ask(t, "DELETE", "/passkeys/nonsense", "", as...).refused(t, 404, "validation_failed")
	d.ask(t, "POST", "/passkeys/authentication/verify", d.signature(t, device)).refused(t, 400, "webauthn_verification_failed")
	seen := d.told(t, email)
	for _, word := range []string{"passkey.added", "passkey.renamed", "passkey.removed"} {
		if !slices.Contains(seen, word) {
			t.Errorf("the audit log lacks %s: %v", word, seen)
		}
	}
}

// TestPasskeysAreThoseOfTheOtherDoor signs in here with a key that was made there, and there with one that was made here.
func TestPasskeysAreThoseOfTheOtherDoor(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, nil)
	s := d.confirmed(t, newAddress())
	here := phoneKey()
	d.addKey(t, s, here)
	a := d.byHasura(t, "POST", "/signin/webauthn", "{}")
	signed, err := here.Get(a.said(t))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(map[string]any{"credential": signed})
	if err != nil {
		t.Fatal(err)
	}
	if a := d.byHasura(t, "POST", "/signin/webauthn/verify", string(raw)); a.status != 200 || !strings.Contains(a.body, "refreshToken") {
		t.Errorf("%d %s", a.status, a.body)
	}

	there := softkey.New(appOrigin)
	made, err := there.Create(d.byHasura(t, "POST", "/user/webauthn/add", "", "Authorization", bearer(s)).said(t))
	if err != nil {
		t.Fatal(err)
	}
	if raw, err = json.Marshal(map[string]any{"credential": made, "nickname": "there"}); err != nil {
		t.Fatal(err)
	}
	if a := d.byHasura(t, "POST", "/user/webauthn/verify", string(raw), "Authorization", bearer(s)); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if got := d.keysOf(t, d.byKey(t, there)); len(got) != 2 || got[1]["friendly_name"] != "there" {
		t.Errorf("%v", got)
	}
}

// TestPasskeyChallengesAreUsedOnce tries what answers a challenge that is not the one of who asks, now.
func TestPasskeyChallengesAreUsedOnce(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, nil)
	ann, bob := d.confirmed(t, newAddress()), d.confirmed(t, newAddress())
	device := phoneKey()
	body := d.wish(t, ann, device)
	d.ask(t, "POST", "/passkeys/registration/verify", body, "Authorization", bearer(bob)).refused(t, 400, "webauthn_verification_failed")
	d.ask(t, "POST", "/passkeys/registration/verify", body, "Authorization", bearer(ann)).refused(t, 400, "webauthn_challenge_not_found")
	d.ask(t, "POST", "/passkeys/registration/verify", body).refused(t, 401, "no_authorization")

	body = d.wish(t, ann, device)
	var sent map[string]any
	if err := json.Unmarshal([]byte(body), &sent); err != nil {
		t.Fatal(err)
	}
	for id, code := range map[string]string{tokens.NewUUID(): "webauthn_challenge_not_found", "": "validation_failed", "x": "validation_failed"} {
		sent["challenge_id"] = id
		raw, _ := json.Marshal(sent)
		d.ask(t, "POST", "/passkeys/registration/verify", string(raw), "Authorization", bearer(ann)).refused(t, 400, code)
	}
	for _, body := range []string{`,"credential":null`, `,"credential":{"id":"A A","rawId":"A A","type":"public-key","response":{}}`} {
		body = `{"challenge_id":"` + tokens.NewUUID() + `"` + body + `}`
		d.ask(t, "POST", "/passkeys/registration/verify", body, "Authorization", bearer(ann)).refused(t, 400, "validation_failed")
		d.ask(t, "POST", "/passkeys/authentication/verify", body).refused(t, 400, "validation_failed")
	}

	d.addKey(t, ann, device)
	body = d.signature(t, device)
	const many = 6
	answers := make([]answer, many)
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() { answers[i] = d.ask(t, "POST", "/passkeys/authentication/verify", body) })
	}
	wg.Wait()
	good := 0
	for _, a := range answers {
		if a.status == 200 {
			good++
		} else {
			a.refused(t, 400, "webauthn_challenge_not_found")
		}
	}
	if good != 1 {
		t.Errorf("one signature signed in %d times", good)
	}
	body = d.signature(t, device)
	d.Clock.Advance(5*time.Minute + time.Second)
	d.ask(t, "POST", "/passkeys/authentication/verify", body).refused(t, 400, "webauthn_challenge_not_found")
	// A challenge to register does not sign in, and the other way round.
	asked := d.ok(t, "POST", "/passkeys/registration/options", "", "Authorization", bearer(ann))
	signed, err := device.Get(map[string]any{"challenge": asked["options"].(map[string]any)["challenge"], "rpId": "app.example.com"})
	if err != nil {
		t.Fatal(err)
	}
	d.ask(t, "POST", "/passkeys/authentication/verify", answered(t, asked["challenge_id"].(string), signed)).refused(t, 400, "webauthn_challenge_not_found")
	elsewhere := d.signature(t, device, func(f *softkey.Draft) { f.ClientData["origin"] = "https://evil.example.com" })
	d.ask(t, "POST", "/passkeys/authentication/verify", elsewhere).refused(t, 400, "webauthn_verification_failed")
}

// TestTooManyPasskeys has somebody add more than they may, at once: challenges that were given before count, too.
func TestTooManyPasskeys(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, map[string]string{"AUTH_WEBAUTHN_USER_LIMIT": "2"})
	s := d.confirmed(t, newAddress())
	const many = 6
	bodies, answers := make([]string, many), make([]answer, many)
	for i := range many {
		bodies[i] = d.wish(t, s, phoneKey())
	}
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			answers[i] = d.ask(t, "POST", "/passkeys/registration/verify", bodies[i], "Authorization", bearer(s))
		})
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != 200 {
			a.refused(t, 422, "too_many_passkeys")
		}
	}
	if n := len(d.keysOf(t, s)); n != 2 {
		t.Errorf("%d keys", n)
	}
	d.ask(t, "POST", "/passkeys/registration/options", "", "Authorization", bearer(s)).refused(t, 422, "too_many_passkeys")
}

// TestPasskeysOfOthers tries keys that somebody has already, guests, the banned, and those who have not confirmed their address.
func TestPasskeysOfOthers(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	email := newAddress()
	ann, bob := d.confirmed(t, email), d.confirmed(t, newAddress())
	device := phoneKey()
	key := d.addKey(t, ann, device)
	same := d.wish(t, bob, device, func(f *softkey.Draft) { f.ID, f.Key.ID = device.Keys[0].ID, device.Keys[0].ID })
	d.ask(t, "POST", "/passkeys/registration/verify", same, "Authorization", bearer(bob)).refused(t, 422, "webauthn_credential_exists")
	device.Keys = device.Keys[:1]
	for _, r := range []struct{ method, body string }{{"PATCH", `{"friendly_name":"mine"}`}, {"DELETE", ""}} {
		d.ask(t, r.method, "/passkeys/"+key["id"].(string), r.body, "Authorization", bearer(bob)).refused(t, 404, "webauthn_credential_not_found")
	}
	guest := d.ok(t, "POST", "/signup", `{}`)
	d.ask(t, "POST", "/passkeys/registration/options", "", "Authorization", bearer(guest)).refused(t, 403, "no_authorization")
	d.ask(t, "GET", "/passkeys", "", "Authorization", bearer(guest)).refused(t, 403, "no_authorization")

	for column, code := range map[string]string{"banned_until = now() + interval '1 hour'": "user_banned", "banned_until = null, email_verified = false": "email_not_confirmed"} {
		if _, err := d.Store.Pool().Exec(t.Context(), `update auth.users set `+column+` where email = $1`, email); err != nil {
			t.Fatal(err)
		}
		d.ask(t, "POST", "/passkeys/authentication/verify", d.signature(t, device)).refused(t, 403, code)
	}
}

// TestOneFactorKeepsOffPasskeys has who has proved one of two factors neither add nor change keys, and a key that does not know
// whose hand holds it be one factor.
func TestOneFactorKeepsOffPasskeys(t *testing.T) {
	t.Parallel()
	d := withPasskeys(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	phone, plain := phoneKey(), unverified()
	d.addKey(t, s, phone)
	key := d.addKey(t, s, plain)
	app := d.enrolled(t, email)
	for name, half := range map[string]map[string]any{"a password": d.signIn(t, email), "a key without a PIN": d.byKey(t, plain)} {
		if c := claims(t, half); c["aal"] != "aal1" || c["factor_due"] != true || c["https://hasura.io/jwt/claims"] != nil {
			t.Errorf("%s gives %v", name, c)
		}
		as := []string{"Authorization", bearer(half)}
		d.ask(t, "POST", "/passkeys/registration/options", "", as...).refused(t, 403, "insufficient_aal")
		d.ask(t, "PATCH", "/passkeys/"+key["id"].(string), `{"friendly_name":"x"}`, as...).refused(t, 403, "insufficient_aal")
		d.ask(t, "DELETE", "/passkeys/"+key["id"].(string), "", as...).refused(t, 403, "insufficient_aal")
	}
	if c := claims(t, d.byKey(t, phone)); c["aal"] != "aal2" || c["factor_due"] != nil {
		t.Errorf("a key with a PIN gives %v", c)
	}
	whole := app.raise(t, d.byKey(t, plain))
	if diff := cmp.Diff([]string{"totp", "passkey"}, methods(t, whole)); diff != "" {
		t.Errorf("amr: %s", diff)
	}
	d.addKey(t, whole, phoneKey())
}

// TestPasskeysAreOffUnlessAskedFor has the paths say so.
func TestPasskeysAreOffUnlessAskedFor(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	s := d.confirmed(t, newAddress())
	for _, r := range [][2]string{
		{"POST", "/passkeys/registration/options"},
		{"POST", "/passkeys/registration/verify"},
		{"POST", "/passkeys/authentication/options"},
		{"POST", "/passkeys/authentication/verify"},
		{"GET", "/passkeys"},
		{"PATCH", "/passkeys/x"},
		{"DELETE", "/passkeys/x"},
	} {
		d.ask(t, r[0], r[1], "{}", "Authorization", bearer(s)).refused(t, 404, "passkey_disabled")
	}
}

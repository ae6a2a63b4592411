package hasura_test

import (
	"encoding/json"
	"strings"
	"testing"

	"postern/internal/softkey"
)

// nobodysID is an id that nothing has.
const nobodysID = "00000000-0000-4000-8000-000000000000"

// passkeysAlone are the settings of a house with no other way in but passwords.
func passkeysAlone(more ...string) map[string]string {
	m := map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "false", "AUTH_OTP_EMAIL_ENABLED": "false", "AUTH_SMS_PASSWORDLESS_ENABLED": "false", "AUTH_MFA_ENABLED": "false"}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// device is an authenticator in a browser at the application.
func device() *softkey.Device { return softkey.New(clientURL) }

// securityKey is an authenticator that keeps no user, verifies nobody, counts, and is never copied.
func securityKey() *softkey.Device {
	d := device()
	d.Flags, d.Step, d.Handle = softkey.Present, 1, func(string) []byte { return nil }
	return d
}

// plain turns a credential into what request bodies are made of.
func plain(t testing.TB, a softkey.Answer) fields {
	t.Helper()
	raw, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	var convert func(m map[string]any) fields
	convert = func(m map[string]any) fields {
		f := fields{}
		for k, v := range m {
			if inner, ok := v.(map[string]any); ok {
				v = convert(inner)
			}
			f[k] = v
		}
		return f
	}
	return convert(m)
}

// strangeKey is a good answer to a challenge that is none of ours.
func strangeKey(t testing.TB) fields {
	t.Helper()
	answer, err := device().Create(map[string]any{
		"rp": map[string]any{"id": "app.example.com"}, "user": map[string]any{"id": nobodysID}, "challenge": strings.Repeat("c", 42) + "A", "pubKeyCredParams": []any{map[string]any{"alg": softkey.ES256}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return plain(t, answer)
}

// strangeSignature is the same for a signature.
func strangeSignature(t testing.TB) fields {
	t.Helper()
	key, err := softkey.NewKey(softkey.ES256)
	if err != nil {
		t.Fatal(err)
	}
	key.Handle = []byte(nobodysID)
	answer, err := device().Sign(key, strings.Repeat("c", 42)+"A")
	if err != nil {
		t.Fatal(err)
	}
	return plain(t, answer)
}

// create lets a device answer the creation options of an endpoint.
func (a answer) create(t testing.TB, d *softkey.Device, change ...func(*softkey.Draft)) fields {
	t.Helper()
	made, err := d.Create(a.is(t, 200, "").body, change...)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return plain(t, made)
}

// sign lets a device answer the request options of an endpoint.
func (a answer) sign(t testing.TB, d *softkey.Device, change ...func(*softkey.Draft)) fields {
	t.Helper()
	made, err := d.Get(a.is(t, 200, "").body, change...)
	if err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	return plain(t, made)
}

// addPasskey adds a key of a device to a signed-in user and gives its id.
func (d doorway) addPasskey(t testing.TB, token string, key *softkey.Device, nickname string) (id string) {
	t.Helper()
	body := fields{"credential": d.ask(t, "POST", "/user/webauthn/add", nil, bearer(token)).create(t, key)}
	if nickname != "" {
		body["nickname"] = nickname
	}
	id, _ = d.ask(t, "POST", "/user/webauthn/verify", body, bearer(token)).is(t, 200, "").object(t)["id"].(string)
	return id
}

// passkeyPerson makes a user with a passkey and nothing else, signed in by it.
func (d doorway) passkeyPerson(t testing.TB, key *softkey.Device) person {
	t.Helper()
	email := newAddress()
	credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
	d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).is(t, 200, "")
	d.sql(t, `update auth.users set email_verified = true where email = $1::text::public.citext`, email)
	return person{d.passkeySignIn(t, key, ""), email, ""}
}

// passkeySignIn signs in by a key of a device.
func (d doorway) passkeySignIn(t testing.TB, key *softkey.Device, email string) fullSession {
	t.Helper()
	body := fields{}
	if email != "" {
		body["email"] = email
	}
	credential := d.ask(t, "POST", "/signin/webauthn", body).sign(t, key)
	return d.ask(t, "POST", "/signin/webauthn/verify", fields{"credential": credential}).session(t)
}

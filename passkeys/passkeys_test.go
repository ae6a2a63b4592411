package passkeys_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/internal/softkey"
	"postern/passkeys"
)

const (
	origin = "https://app.example.com"
	userID = "4b7c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59"
)

// open makes a relying party for the application of the tests.
func open(t testing.TB, change ...func(*passkeys.Settings)) *passkeys.RP {
	t.Helper()
	s := passkeys.Settings{Timeout: time.Minute}
	for _, c := range change {
		c(&s)
	}
	rp, err := passkeys.Open(s, origin+"/start")
	if err != nil {
		t.Fatal(err)
	}
	return rp
}

// wish is what a server asks a device for.
func wish(rp *passkeys.RP) (challenge string, creation map[string]any) {
	challenge = passkeys.NewChallenge()
	var params []map[string]any
	for _, alg := range passkeys.Algorithms() {
		params = append(params, map[string]any{"type": "public-key", "alg": alg})
	}
	return challenge, map[string]any{"rp": map[string]any{"id": rp.ID}, "user": map[string]any{"id": userID}, "challenge": challenge, "pubKeyCredParams": params}
}

func bytesOf(t testing.TB, a map[string]any, name string) []byte {
	t.Helper()
	s, _ := a[name].(string)
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func created(t testing.TB, a softkey.Answer) passkeys.Created {
	t.Helper()
	return passkeys.Created{
		CredentialID: bytesOf(t, a, "id"), ClientData: bytesOf(t, a.Response(), "clientDataJSON"), AttestationObject: bytesOf(t, a.Response(), "attestationObject"),
	}
}

func asserted(t testing.TB, a softkey.Answer) passkeys.Asserted {
	t.Helper()
	handle, _ := a.Response()["userHandle"].(string)
	return passkeys.Asserted{
		CredentialID: bytesOf(t, a, "id"), ClientData: bytesOf(t, a.Response(), "clientDataJSON"),
		AuthenticatorData: bytesOf(t, a.Response(), "authenticatorData"), Signature: bytesOf(t, a.Response(), "signature"), UserHandle: handle,
	}
}

// register makes a key in the device and gives what the server keeps of it.
func register(t testing.TB, rp *passkeys.RP, d *softkey.Device) auth.Passkey {
	t.Helper()
	challenge, options := wish(rp)
	answer, err := d.Create(options)
	if err != nil {
		t.Fatal(err)
	}
	made, err := rp.Register(created(t, answer), challenge, userID)
	if err != nil {
		t.Fatal(err)
	}
	return made.Key
}

func TestKeysOfEveryKindRegisterAndSign(t *testing.T) {
	t.Parallel()
	rp := open(t)
	for _, algorithm := range []int{softkey.ES256, softkey.EdDSA, softkey.RS256} {
		for _, attestation := range []string{"none", "packed"} {
			d := softkey.New(origin)
			d.Algorithm, d.Attestation, d.AAGUID, d.Step = algorithm, attestation, [16]byte{1, 2, 3}, 1
			key := register(t, rp, d)
			if key.AAGUID != "01020300-0000-0000-0000-000000000000" || key.UserID != userID || key.Counter != 0 || !*key.BackupEligible || !*key.BackedUp {
				t.Errorf("%d, %s: %+v", algorithm, attestation, key)
			}
			challenge := passkeys.NewChallenge()
			answer, err := d.Sign(d.Keys[0], challenge)
			if err != nil {
				t.Fatal(err)
			}
			proof, err := rp.Verify(asserted(t, answer), challenge, key)
			if err != nil || !proof.UserVerified || proof.Counter != 1 || !proof.BackedUp {
				t.Errorf("%d, %s: %+v, %v", algorithm, attestation, proof, err)
			}
			if got, err := passkeys.Challenge(asserted(t, answer).ClientData); got != challenge || err != nil {
				t.Errorf("the challenge is read as %q, %v", got, err)
			}
		}
	}
}

// TestFlagsUnknown signs with a key from before backup flags were kept: what it says is believed once.
func TestFlagsUnknown(t *testing.T) {
	t.Parallel()
	rp := open(t)
	d := softkey.New(origin)
	key := register(t, rp, d)
	for _, known := range []*bool{nil, new(bool)} {
		key.BackupEligible = known
		challenge := passkeys.NewChallenge()
		answer, err := d.Sign(d.Keys[0], challenge)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := rp.Verify(asserted(t, answer), challenge, key); (err == nil) != (known == nil) {
			t.Errorf("known as %v: %v", known, err)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for handle, want := range map[string]bool{
		"": true, userID: true, base64.RawURLEncoding.EncodeToString([]byte(userID)): true,
		"4b7c2f0e-5d1a-4f38-9a86-0e2d1c3b4a5a": false, "x": false, base64.RawURLEncoding.EncodeToString([]byte("4b7c2f0e-5d1a-4f38-9a86-0e2d1c3b4a5a")): false,
		userID + " ": false,
	} {
		if passkeys.Names(handle, userID) != want {
			t.Errorf("%q names the user: want %v", handle, want)
		}
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	rp := open(t, func(s *passkeys.Settings) {
		s.Origins = []string{"https://WWW.example.com:443/", "http://localhost:3000/x?y", "android:apk-key-hash:abc", origin}
	})
	want := []string{"https://www.example.com", "http://localhost:3000", "android:apk-key-hash:abc", "https://app.example.com"}
	got := rp.Origins()
	if len(got) != len(want) {
		t.Fatalf("%q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%q, want %q", got[i], want[i])
		}
	}
	if rp.ID != "app.example.com" || rp.Name != "app.example.com" {
		t.Errorf("%q, %q", rp.ID, rp.Name)
	}
	for _, s := range []passkeys.Settings{
		{RPID: "https://example.com"},
		{RPID: "example.com:443"},
		{RPID: "127.0.0.1"},
		{RPID: "::1"},
		{RPID: "a b"},
		{RPID: "example.com/x"},
		{RPID: "example.com", Origins: []string{"example.com"}},
		{RPID: "example.com", Origins: []string{"https://"}},
		{RPID: "example.com", Origins: []string{"https://u:p@example.com"}},
		{RPID: "example.com", Origins: []string{"*"}},
	} {
		said := 0
		s.Check(func(string, string) { said++ })
		if _, err := passkeys.Open(s, origin); err == nil || said != 1 {
			t.Errorf("%+v: %v, reported %d times", s, err, said)
		}
	}
	if _, err := passkeys.Open(passkeys.Settings{}, "http://127.0.0.1:3000"); err == nil {
		t.Error("an address of digits became a relying party")
	}
	for missing, s := range map[string]passkeys.Settings{"AUTH_WEBAUTHN_RP_ID": {}, "AUTH_WEBAUTHN_RP_ORIGINS": {RPID: "example.com"}} {
		if _, err := passkeys.Open(s, ""); err == nil || !strings.Contains(err.Error(), missing+" must be set") {
			t.Errorf("without %s: %v", missing, err)
		}
	}
	rp, err := passkeys.Open(passkeys.Settings{RPID: "example.com", Origins: []string{"https://app.example.com"}}, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		id      string
		origins []string
		serves  bool
	}{
		{"example.com", nil, true},
		{"example.com", []string{"https://app.example.com"}, true},
		{"app.example.com", nil, true}, // as clients say that are not told of a domain above them
		{"evilexample.com", nil, false},
		{"com", nil, false},
		{"EXAMPLE.com", nil, false},
		{"", nil, false},
		{"example.com", []string{"https://evil.example.com"}, false},
		{"example.com", []string{"https://app.example.com", ""}, false},
	} {
		if got := rp.Serves(test.id, test.origins); got != test.serves {
			t.Errorf("%q %q: %v", test.id, test.origins, got)
		}
	}
}

func TestDecoys(t *testing.T) {
	t.Parallel()
	pepper := []byte("pepper")
	counts, lengths := map[int]int{}, map[int]bool{}
	seen := map[string]bool{}
	for i := range 500 {
		email := string(rune('a'+i%26)) + time.Duration(i).String() + "@example.com"
		ids := passkeys.Decoys(pepper, email)
		again := passkeys.Decoys(pepper, "A"+email[1:])
		if email[0] == 'a' && (len(again) != len(ids) || again[0] != ids[0]) {
			t.Errorf("%s: %q and then %q", email, ids, again)
		}
		counts[len(ids)]++
		for _, id := range ids {
			raw, err := base64.RawURLEncoding.DecodeString(id)
			if err != nil || seen[id] {
				t.Errorf("%q twice, or no id: %v", id, err)
			}
			seen[id], lengths[len(raw)] = true, true
		}
	}
	if counts[1] < 300 || counts[2] < 40 || len(lengths) != 4 {
		t.Errorf("counts %v, lengths %v", counts, lengths)
	}
	if passkeys.Decoys(pepper, "a@b.c")[0] == passkeys.Decoys([]byte("other"), "a@b.c")[0] {
		t.Error("another pepper makes the same decoys")
	}
}

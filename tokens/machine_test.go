package tokens

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

func machineSigner(t *testing.T) *Signer {
	t.Helper()
	s, err := NewSigner(parseSecret(t, secretText(t, "HS256", hsKey, "", "")))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestMachineTokens(t *testing.T) {
	t.Parallel()
	s, now := machineSigner(t), time.Unix(1_800_000_000, 0)
	const api = "https://auth.example.com/api/v2/"
	m := Machine{ClientID: "ci", Secret: "mark", Audience: api, Scopes: []string{"read:hooks", "x"}, Extra: map[string]any{"https://example.com/a": 1}, Life: time.Hour}
	token, err := s.SignMachine(m, now)
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.VerifyMachine(token, []string{"https://other.example.com/", api}, now.Add(59*time.Minute))
	want := Machine{ClientID: "ci", Secret: "mark", Audience: api, Scopes: m.Scopes}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	for name, err := range map[string]error{
		"expired":          second(s.VerifyMachine(token, []string{api}, now.Add(time.Hour))),
		"another audience": second(s.VerifyMachine(token, []string{"https://auth.example.com/api/v2"}, now)),
		"no audience":      second(s.VerifyMachine(token, nil, now)),
		"nothing":          second(s.VerifyMachine("", []string{api}, now)),
		"as a user's":      second(s.Verify(token, now)),
	} {
		if !errors.Is(err, auth.Unauthorized) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for _, name := range []string{"sub", "x-hasura-role", "https://hasura.io/jwt/claims", ""} {
		bad := m
		bad.Extra = map[string]any{name: "x"}
		if _, err := s.SignMachine(bad, now); err == nil {
			t.Errorf("the claim %q is taken", name)
		}
	}
	m.Extra = map[string]any{"https://example.com/a": strings.Repeat("x", maxMachineToken)}
	if _, err := s.SignMachine(m, now); err == nil {
		t.Error("a token of any length is made")
	}
}

func second[T any](_ T, err error) error { return err }

// TestClientSecrets holds hashes to their client and to the key that made them, also when it is the
// previous one.
func TestClientSecrets(t *testing.T) {
	t.Parallel()
	hash := newKeyring(t, keyA).HashClientSecret("ci", "secret")
	for name, c := range map[string]struct{ got, want bool }{
		"the same":       {newKeyring(t, keyA).IsClientSecret(hash, "ci", "secret"), true},
		"a newer key":    {newKeyring(t, keyB, keyA).IsClientSecret(hash, "ci", "secret"), true},
		"another key":    {newKeyring(t, keyB).IsClientSecret(hash, "ci", "secret"), false},
		"another secret": {newKeyring(t, keyA).IsClientSecret(hash, "ci", "Secret"), false},
		"another client": {newKeyring(t, keyA).IsClientSecret(hash, "c", "isecret"), false},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v", name, c.got)
		}
	}
	if SecretMark(hash) == SecretMark(newKeyring(t, keyB).HashClientSecret("ci", "secret")) || len(SecretMark(hash)) != 12 {
		t.Errorf("mark %s", SecretMark(hash))
	}
}

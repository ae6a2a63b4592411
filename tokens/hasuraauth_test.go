package tokens_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"strings"
	"testing"

	"postern/tokens"
)

func TestSealAsHasuraAuth(t *testing.T) {
	t.Parallel()
	key, older := strings.Repeat("0f", 32), strings.Repeat("a1", 32)
	ring, _, err := tokens.NewKeyring(key, []string{older}, tokens.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	sealed, ok := ring.SealAsHasuraAuth([]byte("a provider's token"))
	if !ok || sealed != strings.ToLower(sealed) {
		t.Fatalf("got %q, %t", sealed, ok)
	}
	if got := openAsHasuraAuthDoes(t, key, sealed); got != "a provider's token" {
		t.Errorf("Hasura Auth reads %q", got)
	}
	if got, err := ring.OpenOfHasuraAuth(sealed); err != nil || string(got) != "a provider's token" {
		t.Errorf("we read %q, %v", got, err)
	}

	before, _, err := tokens.NewKeyring(older, nil, tokens.Secret{})
	if err != nil {
		t.Fatal(err)
	}
	old, _ := before.SealAsHasuraAuth([]byte("older"))
	if got, err := ring.OpenOfHasuraAuth(old); err != nil || string(got) != "older" {
		t.Errorf("under an older key: %q, %v", got, err)
	}
	for _, bad := range []string{"", "unset", "00", sealed[:len(sealed)-2], sealed + "00", sealed[2:], strings.Repeat("00", 64)} {
		if got, err := ring.OpenOfHasuraAuth(bad); err == nil {
			t.Errorf("%q opens as %q", bad, got)
		}
	}
	if _, err := before.OpenOfHasuraAuth(sealed); err == nil {
		t.Error("another key opens it")
	}
}

func TestADerivedKeyIsNothingToHasuraAuth(t *testing.T) {
	t.Parallel()
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(`{"type":"HS256","key":"` + strings.Repeat("k", 32) + `"}`)); err != nil {
		t.Fatal(err)
	}
	ring, derived, err := tokens.NewKeyring("", nil, secret)
	if err != nil || !derived {
		t.Fatal(derived, err)
	}
	if sealed, ok := ring.SealAsHasuraAuth([]byte("x")); ok || sealed != "" {
		t.Errorf("sealed %q", sealed)
	}
	if _, err := ring.OpenOfHasuraAuth(strings.Repeat("00", 64)); err == nil {
		t.Error("something opens")
	}
}

// openAsHasuraAuthDoes is written from its format, not from our code.
func openAsHasuraAuthDoes(t *testing.T, key, text string) string {
	t.Helper()
	k, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(k)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gcm.Open(nil, raw[:12], raw[12:], nil)
	if err != nil {
		t.Fatal(err)
	}
	return string(plain)
}

package tokens_test

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"strings"
	"testing"

	"postern/tokens"
)

// hasuraAuthSeals encrypts as Hasura Auth 0.43 does, written down once more by hand.
func hasuraAuthSeals(t *testing.T, key, secret string) string {
	t.Helper()
	raw, err := hex.DecodeString(key)
	if err != nil {
		t.Fatal(err)
	}
	block, err := aes.NewCipher(raw)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	return hex.EncodeToString(append(nonce, gcm.Seal(nil, nonce, []byte(secret), nil)...))
}

func TestShared(t *testing.T) {
	t.Parallel()
	const now, before = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
	ring, _, err := tokens.NewKeyring(now, []string{before}, tokens.Secret{})
	if err != nil || !ring.CanShare() {
		t.Fatal(err)
	}
	const secret = "JBSWY3DPEHPK3PXP"
	for _, key := range []string{now, before} {
		if got, err := ring.OpenShared(hasuraAuthSeals(t, key, secret)); err != nil || string(got) != secret {
			t.Errorf("%q, %v", got, err)
		}
	}
	ours, err := ring.SealShared([]byte(secret))
	if err != nil || len(ours) != 2*(12+len(secret)+16) || strings.ToLower(ours) != ours {
		t.Errorf("%q, %v", ours, err)
	}
	if got, err := ring.OpenShared(ours); err != nil || string(got) != secret {
		t.Errorf("%q, %v", got, err)
	}
	if twice, err := ring.SealShared([]byte(secret)); err != nil || twice == ours {
		t.Errorf("the same nonce twice, %v", err)
	}
	for name, text := range map[string]string{
		"nothing": "", "no hex": secret, "too short": "00ff", "another key": hasuraAuthSeals(t, strings.Repeat("ab", 32), secret), "damaged": ours[:len(ours)-2] + "00", "cut": ours[:len(ours)-2],
	} {
		if got, err := ring.OpenShared(text); err == nil {
			t.Errorf("%s opens: %q", name, got)
		}
	}
}

// TestSharedNeedsAKeyOfItsOwn: a key that comes from the JWT secret is none that Hasura Auth has.
func TestSharedNeedsAKeyOfItsOwn(t *testing.T) {
	t.Parallel()
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(`{"type":"HS256","key":"` + strings.Repeat("k", 32) + `"}`)); err != nil {
		t.Fatal(err)
	}
	for _, previous := range [][]string{nil, {strings.Repeat("ab", 32)}} {
		ring, derived, err := tokens.NewKeyring("", previous, secret)
		if err != nil || !derived || ring.CanShare() {
			t.Fatalf("derived %v, can share %v, %v", derived, ring.CanShare(), err)
		}
		if _, err := ring.SealShared([]byte("x")); err == nil {
			t.Error("it seals with a key that Hasura Auth does not have")
		}
	}
}

package tokens

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/auth"
)

const (
	edSecret = `{"type":"EdDSA","kid":"new","signing_key":"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n-----END PRIVATE KEY-----\n"}`
	oldText  = "a shared key of thirty-two bytes or more"
	oldJWK   = `{"kty":"oct","kid":"old","alg":"HS256","k":"YSBzaGFyZWQga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMgb3IgbW9yZQ"}`
)

func verifyKeysOf(t *testing.T, list string) VerifyKeys {
	t.Helper()
	var v VerifyKeys
	if err := v.UnmarshalText([]byte(list)); err != nil {
		t.Fatal(err)
	}
	return v
}

func secretFrom(t *testing.T, text string) Secret {
	t.Helper()
	var s Secret
	if err := s.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOlderKeysVerify has tokens go on when another key begins to sign, in both directions of the change: by what is published of one
// key, another server verifies its tokens.
func TestOlderKeysVerify(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	access := Access{UserID: NewUUID(), SessionID: NewUUID(), DefaultRole: "user", Roles: []string{"user"}, Life: time.Minute}
	shared, pair := secretFrom(t, fmt.Sprintf(`{"type":"HS256","key":%q}`, oldText)), secretFrom(t, edSecret)
	before, err := NewSigner(shared)
	if err != nil {
		t.Fatal(err)
	}
	after, err := NewSigner(pair, WithVerifyKeys(verifyKeysOf(t, "["+oldJWK+"]")))
	if err != nil {
		t.Fatal(err)
	}
	published := strings.TrimSuffix(strings.TrimPrefix(string(after.JWKS()), `{"keys":`), `}`)
	ahead, err := NewSigner(shared, WithVerifyKeys(verifyKeysOf(t, published)))
	if err != nil {
		t.Fatal(err)
	}
	old, err := before.Sign(access, now)
	if err != nil {
		t.Fatal(err)
	}
	young, err := after.Sign(access, now)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		signer *Signer
		token  string
		good   bool
	}{
		"of before, after":        {after, old, true},
		"of after":                {after, young, true},
		"of after, ahead":         {ahead, young, true},
		"of after, before":        {before, young, false},
		"of before, changed":      {after, old[:len(old)-4] + "AAAA", false},
		"of after, alg of before": {after, swapHeader(young, old), false},
	} {
		if _, err := c.signer.Verify(c.token, now); (err == nil) != c.good || err != nil && auth.CodeOf(err) != auth.Unauthorized {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := after.Verify(old, now.Add(time.Hour)); err == nil {
		t.Error("an older key has made a token live for longer")
	}
	if text := string(after.JWKS()); strings.Contains(text, "oct") || !strings.Contains(text, `"kid":"new"`) {
		t.Errorf("published: %s", text)
	}
	if text := string(ahead.JWKS()); !strings.Contains(text, `"kid":"new"`) || strings.Contains(text, oldText) {
		t.Errorf("published: %s", text)
	}
	if key, err := before.SignProject(ServiceRole, now, now.Add(time.Hour)); err != nil {
		t.Fatal(err)
	} else if _, err := after.VerifyService(key, now); err != nil {
		t.Errorf("a service key of before: %v", err)
	}
}

// TestNoTwoKeysArePublishedUnderOneName has a server not start whose tokens others would verify by the wrong key.
func TestNoTwoKeysArePublishedUnderOneName(t *testing.T) {
	t.Parallel()
	const other = `{"kty":"OKP","crv":"Ed25519","kid":%q,"x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	pair := secretFrom(t, strings.Replace(edSecret, "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g", newEd25519(t), 1))
	if _, err := NewSigner(pair, WithVerifyKeys(verifyKeysOf(t, fmt.Sprintf("["+other+"]", "new")))); err == nil || !strings.Contains(err.Error(), `"new"`) {
		t.Errorf("another key has the kid of the own: %v", err)
	}
	signer, err := NewSigner(pair)
	if err != nil {
		t.Fatal(err)
	}
	own := strings.TrimSuffix(strings.TrimPrefix(string(signer.JWKS()), `{"keys":[`), `]}`)
	again, err := NewSigner(pair, WithVerifyKeys(verifyKeysOf(t, "["+own+","+fmt.Sprintf(other, "old")+"]")))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(again.JWKS()); strings.Count(text, `"kid":"new"`) != 1 || strings.Count(text, `"kid":"old"`) != 1 {
		t.Errorf("published: %s", text)
	}
}

// newEd25519 is a fresh private key in base64.
func newEd25519(t *testing.T) string {
	t.Helper()
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(der)
}

// swapHeader gives a token the header of another.
func swapHeader(token, other string) string {
	head, _, _ := strings.Cut(other, ".")
	_, rest, _ := strings.Cut(token, ".")
	return head + "." + rest
}

// TestAPublicKeyIsNoSharedKey signs with the bytes of a public key, as for a shared one.
func TestAPublicKeyIsNoSharedKey(t *testing.T) {
	t.Parallel()
	now := time.Now()
	pair := secretFrom(t, edSecret)
	verifies, err := NewSigner(secretFrom(t, fmt.Sprintf(`{"type":"HS256","key":%q}`, oldText)), WithVerifyKeys(verifyKeysOf(t, `[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]`)))
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{pair.s.publicPEM, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"} {
		forger, err := NewSigner(secretFrom(t, fmt.Sprintf(`{"type":"HS256","key":%q}`, key)))
		if err != nil {
			t.Fatal(err)
		}
		token, err := forger.Sign(Access{UserID: NewUUID(), DefaultRole: "user", Life: time.Minute}, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := verifies.Verify(token, now); err == nil {
			t.Error("a public key signs")
		}
	}
}

func TestVerifyKeysThatCannotBe(t *testing.T) {
	t.Parallel()
	for list, want := range map[string]string{
		`{}`:                            "must be a JSON array",
		`[{"kty":"oct","k":"c2hvcnQ"}]`: "of 5 bytes",
		`[{"kty":"oct","k":"c3VwZXItc2VjcmV0LWp3dC10b2tlbi13aXRoLWF0LWxlYXN0LTMyLWNoYXJhY3RlcnMtbG9uZw"}]`: "a sample",
		`[{"kty":"oct","alg":"RS256","k":"YSBzaGFyZWQga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMgb3IgbW9yZQ"}]`:       "for no algorithm of these",
		`[{"kty":"EC","crv":"P-256","x":"a","y":"b"}]`:                                                     "cannot be read",
		`[{"kty":"EC","crv":"P-256","x":"AQ","y":"AQ"}]`:                                                   "cannot be read",
		`[{"kty":"EC","crv":"secp256k1","x":"AQ","y":"AQ"}]`:                                               "of a kind",
		`[{"kty":"RSA","n":"AQAB","e":"AQAB"}]`:                                                            "too small",
		`[{"kty":"RSA","n":"AQAB","e":"AQ"}]`:                                                              "cannot be read",
		`[{"kty":"OKP","crv":"Ed25519","alg":"none","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]`:   "does not verify here",
		`[{"kty":"OKP","crv":"Ed25519","alg":"ES256","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]`:  "does not go with",
		"[" + strings.Repeat(oldJWK+",", mostVerifyKeys) + oldJWK + "]":                                    "has 9 keys",
	} {
		var v VerifyKeys
		if err := v.UnmarshalText([]byte(list)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60s: %v, want %s", list, err, want)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", verifyKeysOf(t, "["+oldJWK+"]"), verifyKeysOf(t, "["+oldJWK+"]"), verifyKeysOf(t, "["+oldJWK+"]")); strings.Contains(text, "shared") || strings.Contains(text, "YSBz") {
		t.Errorf("shown: %s", text)
	}
}

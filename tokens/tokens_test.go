package tokens

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

const (
	userID    = "5c4f1b1e-0d0e-4f43-9e5e-0a5c3a4a7b10"
	sessionID = "0b7e1c9a-6f3d-4f0e-8a51-2f6f1f2f3f4f"
	hsKey     = "a key of tests, drawn by nobody at all: 5f1c0e"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func access() Access {
	return Access{
		UserID: userID, SessionID: sessionID, Roles: []string{"user", "me"}, DefaultRole: "user",
		Extra: map[string]string{"x-hasura-organisation-id": "42"}, Life: 15 * time.Minute,
	}
}

func parseSecret(t testing.TB, text string) Secret {
	t.Helper()
	var s Secret
	if err := s.UnmarshalText([]byte(text)); err != nil {
		t.Fatalf("secret: %v", err)
	}
	return s
}

func newSigner(t testing.TB, text string) *Signer {
	t.Helper()
	s, err := NewSigner(parseSecret(t, text))
	if err != nil {
		t.Fatalf("signer: %v", err)
	}
	return s
}

func hsSigner(t testing.TB) *Signer { return newSigner(t, secretText(t, "HS256", hsKey, "", "")) }

func sign(t testing.TB, s *Signer, a Access) string {
	t.Helper()
	token, err := s.Sign(a, noon)
	if err != nil {
		t.Fatalf("sign: %v", err)
	}
	return token
}

// rsaKey is one key for all tests: drawing one takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(t testing.TB, kind string, der []byte, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

func pairOf(t testing.TB, alg string) (public, private string) {
	t.Helper()
	var key any
	var pub any
	switch {
	case strings.HasPrefix(alg, "ES"):
		curve := map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()}[alg]
		k, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, k.Public()
	case strings.HasPrefix(alg, "Ed"):
		p, k, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		key, pub = k, p
	default:
		key, pub = rsaKey(), rsaKey().Public()
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	private = pemOf(t, "PRIVATE KEY", der, err)
	der, err = x509.MarshalPKIXPublicKey(pub)
	return pemOf(t, "PUBLIC KEY", der, err), private
}

// secretText writes a secret; more is what stands behind the keys: `,"kid":"k"`.
func secretText(t testing.TB, alg, key, signingKey, more string) string {
	t.Helper()
	members := map[string]string{"type": alg, "key": key, "signing_key": signingKey}
	for name, value := range members {
		if value == "" {
			delete(members, name)
		}
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(string(text), "}") + more + "}"
}

func payloadOf(t testing.TB, token string) map[string]any {
	t.Helper()
	return partOf(t, token, 1)
}

func partOf(t testing.TB, token string, part int) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[part])
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestAccessTokenSaysExactlyThis(t *testing.T) {
	t.Parallel()
	token := sign(t, hsSigner(t), access())
	if diff := cmp.Diff(map[string]any{"alg": "HS256", "typ": "JWT"}, partOf(t, token, 0)); diff != "" {
		t.Errorf("header (-want +got):\n%s", diff)
	}
	want := map[string]any{
		"sub": userID, "iss": "hasura-auth", "session_id": sessionID,
		"iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 900),
		"https://hasura.io/jwt/claims": map[string]any{
			"x-hasura-allowed-roles":     []any{"user", "me"},
			"x-hasura-default-role":      "user",
			"x-hasura-user-id":           userID,
			"x-hasura-user-is-anonymous": "false",
			"x-hasura-organisation-id":   "42",
		},
	}
	if diff := cmp.Diff(want, payloadOf(t, token)); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestVerifyReadsWhatWasSigned(t *testing.T) {
	t.Parallel()
	for _, more := range []string{
		``,
		`,"claims_namespace":"claims"`,
		`,"claims_namespace_path":"$"`,
		`,"claims_namespace_path":"$.hasura['the claims']"`,
		`,"claims_format":"stringified_json"`,
		`,"claims_namespace_path":"$.a.b","claims_format":"stringified_json"`,
		`,"audience":"app","issuer":"https://auth.app"`,
		`,"audience":["app","other"],"allowed_skew":10,"header":{"type":"Cookie","name":"jwt"}`,
		`,"kid":"one","claims_map":{"x-hasura-allowed-roles":{"path":"$.user.roles"},"X-Hasura-Default-Role":"user"}`,
	} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, secretText(t, "HS256", hsKey, "", more))
			a := access()
			a.IsAnonymous, a.Elevated = true, true
			got, err := s.Verify(sign(t, s, a), noon.Add(899*time.Second))
			want := Claims{
				UserID: userID, SessionID: sessionID, DefaultRole: "user", Roles: []string{"user", "me"},
				IsAnonymous: true, Elevated: true, IssuedAt: noon, ExpiresAt: noon.Add(900 * time.Second),
			}
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("error %v (-want +got):\n%s", err, diff)
			}
			if diff := cmp.Diff(auth.Actor{UserID: userID, SessionID: sessionID, Elevated: true, Issued: noon, Ends: noon.Add(900 * time.Second)}, got.Actor()); diff != "" {
				t.Errorf("actor (-want +got):\n%s", diff)
			}
		})
	}
}

// publicKey reads a JWK with the standard library alone, as a stranger would.
func publicKey(t *testing.T, k map[string]string) any {
	t.Helper()
	number := func(name string) []byte {
		b, err := base64.RawURLEncoding.DecodeString(k[name])
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	switch k["kty"] {
	case "RSA":
		return &rsa.PublicKey{N: new(big.Int).SetBytes(number("n")), E: int(new(big.Int).SetBytes(number("e")).Int64())}
	case "EC":
		curve := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(), "P-521": elliptic.P521()}[k["crv"]]
		key, err := ecdsa.ParseUncompressedPublicKey(curve, append(append([]byte{4}, number("x")...), number("y")...))
		if err != nil {
			t.Fatal(err)
		}
		return key
	default:
		return ed25519.PublicKey(number("x"))
	}
}

func TestWeakness31And32EveryAlgorithmVerifiesFromPublishedKeysAlone(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithmNames {
		for _, kid := range []string{"", "configured"} {
			t.Run(alg+kid, func(t *testing.T) {
				t.Parallel()
				more := ""
				if kid != "" {
					more = `,"kid":"` + kid + `"`
				}
				shared := strings.HasPrefix(alg, "HS")
				text := secretText(t, alg, strings.Repeat("0123456789abcdeX", 4), "", more)
				if !shared {
					public, private := pairOf(t, alg)
					text = secretText(t, alg, public, private, more)
				}
				s := newSigner(t, text)
				token := sign(t, s, access())
				var set struct{ Keys []map[string]string }
				if err := json.Unmarshal(s.JWKS(), &set); err != nil {
					t.Fatal(err)
				}
				if set.Keys == nil {
					t.Fatalf("keys is not a list: %s", s.JWKS())
				}
				var key any = []byte(strings.Repeat("0123456789abcdeX", 4))
				if shared {
					if len(set.Keys) != 0 {
						t.Fatalf("a shared key is published: %s", s.JWKS())
					}
				} else {
					key = publicKey(t, set.Keys[0])
					if got := partOf(t, token, 0)["kid"]; got != set.Keys[0]["kid"] || got == "" {
						t.Errorf("kid of the header is %v, of the set %q", got, set.Keys[0]["kid"])
					}
				}
				if got, _ := partOf(t, token, 0)["kid"].(string); kid != "" && got != kid {
					t.Errorf("kid is %q, want the configured one", got)
				}
				parsed, err := jwt.Parse(token, func(*jwt.Token) (any, error) { return key, nil },
					jwt.WithTimeFunc(func() time.Time { return noon }), jwt.WithIssuedAt(), jwt.WithExpirationRequired())
				if err != nil || !parsed.Valid {
					t.Errorf("another library refuses the token: %v", err)
				}
				if _, err := s.Verify(token, noon); err != nil {
					t.Errorf("we refuse our own token: %v", err)
				}
			})
		}
	}
}

func TestThumbprintOfRFC7638(t *testing.T) {
	t.Parallel()
	key := jwk{
		Type: "RSA", Exponent: "AQAB", Alg: "RS256", Kid: "2011-04-29",
		Modulus: "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw",
	}
	got, err := key.thumbprint()
	if want := "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"; got != want || err != nil {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
}

func TestPublishedExponentIsTheRealOne(t *testing.T) {
	t.Parallel()
	key, err := newJWK(&rsa.PublicKey{N: big.NewInt(1).Lsh(big.NewInt(1), 2047), E: 3})
	if err != nil || key.Exponent != "Aw" {
		t.Errorf("e is %q, %v, want Aw", key.Exponent, err)
	}
}

func TestCustomClaimsNeverReplaceBuiltInOnes(t *testing.T) {
	t.Parallel()
	a := access()
	a.Extra = map[string]string{
		"X-Hasura-User-Id": "evil", "x-hasura-user-id": "evil", "user-id": "evil", "USER-ID": "evil",
		"x-hasura-Allowed-Roles": "evil", "DEFAULT-role": "evil", "x-hasura-AUTH-elevated": userID,
		"User-Is-Anonymous": "evil", "sub": "kept as x-hasura-sub", "Team": "a", "x-hasura-TEAM": "b", "x-hasura-Shirt": "l",
	}
	s := newSigner(t, secretText(t, "HS256", hsKey, "", `,"claims_namespace_path":"$"`))
	got := payloadOf(t, sign(t, s, a))
	want := map[string]any{
		"sub": userID, "iss": "hasura-auth", "session_id": sessionID,
		"iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 900),
		"x-hasura-allowed-roles": []any{"user", "me"}, "x-hasura-default-role": "user", "x-hasura-user-id": userID,
		"x-hasura-user-is-anonymous": "false",
		"x-hasura-sub":               "kept as x-hasura-sub", "x-hasura-team": "a", "x-hasura-Shirt": "l",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{"X-HASURA-USER-ID": true, "default-Role": true, "team": false, "x-hasura-": false} {
		if IsBuiltIn(name) != want {
			t.Errorf("IsBuiltIn(%q) is not %v", name, want)
		}
	}
}

func TestTheOldSpellingStandsBesideTheNew(t *testing.T) {
	t.Parallel()
	s, err := NewSigner(parseSecret(t, secretText(t, "HS256", hsKey, "", `,"claims_namespace_path":"$"`)), WithOldSpelling(true))
	if err != nil {
		t.Fatal(err)
	}
	a := access()
	a.IsAnonymous = true
	a.Extra = map[string]string{"user-isAnonymous": "evil", "x-hasura-user-isANONYMOUS": "evil"}
	got := payloadOf(t, sign(t, s, a))
	for name, value := range got {
		if strings.Contains(strings.ToLower(name), "anonymous") && value != "true" {
			t.Errorf("%s is %v", name, value)
		}
	}
	if got["x-hasura-user-isAnonymous"] != "true" || got["x-hasura-user-is-anonymous"] != "true" {
		t.Errorf("got %v", got)
	}
}

func TestDefaultRoleIsAlwaysAllowed(t *testing.T) {
	t.Parallel()
	a := access()
	a.Roles = make([]string, 1, 4)
	a.Roles[0] = "me"
	got, err := hsSigner(t).Verify(sign(t, hsSigner(t), a), noon)
	if diff := cmp.Diff([]string{"me", "user"}, got.Roles); diff != "" || err != nil {
		t.Errorf("error %v, roles (-want +got):\n%s", err, diff)
	}
	if spare := a.Roles[:2]; spare[1] != "" {
		t.Error("the caller's roles were written to")
	}
}

func TestClaimsStandWhereTheMapOfHasuraLooks(t *testing.T) {
	t.Parallel()
	s := newSigner(t, secretText(t, "HS256", hsKey, "", `,"claims_map":{
		"x-hasura-allowed-roles":{"path":"$.user.roles"},
		"X-Hasura-Default-Role":{"path":"$.user.role","default":"user"},
		"x-hasura-user-id":{"path":"$.sub"},
		"x-hasura-session":{"path":"$.session_id"},
		"x-hasura-user-is-anonymous":{"path":"$['https://hasura.io/jwt/claims']['x-hasura-user-is-anonymous']"},
		"x-hasura-organisation-id":{"path":"$.org"},
		"x-hasura-absent":{"path":"$.absent","default":"-"},
		"x-hasura-shop":"main"}`))
	got := payloadOf(t, sign(t, s, access()))
	if _, ok := got["https://hasura.io/jwt/claims"].(map[string]any); !ok {
		t.Error("client libraries do not find the namespace")
	}
	delete(got, "https://hasura.io/jwt/claims")
	want := map[string]any{
		"sub": userID, "iss": "hasura-auth", "session_id": sessionID,
		"iat": float64(noon.Unix()), "exp": float64(noon.Unix() + 900),
		"user": map[string]any{"roles": []any{"user", "me"}, "role": "user"}, "org": "42",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("payload (-want +got):\n%s", diff)
	}
}

func TestTokenOfHasuraAuthIsRead(t *testing.T) {
	t.Parallel()
	// As the Go generation writes it: no session, no audience.
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, jwt.MapClaims{
		"sub": userID, "iss": "hasura-auth", "iat": noon.Unix(), "exp": noon.Unix() + 900,
		"https://hasura.io/jwt/claims": map[string]any{
			"x-hasura-allowed-roles": []string{"me", "user"}, "x-hasura-default-role": "user",
			"x-hasura-user-id": userID, "x-hasura-user-is-anonymous": "false",
		},
	}).SignedString([]byte(hsKey))
	if err != nil {
		t.Fatal(err)
	}
	got, err := hsSigner(t).Verify(token, noon)
	if err != nil || got.SessionID != "" || got.UserID != userID {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestSignRefusesHalfAToken(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Access){
		"no user":                 func(a *Access) { a.UserID = "" },
		"no role":                 func(a *Access) { a.DefaultRole = "" },
		"no life":                 func(a *Access) { a.Life = 0 },
		"a claim that is no text": func(a *Access) { a.Extra["x-hasura-f"] = "\xff" },
	} {
		a := access()
		change(&a)
		if token, err := hsSigner(t).Sign(a, noon); err == nil {
			t.Errorf("%s: signed %s", name, token)
		}
	}
}

func TestSignerRefusesAMissingSecret(t *testing.T) {
	t.Parallel()
	if _, err := NewSigner(Secret{}); err == nil || !strings.Contains(err.Error(), "postern keys secret") {
		t.Errorf("got %v, want the command that makes one", err)
	}
}

func TestGeneratedSecretsWork(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "HS384", "HS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA", "RS256"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			text, err := GenerateSecret(alg)
			if err != nil {
				t.Fatal(err)
			}
			secret := parseSecret(t, text)
			if w := secret.Weaknesses(); len(w) > 0 || secret.IsSample() {
				t.Errorf("a fresh secret is weak: %v", w)
			}
			signer := newSigner(t, text)
			if _, err := signer.Verify(sign(t, signer, access()), noon); err != nil {
				t.Error(err)
			}
			hasura, err := secret.ForHasura()
			if err != nil || strings.Contains(hasura, "PRIVATE") || !strings.Contains(hasura, `"type":"`+alg) {
				t.Errorf("for Hasura: %q, %v", hasura, err)
			}
		})
	}
	if _, err := GenerateSecret("none"); err == nil {
		t.Error("a secret for none was made")
	}
}

func isUnauthorized(err error) bool { return errors.Is(err, auth.Unauthorized) }

package tokens

import (
	"bytes"
	"encoding/hex"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var (
	keyA = strings.Repeat("0a", 32)
	keyB = strings.Repeat("0b", 32)
)

func newKeyring(t testing.TB, key string, previous ...string) *Keyring {
	t.Helper()
	ring, _, err := NewKeyring(key, previous, parseSecret(t, secretText(t, "HS256", hsKey, "", "")))
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestWhatWasSealedOpensWithItsKeyAndPurposeOnly(t *testing.T) {
	t.Parallel()
	sealed, err := newKeyring(t, keyA).Seal("totp of ann", []byte("seed"))
	if err != nil {
		t.Fatal(err)
	}
	changed := bytes.Clone(sealed)
	changed[len(changed)-1] ^= 1
	for name, c := range map[string]struct {
		ring    *Keyring
		purpose string
		sealed  []byte
		ok      bool
	}{
		"same key":                 {newKeyring(t, keyA), "totp of ann", sealed, true},
		"key is a previous one":    {newKeyring(t, keyB, keyB, keyA), "totp of ann", sealed, true},
		"key was dropped":          {newKeyring(t, keyB), "totp of ann", sealed, false},
		"key is derived now":       {newKeyring(t, ""), "totp of ann", sealed, false},
		"another purpose":          {newKeyring(t, keyA), "totp of bob", sealed, false},
		"changed":                  {newKeyring(t, keyA), "totp of ann", changed, false},
		"cut":                      {newKeyring(t, keyA), "totp of ann", sealed[:12], false},
		"empty":                    {newKeyring(t, keyA), "totp of ann", nil, false},
		"without the key's number": {newKeyring(t, keyA), "totp of ann", sealed[1:], false},
	} {
		got, err := c.ring.Open(c.purpose, c.sealed)
		if c.ok != (err == nil) || c.ok && string(got) != "seed" || !c.ok && got != nil {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
	again, err := newKeyring(t, keyA).Seal("totp of ann", []byte("seed"))
	if err != nil || bytes.Equal(again, sealed) {
		t.Errorf("sealing twice gives the same bytes, %v", err)
	}
}

func TestKeyDerivedOfTheJWTSecret(t *testing.T) {
	t.Parallel()
	public, private := pairOf(t, "ES256")
	for name, text := range map[string]string{
		"shared key": secretText(t, "HS256", hsKey, "", ""),
		"pair":       secretText(t, "ES256", public, private, ""),
	} {
		secret := parseSecret(t, text)
		ring, derived, err := NewKeyring("", nil, secret)
		if err != nil || !derived {
			t.Fatalf("%s: derived %v, %v", name, derived, err)
		}
		sealed, err := ring.Seal("p", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		// The installation gets a key of its own and names the derived one as its predecessor.
		own, derived, err := NewKeyring(keyA, []string{"derived"}, secret)
		if err != nil || derived {
			t.Fatalf("%s: derived %v, %v", name, derived, err)
		}
		if got, err := own.Open("p", sealed); err != nil || string(got) != "x" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if bytes.Contains(ring.Peppers()[0], []byte(hsKey[:8])) || bytes.Equal(ring.Peppers()[0], own.Peppers()[0]) {
			t.Errorf("%s: pepper is not derived of the key", name)
		}
	}
	// The same key, written otherwise, is the same key.
	escaped := parseSecret(t, secretText(t, "ES256", "", strings.ReplaceAll(private, "\n", `\n`), ""))
	one, _, err1 := NewKeyring("", nil, escaped)
	two, _, err2 := NewKeyring("", nil, parseSecret(t, secretText(t, "ES256", public, private, "")))
	if err1 != nil || err2 != nil || !cmp.Equal(one.Peppers(), two.Peppers()) {
		t.Errorf("two replicas with one key differ: %v, %v", err1, err2)
	}
}

func TestBadEncryptionKeysAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key      string
		previous []string
		want     string
	}{
		"short":                  {keyA[:62], nil, "AUTH_ENCRYPTION_KEY must be 64"},
		"long":                   {keyA + "0a", nil, "AUTH_ENCRYPTION_KEY must be 64"},
		"no hex":                 {strings.Repeat("xy", 32), nil, "AUTH_ENCRYPTION_KEY must be 64"},
		"bad previous":           {keyA, []string{keyB, "0a"}, "entry 2, must be 64"},
		"nothing to derive from": {"", nil, "HASURA_GRAPHQL_JWT_SECRET is not set"},
	} {
		_, _, err := NewKeyring(c.key, c.previous, Secret{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestPeppersLeadWithTheCurrentKey(t *testing.T) {
	t.Parallel()
	both, a, b := newKeyring(t, keyA, keyB).Peppers(), newKeyring(t, keyA).Peppers(), newKeyring(t, keyB).Peppers()
	if diff := cmp.Diff([][]byte{a[0], b[0]}, both); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// These values are held: replicas of two versions share sessions, so they never change.
func TestRefreshChainIsTheSameForEver(t *testing.T) {
	t.Parallel()
	pepper := bytes.Repeat([]byte{7}, 32)
	const token = "11111111-2222-4333-8444-555555555555"
	for k, want := range []string{
		"40518991-a47e-45c6-95cc-d803d5c84cc8", "91d6e188-17c5-44ce-855f-c853786f6d68",
	} {
		if got := NextRefresh(pepper, token, k); got != want {
			t.Errorf("branch %d: got %s, want %s", k, got, want)
		}
	}
	if got, want := hex.EncodeToString(newKeyring(t, keyA).Peppers()[0]), "018c169cdacb5f8d2324c6285368e2431dcc467805f0c8448a716e3132736d31"; got != want {
		t.Errorf("pepper: got %s, want %s", got, want)
	}
	if got, want := HashRefresh(token), "\\xcf4c4732fd3b8f8a55b60871950a2f22c893ea7afd75d2146826534e3f67cc49"; got != want {
		t.Errorf("hash: got %s, want %s", got, want)
	}
}

var uuid4 = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`)

func TestRefreshTokensAreUUIDsAndAllDifferent(t *testing.T) {
	t.Parallel()
	pepper, other := []byte("one"), []byte("two")
	seen := map[string]bool{}
	token := NewUUID()
	for range 500 {
		for _, next := range []string{NextRefresh(other, token, 0), NextRefresh(pepper, token, 7), NextRefresh(pepper, token, 1), NextRefresh(pepper, token, 0), NewUUID()} {
			if !uuid4.MatchString(next) {
				t.Fatalf("%q is no UUID of version 4", next)
			}
			if seen[next] {
				t.Fatalf("%q twice", next)
			}
			seen[next] = true
		}
		token = NextRefresh(pepper, token, 0)
	}
}

func TestCodesHaveTheirDigitsAllEquallyLikely(t *testing.T) {
	t.Parallel()
	for _, digits := range []int{-1, 0, 1, 6, 40} {
		if got := len(NewCode(digits)); got != max(digits, 0) {
			t.Errorf("a code of %d digits has %d", digits, got)
		}
	}
	// Bytes taken modulo ten would give 0 to 5 in 609,375 of a million places; 600,000 are right,
	// and eight standard deviations are 3,919.
	low := 0
	for _, c := range NewCode(1_000_000) {
		if c < '0' || c > '9' {
			t.Fatalf("%q is no digit", c)
		}
		if c <= '5' {
			low++
		}
	}
	if low < 596_000 || low > 604_000 {
		t.Errorf("0 to 5 came %d times in a million, want about 600,000", low)
	}
}

func TestPKCEOfRFC7636(t *testing.T) {
	t.Parallel()
	const verifier, challenge = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
	if got := ChallengeOf(verifier); got != challenge {
		t.Errorf("challenge of Appendix B: got %s", got)
	}
	for name, c := range map[string]struct {
		challenge, verifier string
		ok                  bool
	}{
		"right":                     {challenge, verifier, true},
		"another verifier":          {challenge, strings.Repeat("a", 43), false},
		"the challenge as verifier": {challenge, challenge, false},
		"plain":                     {verifier, verifier, false},
		"both empty":                {"", "", false},
		"verifier one too short":    {ChallengeOf(verifier[:42]), verifier[:42], false},
		"verifier of 128":           {ChallengeOf(strings.Repeat("~", 128)), strings.Repeat("~", 128), true},
		"verifier of 129":           {ChallengeOf(strings.Repeat("~", 129)), strings.Repeat("~", 129), false},
		"verifier with a blank":     {ChallengeOf(verifier + " "), verifier + " ", false},
		"challenge with padding":    {challenge + "=", verifier, false},
		"challenge in base64":       {strings.ReplaceAll(challenge, "-", "+"), verifier, false},
	} {
		if got := Answers(c.challenge, c.verifier); got != c.ok {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestHashSecretIsSHA256(t *testing.T) {
	t.Parallel()
	if got := hex.EncodeToString(HashSecret("abc")); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %s", got)
	}
}

package providers_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakeprovider"
	"postern/providers"
)

// withKeys are the providers whose id tokens clients may bring.
var withKeys = []string{"apple", "azure", "azuread", "corp", "entraid", "google", "keycloak", "slack"}

func verifier(t *testing.T, table *providers.Table, name string) providers.IDTokenVerifier {
	t.Helper()
	v, ok := table.IDTokens(name)
	if !ok {
		t.Fatalf("%s takes no id tokens", name)
	}
	return v
}

func hashOf(nonce string) string {
	sum := sha256.Sum256([]byte(nonce))
	return hex.EncodeToString(sum[:])
}

// T05 and T47 for id tokens: what each provider's verifier takes, and what it refuses.
func TestT05IDTokensOfOthersAreRefused(t *testing.T) {
	t.Parallel()
	c := newClock() // stands still
	now := c.now().Unix()
	type m = map[string]any
	tests := []struct {
		name   string
		claims m
		nonce  string
		ok     bool
	}{
		{"as it should be", nil, "", true},
		{"nonce as it is", m{"nonce": "n-0S6_WzA2Mj"}, "n-0S6_WzA2Mj", true},
		{"nonce hashed", m{"nonce": hashOf("n-0S6_WzA2Mj")}, "n-0S6_WzA2Mj", true},
		{"several audiences, asked for by us", m{"aud": []any{"ours", "theirs"}, "azp": "ours"}, "", true},
		{"one audience, asked for by our other app", m{"azp": "also-ours"}, "", true},
		{"a minute too old", m{"exp": now - 30}, "", true},
		{"a minute too early", m{"iat": now + 30}, "", true},

		{"nonce of somebody else", m{"nonce": "other"}, "n-0S6_WzA2Mj", false},
		{"nonce that was not told", m{"nonce": "n-0S6_WzA2Mj"}, "", false},
		{"nonce that is missing", nil, "n-0S6_WzA2Mj", false},
		{"the hash as nonce", m{"nonce": "n-0S6_WzA2Mj"}, hashOf("n-0S6_WzA2Mj"), false},
		{"nonce that is no string", m{"nonce": 1}, "1", false},
		{"empty nonce", m{"nonce": ""}, "", false},
		{"foreign issuer", m{"iss": "https://evil.example"}, "", false},
		{"issuer with a slash", m{"iss": "SLASH"}, "", false},
		{"issuer as a list", m{"iss": []any{"ISSUER"}}, "", false},
		{"no issuer", m{"iss": nil}, "", false},
		{"foreign audience", m{"aud": "theirs"}, "", false},
		{"our audience's prefix", m{"aud": "our"}, "", false},
		{"foreign audiences", m{"aud": []any{"theirs", "others"}}, "", false},
		{"several audiences, nobody asked", m{"aud": []any{"ours", "theirs"}}, "", false},
		{"several audiences, asked for by others", m{"aud": []any{"ours", "theirs"}, "azp": "theirs"}, "", false},
		{"access token in Keycloak's words", m{"typ": "Bearer"}, "", false},
		{"no audience", m{"aud": nil}, "", false},
		{"empty audience", m{"aud": ""}, "", false},
		{"audience of the wrong type", m{"aud": m{"ours": true}}, "", false},
		{"party of the wrong type", m{"azp": []any{"ours"}}, "", false},
		{"expired", m{"exp": now - 120}, "", false},
		{"no end", m{"exp": nil}, "", false},
		{"end that is no number", m{"exp": "never"}, "", false},
		{"from the future", m{"iat": now + 600}, "", false},
		{"from no time", m{"iat": nil}, "", false},
		{"not yet", m{"nbf": now + 600}, "", false},
		{"no subject", m{"sub": nil, "oid": nil}, "", false},
		{"empty subject", m{"sub": "", "oid": ""}, "", false},
		{"subject that is a number", m{"sub": 1}, "", false},
	}
	for _, name := range withKeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			fake.Now = c.now
			vars := fake.Env(name)
			vars["AUTH_PROVIDER_"+strings.ToUpper(name)+"_AUDIENCE"] = "ours,also-ours"
			v := verifier(t, openWith(t, fake.Client(), vars, c.now), name)
			for _, tt := range tests {
				claims := m{"aud": "ours"}
				for k, x := range tt.claims {
					claims[k] = x
				}
				issuer := issuerOf(t, fake.IDToken(name, nil))
				switch {
				case claims["iss"] == "SLASH":
					claims["iss"] = issuer + "/"
				case tt.name == "issuer as a list":
					claims["iss"] = []any{issuer}
				}
				got, err := v.VerifyIDToken(t.Context(), fake.IDToken(name, claims), tt.nonce, "")
				if (err == nil) != tt.ok || err != nil && !errors.Is(err, providers.ErrIDToken) && !errors.Is(err, providers.ErrProfile) {
					t.Errorf("%s: error %v, want it taken: %v", tt.name, err, tt.ok)
				}
				if tt.ok && err == nil && (got.ID != "1001" || got.Email != "ada@example.com" || len(got.Raw) < 10) {
					t.Errorf("%s: %+v", tt.name, got)
				}
				if !tt.ok && got.ID != "" {
					t.Errorf("%s: refused, and yet %+v", tt.name, got)
				}
			}
			for name, audience := range map[string]string{"the client": fakeprovider.ClientID(name), "the second audience": "also-ours"} {
				if _, err := v.VerifyIDToken(t.Context(), fake.IDToken(v2name(t), m{"aud": audience}), "", ""); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			// Google lets the apps of one owner ask for tokens for their server. Elsewhere such a token is
			// what lets somebody else's application act for the person.
			_, err := v.VerifyIDToken(t.Context(), fake.IDToken(name, m{"aud": "ours", "azp": "theirs"}), "", "")
			if fixed := slices.Contains([]string{"apple", "google", "slack"}, name); (err == nil) != fixed {
				t.Errorf("one audience, asked for by another application: %v", err)
			}
			if n := fake.Seen(fakeprovider.Keys); n != 1 {
				t.Errorf("the keys were fetched %d times, want once", n)
			}
		})
	}
}

// v2name is the provider of the subtest.
func v2name(t *testing.T) string {
	t.Helper()
	_, name, _ := strings.Cut(t.Name(), "/")
	return name
}

func issuerOf(t *testing.T, token string) string {
	t.Helper()
	payload, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(payload), `"iss":"`)
	issuer, _, _ := strings.Cut(rest, `"`)
	return issuer
}

// The attacks on JSON Web Tokens: nothing but a signature by a key of the issuer, with an algorithm
// of the issuer, counts.
func TestT47ForgedIDTokensAreRefused(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	v := verifier(t, open(t, fake, fake.Env("google", "corp")), "google")
	type m = map[string]any
	good := fake.IDToken("google", nil)
	parts := strings.Split(good, ".")
	payload := parts[1]
	head := func(json string) string { return base64.RawURLEncoding.EncodeToString([]byte(json)) }
	der, err := x509.MarshalPKIXPublicKey(fake.RSAPublicKey())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	withMAC := func(header string, key []byte) string {
		text := head(header) + "." + payload
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(text))
		return text + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	claims := m{"iss": "https://accounts.google.com", "aud": fakeprovider.ClientID("google"), "sub": "1001", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	tests := map[string]string{
		"empty":                                 "",
		"no signature":                          parts[0] + "." + payload + ".",
		"no signature, two parts":               parts[0] + "." + payload,
		"alg none":                              head(`{"alg":"none"}`) + "." + payload + ".",
		"alg none, signed":                      head(`{"alg":"none"}`) + "." + payload + "." + parts[2],
		"alg None":                              head(`{"alg":"None"}`) + "." + payload + "." + parts[2],
		"alg missing":                           head(`{}`) + "." + payload + "." + parts[2],
		"public key as shared secret":           withMAC(`{"alg":"HS256","kid":"rsa-1"}`, public),
		"shared key of the key set":             withMAC(`{"alg":"HS256","kid":"shared"}`, []byte(strings.Repeat("k", 32))),
		"signed by the issuer's key, wrong alg": fake.Sign(m{"alg": "RS512", "kid": "rsa-1"}, claims),
		"ES256, which Google does not use":      fake.Sign(m{"alg": "ES256", "kid": "ec-1"}, claims),
		"key in the header":                     fake.Sign(m{"alg": "RS256", "kid": "x", "jwk": m{"kty": "RSA", "n": "AQAB", "e": "AQAB"}}, claims),
		"key set in the header":                 fake.Sign(m{"alg": "RS256", "kid": "x", "jku": fake.URL + "/corp/keys"}, claims),
		"critical extension":                    fake.Sign(m{"alg": "RS256", "kid": "rsa-1", "crit": []any{"exp"}, "exp": 1}, claims),
		"other payload":                         parts[0] + "." + head(`{"iss":"https://accounts.google.com"}`) + "." + parts[2],
		"signature cut":                         good[:len(good)-4],
		"psychic signature":                     parts[0] + "." + payload + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 256)),
		"encrypted (five parts)":                good + ".x.y",
		"JSON serialization":                    `{"payload":"` + payload + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"blank before":                          " " + good,
		"line break after":                      good + "\n",
		"padding":                               good + "==",
		"megabytes":                             parts[0] + "." + strings.Repeat("A", 1<<20) + "." + parts[2],
		"token of another issuer":               fake.IDToken("corp", nil),
		"not a token":                           "hello",
		"access token":                          fake.Sign(m{"alg": "RS256", "kid": "rsa-1", "typ": "at+jwt"}, claims),
		"access token, spelled out":             fake.Sign(m{"alg": "RS256", "kid": "rsa-1", "typ": "application/AT+JWT"}, claims),
		"logout token":                          fake.Sign(m{"alg": "RS256", "kid": "rsa-1", "typ": "logout+jwt"}, claims),
		"payload is no object":                  fake.Sign(m{"alg": "RS256", "kid": "rsa-1"}, nil),
	}
	for name, token := range tests {
		if got, err := v.VerifyIDToken(t.Context(), token, "", ""); !errors.Is(err, providers.ErrIDToken) || got.ID != "" {
			t.Errorf("%s: %+v, %v, want ErrIDToken", name, got, err)
		} else if len(token) > 40 && strings.Contains(err.Error(), token[20:40]) {
			t.Errorf("%s: the error repeats the token: %v", name, err)
		}
	}
	if _, err := v.VerifyIDToken(t.Context(), good, "", ""); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestWeakness47GooglesIssuersAudiencesAndNonces(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	table := open(t, fake, map[string]string{"AUTH_PROVIDER_GOOGLE_AUDIENCE": "web,android,ios"})
	if _, known, enabled := table.Find("google"); !known || enabled {
		t.Errorf("google: known %v, enabled %v: an audience alone enables id tokens and nothing else", known, enabled)
	}
	v := verifier(t, table, "google")
	for _, issuer := range []string{"https://accounts.google.com", "accounts.google.com"} {
		for _, audience := range []string{"web", "android", "ios"} {
			for _, nonce := range []string{"raw", hashOf("raw")} {
				token := fake.IDToken("google", map[string]any{"iss": issuer, "aud": audience, "nonce": nonce})
				if _, err := v.VerifyIDToken(t.Context(), token, "raw", ""); err != nil {
					t.Errorf("%s, %s, %s: %v", issuer, audience, nonce, err)
				}
			}
		}
	}
	// Without ENABLED the id of the application counts for nothing.
	if _, err := v.VerifyIDToken(t.Context(), fake.IDToken("google", nil), "", ""); !errors.Is(err, providers.ErrIDToken) {
		t.Errorf("the client id of a provider that is off: %v, want ErrIDToken", err)
	}
	if _, ok := open(t, fake, nil).IDTokens("google"); ok {
		t.Error("id tokens are taken though nothing is set")
	}
}

// T02 for id tokens.
func TestT02FlagsInIDTokens(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	table := open(t, fake, fake.Env(withKeys...))
	for _, name := range withKeys {
		for _, f := range flags {
			claims := map[string]any{"email_verified": f.value, "xms_edov": f.value}
			if f.value == nil { // nil takes a claim out; here it should be null
				continue
			}
			if name == "azure" || name == "azuread" || name == "entraid" {
				claims["email_verified"] = true // which Microsoft does not mean
			}
			got, err := verifier(t, table, name).VerifyIDToken(t.Context(), fake.IDToken(name, claims), "", "")
			want := f.true || name == "apple" && f.name == "string true"
			if err != nil || got.EmailVerified != want {
				t.Errorf("%s, %s: verified %v, %v, want %v", name, f.name, got.EmailVerified, err, want)
			}
		}
	}
}

// A device that cannot take nonces says so, at Apple alone; the token is then taken without.
func TestAppleDevicesWithoutNonces(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	v := verifier(t, open(t, fake, fake.Env("apple")), "apple")
	for supported, ok := range map[any]bool{false: true, true: false, "false": false} {
		_, err := v.VerifyIDToken(t.Context(), fake.IDToken("apple", map[string]any{"nonce_supported": supported}), "the-nonce", "")
		if (err == nil) != ok {
			t.Errorf("nonce_supported %v: %v, want it taken: %v", supported, err, ok)
		}
	}
}

// Microsoft has an issuer for each tenant. Which may sign in is the operator's word.
func TestT05TenantsOfMicrosoft(t *testing.T) {
	t.Parallel()
	const (
		ours     = "11111111-2222-3333-4444-555555555555"
		other    = "99999999-2222-3333-4444-555555555555"
		personal = "9188040d-6c67-4c5b-b112-36a304b66dad"
	)
	v2 := func(tid string) string { return "https://login.microsoftonline.com/" + tid + "/v2.0" }
	tests := []struct {
		name, tenant string
		claims       map[string]any
		ok           bool
	}{
		{"common takes any", "common", map[string]any{"tid": other, "iss": v2(other)}, true},
		{"and private people", "common", map[string]any{"tid": personal, "iss": v2(personal)}, true},
		{"issuer and tenant differ", "common", map[string]any{"tid": ours, "iss": v2(other)}, false},
		{"no tenant", "common", map[string]any{"tid": nil, "iss": v2(other)}, false},
		{"a path for a tenant", "common", map[string]any{"tid": "x/../" + ours, "iss": v2("x/../" + ours)}, false},
		{"the place itself", "common", map[string]any{"tid": "{tenantid}", "iss": v2("{tenantid}")}, false},
		{"capital letters", "common", map[string]any{"tid": "9999999A-2222-3333-4444-555555555555", "iss": v2("9999999A-2222-3333-4444-555555555555")}, false},
		{"foreign host", "common", map[string]any{"tid": ours, "iss": "https://evil.example/" + ours + "/v2.0"}, false},
		{"organizations take any", "organizations", map[string]any{"tid": other, "iss": v2(other)}, true},
		{"but no private people", "organizations", map[string]any{"tid": personal, "iss": v2(personal)}, false},
	}
	for _, tt := range tests {
		fake := fakeprovider.New(t)
		vars := fake.Env("entraid")
		vars["AUTH_PROVIDER_ENTRAID_TENANT"] = tt.tenant
		_, err := verifier(t, open(t, fake, vars), "entraid").VerifyIDToken(t.Context(), fake.IDToken("entraid", tt.claims), "", "")
		if (err == nil) != tt.ok {
			t.Errorf("%s: %v, want it taken: %v", tt.name, err, tt.ok)
		}
	}
	// A tenant of one's own has an issuer of its own.
	fake := fakeprovider.New(t)
	fake.Answer(fakeprovider.Discovery, fakeprovider.Answer{Body: `{"issuer":"` + v2(ours) + `","authorization_endpoint":"https://login.microsoftonline.com/a","token_endpoint":"https://login.microsoftonline.com/t","jwks_uri":"https://login.microsoftonline.com/common/discovery/v2.0/keys"}`})
	vars := fake.Env("entraid")
	vars["AUTH_PROVIDER_ENTRAID_TENANT"] = "example.onmicrosoft.com"
	v := verifier(t, open(t, fake, vars), "entraid")
	for tid, ok := range map[string]bool{ours: true, other: false, personal: false} {
		if _, err := v.VerifyIDToken(t.Context(), fake.IDToken("entraid", map[string]any{"tid": tid, "iss": v2(tid)}), "", ""); (err == nil) != ok {
			t.Errorf("tenant %s at our own: %v, want it taken: %v", tid, err, ok)
		}
	}
}

// In our own sign-ins the id token must be the one that was asked for: for this client, with this
// nonce. A token for an app on a phone does not do.
func TestIDTokensOfSignIns(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		claims map[string]any
		ok     bool
	}{
		{"as it should be", nil, true},
		{"asked for by us", map[string]any{"azp": "CLIENT"}, true},
		{"other nonce", map[string]any{"nonce": "other"}, false},
		{"hashed nonce", map[string]any{"nonce": hashOf(start.Nonce)}, false},
		{"no nonce", map[string]any{"nonce": nil}, false},
		{"no nonce, as if there were no nonces", map[string]any{"nonce": nil, "nonce_supported": false}, false},
		{"for the app", map[string]any{"aud": "app"}, false},
		{"asked for by the app", map[string]any{"azp": "app"}, false},
		{"foreign issuer", map[string]any{"iss": "https://evil.example"}, false},
		{"expired", map[string]any{"exp": 1}, false},
	}
	for _, name := range withKeys {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			fake := fakeprovider.New(t)
			vars := fake.Env(name)
			vars["AUTH_PROVIDER_"+strings.ToUpper(name)+"_AUDIENCE"] = "app"
			p := find(t, open(t, fake, vars), name)
			for _, tt := range tests {
				if tt.claims["azp"] == "CLIENT" {
					tt.claims = map[string]any{"azp": fakeprovider.ClientID(name)}
				}
				fake.Be(fakeprovider.Person{ID: "1", Verified: true, Claims: tt.claims})
				got, _, err := signIn(t, fake, p)
				if (err == nil) != tt.ok || err != nil && !errors.Is(err, providers.ErrProfile) {
					t.Errorf("%s: %+v, %v, want it taken: %v", tt.name, got, err, tt.ok)
				}
			}
			// A nonce that the caller lost is no nonce that fits.
			fake.Be(fakeprovider.Person{ID: "1"})
			c, _ := visit(t, fake, p, start)
			c.Nonce = ""
			if _, _, err := p.Finish(t.Context(), c); !errors.Is(err, providers.ErrProfile) {
				t.Errorf("without the nonce: %v, want ErrProfile", err)
			}
		})
	}
}

func TestTheUserinfoMustBeAboutTheSamePerson(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	p := find(t, open(t, fake, fake.Env("corp")), "corp")
	fake.Be(fakeprovider.Person{ID: "1", Email: "a@example.com", Verified: true, Claims: map[string]any{"email": nil}})
	got, _, err := signIn(t, fake, p)
	want := providers.Profile{ID: "1", Email: "a@example.com", EmailVerified: true}
	got.Raw, got.Name = nil, ""
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("an address that stands in the userinfo alone: %v (-want +got):\n%s", err, diff)
	}
	fake.Answer(fakeprovider.Userinfo, fakeprovider.Answer{Body: `{"sub":"2","email":"b@example.com","email_verified":true}`})
	if got, _, err := signIn(t, fake, p); !errors.Is(err, providers.ErrProfile) {
		t.Errorf("a userinfo about somebody else: %+v, %v, want ErrProfile", got, err)
	}
}

// Keys are fetched when the first token comes, again when they are old, and for an unknown key, but
// not each time somebody makes up one.
func TestF13KeysAreFetchedSeldom(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	c := newClock()
	fake.Now = c.now
	v := verifier(t, openWith(t, fake.Client(), fake.Env("google"), c.now), "google")
	check := func(what string, ok bool, fetched int) {
		t.Helper()
		_, err := v.VerifyIDToken(t.Context(), fake.IDToken("google", nil), "", "")
		if (err == nil) != ok || fake.Seen(fakeprovider.Keys) != fetched {
			t.Errorf("%s: %v, want it taken: %v; keys fetched %d times, want %d", what, err, ok, fake.Seen(fakeprovider.Keys), fetched)
		}
	}
	if n := fake.Seen(fakeprovider.Keys); n != 0 {
		t.Errorf("keys fetched %d times before anybody needed them", n)
	}
	check("first", true, 1)
	check("second", true, 1)
	fake.RotateKeys("rsa-2")
	check("a key that nobody has seen, right after", false, 1)
	c.advance(31 * time.Second)
	check("the same, later", true, 2)
	for range 20 { // made-up keys
		_, _ = v.VerifyIDToken(t.Context(), fake.Sign(map[string]any{"alg": "RS256", "kid": "made-up"}, nil), "", "")
	}
	check("after made-up keys", true, 2)
	c.advance(time.Hour)
	check("old keys", true, 3)

	fake.Answer(fakeprovider.Keys, fakeprovider.Answer{Status: 500})
	c.advance(time.Hour)
	check("old keys, and the provider is down", false, 4)
	check("again at once", false, 4)
	_, err := v.VerifyIDToken(t.Context(), fake.IDToken("google", nil), "", "")
	if !errors.Is(err, providers.ErrProfile) || errors.Is(err, providers.ErrIDToken) {
		t.Errorf("error %v: the token is not at fault when the keys are out of reach", err)
	}
	fake.Recover(fakeprovider.Keys)
	c.advance(6 * time.Second)
	check("the provider is back", true, 5)
}

func TestManyAtOnceFetchKeysOnce(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	v := verifier(t, open(t, fake, fake.Env("corp")), "corp")
	token := fake.IDToken("corp", nil)
	var wait sync.WaitGroup
	for range 32 {
		wait.Go(func() {
			if _, err := v.VerifyIDToken(t.Context(), token, "", ""); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if k, d := fake.Seen(fakeprovider.Keys), fake.Seen(fakeprovider.Discovery); k != 1 || d != 1 {
		t.Errorf("keys fetched %d times, metadata %d times, want each once", k, d)
	}
}

// Keys that are not for signatures, or too weak, are as good as none.
func TestWeakKeysDoNotCount(t *testing.T) {
	t.Parallel()
	fake := fakeprovider.New(t)
	v := verifier(t, open(t, fake, fake.Env("corp")), "corp")
	n := base64.RawURLEncoding.EncodeToString(fake.RSAPublicKey().N.Bytes())
	fake.AddKeys(
		map[string]any{"kty": "RSA", "use": "enc", "kid": "for-encryption", "n": n, "e": "AQAB"},
		map[string]any{"kty": "RSA", "use": "sig", "kid": "short", "n": base64.RawURLEncoding.EncodeToString(make([]byte, 127)) + "B", "e": "AQAB"},
	)
	now := time.Now()
	claims := map[string]any{"iss": fake.URL + "/corp", "aud": fakeprovider.ClientID("corp"), "sub": "1", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	// corp announces ES256 alone, so RS256 by its own RSA key is refused as well.
	for _, kid := range []string{"for-encryption", "short", "rsa-1"} {
		if _, err := v.VerifyIDToken(t.Context(), fake.Sign(map[string]any{"alg": "RS256", "kid": kid}, claims), "", ""); !errors.Is(err, providers.ErrIDToken) {
			t.Errorf("%s: %v, want ErrIDToken", kid, err)
		}
	}
	if _, err := v.VerifyIDToken(t.Context(), fake.Sign(map[string]any{"alg": "ES256", "kid": "ec-1"}, claims), "", ""); err != nil {
		t.Errorf("the right key: %v", err)
	}
	if _, err := v.VerifyIDToken(t.Context(), fake.Sign(map[string]any{"alg": "ES256"}, claims), "", ""); err != nil {
		t.Errorf("without a key's name: %v", err)
	}
}

func FuzzVerifyIDToken(f *testing.F) {
	fake := fakeprovider.New(f)
	table, err := providers.Open(settings(fake.Env("google")), fake.Client(), time.Now)
	if err != nil {
		f.Fatal(err)
	}
	v, _ := table.IDTokens("google")
	good := fake.IDToken("google", nil)
	for _, seed := range []string{good, "", "a.b.c", good + ".", strings.Replace(good, ".", "..", 1), "{}", strings.ToUpper(good)} {
		f.Add(seed, "")
	}
	f.Fuzz(func(t *testing.T, raw, nonce string) {
		p, err := v.VerifyIDToken(t.Context(), raw, nonce, "")
		if err == nil && raw != good || err != nil && p.ID != "" {
			t.Errorf("%q: %+v, %v", raw, p, err)
		}
	})
}

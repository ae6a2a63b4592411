package tokens

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMembersThatCannotBeHonouredAreRefused(t *testing.T) {
	t.Parallel()
	rsaPublic, rsaPrivate := pairOf(t, "RS256")
	ecPublic, ecPrivate := pairOf(t, "ES256")
	otherPublic, _ := pairOf(t, "ES256")
	hs := func(more string) string { return secretText(t, "HS256", hsKey, "", more) }
	claimsMap := func(more string) string {
		return hs(`,"claims_map":{"x-hasura-allowed-roles":["user"],"x-hasura-default-role":"user"` + more + `}`)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no JSON":                   {"a-plain-secret", "must be a JSON object"},
		"list":                      {`["HS256"]`, "must be a JSON object"},
		"null":                      {`null`, "must be a JSON object"},
		"member twice":              {`{"type":"HS256","type":"HS256","key":"k"}`, "given twice"},
		"unknown member":            {hs(`,"jwk":"x"`), `"jwk", which nobody would honour`},
		"no type":                   {`{"key":"k"}`, "type must be one of"},
		"none":                      {`{"type":"none","key":"k"}`, "type must be one of"},
		"type in another case":      {`{"type":"hs256","key":"k"}`, "type must be one of"},
		"type a number":             {`{"type":256,"key":"k"}`, "type must be a string"},
		"no key":                    {`{"type":"HS256"}`, "key is missing"},
		"empty key":                 {`{"type":"HS256","key":""}`, "key must not be empty"},
		"only jwk_url":              {`{"jwk_url":"https://a/jwks"}`, "type and signing_key are needed"},
		"jwk_url with a shared key": {hs(`,"jwk_url":"https://a/jwks"`), "never published"},
		"signing_key beside HS":     {secretText(t, "HS256", hsKey, rsaPrivate, ""), "signing_key cannot go with"},
		"no signing_key":            {secretText(t, "RS256", rsaPublic, "", ""), "signing_key is missing"},
		"jwk_url, no signing_key":   {`{"type":"RS256","jwk_url":"https://a/jwks"}`, "signing_key is missing"},
		"private key as key":        {secretText(t, "RS256", rsaPrivate, rsaPrivate, ""), "the private key belongs in signing_key"},
		"public key as signing_key": {secretText(t, "RS256", rsaPublic, rsaPublic, ""), "must be an unencrypted PEM private key"},
		"not PEM":                   {secretText(t, "RS256", "abc", "abc", ""), "must be a PEM text"},
		"damaged PEM":               {secretText(t, "RS256", "", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", ""), "is damaged"},
		"EC key for RS":             {secretText(t, "RS256", ecPublic, ecPrivate, ""), "does not go with type RS256"},
		"RSA key for ES":            {secretText(t, "ES256", rsaPublic, rsaPrivate, ""), "does not go with type ES256"},
		"EC key of another curve":   {secretText(t, "ES384", ecPublic, ecPrivate, ""), "does not go with type ES384"},
		"EC key for Ed25519":        {secretText(t, "Ed25519", ecPublic, ecPrivate, ""), "does not go with type Ed25519"},
		"not a pair":                {secretText(t, "ES256", otherPublic, ecPrivate, ""), "not one pair"},
		"not a pair, other kinds":   {secretText(t, "ES256", rsaPublic, ecPrivate, ""), "not one pair"},
		"two namespaces":            {hs(`,"claims_namespace":"a","claims_namespace_path":"$.a"`), "exclude each other"},
		"namespace sub":             {hs(`,"claims_namespace":"sub"`), "another claim of that name"},
		"namespace below exp":       {hs(`,"claims_namespace_path":"$.exp.a"`), "another claim of that name"},
		"path without root":         {hs(`,"claims_namespace_path":"a.b"`), "begins with $"},
		"path with an index":        {hs(`,"claims_namespace_path":"$.a[0]"`), "may only name members"},
		"path with a wildcard":      {hs(`,"claims_namespace_path":"$.*"`), "may only name members"},
		"path unclosed":             {hs(`,"claims_namespace_path":"$['a"`), "not closed"},
		"path with an empty name":   {hs(`,"claims_namespace_path":"$.a..b"`), "may only name members"},
		"format":                    {hs(`,"claims_format":"xml"`), "json or stringified_json"},
		"stringified payload":       {hs(`,"claims_format":"stringified_json","claims_namespace_path":"$"`), "never a string"},
		"audience a number":         {hs(`,"audience":5`), "audience must be"},
		"audience empty":            {hs(`,"audience":[]`), "audience must be"},
		"audience with a number":    {hs(`,"audience":["a",5]`), "audience must be"},
		"issuer empty":              {hs(`,"issuer":""`), "issuer must not be empty"},
		"skew negative":             {hs(`,"allowed_skew":-1`), "allowed_skew must be"},
		"skew of half a second":     {hs(`,"allowed_skew":0.5`), "allowed_skew must be"},
		"skew as text":              {hs(`,"allowed_skew":"1"`), "allowed_skew must be"},
		"header of no kind":         {hs(`,"header":{"type":"Body"}`), "header must have the type"},
		"header cookie, no name":    {hs(`,"header":{"type":"Cookie"}`), "needs a name"},
		"header a string":           {hs(`,"header":"Authorization"`), "header must be an object"},
		"map a list":                {hs(`,"claims_map":[]`), "claims_map must be an object"},
		"map without roles":         {hs(`,"claims_map":{"x-hasura-default-role":"user"}`), "must have x-hasura-allowed-roles"},
		"map without default role":  {hs(`,"claims_map":{"x-hasura-allowed-roles":["a"]}`), "must have x-hasura-default-role"},
		"map of no claim":           {claimsMap(`,"role":"a"`), "claims begin with"},
		"map twice in two cases":    {claimsMap(`,"X-Hasura-Default-Role":"b"`), "twice"},
		"map to a number":           {claimsMap(`,"x-hasura-a":5`), "must be a string or an object"},
		"map to a list":             {claimsMap(`,"x-hasura-a":["b"]`), "only the allowed roles may be a list"},
		"map with another member":   {claimsMap(`,"x-hasura-a":{"path":"$.a","regex":"b"}`), "must have the member path"},
		"map to the root":           {claimsMap(`,"x-hasura-a":{"path":"$"}`), "must lead below $"},
		"map to no path":            {claimsMap(`,"x-hasura-a":{"default":"b"}`), "begins with $"},
		"map, default a number":     {claimsMap(`,"x-hasura-a":{"path":"$.a","default":5}`), "default must be a string"},
		"map to exp":                {claimsMap(`,"x-hasura-a":{"path":"$.exp"}`), "every token has a claim of that name"},
		"map below sub":             {claimsMap(`,"x-hasura-a":{"path":"$.sub.a"}`), "every token has a claim of that name"},
		"map to the namespace":      {claimsMap(`,"x-hasura-a":{"path":"$['https://hasura.io/jwt/claims']"}`), "runs into the claims namespace"},
		"map of elevated":           {claimsMap(`,"x-hasura-auth-elevated":{"path":"$.e"}`), "needs a default"},
		"map through another":       {claimsMap(`,"x-hasura-a":{"path":"$.a"},"x-hasura-b":{"path":"$.a.b"}`), "paths meet at $.a"},
		"map of two to one":         {claimsMap(`,"x-hasura-a":{"path":"$.a"},"x-hasura-b":{"path":"$.a"}`), "paths meet at $.a"},
		"literal roles not a list":  {hs(`,"claims_map":{"x-hasura-allowed-roles":"user","x-hasura-default-role":"user"}`), "must be a list"},
		"map into a claim at the root": {
			hs(`,"claims_namespace_path":"$","claims_map":{"x-hasura-allowed-roles":["u"],"x-hasura-default-role":{"path":"$.x-hasura-a.b"}}`),
			"runs into a claim",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s Secret
			err := s.UnmarshalText([]byte(c.text))
			if err == nil {
				t.Fatal("taken")
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want it to say %q", err, c.want)
			}
			if strings.Contains(err.Error(), hsKey) || strings.Contains(err.Error(), "BEGIN P") {
				t.Errorf("the error repeats the key: %q", err)
			}
			if !s.IsZero() {
				t.Error("half a secret was kept")
			}
		})
	}
}

func TestKeysInEveryWrapping(t *testing.T) {
	t.Parallel()
	public, private := pairOf(t, "ES256")
	escape := func(s string) string { return strings.ReplaceAll(s, "\n", `\n`) }
	for name, text := range map[string]string{
		"plain":               secretText(t, "ES256", public, private, ""),
		"escaped twice":       secretText(t, "ES256", escape(public), escape(private), ""),
		"no public key":       secretText(t, "ES256", "", private, ""),
		"jwk_url for Hasura":  secretText(t, "ES256", "", private, `,"jwk_url":"https://a/jwks"`),
		"null members":        secretText(t, "ES256", public, private, `,"audience":null,"claims_map":null,"kid":null`),
		"curve in front":      secretText(t, "ES256", "", "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"+private, ""),
		"blanks around":       "  " + secretText(t, "ES256", public, private, "") + "\n",
		"Windows line breaks": secretText(t, "ES256", strings.ReplaceAll(public, "\n", "\r\n"), strings.ReplaceAll(private, "\n", "\r\n"), ""),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, text)
			if _, err := s.Verify(sign(t, s, access()), noon); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestForHasuraLeavesOutWhatSigns(t *testing.T) {
	t.Parallel()
	public, private := pairOf(t, "ES256")
	for name, c := range map[string]struct {
		text string
		want map[string]any
	}{
		"shared key": {
			secretText(t, "HS256", hsKey, "", `,"issuer":"me","kid":"k"`),
			map[string]any{"type": "HS256", "key": hsKey, "issuer": "me"},
		},
		"pair": {
			secretText(t, "ES256", public, private, `,"kid":"k"`),
			map[string]any{"type": "ES256", "key": public},
		},
		"private key alone": {
			secretText(t, "ES256", "", private, ""),
			map[string]any{"type": "ES256", "key": public},
		},
		"fetched keys": {
			secretText(t, "ES256", public, private, `,"jwk_url":"https://a/jwks","audience":"a"`),
			map[string]any{"jwk_url": "https://a/jwks", "audience": "a"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			text, err := parseSecret(t, c.text).ForHasura()
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(text), &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSecretNeverPrintsItself(t *testing.T) {
	t.Parallel()
	s := parseSecret(t, secretText(t, "HS256", hsKey, "", ""))
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("settings", "secret", s, "all", Settings{JWTSecret: s})
	inJSON, err := json.Marshal(Settings{JWTSecret: s})
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{
		fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %s %q", s, s, s, s, s), fmt.Sprintf("%+v", Settings{JWTSecret: s}),
		fmt.Sprintf("%#v", Settings{JWTSecret: s}), fmt.Sprint(&s), log.String(), string(inJSON),
	} {
		if strings.Contains(text, hsKey) || strings.Contains(text, hsKey[:12]) {
			t.Errorf("printed: %s", text)
		}
	}
}

func TestWeakness28ShortKeysAreToldWithTheRemedy(t *testing.T) {
	t.Parallel()
	small := `{"type":"%s","key":"%s"}`
	spread := "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_"
	for name, c := range map[string]struct {
		alg, key string
		weak     int
	}{
		"one character":       {"HS256", "k", 2},
		"31 bytes":            {"HS256", spread[:31], 1},
		"32 bytes":            {"HS256", spread[:32], 0},
		"47 for HS384":        {"HS384", spread[:47], 1},
		"48 for HS384":        {"HS384", spread[:48], 0},
		"63 for HS512":        {"HS512", spread[:63], 1},
		"64 for HS512":        {"HS512", spread, 0},
		"one letter repeated": {"HS256", strings.Repeat("a", 64), 1},
	} {
		s := parseSecret(t, fmt.Sprintf(small, c.alg, c.key))
		got := s.Weaknesses()
		if len(got) != c.weak {
			t.Errorf("%s: got %q, want %d", name, got, c.weak)
		}
		for _, w := range got {
			if !strings.Contains(w, "postern keys secret") {
				t.Errorf("%s: %q does not name the command", name, w)
			}
		}
	}
	if got := (Secret{}).Weaknesses(); got != nil {
		t.Errorf("no secret: %q", got)
	}
}

func TestSampleSecretsAreKnown(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]bool{
		"5152fa850c02dc222631cca898ed1485821a70912a6e3649c49076912daa3b62182ba013315915d64f40cddfbb8b58eb5bd11ba225336a6af45bbae07ca873f3": true,
		"super-secret-jwt-token-with-at-least-32-characters-long":                                                                          true,
		"your-super-secret-jwt-token-with-at-least-32-characters-long":                                                                     true,
		"0f987876650b4a085e64594fae9219e7781b17506bec02489ad061fba8cb22db":                                                                 true,
		"changeme":                          true,
		"ChangeMe-please-changeme-please-1": true,
		"your-256-bit-secret":               true,
		"8f2e6d0c4b1a9378f2e6d0c4b1a9375d8f2e6d0c4b1a9378f2e6d0c4b1a9375d": false,
		"Zk3n7Qy-a-real-one-1cF9vR2mB8xW4tL6s":                             false,
	} {
		if got := parseSecret(t, secretText(t, "HS256", key, "", "")).IsSample(); got != want {
			t.Errorf("%q: got %v", key, got)
		}
	}
}

func TestSettingsCheckReportsEachVariable(t *testing.T) {
	t.Parallel()
	good := strings.Repeat("0f", 32)
	for name, c := range map[string]struct {
		settings Settings
		want     []string
	}{
		"fine":                          {Settings{AccessTokenLife: 900e9, EncryptionKey: good, PreviousEncryptionKeys: []string{good, "derived"}}, nil},
		"all wrong":                     {Settings{EncryptionKey: "0f", PreviousEncryptionKeys: []string{good, "x"}}, []string{"AUTH_ACCESS_TOKEN_EXPIRES_IN", "AUTH_ENCRYPTION_KEY", "AUTH_ENCRYPTION_KEY_PREVIOUS"}},
		"no hex":                        {Settings{AccessTokenLife: 900e9, EncryptionKey: strings.Repeat("zz", 32)}, []string{"AUTH_ENCRYPTION_KEY"}},
		"everything unset but the life": {Settings{AccessTokenLife: 1e9}, nil},
	} {
		var got []string
		c.settings.Check(func(env, problem string) {
			got = append(got, env)
			if strings.Contains(problem, "zz") {
				t.Errorf("%s: repeats the key: %s", name, problem)
			}
		})
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

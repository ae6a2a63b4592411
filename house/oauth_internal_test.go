package house

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"postern/tokens"
)

// TestOAuthServerNeedsWhatItPromises starts no server that clients could not trust.
func TestOAuthServerNeedsWhatItPromises(t *testing.T) {
	t.Parallel()
	const issuer = "https://auth.example.com/v1"
	literals := map[string]any{"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": "user", "x-hasura-user-id": map[string]string{"path": "$.sub"}}
	for name, x := range map[string]struct {
		secret map[string]any
		url    string
		says   string // nothing where it is fine
	}{
		"fine":                    {nil, issuer, ""},
		"on the machine":          {nil, "http://localhost:4000/v1", ""},
		"its own issuer":          {map[string]any{"issuer": issuer}, issuer, ""},
		"claims_map and audience": {map[string]any{"claims_map": literals, "audience": "engine"}, issuer, ""},
		"shared key":              {map[string]any{"type": "HS256", "key": strings.Repeat("k3y-", 16)}, issuer, "AUTH_OAUTH2_PROVIDER_ENABLED HASURA_GRAPHQL_JWT_SECRET RS256"},
		"plain http":              {nil, "http://auth.example.com/v1", "AUTH_OAUTH2_PROVIDER_ENABLED AUTH_SERVER_URL https"},
		"a query":                 {nil, issuer + "?x=1", "AUTH_OAUTH2_PROVIDER_ENABLED AUTH_SERVER_URL"},
		"other issuer":            {map[string]any{"issuer": "hasura-auth"}, issuer, "HASURA_GRAPHQL_JWT_SECRET AUTH_SERVER_URL hasura-auth"},
		"claims_map":              {map[string]any{"claims_map": literals}, issuer, "AUTH_OAUTH2_PROVIDER_ENABLED claims_map audience"},
	} {
		err := servesClients(signerOf(t, x.secret), x.url)
		if (err == nil) != (x.says == "") {
			t.Errorf("%s: %v", name, err)
		}
		for _, word := range strings.Fields(x.says) {
			if err == nil || !strings.Contains(err.Error(), word) {
				t.Errorf("%s: %v, want %s in it", name, err, word)
			}
		}
	}
}

// signerOf signs with a key pair, unless the members say otherwise.
func signerOf(t *testing.T, members map[string]any) *tokens.Signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]any{"type": "ES256", "signing_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))}
	if members["type"] != nil {
		all = map[string]any{}
	}
	for name, value := range members {
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	var secret tokens.Secret
	if err := secret.UnmarshalText(text); err != nil {
		t.Fatal(err)
	}
	s, err := tokens.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

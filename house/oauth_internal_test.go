package house

import (
	"encoding/json"
	"strings"
	"testing"

	"postern/internal/testkeys"
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
	text := testkeys.Secret(t, members)
	if members["type"] != nil {
		raw, _ := json.Marshal(members)
		text = string(raw)
	}
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	s, err := tokens.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

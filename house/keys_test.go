package house_test

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"postern/config"
	"postern/house"
	"postern/internal/testpg"
)

// TestKeysNeedADomain has a house where security keys are to be second factors say which setting is missing; one where they are not opens.
func TestKeysNeedADomain(t *testing.T) {
	t.Parallel()
	database := testpg.New(t)
	for _, test := range []struct{ wanted, domain, client, missing string }{
		{"true", "", "", "AUTH_WEBAUTHN_RP_ID must be set"},
		{"true", "", "http://127.0.0.1:3000", "AUTH_WEBAUTHN_RP_ID is"},
		{"true", "example.com", "", ""},
		{"true", "", "https://app.example.com", ""},
		{"false", "", "http://127.0.0.1:3000", ""},
	} {
		c, report := config.Load(config.Source{Env: map[string]string{
			"POSTGRES_CONNECTION": database, "HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + strings.Repeat("k3y-", 10) + `"}`,
			"AUTH_MFA_WEBAUTHN_ENABLED": test.wanted, "AUTH_WEBAUTHN_RP_ID": test.domain, "AUTH_CLIENT_URL": test.client,
		}})
		if err := report.Err(); err != nil {
			t.Fatal(err)
		}
		h, err := house.Build(t.Context(), c, house.Options{Version: "test", Now: time.Now, Log: slog.New(slog.DiscardHandler)})
		if err == nil {
			_ = h.Close(t.Context())
		}
		if (err == nil) != (test.missing == "") || err != nil && !strings.Contains(err.Error(), test.missing) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

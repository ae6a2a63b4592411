package gotrue_test

import (
	"testing"
	"time"

	"postern/tokens"
)

// TestKeysOfTheProjectAreNobody shows the keys where users show their tokens, at each door, and has policies judge them.
func TestKeysOfTheProjectAreNobody(t *testing.T) {
	t.Parallel()
	for _, dialects := range []string{"", "supabase"} {
		d := open(t, map[string]string{"AUTH_JWT_DIALECTS": dialects, "AUTH_HASURA_WEBHOOK_ENABLED": "true"})
		ann := d.confirmed(t, newAddress())["user"].(map[string]any)["id"].(string)
		r := guarded(t, d, ann)
		for _, role := range []string{tokens.AnonRole, tokens.ServiceRole} {
			now := d.Clock.Now()
			key, err := d.Kit.Signer.SignProject(role, now, now.Add(time.Hour))
			if err != nil {
				t.Fatal(err)
			}
			bearer := []string{"Authorization", "Bearer " + key, "apikey", key}
			if a := d.ask(t, "GET", "/user", "", bearer...); a.status != 403 || a.code(t) != "bad_jwt" {
				t.Errorf("%s: GoTrue's door: %d %s", role, a.status, a.body)
			}
			for _, path := range []string{"/user", "/hasura/webhook"} {
				if a := d.byHasura(t, "GET", path, "", bearer...); a.status != 401 {
					t.Errorf("%s: Hasura Auth's door, %s: %d %s", role, path, a.status, a.body)
				}
			}
			if a := d.ask(t, "POST", "/token?grant_type=password", credentials(newAddress(), password), bearer...); a.code(t) != "invalid_credentials" {
				t.Errorf("%s: a client that shows its key is refused: %d %s", role, a.status, a.body)
			}
			if got := r.seen(t, map[string]string{"request.jwt.claims": claimsIn(t, key)}); got != "" {
				t.Errorf("%s sees %s", role, got)
			}
		}
	}
}

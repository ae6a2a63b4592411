package gotrue_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/tokens"
)

// TestNamesOfProvidersThatClientsHave sends people to LinkedIn under the name that GoTrue gives it.
func TestNamesOfProvidersThatClientsHave(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"GOTRUE_EXTERNAL_LINKEDIN_OIDC_ENABLED": "true", "GOTRUE_EXTERNAL_LINKEDIN_OIDC_CLIENT_ID": "us", "GOTRUE_EXTERNAL_LINKEDIN_OIDC_SECRET": "s3cret"})
	for _, name := range []string{"linkedin_oidc", "LinkedIn_OIDC", "linkedin"} {
		a := d.ask(t, "GET", "/authorize?provider="+name, "", browser...)
		if to := a.header.Get("Location"); a.status != http.StatusFound || !strings.HasPrefix(to, "https://www.linkedin.com/") {
			t.Errorf("%s: %d %s %s", name, a.status, to, a.body)
		}
	}
	if a := d.ask(t, "GET", "/authorize?provider=slack_oidc", "", browser...); a.status != http.StatusBadRequest {
		t.Errorf("a provider that is not set up: %d", a.status)
	}
	on, _ := d.ok(t, "GET", "/settings", "")["external"].(map[string]any)
	if on["linkedin_oidc"] != true || on["linkedin"] != true || on["slack_oidc"] != false {
		t.Errorf("%v", on)
	}
}

// TestRequestsOfClientsWaitAsLongAsIsSaid has what a client of the OAuth server asks forgotten in time.
func TestRequestsOfClientsWaitAsLongAsIsSaid(t *testing.T) {
	t.Parallel()
	d := oauthDoor(t, map[string]string{"GOTRUE_OAUTH_SERVER_AUTHORIZATION_TTL": "90s", "AUTH_SERVER_URL": "https://auth.example.com/v1"})
	s := d.somebody(t)
	id := d.registers(t, nil).asks(t, "email")
	d.Clock.Advance(89 * time.Second)
	d.ok(t, "GET", "/oauth/authorizations/"+id, "", "Authorization", bearer(s))
	d.Clock.Advance(2 * time.Second)
	d.ask(t, "GET", "/oauth/authorizations/"+id, "", "Authorization", bearer(s)).refused(t, 404, "oauth_authorization_not_found")
}

// TestTokensOfAnOlderKeyGoOn has a service key of before let programs in.
func TestTokensOfAnOlderKeyGoOn(t *testing.T) {
	t.Parallel()
	older := `[{"kty":"oct","kid":"old","alg":"HS256","k":"YSBzaGFyZWQga2V5IG9mIHRoaXJ0eS10d28gYnl0ZXMgb3IgbW9yZQ"}]`
	key := serviceKeyOf(t, "a shared key of thirty-two bytes or more")
	open(t, nil).ask(t, "GET", "/admin/users", "", "Authorization", "Bearer "+key).refused(t, 403, "bad_jwt")
	open(t, map[string]string{"AUTH_JWT_VERIFY_KEYS": older}).ok(t, "GET", "/admin/users", "", "Authorization", "Bearer "+key)
}

// serviceKeyOf is a service key that another key signed.
func serviceKeyOf(t *testing.T, shared string) string {
	t.Helper()
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(`{"type":"HS256","key":"` + shared + `"}`)); err != nil {
		t.Fatal(err)
	}
	signer, err := tokens.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	key, err := signer.SignProject(tokens.ServiceRole, time.Now(), time.Now().AddDate(10, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/providers"
)

func loadProviders(env map[string]string) (map[string]*providers.Client, *Report) {
	c, report := Load(Source{Env: env, ReadFile: files{"secret": "from-a-file\n"}.read})
	return c.Providers.Clients, report
}

func TestAProviderIsSetUpByItsVariables(t *testing.T) {
	t.Parallel()
	clients, report := loadProviders(map[string]string{
		"AUTH_PROVIDER_WINDOWS_LIVE_ENABLED": "true", "AUTH_PROVIDER_WINDOWS_LIVE_CLIENT_ID": "id", "AUTH_PROVIDER_WINDOWS_LIVE_CLIENT_SECRET_FILE": "secret",
		"AUTH_PROVIDER_WINDOWS_LIVE_SCOPE": "wl.basic, ,wl.emails,",
	})
	if !report.OK() || len(report.Warnings) > 0 {
		t.Fatal(report)
	}
	want := providers.Client{Enabled: true, ID: "id", Secret: "from-a-file", Scopes: []string{"wl.basic", "wl.emails"}}
	if diff := cmp.Diff(want, *clients["windowslive"]); diff != "" {
		t.Errorf("windowslive (-want +got):\n%s", diff)
	}
	if clients["google"].Enabled {
		t.Error("google is enabled and nobody asked for it")
	}
}

// The operator's own issuers have names that nobody can know beforehand.
func TestAnIssuerMakesAProvider(t *testing.T) {
	t.Parallel()
	clients, report := loadProviders(map[string]string{
		"AUTH_PROVIDER_MY_CORP_ISSUER": "https://id.example.com", "AUTH_PROVIDER_MY_CORP_ENABLED": "true",
		"AUTH_PROVIDER_MY_CORP_CLIENT_ID": "id", "AUTH_PROVIDER_MY_CORP_CLIENT_SECRET": "s3cret-of-corp", "AUTH_PROVIDER_MY_CORP_AUDIENCE": "app,other",
	})
	if !report.OK() || len(report.Warnings) > 0 {
		t.Fatal(report)
	}
	want := &providers.Client{
		Enabled: true, Issuer: "https://id.example.com", ID: "id", Secret: "s3cret-of-corp", Audiences: []string{"app", "other"},
		Scopes: []string{"openid", "email", "profile"},
	}
	if diff := cmp.Diff(want, clients["my-corp"]); diff != "" {
		t.Errorf("my-corp (-want +got):\n%s", diff)
	}
	for _, v := range report.Values {
		if v.Name == "AUTH_PROVIDER_MY_CORP_CLIENT_SECRET" && strings.Contains(v.Text, "s3cret") {
			t.Errorf("a secret is shown: %s", v.Text)
		}
	}
}

func TestProvidersThatCannotWorkStopTheStart(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		env  map[string]string
		want []string
	}{
		{"no client", map[string]string{"AUTH_PROVIDER_GITHUB_ENABLED": "true"}, []string{
			"AUTH_PROVIDER_GITHUB_CLIENT_ID: is needed: AUTH_PROVIDER_GITHUB_ENABLED is true",
			"AUTH_PROVIDER_GITHUB_CLIENT_SECRET: is needed: AUTH_PROVIDER_GITHUB_ENABLED is true",
		}},
		{"Twitter's own names", map[string]string{"AUTH_PROVIDER_TWITTER_ENABLED": "true"}, []string{
			"AUTH_PROVIDER_TWITTER_CONSUMER_KEY: is needed: AUTH_PROVIDER_TWITTER_ENABLED is true",
			"AUTH_PROVIDER_TWITTER_CONSUMER_SECRET: is needed: AUTH_PROVIDER_TWITTER_ENABLED is true",
		}},
		{"Apple", map[string]string{"AUTH_PROVIDER_APPLE_ENABLED": "true", "AUTH_PROVIDER_APPLE_CLIENT_ID": "id", "AUTH_PROVIDER_APPLE_PRIVATE_KEY": "s3cret"}, []string{
			"AUTH_PROVIDER_APPLE_TEAM_ID: is needed: AUTH_PROVIDER_APPLE_ENABLED is true",
			"AUTH_PROVIDER_APPLE_KEY_ID: is needed: AUTH_PROVIDER_APPLE_ENABLED is true",
			"AUTH_PROVIDER_APPLE_PRIVATE_KEY (environment): must be the private key from Apple: the text of the .p8 file, or base64 of it",
		}},
		{"no realm", map[string]string{
			"AUTH_PROVIDER_KEYCLOAK_ENABLED": "true", "AUTH_PROVIDER_KEYCLOAK_CLIENT_ID": "id", "AUTH_PROVIDER_KEYCLOAK_CLIENT_SECRET": "x",
		}, []string{"AUTH_PROVIDER_KEYCLOAK_URL: is needed: AUTH_PROVIDER_KEYCLOAK_ENABLED is true"}},
		{"an issuer in the clear", map[string]string{"AUTH_PROVIDER_CORP_ISSUER": "http://id.example.com"}, []string{
			"AUTH_PROVIDER_CORP_ISSUER (environment): must begin with https://: what we prove ourselves with goes there (http is taken for this machine and private networks alone)",
		}},
		{"an issuer beside us", map[string]string{"AUTH_PROVIDER_CORP_ISSUER": "http://keycloak:8080/realms/main"}, nil},
		{"a tenant that is a path", map[string]string{
			"AUTH_PROVIDER_ENTRAID_ENABLED": "true", "AUTH_PROVIDER_ENTRAID_CLIENT_ID": "id", "AUTH_PROVIDER_ENTRAID_CLIENT_SECRET": "x", "AUTH_PROVIDER_ENTRAID_TENANT": "../evil",
		}, []string{"AUTH_PROVIDER_ENTRAID_TENANT (environment): must be common, organizations, consumers, a tenant's id or one of its domains"}},
		{"not enabled", map[string]string{"AUTH_PROVIDER_GITHUB_CLIENT_ID": "id"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, report := loadProviders(tt.env)
			if diff := cmp.Diff(tt.want, lines(report.Errors)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestNamesOfProvidersThatAreNone(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"AUTH_PROVIDER_GITHUB_CLIENTID": "; did you mean AUTH_PROVIDER_GITHUB_CLIENT_ID?",
		"AUTH_PROVIDER_GOGLE_SCOPE":     "; did you mean AUTH_PROVIDER_GOOGLE_SCOPE?",
		"AUTH_PROVIDER_GOOGLE_ISSUER":   "; did you mean", // Google's issuer is nobody's to set
	}
	for name, want := range tests {
		_, report := loadProviders(map[string]string{name: "https://example.com"})
		if got := lines(report.Warnings); len(got) != 1 || !strings.Contains(got[0], "there is no such setting"+want) {
			t.Errorf("%s: warnings %q, want one that says %q", name, got, want)
		}
	}
}

func TestProvidersHaveShortFlags(t *testing.T) {
	t.Parallel()
	c, report := Load(Source{ReadFile: files{}.read, Flags: map[string]string{
		"github-enabled": "true", "github-client-id": "id", "provider-github-client-secret": "x",
	}})
	if g := c.Providers.Clients["github"]; !report.OK() || !g.Enabled || g.ID != "id" || g.Secret != "x" {
		t.Errorf("github is %+v, want it enabled: %s", g, report)
	}
}

package config

import (
	"maps"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// hasuraAuth042 is an environment with every variable that Hasura Auth 0.42 reads, as its users
// write them. A process with these alone must start.
var hasuraAuth042 = map[string]string{
	"AUTH_PORT":         "4000",
	"AUTH_API_PREFIX":   "/v1",
	"AUTH_SERVER_URL":   "https://auth.example.com/v1",
	"AUTH_CLIENT_URL":   "https://app.example.com",
	"AUTH_DEBUG":        "false",
	"AUTH_LOG_LEVEL":    "info",
	"AUTH_HOST":         "0.0.0.0",
	"AUTH_SKIP_INIT":    "",
	"AUTH_SKIP_SERVE":   "",
	"NODE_ENV":          "production",
	"PWD":               "/app",
	"POSTGRES_PASSWORD": "pgpassword",

	"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://*.example.com,http://localhost:3000/**",
	"AUTH_CONCEAL_ERRORS":                       "false",
	"AUTH_ENABLE_CHANGE_ENV":                    "false",
	"AUTH_LOG_FORMAT_TEXT":                      "true",
	"AUTH_SHOW_LOG_QUERY_PARAMS":                "false",

	"POSTGRES_CONNECTION":            "postgres://auth:s3cret-of-auth@postgres:5432/postgres?sslmode=disable",
	"HASURA_GRAPHQL_DATABASE_URL":    "postgres://hasura:s3cret-of-hasura@postgres:5432/postgres",
	"POSTGRES_MIGRATIONS_CONNECTION": "postgres://postgres:s3cret-of-postgres@postgres:5432/postgres?sslmode=disable",
	"HASURA_GRAPHQL_GRAPHQL_URL":     "http://graphql:8080/v1/graphql",
	"HASURA_GRAPHQL_ADMIN_SECRET":    "s3cret-of-admin",
	"HASURA_GRAPHQL_JWT_SECRET":      `{"type":"HS256","key":"af1c8d9e6b2743f0a5d4e3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a0f9e8","issuer":"hasura-auth"}`,

	"AUTH_ACCESS_TOKEN_EXPIRES_IN":    "900",
	"AUTH_REFRESH_TOKEN_EXPIRES_IN":   "2592000",
	"AUTH_JWT_CUSTOM_CLAIMS":          `{"organisation-id":"profile.organisation.id"}`,
	"AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS": `{"organisation-id":"none"}`,
	"AUTH_REQUIRE_ELEVATED_CLAIM":     "recommended",

	"AUTH_DISABLE_SIGNUP":                        "false",
	"AUTH_DISABLE_NEW_USERS":                     "false",
	"AUTH_ANONYMOUS_USERS_ENABLED":               "true",
	"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED":  "",
	"AUTH_USER_DEFAULT_ROLE":                     "user",
	"AUTH_USER_DEFAULT_ALLOWED_ROLES":            "user,me",
	"AUTH_LOCALE_DEFAULT":                        "en",
	"AUTH_LOCALE_ALLOWED_LOCALES":                "en,fr",
	"AUTH_GRAVATAR_ENABLED":                      "true",
	"AUTH_GRAVATAR_DEFAULT":                      "identicon",
	"AUTH_GRAVATAR_RATING":                       "pg",
	"AUTH_PASSWORD_MIN_LENGTH":                   "3",
	"AUTH_PASSWORD_HIBP_ENABLED":                 "false",
	"AUTH_ACCESS_CONTROL_ALLOWED_EMAILS":         "bob@smith.com",
	"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS":  "nhost.io,example.com",
	"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS":         "",
	"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS":  "spam.example",
	"AUTH_SIGNIN_PHONE_NUMBER_VERIFIED_REQUIRED": "",

	"AUTH_EMAIL_PASSWORDLESS_ENABLED":   "true",
	"AUTH_OTP_EMAIL_ENABLED":            "true",
	"AUTH_SMS_PASSWORDLESS_ENABLED":     "true",
	"AUTH_MFA_ENABLED":                  "true",
	"AUTH_MFA_TOTP_ISSUER":              "example",
	"AUTH_WEBAUTHN_ENABLED":             "true",
	"AUTH_WEBAUTHN_RP_NAME":             "Example",
	"AUTH_WEBAUTHN_RP_ID":               "example.com",
	"AUTH_WEBAUTHN_RP_ORIGINS":          "https://app.example.com",
	"AUTH_WEBAUTHN_ATTESTATION_TIMEOUT": "60000",
	"AUTH_TURNSTILE_SECRET":             "s3cret-of-turnstile",

	"AUTH_SMTP_HOST":                "mailhog",
	"AUTH_SMTP_PORT":                "1025",
	"AUTH_SMTP_SECURE":              "false",
	"AUTH_SMTP_USER":                "user",
	"AUTH_SMTP_PASS":                "s3cret-of-smtp",
	"AUTH_SMTP_SENDER":              "Example <auth@example.com>",
	"AUTH_SMTP_AUTH_METHOD":         "LOGIN",
	"AUTH_SMTP_X_SMTPAPI_HEADER":    `{"category":"auth"}`,
	"AUTH_EMAIL_TEMPLATES_PATH":     "/app/email-templates",
	"AUTH_EMAIL_TEMPLATE_FETCH_URL": "https://templates.example.com/emails",

	"AUTH_SMS_PROVIDER":                    "twilio",
	"AUTH_SMS_TWILIO_ACCOUNT_SID":          "AC0",
	"AUTH_SMS_TWILIO_AUTH_TOKEN":           "s3cret-of-twilio",
	"AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID": "MG0",
	"AUTH_SMS_MODICA_USERNAME":             "user",
	"AUTH_SMS_MODICA_PASSWORD":             "s3cret-of-modica",

	"AUTH_RATE_LIMIT_ENABLE":               "true",
	"AUTH_RATE_LIMIT_GLOBAL_BURST":         "100",
	"AUTH_RATE_LIMIT_GLOBAL_INTERVAL":      "1m",
	"AUTH_RATE_LIMIT_EMAIL_BURST":          "10",
	"AUTH_RATE_LIMIT_EMAIL_INTERVAL":       "1h",
	"AUTH_RATE_LIMIT_EMAIL_IS_GLOBAL":      "true",
	"AUTH_RATE_LIMIT_SMS_BURST":            "10",
	"AUTH_RATE_LIMIT_SMS_INTERVAL":         "1h",
	"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST":    "10",
	"AUTH_RATE_LIMIT_BRUTE_FORCE_INTERVAL": "5m",
	"AUTH_RATE_LIMIT_SIGNUPS_BURST":        "10",
	"AUTH_RATE_LIMIT_SIGNUPS_INTERVAL":     "5m",
	"AUTH_RATE_LIMIT_MEMCACHE_SERVER":      "memcache:11211",
	"AUTH_RATE_LIMIT_MEMCACHE_PREFIX":      "auth",

	"AUTH_PROVIDER_GITHUB_AUTHORIZATION_URL":    "https://github.com/login/oauth/authorize",
	"AUTH_PROVIDER_GITHUB_TOKEN_URL":            "https://github.com/login/oauth/access_token",
	"AUTH_PROVIDER_GITHUB_USER_PROFILE_URL":     "https://api.github.com/user",
	"AUTH_PROVIDER_GOOGLE_AUDIENCE":             "id",
	"AUTH_PROVIDER_APPLE_ENABLED":               "true",
	"AUTH_PROVIDER_APPLE_CLIENT_ID":             "id",
	"AUTH_PROVIDER_APPLE_TEAM_ID":               "T",
	"AUTH_PROVIDER_APPLE_KEY_ID":                "K",
	"AUTH_PROVIDER_APPLE_PRIVATE_KEY":           appleKeyOfTests,
	"AUTH_PROVIDER_APPLE_AUDIENCE":              "id",
	"AUTH_PROVIDER_APPLE_SCOPE":                 "name,email",
	"AUTH_PROVIDER_TWITTER_ENABLED":             "true",
	"AUTH_PROVIDER_TWITTER_CONSUMER_KEY":        "K",
	"AUTH_PROVIDER_TWITTER_CONSUMER_SECRET":     "s3cret-of-twitter",
	"AUTH_PROVIDER_WORKOS_ENABLED":              "true",
	"AUTH_PROVIDER_WORKOS_CLIENT_ID":            "id",
	"AUTH_PROVIDER_WORKOS_CLIENT_SECRET":        "s3cret-of-workos",
	"AUTH_PROVIDER_WORKOS_DEFAULT_ORGANIZATION": "o",
	"AUTH_PROVIDER_WORKOS_DEFAULT_CONNECTION":   "c",
	"AUTH_PROVIDER_WORKOS_DEFAULT_DOMAIN":       "d",
	"AUTH_PROVIDER_AZUREAD_TENANT":              "common",
	"AUTH_PROVIDER_ENTRAID_TENANT":              "common",
}

// appleKeyOfTests is a key that nobody uses, as base64 of its PKCS #8 form.
const appleKeyOfTests = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgVLeDRvWpbVj3b8oYvzg9etwzrY4lNbFqGhVDl6ZSpDOhRANCAARmqujRtO4KZOB8mwpJe5DxBSCdCKbwrolPEzF+xx2IB82zKfSOR4ZFDqUDcilCY77I1Hw+bj16juWl7rV9NAjm"

// hasuraAuthEnvironment adds the providers that have the same four variables.
func hasuraAuthEnvironment() map[string]string {
	env := maps.Clone(hasuraAuth042)
	for provider := range strings.FieldsSeq(`GITHUB GOOGLE FACEBOOK LINKEDIN WINDOWS_LIVE SPOTIFY STRAVA GITLAB BITBUCKET
		DISCORD TWITCH AZUREAD ENTRAID`) {
		env["AUTH_PROVIDER_"+provider+"_ENABLED"] = "true"
		env["AUTH_PROVIDER_"+provider+"_CLIENT_ID"] = "id"
		env["AUTH_PROVIDER_"+provider+"_CLIENT_SECRET"] = "s3cret-of-" + provider
		env["AUTH_PROVIDER_"+provider+"_SCOPE"] = "email,profile"
	}
	return env
}

func TestAnEnvironmentOfHasuraAuthStarts(t *testing.T) {
	t.Parallel()
	env := hasuraAuthEnvironment()
	c, report := Load(Source{Env: env, ReadFile: files{}.read})
	c.Require(report)
	for _, e := range report.Errors {
		t.Errorf("error: %s", e)
	}
	for _, w := range report.Warnings {
		if strings.Contains(w.What, "there is no such setting") {
			t.Errorf("not known: %s", w)
		}
	}
	var show strings.Builder
	if err := report.Show(&show, false); err != nil {
		t.Fatal(err)
	}
	if text := report.String() + show.String(); strings.Contains(text, "s3cret") || strings.Contains(text, "af1c8d9e") || strings.Contains(text, appleKeyOfTests[:12]) {
		t.Errorf("a secret is shown:\n%s", text)
	}
}

// A bound must be a tag: what a room checks by itself is not on the page of settings.
func TestIntervalsOfRateLimitsAreBounded(t *testing.T) {
	t.Parallel()
	for _, what := range []string{"GLOBAL", "EMAIL", "SMS", "BRUTE_FORCE", "SIGNUPS"} {
		name := "AUTH_RATE_LIMIT_" + what + "_INTERVAL"
		for value, want := range map[string]int{"999ms": 1, "0": 1, "1s": 0, "8784h": 0, "8785h": 1} {
			_, report := Load(Source{Env: map[string]string{name: value}, ReadFile: files{}.read})
			if got := len(report.Errors); got != want {
				t.Errorf("%s=%s: %d errors, want %d: %v", name, value, got, want, lines(report.Errors))
			}
		}
		if row := "| `" + name + "`<br>"; !strings.Contains(Docs(), row) || !strings.Contains(strings.SplitN(Docs(), row, 2)[1][:200], "from 1s to 8784h") {
			t.Errorf("the page does not say the bounds of %s", name)
		}
	}
}

func TestLimitsThatHaveNoEffectSaySo(t *testing.T) {
	t.Parallel()
	_, report := Load(Source{Env: map[string]string{
		"AUTH_RATE_LIMIT_MEMCACHE_SERVER": "memcache:11211", "AUTH_RATE_LIMIT_MEMCACHE_PREFIX": "auth",
	}, ReadFile: files{}.read})
	want := []string{
		"AUTH_RATE_LIMIT_MEMCACHE_PREFIX (environment): without effect: Postern needs no memcached, as with AUTH_RATE_LIMIT_MEMCACHE_SERVER",
		"AUTH_RATE_LIMIT_MEMCACHE_SERVER (environment): without effect: Postern needs no memcached; limits that guard secrets are counted in Postgres, so replicas share them",
	}
	if diff := cmp.Diff(want, lines(report.Warnings)); diff != "" {
		t.Errorf("warnings (-want +got):\n%s", diff)
	}
}

// The same, each variable as the flag that Hasura Auth has for it.
func TestFlagsOfHasuraAuthAreKnown(t *testing.T) {
	t.Parallel()
	flags := Flags()
	var missing []string
	for flag := range strings.FieldsSeq(`port api-prefix server-url client-url allow-redirect-urls conceal-errors
		enable-change-env debug log-format-text postgres postgres-migrations graphql-url hasura-admin-secret
		hasura-graphql-jwt-secret access-tokens-expires-in refresh-token-expires-in custom-claims
		custom-claims-defaults require-elevated-claim encryption-key disable-signup disable-new-users
		disable-auto-signup enable-anonymous-users email-verification-required default-role default-allowed-roles
		default-locale allowed-locales gravatar-enabled gravatar-default gravatar-rating password-min-length
		password-hibp-enabled allowed-emails allowed-email-domains block-emails block-email-domains
		email-passwordless-enabled otp-email-enabled sms-passwordless-enabled mfa-enabled mfa-totp-issuer
		webauthn-enabled webauthn-rp-name webauthn-rp-id webauthn-rp-origins webauthn-attestation-timeout
		turnstile-secret smtp-host smtp-port smtp-secure smtp-user smtp-password smtp-sender smtp-auth-method
		smtp-api-header templates-path sms-provider sms-twilio-account-sid sms-twilio-auth-token
		sms-twilio-messaging-service-id sms-modica-username sms-modica-password rate-limit-enable
		rate-limit-global-burst rate-limit-global-interval rate-limit-email-burst rate-limit-email-interval
		rate-limit-email-is-global rate-limit-sms-burst rate-limit-sms-interval rate-limit-brute-force-burst
		rate-limit-brute-force-interval rate-limit-signups-burst rate-limit-signups-interval
		rate-limit-memcache-server rate-limit-memcache-prefix github-enabled github-client-id
		github-client-secret github-scope google-audience apple-team-id oauth2-provider-enabled`) {
		if _, ok := flags[flag]; !ok {
			missing = append(missing, "--"+flag)
		}
	}
	if diff := cmp.Diff([]string(nil), missing); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	for flag := range strings.FieldsSeq(`conceal-errors debug disable-signup smtp-secure rate-limit-enable
		rate-limit-email-is-global mfa-enabled github-enabled enable-anonymous-users enable-change-env`) {
		if !flags[flag].Bool {
			t.Errorf("--%s wants a value, want a switch", flag)
		}
	}
}

func TestWhatAServerNeeds(t *testing.T) {
	t.Parallel()
	c, report := Load(Source{ReadFile: files{}.read})
	if !report.OK() {
		t.Errorf("without any setting: %s", report)
	}
	c.Require(report)
	var names []string
	for _, p := range report.Errors {
		names = append(names, p.Name)
	}
	if diff := cmp.Diff([]string{"POSTGRES_CONNECTION", "HASURA_GRAPHQL_JWT_SECRET"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
	c, report = Load(Source{Env: map[string]string{
		"POSTGRES_CONNECTION":       "postgres://me@db/app",
		"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"0123456789abcdef0123456789abcdef"}`,
	}, ReadFile: files{}.read})
	c.Require(report)
	want := []string{"HASURA_GRAPHQL_JWT_SECRET: it is a sample that anybody can read in documentation; right: a secret of your own; 'postern keys secret' prints a fresh one"}
	if diff := cmp.Diff(want, lines(report.Errors)); diff != "" {
		t.Errorf("a sample secret (-want +got):\n%s", diff)
	}
	c, report = Load(Source{Env: map[string]string{
		"HASURA_GRAPHQL_JWT_SECRET": "{", "HASURA_GRAPHQL_DATABASE_URL": "mysql://",
	}, ReadFile: files{}.read})
	c.Require(report)
	if n := len(report.Errors); n != 2 {
		t.Errorf("%d errors where two settings are wrong, want each once:\n%s", n, report)
	}
}

package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// gotrueAlone is the least that GoTrue starts with, in its own names.
func gotrueAlone() map[string]string {
	return map[string]string{
		"GOTRUE_DB_DRIVER": "postgres", "DATABASE_URL": "postgres://them:s3cret-of-db@db/app", "GOTRUE_JWT_SECRET": "s3cret-7c1f0a9be2d84c35a6f7918b2e4d0c63",
		"GOTRUE_SITE_URL": "https://app.example.com", "API_EXTERNAL_URL": "https://api.example.com", "PORT": "9999",
	}
}

func settingsOf(r *Report) map[string]string {
	all := map[string]string{}
	for _, v := range r.Values {
		all[v.Name] = v.Text
	}
	return all
}

// testdata/gotrue.txt is every variable that GoTrue reads or ever read, one at a time, with what comes of it here: the
// settings that are other than without it, notices and errors. -update writes what comes of each.
func TestEveryVariableOfGoTrue(t *testing.T) {
	t.Parallel()
	path := filepath.Join("testdata", "gotrue.txt")
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	base := map[string]string{"GOTRUE_DISABLE_SIGNUP": "false"}
	before := load(&Config{}, Source{Env: base, ReadFile: files{}.read})
	var got strings.Builder
	seen := map[string]bool{}
	for line := range strings.Lines(string(raw)) {
		name, value, isVariable := strings.Cut(strings.TrimRight(line, "\n"), "=")
		if strings.HasPrefix(line, "\t") || !isVariable {
			continue
		}
		seen[name] = true
		got.WriteString(line)
		env := maps.Clone(base)
		env[name] = value
		after := load(&Config{}, Source{Env: env, ReadFile: files{}.read})
		for _, said := range outcome(before, after) {
			got.WriteString("\t" + said + "\n")
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(string(raw), got.String()); diff != "" {
		t.Errorf("what comes of a variable (-want +got):\n%s", diff)
	}
	for _, row := range gotrueTable() {
		if !seen[row.full()] {
			t.Errorf("%s is in the table and not in %s", row.full(), path)
		}
		if row.bare != "" && !seen[row.bare] {
			t.Errorf("%s is in the table and not in %s", row.bare, path)
		}
	}
}

func outcome(before, after *Report) []string {
	var said []string
	old := settingsOf(before)
	for _, v := range after.Values {
		if v.Text != old[v.Name] {
			said = append(said, v.Name+"="+strings.Join(strings.Fields(v.Text), " "))
		}
	}
	for _, w := range after.Warnings {
		said = append(said, "notice: "+w.What)
	}
	for _, e := range after.Errors {
		said = append(said, "error: "+e.String())
	}
	if said == nil {
		said = append(said, "as it is")
	}
	return said
}

// Every line says something: a variable that is neither honoured nor spoken of would be lost without a word.
func TestNoVariableOfGoTrueIsLostWithoutAWord(t *testing.T) {
	t.Parallel()
	targets := walk(&Config{}).byName
	for _, row := range gotrueTable() {
		if len(row.to) == 0 && row.join == "" && row.doc == "" {
			t.Errorf("%s has no effect and no reason", row.full())
		}
		for _, name := range row.settings() {
			if targets[name] == nil {
				t.Errorf("%s means %s, which is no setting", row.full(), name)
			}
		}
	}
	names := map[string]bool{}
	for _, row := range gotrueTable() {
		if names[row.name] {
			t.Errorf("%s is in the table twice", row.full())
		}
		names[row.name] = true
	}
	for _, j := range joins() {
		for _, p := range j.parts {
			if !names[p] {
				t.Errorf("%s is part of %s and not in the table", p, j.setting)
			}
		}
	}
}

func TestGoTruesNamesAlone(t *testing.T) {
	t.Parallel()
	c, report := Load(Source{Env: gotrueAlone(), ReadFile: files{}.read})
	c.Require(report)
	if !report.OK() || len(report.Warnings) > 0 {
		t.Fatalf("report:\n%s", report)
	}
	got := []any{c.GoTrue.Enabled, c.Hasura.Enabled, c.Server.Port, c.Store.URL(), c.Flow.ClientURL, c.GoTrue.URL, c.Flow.ServerURL, c.Tokens.JWTSecret.IsZero(), c.AsGoTrue.Passwords.MinLength}
	want := []any{true, false, 9999, "postgres://them:s3cret-of-db@db/app", "https://app.example.com", "https://api.example.com", "https://api.example.com", false, 6}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	var shown strings.Builder
	if err := report.Show(&shown, false); err != nil {
		t.Fatal(err)
	}
	if text := shown.String(); strings.Contains(text, "s3cret") || !strings.Contains(text, "environment, GOTRUE_SITE_URL") {
		t.Errorf("a secret is shown, or not whence a setting comes:\n%s", text)
	}
}

func TestBareNamesCountOnlyBesideOthers(t *testing.T) {
	t.Parallel()
	c, report := Load(Source{Env: map[string]string{"PORT": "1", "DATABASE_URL": "mysql://x", "DB_NAMESPACE": "public", "LOG_LEVEL": "x"}, ReadFile: files{}.read})
	if !report.OK() || len(report.Warnings) > 0 || c.Server.Port != 4000 || c.GoTrue.Enabled || !c.Hasura.Enabled {
		t.Errorf("port %d, GoTrue's door %t; report:\n%s", c.Server.Port, c.GoTrue.Enabled, report)
	}
}

// The prefixed name wins over the bare one, as in GoTrue.
func TestPrefixedNamesWinOverBareOnes(t *testing.T) {
	t.Parallel()
	env := gotrueAlone()
	env["GOTRUE_API_PORT"] = "7777"
	if c, report := Load(Source{Env: env, ReadFile: files{}.read}); c.Server.Port != 7777 || !report.OK() {
		t.Errorf("port %d, want 7777; report:\n%s", c.Server.Port, report)
	}
}

func TestNamesOfBothThatDisagree(t *testing.T) {
	t.Parallel()
	es256 := `{"type":"HS256","key":"s3cret-other-0123456789abcdef01234567"}`
	tests := []struct {
		name string
		more map[string]string
		want []string // both names are in each
	}{
		{"the same in other words", map[string]string{"GOTRUE_JWT_EXP": "3600", "AUTH_ACCESS_TOKEN_EXPIRES_IN": "1h"}, nil},
		{"a switch that is called the other way round", map[string]string{"GOTRUE_MAILER_AUTOCONFIRM": "false", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "yes"}, nil},
		{"the same key", map[string]string{"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + gotrueAlone()["GOTRUE_JWT_SECRET"] + `"}`}, nil},
		{"another address", map[string]string{"AUTH_CLIENT_URL": "https://other.example.com"}, []string{"AUTH_CLIENT_URL GOTRUE_SITE_URL"}},
		{"another life", map[string]string{"GOTRUE_JWT_EXP": "3600", "AUTH_ACCESS_TOKEN_EXPIRES_IN": "900"}, []string{"AUTH_ACCESS_TOKEN_EXPIRES_IN GOTRUE_JWT_EXP"}},
		{"inverted", map[string]string{"GOTRUE_MAILER_AUTOCONFIRM": "true", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"}, []string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED GOTRUE_MAILER_AUTOCONFIRM"}},
		{"another port", map[string]string{"AUTH_PORT": "4000"}, []string{"AUTH_PORT PORT"}},
		{"another key", map[string]string{"HASURA_GRAPHQL_JWT_SECRET": es256}, []string{"GOTRUE_JWT_SECRET HASURA_GRAPHQL_JWT_SECRET"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := gotrueAlone()
			for name, value := range tt.more {
				env[name] = value
			}
			_, report := Load(Source{Env: env, ReadFile: files{}.read})
			var got []string
			for _, e := range report.Errors {
				names := []string{e.Name, strings.Fields(e.What)[0]}
				slices.Sort(names)
				got = append(got, strings.Join(names, " "))
				if strings.Contains(e.String(), "s3cret") {
					t.Errorf("a secret is in %s", e)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("errors (-want +got):\n%s\n%s", diff, report)
			}
		})
	}
}

// TestAShortSecretIsToldOf has a service that lived with one for years go on, and say so at each start.
func TestAShortSecretIsToldOf(t *testing.T) {
	t.Parallel()
	env := gotrueAlone()
	env["GOTRUE_JWT_SECRET"] = "s3cret"
	_, report := Load(Source{Env: env, ReadFile: files{}.read})
	told := strings.Join(lines(report.Warnings), "\n")
	if len(report.Errors) > 0 || !strings.Contains(told, "GOTRUE_JWT_SECRET (environment): has 6 bytes, and HS256 needs at least 32") || strings.Contains(told, "s3cret") {
		t.Errorf("errors %v, notices:\n%s", report.Errors, told)
	}
}

func TestValuesOfGoTrueThatCannotBe(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"GOTRUE_DB_DRIVER=mysql": `"mysql" is not the database there is; right: postgres, postgresql or pgx`,
		"DB_NAMESPACE=public":    `"public" is not the schema there is: Postern's tables are in the schema auth, as those of Hasura Auth and Supabase are; right: auth`,
		`GOTRUE_JWT_KEYS=[]`:     `has 0 keys with sign in key_ops, and must have exactly one`,
		`GOTRUE_JWT_KEYS=[{"kty":"RSA","key_ops":["sign"],"aws:kms:arn":"arn:x"}]`: `has a key that is kept by AWS KMS (aws:kms:arn), which cannot sign here`,
		`GOTRUE_JWT_KEYS=[{"kty":"EC","crv":"P-256","key_ops":["sign"]}]`:          `has a key that signs and cannot be read: its private members are missing, or are not base64url`,
		"GOTRUE_JWT_VALID_METHODS=RS256":                                           `signs by HS256, which GOTRUE_JWT_VALID_METHODS leaves out`,
		"GOTRUE_RATE_LIMIT_EMAIL_SENT=0":                                           `"0" lets nothing out at all; right: at least 1; leave the server or the gateway out to send nothing`,
		"GOTRUE_RATE_LIMIT_SMS_SENT=NaN":                                           `"NaN" is no number of mails or messages; right: a number, which is for an hour, or a number and a duration such as 100/1h`,
		"GOTRUE_RATE_LIMIT_VERIFY=0":                                               `"0" lets nobody in; right: more than 0; leave it out, and only the limits of every door count`,
		"GOTRUE_SMS_TEST_OTP=15550100:1234":                                        `has an entry, the one in place 1, that has no code of 6 to 10 digits; right: GOTRUE_SMS_TEST_OTP is another name of it`,
		"GOTRUE_SMS_TEST_OTP=15550100:123456,+1 5550100:123457":                    `has an entry, the one in place 2, that names a number a second time; right: GOTRUE_SMS_TEST_OTP is another name of it`,
		"GOTRUE_SMS_TEST_OTP=nobody:123456":                                        `has an entry, the one in place 1, that does not begin with a number with the country's code and a colon; right: GOTRUE_SMS_TEST_OTP is another name of it`,
		"GOTRUE_SMS_TEST_OTP_VALID_UNTIL=tomorrow":                                 `must be a time such as 2030-01-31T00:00:00Z; right: GOTRUE_SMS_TEST_OTP_VALID_UNTIL is another name of it`,
		"GOTRUE_SMS_TEMPLATE=Welcome":                                              `must have {{ .Code }} in it; right: GOTRUE_SMS_TEMPLATE is another name of it`,
		"GOTRUE_SECURITY_DB_ENCRYPTION_ENCRYPTION_KEY=s3cret":                      `the value is no key of 256 bits in base64url; right: 43 letters, as GoTrue has it`,
		"GOTRUE_MAILER_AUTOCONFIRM=maybe":                                          `"maybe" is neither true nor false; right: true or false`,
		"GOTRUE_EXTERNAL_AZURE_URL=https://evil.example.com/x":                     `"https://evil.example.com/x" is no address of Microsoft's login; right: such as https://login.microsoftonline.com/common`,
	}
	for assignment, want := range tests {
		t.Run(assignment, func(t *testing.T) {
			t.Parallel()
			name, value, _ := strings.Cut(assignment, "=")
			env := gotrueAlone()
			env[name] = value
			_, report := Load(Source{Env: env, ReadFile: files{}.read})
			if len(report.Errors) == 0 || !strings.HasSuffix(report.Errors[0].String(), ": "+want) {
				t.Errorf("errors:\n%s\nwant %s", strings.Join(lines(report.Errors), "\n"), want)
			}
		})
	}
}

// Every variable at once starts, but for those that contradict each other, and shows no secret.
func TestAnEnvironmentOfGoTrueShowsNoSecret(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile(filepath.Join("testdata", "gotrue.txt"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(raw)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(line, "\t") {
			env[name] = value
		}
	}
	delete(env, "GOTRUE_JWT_KEYS")
	_, report := Load(Source{Env: env, ReadFile: files{}.read})
	var shown strings.Builder
	if err := report.Show(&shown, false); err != nil {
		t.Fatal(err)
	}
	if text := report.String() + shown.String(); strings.Contains(text, "s3cret") {
		t.Errorf("a secret is shown:\n%s", text)
	}
	for _, w := range report.Warnings {
		if strings.Contains(w.What, "there is no such setting") {
			t.Errorf("not known: %s", w)
		}
	}
}

func TestKeysOfGoTrueSign(t *testing.T) {
	t.Parallel()
	keys := map[string]string{
		"EdDSA": `{"kty":"OKP","crv":"Ed25519","kid":"o","key_ops":["sign","verify"],"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
		"HS512": `{"kty":"oct","alg":"HS512","key_ops":["sign"],"k":"czNjcmV0czNjcmV0czNjcmV0czNjcmV0czNjcmV0czNjcmV0czNjcmV0czNjcmV0"}`,
	}
	for alg, key := range keys {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			env := gotrueAlone()
			env["GOTRUE_JWT_KEYS"] = fmt.Sprintf(`[%s,%s]`, key, olderKey)
			c, report := Load(Source{Env: env, ReadFile: files{}.read})
			if !report.OK() || len(report.Warnings) > 0 || !strings.Contains(c.Tokens.JWTSecret.String(), alg) || c.Tokens.VerifyKeys.String() != "[1 hidden keys]" {
				t.Fatalf("%s, want %s, and %s; report:\n%s", c.Tokens.JWTSecret, alg, c.Tokens.VerifyKeys, report)
			}
		})
	}
}

// olderKey is of a pair that signs no more; the private member of the example of RFC 7517 is left in.
const olderKey = `{"kty":"EC","crv":"P-256","kid":"old","alg":"ES256","key_ops":["verify"],"x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`

// Which of GoTrue's keys verify beside the one that signs.
func TestOlderKeysOfGoTrue(t *testing.T) {
	t.Parallel()
	signs := `{"kty":"OKP","crv":"Ed25519","kid":"o","alg":"EdDSA","key_ops":["sign","verify"],"d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	for methods, want := range map[string]string{"": "[1 hidden keys]", "EdDSA": "", "EdDSA,HS256": "[1 hidden keys]", "EdDSA,ES256,HS256": "[2 hidden keys]"} {
		env := gotrueAlone()
		for _, older := range []string{olderKey, strings.Replace(olderKey, `"alg":"ES256",`, "", 1)} { // which is of its kind, then
			env["GOTRUE_JWT_KEYS"], env["GOTRUE_JWT_VALID_METHODS"] = "["+signs+","+older+"]", methods
			c, report := Load(Source{Env: env, ReadFile: files{}.read})
			if got := c.Tokens.VerifyKeys.String(); !report.OK() || got != want {
				t.Errorf("%s: %s, want %s; report:\n%s", methods, got, want, report)
			}
		}
		if text, _, _ := olderKeys(map[string]string{"JWT_KEYS": env["GOTRUE_JWT_KEYS"]}); strings.Contains(text, "870MB6") {
			t.Error("a private key is taken along")
		}
	}
}

// GoTrue has two sets of settings for Twilio; the word for the gateway says which counts.
func TestTwilioVerifyOfGoTrue(t *testing.T) {
	t.Parallel()
	for provider, want := range map[string]string{"twilio": "MG0123456789abcdef", "twilio_verify": "VA0123456789abcdef"} {
		env := gotrueAlone()
		env["GOTRUE_SMS_PROVIDER"] = provider
		env["GOTRUE_SMS_TWILIO_MESSAGE_SERVICE_SID"], env["GOTRUE_SMS_TWILIO_VERIFY_MESSAGE_SERVICE_SID"] = "MG0123456789abcdef", "VA0123456789abcdef"
		c, report := Load(Source{Env: env, ReadFile: files{}.read})
		if c.SMS.Provider != "twilio" || c.SMS.TwilioService != want || !report.OK() {
			t.Errorf("%s: %s, %s; report:\n%s", provider, c.SMS.Provider, c.SMS.TwilioService, report)
		}
	}
}

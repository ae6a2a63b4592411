package config_test

import (
	"bytes"
	"encoding/base64"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/config"
	"postern/hooks/platform"
	"postern/hooks/supabase"
)

// secret signs nothing but tests.
var secret = "v1,whsec_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), 32))

// hooked loads settings with a file of hooks, and lists what is wrong.
func hooked(t *testing.T, file string, env map[string]string) (*config.Config, []string) {
	t.Helper()
	if file != "" {
		env["AUTH_HOOKS_CONFIG"] = "/etc/hooks.toml"
		if strings.HasPrefix(file, "auth:") || strings.HasPrefix(file, "authorizationHooks:") || strings.HasPrefix(file, "defaultProviders:") {
			env["AUTH_HOOKS_CONFIG"] = "/etc/hooks.yaml"
		}
	}
	c, report := config.Load(config.Source{Env: env, ReadFile: func(name string) ([]byte, error) {
		switch {
		case name == env["AUTH_HOOKS_CONFIG"] && strings.HasPrefix(name, "/etc/hooks.") && file != "":
			return []byte(file), nil
		case name == "/run/secret":
			return []byte(secret + "\n"), nil
		}
		return nil, os.ErrNotExist
	}})
	var wrong []string
	for _, p := range report.Errors {
		wrong = append(wrong, p.Name+" "+p.What)
	}
	for _, p := range append(report.Errors, report.Warnings...) {
		if strings.Contains(p.String(), "whsec_c3Nz") || strings.Contains(p.String(), "hunter2") {
			t.Errorf("a secret is told: %s", p)
		}
	}
	var shown bytes.Buffer
	if err := report.Show(&shown, false); err != nil || strings.Contains(shown.String(), "whsec_") || strings.Contains(shown.String(), "hunter2") {
		t.Errorf("what is in effect shows a secret: %v", err)
	}
	return c, wrong
}

func TestHooksComeFromVariablesAndFile(t *testing.T) {
	t.Parallel()
	want := []supabase.Hook{{Name: "custom_access_token", Enabled: true, URI: "https://hooks.example/token?key=hunter2", Secrets: secret}}
	whole := `
		project_id = "shop"
		[db]
		port = 54322
		[auth]
		enabled = true
		[auth.hook.custom_access_token]
		enabled = true
		uri = "env(TOKEN_HOOK)"
		secrets = "env(TOKEN_SECRET)"
		[auth.hook.send_sms]
		enabled = false
		uri = "pg-functions://postgres/auth/send-sms"
		secrets = "env(NOT_SET)"
	`
	whole = strings.Replace(whole, "send-sms\"", "send_sms\"", 1)
	tests := map[string]struct {
		file string
		env  map[string]string
	}{
		"our names":        {"", map[string]string{"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI": want[0].URI, "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS": secret}},
		"Supabase's names": {"", map[string]string{"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_URI": want[0].URI, "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS": secret}},
		"both names that agree": {"", map[string]string{
			"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true",
			"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI": want[0].URI, "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS_FILE": "/run/secret",
		}},
		"a whole file": {whole, map[string]string{"TOKEN_HOOK": want[0].URI, "TOKEN_SECRET": secret}},
		"a file and variables": {"[auth.hook.custom_access_token]\nenabled = true\nsecrets = '" + secret + "'", map[string]string{
			"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI": want[0].URI, "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS": secret,
		}},
		"a switch from a variable": {"[auth.hook.custom_access_token]\nenabled = 'env(ON)'\nuri = '" + want[0].URI + "'\nsecrets = '" + secret + "'", map[string]string{"ON": "true"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, wrong := hooked(t, tt.file, tt.env)
			if len(wrong) > 0 {
				t.Fatalf("wrong: %q", wrong)
			}
			if diff := cmp.Diff(want, c.Hooks.Supabase.Enabled()); diff != "" {
				t.Errorf("hooks: %s", diff)
			}
		})
	}
}

func TestPlatformHooksComeFromVariablesAndFile(t *testing.T) {
	t.Parallel()
	const yaml = "auth:\n  hook: {}\nauthorizationHooks:\n  preSignupHook: http://signup.shop/?key=hunter2\n  preLoginHook: http://login.shop\n"
	want := []platform.Hook{{Name: "preSignupHook", URL: "http://signup.shop/?key=hunter2"}, {Name: "preLoginHook", URL: "http://login.shop"}}
	tests := map[string]struct {
		file string
		env  map[string]string
	}{
		"variables": {"", map[string]string{"AUTH_HOOK_PRE_SIGNUP_URL": want[0].URL, "AUTH_HOOK_PRE_LOGIN_URL": want[1].URL}},
		"a file":    {yaml, map[string]string{}},
		"both":      {yaml, map[string]string{"AUTH_HOOK_PRE_SIGNUP_URL": want[0].URL}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, wrong := hooked(t, tt.file, tt.env)
			if diff := cmp.Diff(want, c.Hooks.Platform.Known()); len(wrong) > 0 || diff != "" {
				t.Errorf("%q %s", wrong, diff)
			}
		})
	}
}

// Members that were meant to be others are told of: one that would set a hook is wrong, the rest gets a notice.
func TestPlatformHooksThatCannotWork(t *testing.T) {
	t.Parallel()
	const file, pre = "AUTH_HOOKS_CONFIG names a file with ", "AUTH_HOOK_PRE_SIGNUP_URL"
	tests := map[string]struct {
		file string
		env  map[string]string
		want []string
	}{
		"a hook misspelt":       {"authorizationHooks: {preSignUpHook: 'http://a'}", nil, []string{file + "preSignUpHook of authorizationHooks, and there is no such hook; did you mean preSignupHook?"}},
		"a hook that is no URL": {"authorizationHooks: {preSignupHook: 'file:///hunter2', preLoginHook: [1]}", nil, []string{pre + " is no address of a hook: it does not begin with https://", file + "preLoginHook of authorizationHooks, which is no text"}},
		"hooks that are none":   {"authorizationHooks: hunter2\ndefaultProviders: 1", nil, []string{"AUTH_HOOKS_CONFIG names a file that is wrong: authorizationHooks is no table", "AUTH_HOOKS_CONFIG names a file that is wrong: defaultProviders is no table"}},
		"set twice":             {"authorizationHooks: {preSignupHook: 'http://a'}", map[string]string{pre: "http://b/hunter2"}, []string{pre + " and preSignupHook of authorizationHooks in the file of AUTH_HOOKS_CONFIG are both set and differ"}},
		"a variable misspelt":   {"", map[string]string{"AUTH_HOOK_PRE_SIGN_UP_URL": "http://a"}, []string{"AUTH_HOOK_PRE_SIGN_UP_URL is of no hook; did you mean " + pre + "?"}},
		"roles that are none":   {"defaultProviders: {email: {defaultRoles: shopper}, mobile: {defaultRoles: ['a b']}, github: 7}", nil, []string{file + "defaultRoles of defaultProviders.email, which is no list of texts", file + "defaultRoles of defaultProviders.mobile, which has a role that nobody can have", file + "github of defaultProviders, which is no table"}},
		"the role admin":        {"defaultProviders: {email: {defaultRoles: [admin]}}", nil, []string{file + "defaultRoles of defaultProviders.email, which has the role admin"}},
		"a role not allowed":    {"defaultProviders: {email: {defaultRoles: [a, b]}}", map[string]string{"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES": "a"}, []string{file + "defaultRoles of defaultProviders.email, which has the role b"}},
		"allowed roles":         {"", map[string]string{"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES": "a, {b}"}, []string{"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES has a role \"{b}\""}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.env == nil {
				tt.env = map[string]string{}
			}
			_, wrong := hooked(t, tt.file, tt.env)
			if len(wrong) != len(tt.want) {
				t.Fatalf("wrong: %q", wrong)
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(wrong, func(w string) bool { return strings.HasPrefix(w, want) }) {
					t.Errorf("%q is not among %q", want, wrong)
				}
			}
		})
	}
	_, report := config.Load(config.Source{Env: map[string]string{"AUTH_HOOKS_CONFIG": "auth.yaml"}, ReadFile: func(name string) ([]byte, error) {
		if name != "auth.yaml" {
			return nil, os.ErrNotExist
		}
		return []byte("defaultProviders: {email: {enabled: 'false', defaultRole: [a]}, emial: {defaultRoles: [b]}, mine: {}}\ncustomProviders: {x: {hooks: {}}}\nsession: {cookieName: x}"), nil
	}})
	if !report.OK() {
		t.Error(report)
	}
	var got []string
	for _, p := range report.Warnings {
		got = append(got, p.What)
	}
	want := []string{
		"names a file with defaultRole of defaultProviders.email, which has no effect; did you mean defaultRoles?",
		"names a file with enabled of defaultProviders.email, which has no effect: each way to sign in has a setting of its own",
		"names a file with emial of defaultProviders; did you mean email?",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestHooksThatCannotWork(t *testing.T) {
	t.Parallel()
	const token, file = "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_", "AUTH_HOOKS_CONFIG"
	tests := map[string]struct {
		file string
		env  map[string]string
		want []string // beginnings of what is wrong, in any order
	}{
		"all at once": {"", map[string]string{
			token + "ENABLED": "true", token + "SECRETS": "v1,whsec_hunter2", "AUTH_HOOK_SEND_SMS_URI": "http://sms.example/hunter2",
			"GOTRUE_HOOK_CUSTOM_ACESS_TOKEN_URI": "https://hunter2.example",
		}, []string{
			token + "SECRETS the secret after whsec_ is", token + "URI is needed: " + token + "ENABLED is true",
			"AUTH_HOOK_SEND_SMS_URI is no address of a hook: it must begin with https://",
			"GOTRUE_HOOK_CUSTOM_ACESS_TOKEN_URI is of no hook; did you mean GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_URI?",
		}},
		"two names that differ": {"", map[string]string{token + "ENABLED": "false", "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true"}, []string{
			token + "ENABLED GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED (environment) is another name of the same setting and says something else",
		}},
		"file and variables differ": {"[auth.hook.custom_access_token]\nenabled=true\nuri='https://a.example'\nsecrets='" + secret + "'", map[string]string{
			"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "false", token + "URI": "https://b.example", token + "SECRETS": "v1,whsec_" + strings.Repeat("hunter2A", 5),
		}, []string{
			"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED and enabled of [auth.hook.custom_access_token] in the file of AUTH_HOOKS_CONFIG are both set and differ; keep one of them",
			token + "URI and uri of [auth.hook.custom_access_token]", token + "SECRETS and secrets of [auth.hook.custom_access_token]",
		}},
		"functions that cannot be":    {"", map[string]string{token + "URI": "pg-functions://postgres/auth/drop;table"}, []string{token + "URI is no address of a hook: the name of its function"}},
		"a secret that signs nothing": {"", map[string]string{token + "SECRETS": "v1a,whpk_" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("s"), 32))}, []string{token + "SECRETS has a public key alone"}},
		"names in the file": {"[auth.hook.custom_acces_token]\nenabled=true\n[auth.hook.send_sms]\nsecret='hunter2'\nuri=1\nenabled='maybe'", map[string]string{}, []string{
			file + " names a file with [auth.hook.custom_acces_token], and there is no such hook; did you mean custom_access_token?",
			file + " names a file with secret of [auth.hook.send_sms], which means nothing; did you mean secrets?",
			file + " names a file with uri of [auth.hook.send_sms], which is no text",
			file + " names a file with enabled of [auth.hook.send_sms], which is neither true nor false",
		}},
		"a variable that is not set": {"[auth.hook.custom_access_token]\nenabled=true\nuri='env(NOT_SET)'", map[string]string{}, []string{
			file + " names a file with uri of [auth.hook.custom_access_token], which is env(NOT_SET), and that variable is not set", token + "URI is needed",
		}},
		"no TOML":        {"[auth\nhunter2", map[string]string{}, []string{file + " names a file that is wrong: line 2 is no TOML"}},
		"no table":       {"[auth]\nhook = 'hunter2'", map[string]string{}, []string{file + " names a file that is wrong: hook is no table"}},
		"no such file":   {"", map[string]string{file: "/elsewhere.toml"}, []string{file + " names a file that cannot be read"}},
		"another format": {"", map[string]string{file: "/etc/hooks.json"}, []string{file + " names a file whose name does not end in .toml, .yaml or .yml"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, wrong := hooked(t, tt.file, tt.env)
			if len(wrong) != len(tt.want) {
				t.Fatalf("wrong: %q", wrong)
			}
			for _, want := range tt.want {
				found := false
				for _, w := range wrong {
					found = found || strings.HasPrefix(w, want)
				}
				if !found {
					t.Errorf("%q is not among %q", want, wrong)
				}
			}
		})
	}
}

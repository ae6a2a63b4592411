package config

import (
	"maps"
	"slices"
	"strings"
)

// Flag is a setting as the command line has it.
type Flag struct {
	Env  string // canonical name of the variable
	Bool bool   // stands alone: --debug means --debug=true
}

// upstreamFlags are the flags of Hasura Auth that do not follow from the variable's name.
var upstreamFlags = map[string]string{
	"allow-redirect-urls":         "AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS",
	"postgres":                    "POSTGRES_CONNECTION",
	"postgres-migrations":         "POSTGRES_MIGRATIONS_CONNECTION",
	"graphql-url":                 "HASURA_GRAPHQL_GRAPHQL_URL",
	"hasura-admin-secret":         "HASURA_GRAPHQL_ADMIN_SECRET",
	"access-tokens-expires-in":    "AUTH_ACCESS_TOKEN_EXPIRES_IN",
	"custom-claims":               "AUTH_JWT_CUSTOM_CLAIMS",
	"custom-claims-defaults":      "AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS",
	"enable-anonymous-users":      "AUTH_ANONYMOUS_USERS_ENABLED",
	"email-verification-required": "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED",
	"default-role":                "AUTH_USER_DEFAULT_ROLE",
	"default-allowed-roles":       "AUTH_USER_DEFAULT_ALLOWED_ROLES",
	"default-locale":              "AUTH_LOCALE_DEFAULT",
	"allowed-locales":             "AUTH_LOCALE_ALLOWED_LOCALES",
	"allowed-emails":              "AUTH_ACCESS_CONTROL_ALLOWED_EMAILS",
	"allowed-email-domains":       "AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS",
	"block-emails":                "AUTH_ACCESS_CONTROL_BLOCKED_EMAILS",
	"block-email-domains":         "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS",
	"smtp-password":               "AUTH_SMTP_PASS",
	"smtp-api-header":             "AUTH_SMTP_X_SMTPAPI_HEADER",
	"templates-path":              "AUTH_EMAIL_TEMPLATES_PATH",
}

// Flags lists every flag by its name without dashes: one for each name of each setting, the ones
// Hasura Auth has besides, and those of settings that this version does not have yet.
func Flags() map[string]Flag { return maps.Clone(walk(&Config{}).flagTable()) }

// flagTable builds the table once for each tree.
func (t *tree) flagTable() map[string]Flag {
	if t.flags != nil {
		return t.flags
	}
	t.flags = map[string]Flag{}
	for name, v := range t.known() {
		if v.capability != "" || v.notice != "" {
			t.flags[flagName(name)] = Flag{Env: name, Bool: isSwitch(name)}
		}
	}
	for name, s := range t.byName {
		flag, f := flagName(name), Flag{Env: name, Bool: s.isBool()}
		t.flags[flag] = f
		if short, ok := strings.CutPrefix(flag, "provider-"); ok {
			t.flags[short] = f
		}
	}
	for flag, env := range upstreamFlags {
		f := Flag{Env: env, Bool: isSwitch(env)}
		if s := t.byName[env]; s != nil {
			f.Bool = s.isBool()
		}
		t.flags[flag] = f
	}
	return t.flags
}

// flagName derives a flag from a variable: AUTH_API_PREFIX is --api-prefix.
func flagName(env string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimPrefix(env, "AUTH_")), "_", "-")
}

// preferredFlag is the one flag of a setting that the documentation names: Hasura Auth's own, if
// it has one.
func preferredFlag(s *setting) string {
	for _, flag := range slices.Sorted(maps.Keys(upstreamFlags)) {
		if upstreamFlags[flag] == s.name() {
			return flag
		}
	}
	return flagName(s.name())
}

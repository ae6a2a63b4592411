package flow_test

import (
	"strings"
	"testing"

	"postern/flow"
)

func TestManagementSettingsAreChecked(t *testing.T) {
	t.Parallel()
	const id, secret = "deployer", "bf3c1a0e5d9247f68ab1c04e7d3952f6"
	for name, c := range map[string]struct{ id, secret, audience, wrong string }{
		"neither":         {"", "", "", ""},
		"both":            {id, secret, "", ""},
		"an audience":     {id, secret, "https://tenant.eu.auth0.com/api/v2/", ""},
		"no id":           {"", secret, "", "AUTH_MANAGEMENT_CLIENT_ID"},
		"no secret":       {id, "", "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"short":           {id, secret[:31], "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"long":            {id, strings.Repeat(secret, 17) + "x", "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"one letter":      {id, strings.Repeat("a", 40), "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"over and over":   {id, strings.Repeat("test-secret-", 4), "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"few letters":     {id, "abcabdacdbacdabcabdacdbacdabdcab", "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"blanks":          {id, "this is a sentence and no secret at all", "", "AUTH_MANAGEMENT_CLIENT_SECRET"},
		"an id of blanks": {"my client", secret, "", "AUTH_MANAGEMENT_CLIENT_ID"},
		"no address":      {id, secret, "management", "AUTH_MANAGEMENT_AUDIENCE"},
	} {
		s, wrong := flow.ManagementSettings{ClientID: c.id, ClientSecret: c.secret}, ""
		if c.audience != "" {
			s.Audiences = []string{c.audience}
		}
		s.Check(func(env, problem string) {
			wrong = env
			if strings.Contains(problem, c.secret) && c.secret != "" {
				t.Errorf("%s: the secret in %q", name, problem)
			}
		})
		if wrong != c.wrong || s.On() != (c.id != "" && c.secret != "") {
			t.Errorf("%s: %q is wrong, on %v", name, wrong, s.On())
		}
	}
}

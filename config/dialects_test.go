package config

import (
	"maps"
	"strings"
	"testing"
)

// TestTokensServeWhoReadsThem refuses settings by which somebody gets tokens that they cannot read.
func TestTokensServeWhoReadsThem(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		env  map[string]string
		want string // in the refusal; empty for none
	}{
		"nothing set":                        {nil, ""},
		"nothing set, with Supabase's door":  {map[string]string{"AUTH_GOTRUE_API_ENABLED": "true"}, ""},
		"hasura":                             {map[string]string{"AUTH_JWT_DIALECTS": "hasura"}, ""},
		"hasura, with Supabase's door":       {map[string]string{"AUTH_JWT_DIALECTS": "hasura", "AUTH_GOTRUE_API_ENABLED": "true"}, "AUTH_GOTRUE_API_ENABLED"},
		"both, with everything":              {map[string]string{"AUTH_JWT_DIALECTS": "supabase, hasura", "AUTH_GOTRUE_API_ENABLED": "true", "AUTH_JWT_CUSTOM_CLAIMS": `{"a":"id"}`, "HASURA_GRAPHQL_GRAPHQL_URL": "http://hasura:8080/v1/graphql"}, ""},
		"supabase":                           {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "AUTH_GOTRUE_API_ENABLED": "true"}, ""},
		"supabase, with custom claims":       {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "AUTH_JWT_CUSTOM_CLAIMS": `{"a":"id"}`}, "AUTH_JWT_CUSTOM_CLAIMS"},
		"supabase, with operators":           {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "AUTH_ADMIN_ROLE": "boss"}, "AUTH_ADMIN_ROLE"},
		"supabase, with the engine":          {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "HASURA_GRAPHQL_GRAPHQL_URL": "http://hasura:8080/v1/graphql"}, "HASURA_GRAPHQL_GRAPHQL_URL"},
		"supabase, with an engine that asks": {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "HASURA_GRAPHQL_GRAPHQL_URL": "http://hasura:8080/v1/graphql", "AUTH_HASURA_WEBHOOK_ENABLED": "true"}, ""},
		"supabase, with a claim of old":      {map[string]string{"AUTH_JWT_DIALECTS": "supabase", "AUTH_JWT_OLD_ANONYMOUS_CLAIM": "true"}, "AUTH_JWT_OLD_ANONYMOUS_CLAIM"},
		"a word that is none":                {map[string]string{"AUTH_JWT_DIALECTS": "gotrue"}, "hasura and supabase"},
	} {
		env := map[string]string{"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"a key of tests, which nobody knows"}`}
		maps.Copy(env, test.env)
		_, report := Load(Source{Env: env})
		switch {
		case test.want == "" && !report.OK():
			t.Errorf("%s: %v", name, report)
		case test.want != "" && (len(report.Errors) != 1 || !strings.Contains(report.String(), test.want)):
			t.Errorf("%s: want one word about %s: %v", name, test.want, report)
		}
	}
}

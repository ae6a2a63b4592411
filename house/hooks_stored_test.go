package house_test

import (
	"strings"
	"testing"
	"time"

	"postern/config"
	"postern/hooks/auth0"
	"postern/house"
)

// Each script to begin with agrees, and each that is stored can be tried.
func TestStoredScriptsAreTried(t *testing.T) {
	t.Parallel()
	m := manage(t, nil)
	url, heard := hears(t)
	c, _ := config.Load(config.Source{Env: map[string]string{
		"POSTGRES_CONNECTION": m.Database, "HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + strings.Repeat("test-key-", 8) + `"}`,
		"AUTH_ENCRYPTION_KEY": strings.Repeat("0123456789abcdef", 4), "AUTH_OUTBOUND_ALLOWED_NETWORKS": "127.0.0.1",
		"AUTH_MANAGEMENT_CLIENT_ID": "deployer", "AUTH_MANAGEMENT_CLIENT_SECRET": managementSecret,
	}})
	a := house.NewAttendant(c, house.Options{Now: time.Now, ScriptProgram: scriptProgram})
	defer a.Close()
	if looked, problems := a.Check(t.Context()); looked != 5 || len(problems) != 0 {
		t.Errorf("looked at %d, and found %v", looked, problems)
	}
	for _, h := range house.Hooks(c) {
		if h.Dialect != "auth0" {
			continue
		}
		m.script(t, h.Name, auth0.Starter(h.Name), map[string]string{"GATEWAY": url, "KEY": "tiger-lily"})
		for _, payload := range [][]byte{nil, h.Sample()} {
			got, err := a.Try(t.Context(), h, payload)
			if err != nil || len(got.Outcomes) != 1 || len(got.Questions) != 1 || got.Outcomes[0].Err != nil || got.Questions[0].Err != nil {
				t.Errorf("%s: %+v, %v", h.Name, got, err)
			}
		}
	}
	if len(heard) != 2 {
		t.Errorf("%d messages were sent", len(heard))
	}
	m.script(t, auth0.PreUserRegistration, "module.exports = (", nil)
	if _, problems := a.Check(t.Context()); len(problems) != 1 || !strings.Contains(problems[0].What, "the script cannot work: SyntaxError") {
		t.Errorf("found %v", problems)
	}
}

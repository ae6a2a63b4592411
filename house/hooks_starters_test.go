package house_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/config"
	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
	"postern/internal/testpg"
)

// tried asks the receiver of a hook, and fails the test when it has no good answer.
func tried(t *testing.T, env map[string]string, name string) {
	t.Helper()
	env["HASURA_GRAPHQL_JWT_SECRET"] = `{"type":"HS256","key":"` + strings.Repeat("test-key-", 8) + `"}`
	c, report := config.Load(config.Source{Env: env})
	if !report.OK() {
		t.Fatal(report)
	}
	a := house.NewAttendant(c, house.Options{Now: time.Now, ScriptProgram: scriptProgram})
	defer a.Close()
	for _, h := range house.Hooks(c) {
		if h.Name != name {
			continue
		}
		got, err := a.Try(t.Context(), h, nil)
		if err != nil || len(got.Outcomes) == 0 || len(got.Questions) == 0 {
			t.Fatalf("%s: %+v, %v", name, got, err)
		}
		for _, o := range got.Outcomes {
			var no *hooks.Denied
			if o.Err != nil && !errors.As(o.Err, &no) {
				t.Errorf("%s at %s: %v", name, o.Moment, o.Err)
			}
		}
		return
	}
	t.Errorf("there is no hook %s", name)
}

// TestStartersWork asks every receiver to begin with that runs here: functions and scripts. Receivers in
// JavaScript are looked at by Node, if there is one.
func TestStartersWork(t *testing.T) {
	t.Parallel()
	database, folder := testpg.New(t), t.TempDir()
	node, _ := exec.LookPath("node")
	home := &testhouse.House{Database: database}
	c, _ := config.Load(config.Source{})
	for _, h := range house.Hooks(c) {
		if h.Waiting || h.Starters == nil || h.Dialect == "auth0" { // whose have a test of their own
			continue
		}
		all := h.Starters()
		set := func(uri string) map[string]string {
			return map[string]string{
				"POSTGRES_CONNECTION": database, "AUTH_HOOKS_SCRIPTS_DIR": folder,
				"AUTH_HOOK_" + strings.ToUpper(h.Name) + "_ENABLED": "true", "AUTH_HOOK_" + strings.ToUpper(h.Name) + "_URI": uri,
			}
		}
		if sql, there := all["sql"]; there {
			run(t, home, sql)
			tried(t, set("pg-functions://postgres/app/"+h.Name), h.Name)
		}
		if script, there := all["script"]; there {
			file := strings.ReplaceAll(h.Name, "_", "-") + ".js"
			write(t, filepath.Join(folder, file), script)
			tried(t, set("js:"+file), h.Name)
		}
		if js, there := all["js"]; there && node != "" {
			file := filepath.Join(folder, h.Name+".mjs")
			write(t, file, js)
			if out, err := exec.CommandContext(t.Context(), node, "--check", file).CombinedOutput(); err != nil {
				t.Errorf("%s: %s", h.Name, out)
			}
		}
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestScriptFromAFile tries scripts that no setting names.
func TestScriptFromAFile(t *testing.T) {
	t.Parallel()
	c, _ := config.Load(config.Source{})
	a := house.NewAttendant(c, house.Options{Now: time.Now, ScriptProgram: scriptProgram})
	defer a.Close()
	all := map[string]house.Hook{}
	for _, h := range house.Hooks(c) {
		all[h.Name] = h
	}
	script := house.ScriptFile{Name: "plan.js", Secrets: map[string]string{"KEY": "hunter2-hunter2"}}
	script.Source = `export default (event, { secrets }) => { console.log('asked', secrets.KEY); return { claims: { ...event.claims, plan: 'gold' } } }`
	got, err := a.TryScript(t.Context(), all["custom_access_token"], script, nil)
	if err != nil || len(got.Questions) != 1 || !slices.Contains(got.Outcomes[0].Effects, `adds the claim plan: "gold"`) {
		t.Fatalf("%+v, %v", got, err)
	}
	if console := strings.Join(got.Questions[0].Answer.Console, "\n"); !strings.Contains(console, "asked") || strings.Contains(console, "hunter2") {
		t.Errorf("it wrote %q", console)
	}
	script.Source = `export default () => { console.log('here'); throw new Error('no') }`
	got, err = a.TryScript(t.Context(), all["custom_access_token"], script, nil)
	if err != nil || got.Outcomes[0].Err == nil || !strings.Contains(strings.Join(got.Questions[0].Answer.Console, "\n"), "here") {
		t.Errorf("%+v, %v", got, err)
	}
	script.Source = `module.exports = function (user, context, cb) { console.log(context.webtask.secrets.KEY); cb(null, { user: { user_metadata: { team: 'red' } } }) }`
	got, err = a.TryScript(t.Context(), all["pre-user-registration"], script, nil)
	if err != nil || len(got.Outcomes) != 1 || got.Outcomes[0].Err != nil || !strings.Contains(strings.Join(got.Outcomes[0].Effects, "\n"), "red") {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := a.TryScript(t.Context(), all["user_inserted"], script, nil); err == nil {
		t.Error("a script took part in a transaction")
	}
}

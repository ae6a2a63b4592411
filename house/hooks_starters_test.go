package house_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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

package config_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestScriptsOfHooks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "token.js"), []byte("export default () => {}"), 0o600); err != nil {
		t.Fatal(err)
	}
	const uri = "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI"
	for name, tt := range map[string]struct {
		env  map[string]string
		want []string
	}{
		"a script":               {map[string]string{"AUTH_HOOKS_SCRIPTS_DIR": dir, uri: "js:token.js"}, nil},
		"no such script":         {map[string]string{"AUTH_HOOKS_SCRIPTS_DIR": dir, uri: "js:tokens.js"}, []string{uri + " is no address of a hook: tokens.js in the folder of AUTH_HOOKS_SCRIPTS_DIR does not exist"}},
		"no folder":              {map[string]string{uri: "js:token.js"}, []string{uri + " is no address of a hook: it names a script, and AUTH_HOOKS_SCRIPTS_DIR, the folder of scripts, is not set"}},
		"a folder that is none":  {map[string]string{"AUTH_HOOKS_SCRIPTS_DIR": dir + "/token.js"}, []string{"AUTH_HOOKS_SCRIPTS_DIR is not a folder that can be read"}},
		"switched off":           {map[string]string{"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "false", uri: "js:tokens.js"}, nil},
		"a name that is a path":  {map[string]string{"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "false", uri: "js:../token.js"}, []string{uri + " is no address of a hook: it must be js: and the name of a file"}},
		"networks that are none": {map[string]string{"AUTH_OUTBOUND_ALLOWED_NETWORKS": "10.0.0.0/8,home"}, []string{`AUTH_OUTBOUND_ALLOWED_NETWORKS "home" is no network`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.env[uri] != "" && tt.env["AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED"] == "" {
				tt.env["AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED"] = "true"
			}
			_, wrong := hooked(t, "", tt.env)
			if !slices.EqualFunc(wrong, tt.want, strings.HasPrefix) {
				t.Errorf("wrong: %q, want %q", wrong, tt.want)
			}
		})
	}
}

func TestSecretsOfScripts(t *testing.T) {
	t.Parallel()
	c, wrong := hooked(t, "", map[string]string{"AUTH_HOOKS_SCRIPT_SECRET_SLACK": "hunter2", "AUTH_HOOKS_SCRIPT_SECRET_API_KEY_FILE": "/run/secret"})
	if len(wrong) > 0 {
		t.Fatalf("wrong: %q", wrong)
	}
	if diff := cmp.Diff(map[string]string{"SLACK": "hunter2", "API_KEY": secret}, c.Hooks.Scripts.Secrets()); diff != "" {
		t.Error(diff)
	}
}

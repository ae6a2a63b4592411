package jshook

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Settings say how scripts of hooks run, and where they are.
type Settings struct {
	Workers    int           `env:"AUTH_HOOKS_SCRIPT_WORKERS" default:"4" min:"1" max:"256" doc:"How many scripts of hooks run at the same time, each in a process of its own. Processes start when they are needed."`
	Queue      int           `env:"AUTH_HOOKS_SCRIPT_QUEUE" default:"1000" min:"1" max:"100000" doc:"How many calls of scripts wait for a process at most; those beyond fail at once."`
	Timeout    time.Duration `env:"AUTH_HOOKS_SCRIPT_TIMEOUT" default:"5s" min:"50ms" max:"20s" doc:"How long a script of a hook may take, waiting included. After that its process is killed."`
	Memory     int           `env:"AUTH_HOOKS_SCRIPT_MEMORY" default:"64" min:"16" max:"1024" doc:"Memory that one call of a script may take, in MiB. The process around it may take 192 MiB more (Linux)."`
	ScriptsDir string        `env:"AUTH_HOOKS_SCRIPTS_DIR" doc:"Folder with the scripts of hooks whose address is js:NAME.js. They are read at the start. Each variable AUTH_HOOKS_SCRIPT_SECRET_NAME, for any NAME, is what they know as secrets.NAME."`
	ModulesDir string        `env:"AUTH_HOOKS_MODULES_DIR" doc:"Folder with the npm packages that scripts of hooks may require: one that npm has filled (with node_modules in it), or node_modules itself. Nothing is ever downloaded. Empty means no packages."`

	secrets map[string]*string
}

// secretName is a variable with a secret for scripts.
var secretName = regexp.MustCompile(`^AUTH_HOOKS_SCRIPT_SECRET_([A-Za-z0-9_]+)$`)

// Declare lists the secrets that the operator has for scripts.
func (s *Settings) Declare(set []string, add func(tags reflect.StructTag, into any)) {
	s.secrets = map[string]*string{}
	for _, name := range slices.Sorted(slices.Values(set)) {
		name = strings.TrimSuffix(name, "_FILE")
		m := secretName.FindStringSubmatch(name)
		if m == nil || s.secrets[m[1]] != nil {
			continue
		}
		s.secrets[m[1]] = new(string)
		add(reflect.StructTag(fmt.Sprintf(`env:%q secret:"true" doc:"What scripts of hooks know as secrets.%s."`, name, m[1])), s.secrets[m[1]])
	}
}

// Secrets are those for the scripts in the folder, by the names that they have there.
func (s Settings) Secrets() map[string]string {
	all := make(map[string]string, len(s.secrets))
	for name, value := range s.secrets {
		all[name] = *value
	}
	return all
}

// Check reports settings that cannot work.
func (s Settings) Check(report func(env, problem string)) {
	for _, folder := range []struct{ env, path string }{{"AUTH_HOOKS_SCRIPTS_DIR", s.ScriptsDir}, {"AUTH_HOOKS_MODULES_DIR", s.ModulesDir}} {
		if folder.path == "" {
			continue
		}
		if info, err := os.Stat(filepath.Clean(folder.path)); err != nil || !info.IsDir() {
			report(folder.env, "is not a folder that can be read")
		}
	}
}

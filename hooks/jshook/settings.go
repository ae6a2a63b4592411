package jshook

import (
	"os"
	"path/filepath"
	"time"
)

// Settings say how scripts of hooks run.
type Settings struct {
	Workers    int           `env:"AUTH_HOOKS_SCRIPT_WORKERS" default:"4" min:"1" max:"256" doc:"How many scripts of hooks run at the same time, each in a process of its own. Processes start when they are needed."`
	Queue      int           `env:"AUTH_HOOKS_SCRIPT_QUEUE" default:"1000" min:"1" max:"100000" doc:"How many calls of scripts wait for a process at most; those beyond fail at once."`
	Timeout    time.Duration `env:"AUTH_HOOKS_SCRIPT_TIMEOUT" default:"5s" min:"50ms" max:"20s" doc:"How long a script of a hook may take, waiting included, where its hook does not say otherwise. After that its process is killed."`
	Memory     int           `env:"AUTH_HOOKS_SCRIPT_MEMORY" default:"64" min:"16" max:"1024" doc:"Memory that one call of a script may take, in MiB. The process around it may take 192 MiB more (Linux)."`
	ModulesDir string        `env:"AUTH_HOOKS_MODULES_DIR" doc:"Folder with the npm packages that scripts of hooks may require: one that npm has filled (with node_modules in it), or node_modules itself. Nothing is ever downloaded. Empty means no packages."`
}

// Check reports settings that cannot work.
func (s Settings) Check(report func(env, problem string)) {
	if s.ModulesDir == "" {
		return
	}
	if info, err := os.Stat(filepath.Clean(s.ModulesDir)); err != nil || !info.IsDir() {
		report("AUTH_HOOKS_MODULES_DIR", "is not a folder that can be read")
	}
}

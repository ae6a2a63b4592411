package config

import (
	"errors"

	"postern/hooks/httphook"
	"postern/hooks/jshook"
	"postern/hooks/pghook"
	"postern/hooks/supabase"
)

// Hooks are the settings of hooks, of every dialect, and of those that are scripts.
type Hooks struct {
	Supabase supabase.Settings
	Scripts  jshook.Settings
}

// Check reports hooks at addresses that nobody could ask. Dialects and transports do not know each
// other, so it is done here.
func (h Hooks) Check(report func(env, problem string)) {
	for _, hook := range h.Supabase.Known() {
		if hook.URI == "" {
			continue
		}
		var err error
		switch {
		case pghook.IsURI(hook.URI):
			_, err = pghook.ParseURI(hook.URI)
		case jshook.IsURI(hook.URI):
			err = h.script(hook)
		default:
			_, err = httphook.ParseAddress(hook.URI, false)
		}
		if hook.Joins() && !pghook.IsURI(hook.URI) {
			err = errors.New("that hook takes part in a transaction, which only a function in the database can; it must be pg-functions://postgres/schema/function")
		}
		if err != nil {
			report(hook.Variable(), "is no address of a hook: "+err.Error())
		}
	}
}

// script tells why a hook is no script that could be run.
func (h Hooks) script(hook supabase.Hook) error {
	file, err := jshook.ParseURI(hook.URI)
	if err != nil || !hook.Enabled {
		return err
	}
	_, err = h.Scripts.File(file)
	return err
}

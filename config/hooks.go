package config

import (
	"postern/hooks/httphook"
	"postern/hooks/pghook"
	"postern/hooks/supabase"
)

// Hooks are the settings of hooks, of every dialect.
type Hooks struct {
	Supabase supabase.Settings
}

// Check reports hooks at addresses that nobody could ask. Dialects and transports do not know each
// other, so it is done here.
func (h Hooks) Check(report func(env, problem string)) {
	for _, hook := range h.Supabase.Known() {
		if hook.URI == "" {
			continue
		}
		var err error
		if pghook.IsURI(hook.URI) {
			_, err = pghook.ParseURI(hook.URI)
		} else {
			_, err = httphook.ParseAddress(hook.URI, false)
		}
		if err != nil {
			report(hook.Variable(), "is no address of a hook: "+err.Error())
		}
	}
}

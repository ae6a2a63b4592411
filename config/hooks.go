package config

import (
	"errors"

	"postern/hooks/gotrue"
	"postern/hooks/httphook"
	"postern/hooks/jshook"
	"postern/hooks/pghook"
	"postern/hooks/platform"
	"postern/hooks/supabase"
)

// Hooks are the settings of hooks, of every dialect, and of those that are scripts.
type Hooks struct {
	File string `env:"AUTH_HOOKS_CONFIG" doc:"File with hooks, TOML or YAML by its ending (.toml, .yaml, .yml). Tables such as [auth.hook.send_email], as Supabase's config.toml has them: enabled, uri and secrets, where a text env(NAME) stands for a variable. And, as Hasura's platform had them in auth.yaml, authorizationHooks with preSignupHook and preLoginHook, and defaultProviders with the defaultRoles of each. What else is in the file does not count."`

	Supabase supabase.Settings
	Platform platform.Settings
	GoTrue   gotrue.Settings
	Scripts  jshook.Settings
}

// Read takes in the file, if there is one, and gives each dialect its part. It finds variables of hooks that do
// not exist, too.
func (h *Hooks) Read(r reading) {
	h.Supabase.Strangers(r.nearest, r.report)
	h.Platform.Strangers(r.nearest, r.report)
	if h.File == "" {
		return
	}
	say := func(problem string) { r.report("AUTH_HOOKS_CONFIG", problem) }
	all, err := hooksFile(h.File, r.file)
	if err != nil {
		say(err.Error())
		return
	}
	part := func(names ...string) map[string]any {
		table, err := within(all, names...)
		if err != nil {
			say("names a file that is wrong: " + err.Error())
		}
		return table
	}
	h.Supabase.Read(part("auth", "hook"), r.variable, r.nearest, r.report)
	h.Platform.Read(platform.File{Hooks: part("authorizationHooks"), Providers: part("defaultProviders")}, r.nearest, r.report, r.warn)
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
	for _, hook := range h.Platform.Known() {
		if _, err := httphook.ParseAddress(hook.URL, true); err != nil {
			report(hook.Variable(), "is no address of a hook: "+err.Error())
		}
	}
	if h.GoTrue.URL != "" {
		address, err := h.GoTrue.Address("https://client.example") // that of AUTH_CLIENT_URL is another room's
		if err == nil {
			_, err = httphook.ParseAddress(address, true)
		}
		if err != nil {
			report("AUTH_WEBHOOK_URL", "is no address of a hook: "+err.Error())
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

package supabase

import (
	"slices"

	"postern/hooks"
)

// Points tell people of the hooks. site is where links in mails begin.
func Points(site string) []hooks.Point {
	points := make([]hooks.Point, 0, len(rows))
	for _, r := range rows {
		points = append(points, hooks.Point{
			Name: r.name, Doc: r.doc, Transports: r.transports(), Own: r.own, Waiting: r.waiting,
			Settings: []string{r.variable(uri), r.variable(enabled), r.variable(secrets)},
			Sample:   func() []byte { return Sample(r.name) },
			Schema:   func() []byte { return Schema(r.name) },
			Starters: func() map[string]string { return starters(r) },
			Bind:     func(h *hooks.Hooks, runner hooks.Runner) error { return Bind(h, r.name, runner, site) },
		})
	}
	return points
}

// transports are those that can carry a hook.
func (r row) transports() []hooks.Transport {
	if r.joins {
		return []hooks.Transport{hooks.Function}
	}
	return []hooks.Transport{hooks.HTTP, hooks.Function, hooks.Script}
}

// Origin is the setting that says where a hook is: the name of a variable, or AUTH_HOOKS_CONFIG for
// what the file says. Empty means that nothing does.
func (s Settings) Origin(name string) string {
	r, known := rowOf(name)
	if !known || s.hooks[name] == nil || s.hooks[name].URI == "" {
		return ""
	}
	for _, v := range r.variables(uri) {
		for _, v := range []string{v, v + "_FILE"} {
			if slices.Contains(s.set, v) {
				return v
			}
		}
	}
	return "AUTH_HOOKS_CONFIG"
}

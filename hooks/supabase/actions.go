package supabase

import (
	"maps"
	"slices"
)

// Action is what one of our mails is called in email_action_type.
type Action struct{ Template, Word string }

// Actions lists them by template.
func Actions() []Action {
	var all []Action
	for _, template := range slices.Sorted(maps.Keys(actions)) {
		all = append(all, Action{template, actions[template].word})
	}
	return all
}

// Package gotrue has the words of the webhooks that GoTrue had before its hooks: one receiver for three
// events, told within the request, whose answer may refuse and put other metadata in the place of a user's.
package gotrue

import "postern/hooks"

// The events.
const (
	Validate = "validate"
	SignUp   = "signup"
	Login    = "login"
)

// row is what is known of an event.
type row struct {
	name string
	doc  string
}

// rows are the events, in the order of a user's life.
var rows = []row{
	{Validate, "is told of a new user before they are made, and may refuse"},
	{SignUp, "is told of a user whose address or number is confirmed for the first time, or who needs no confirmation, and may refuse"},
	{Login, "is told of a session that opens, other than by the proof that confirms an address, and may refuse"},
}

// Events are the names.
func Events() []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names
}

// Points tell people of the events. The secret signs what a receiver is told.
func Points(s Settings) []hooks.Point {
	points := make([]hooks.Point, 0, len(rows))
	for _, r := range rows {
		points = append(points, hooks.Point{
			Name: r.name, Doc: r.doc, Transports: []hooks.Transport{hooks.HTTP},
			Settings: []string{variableURL, variableEvents, variableSecret, variableRetries, variableTimeout},
			Sample:   func() []byte { return sample(r.name) },
			Bind:     func(h *hooks.Hooks, runner hooks.Runner) error { return Bind(h, r.name, s, runner) },
		})
	}
	return points
}

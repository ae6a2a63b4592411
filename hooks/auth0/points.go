package auth0

import (
	"embed"
	"encoding/json"

	"postern/auth"
	"postern/hooks"
)

//go:embed starters
var starters embed.FS

// Points tell people of the triggers.
func Points() []hooks.Point {
	points := make([]hooks.Point, 0, len(rows))
	for _, r := range rows {
		points = append(points, hooks.Point{
			Name: r.trigger, Doc: r.doc, Transports: []hooks.Transport{hooks.Script}, Settings: []string{"AUTH_MANAGEMENT_CLIENT_ID"},
			Sample:   func() []byte { return Sample(r.trigger) },
			Starters: func() map[string]string { return map[string]string{"script": Starter(r.trigger)} },
			Bind:     func(h *hooks.Hooks, runner hooks.Runner) error { return one(h, r, runner) },
		})
	}
	return points
}

// Starter is a script to begin with; empty when there is no such trigger.
func Starter(trigger string) string {
	text, err := starters.ReadFile("starters/" + trigger + ".js")
	if err != nil {
		return ""
	}
	return string(text)
}

// Sample is what a script could be told of somebody made up: its parameters by their names, but for the
// callback and what the context says of the place where it runs. It is nil when there is no such trigger.
func Sample(trigger string) []byte {
	r, known := rowOf(trigger)
	if !known {
		return nil
	}
	text, err := json.MarshalIndent(r.sample(hooks.NewSamples(hooks.SampleEvent())), "", "  ")
	if err != nil {
		return nil // nothing here can fail to be JSON
	}
	return append(text, '\n')
}

func (r row) sample(s hooks.Samples) map[string]any {
	const tenant = "example.com"
	database := connections["password"]
	switch r.trigger {
	case CredentialsExchange:
		return clientQuestion(s.ClientTokenMinting, tenant)
	case PreUserRegistration:
		e := s.UserCreating
		e.Password = "correct horse battery staple"
		return creatingQuestion(e, database, tenant)
	case PostUserRegistration:
		return createdQuestion(s.UserCreated, database, tenant)
	case PostChangePassword:
		return passwordQuestion(s.PasswordChanged, tenant)
	default: // SendPhoneMessage
	}
	s.SMSDue.Purpose = auth.ElevateBySMS
	return phoneQuestion(s.SMSDue, plainText(s.SMSDue))
}

// ProgramOf is a script as it runs at its trigger, for trying it; false when there is no such trigger.
func ProgramOf(s Script) (Program, bool) {
	r, known := rowOf(s.Trigger)
	return r.program(s), known
}

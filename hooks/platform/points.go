package platform

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"slices"
	"strings"
	"text/template"

	"postern/hooks"
)

//go:embed starters
var starterFiles embed.FS

// Points tell people of the hooks, by what the settings say beside their addresses.
func Points(s Settings) []hooks.Point {
	points := make([]hooks.Point, 0, len(Names()))
	for _, name := range Names() {
		points = append(points, hooks.Point{
			Name: name, Doc: docs[name], Transports: []hooks.Transport{hooks.HTTP}, Settings: []string{Hook{Name: name}.Variable()},
			Sample: sample, Schema: schema,
			Starters: func() map[string]string { return starters(name) },
			Bind:     func(h *hooks.Hooks, r hooks.Runner) error { return Bind(h, s.alone(name, r)) },
		})
	}
	return points
}

// docs say what the hooks are for.
var docs = map[string]string{
	PreSignup: "gets every sign-up as the client sent it, and may refuse it or give the user roles",
	PreLogin:  "gets every sign-in as the client sent it, and may refuse it",
}

// alone binds one hook to somebody, and gives nobody the roles of a provider.
func (s Settings) alone(name string, r hooks.Runner) Bound {
	s.PreSignup, s.PreLogin, s.providers = "", "", nil
	if name == PreSignup {
		s.PreSignup = name
	} else {
		s.PreLogin = name
	}
	return Bound{
		Settings: s, Runner: func(Hook) (hooks.Runner, error) { return r, nil },
		Unread: func(context.Context, string, error) {},
	}
}

// Origin is the setting that says where a hook is: the name of a variable, or AUTH_HOOKS_CONFIG for
// what the file says. Empty means that nothing does.
func (s Settings) Origin(name string) string {
	if !slices.ContainsFunc(s.Known(), func(h Hook) bool { return h.Name == name }) {
		return ""
	}
	variable := Hook{Name: name}.Variable()
	for _, v := range []string{variable, variable + "_FILE"} {
		if slices.Contains(s.set, v) {
			return v
		}
	}
	return "AUTH_HOOKS_CONFIG"
}

// sample is what the hooks could be told of somebody made up.
func sample() []byte {
	body, err := payload(hooks.NewSamples(hooks.SampleEvent()).Requested)
	if err != nil {
		return nil // the sample is an object
	}
	var text bytes.Buffer
	if json.Indent(&text, body, "", "  ") != nil {
		return nil
	}
	return append(text.Bytes(), '\n')
}

// schema is the JSON Schema of that. What a client sends has any shape.
func schema() []byte {
	return []byte(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "What preSignupHook and preLoginHook are told",
  "type": "object",
  "properties": {
    "provider": {"type": "string", "description": "email, mobile, a sign-in provider, or a way to sign in that the platform did not have"},
    "data": {"type": "object", "description": "what the client sent, members that nobody knows included; besides email, mobile and country_code, profile, where the request does not say them so"}
  },
  "required": ["data", "provider"]
}
`)
}

// starters are receivers to begin with, by language.
func starters(name string) map[string]string {
	data := map[string]string{"Name": name, "Variable": Hook{Name: name}.Variable(), "Doc": docs[name], "Agrees": "{}", "AgreesGo": "struct{}{}"}
	if name == PreSignup {
		data["Agrees"], data["AgreesGo"] = "{ roles: ['staff'] }", `map[string]any{"roles": []string{"staff"}}`
	}
	all := map[string]string{}
	for _, language := range []string{"js", "go"} {
		parsed, err := template.ParseFS(starterFiles, "starters/"+language+".tmpl")
		var text strings.Builder
		if err == nil && parsed.Execute(&text, data) == nil { // a test has them all
			all[language] = text.String()
		}
	}
	return all
}

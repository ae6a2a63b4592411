package platform

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// Settings say where the hooks are. They stand in variables, and in a file such as the platform's auth.yaml.
type Settings struct {
	PreSignup    string        `env:"AUTH_HOOK_PRE_SIGNUP_URL" secret:"true" doc:"Where the hook preSignupHook of Hasura's platform is: it gets every sign-up as the client sent it, passwords included, and may refuse it or give the user roles. http:// is allowed: such hooks are neighbours in a cluster."`
	PreLogin     string        `env:"AUTH_HOOK_PRE_LOGIN_URL" secret:"true" doc:"The same for preLoginHook, which gets every sign-in and may refuse it."`
	Timeout      time.Duration `env:"AUTH_HOOKS_PLATFORM_TIMEOUT" default:"5s" min:"100ms" max:"25s" doc:"How long preSignupHook and preLoginHook may take. Who does not get an answer is not let in."`
	AllowedRoles []string      `env:"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES" doc:"Roles that preSignupHook may give. When this is not set it may give any but admin, the role to which Hasura denies nothing."`

	providers map[string][]string // roles of new users by provider, in the platform's words
	set       []string            // names of variables that are set
}

// Declare notes which variables are set.
func (s *Settings) Declare(set []string, _ func(tags reflect.StructTag, into any)) { s.set = set }

// near finds the known word that a mistyped one was meant to be, if one is near.
type near = func(mistyped string, known []string) string

// Strangers reports variables that look like those of these hooks, and are not. A hook that was meant to refuse,
// and is never asked, would let everybody in.
func (s *Settings) Strangers(nearest near, report func(env, problem string)) {
	known := []string{preSignupURL, preSignupURL + "_FILE", preLoginURL, preLoginURL + "_FILE"}
	for _, name := range s.set {
		if strings.HasPrefix(name, "AUTH_HOOK_PRE_") && !slices.Contains(known, name) {
			report(name, "is of no hook"+meant(nearest(name, known)))
		}
	}
}

func meant(name string) string {
	if name == "" {
		return ""
	}
	return "; did you mean " + name + "?"
}

// File is what a file says of this dialect.
type File struct {
	Hooks     map[string]any // authorizationHooks
	Providers map[string]any // defaultProviders
}

// providers are those that auth.yaml knew by itself.
var providers = []string{"email", "mobile", "mobile-password", "username", "google", "facebook", "github", "linkedin"}

// Read takes in what the file says. What it and the variables both say must be the same.
func (s *Settings) Read(f File, nearest near, report, warn func(env, problem string)) {
	const file = "AUTH_HOOKS_CONFIG"
	for _, name := range slices.Sorted(maps.Keys(f.Hooks)) {
		variable, into := preSignupURL, &s.PreSignup
		switch name {
		case PreSignup:
		case PreLogin:
			variable, into = preLoginURL, &s.PreLogin
		default:
			report(file, "names a file with "+name+" of authorizationHooks, and there is no such hook"+meant(nearest(name, Names())))
			continue
		}
		url, ok := f.Hooks[name].(string)
		switch {
		case f.Hooks[name] == nil || ok && url == "":
		case !ok:
			report(file, "names a file with "+name+" of authorizationHooks, which is no text")
		case *into != "" && *into != url:
			report(variable, "and "+name+" of authorizationHooks in the file of AUTH_HOOKS_CONFIG are both set and differ; keep one of them")
		default:
			*into = url
		}
	}
	s.providers = map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(f.Providers)) {
		s.provider(name, f.Providers[name], nearest, func(p string) { report(file, p) }, func(p string) { warn(file, p) })
	}
}

// provider reads what a file says of one provider.
func (s *Settings) provider(name string, says any, nearest near, report, warn func(problem string)) {
	known := slices.Concat(providers, slices.Collect(maps.Values(words)))
	if best := nearest(name, known); best != "" && best != name {
		warn("names a file with " + name + " of defaultProviders" + meant(best))
	}
	members, ok := says.(map[string]any)
	if !ok && says != nil {
		report("names a file with " + name + " of defaultProviders, which is no table")
		return
	}
	for _, member := range slices.Sorted(maps.Keys(members)) {
		where := "names a file with " + member + " of defaultProviders." + name
		switch member {
		case "defaultRoles":
			roles, err := rolesIn(members[member])
			if err == nil {
				err = s.mayGive(roles)
			}
			if err != nil {
				report(where + ", " + err.Error())
				continue
			}
			s.providers[name] = roles
		case "enabled":
			warn(where + ", which has no effect: each way to sign in has a setting of its own")
		default:
			warn(where + ", which has no effect" + meant(nearest(member, []string{"defaultRoles"})))
		}
	}
}

// rolesIn reads a list of roles. None at all is a list, too.
func rolesIn(v any) ([]string, error) {
	if v == nil {
		return nil, nil
	}
	list, ok := v.([]any)
	if !ok {
		return nil, errNoList
	}
	roles := make([]string, 0, len(list))
	for _, item := range list {
		role, ok := item.(string)
		if !ok {
			return nil, errNoList
		}
		roles = append(roles, role)
	}
	return roles, nil
}

// Hook is one of the hooks, and where it is.
type Hook struct {
	Name string // such as preSignupHook
	URL  string
}

// String leaves out what may be secret.
func (h Hook) String() string { return h.Name }

// Variable is the name of the variable that says where the hook is.
func (h Hook) Variable() string {
	if h.Name == PreLogin {
		return preLoginURL
	}
	return preSignupURL
}

// Known gives the hooks that are set.
func (s Settings) Known() []Hook {
	list := []Hook{{PreSignup, s.PreSignup}, {PreLogin, s.PreLogin}}
	return slices.DeleteFunc(list, func(h Hook) bool { return h.URL == "" })
}

// Check reports roles that nobody can have.
func (s Settings) Check(report func(env, problem string)) {
	for _, role := range s.AllowedRoles {
		if !validRole(role) {
			report("AUTH_HOOKS_PLATFORM_ALLOWED_ROLES", fmt.Sprintf("has a role %q: %s", role, roleRule))
		}
	}
}

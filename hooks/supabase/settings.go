package supabase

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"postern/webhooks"
)

// Settings say which hooks there are. They stand in variables, and in a file such as Supabase's command
// line tool has.
type Settings struct {
	hooks map[string]*Hook
	set   []string // names of variables that are set
}

// Hook is what the operator says of one hook.
type Hook struct {
	Name    string // such as send_email
	Enabled bool
	URI     string // https://…, pg-functions://postgres/schema/function, or js:NAME.js
	Secrets string // as webhooks.ParseAll takes them
}

// String leaves out what is secret.
func (h Hook) String() string { return h.Name }

// Variable is the name of the variable that says where the hook is.
func (h Hook) Variable() string {
	r, _ := rowOf(h.Name)
	return r.variable(uri)
}

// Declare lists the variables of every hook.
func (s *Settings) Declare(set []string, add func(tags reflect.StructTag, into any)) {
	s.set, s.hooks = set, map[string]*Hook{}
	for _, r := range rows {
		h := &Hook{Name: r.name}
		s.hooks[r.name] = h
		tags := func(ending, more, doc string) reflect.StructTag {
			return reflect.StructTag(fmt.Sprintf("env:%q %s doc:%q", strings.Join(r.variables(ending), " "), more, doc))
		}
		ask := "Ask the hook " + r.name + ", which " + r.doc + "."
		if r.waiting {
			ask += " Nothing asks it yet, so it cannot be switched on."
		}
		add(tags(enabled, `default:"false"`, ask), &h.Enabled)
		where := "https://… (http:// on this machine), pg-functions://postgres/schema/function for a function in the database, or js:NAME.js for a script in the folder of AUTH_HOOKS_SCRIPTS_DIR."
		if r.joins {
			where = "pg-functions://postgres/schema/function. The function is called as the server's own role, over its own connection."
		}
		add(tags(uri, `secret:"true"`, "Where "+r.name+" is: "+where), &h.URI)
		if r.joins {
			continue
		}
		add(tags(secrets, `secret:"true"`, "What signs the questions to "+r.name+" over HTTP: v1,whsec_ and base64 of 24 to 64 bytes; several are separated by |, the newest first."), &h.Secrets)
	}
}

// Known gives what is said of every hook, switched on or not.
func (s Settings) Known() []Hook {
	var list []Hook
	for _, r := range rows {
		if h := s.hooks[r.name]; h != nil {
			list = append(list, *h)
		}
	}
	return list
}

// Enabled gives the hooks that are switched on.
func (s Settings) Enabled() []Hook {
	return slices.DeleteFunc(s.Known(), func(h Hook) bool { return !h.Enabled })
}

// Check reports hooks that could not work.
func (s Settings) Check(report func(env, problem string)) {
	for _, r := range rows {
		h := s.hooks[r.name]
		if h == nil {
			continue
		}
		if _, err := h.Keys(); err != nil {
			report(r.variable(secrets), err.Error())
		}
		switch {
		case h.Enabled && r.waiting:
			report(r.variable(enabled), "is true, but nothing in this version asks that hook yet, so it would say nothing and stop nobody")
		case h.Enabled && h.URI == "":
			report(r.variable(uri), "is needed: "+r.variable(enabled)+" is true")
		}
	}
}

// Keys are what signs questions over HTTP.
func (h Hook) Keys() (webhooks.Keys, error) {
	keys, err := webhooks.ParseAll(h.Secrets)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(keys, func(k webhooks.Key) bool { return !k.Signs() }) {
		return nil, errors.New("has a public key alone, which signs nothing; the private one (whsk_) is needed too")
	}
	return keys, nil
}

package house

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/config"
	"postern/hooks"
	"postern/hooks/httphook"
	"postern/hooks/jshook"
	"postern/hooks/pghook"
	"postern/hooks/supabase"
)

// Dialect is a family of hooks that go by the words of one service.
type Dialect struct {
	Name   string // as commands have it
	Title  string
	About  string // a paragraph for the documentation, in Markdown
	Points []hooks.Point
	// Standard is a dialect whose questions are signed as Standard Webhooks has it, Unsigned one whose
	// questions are not signed at all. Any other has its own way.
	Standard, Unsigned bool

	said func(point string) said
	// runner makes the way to the receiver that the settings name for a point.
	runner func(ctx context.Context, r *receivers, o Options, point string) (hooks.Runner, error)
	// script makes a script of a file one that can be asked for a point; nil takes it as those in the folder are.
	script func(point, source string, secrets map[string]string) jshook.Script
}

// said is what the settings say of a point.
type said struct {
	on     bool
	origin string // the setting that says where it is
	uri    string
	where  string // in the place of an address: a script that is kept in the database
	secret string
}

// Dialects are all that there are, with what the settings say of them.
func Dialects(c *config.Config) []Dialect {
	return []Dialect{supabaseDialect(c), auth0Dialect(c), platformDialect(c), gotrueDialect(c)}
}

func supabaseDialect(c *config.Config) Dialect {
	known := c.Hooks.Supabase.Known()
	find := func(point string) (supabase.Hook, bool) {
		i := slices.IndexFunc(known, func(h supabase.Hook) bool { return h.Name == point })
		if i < 0 {
			return supabase.Hook{}, false
		}
		return known[i], true
	}
	return Dialect{
		Name: "supabase", Title: "Supabase Auth Hooks", Standard: true,
		About:  "Receivers that were written for Supabase's Auth Hooks work unchanged, and users of every door meet them. Instead of variables (also `GOTRUE_HOOK_…`) a file may say where hooks are, as Supabase's `config.toml` does (`AUTH_HOOKS_CONFIG`). Hooks that are ours have questions and answers in the same style.",
		Points: supabase.Points(c.Flow.ServerURL),
		said: func(point string) said {
			h, _ := find(point)
			return said{on: h.Enabled, origin: c.Hooks.Supabase.Origin(point), uri: h.URI, secret: h.Secrets}
		},
		runner: func(ctx context.Context, r *receivers, o Options, point string) (hooks.Runner, error) {
			h, _ := find(point)
			return r.runner(ctx, c, o, h)
		},
	}
}

// Hook is a hook with what the settings say of it.
type Hook struct {
	hooks.Point

	Dialect   string
	Enabled   bool
	Origin    string // the setting that says where it is; empty when none does
	Transport hooks.Transport
	Where     string // without secrets
	Signed    bool   // its questions are signed
	Standard  bool   // as Standard Webhooks has it, where they are
	Unsigned  bool   // they never are
	Moments   []hooks.Bound
	Timeout   time.Duration

	said said
}

// Address is where the hook is, and what signs its questions: both may be secret.
func (h Hook) Address() (uri, secret string) { return h.said.uri, h.said.secret }

// Hooks lists the hooks of all dialects.
func Hooks(c *config.Config) []Hook {
	var all []Hook
	for _, d := range Dialects(c) {
		for _, p := range d.Points {
			s := d.said(p.Name)
			h := Hook{Point: p, Dialect: d.Name, Standard: d.Standard, Unsigned: d.Unsigned, Enabled: s.on, Origin: s.origin, Signed: s.secret != "", said: s, Moments: momentsOf(p)}
			h.Transport, h.Where = whereabouts(s.uri)
			if s.where != "" {
				h.Transport, h.Where = hooks.Script, s.where
			}
			for _, b := range h.Moments {
				h.Timeout = b.Timeout
			}
			switch h.Transport {
			case hooks.Function:
				h.Timeout = c.PgHooks.Timeout
			case hooks.Script:
				h.Timeout = c.Hooks.Scripts.Timeout
			case hooks.HTTP:
			}
			all = append(all, h)
		}
	}
	return all
}

// nobody is asked where only a binding is looked at.
type nobody struct{}

// Join has no answer either.
func (n nobody) Join(ctx context.Context, _ hooks.Transaction, c hooks.Call, _ time.Duration) (hooks.Answer, error) {
	return n.Run(ctx, c)
}

// Run has no answer.
func (nobody) Run(context.Context, hooks.Call) (hooks.Answer, error) {
	return hooks.Answer{}, hooks.Unreachable{Why: "nobody is asked"}
}

// momentsOf reads off a binding where a point is asked, and how.
func momentsOf(p hooks.Point) []hooks.Bound {
	h := hooks.New()
	if p.Waiting || p.Bind(h, nobody{}) != nil {
		return nil
	}
	return h.Bound()
}

// whereabouts says where an address leads, without what may be secret in it.
func whereabouts(uri string) (hooks.Transport, string) {
	if uri == "" {
		return "", ""
	}
	if pghook.IsURI(uri) {
		f, err := pghook.ParseURI(uri)
		if err != nil {
			return hooks.Function, "not an address"
		}
		return hooks.Function, "function " + f.Schema + "." + f.Name
	}
	if jshook.IsURI(uri) {
		file, err := jshook.ParseURI(uri)
		if err != nil {
			return hooks.Script, "not an address"
		}
		return hooks.Script, "script " + file
	}
	u, err := httphook.ParseAddress(uri, true)
	if err != nil {
		return hooks.HTTP, "not an address"
	}
	return hooks.HTTP, open(u)
}

// open is an address as anybody may read it: passwords, queries and parts of the path that may be keys
// are left out.
func open(u *url.URL) string {
	parts := strings.Split(u.EscapedPath(), "/")
	for i, part := range parts {
		if len(part) > 12 && strings.ContainsAny(part, "0123456789") {
			parts[i] = "…"
		}
	}
	text := u.Scheme + "://" + u.Host + strings.Join(parts, "/")
	if u.RawQuery != "" {
		text += "?…"
	}
	return text
}

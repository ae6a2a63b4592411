package house

import (
	"context"
	"net/http"
	"net/url"
	"regexp"

	"postern/auth"
	"postern/config"
	"postern/flow"
	"postern/graph"
	"postern/hooks"
	"postern/server"
)

// operatorsDoor gives the door for operators; nil where it is off, or nobody could open it.
func (h *House) operatorsDoor(c *config.Config, o Options, front *server.Front, kit flow.Kit) (http.Handler, error) {
	s := c.Admin
	if !s.Enabled || c.Engine.AdminSecret == "" && s.Role == "" && s.ReaderRole == "" {
		return nil, nil
	}
	if err := s.OfEverybody(kit.Policy); err != nil {
		return nil, err
	}
	admin := &flow.Admin{Kit: kit, Settings: s, RolesOf: map[string][]string{
		"AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE": {c.Webhook.UnauthenticatedRole},
		"AUTH_HOOKS_PLATFORM_ALLOWED_ROLES":        c.Hooks.Platform.AllowedRoles,
	}}
	service, err := h.service(c, o, admin)
	if err != nil {
		return nil, err
	}
	door := &graph.Door{
		Front: front.Beside(graph.Refuse),
		Admin: admin, Scripts: &flow.Scripts{Kit: kit, Asked: c.Management.On()}, Machines: flow.NewMachines(kit, c.Management), OAuth: &flow.OAuthClients{Kit: kit}, Service: service,
		Signer: kit.Signer, Secret: secretOf(c, front, admin, "graphql"), Log: o.Log,
	}
	return door.Handler(), nil
}

// secretOf is the admin secret at a door.
func secretOf(c *config.Config, front *server.Front, admin *flow.Admin, door string) server.AdminSecret {
	return server.AdminSecret{
		Front: front, Limits: c.Limits, Value: c.Engine.AdminSecret,
		Refused: func(ctx context.Context, client auth.Client) error { return admin.NoteRefused(ctx, door, client) },
	}
}

// service opens the desk for those who look after the service.
func (h *House) service(c *config.Config, o Options, admin *flow.Admin) (*flow.Service, error) {
	pool, err := Scripts(c, o.ScriptProgram) // no process starts before a script is tried
	if err != nil {
		return nil, err
	}
	h.attendant = NewAttendant(c, Options{Now: o.Now, ScriptProgram: o.ScriptProgram})
	h.attendant.receivers.scripts = pool
	f := &flow.Service{
		Admin: admin, Mailer: h.Carriers.Mailer, ClaimSettings: c.Claims, ClaimSource: Source(c, h.Store, h.metadata.engine, o.Now),
		Try: (&trials{attendant: h.attendant, hooks: Hooks(c), stored: stored{store: h.Store, keys: admin.Keys}}).prepare,
	}
	for _, v := range o.Settings {
		f.Configuration = append(f.Configuration, flow.ConfigValue{
			Section: v.Room, Name: v.Name, Value: shown(v), Default: v.Default, Doc: v.Doc, Source: v.Origin, Secret: v.Secret,
		})
	}
	for _, e := range c.Events.Parse() {
		r := flow.EventReceiver{Name: e.Name, Types: e.Filters}
		if u, err := url.Parse(e.URL); err == nil {
			r.URL = open(u)
		}
		f.Receivers = append(f.Receivers, r)
	}
	for _, k := range Hooks(c) {
		f.HooksKnown = append(f.HooksKnown, hookInEffect(k))
	}
	f.Checks = h.checks(c)
	return f, nil
}

// shown is the value of a setting as operators may read it: of a secret only that there is one, and of an
// address what is no secret in any. Settings that are no secrets may have an address with a token in it.
func shown(v config.Value) string {
	if v.Secret {
		if v.Text == "" {
			return ""
		}
		return "••••"
	}
	return addresses.ReplaceAllStringFunc(v.Text, func(address string) string {
		u, err := url.Parse(address)
		if err != nil {
			return "••••"
		}
		bare := u.Scheme + "://" + u.Host + u.EscapedPath()
		if u.User != nil {
			bare = u.Scheme + "://••••@" + u.Host + u.EscapedPath()
		}
		if u.RawQuery != "" || u.Fragment != "" {
			bare += "?••••"
		}
		return bare
	})
}

// addresses finds addresses in a text.
var addresses = regexp.MustCompile(`[A-Za-z][A-Za-z0-9+.-]*://[^\s,"'<>]+`)

func hookInEffect(k Hook) flow.HookInEffect {
	h := flow.HookInEffect{
		Name: k.Name, Dialect: k.Dialect, Doc: k.Doc, Enabled: k.Enabled, Setting: k.Origin, Transport: string(k.Transport), Address: k.Where, Signed: k.Signed,
	}
	for _, b := range k.Moments {
		m := flow.HookMoment{Moment: b.Moment, Kind: kindOf(b), Policy: "refuse", Within: k.Timeout}
		if b.CarryOn {
			m.Policy = "carry-on"
		}
		h.Moments = append(h.Moments, m)
	}
	return h
}

func kindOf(b hooks.Bound) string {
	switch {
	case b.Joins:
		return "in-transaction"
	case b.Kind == hooks.Mutator:
		return "mutator"
	case b.Kind == hooks.Vetoer:
		return "vetoer"
	}
	return "observer"
}

package flow

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

// The scopes of the management API.
const (
	ReadHooks   = "read:hooks"
	CreateHooks = "create:hooks"
	UpdateHooks = "update:hooks"
	DeleteHooks = "delete:hooks"
)

func managementScopes() []string { return []string{ReadHooks, CreateHooks, UpdateHooks, DeleteHooks} }

// ManagementSettings turn the management API on and name the first machine that may use it.
type ManagementSettings struct {
	ClientID     string        `env:"AUTH_MANAGEMENT_CLIENT_ID" doc:"Client id of the machine that may use the management API (/oauth/token, /api/v2). The API is off without it."`
	ClientSecret string        `env:"AUTH_MANAGEMENT_CLIENT_SECRET" secret:"true" doc:"Its secret, 32 characters or more; make one with: openssl rand -hex 32. Another value takes the place of the former, whose tokens end."`
	Audiences    []string      `env:"AUTH_MANAGEMENT_AUDIENCE" doc:"Audiences that tokens for the management API may be asked for; empty means https://, the host of AUTH_SERVER_URL and /api/v2/."`
	TokenLife    time.Duration `env:"AUTH_MANAGEMENT_TOKEN_EXPIRES_IN" default:"1h" min:"1m" max:"24h" doc:"How long a token for the management API lives."`
}

// On tells whether there is a management API at all.
func (s ManagementSettings) On() bool { return s.ClientID != "" && s.ClientSecret != "" }

// clientIDShape is what a client id may be made of: it stands in headers, forms and logs.
var clientIDShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._~-]{0,99}$`)

// Check reports what is wrong beyond a single value.
func (s ManagementSettings) Check(report func(env, problem string)) {
	switch {
	case s.ClientID == "" && s.ClientSecret == "":
		return
	case s.ClientID == "":
		report("AUTH_MANAGEMENT_CLIENT_ID", "is needed with AUTH_MANAGEMENT_CLIENT_SECRET")
	case s.ClientSecret == "":
		report("AUTH_MANAGEMENT_CLIENT_SECRET", "is needed with AUTH_MANAGEMENT_CLIENT_ID; make one with: openssl rand -hex 32")
	case !clientIDShape.MatchString(s.ClientID):
		report("AUTH_MANAGEMENT_CLIENT_ID", "must be 1 to 100 letters, digits, dots, dashes, tildes or underscores, the first a letter or a digit")
	case weakSecret(s.ClientSecret):
		report("AUTH_MANAGEMENT_CLIENT_SECRET", "must be 32 random characters or more, at most 512 and no blanks; make one with: openssl rand -hex 32")
	}
	for _, a := range s.Audiences {
		if u, err := url.Parse(a); err != nil || u.Scheme == "" || len(a) > 500 {
			report("AUTH_MANAGEMENT_AUDIENCE", "must be a list of addresses such as https://auth.example.com/api/v2/")
		}
	}
}

// weakSecret tells whether a secret is none that a generator of random text makes.
func weakSecret(s string) bool {
	if len(s) < 32 || len(s) > 512 || strings.ContainsAny(s, " \t\r\n") {
		return true
	}
	different := map[rune]bool{}
	for _, r := range s {
		different[r] = true
	}
	for period := 1; period <= len(s)/2; period++ {
		if strings.HasPrefix(s, s[period:]) {
			return true // a beginning, over and over
		}
	}
	return len(different) < 9
}

// Machines is the desk for programs that come for themselves.
type Machines struct {
	Kit
	Settings  ManagementSettings
	audiences []string // of our own API
}

// NewMachines opens the desk.
func NewMachines(k Kit, s ManagementSettings) *Machines {
	f := &Machines{Kit: k, Settings: s, audiences: slices.Clone(s.Audiences)}
	if u, err := url.Parse(k.Policy.ServerURL); err == nil && len(f.audiences) == 0 {
		f.audiences = []string{"https://" + u.Host + "/api/v2/"} // clients know no other scheme
	}
	return f
}

// Ensure makes the client of the settings what they say it is, at the start of every server.
func (f *Machines) Ensure(ctx context.Context) error {
	c := store.MachineClient{
		ID: f.Settings.ClientID, Name: "Client of AUTH_MANAGEMENT_CLIENT_ID",
		SecretHash: f.Keys.HashClientSecret(f.Settings.ClientID, f.Settings.ClientSecret),
		Audiences:  f.audiences, Scopes: managementScopes(),
	}
	n := store.Note{Event: "machine-client.set", Facts: map[string]any{"client": c.ID}, At: f.Now()}
	return f.Store.InTx(ctx, func(tx *store.DB) error { return tx.EnsureMachineClient(ctx, c, n) })
}

// ClientCredentials are what a machine shows to get a token.
type ClientCredentials struct {
	ClientID string
	Secret   string
	Audience string   // whom the token is to be for
	Scopes   []string // empty for all that the client has
	Client   auth.Client
}

// MachineGrant is a token for a machine.
type MachineGrant struct {
	Token  string
	Life   time.Duration
	Scopes []string
}

// Grant gives a machine a token (the client credentials grant of RFC 6749).
func (f *Machines) Grant(ctx context.Context, in ClientCredentials) (MachineGrant, error) {
	now := f.Now()
	client, err := f.authenticate(ctx, in)
	if err != nil {
		return MachineGrant{}, err
	}
	if !slices.Contains(client.Audiences, in.Audience) {
		return MachineGrant{}, fmt.Errorf("%w: client %s", auth.AudienceNotAllowed, client.ID)
	}
	scopes := client.Scopes
	if len(in.Scopes) > 0 {
		scopes = in.Scopes
	}
	for _, s := range scopes {
		if !slices.Contains(client.Scopes, s) {
			return MachineGrant{}, fmt.Errorf("%w: client %s asks for a scope that it does not have", auth.ScopeMissing, client.ID)
		}
	}
	m := tokens.Machine{ClientID: client.ID, Secret: tokens.SecretMark(client.SecretHash), Audience: in.Audience, Scopes: scopes, Life: f.Settings.TokenLife}
	if m, err = f.askClient(ctx, client, m, in.Client); err != nil {
		return MachineGrant{}, err
	}
	token, err := f.Signer.SignMachine(m, now)
	if err != nil {
		return MachineGrant{}, fmt.Errorf("%w: %w", auth.HookFailed, err) // nothing else is in it that could be wrong
	}
	facts := map[string]any{"client": client.ID, "audience": m.Audience, "scope": strings.Join(m.Scopes, " ")}
	if err := f.Store.AddNote(ctx, store.Note{Event: "machine-client.granted", Client: in.Client, Facts: facts, At: now}); err != nil {
		return MachineGrant{}, err
	}
	return MachineGrant{Token: token, Life: m.Life, Scopes: m.Scopes}, nil
}

// authenticate finds the client and compares its secret. One that does not exist costs the same.
func (f *Machines) authenticate(ctx context.Context, in ClientCredentials) (store.MachineClient, error) {
	id := in.ClientID
	if !clientIDShape.MatchString(id) {
		id = "" // nobody's
	}
	client, err := f.Store.MachineClient(ctx, id)
	unknown := errors.Is(err, store.ErrNotFound)
	if err != nil && !unknown {
		return client, err
	}
	if unknown {
		client.SecretHash = make([]byte, 32)
	}
	if right := f.Keys.IsClientSecret(client.SecretHash, in.ClientID, in.Secret); !right || unknown {
		return client, refusedMachine{client.ID}
	}
	return client, nil
}

// refusedMachine refuses whoever did not show the secret of a machine client. Its text names none.
type refusedMachine struct{ id string } // empty where there is no such client

func (refusedMachine) Error() string {
	return auth.InvalidClient.Error() + ": unknown client or wrong secret"
}
func (refusedMachine) Unwrap() error { return auth.InvalidClient }

// NoteRefused leaves an entry in the audit log of a grant that was refused for its secret. It costs the same whether there is
// such a client or not, and names it where there is.
func (f *Machines) NoteRefused(ctx context.Context, refused error, c auth.Client) error {
	facts := map[string]any{}
	if m := (refusedMachine{}); errors.As(refused, &m) && m.id != "" {
		facts["client"] = m.id
	}
	return f.noteStranger(ctx, store.Note{Event: "machine-client.refused", Client: c, Facts: facts})
}

// scopeShape is a scope of RFC 6749.
var scopeShape = regexp.MustCompile(`^[!#-\[\]-~]{1,200}$`)

// askClient has hooks asked what the token of a machine grants and says. Of the scopes of our own API
// they can give none that the client does not have.
func (f *Machines) askClient(ctx context.Context, client store.MachineClient, m tokens.Machine, c auth.Client) (tokens.Machine, error) {
	if f.Hooks == nil || !f.Hooks.ClientTokenMinting.Bound() {
		return m, nil
	}
	e := hooks.ClientTokenMinting{
		Event: event(c, f.Now()), ClientID: client.ID, ClientName: client.Name, Metadata: client.Metadata, Audience: m.Audience, Scope: slices.Clone(m.Scopes),
	}
	if err := f.Hooks.ClientTokenMinting.Ask(ctx, &e); err != nil {
		return m, err
	}
	ours := slices.Contains(f.audiences, m.Audience)
	m.Scopes, m.Extra = nil, e.Claims
	for _, s := range e.Scope {
		switch {
		case !scopeShape.MatchString(s):
			return m, fmt.Errorf("%w: a hook grants what is no scope", auth.HookFailed)
		case ours && !slices.Contains(client.Scopes, s):
		default:
			m.Scopes = with(m.Scopes, s)
		}
	}
	return m, nil
}

// Machine is a machine that has shown a token.
type Machine struct {
	ClientID string
	Scopes   []string
}

// Bearer reads the token of a machine, whose client must still have the secret that it was got with. What
// the client may no longer do, its tokens no longer allow.
func (f *Machines) Bearer(ctx context.Context, token string) (Machine, error) {
	said, err := f.Signer.VerifyMachine(token, f.audiences, f.Now())
	if err != nil {
		return Machine{}, err
	}
	client, err := f.Store.MachineClient(ctx, said.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return Machine{}, fmt.Errorf("%w: client %s is gone", auth.Unauthorized, said.ClientID)
	case err != nil:
		return Machine{}, err
	case tokens.SecretMark(client.SecretHash) != said.Secret:
		return Machine{}, fmt.Errorf("%w: client %s has another secret by now", auth.Unauthorized, said.ClientID)
	case !slices.Contains(client.Audiences, said.Audience):
		return Machine{}, fmt.Errorf("%w: client %s may not speak to us any more", auth.Unauthorized, said.ClientID)
	}
	m := Machine{ClientID: client.ID}
	for _, s := range said.Scopes {
		if slices.Contains(client.Scopes, s) {
			m.Scopes = append(m.Scopes, s)
		}
	}
	return m, nil
}

// MissingScope refuses what a token does not allow. It unwraps to auth.ScopeMissing.
type MissingScope struct {
	AnyOf []string // what would do
}

// Error names what would do.
func (e MissingScope) Error() string {
	return string(auth.ScopeMissing) + ": any of " + strings.Join(e.AnyOf, ", ")
}

// Unwrap gives auth.ScopeMissing.
func (MissingScope) Unwrap() error { return auth.ScopeMissing }

// May refuses unless the machine has one of the scopes.
func (m Machine) May(anyOf ...string) error {
	for _, s := range anyOf {
		if slices.Contains(m.Scopes, s) {
			return nil
		}
	}
	return MissingScope{AnyOf: anyOf}
}

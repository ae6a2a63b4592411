package flow

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// EngineSettings are what operators may say about the answers that Hasura's GraphQL engine gets.
type EngineSettings struct {
	Webhook             bool          `env:"AUTH_HASURA_WEBHOOK_ENABLED" default:"false" doc:"Answer Hasura at /hasura/webhook, for its webhook mode: HASURA_GRAPHQL_AUTH_HOOK."`
	Memory              time.Duration `env:"AUTH_HASURA_WEBHOOK_MEMORY" default:"5s" min:"0s" max:"5s" doc:"How long Hasura may get the same answer again without the database being asked. A change that the database tells of ends it at once; 0 asks for every request."`
	ConnectionLife      time.Duration `env:"AUTH_HASURA_WEBHOOK_CONNECTION_LIFE" default:"0s" min:"0s" doc:"How long Hasura may keep a websocket before it asks again whose it is; 0 means as long as the token lives, and of a personal access token AUTH_ACCESS_TOKEN_EXPIRES_IN. Hasura Cloud and Enterprise Edition also take answers to requests from a cache for as long: there, make it as short as a change may take, such as 5s."`
	UnauthenticatedRole string        `env:"AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE" doc:"Role of requests without a token, in the place of HASURA_GRAPHQL_UNAUTHORIZED_ROLE, which Hasura does not take in webhook mode; empty refuses them."`
}

// Check reports what the settings contradict.
func (s EngineSettings) Check(report func(env, problem string)) {
	if s.UnauthenticatedRole == "admin" {
		report("AUTH_HASURA_WEBHOOK_UNAUTHENTICATED_ROLE", "must not be admin: Hasura would let everybody do everything")
	}
}

// Engine is the desk where Hasura's GraphQL engine asks whose a request is. It remembers what it found
// for a few seconds; Changed and ChangedAll make it forget.
type Engine struct {
	Kit
	Settings EngineSettings
	Issuers  []string // whose tokens of clients speak to the engine
	memory   memory
	lookups  chan struct{} // places for looking up personal access tokens, which strangers may make up
}

// mostLookups is how many unknown personal access tokens are looked up at once: who makes them up
// keeps no more of the database busy.
const mostLookups = 4

// NewEngine opens the desk.
func NewEngine(k Kit, s EngineSettings) *Engine {
	return &Engine{Kit: k, Settings: s, lookups: make(chan struct{}, mostLookups)}
}

// Request is what the engine knows of a request.
type Request struct {
	Credential string // access token or personal access token; empty when the client sent none
	Role       string // that the client wants to take; empty for the default
}

// Identity is whose a request is, in the words of the engine.
type Identity struct {
	Variables []Variable    // by name, in alphabetical order
	Fresh     time.Time     // until when the same answer may be given to the same question
	Ends      time.Time     // when the credential ends; zero for never
	Lasts     time.Duration // how long a connection may go on with it; 0 for as long as the credential
}

// Variable is a session variable.
type Variable struct{ Name, Value string }

// ConnectionEnds is when a connection must be asked for again that is let in now; zero for never.
func (i *Identity) ConnectionEnds(now time.Time) time.Time {
	if i.Lasts > 0 {
		if end := now.Add(i.Lasts); i.Ends.IsZero() || end.Before(i.Ends) {
			return end
		}
	}
	return i.Ends
}

// Identify says whose a request is: what the token says, if the token, its session and its user are
// good now, and the user has the role now. It takes one round trip to the database, or none from memory.
func (f *Engine) Identify(ctx context.Context, in Request) (*Identity, error) {
	now := f.Now()
	switch {
	case !f.Settings.Webhook:
		return nil, fmt.Errorf("%w: AUTH_HASURA_WEBHOOK_ENABLED is not set", auth.EndpointDisabled)
	case in.Credential == "":
		return f.nobody(in.Role)
	}
	// The whole of what the answer depends on, each in a field of its own: no two questions share a key.
	k := question{credential: sha256.Sum256([]byte(in.Credential)), role: in.Role, issuer: f.Signer.Issuer()}
	return f.memory.recall(ctx, k, now, f.Settings.Memory, func(ctx context.Context, v *visit) (*Identity, error) {
		if strings.Contains(in.Credential, ".") {
			return f.bearer(ctx, in, v, now)
		}
		return f.holder(ctx, in, v, now)
	})
}

// nobody is who sends no token.
func (f *Engine) nobody(role string) (*Identity, error) {
	own := f.Settings.UnauthenticatedRole
	if own == "" || role != "" && role != own {
		return nil, fmt.Errorf("%w: no token", auth.Unauthorized)
	}
	return &Identity{Variables: []Variable{{variableRole, own}}, Lasts: f.Settings.ConnectionLife}, nil
}

// bearer is who an access token speaks of.
func (f *Engine) bearer(ctx context.Context, in Request, v *visit, now time.Time) (*Identity, error) {
	claims, custom, err := f.Signer.VerifyCustom(in.Credential, now)
	if err != nil {
		if i, ok, clientErr := f.client(ctx, in, v, now); ok {
			return i, clientErr
		}
		return nil, err
	}
	v.of(claims.UserID)
	user, err := f.viewer(ctx, claims.Actor())
	if err != nil {
		return nil, err
	}
	role, err := roleOf(user, in.Role)
	if err != nil {
		return nil, err
	}
	i := f.identity(user, role, custom, claims.Elevated, claims.ExpiresAt)
	if claims.Impersonator != "" {
		v.unkept = true // it ends with the operator, of whom nobody would tell the memory
		i.Variables = append(i.Variables, Variable{variableImpersonator, claims.Impersonator})
		i.sort()
	}
	return i, nil
}

// client is who the access token of a client of the OAuth server speaks of. ok is false where it is no such token. It counts
// where the user let the client speak to the engine.
func (f *Engine) client(ctx context.Context, in Request, v *visit, now time.Time) (i *Identity, ok bool, err error) {
	said, err := f.Signer.VerifyClient(in.Credential, f.Issuers, now)
	if err != nil {
		return nil, false, nil //nolint:nilerr // it is something else, whose own error tells what
	}
	v.of(said.UserID)
	h, err := f.clientHolder(ctx, in.Credential, f.Issuers)
	if err == nil && (h.Custom == nil || !slices.Contains(h.Scopes, auth.ScopeGraphQL)) {
		err = fmt.Errorf("%w: the user did not let the client speak to the engine", auth.Unauthorized)
	}
	if err != nil {
		return nil, true, err
	}
	role, err := roleOf(h.User, in.Role)
	if err != nil {
		return nil, true, err
	}
	return f.identity(h.User, role, h.Custom, false, h.ExpiresAt), true, nil
}

// holder is the user of a personal access token.
func (f *Engine) holder(ctx context.Context, in Request, v *visit, now time.Time) (*Identity, error) {
	if !tokens.IsUUID(in.Credential) {
		return nil, fmt.Errorf("%w: neither an access token nor a personal one", auth.Unauthorized)
	}
	found, err := f.lookUp(ctx, in.Credential, now)
	if err != nil {
		return nil, err
	}
	v.of(found.User.ID)
	if err := f.Policy.gateMember(found.User, f.Now()); err != nil {
		return nil, err
	}
	role, err := roleOf(found.User, in.Role)
	if err != nil {
		return nil, err
	}
	var custom map[string]string
	if !f.Claims.None() { // its token says none
		if custom, err = f.Claims.Of(ctx, found.User.ID, nil); err != nil {
			return nil, err
		}
	}
	return f.identity(found.User, role, custom, false, found.TokenExpiresAt), nil
}

func (f *Engine) lookUp(ctx context.Context, token string, now time.Time) (store.FoundPAT, error) {
	select {
	case f.lookups <- struct{}{}:
		defer func() { <-f.lookups }()
	case <-ctx.Done():
		return store.FoundPAT{}, ctx.Err()
	}
	found, err := f.Store.FindPAT(ctx, tokens.HashRefresh(token), now)
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("%w: unknown, expired or revoked", auth.InvalidPAT)
	}
	return found, err
}

// The session variables that are ours.
const (
	variableUserID       = "x-hasura-user-id"
	variableRole         = "x-hasura-role"
	variableAnonymous    = "x-hasura-user-is-anonymous"
	variableElevated     = "x-hasura-auth-elevated"
	variableImpersonator = "x-hasura-impersonator"
	oldAnonymous         = "x-hasura-user-isanonymous" // as Hasura Auth spelt it before 0.6
)

// noVariable tells names that mean something else to the engine than a variable of a user, so that no
// custom claim of that name is passed on. Default and allowed roles are for tokens; here the role is
// decided, and Hasura does not make variables of them in JWT mode either.
func noVariable(name string) bool {
	switch name {
	case variableUserID, variableRole, variableAnonymous, variableElevated, variableImpersonator,
		"x-hasura-default-role", "x-hasura-allowed-roles", "x-hasura-admin-secret", "x-hasura-access-key", "x-hasura-use-backend-only-permissions":
		return true
	}
	return false
}

// roleOf is the role that a user takes who asks for one, or for none.
func roleOf(u auth.User, asked string) (string, error) {
	if asked == "" {
		return u.DefaultRole, nil
	}
	if !slices.Contains(u.AllowedRoles(), asked) {
		return "", fmt.Errorf("%w: user %s does not have the role %.64q", auth.RoleNotAllowed, u.ID, asked)
	}
	return asked, nil
}

// identity puts the variables together.
func (f *Engine) identity(u auth.User, role string, custom map[string]string, elevated bool, ends time.Time) *Identity {
	i := &Identity{Ends: ends, Lasts: f.Settings.ConnectionLife, Variables: make([]Variable, 0, len(custom)+4)}
	if i.Lasts == 0 {
		i.Lasts = f.AccessTokenLife
	}
	for name, value := range custom {
		if !noVariable(name) && (name != oldAnonymous || !f.Signer.OldSpelling()) {
			i.Variables = append(i.Variables, Variable{name, value})
		}
	}
	anonymous := "false"
	if u.IsAnonymous {
		anonymous = "true"
	}
	i.Variables = append(i.Variables, Variable{variableUserID, u.ID}, Variable{variableRole, role}, Variable{variableAnonymous, anonymous})
	if f.Signer.OldSpelling() {
		i.Variables = append(i.Variables, Variable{oldAnonymous, anonymous})
	}
	if elevated {
		i.Variables = append(i.Variables, Variable{variableElevated, u.ID})
	}
	i.sort()
	return i
}

func (i *Identity) sort() {
	slices.SortFunc(i.Variables, func(a, b Variable) int { return strings.Compare(a.Name, b.Name) })
}

// Changed forgets what was found out about a user.
func (f *Engine) Changed(userID string) { f.memory.forget(userID) }

// ChangedAll forgets everything.
func (f *Engine) ChangedAll() { f.memory.forgetAll() }

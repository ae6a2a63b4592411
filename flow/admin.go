package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/auth"
	"postern/store"
	"postern/userobject"
)

// AdminSettings say which users are operators.
type AdminSettings struct {
	Enabled    bool     `env:"AUTH_GRAPHQL_ENABLED" default:"true" doc:"Serve the GraphQL API for operators at /graphql. It is closed to everybody without the admin secret (HASURA_GRAPHQL_ADMIN_SECRET) or one of the two roles below."`
	Role       string   `env:"AUTH_ADMIN_ROLE" doc:"Role whose holders may use the APIs for operators, the GraphQL one and that of GoTrue, with their access tokens. Empty means that the admin secret alone opens them, and the second service keys, too."`
	ReaderRole string   `env:"AUTH_ADMIN_READER_ROLE" doc:"Role whose holders may read through the APIs for operators, and change nothing."`
	MustChange bool     `env:"AUTH_ADMIN_PASSWORD_MUST_CHANGE" default:"true" gotrue:"false" doc:"A password that an operator gives a new user lets nobody in: whoever signs in with it is refused and mailed a link to choose another one."`
	Passwords  bool     `env:"AUTH_ADMIN_PASSWORDS" default:"false" gotrue:"true" doc:"Let whoever has a service key or the admin secret give existing users another password. All sessions of the user end, and the user is told by mail. Only the API of GoTrue has this."`
	KeyRoles   []string `env:"AUTH_JWT_ADMIN_ROLES" default:"service_role,supabase_admin" doc:"Roles in the claim role of keys that belong to no user which make their holders operators at the API of GoTrue, with all rights. Tokens of users never count, whatever role they name."`

	Links             bool          `env:"AUTH_ADMIN_LINKS" default:"false" gotrue:"true" doc:"Let operators generate links that sign a user in, to hand them over where mails do not arrive. Whoever holds such a link gets in as the user (a second factor is asked for all the same), so it is off unless the service needs it."`
	ImpersonationLife time.Duration `env:"AUTH_ADMIN_IMPERSONATION_LIFE" default:"10m" min:"0s" max:"1h" doc:"Longest life of an access token by which an operator sees what a user sees; 0 turns impersonation off. Such a token says so in its claim act, is never refreshed and changes nothing of the account."`
}

// Check reports what the settings contradict.
func (s AdminSettings) Check(report func(env, problem string)) {
	if s.Role != "" && s.Role == s.ReaderRole {
		report("AUTH_ADMIN_READER_ROLE", "must be another role than AUTH_ADMIN_ROLE: leave it out, or name a role for those who only read")
	}
	for _, role := range s.KeyRoles {
		if role == "anon" || role == userobject.Authenticated {
			report("AUTH_JWT_ADMIN_ROLES", "must not have "+role+" among them, which everybody's keys name")
		}
	}
	for name, role := range map[string]string{"AUTH_ADMIN_ROLE": s.Role, "AUTH_ADMIN_READER_ROLE": s.ReaderRole} {
		if role == GuestRole || role == "me" || role == "user" {
			report(name, "must not be "+role+", which is a role of ordinary users")
		}
	}
}

// Roles lists the roles of operators, so that they can be given to users.
func (s AdminSettings) Roles() []string {
	return slices.DeleteFunc([]string{s.Role, s.ReaderRole}, func(role string) bool { return role == "" })
}

// OfEverybody says which role of operators every new user gets; such a setting makes an operator of whoever
// signs up.
func (s AdminSettings) OfEverybody(p *Policy) error {
	for name, role := range map[string]string{"AUTH_ADMIN_ROLE": s.Role, "AUTH_ADMIN_READER_ROLE": s.ReaderRole} {
		switch {
		case role == "":
		case role == p.DefaultRole:
			return fmt.Errorf("%s is %s, and so is AUTH_USER_DEFAULT_ROLE: everybody who signs up would be an operator; give operators a role of their own", name, role)
		case slices.Contains(p.AllowedRoles, role):
			return fmt.Errorf("%s is %s, which is among AUTH_USER_DEFAULT_ALLOWED_ROLES: everybody who signs up would be an operator; give operators a role of their own", name, role)
		}
	}
	return nil
}

// Admin is the desk for operators. Every method takes who asks, and refuses itself whoever may not: no
// door can forget to.
type Admin struct {
	Kit
	Settings AdminSettings
	RolesOf  map[string][]string // the roles that settings of other rooms name, by the settings' names
}

// Operator is who asks at the desk for operators.
type Operator struct {
	auth.Actor
	Client auth.Client
}

// byOperator is in what capacity operators act, as the audit log has it.
const byOperator = "operator"

// mayRead refuses whoever may not see what operators see.
func (o Operator) mayRead() error { return o.may(auth.ReadRights) }

// mayChange refuses whoever may not change what operators change.
func (o Operator) mayChange() error { return o.may(auth.ChangeRights) }

func (o Operator) may(r auth.Rights) error {
	switch {
	case o.Rights >= r:
		return nil
	case o.Rights == auth.NoRights:
		return fmt.Errorf("%w: not an operator", auth.Unauthorized)
	}
	return fmt.Errorf("%w: this operator only reads", auth.Forbidden)
}

// OperatorClaim is what somebody shows who wants to act as an operator.
type OperatorClaim struct {
	Secret bool // the admin secret, and it is right
	// Role, UserID and Elevated are what Hasura's engine says of whom it asks for. They count only beside the
	// secret, and only to lower what it allows.
	Role, UserID string
	Elevated     bool
	// Bearer is who an access token speaks of, and Roles what roles it allows; nil without a token.
	Bearer *auth.Actor
	Roles  []string
	// KeyRole is what a key says that we signed and that belongs to no user.
	KeyRole string
}

// Operator finds out what somebody may do: everything with the admin secret, or what their role allows. A
// token counts for as long as its session lives and its user still has the role.
func (f *Admin) Operator(ctx context.Context, c OperatorClaim) (auth.Actor, error) {
	if c.Secret {
		return f.asEngineSays(ctx, c)
	}
	if c.Bearer != nil && c.Bearer.Impersonator != "" {
		return auth.Actor{}, fmt.Errorf("%w: whoever acts as a user is no operator", auth.Forbidden)
	}
	if c.Bearer == nil && c.KeyRole != "" {
		return f.withKey(c.KeyRole)
	}
	if c.Bearer == nil {
		return auth.Actor{}, fmt.Errorf("%w: neither the admin secret nor an access token", auth.Unauthorized)
	}
	rights := f.rightsOf(c.Roles)
	if rights == auth.NoRights {
		return auth.Actor{}, fmt.Errorf("%w: no role of user %s is an operator's", auth.Forbidden, c.Bearer.UserID)
	}
	user, err := f.actor(ctx, *c.Bearer)
	if err != nil {
		return auth.Actor{}, err
	}
	return f.withRights(ctx, *c.Bearer, user, rights)
}

// withKey is who comes with a key of a role.
func (f *Admin) withKey(role string) (auth.Actor, error) {
	if !slices.Contains(f.Settings.KeyRoles, role) {
		return auth.Actor{}, fmt.Errorf("%w: a key of a role that is no operator's", auth.Forbidden)
	}
	return auth.Actor{Rights: auth.AllRights}, nil
}

// withRights is a user with the rights that a role gives them, as far as they hold it now.
func (f *Admin) withRights(ctx context.Context, a auth.Actor, user auth.User, rights auth.Rights) (auth.Actor, error) {
	if err := f.Policy.gateMember(user, f.Now()); err != nil {
		return auth.Actor{}, err
	}
	if a.Rights = min(rights, f.rightsOf(user.AllowedRoles())); a.Rights == auth.NoRights {
		return auth.Actor{}, fmt.Errorf("%w: user %s has the role of operators no longer", auth.Forbidden, user.ID)
	}
	if err := f.elevated(ctx, a, user, f.Policy.Elevation); err != nil {
		a.Rights = auth.ReadRights // until they prove themselves again
	}
	return a, nil
}

// asEngineSays is who comes with the admin secret: an operator with all rights, unless Hasura's engine says
// for whom it asks. Then that user must be an operator now: the engine believes a token for as long as it
// lives, whatever became of its user.
func (f *Admin) asEngineSays(ctx context.Context, c OperatorClaim) (auth.Actor, error) {
	a := auth.Actor{UserID: c.UserID, Elevated: c.Elevated, Rights: auth.ChangeRights}
	if c.Role == "" || c.Role == engineAdmin {
		a.Rights = auth.AllRights
		return a, nil
	}
	rights := f.rightsOf([]string{c.Role})
	if rights == auth.NoRights || c.UserID == "" {
		return auth.Actor{}, fmt.Errorf("%w: the engine asks for role %q of user %q, who is no operator", auth.Forbidden, c.Role, c.UserID)
	}
	user, err := f.Store.UserRecord(ctx, c.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return auth.Actor{}, fmt.Errorf("%w: there is no user %s", auth.Forbidden, c.UserID)
	}
	if err != nil {
		return auth.Actor{}, err
	}
	return f.withRights(ctx, a, user.User, rights)
}

// rightsOf is what roles allow.
func (f *Admin) rightsOf(roles []string) auth.Rights {
	switch s := f.Settings; {
	case s.Role != "" && slices.Contains(roles, s.Role):
		return auth.ChangeRights
	case s.ReaderRole != "" && slices.Contains(roles, s.ReaderRole):
		return auth.ReadRights
	}
	return auth.NoRights
}

// mayGrant refuses operators who make somebody more than they are: who holds the role admin may do everything
// in Hasura's engine.
func (o Operator) mayGrant(roles []string) error {
	if o.Rights < auth.AllRights && slices.Contains(roles, engineAdmin) {
		return fmt.Errorf("%w: only who has the admin secret gives the role %s", auth.Forbidden, engineAdmin)
	}
	return nil
}

// mayReach refuses operators who change how somebody gets in who is more than they are, or delete them: a new
// address and a reset mailed to it would make them as much. Ending their sessions, locking them and taking the role
// away stays open to operators. One another they may do everything to: they are no more than themselves.
func (o Operator) mayReach(u auth.User) error {
	if o.Rights < auth.AllRights && slices.Contains(u.AllowedRoles(), engineAdmin) {
		return fmt.Errorf("%w: user %s has the role %s, so only who has the admin secret does this", auth.Forbidden, u.ID, engineAdmin)
	}
	return nil
}

// entry begins the journal entry about what an operator does to a user.
func (f *Admin) entry(by Operator, event, userID string, detail map[string]any) store.Entry {
	e := f.Kit.entry(event, userID, by.Client, f.Now())
	e.ActorID, e.By, e.Detail = by.UserID, byOperator, detail
	return e
}

// note begins the note about what an operator does that concerns no user.
func (f *Admin) note(by Operator, event string, facts map[string]any) store.Note {
	return store.Note{Event: event, ActorID: by.UserID, By: byOperator, Client: by.Client, Facts: facts, At: f.Now()}
}

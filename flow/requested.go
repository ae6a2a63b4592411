package flow

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// Said is a sign-up or sign-in in the words of the client's own. Hooks are told of it, and nobody else: it has
// passwords and codes in it.
type Said struct {
	Data  json.RawMessage // JSON; nil when the client said nothing in it
	Whole json.RawMessage // what Data is the member "data" of, with a dialect that wraps it; otherwise nil
}

// HearsRequests tells whether hooks are asked about sign-ups and sign-ins in the client's own words, which may
// then be more than we understand.
func (k *Kit) HearsRequests() bool {
	return k.Hooks != nil && (k.Hooks.SignUpRequested.Bound() || k.Hooks.SignInRequested.Bound())
}

// request is what hooks are told of a sign-up or sign-in.
type request struct {
	Said
	method   string
	provider string            // that is to vouch for them; empty when none is
	email    string            // where they do not say it themselves
	phone    string            // as it is kept; where it proves who they are
	claims   map[string]string // what the provider said, once it has
	client   auth.Client
}

func (k *Kit) requested(r request) hooks.Requested {
	return hooks.Requested{
		Event: event(r.client, k.Now()), Method: r.method, Provider: r.provider, Data: r.Data, Whole: r.Whole,
		Email: r.email, Phone: r.phone, Claims: r.claims,
	}
}

// signUpRequested has hooks asked about a sign-up, before anything of it is checked that depends on what is in it.
// It gives the roles that the user has beyond the defaults.
func (k *Kit) signUpRequested(ctx context.Context, r request) ([]string, error) {
	if k.Hooks == nil || !k.Hooks.SignUpRequested.Bound() {
		return nil, nil
	}
	e := k.requested(r)
	if err := k.Hooks.SignUpRequested.Ask(ctx, &e); err != nil {
		return nil, err
	}
	return e.Roles(), nil
}

// signInRequested has hooks asked about a sign-in, as signUpRequested does about a sign-up.
func (k *Kit) signInRequested(ctx context.Context, r request) error {
	if k.Hooks == nil || !k.Hooks.SignInRequested.Bound() {
		return nil
	}
	e := k.requested(r)
	return k.Hooks.SignInRequested.Ask(ctx, &e)
}

// eitherRequested has hooks asked about a request of which the account alone tells what it is.
func (k *Kit) eitherRequested(ctx context.Context, signsUp bool, r request) ([]string, error) {
	if signsUp {
		return k.signUpRequested(ctx, r)
	}
	return nil, k.signInRequested(ctx, r)
}

// granted are roles with those that hooks give beside. It is a list of its own: what one user is given, no
// other has.
func granted(roles, more []string) []string {
	return slices.Compact(slices.Sorted(slices.Values(slices.Concat(roles, more))))
}

// makeRoles makes the roles that a user is about to have and that are not among those of new users, which are
// there from the start.
func (k *Kit) makeRoles(ctx context.Context, tx *store.DB, roles []string) error {
	known := k.Policy.EnsuredRoles()
	more := slices.DeleteFunc(slices.Clone(roles), func(r string) bool { return slices.Contains(known, r) })
	if len(more) == 0 {
		return nil
	}
	for range makeTries {
		if err := tx.EnsureRoles(ctx, more); err != nil {
			return err
		}
		// One that was there may be deleted by an operator at this moment, unless it is held.
		if missing, err := tx.HoldRoles(ctx, more); err != nil || len(missing) == 0 {
			return err
		}
	}
	return auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}
}

// makeTries is how often roles are made that somebody deletes meanwhile.
const makeTries = 5

// grant gives a user who is there roles beside.
func (k *Kit) grantRoles(ctx context.Context, tx *store.DB, u auth.User, roles []string) error {
	if len(roles) == 0 {
		return nil
	}
	if err := k.makeRoles(ctx, tx, roles); err != nil {
		return err
	}
	return tx.AddRoles(ctx, u.ID, roles, k.Now())
}

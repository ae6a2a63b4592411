package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// User gives the user an access token speaks of.
func (f *Account) User(ctx context.Context, a auth.Actor) (auth.User, error) {
	return f.viewer(ctx, a)
}

// Whole gives the user an access token speaks of, with all that is known of them.
func (f *Account) Whole(ctx context.Context, a auth.Actor) (auth.User, auth.Details, error) {
	if a.Impersonator != "" {
		u, err := f.viewer(ctx, a)
		if err != nil {
			return u, auth.Details{}, err
		}
		d, err := f.Store.DetailsOf(ctx, u.ID)
		return u, d, err
	}
	u, d, err := f.Store.WholeOfActor(ctx, a, f.Policy.alive(f.Now()))
	if errors.Is(err, store.ErrNotFound) {
		return u, d, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return u, d, err
	}
	return u, d, f.Policy.gate(u, f.Now())
}

// viewer is an actor who only looks: an operator in their place may, too.
func (k *Kit) viewer(ctx context.Context, a auth.Actor) (auth.User, error) {
	if a.Impersonator == "" {
		return k.actor(ctx, a)
	}
	u, err := k.Store.UserOfImpersonation(ctx, a, k.Policy.alive(k.Now()))
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, fmt.Errorf("%w: the impersonation or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return auth.User{}, err
	}
	return u, k.Policy.gate(u, k.Now())
}

// actor loads the user behind a token and checks that the token's session and the account are
// still good: a token outlives neither. Operators in the place of the user are nobody here: whatever asks for an
// actor is the user's alone, and what they may see asks for a viewer.
func (k *Kit) actor(ctx context.Context, a auth.Actor) (auth.User, error) {
	if a.Impersonator != "" {
		return auth.User{}, fmt.Errorf("%w: user %s by %s", auth.Impersonated, a.UserID, a.Impersonator)
	}
	u, err := k.Store.UserOfActor(ctx, a, k.Policy.alive(k.Now()))
	if errors.Is(err, store.ErrNotFound) {
		return auth.User{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return auth.User{}, err
	}
	return u, k.Policy.gate(u, k.Now())
}

// member is an actor who is not a guest and has proved themselves lately where that is required.
func (k *Kit) member(ctx context.Context, a auth.Actor) (auth.User, error) {
	return k.memberElevated(ctx, a, k.Policy.Elevation)
}

// memberEnrolling is a member who adds a way to prove themselves. Whoever has none yet need not prove
// themselves first, or nobody could ever begin.
func (k *Kit) memberEnrolling(ctx context.Context, a auth.Actor) (auth.User, error) {
	rule := k.Policy.Elevation
	if rule == "required" {
		rule = "recommended"
	}
	return k.memberElevated(ctx, a, rule)
}

func (k *Kit) memberElevated(ctx context.Context, a auth.Actor, rule string) (auth.User, error) {
	u, err := k.proven(ctx, a)
	if err != nil {
		return auth.User{}, err
	}
	return k.elevatedMember(ctx, a, u, rule)
}

// proven is an actor whose session owes no second factor: whoever changes what an account is opened by is one.
func (k *Kit) proven(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.actor(ctx, a)
	if err == nil && a.FactorDue {
		err = fmt.Errorf("%w: the session of user %s has not proved it", auth.FactorRequired, u.ID)
	}
	return u, err
}

func (k *Kit) elevatedMember(ctx context.Context, a auth.Actor, u auth.User, rule string) (auth.User, error) {
	if err := k.Policy.gateMember(u, k.Now()); err != nil {
		return auth.User{}, err
	}
	return u, k.elevated(ctx, a, u, rule)
}

// elevated refuses an actor whose proof is too old for changing credentials.
func (k *Kit) elevated(ctx context.Context, a auth.Actor, u auth.User, rule string) error {
	if a.Elevated || rule == "disabled" || rule == "" {
		return nil
	}
	if rule == "recommended" {
		methods, err := k.elevationMethods(ctx, u)
		if err != nil || len(methods) == 0 {
			return err
		}
	}
	return fmt.Errorf("%w: user %s", auth.NotElevated, u.ID)
}

// memberOfBoth is a member who changes what signs in without a second factor being asked for: a
// passkey, a personal access token. Whoever has a second factor must have proved it in this session,
// or a session of one factor could make itself the other.
func (k *Kit) memberOfBoth(ctx context.Context, a auth.Actor, member func(context.Context, auth.Actor) (auth.User, error)) (auth.User, error) {
	u, err := member(ctx, a)
	if err != nil {
		return u, err
	}
	return u, k.ofBoth(ctx, a, u)
}

// ofBoth refuses an actor who has a second factor and had not proved one in the session when the token was made.
func (k *Kit) ofBoth(ctx context.Context, a auth.Actor, u auth.User) error {
	if !u.HasFactor() {
		return nil
	}
	s, err := k.Store.ProofsOf(ctx, a)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: the session is gone", auth.Unauthorized)
	}
	if err == nil && (a.FactorDue || !provesBoth(s, a.Issued)) { // seconds alone do not tell what was before
		err = fmt.Errorf("%w: the session of user %s had not proved the second factor when the token was made", auth.NotElevated, u.ID)
	}
	return err
}

// provesBoth tells whether a token of a session is one of both factors. One from before the session was raised is not, or
// whoever took it before would have the second factor, too. A factor that was turned on by its first code leaves the level and the
// token of its session as they are: that token is the one it was turned on with.
func provesBoth(s store.Proofs, issued time.Time) bool {
	typed := false
	for _, m := range s.AMR {
		if !auth.ProvesFactor(m.Method) {
			continue
		}
		if typed = true; s.AAL < 2 || !issued.Before(m.Timestamp.Truncate(time.Second)) {
			return true
		}
	}
	return !typed && s.AAL >= 2
}

// The ways to give a fresh proof.
const (
	ElevateByPasskey = "webauthn"
	ElevateByTOTP    = "totp"
	ElevateByEmail   = "email-otp"
	ElevateBySMS     = "sms-otp"
)

// elevationMethods lists the ways in which a user can give a fresh proof, the strongest first.
func (k *Kit) elevationMethods(ctx context.Context, u auth.User) ([]string, error) {
	methods := []string{}
	if k.Policy.Passkeys {
		owns, err := k.Store.OwnsSecurityKey(ctx, u.ID)
		if err != nil {
			return nil, err
		}
		if owns {
			methods = append(methods, ElevateByPasskey)
		}
	}
	if u.HasFactorOf(auth.TOTPFactor) {
		methods = append(methods, ElevateByTOTP)
	}
	if k.Policy.SignInByEmailCode && k.MailReady && u.Email != "" && u.EmailVerified {
		methods = append(methods, ElevateByEmail)
	}
	if k.Policy.SignInBySMS && k.textsReady(auth.ElevateBySMS) && u.PhoneNumber != "" && u.PhoneNumberVerified {
		methods = append(methods, ElevateBySMS)
	}
	return methods, nil
}

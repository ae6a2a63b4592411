package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// byImpersonation is how an impersonation came to be, in amr.
const byImpersonation = "impersonation"

// maxReason is how long the reason of an impersonation may be, in characters.
const maxReason = 500

// engineAdmin is the role to which Hasura's engine refuses nothing.
const engineAdmin = "admin"

// Impersonation is an operator who wants to see what a user sees.
type Impersonation struct {
	UserID  string
	Reason  string
	Minutes *int // nil means as long as the setting lets it
}

// Impersonated is the token of an impersonation. It is shown this once.
type Impersonated struct {
	ID          string // by which it can be ended
	AccessToken string
	ExpiresAt   time.Time
}

// Impersonate gives an access token of the user, with all their claims, that says who really holds it. It
// is never refreshed, and every flow that changes anything of the account refuses it. It ends with the user,
// with the operator and the session that they came with, when the operator has their role no longer, and when
// somebody ends it. Nobody acts in the place of an operator, or of who is admin to the engine: they
// would get rights that they do not have.
//
// Hooks of tokens have their say, as those claims decide what the user may see; hooks of sessions are not
// asked, for no session of the user opens.
func (f *Admin) Impersonate(ctx context.Context, by Operator, in Impersonation) (Impersonated, error) {
	if err := by.mayChange(); err != nil {
		return Impersonated{}, err
	}
	now := f.Now()
	life, err := f.impersonationLife(by, in, now)
	if err != nil {
		return Impersonated{}, err
	}
	reason := strings.TrimSpace(in.Reason)
	if n := utf8.RuneCountInString(reason); n == 0 || n > maxReason || strings.ContainsFunc(reason, unicode.IsControl) {
		return Impersonated{}, auth.Invalid{Field: "input.reason", Problem: fmt.Sprintf("must be a line of 1 to %d characters", maxReason)}
	}
	user, err := f.User(ctx, by, in.UserID)
	if err != nil {
		return Impersonated{}, err
	}
	if err := f.mayActAs(user.User, now); err != nil {
		return Impersonated{}, err
	}
	i := store.Impersonation{ID: tokens.NewUUID(), UserID: user.ID, Except: f.untouchable(), Reason: reason, CreatedAt: now, ExpiresAt: now.Add(life)}
	if err := f.actsAs(by, &i); err != nil {
		return Impersonated{}, err
	}
	token, err := f.impersonationToken(ctx, by, user.User, i)
	if err != nil {
		return Impersonated{}, err
	}
	e := f.entry(by, "user.impersonated", user.ID, map[string]any{"reason": reason, "expiresAt": i.ExpiresAt.UTC().Format(time.RFC3339)})
	e.SessionID = i.ID
	err = f.Store.InTx(ctx, func(tx *store.DB) error { return tx.AddImpersonation(ctx, i, f.Policy.alive(now), e) })
	if errors.Is(err, store.ErrChanged) {
		return Impersonated{}, fmt.Errorf("%w: user %s is gone, locked or an operator since a moment ago, or who asks is none any more", auth.Forbidden, user.ID)
	}
	if err != nil {
		return Impersonated{}, err
	}
	return Impersonated{ID: i.ID, AccessToken: token, ExpiresAt: i.ExpiresAt}, nil
}

// actsAs says of an impersonation who it is that acts, and what they must remain. Whoever has the admin secret need
// be nobody else; whom Hasura names beside it may have a name, but needs no role.
func (f *Admin) actsAs(by Operator, i *store.Impersonation) error {
	i.ActorID, i.ActorSessionID = by.UserID, by.SessionID
	if by.Rights >= auth.AllRights {
		return nil
	}
	if i.ActorRole = f.Settings.Role; i.ActorRole == "" || i.ActorID == "" {
		return fmt.Errorf("%w: nobody knows who acts", auth.Forbidden)
	}
	return nil
}

// impersonationLife is how long the token lives: what is asked for, within the setting, and never longer
// than the token of the operator.
func (f *Admin) impersonationLife(by Operator, in Impersonation, now time.Time) (time.Duration, error) {
	life := f.Settings.ImpersonationLife
	if life < time.Second {
		return 0, fmt.Errorf("%w: AUTH_ADMIN_IMPERSONATION_LIFE is 0", auth.EndpointDisabled)
	}
	if in.Minutes != nil {
		most := max(1, int(life/time.Minute))
		if *in.Minutes < 1 || *in.Minutes > most {
			return 0, auth.Invalid{Field: "input.minutes", Problem: fmt.Sprintf("must be a number from 1 to %d", most)}
		}
		life = min(life, time.Duration(*in.Minutes)*time.Minute)
	}
	if !by.Ends.IsZero() {
		life = min(life, by.Ends.Sub(now))
	}
	if life = life.Truncate(time.Second); life < time.Second {
		return 0, fmt.Errorf("%w: the operator's own token ends now", auth.Unauthorized)
	}
	return life, nil
}

// mayActAs refuses users in whose place nobody acts.
func (f *Admin) mayActAs(u auth.User, now time.Time) error {
	if err := f.Policy.gate(u, now); err != nil {
		return err
	}
	return f.mayTouch(u)
}

// mayTouch refuses users as whom nobody else gets in.
func (f *Admin) mayTouch(u auth.User) error {
	for _, role := range u.AllowedRoles() {
		for _, no := range f.untouchable() {
			if role == no {
				return fmt.Errorf("%w: user %s has the role %s", auth.Forbidden, u.ID, role)
			}
		}
	}
	return nil
}

// untouchable are the roles of users in whose place nobody acts, and as whom nobody gets in by a link that is
// not mailed to them.
func (f *Admin) untouchable() []string {
	roles := []string{engineAdmin}
	for _, r := range []string{f.Settings.Role, f.Settings.ReaderRole} {
		if r != "" {
			roles = append(roles, r)
		}
	}
	return roles
}

func (f *Admin) impersonationToken(ctx context.Context, by Operator, u auth.User, i store.Impersonation) (string, error) {
	say := speech{actor: by.UserID, life: i.ExpiresAt.Sub(i.CreatedAt), now: i.CreatedAt}
	if say.actor == "" {
		say.actor = byOperator
	}
	session := auth.Session{
		ID: i.ID, UserID: u.ID, CreatedAt: i.CreatedAt, ExpiresAt: i.ExpiresAt, AAL: 1,
		AMR: []auth.Method{{Method: byImpersonation, Timestamp: i.CreatedAt}},
	}
	var err error
	if f.Supabase {
		if say.details, err = f.detailsOf(ctx, u); err != nil {
			return "", err
		}
	}
	if !f.Claims.None() {
		if say.claims, err = f.Claims.Of(ctx, u.ID, nil); err != nil {
			return "", err
		}
	}
	if say, err = f.mint(ctx, minting{user: u, session: session, method: byImpersonation, client: by.Client}, say); err != nil {
		return "", err
	}
	token, err := f.Signer.Sign(f.access(u, session, say), say.now)
	if err != nil {
		return "", fmt.Errorf("flow: %w", err)
	}
	return token, nil
}

package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// linker is an actor who may link an identity: a member or, where that makes a user of them, a guest.
func (k *Kit) linker(ctx context.Context, a auth.Actor) (auth.User, error) {
	u, err := k.proven(ctx, a)
	switch {
	case err != nil:
		return u, err
	case !u.IsAnonymous || !k.Policy.GuestsLink:
		return k.elevatedMember(ctx, a, u, k.Policy.Elevation)
	case k.Policy.DisableSignUp:
		return u, auth.SignUpDisabled
	}
	return u, nil
}

// linkReturned ends the trip of somebody who links an identity. Whoever the cookie shows to be who set out has it linked; for who is
// bound by a code challenge, it waits for the application to show the verifier: the address to go to may have been pressed on somebody
// else, whose identity would otherwise be linked to the account of another.
func (f *SignIn) linkReturned(ctx context.Context, out ProviderReturned, state providerState, actor auth.Actor, who arrival) (ProviderReturned, error) {
	switch {
	case state.Cookie == nil:
		var err error
		out.Code, err = f.linkCode(ctx, actor, who)
		return out, err
	case state.Enters:
		var err error
		out.Admission, err = f.linkAndEnter(ctx, actor, who, nil)
		out.Tokens = who.secrets
		return out, err
	}
	return out, f.linkArrival(ctx, actor, who)
}

// linkCode writes the code for which the identity is linked.
func (k *Kit) linkCode(ctx context.Context, actor auth.Actor, a arrival) (code string, err error) {
	if err := a.clean(); err != nil {
		return "", err
	}
	user, err := k.linker(ctx, auth.Actor{UserID: actor.UserID, SessionID: actor.SessionID, Elevated: true}) // as who set out was
	if err != nil {
		return "", err
	}
	found, err := k.Store.Arrive(ctx, a.provider, a.profile.ID, "")
	switch {
	case err == nil:
		return "", fmt.Errorf("%w: of user %s", auth.IdentityTaken, found.User.ID)
	case !errors.Is(err, store.ErrNotFound):
		return "", err
	}
	a.profile.Raw = nil
	err = k.inTx(ctx, func(tx *store.DB) error {
		code, err = k.waitingCode(ctx, tx, a, user, auth.ProviderLink, waiting{a.secrets, actor.SessionID, a.provider, a.profile})
		return err
	})
	return code, err
}

// exchangeLink links the identity that waits for a code to be exchanged.
func (f *Links) exchangeLink(ctx context.Context, found store.Found, c auth.Client, now time.Time) (Exchanged, error) {
	var kept waiting
	if err := f.openPayload(waitingSeal, found.TicketPayload, &kept); err != nil {
		return Exchanged{}, err
	}
	who := arrival{provider: kept.Provider, profile: kept.Profile, secrets: kept.Tokens, challenge: found.TicketChallenge, client: c, now: now, method: "oauth"}
	admission, err := f.linkAndEnter(ctx, auth.Actor{UserID: found.User.ID, SessionID: kept.Session}, who, func(tx *store.DB) error {
		err := tx.TakeTicket(ctx, found, "")
		if errors.Is(err, store.ErrChanged) {
			err = fmt.Errorf("%w: %w", auth.InvalidExchange, err)
		}
		return err
	})
	out := Exchanged{Admission: admission}
	if admission.Grant != nil {
		out.Tokens = kept.Tokens
	}
	return out, err
}

// LinkIDTokenAndEnter links the identity of an ID token to the account, and opens a session besides.
func (f *Account) LinkIDTokenAndEnter(ctx context.Context, in IDTokenLink) (auth.Admission, error) {
	if _, err := f.linker(ctx, in.Actor); err != nil {
		return auth.Admission{}, err
	}
	profile, err := f.readIDToken(ctx, in.Provider, in.IDToken, in.Nonce, in.AccessToken)
	if err != nil {
		return auth.Admission{}, err
	}
	return f.linkAndEnter(ctx, in.Actor, arrival{provider: in.Provider, profile: profile, client: in.Client, now: f.Now(), method: "idtoken"}, nil)
}

// linkAndEnter links an identity and opens a session of the user besides the one that asked. A guest becomes a user by it. take uses up
// what the link was proved with; nil when that is done.
func (k *Kit) linkAndEnter(ctx context.Context, actor auth.Actor, a arrival, take func(*store.DB) error) (admission auth.Admission, err error) {
	if err := a.clean(); err != nil {
		return admission, err
	}
	was, err := k.actor(ctx, actor)
	if err != nil {
		return admission, err
	}
	user := was
	if was.IsAnonymous {
		if user, err = k.outOfGuestBy(ctx, &a, was); err != nil {
			return admission, err
		}
	}
	if err := k.Policy.gateMember(user, k.Now()); err != nil {
		return admission, err
	}
	identity, err := k.identity(a, tokens.NewUUID(), user.ID)
	if err != nil {
		return admission, err
	}
	identity.Session = actor.SessionID
	o, err := k.ask(ctx, a.opening(user), was)
	if err != nil {
		return admission, err
	}
	err = k.inTx(ctx, func(tx *store.DB) error {
		if take != nil {
			if err := take(tx); err != nil {
				return err
			}
		}
		if was.IsAnonymous {
			if err := k.becomeUser(ctx, tx, a, user, actor); err != nil {
				return err
			}
		}
		if err := k.addIdentity(ctx, tx, a, identity); err != nil {
			return err
		}
		if err := k.notify(ctx, tx, a.linked(user)); err != nil {
			return err
		}
		admission, err = k.enter(ctx, tx, o)
		return err
	})
	return admission, notLinked(err)
}

// outOfGuestBy decides as whom a guest goes on whom a provider vouches for: they keep what they said of themselves.
func (k *Kit) outOfGuestBy(ctx context.Context, a *arrival, guest auth.User) (auth.User, error) {
	if !k.Policy.GuestsLink {
		return guest, fmt.Errorf("%w: user %s", auth.UserAnonymous, guest.ID)
	}
	a.signUp = true // which is what it is
	a.options = Options{Metadata: guest.Metadata, Locale: guest.Locale}
	if err := k.arrivalRequested(ctx, a); err != nil {
		return guest, err
	}
	user, err := k.newArrival(*a)
	if err != nil {
		return guest, err
	}
	user.ID, user.CreatedAt, user.Metadata = guest.ID, guest.CreatedAt, guest.Metadata
	if user.Disabled {
		return guest, fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return user, nil
}

// becomeUser makes a guest a user, who keeps the session that asked for it and no other.
func (k *Kit) becomeUser(ctx context.Context, tx *store.DB, a arrival, user auth.User, actor auth.Actor) error {
	if err := k.makeRoles(ctx, tx, user.Roles); err != nil {
		return err
	}
	e := k.entry("user.deanonymized", user.ID, a.client, a.now)
	e.SessionID = actor.SessionID
	e.Detail = map[string]any{"method": a.method}
	if err := tx.Deanonymize(ctx, store.Deanonymization{NewUser: store.NewUser{User: user}, Asking: actor.SessionID, Keep: true, Entry: e}); err != nil {
		return changedMeanwhile(err)
	}
	if !user.EmailVerified || user.Email == "" {
		return nil
	}
	return tx.ConfirmEmail(ctx, user.ID, user.Email, k.entry("user.confirmed", user.ID, a.client, a.now))
}

// setOutLife is how long a page may take to go to the address that it was given.
const setOutLife = 2 * time.Minute

// setOut is what is known of somebody who will set out to link an identity.
type setOut struct {
	Session  string
	Elevated bool
	Start    ProviderStart
}

const setOutSeal = "provider set-out"

// SetOutLater readies a link for a browser that cannot take a cookie yet, since a page of another site asks for it: the ticket is for the
// browser to bring to SetOut.
func (f *Account) SetOutLater(ctx context.Context, actor auth.Actor, in ProviderStart) (ticket string, err error) {
	user, err := f.linker(ctx, actor)
	if err != nil {
		return "", err
	}
	if _, err := f.provider(in.Provider); err != nil {
		return "", err
	}
	if _, err := f.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return "", err
	}
	payload, err := f.sealPayload(setOutSeal, setOut{actor.SessionID, actor.Elevated, in})
	if err != nil {
		return "", err
	}
	now := f.Now()
	ticket = tokens.NewUUID()
	added, err := f.Store.AddTicket(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: auth.ProviderSetOut, SecretHash: tokens.HashSecret(ticket), UserID: user.ID, Payload: payload,
		CreatedAt: now, ExpiresAt: now.Add(setOutLife),
	}, maxLinks, now.Add(-StateLife))
	if err == nil && !added {
		err = auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: StateLife}
	}
	return ticket, err
}

// SetOut sends a browser to the provider, once.
func (f *Account) SetOut(ctx context.Context, ticket string, c auth.Client) (ProviderStarted, error) {
	found, err := f.Store.TakeFreeTicket(ctx, auth.ProviderSetOut, tokens.HashSecret(ticket), f.Now())
	if errors.Is(err, store.ErrNotFound) {
		return ProviderStarted{}, fmt.Errorf("%w: unknown, expired or used up", auth.InvalidState)
	}
	if err != nil {
		return ProviderStarted{}, err
	}
	var out setOut
	if err := f.openPayload(setOutSeal, found.Payload, &out); err != nil {
		return ProviderStarted{}, fmt.Errorf("%w: %w", auth.InvalidState, err)
	}
	out.Start.Browser, out.Start.Client = true, c
	return f.LinkProvider(ctx, auth.Actor{UserID: found.UserID, SessionID: out.Session, Elevated: out.Elevated}, out.Start)
}

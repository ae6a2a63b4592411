package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"postern/auth"
	"postern/providers"
	"postern/store"
	"postern/tokens"
)

// arrival is a person whom a provider vouches for.
type arrival struct {
	provider   string
	profile    providers.Profile
	secrets    *providers.Tokens // nil when there are none to keep
	options    Options
	redirectTo string // of the mail that confirms an address
	challenge  string
	signUp     bool // an account must be made: who has one is refused
	method     string
	said       Said
	agreed     bool // hooks were asked about the sign-up already
	client     auth.Client
	now        time.Time
}

// arrived is how an arrival ends; with nothing in it an address must be confirmed first.
type arrived struct {
	auth.Admission
	code string // to exchange for the session, with PKCE
}

// as is the attempt to sign in as a user.
func (a *arrival) as(u auth.User) attemptOf {
	return attemptOf{userID: u.ID, method: a.method, provider: a.provider, client: a.client}
}

// arriveTries is how often an arrival is looked at again that met another one of the same person.
const arriveTries = 5

// arrive finds out who somebody is here, and lets them in: as the user who has the identity; or as the
// one who has the address, if the provider says with a plain true that it is theirs; or as a new one.
func (k *Kit) arrive(ctx context.Context, a arrival) (arrived, error) {
	if err := a.clean(); err != nil {
		return arrived{}, err
	}
	for range arriveTries {
		out, err := k.arriveOnce(ctx, &a)
		var met again
		if !errors.As(err, &met) {
			return out, err
		}
	}
	return arrived{}, auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}
}

// again is an error that another look cures: what was decided by is no longer so.
type again struct{ error }

// Unwrap gives the error itself.
func (a again) Unwrap() error { return a.error }

func (k *Kit) arriveOnce(ctx context.Context, a *arrival) (arrived, error) {
	found, err := k.Store.Arrive(ctx, a.provider, a.profile.ID, a.profile.Email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if err := k.arrivalRequested(ctx, a); err != nil {
			return arrived{}, err
		}
		return k.arriveAnew(ctx, *a)
	case err != nil:
		return arrived{}, err
	case found.IdentityID != "":
		return k.arriveAsKnown(ctx, *a, found)
	}
	return k.arriveByEmail(ctx, *a, found.User)
}

// arrivalRequested has hooks asked about the sign-up that an arrival turns out to be, once.
func (k *Kit) arrivalRequested(ctx context.Context, a *arrival) (err error) {
	if a.agreed {
		return nil
	}
	if err := k.Policy.takes(*a); err != nil {
		return err
	}
	a.options.granted, err = k.signUpRequested(ctx, request{
		Said: a.said, method: a.method, provider: a.provider, email: a.profile.Email, claims: a.profiled(), client: a.client,
	})
	a.agreed = err == nil
	return err
}

// takes refuses whoever is new where nobody new is taken.
func (p *Policy) takes(a arrival) error {
	switch {
	case p.DisableSignUp:
		return auth.SignUpDisabled
	case p.DisableAutoSignUp && !a.signUp:
		return fmt.Errorf("%w: signing in creates no users", auth.SignUpDisabled)
	}
	return nil
}

// arriveAsKnown lets in who has signed in with the identity before.
func (k *Kit) arriveAsKnown(ctx context.Context, a arrival, found store.Arrived) (out arrived, err error) {
	if a.signUp {
		return out, fmt.Errorf("%w: the identity is of user %s", auth.UserExists, found.User.ID)
	}
	if err := k.Policy.gateMember(found.User, k.Now()); err != nil {
		return out, k.turnedAway(ctx, a.as(found.User), err)
	}
	identity, err := k.identity(a, found.IdentityID, found.User.ID)
	if err != nil {
		return out, err
	}
	o, err := k.askArrival(ctx, a, found.User, found.User)
	if err != nil {
		return out, err
	}
	err = k.inTx(ctx, func(tx *store.DB) error {
		if err := tx.UseIdentity(ctx, identity); err != nil {
			return changedMeanwhile(err)
		}
		out, err = k.letIn(ctx, tx, a, o)
		return err
	})
	return out, err
}

// arriveByEmail links the identity to the account with its address. An account whose address nobody
// has confirmed may have been made by anybody, so whatever its maker could get in by goes first.
func (k *Kit) arriveByEmail(ctx context.Context, a arrival, user auth.User) (out arrived, err error) {
	switch {
	case a.signUp:
		return out, fmt.Errorf("%w: user %s signs up again", auth.EmailTaken, user.ID)
	case !a.profile.EmailVerified:
		return out, fmt.Errorf("%w: %s does not say that the address is theirs", auth.EmailTaken, a.provider)
	}
	confirmed, owned := user.EmailVerified, user
	if !confirmed {
		owned = disowned(user)
	}
	if err := k.Policy.gateMember(owned, k.Now()); err != nil {
		return out, k.turnedAway(ctx, a.as(user), err)
	}
	identity, err := k.identity(a, tokens.NewUUID(), user.ID)
	if err != nil {
		return out, err
	}
	identity.ForEmail = user.Email
	o, err := k.askArrival(ctx, a, owned, user)
	if err != nil {
		return out, err
	}
	err = k.inTx(ctx, func(tx *store.DB) error {
		if !confirmed {
			e := k.entry("user.disowned", user.ID, a.client, a.now)
			e.Detail = map[string]any{"provider": a.provider}
			if err := tx.Disown(ctx, user.ID, user.Email, e); err != nil {
				return changedMeanwhile(err)
			}
		}
		if err := k.addIdentity(ctx, tx, a, identity); err != nil {
			return err
		}
		if err := k.notify(ctx, tx, a.linked(owned)); err != nil {
			return err
		}
		out, err = k.letIn(ctx, tx, a, o)
		return err
	})
	return out, err
}

// arriveAnew signs up who is new.
func (k *Kit) arriveAnew(ctx context.Context, a arrival) (out arrived, err error) {
	user, err := k.newArrival(a)
	if err != nil {
		return out, err
	}
	if user, err = k.creating(ctx, birth{user: user, method: a.method, provider: a.provider, claims: a.profiled(), client: a.client, now: a.now}); err != nil {
		return out, metAnother(err)
	}
	identity, err := k.identity(a, tokens.NewUUID(), user.ID)
	if err != nil {
		return out, err
	}
	identity.Disabled = user.Disabled
	o := a.opening(user)
	o.provider, o.confirms = a.provider, confirms(auth.User{}, user)
	out.Admission, err = k.enterNew(ctx, o, func(tx *store.DB) (bool, error) {
		created := k.entry("user.created", user.ID, a.client, a.now)
		created.Detail = map[string]any{"method": a.method, "provider": a.provider}
		if err := k.add(ctx, tx, store.NewUser{User: user}, created); err != nil {
			return false, metAnother(err)
		}
		if err := k.addIdentity(ctx, tx, a, identity); err != nil {
			return false, err
		}
		switch {
		case user.Disabled:
			return false, nil
		case auth.CodeOf(k.Policy.gate(user, k.Now())) == auth.UserUnverified:
			return false, k.sendLink(ctx, tx, link{
				user: user, to: user.Email, purpose: auth.VerifyEmail, redirectTo: a.redirectTo, challenge: a.challenge, client: a.client, now: a.now,
			})
		case a.challenge != "":
			out.code, err = k.arrivalCode(ctx, tx, a, user)
			return false, err
		}
		return true, nil
	})
	if err == nil && user.Disabled {
		return out, fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	return out, err
}

// newArrival is the user that a person becomes, if they may.
func (k *Kit) newArrival(a arrival) (auth.User, error) {
	p := k.Policy
	if err := p.takes(a); err != nil {
		return auth.User{}, err
	}
	switch {
	case a.profile.Email != "":
		if err := p.admit(a.profile.Email); err != nil {
			return auth.User{}, err
		}
	case p.access.picks():
		return auth.User{}, fmt.Errorf("%w: %s tells no address, and the access lists want one", auth.EmailNotAllowed, a.provider)
	}
	if a.options.DisplayName == "" {
		a.options.DisplayName = a.profile.Name
	}
	if a.options.DisplayName == "" {
		a.options.DisplayName = a.profile.ID
	}
	user, err := p.newcomer(tokens.NewUUID(), a.profile.Email, a.options, a.now)
	if err != nil {
		return auth.User{}, err
	}
	user.EmailVerified = a.profile.EmailVerified
	user.Vouched = !user.EmailVerified
	if a.profile.AvatarURL != "" {
		user.AvatarURL = a.profile.AvatarURL
	}
	if auth.CodeOf(p.gate(user, a.now)) == auth.UserUnverified && !k.MailReady {
		return auth.User{}, auth.MailNotConfigured
	}
	return user, nil
}

// profiled is what the provider said of the person, for hooks.
func (a arrival) profiled() map[string]string {
	return map[string]string{"sub": a.profile.ID, "email": a.profile.Email, "name": a.profile.Name, "picture": a.profile.AvatarURL}
}

// opening is the sign-in that an arrival ends in.
func (a arrival) opening(user auth.User) opening {
	return opening{user: user, method: a.method, client: a.client, now: a.now}
}

// askArrival readies the sign-in. Where the application exchanges a code, it is asked then.
func (k *Kit) askArrival(ctx context.Context, a arrival, user, was auth.User) (opening, error) {
	if a.challenge != "" {
		return k.askConfirmed(ctx, a.opening(user), was)
	}
	return k.ask(ctx, a.opening(user), was)
}

// letIn ends an arrival: in a session or what is due before it, or in a code for the application.
func (k *Kit) letIn(ctx context.Context, tx *store.DB, a arrival, o opening) (out arrived, err error) {
	if a.challenge != "" {
		if o.metadata != nil {
			if err := tx.SetMetadata(ctx, o.user.ID, o.metadata); err != nil {
				return out, err
			}
		}
		out.code, err = k.arrivalCode(ctx, tx, a, o.user)
		return out, err
	}
	out.Admission, err = k.enter(ctx, tx, o)
	return out, err
}

// waiting is what waits, sealed, for the application to exchange the code of an arrival.
type waiting struct {
	Tokens *providers.Tokens
	// Of an identity that is to be linked:
	Session  string // that asked for it
	Provider string
	Profile  providers.Profile
}

const waitingSeal = "provider arrival"

// arrivalCode writes a code that the application exchanges, with the ticket that the code spends.
func (k *Kit) arrivalCode(ctx context.Context, tx *store.DB, a arrival, user auth.User) (string, error) {
	return k.waitingCode(ctx, tx, a, user, auth.ProviderSignIn, waiting{Tokens: a.secrets})
}

// waitingCode writes a code that the application exchanges for what waits.
func (k *Kit) waitingCode(ctx context.Context, tx *store.DB, a arrival, user auth.User, purpose auth.Purpose, kept waiting) (string, error) {
	code := tokens.NewUUID()
	payload, err := k.sealPayload(waitingSeal, kept)
	if err != nil {
		return "", err
	}
	parent := store.Ticket{
		ID: tokens.NewUUID(), Purpose: purpose, SecretHash: tokens.HashSecret(tokens.NewUUID()), UserID: user.ID,
		Challenge: a.challenge, Payload: payload, CreatedAt: a.now, ExpiresAt: a.now.Add(codeLife),
	}
	child := parent
	child.ID, child.Purpose, child.SecretHash, child.ParentID, child.Payload = tokens.NewUUID(), auth.ExchangeCode, tokens.HashSecret(code), parent.ID, nil
	for _, t := range []store.Ticket{parent, child} {
		added, err := tx.AddTicket(ctx, t, maxCodes, a.now.Add(-codeLife))
		if err != nil {
			return "", err
		}
		if !added {
			return "", auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: codeLife}
		}
	}
	return code, nil
}

// linkArrival links the identity to the account of whoever asked for it.
func (k *Kit) linkArrival(ctx context.Context, actor auth.Actor, a arrival) error {
	if err := a.clean(); err != nil {
		return err
	}
	user, err := k.actor(ctx, actor)
	if err != nil {
		return err
	}
	if err := k.Policy.gateMember(user, k.Now()); err != nil {
		return err
	}
	identity, err := k.identity(a, tokens.NewUUID(), user.ID)
	if err != nil {
		return err
	}
	identity.Session = actor.SessionID
	return notLinked(k.inTx(ctx, func(tx *store.DB) error {
		if err := k.addIdentity(ctx, tx, a, identity); err != nil {
			return err
		}
		return k.notify(ctx, tx, a.linked(user))
	}))
}

// notLinked is why an identity was not linked: another look would not cure it.
func notLinked(err error) error {
	var met again
	switch {
	case errors.As(err, &met) && (auth.CodeOf(err) == auth.IdentityTaken || auth.CodeOf(err) == auth.EmailTaken):
		return met.error
	case errors.As(err, &met):
		return fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	return err
}

// linked is the notice that an identity was linked.
func (a arrival) linked(u auth.User) notice {
	return notice{template: "identity-linked", to: u.Email, user: u, client: a.client, detail: map[string]string{"provider": a.provider}}
}

// identity is the row of an arrival.
func (k *Kit) identity(a arrival, id, userID string) (store.NewIdentity, error) {
	sealed, err := k.sealTokens(id, a.secrets)
	if err != nil {
		return store.NewIdentity{}, err
	}
	profile, err := json.Marshal(knownProfile{a.profile.Name, a.profile.AvatarURL})
	if err != nil {
		return store.NewIdentity{}, fmt.Errorf("flow: %w", err)
	}
	return store.NewIdentity{
		Identity: auth.Identity{
			ID: id, Provider: a.provider, ProviderUserID: a.profile.ID, Email: a.profile.Email, EmailVerified: a.profile.EmailVerified,
			CreatedAt: a.now, SignedInAt: a.now,
		},
		UserID: userID, Profile: profile, Tokens: sealed,
	}, nil
}

// knownProfile is what is kept of a profile beside the address.
type knownProfile struct {
	Name      string `json:"name,omitempty"`
	AvatarURL string `json:"avatarUrl,omitempty"`
}

// addIdentity links an identity, and says so.
func (k *Kit) addIdentity(ctx context.Context, tx *store.DB, a arrival, i store.NewIdentity) error {
	e := k.entry("identity.linked", i.UserID, a.client, a.now)
	e.SessionID = i.Session
	e.Detail = map[string]any{"provider": a.provider, "identityId": i.ID}
	return metAnother(changedMeanwhile(tx.AddIdentity(ctx, i, e)))
}

// changedMeanwhile asks for another look when a guard did not hold.
func changedMeanwhile(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return again{err}
	}
	return err
}

// metAnother asks for another look when somebody wrote the same identity or address a moment before.
func metAnother(err error) error {
	if c := auth.CodeOf(err); c == auth.IdentityTaken || c == auth.EmailTaken {
		return again{err}
	}
	return err
}

// The bounds of what a provider says.
const (
	maxProviderUserID = 255
	maxProfileName    = 128
	maxAvatarURL      = 2048
)

// clean makes a profile one that can be kept. An address that mail cannot be sent to is as good as
// none; who has no id is nobody.
func (a *arrival) clean() error {
	p := &a.profile
	if p.ID == "" || len(p.ID) > maxProviderUserID || !utf8.ValidString(p.ID) || strings.IndexFunc(p.ID, unicode.IsControl) >= 0 {
		return fmt.Errorf("%w: %s gave no id that can be kept", auth.ProviderProfile, a.provider)
	}
	if !ValidEmail(p.Email) {
		p.Email, p.EmailVerified = "", false
	}
	p.Name = cleanName(p.Name)
	if u, err := url.Parse(p.AvatarURL); err != nil || len(p.AvatarURL) > maxAvatarURL || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		p.AvatarURL = ""
	}
	return nil
}

// cleanName is a name as one line of a bounded length.
func cleanName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case !unicode.IsGraphic(r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	s = strings.Join(strings.Fields(s), " ")
	if runes := []rune(s); len(runes) > maxProfileName {
		s = string(runes[:maxProfileName])
	}
	return s
}

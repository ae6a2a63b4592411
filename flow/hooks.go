package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

// event begins an event of a flow.
func event(c auth.Client, now time.Time) hooks.Event {
	return hooks.Event{ID: tokens.NewUUID(), At: now, Client: c}
}

// asksOfTokens tells whether somebody has a say in access tokens.
func (k *Kit) asksOfTokens() bool { return k.Hooks != nil && k.Hooks.TokenMinting.Bound() }

// asksOfSessions tells whether somebody has a say in sessions that open, their tokens included.
func (k *Kit) asksOfSessions() bool {
	return k.Hooks != nil && (k.Hooks.SessionOpening.Bound() || k.Hooks.TokenMinting.Bound())
}

// askSession has hooks asked about a session and its first access token, before anything of it is
// written. The session is drawn for that.
//
// was is the user as they are in the database. Where a hook gives them other metadata, custom claims are
// computed again, as of what will be written.
func (k *Kit) askSession(ctx context.Context, o opening, was auth.User) (opening, error) {
	if !k.asksOfSessions() || k.Policy.wantsFactor(o) {
		return o, nil
	}
	o, err := k.withDetails(ctx, k.Store, o)
	if err != nil {
		return o, err
	}
	o.session = k.newSession(o)
	if k.Hooks.SessionOpening.Bound() {
		e := hooks.SessionOpening{Event: event(o.client, o.now), User: o.user, Method: o.method, Confirms: o.confirms}
		if err := k.Hooks.SessionOpening.Ask(ctx, &e); err != nil {
			return o, err
		}
		changed, err := o.revise(e.Metadata)
		if err == nil && changed {
			o, err = k.askClaims(ctx, o, was)
		}
		if err != nil {
			return o, err
		}
	}
	say, err := k.mint(ctx, minting{user: o.user, session: o.session, method: o.method, client: o.client}, o.speech())
	o.claims, o.others = say.claims, say.others
	return o, err
}

// minting is what hooks are told of an access token beside what it says.
type minting struct {
	user    auth.User
	session auth.Session
	method  string
	client  auth.Client
}

// mint has hooks asked what an access token says.
func (k *Kit) mint(ctx context.Context, m minting, say speech) (speech, error) {
	if !k.asksOfTokens() {
		return say, nil
	}
	access := k.access(m.user, m.session, say)
	payload, err := k.Signer.Payload(access, say.now)
	if err != nil {
		return say, err
	}
	e := hooks.TokenMinting{
		Event: event(m.client, say.now), User: m.user, SessionID: m.session.ID, AAL: m.session.AAL, AMR: m.session.AMR,
		Method: m.method, Claims: payload,
		Settle: func(answer map[string]any) (map[string]any, error) {
			a, err := k.Signer.Override(access, answer)
			if err != nil {
				return nil, err
			}
			return k.Signer.Payload(a, say.now)
		},
	}
	if err := k.Hooks.TokenMinting.Ask(ctx, &e); err != nil || !e.Replaced() {
		return say, err
	}
	if access, err = k.Signer.Override(access, e.Claims); err != nil {
		return say, err
	}
	say.claims, say.others = access.Extra, access.Others
	return say, nil
}

// revise gives the user the metadata that hooks want, and tells whether those are others.
func (o *opening) revise(metadata func(before json.RawMessage) (after json.RawMessage, changed bool, err error)) (changed bool, err error) {
	after, changed, err := metadata(o.user.Metadata)
	if err == nil && changed {
		o.user.Metadata, o.metadata = after, after
	}
	return changed, err
}

// confirms tells whether a user has an address or number confirmed who had none.
func confirms(was, is auth.User) bool {
	return (is.EmailVerified || is.PhoneNumberVerified) && !was.EmailVerified && !was.PhoneNumberVerified
}

// askConfirmed has hooks asked about a user whose address or number is about to be confirmed for the
// first time.
func (k *Kit) askConfirmed(ctx context.Context, o opening, was auth.User) (opening, error) {
	if o.confirms = o.confirms || confirms(was, o.user); !confirms(was, o.user) {
		return o, nil
	}
	return k.confirming(ctx, o)
}

// confirming has hooks asked about a user from whom no confirmation is wanted any more.
func (k *Kit) confirming(ctx context.Context, o opening) (opening, error) {
	if k.Hooks == nil || !k.Hooks.UserConfirmed.Bound() {
		return o, nil
	}
	e := hooks.UserConfirmed{Event: event(o.client, o.now), User: o.user, Method: o.method}
	if err := k.Hooks.UserConfirmed.Ask(ctx, &e); err != nil {
		return o, err
	}
	_, err := o.revise(e.Metadata)
	return o, err
}

// welcomes tells whether a user who is made is let in without a confirmation. Those who come by a mail or
// a text message confirm by it.
func (p *Policy) welcomes(b birth) bool {
	switch b.method {
	case "link", "otp", "sms", "anonymous":
		return false
	}
	if b.user.Email == "" && b.user.PhoneNumber != "" && !b.user.PhoneNumberVerified {
		return false
	}
	return p.gate(b.user, b.now) == nil
}

// passwordChanged tells hooks of a password that is another one now. What they say changes nothing.
func (k *Kit) passwordChanged(ctx context.Context, e hooks.PasswordChanged) {
	if k.Hooks == nil || !k.Hooks.PasswordChanged.Bound() {
		return
	}
	_ = k.Hooks.PasswordChanged.Ask(ctx, &e) // the engine has told of a failure
}

// birth is a user about to be made.
type birth struct {
	user     auth.User
	method   string
	provider string            // that vouches for them; empty when none does
	claims   map[string]string // what it said
	password string
	client   auth.Client
	now      time.Time
}

// creating has hooks asked about a user about to be made, all of whose checks are passed. It gives the
// user as the hooks want them.
func (k *Kit) creating(ctx context.Context, b birth) (auth.User, error) {
	if k.Hooks == nil {
		return b.user, nil
	}
	if k.Hooks.UserCreating.Bound() {
		if err := k.stillFree(ctx, b.user.Email); err != nil {
			return b.user, err
		}
		e := hooks.UserCreating{
			Event: event(b.client, b.now), User: b.user, Method: b.method, Provider: b.provider, Claims: b.claims, Password: hooks.Secret(b.password),
		}
		if err := k.Hooks.UserCreating.Ask(ctx, &e); err != nil {
			return b.user, err
		}
		metadata, _, err := e.Metadata(b.user.Metadata)
		if err != nil {
			return b.user, err
		}
		b.user.Metadata = metadata
	}
	if !confirms(auth.User{}, b.user) && !k.Policy.welcomes(b) {
		return b.user, nil
	}
	o, err := k.confirming(ctx, opening{user: b.user, method: b.method, client: b.client, now: b.now})
	return o.user, err
}

// stillFree refuses an address that somebody has, before anybody is asked about it.
func (k *Kit) stillFree(ctx context.Context, email string) error {
	if email == "" {
		return nil
	}
	user, err := k.Store.UserByEmail(ctx, email)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: user %s", auth.EmailTaken, user.ID)
}

// add writes a user, and has Postgres functions take part in the transaction that does.
func (k *Kit) add(ctx context.Context, tx *store.DB, u store.NewUser, e store.Entry) error {
	if err := k.makeRoles(ctx, tx, u.Roles); err != nil {
		return err
	}
	if err := tx.AddUser(ctx, u, e); err != nil {
		return err
	}
	if err := k.tellOfUser(ctx, tx, u, e); err != nil {
		return err
	}
	if k.Hooks == nil || !k.Hooks.UserInserted.Bound() {
		return nil
	}
	about := event(e.Client, e.At)
	var err error
	if about.ID, err = draw(tx, about.ID); err != nil { // the transaction may be run twice, and is kept once
		return err
	}
	method, _ := e.Detail["method"].(string)
	return k.Hooks.UserInserted.In(ctx, tx, hooks.UserInserted{Event: about, User: u.User, Method: method})
}

// asksOfUsers tells whether somebody has to be told of users once they are there.
func (k *Kit) asksOfUsers() bool { return k.Hooks != nil && k.Hooks.UserCreated.Bound() }

// created has hooks told of a user who has been made. An error refuses the answer; the user stays.
func (k *Kit) created(ctx context.Context, b birth) error {
	if !k.asksOfUsers() {
		return nil
	}
	e := hooks.UserCreated{Event: event(b.client, b.now), User: b.user, Method: b.method, Provider: b.provider}
	return k.Hooks.UserCreated.Ask(ctx, &e)
}

// asksOfPasswords tells whether somebody has a say in passwords at sign-ins.
func (k *Kit) asksOfPasswords() bool {
	return k.Hooks != nil && (k.Hooks.PasswordChecked.Bound() || k.Hooks.PasswordUnknown.Bound())
}

// asksOfUnknown tells whether somebody may know passwords of people who have none here.
func (k *Kit) asksOfUnknown() bool { return k.Hooks != nil && k.Hooks.PasswordUnknown.Bound() }

// passwordChecked has hooks asked about a password that was compared with the one of a user. check is
// what that came to. What a hook says of a wrong one is worth a refusal, too, but its failure is not:
// it must not tell that there is such a user. Nor must its time, so it is noted.
func (k *Kit) passwordChecked(ctx context.Context, u auth.User, c auth.Client, check error) error {
	if check != nil && auth.CodeOf(check) != auth.InvalidCredentials {
		return check
	}
	e := hooks.PasswordChecked{Event: event(c, k.Now()), User: u, Valid: check == nil}
	asked := k.Now()
	err := k.endedBy(ctx, u, c, k.Hooks.PasswordChecked.Ask(ctx, &e))
	k.Questions.worked(asked, k.Now())
	if err == nil || check != nil && auth.CodeOf(err) == auth.HookFailed {
		return check
	}
	return err
}

// passwordUnknown has hooks asked about a password of somebody who has none here. Whoever does not
// vouch for it leaves the refusal as it is, and so does a hook that fails: it must not tell that the
// address is unknown, by words or by time.
func (k *Kit) passwordUnknown(ctx context.Context, a attempt, u *auth.User, refusal error) (hooks.Vouched, error) {
	e := hooks.PasswordUnknown{Event: event(a.Client, k.Now()), Email: a.Email, User: u, Password: hooks.Secret(a.Password)}
	asked := k.Now()
	err := k.Hooks.PasswordUnknown.Ask(ctx, &e)
	k.Questions.worked(asked, k.Now())
	v := e.Vouched()
	switch {
	case auth.CodeOf(err) == auth.HookFailed, err == nil && v == nil:
		return hooks.Vouched{}, refusal
	case err != nil:
		return hooks.Vouched{}, err
	}
	return *v, nil
}

// factorChecked has hooks asked about a code of a second factor that was compared and counted.
func (k *Kit) factorChecked(ctx context.Context, t typed, p proof, check error) error {
	if p.factorID != "" {
		t.factorID = p.factorID
	}
	err := k.factorJudged(ctx, t, check)
	if check == nil && err != nil {
		return k.returnProof(ctx, p, err)
	}
	return err
}

// factorJudged has hooks asked about a code of a second factor; check is what comparing it came to.
func (k *Kit) factorJudged(ctx context.Context, t typed, check error) error {
	if k.Hooks == nil || !k.Hooks.FactorChecked.Bound() || check != nil && auth.CodeOf(check) != auth.InvalidTOTP && auth.CodeOf(check) != auth.InvalidPasskey {
		return check
	}
	e := hooks.FactorChecked{Event: event(t.client, t.now), User: t.user, FactorID: t.factorID, Type: t.said(), Valid: check == nil}
	if err := k.endedBy(ctx, t.user, t.client, k.Hooks.FactorChecked.Ask(ctx, &e)); err != nil {
		return err
	}
	return check
}

// endedBy ends all sessions of a user where the hook that refuses says so.
func (k *Kit) endedBy(ctx context.Context, u auth.User, c auth.Client, refusal error) error {
	var no *hooks.Denied
	if !errors.As(refusal, &no) || !no.EndSessions {
		return refusal
	}
	e := k.entry("session.ended", u.ID, c, k.Now())
	e.Detail = map[string]any{"all": true, "hook": no.Hook}
	err := k.Store.EndAllSessions(ctx, auth.Actor{UserID: u.ID}, k.Policy.alive(e.At), e)
	if errors.Is(err, store.ErrNotFound) {
		return refusal // the user is gone, and the sessions with them
	}
	return errors.Join(refusal, err)
}

package flow

import (
	"context"
	"time"

	"postern/auth"
	"postern/hooks"
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
func (k *Kit) askSession(ctx context.Context, o opening) (opening, error) {
	if !k.asksOfSessions() || k.Policy.wantsFactor(o) {
		return o, nil
	}
	o.session = k.newSession(o)
	if k.Hooks.SessionOpening.Bound() {
		e := hooks.SessionOpening{Event: event(o.client, o.now), User: o.user, Method: o.method}
		if err := k.Hooks.SessionOpening.Ask(ctx, &e); err != nil {
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

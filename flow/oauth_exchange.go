package flow

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
	"postern/tokens"
)

// OAuthTokenAsk is a client that asks for tokens.
type OAuthTokenAsk struct {
	Shown                       OAuthCredentials
	GrantType                   string // auth.GrantCode or auth.GrantRefresh
	Code, RedirectURI, Verifier string // of a code, with the address that it was sent to
	RefreshToken                string // of a refresh
	Scope                       string // of a refresh: fewer than were allowed, or none for all
	Client                      auth.Client
}

// Tokens gives a client what it asks for, by whichever grant.
func (f *OAuth) Tokens(ctx context.Context, in OAuthTokenAsk) (OAuthGrant, error) {
	switch in.GrantType {
	case auth.GrantCode:
		return f.exchange(ctx, in)
	case auth.GrantRefresh:
		return f.refresh(ctx, in)
	case "":
		return OAuthGrant{}, auth.Invalid{Field: "grant_type", Problem: "must be there"}
	}
	return OAuthGrant{}, auth.WrongGrantType
}

// OAuthGrant is what a client gets.
type OAuthGrant struct {
	AccessToken  string
	RefreshToken string // empty where the client may not refresh
	IDToken      string // empty without the scope openid
	Life         time.Duration
	Scopes       []string
}

// exchange gives a client what the user allowed, for the code. A code that comes a second time ends what it gave the first time,
// since somebody else has seen it. A code that comes with something else that is wrong stays as it is.
func (f *OAuth) exchange(ctx context.Context, in OAuthTokenAsk) (OAuthGrant, error) {
	client, err := f.Clients.Authenticate(ctx, in.Shown)
	if err != nil {
		return OAuthGrant{}, err
	}
	for name, value := range map[string]string{"code": in.Code, "redirect_uri": in.RedirectURI, "code_verifier": in.Verifier} {
		if value == "" {
			return OAuthGrant{}, auth.Invalid{Field: name, Problem: "must be there"}
		}
	}
	now := f.Now()
	found, err := f.Store.FindOAuthCode(ctx, tokens.HashSecret(in.Code), f.Policy.alive(now))
	if errors.Is(err, store.ErrNotFound) {
		return OAuthGrant{}, f.codeAgain(ctx, in, client, now)
	}
	if err != nil {
		return OAuthGrant{}, err
	}
	p, err := f.judgeCode(found, in, client, now)
	if err != nil {
		return OAuthGrant{}, err
	}
	if p.Scopes, err = narrowed("", p.Scopes, client); err != nil {
		return OAuthGrant{}, err
	}
	given := f.sessionFrom(found, in.Code, p, now)
	grant, refresh, err := f.give(ctx, given, found.User, p.Nonce, in.Client)
	if err != nil {
		return OAuthGrant{}, err
	}
	given.RefreshHash, given.Client, given.Alive = tokens.HashRefresh(refresh), in.Client, f.Policy.alive(now)
	given.Entry = f.entry("oauth.opened", found.User.ID, in.Client, now)
	given.Entry.SessionID = given.ID
	given.Entry.Detail = map[string]any{"client": client.ID, "scope": strings.Join(p.Scopes, " ")}
	if slices.Contains(client.GrantTypes, auth.GrantRefresh) {
		grant.RefreshToken = refresh
	} else {
		given.ExpiresAt = now.Add(f.AccessTokenLife)
	}
	err = f.Store.OpenClientSession(ctx, given)
	if errors.Is(err, store.ErrChanged) {
		return OAuthGrant{}, f.codeAgain(ctx, in, client, now)
	}
	return grant, err
}

// judgeCode refuses a code that is not what the client says it is.
func (f *OAuth) judgeCode(found store.FoundGrant, in OAuthTokenAsk, client store.OAuthClient, now time.Time) (oauthPayload, error) {
	p, err := f.openOAuth(oauthCodeSeal, found.TicketPayload)
	switch {
	case err != nil:
		return p, errNoGrant("code: %w", err)
	case p.ClientID != client.ID:
		return p, errNoGrant("the code is of client %s", p.ClientID)
	case p.RedirectURI != in.RedirectURI:
		return p, errNoGrant("the code was sent to another address")
	case !tokens.Answers(found.TicketChallenge, in.Verifier):
		return p, errNoGrant("not the verifier of the challenge")
	case found.FactorDue:
		return p, errNoGrant("the second factor of user %s is due", found.User.ID)
	}
	if err := f.Policy.gateMember(found.User, now); err != nil {
		return p, errNoGrant("user %s may not come in: %s", found.User.ID, err.Error()) // its code is not for the client
	}
	return p, nil
}

// sessionFrom draws the session that a code opens.
func (f *OAuth) sessionFrom(found store.FoundGrant, code string, p oauthPayload, now time.Time) store.NewClientSession {
	s := auth.Session{
		ID: tokens.CodeSession(code), UserID: found.User.ID, CreatedAt: now, ExpiresAt: now.Add(f.RefreshTokenLife), AAL: max(found.AAL, 1),
		AMR: opening{method: byCode, after: found.AMR, now: now}.methods(),
	}
	return store.NewClientSession{
		Session: s, TicketID: found.TicketID, From: found.SessionID, EndsAt: f.Policy.endOf(s), ClientID: p.ClientID, Door: f.Door, Scopes: p.Scopes,
		AuthTime: provedAt(found.AMR, found.SessionCreatedAt),
	}
}

// codeAgain refuses a code that is unknown, and ends what it opened if it is one that was used, as long as it might have been good.
func (f *OAuth) codeAgain(ctx context.Context, in OAuthTokenAsk, client store.OAuthClient, now time.Time) error {
	e := f.entry("oauth.replayed", "", in.Client, now)
	e.Detail = map[string]any{"client": client.ID, "what": "code"}
	err := f.Store.EndClientSession(ctx, tokens.CodeSession(in.Code), client.ID, now.Add(-oauthCodeLife), e)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return errNoGrant("unknown code")
	case err != nil:
		return err
	}
	return errNoGrant("the code came twice, so what it opened has ended")
}

// give asks whoever has a say and signs the tokens of a session, whose refresh token it draws.
func (f *OAuth) give(ctx context.Context, s store.NewClientSession, u auth.User, nonce string, c auth.Client) (OAuthGrant, string, error) {
	refresh := tokens.NewUUID()
	grant, err := f.speakTo(ctx, saying{
		user: u, session: s.Session, client: s.ClientID, scopes: s.Scopes, authTime: s.AuthTime, nonce: nonce, method: byCode, from: c, now: s.CreatedAt,
	})
	return grant, refresh, err
}

// saying is what the tokens of a client are made of.
type saying struct {
	user     auth.User
	session  auth.Session
	client   string
	scopes   []string
	authTime time.Time
	nonce    string
	method   string
	from     auth.Client
	now      time.Time
}

// speakTo signs an access token and, where it is asked for, an ID token. Claims and hooks are asked for as for any other token of the
// user, as far as the token says any.
func (f *OAuth) speakTo(ctx context.Context, s saying) (OAuthGrant, error) {
	engine := slices.Contains(s.scopes, auth.ScopeGraphQL)
	say := speech{now: s.now, client: &tokens.ForClient{
		ID: s.client, Issuer: f.Issuer, TokenID: tokens.NewUUID(), Scopes: s.scopes, Engine: engine,
	}, told: f.Speaks || engine}
	var err error
	if engine {
		if say.claims, err = f.Claims.Of(ctx, s.user.ID, nil); err != nil {
			return OAuthGrant{}, err
		}
	}
	if f.Supabase && say.told {
		if say.details, err = f.detailsOf(ctx, s.user); err != nil {
			return OAuthGrant{}, err
		}
	}
	say, err = f.mint(ctx, minting{user: s.user, session: s.session, method: s.method, client: s.from}, say)
	if err != nil {
		return OAuthGrant{}, err
	}
	return f.clientGrant(s, say)
}

// clientGrant signs what was asked about.
func (f *OAuth) clientGrant(s saying, say speech) (g OAuthGrant, err error) {
	g = OAuthGrant{Life: f.AccessTokenLife, Scopes: s.scopes}
	if g.AccessToken, err = f.Signer.Sign(f.access(s.user, s.session, say), s.now); err != nil || !slices.Contains(s.scopes, auth.ScopeOpenID) {
		return g, err
	}
	g.IDToken, err = f.Signer.SignIDToken(tokens.IDToken{
		Issuer: f.Issuer, UserID: s.user.ID, ClientID: s.client, Nonce: s.nonce, AuthTime: s.authTime, AccessToken: g.AccessToken,
		Life: f.AccessTokenLife, Claims: f.About(s.user, s.scopes),
	}, s.now)
	return g, err
}

// refresh goes on with the session of a client. Its token is exchanged for the next one: the token before the current one gets the same
// answer again for a moment, for answers that get lost, and any that is older ends the session, since two parties hold it.
func (f *OAuth) refresh(ctx context.Context, in OAuthTokenAsk) (OAuthGrant, error) {
	client, err := f.Clients.Authenticate(ctx, in.Shown)
	if err != nil {
		return OAuthGrant{}, err
	}
	if in.RefreshToken == "" {
		return OAuthGrant{}, auth.Invalid{Field: "refresh_token", Problem: "must be there"}
	}
	now := f.Now()
	k := kinOf(in.RefreshToken, f.Keys.Peppers())
	s, err := f.Store.ClientSessionOfTokens(ctx, k.hashes)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return OAuthGrant{}, errNoGrant("unknown refresh token")
	case err != nil:
		return OAuthGrant{}, err
	case s.ClientID != client.ID || s.Door != f.Door:
		return OAuthGrant{}, errNoGrant("the refresh token is of client %s", s.ClientID)
	case !slices.Contains(client.GrantTypes, auth.GrantRefresh):
		return OAuthGrant{}, errNoGrant("client %s may not refresh", client.ID)
	}
	scopes, err := narrowed(in.Scope, s.Scopes, client)
	if err != nil {
		return OAuthGrant{}, err
	}
	if err := f.Policy.gateMember(s.User, now); err != nil && auth.CodeOf(err) != auth.EmailNotAllowed {
		return OAuthGrant{}, errNoGrant("user %s may not come in: %s", s.User.ID, err.Error())
	}
	grant, err := f.speakTo(ctx, saying{
		user: s.User, session: sessionOf(s.Refreshed), client: client.ID, scopes: scopes, authTime: s.AuthTime, method: hooks.TokenRefresh, from: in.Client, now: now,
	})
	if err != nil {
		return OAuthGrant{}, err
	}
	grant.RefreshToken, err = f.rotate(ctx, in, client.ID, k, now)
	return grant, err
}

// narrowed are the scopes of a token: those that the user allowed, and the client still has, or fewer.
func narrowed(text string, allowed []string, client store.OAuthClient) ([]string, error) {
	scopes := slices.DeleteFunc(slices.Clone(allowed), func(s string) bool { return !slices.Contains(client.Scopes, s) })
	if text == "" {
		return scopes, nil
	}
	var fewer []string
	for _, s := range strings.Fields(text) {
		if !slices.Contains(scopes, s) {
			return nil, errNoScope(client.ID, s)
		}
		fewer = with(fewer, s)
	}
	return fewer, nil
}

// rotate exchanges the token, and gives the next.
func (f *OAuth) rotate(ctx context.Context, in OAuthTokenAsk, clientID string, k kin, now time.Time) (next string, err error) {
	next = tokens.NextRefresh(f.Keys.Peppers()[0], in.RefreshToken, 0)
	r := store.ClientRotation{ClientID: clientID, Door: f.Door, Rotation: store.Rotation{
		Hash: k.self, NextHash: tokens.HashRefresh(next), ExpiresAt: now.Add(f.RefreshTokenLife), MaxLife: f.Policy.SessionMaxLife,
		RequireEmail: f.Policy.RequireVerifiedEmail, Vouching: f.Policy.vouching(), Client: in.Client, Alive: f.Policy.alive(now),
	}}
	if _, err = f.Store.RotateClient(ctx, r); !errors.Is(err, store.ErrNotFound) {
		return next, err
	}
	var refusal error // given after the commit, since what led to it must be kept
	err = f.inTx(ctx, func(tx *store.DB) error {
		refusal = nil
		held, err := tx.HoldClientSession(ctx, k.hashes, clientID, f.Door)
		if errors.Is(err, store.ErrNotFound) {
			refusal = errNoGrant("the session ended meanwhile")
			return nil
		}
		if err != nil {
			return err
		}
		before, isBefore := k.successors[held.CurrentHash]
		switch {
		case held.CurrentHash == k.self || f.Policy.isOver(store.Held{Refreshed: held.Refreshed, RotatedAt: held.RotatedAt, EndsAt: held.EndsAt}, now):
			refusal = errNoGrant("session %s is over, or its user may not go on", held.SessionID)
			return nil
		case isBefore && held.RotatedAt != nil && now.Sub(*held.RotatedAt) <= f.Policy.RefreshWindow:
			next = before.token
			return nil
		}
		e := f.entry("oauth.replayed", held.User.ID, in.Client, now)
		e.SessionID, e.Detail = held.SessionID, map[string]any{"client": clientID, "what": "refresh_token"}
		refusal = errNoGrant("%w", ErrReplayed)
		return tx.EndHeldClientSession(ctx, held.SessionID, e)
	})
	return next, errors.Join(err, refusal)
}

package house

import (
	"errors"
	"net/http"
	"strings"

	"postern/config"
	"postern/flow"
	"postern/passwords"
	"postern/server"
	"postern/server/gotrue"
	"postern/server/hasura"
)

// gotrueDoor opens the door for clients of GoTrue, if the operator wants it. Its desks are the same with a policy of
// their own: where the operator says nothing, GoTrue's defaults count. It counts where the door of Hasura Auth does, so
// that it is no second try. Nil means that there is none.
func gotrueDoor(c *config.Config, beside *hasura.Door, kit flow.Kit) (http.Handler, error) {
	if !c.GoTrue.Enabled {
		return nil, nil
	}
	if c.Server.Prefix() == gotrue.Prefix {
		return nil, errors.New("AUTH_API_PREFIX must be another path than " + gotrue.Prefix + ", where AUTH_GOTRUE_API_ENABLED has the door for clients of Supabase Auth")
	}
	theirs := c.AsGoTrue
	theirs.Flow.ServerURL, theirs.Flow.ClientURL = c.Flow.ServerURL, c.Flow.ClientURL
	policy, err := flow.NewPolicy(theirs.Flow, kit.Policy.Failures, kit.Policy.Lockout)
	if err != nil {
		return nil, err
	}
	if err := policy.AllowGlobs(c.GoTrue.Allowed); err != nil {
		return nil, err
	}
	policy.KnowsPassword = c.GoTrue.KnowsPassword
	policy.FactorLater, policy.Reauthenticate, policy.BothAddresses = true, c.GoTrue.Reauthenticate, c.GoTrue.SecureEmail
	policy.ResetsProve, policy.GuestsProve, policy.GuestsLink, policy.Passkeys = true, true, c.GoTrue.Linking, policy.Passkeys && kit.Passkeys != nil
	policy.KeyFactors = policy.KeyFactors && kit.Passkeys != nil
	if c.Limits.Enable {
		policy.Intervals = flow.Intervals{Mails: c.GoTrue.MailInterval, Texts: c.GoTrue.TextInterval}
	}
	if kit.Passkeys != nil {
		rp := *kit.Passkeys
		rp.Timeout, kit.Passkeys = theirs.Passkeys.Timeout, &rp
	}
	warn := kit.PasswordPolicy.Unanswered
	kit.Policy, kit.PasswordPolicy, kit.Supabase = policy, passwords.NewPolicy(theirs.Passwords), true
	kit.PasswordPolicy.Unanswered = warn
	kit.AccessTokenLife = theirs.Tokens.AccessTokenLife
	base := c.GoTrue.URL
	if base == "" {
		base = strings.TrimSuffix(strings.TrimRight(c.Flow.ServerURL, "/"), c.Server.Prefix()) + gotrue.Prefix
	}
	base = strings.TrimRight(base, "/")
	kit.Sending = beside.Sending
	kit.Door, kit.Callback = gotrue.Mark, base+"/callback"
	kit.Mails = flow.Mails{Address: gotrue.Address(base, c.GoTrue), Codes: true, Own: true, Life: c.GoTrue.MailLife}

	front := beside.Front.Beside(gotrue.Refuse)
	front.Methods, front.Exposed = "GET, POST, PUT, PATCH, DELETE", "X-Total-Count, Link, X-Supabase-Api-Version, X-Request-Id, Retry-After"
	if err := theirs.Admin.OfEverybody(policy); err != nil {
		return nil, err
	}
	admin := &flow.Admin{Kit: kit, Settings: theirs.Admin}
	serve := oauthBehind(c, kit, base)
	door := &gotrue.Door{
		Front: front, Guards: server.Guards{Front: front, Limits: beside.Limits, Captcha: beside.Captcha}, Health: beside.Health,
		Policy: policy, Signer: kit.Signer, Offered: offered(policy, kit, c.GoTrue.Email), LinkConfirmation: beside.LinkConfirmation,
		SignUp: &flow.SignUp{Kit: kit}, SignIn: &flow.SignIn{Kit: kit}, Sessions: &flow.Sessions{Kit: kit},
		Account: &flow.Account{Kit: kit}, Links: &flow.Links{Kit: kit}, Returns: beside.Returns, URL: base, Linking: c.GoTrue.Linking, IssuedBy: kit.Providers.IssuedBy,
		Admin: admin, Secret: secretOf(c, front, admin, "gotrue"),
		OAuth: serve, Clients: &flow.OAuthClients{Kit: kit, Closed: serve == nil}, Registers: c.GoTrue.OAuthRegistration,
		Rates: gotrue.RatesOf(c.GoTrue, c.Limits),
	}
	beside.Returns[gotrue.Mark] = door.Return
	return door.Routes(), nil
}

// oauthBehind is the desk of the OAuth server behind the door; nil where the operator wants none. What the tokens of its clients say is
// what those of users say, so that policies of row-level security know who asks.
func oauthBehind(c *config.Config, kit flow.Kit, base string) *flow.OAuth {
	if !c.OAuth.Enabled {
		return nil
	}
	kit.AccessTokenLife = c.AsGoTrue.OAuth.AccessTokenLife
	return &flow.OAuth{
		Kit: kit, Clients: &flow.OAuthClients{Kit: kit}, Issuer: base, Page: strings.TrimRight(kit.Policy.ClientURL, "/") + c.GoTrue.OAuthPath,
		Parameter: "authorization_id", Scopes: gotrue.OAuthScopes(), DefaultScopes: strings.Fields(c.GoTrue.OAuthDefaultScope), Speaks: true, Remembers: true,
		About: gotrue.ClaimsOf, RefreshTokenLife: c.AsGoTrue.OAuth.RefreshTokenLife, RequestLife: c.GoTrue.OAuthRequestLife,
	}
}

// offered are the ways in, as the door tells of them.
func offered(p *flow.Policy, kit flow.Kit, email bool) gotrue.Offered {
	o := gotrue.Offered{
		Providers: map[string]bool{}, Email: email, Guests: p.Guests, DisableSignUp: p.DisableSignUp, ConfirmsEmails: p.RequireVerifiedEmail,
		ConfirmsPhones: true, Passkeys: p.Passkeys, Phone: p.SignInBySMS && kit.SMSReady,
	}
	for _, name := range inUse(kit.Providers) {
		o.Providers[name] = true
	}
	return o
}

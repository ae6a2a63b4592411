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
	policy.FactorLater, policy.Reauthenticate = true, c.GoTrue.Reauthenticate
	policy.ResetsProve, policy.GuestsLink, policy.Passkeys = true, c.GoTrue.Linking, policy.Passkeys && kit.Passkeys != nil
	warn := kit.PasswordPolicy.Unanswered
	kit.Policy, kit.PasswordPolicy, kit.Supabase = policy, passwords.NewPolicy(theirs.Passwords), true
	kit.PasswordPolicy.Unanswered = warn
	kit.AccessTokenLife = theirs.Tokens.AccessTokenLife
	base := c.GoTrue.URL
	if base == "" {
		base = strings.TrimSuffix(strings.TrimRight(c.Flow.ServerURL, "/"), c.Server.Prefix()) + gotrue.Prefix
	}
	base = strings.TrimRight(base, "/")
	kit.Door, kit.Callback = gotrue.Mark, base+"/callback"
	kit.Mails = flow.Mails{Address: gotrue.Address(base, c.GoTrue), Codes: true, Own: true, Life: c.GoTrue.MailLife}

	front := beside.Front.Beside(gotrue.Refusing(theirs.Passwords.MinLength))
	front.Methods, front.Exposed = "GET, POST, PUT, PATCH, DELETE", "X-Total-Count, Link, X-Supabase-Api-Version, X-Request-Id, Retry-After"
	if err := theirs.Admin.OfEverybody(policy); err != nil {
		return nil, err
	}
	admin := &flow.Admin{Kit: kit, Settings: theirs.Admin}
	door := &gotrue.Door{
		Front: front, Guards: server.Guards{Front: front, Limits: beside.Limits, Captcha: beside.Captcha}, Health: beside.Health,
		Policy: policy, Signer: kit.Signer, Offered: offered(policy, kit, c.GoTrue.Email), LinkConfirmation: beside.LinkConfirmation,
		SignUp: &flow.SignUp{Kit: kit}, SignIn: &flow.SignIn{Kit: kit}, Sessions: &flow.Sessions{Kit: kit},
		Account: &flow.Account{Kit: kit}, Links: &flow.Links{Kit: kit}, Returns: beside.Returns, URL: base, Linking: c.GoTrue.Linking, IssuedBy: kit.Providers.IssuedBy,
		Admin: admin, Secret: secretOf(c, front, admin, "gotrue"),
	}
	beside.Returns[gotrue.Mark] = door.Return
	return door.Routes(), nil
}

// offered are the ways in, as the door tells of them.
func offered(p *flow.Policy, kit flow.Kit, email bool) gotrue.Offered {
	o := gotrue.Offered{
		Providers: map[string]bool{}, Email: email, Guests: p.Guests, DisableSignUp: p.DisableSignUp, ConfirmsEmails: p.RequireVerifiedEmail,
		ConfirmsPhones: true, Passkeys: false, Phone: p.SignInBySMS && kit.SMSReady,
	}
	for _, name := range inUse(kit.Providers) {
		o.Providers[name] = true
	}
	return o
}

// Package config gathers the settings of all rooms. Each room declares its own struct with tags;
// one walk over them reads flags, environment and env file, reports all mistakes together, shows
// what is in effect and writes the documentation.
package config

import (
	"postern/captcha"
	"postern/claims"
	"postern/deliver"
	"postern/emails"
	"postern/engine"
	"postern/flow"
	"postern/hooks/pghook"
	"postern/limits"
	"postern/outbound"
	"postern/passkeys"
	"postern/passwords"
	"postern/providers"
	"postern/server"
	"postern/server/gotrue"
	"postern/server/hasura"
	"postern/server/platform"
	"postern/sms"
	"postern/store"
	"postern/tokens"
	"postern/totp"
)

// Config is every setting of the house, room by room.
type Config struct {
	// AsGoTrue is the same with the defaults of GoTrue, by which its door decides. What the operator sets counts at
	// every door.
	AsGoTrue *Config

	Server     server.Settings         `title:"Server" doc:"Where the service listens, whom it trusts and what it logs."`
	Hasura     hasura.Settings         `title:"Hasura Auth dialect" doc:"How the door for clients of Hasura Auth speaks."`
	GoTrue     gotrue.Settings         `title:"GoTrue dialect" doc:"The door for clients of Supabase Auth and GoTrue; dialects/gotrue.md says what it has."`
	Platform   platform.Settings       `title:"Hasura platform dialect" doc:"The door for clients of the auth service of Hasura's platform, 0.15; dialects/platform.md says what it has."`
	Store      store.Settings          `title:"Database" doc:"Where users and sessions are kept."`
	Tokens     tokens.Settings         `title:"Tokens and keys" doc:"What signs access tokens, and what seals secrets at rest."`
	Claims     claims.Settings         `title:"Custom claims" doc:"What access tokens say about users besides who they are: session variables for Hasura's permissions."`
	Graph      store.GraphSettings     `title:"Custom claims without Hasura" doc:"What custom claims may read, and under which names, when Postern answers their questions itself; claims-database.md says how."`
	Flow       flow.Settings           `title:"Users and sessions" doc:"Who may sign up and in, how long a session lasts and where links may lead."`
	TOTP       totp.Settings           `title:"Authenticator apps" doc:"The second factor that users may turn on (AUTH_MFA_ENABLED)."`
	Passwords  passwords.Settings      `title:"Passwords" doc:"What a password must be, and how it is hashed."`
	Providers  providers.Settings      `title:"Sign-in at other providers" doc:"Who may vouch for users, and who we are there. Besides the providers below, any OpenID Connect issuer becomes one: AUTH_PROVIDER_MY_CORP_ISSUER, say, makes the provider my-corp, which has the settings AUTH_PROVIDER_MY_CORP_ENABLED, _CLIENT_ID, _CLIENT_SECRET, _SCOPE and _AUDIENCE like the others (but not as flags). providers.md says how to set one up."`
	Passkeys   passkeys.Settings       `title:"Passkeys" doc:"For whom passkeys are made, and where they may be used. AUTH_WEBAUTHN_ENABLED turns them on."`
	Limits     limits.Settings         `title:"Rate limits" doc:"How often one client may ask: as often as the burst says within the interval."`
	Captcha    captcha.Settings        `title:"Captcha" doc:"Who vouches that a person, and not a program, signs up or asks for a mail."`
	Emails     emails.Settings         `title:"Mail" doc:"How mails leave the house, and what they say."`
	SMS        sms.Settings            `title:"Text messages" doc:"How codes reach a telephone."`
	Engine     engine.Settings         `title:"Hasura's engine" doc:"Where Hasura's GraphQL engine is, and what is told to it. HASURA_GRAPHQL_JWT_SECRET, which both must have, is among tokens and keys."`
	Hooks      Hooks                   `title:"Hooks" doc:"Code of your own that is asked before things are done, and may refuse them or change what a token says: receivers of Supabase's Auth Hooks, over HTTP, as functions in the database, or as scripts in JavaScript; scripts.md has more on these."`
	PgHooks    pghook.Settings         `title:"Hooks that are functions in the database" doc:"Over which connection, as which role and for how long functions of hooks (pg-functions://postgres/schema/function) are called."`
	Outbound   outbound.Settings       `title:"Requests to addresses that others chose" doc:"Where requests may go whose address came through an API or out of a script."`
	Management flow.ManagementSettings `title:"Management API" doc:"Programs that bring the scripts of hooks, as they do to Auth0; management.md says how to point them here."`
	OAuth      flow.OAuthSettings      `title:"OAuth server" doc:"Other applications that users may let in on their account; oauth-server.md says how to set it up."`
	Admin      flow.AdminSettings      `title:"Operators" doc:"Who may use the GraphQL API for operators; graphql.md says what it has."`
	Webhook    flow.EngineSettings     `title:"Hasura's webhook mode" doc:"What Hasura's GraphQL engine is told when it asks whose a request is; hasura-webhook.md says how to set it up."`
	Deliver    deliver.Settings        `title:"Background work" doc:"How queued mails and text messages are carried out, and how what expired is swept."`
	Events     deliver.EventSettings   `title:"Events" doc:"Who is told of what happens to users; events.md lists the events and says how they are sent."`
}

// Load reads every setting. The Config is whole even when the report has errors, with the default
// in place of each wrong value, so that commands which need only a part may go on.
func Load(src Source) (*Config, *Report) {
	c := &Config{AsGoTrue: &Config{}}
	report := load(c, src)
	c.contradictions(func(what, right string) {
		report.fail(Problem{Name: "AUTH_JWT_DIALECTS", What: what, Right: right})
	})
	if !c.GoTrue.Enabled {
		return c, report
	}
	known := map[string]bool{}
	for _, p := range report.Errors {
		known[p.Name] = true
	}
	for _, p := range loadAs("gotrue", c.AsGoTrue, src).Errors {
		if !known[p.Name] {
			report.fail(p)
		}
	}
	return c, report
}

// contradictions tells whom tokens would not serve that have other claims than theirs.
func (c *Config) contradictions(tell func(what, right string)) {
	both := "hasura,supabase, or nothing"
	if !c.Tokens.SaysSupabase() && len(c.Tokens.Dialects) > 0 && c.GoTrue.Enabled {
		tell("it is hasura, but AUTH_GOTRUE_API_ENABLED has clients come that read aal and amr, which are claims of Supabase", both)
	}
	if c.Tokens.SaysHasura() {
		return
	}
	for _, c := range []struct {
		set  bool
		what string
	}{
		{c.Claims.Definitions != "", "AUTH_JWT_CUSTOM_CLAIMS defines claims that are among those of Hasura"},
		{c.Admin.Role+c.Admin.ReaderRole != "", "AUTH_ADMIN_ROLE and AUTH_ADMIN_READER_ROLE know operators by roles, which are among the claims of Hasura"},
		{c.Engine.Configured() && !c.Webhook.Webhook, "HASURA_GRAPHQL_GRAPHQL_URL names an engine that goes by the claims of Hasura (unless it asks here, with AUTH_HASURA_WEBHOOK_ENABLED)"},
	} {
		if c.set {
			tell("it is supabase alone, but "+c.what, both)
		}
	}
}

// Require adds to the report what a server for real users cannot start without, or with. Commands
// that need less do without this, and so does the development machine.
func (c *Config) Require(r *Report) {
	said := map[string]bool{}
	for _, p := range r.Errors {
		said[p.Name] = true
	}
	missing := func(name, right string) {
		if !said[name] && !said[name+fileSuffix] {
			r.fail(Problem{Name: name, What: "it is not set, and there is no start without it", Right: right})
		}
	}
	if c.Store.URL() == "" && !said["HASURA_GRAPHQL_DATABASE_URL"] && !said["HASURA_GRAPHQL_DATABASE_URL"+fileSuffix] {
		missing("POSTGRES_CONNECTION", "a connection such as postgres://user:password@host:5432/database (DATABASE_URL beside names of GoTrue); or try 'postern dev', which brings its own")
	}
	if c.Claims.Source == "hasura" && !c.Engine.Configured() {
		missing("HASURA_GRAPHQL_GRAPHQL_URL", "the address of Hasura's engine, such as http://hasura:8080/v1/graphql, since AUTH_CLAIMS_SOURCE is hasura")
	}
	if c.OAuth.Enabled && c.Flow.ServerURL == "" {
		missing("AUTH_SERVER_URL", "the public address of this service, such as https://auth.example.com/v1, since AUTH_OAUTH2_PROVIDER_ENABLED makes it the issuer of tokens")
	}
	if c.Tokens.JWTSecret.IsSample() {
		r.fail(Problem{Name: "HASURA_GRAPHQL_JWT_SECRET", What: "it is a sample that anybody can read in documentation", Right: "a secret of your own; 'postern keys secret' prints a fresh one"})
	}
	if c.Tokens.JWTSecret.IsZero() {
		missing("HASURA_GRAPHQL_JWT_SECRET", "the JSON object that Hasura has under the same name, or GOTRUE_JWT_SECRET; 'postern keys secret' prints a fresh one")
	}
}

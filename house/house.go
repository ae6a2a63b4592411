// Package house puts the rooms together: from settings to a running server. The commands use it,
// and tests that want the whole house.
package house

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"postern/captcha"
	"postern/claims"
	"postern/config"
	"postern/deliver"
	"postern/docs/openapi"
	"postern/emails"
	"postern/flow"
	"postern/graph"
	"postern/hooks"
	"postern/hooks/supabase"
	"postern/limits"
	"postern/passkeys"
	"postern/passwords"
	"postern/providers"
	"postern/server"
	"postern/server/auth0"
	"postern/server/gotrue"
	"postern/server/hasura"
	"postern/server/platform"
	"postern/store"
	"postern/tokens"

	"postern/pause"
)

// adoptedTicketLife is how long the longest-lived ticket of Hasura Auth lives: links in mails that
// it sent work until then.
const adoptedTicketLife = 30 * 24 * time.Hour

// lockout is how many wrong passwords one account takes in a day, wherever they come from (NIST SP
// 800-63B-4 asks for no more than 100 in a row). A right password, or a reset, clears the count.
var lockout = store.Guard{Max: 100, Window: 24 * time.Hour}

// Options are what the settings don't say.
type Options struct {
	Version     string
	Development bool // sample secrets are allowed, and Extra is served
	Log         *slog.Logger
	Now         func() time.Time
	Settings    []config.Value // every setting in effect, as operators may see it
	// Extra are handlers outside the API prefix, each for a path and what lies below it: the inbox
	// of the development machine.
	Extra map[string]http.Handler
	// CatchSMS gets each text message that the gateway "dev" is given: the inbox of the development
	// machine. Nil means that a message is only logged, without its text.
	CatchSMS func(to, text string)
	// Stopping is called when the house begins to close: long answers should end.
	Stopping func()
	// Providers carries requests to sign-in providers, which tests answer themselves; nil is our own.
	Providers *http.Client
	// Hooks are moments that somebody is bound to already, as tests do; nil is none.
	Hooks *hooks.Hooks
	// ScriptProgram runs the scripts of hooks: one that begins with jshook.Main. Empty is the program that
	// runs.
	ScriptProgram string
	// Pool changes the database pool: tests count round trips with it.
	Pool func(*pgxpool.Config)
}

// House is a server that is built and not yet open.
type House struct {
	Handler  http.Handler
	Store    *store.DB
	Kit      flow.Kit
	Carriers *deliver.Carriers
	Engine   *flow.Engine

	metadata  *metadata
	receivers *receivers
	attendant *Attendant // tries hooks for operators; nil where nobody could ask it to
	settings  server.Settings
	identity  *server.Certificate // nil where a proxy speaks TLS, or nobody
	log       *slog.Logger
	now       func() time.Time
	stopping  func()
	working   atomic.Bool // the carriers run
	closing   atomic.Bool // a stop was asked for
	starting  sync.WaitGroup
	giveUp    context.CancelFunc // of what starts
}

// Build connects the rooms. The database is migrated, if the settings say so, and must be there.
func Build(ctx context.Context, c *config.Config, o Options) (*House, error) {
	secret := c.Tokens.JWTSecret
	if secret.IsSample() && !o.Development {
		return nil, errors.New("HASURA_GRAPHQL_JWT_SECRET is a sample that anybody can read in documentation; run 'postern keys secret' for one of your own")
	}
	if c.Flow.KeyFactors && c.Passkeys.RPID == "" && c.Flow.ClientURL == "" && !o.Development {
		return nil, errors.New("AUTH_WEBAUTHN_RP_ID must be set with AUTH_MFA_WEBAUTHN_ENABLED, where AUTH_CLIENT_URL is not: security keys belong to a domain for good")
	}
	for _, w := range secret.Weaknesses() {
		o.Log.WarnContext(ctx, w)
	}
	signer, err := c.Tokens.NewSigner()
	if err != nil {
		return nil, err
	}
	keys, derived, err := tokens.NewKeyring(c.Tokens.EncryptionKey, c.Tokens.PreviousEncryptionKeys, secret)
	if err != nil {
		return nil, err
	}
	if derived && !o.Development {
		o.Log.WarnContext(ctx, "AUTH_ENCRYPTION_KEY is not set, so it is derived from HASURA_GRAPHQL_JWT_SECRET: changing that secret will then end every session; set one with 'openssl rand -hex 32'")
	}

	if c.Store.MigrateAtStart {
		if err := waitFor(ctx, o.Log, func() error { return store.Migrate(ctx, c.Store.MigrationsURL()) }); err != nil {
			return nil, err
		}
	}
	var poolOptions []func(*pgxpool.Config)
	if o.Pool != nil {
		poolOptions = append(poolOptions, o.Pool)
	}
	db, err := store.Open(ctx, c.Store, poolOptions...)
	if err != nil {
		return nil, err
	}
	h, err := furnish(ctx, c, o, db, signer, keys)
	if err != nil {
		db.Close()
		return nil, err
	}
	return h, nil
}

// furnish builds everything above the database.
func furnish(ctx context.Context, c *config.Config, o Options, db *store.DB, signer *tokens.Signer, keys *tokens.Keyring) (h *House, err error) {
	var adoption store.Adoption
	err = waitFor(ctx, o.Log, func() (err error) { adoption, err = db.Adoption(ctx); return err })
	if err != nil {
		return nil, err
	}
	if adoption.MayHandBack() {
		c.Passwords.Hash = "bcrypt" // Hasura Auth must be able to read what is written
		o.Log.InfoContext(ctx, "this database was adopted from Hasura Auth and may be handed back: passwords stay bcrypt until 'postern adopt --commit'")
	}

	defaults(&c.Flow, c.Server)
	guess := c.Limits.BruteForce()
	policy, err := flow.NewPolicy(c.Flow, store.Guard{Max: guess.Burst, Window: guess.Interval}, lockout)
	if err != nil {
		return nil, err
	}
	policy.KnowsPassword = c.GoTrue.Enabled && c.GoTrue.KnowsPassword
	policy.Reauthenticate, policy.BothAddresses = c.GoTrue.Enabled && c.GoTrue.Reauthenticate, c.GoTrue.Enabled && c.GoTrue.SecureEmail
	if err := db.EnsureRoles(ctx, slices.Concat(policy.EnsuredRoles(), c.Admin.Roles())); err != nil {
		return nil, err
	}
	mailer, err := emails.Open(c.Emails, policy.DefaultLocale, o.Now)
	if err != nil {
		return nil, err
	}
	if !mailer.Configured() && !isOn(c, supabase.SendEmail) {
		o.Log.WarnContext(ctx, "no mail server: AUTH_SMTP_HOST and AUTH_SMTP_SENDER are not set, so whatever needs mail answers mail-not-configured")
	}
	table, err := providers.Open(c.Providers, o.Providers, o.Now)
	if err != nil {
		return nil, err
	}
	if err := db.EnsureProviders(ctx, inUse(table)); err != nil {
		return nil, err
	}
	gateway, err := openSMS(ctx, c, o)
	if err != nil {
		return nil, err
	}
	warnOfTestCodes(ctx, policy, o)
	hasher := passwords.NewHasher(c.Passwords, o.Now)
	passwordPolicy := passwords.NewPolicy(c.Passwords)
	passwordPolicy.Unanswered = func(err error) {
		o.Log.WarnContext(ctx, "Have I Been Pwned does not answer: new passwords pass without being looked up (AUTH_PASSWORD_HIBP_FAIL=open)", slog.String("reason", err.Error()))
	}
	for _, w := range c.Engine.Weaknesses() {
		o.Log.WarnContext(ctx, w)
	}
	hasuraEngine, err := Engine(c)
	if err != nil {
		return nil, err
	}
	source := Source(c, db, hasuraEngine, o.Now)
	mapper, err := claims.Open(c.Claims, source, o.Now)
	if err != nil {
		return nil, err
	}
	mapper.Failed = (&failures{store: db, log: o.Log, now: o.Now, told: map[string]time.Time{}}).note
	moments := openHooks(o)
	asked, err := bindReceivers(ctx, c, o, moments)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			asked.close()
		}
	}()
	if err := asked.bindScripts(ctx, c, o, moments, stored{db, keys, mailer}); err != nil {
		return nil, err
	}
	kit := flow.Kit{
		Claims: mapper, Hooks: moments,
		Store: db, Signer: signer, Keys: keys, Policy: policy, Now: o.Now,
		Passwords: hasher, PasswordPolicy: passwordPolicy, Pacer: passwords.NewPacer(hasher, o.Now), Answers: &flow.Answers{Least: 60 * time.Millisecond, Most: 3 * time.Second},
		Refusals:        &flow.Answers{Least: 5 * time.Millisecond, Most: time.Second},
		Questions:       &flow.Answers{Least: 250 * time.Millisecond, Most: 15 * time.Second},
		TOTP:            c.TOTP,
		AccessTokenLife: c.Tokens.AccessTokenLife, MailReady: mailer.Configured() || moments.MailDue.Bound(), HandBack: adoption.MayHandBack(),
		SMS: gateway, SMSReady: gateway.Configured() || moments.SMSDue.TakesAll(), Providers: table,
		Supabase: c.Tokens.SaysSupabase(),
	}
	// Who has a key proves it also where nobody may have another.
	if kit.Passkeys, err = passkeys.Open(c.Passkeys, policy.ClientURL); err != nil {
		wanted := policy.Passkeys || policy.KeyFactors
		switch {
		case wanted && !o.Development:
			return nil, err
		case wanted:
			policy.Passkeys, policy.KeyFactors = false, false
			o.Log.WarnContext(ctx, "passkeys and keys as second factors are off: browsers offer none here", slog.String("reason", err.Error()))
		}
	}
	if kit.HandBack {
		if kit.HandBackSealed, err = db.SharesSealedSecrets(ctx, adoption); err != nil {
			return nil, err
		}
	}
	if adoption.From != "" {
		kit.AdoptedUntil = adoption.AdoptedAt.Add(adoptedTicketLife)
		if err := (&flow.OAuthClients{Kit: kit}).Adopt(ctx); err != nil {
			return nil, err
		}
	}
	identity, err := server.OpenCertificate(c.Server, o.Log, o.Now)
	if err != nil {
		return nil, err
	}
	h = &House{
		Store: db, Kit: kit, receivers: asked, settings: c.Server, identity: identity, log: o.Log, now: o.Now, stopping: o.Stopping,
		Carriers: &deliver.Carriers{Settings: c.Deliver, Events: c.Events, Store: db, Hooks: moments, Mailer: mailer, SMS: gateway, Keys: keys, Log: o.Log, Now: o.Now},
	}
	if err := h.Carriers.OpenRoutes(ctx); err != nil {
		return nil, err
	}
	h.Engine = flow.NewEngine(kit, c.Webhook)
	h.metadata = &metadata{engine: hasuraEngine, store: db, log: o.Log}
	mapper.Checked = h.claimsChecked
	if err := h.checkClaims(ctx, source, o.Development); err != nil {
		return nil, err
	}
	h.Handler, err = h.doors(ctx, c, o, kit)
	return h, err
}

// sending counts what all clients have sent.
func sending(l limits.Settings, kit flow.Kit) *flow.Sending {
	budget := func(key string, l limits.Limit) store.Budget {
		if l.Unlimited() {
			return store.Budget{}
		}
		return store.Budget{Key: key, Burst: l.Burst, Every: l.Interval / time.Duration(l.Burst)}
	}
	return &flow.Sending{Store: kit.Store, Now: kit.Now, Mails: budget("sent:mails", l.EmailTotal()), Texts: budget("sent:texts", l.SMSTotal())}
}

// inUse lists the providers that identities may come from.
func inUse(table *providers.Table) []string {
	return slices.DeleteFunc(table.Known(), func(name string) bool {
		_, _, enabled := table.Find(name)
		_, reads := table.IDTokens(name)
		return !enabled && !reads
	})
}

// doors hangs the doors into their frames.
func (h *House) doors(ctx context.Context, c *config.Config, o Options, kit flow.Kit) (http.Handler, error) {
	proxies, err := c.Server.ParseProxies()
	if err != nil {
		return nil, err
	}
	front := &server.Front{
		Log: o.Log, Now: o.Now, Limits: &limits.Memory{}, Global: c.Limits.Global(), Proxies: proxies, AddressHeader: c.Server.AddressHeader, Logging: c.Server.Logging(), Timeout: c.Server.RequestTimeout,
		TrustsOrigin: kit.Policy.TrustsOrigin, Refuse: c.Hasura.Refuse, Transient: store.IsUnreachable,
	}
	door := &hasura.Door{
		Settings: c.Hasura, Front: front, Policy: kit.Policy, Signer: kit.Signer, Limits: c.Limits, Captcha: captcha.Open(c.Captcha), Sending: sending(c.Limits, kit),
		Health: &server.Health{Version: o.Version, JWKS: kit.Signer.JWKS(), OpenAPI: openapi.Hasura(), Ready: h.ready},
		SignUp: &flow.SignUp{Kit: kit}, SignIn: &flow.SignIn{Kit: kit}, Sessions: &flow.Sessions{Kit: kit},
		Account: &flow.Account{Kit: kit}, Links: &flow.Links{Kit: kit}, Engine: h.Engine,
		Returns: server.Returns{},
	}
	door.Returns[""] = door.Return // its states have no mark
	if door.OAuth, err = oauthDesk(c, kit); err != nil {
		return nil, err
	}
	if door.OAuth != nil {
		h.Engine.Issuers = append(h.Engine.Issuers, door.OAuth.Issuer)
	}
	prefix := c.Server.Prefix()
	if !c.Hasura.Enabled {
		prefix = "" // of nothing but what machines ask
	}
	routes := door.Routes(prefix)
	machines, err := management(ctx, c, front, kit)
	if err != nil {
		return nil, err
	}
	clients := platformDoor(c, door)
	supabase, err := gotrueDoor(c, door, kit)
	if err != nil {
		return nil, err
	}
	if !c.Hasura.Enabled && supabase == nil && clients == nil {
		return nil, errors.New("AUTH_HASURA_API_ENABLED is false, and no other door is open: nobody could sign in; set AUTH_GOTRUE_API_ENABLED or AUTH_PLATFORM_API_ENABLED, or leave it out")
	}
	operators, err := h.operatorsDoor(c, o, front, kit)
	if err != nil {
		return nil, err
	}
	atRoot := !c.Hasura.Enabled && supabase != nil
	// No ServeMux: it redirects unclean paths, which the doors refuse.
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for path, extra := range o.Extra {
			if r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
				extra.ServeHTTP(w, r)
				return
			}
		}
		if operators != nil && r.URL.Path == graph.Path {
			operators.ServeHTTP(w, r)
			return
		}
		if supabase != nil && gotrue.Has(r.URL.Path) {
			supabase.ServeHTTP(w, r)
			return
		}
		forMachine := machines != nil && auth0.Has(r.URL.Path)
		if forMachine && atRoot && c.OAuth.Enabled && r.URL.Path == auth0.TokenPath { // clients of users ask there, too
			forMachine = auth0.AsksForToken(r)
		}
		if atRoot && !hasura.ForMachines(r.URL.Path) && !forMachine && (clients == nil || !platform.Has(r.URL.Path)) {
			supabase.ServeHTTP(w, gotrue.Below(r))
			return
		}
		if forMachine {
			machines.ServeHTTP(w, r)
			return
		}
		if clients != nil && platform.Has(r.URL.Path) {
			clients.ServeHTTP(w, r)
			return
		}
		routes.ServeHTTP(w, r)
	}), nil
}

// defaults fills in what follows from other settings.
func defaults(f *flow.Settings, s server.Settings) {
	if f.ServerURL == "" {
		f.ServerURL = s.Scheme() + "://localhost:" + strconv.Itoa(s.Port) + s.Prefix()
	}
	if f.ClientURL == "" {
		f.ClientURL = f.ServerURL
	}
}

// ready tells why the house should get no traffic, or nil.
func (h *House) ready(ctx context.Context) error {
	switch {
	case h.closing.Load():
		return errors.New("stopping")
	case !h.working.Load():
		return errors.New("the carriers of background work are starting")
	}
	if err := h.Kit.Claims.Ready(); err != nil {
		return err
	}
	return h.Store.Ping(ctx)
}

// Start begins the background work. It does not wait until it runs: the server is healthy before,
// and ready after.
func (h *House) Start(ctx context.Context) {
	ctx, h.giveUp = context.WithCancel(ctx)
	if h.Engine.Settings.Webhook {
		h.starting.Go(func() { h.listen(ctx) })
	}
	h.starting.Go(func() { h.metadata.keep(ctx) })
	h.starting.Go(func() { h.Kit.Claims.Keep(ctx) })
	h.starting.Go(func() {
		for ctx.Err() == nil {
			err := h.Carriers.Start(ctx)
			if err == nil {
				h.working.Store(true)
				break
			}
			h.log.ErrorContext(ctx, "background work cannot start, trying again", slog.String("reason", err.Error()))
			_ = pause.For(ctx, time.Second) // the loop asks the context itself
		}
		kinds, err := h.Store.HashKinds(ctx)
		if err == nil {
			err = h.Kit.Pacer.Calibrate(ctx, kinds...)
		}
		if err != nil && ctx.Err() == nil {
			h.log.WarnContext(ctx, "could not measure the password hashes in use", slog.String("reason", err.Error()))
		}
		// The measured hashes leave twice 19 MiB, which the collector would keep for minutes: once
		// to let go of what is kept for the next hash, once to give it back.
		debug.FreeOSMemory()
		debug.FreeOSMemory()
	})
}

// Serve answers on the listener until the context ends, then lets what is under way finish.
func (h *House) Serve(ctx context.Context, l net.Listener) error {
	srv := &http.Server{
		Handler:           h.Handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		WriteTimeout:      60 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(h.log.Handler(), slog.LevelDebug),
	}
	if h.stopping != nil {
		srv.RegisterOnShutdown(h.stopping)
	}
	failed := make(chan error, 1)
	serve := func() error { return srv.Serve(l) }
	if h.identity != nil {
		srv.TLSConfig = h.identity.Config()
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return errors.Join(err, h.Close(context.WithoutCancel(ctx)))
	case <-ctx.Done():
	}
	h.closing.Store(true)
	h.log.Info("stopping: requests and jobs under way finish, new ones are refused")
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), h.settings.ShutdownTimeout)
	defer cancel()
	err := srv.Shutdown(grace)
	return errors.Join(err, h.Close(grace))
}

// Close stops the background work and leaves the database.
func (h *House) Close(ctx context.Context) error {
	h.closing.Store(true)
	if h.giveUp != nil {
		h.giveUp()
	}
	h.starting.Wait()
	err := h.Carriers.Stop(ctx)
	h.receivers.close()
	if h.attendant != nil {
		h.attendant.Close()
	}
	h.Store.Close()
	return err
}

// Listen opens the port of the settings.
func (h *House) Listen(ctx context.Context) (net.Listener, error) {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", net.JoinHostPort(h.settings.Host, strconv.Itoa(h.settings.Port)))
	if err != nil {
		return nil, fmt.Errorf("cannot listen on port %d: %w; choose another with AUTH_PORT or --port", h.settings.Port, err)
	}
	return l, nil
}

// waitFor tries until the database answers, for as long as a database may take to start. An answer
// that says no is final at once.
func waitFor(ctx context.Context, log *slog.Logger, f func() error) error {
	const tries = 30
	var err error
	for i := range tries {
		if err = f(); err == nil || !store.IsUnreachable(err) {
			return err
		}
		if i == 0 {
			log.InfoContext(ctx, "waiting for the database", slog.String("reason", err.Error()))
		}
		_ = pause.For(ctx, time.Second) // the loop asks the context itself
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return err
}

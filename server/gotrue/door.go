// Package gotrue is the door for clients of GoTrue and of Supabase Auth, which came from it: its routes, its wire
// format and its words for refusals.
package gotrue

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// Prefix is where the door is, as supabase-js builds the addresses.
const Prefix = "/auth/v1"

// Settings are what operators may say about this dialect.
type Settings struct {
	Enabled  bool          `env:"AUTH_GOTRUE_API_ENABLED" default:"false" doc:"Serve clients of Supabase Auth and GoTrue, at /auth/v1."`
	URL      string        `env:"AUTH_GOTRUE_URL" format:"url" doc:"Public address of this API, its path included; links in its mails start with it. Unset, it is AUTH_SERVER_URL with the path /auth/v1 in the place of AUTH_API_PREFIX."`
	Email    bool          `env:"AUTH_GOTRUE_EMAIL_ENABLED" default:"true" doc:"Let users of this API sign up and in with an e-mail address."`
	Linking  bool          `env:"AUTH_GOTRUE_MANUAL_LINKING_ENABLED" default:"false" doc:"Let users link identities at other providers to their account by themselves, and take them off, with clients of this API. Guests become users by it."`
	Allowed  []string      `env:"AUTH_GOTRUE_URI_ALLOW_LIST" doc:"Further addresses that links of this API may lead to, in GoTrue's language: an entry matches all of an address, * stands for any run without a dot or slash, ** for any, so https://*.example.com/** has all pages of all hosts one below."`
	MailLife time.Duration `env:"AUTH_GOTRUE_MAIL_OTP_EXP" unit:"s" default:"86400" min:"1m" max:"168h" doc:"How long links and codes in mails of this API are good for."`

	PathInvite       string `env:"AUTH_GOTRUE_MAIL_PATH_INVITE" doc:"Where links of invitations lead, in the place of /verify below AUTH_GOTRUE_URL: as a browser follows it from there, so that a path with a slash at its beginning takes the place of the path of AUTH_GOTRUE_URL."`
	PathConfirmation string `env:"AUTH_GOTRUE_MAIL_PATH_CONFIRMATION" doc:"The same for links that confirm a sign-up."`
	PathRecovery     string `env:"AUTH_GOTRUE_MAIL_PATH_RECOVERY" doc:"The same for links that sign in or lead to another password."`
	PathEmailChange  string `env:"AUTH_GOTRUE_MAIL_PATH_EMAIL_CHANGE" doc:"The same for links that confirm another address."`

	SecureEmail       bool          `env:"AUTH_GOTRUE_SECURE_EMAIL_CHANGE_ENABLED" default:"true" doc:"A change of address is confirmed at the current address, too, where somebody has confirmed that. It counts at every API as soon as this one is there."`
	OAuthPath         string        `env:"AUTH_GOTRUE_OAUTH_AUTHORIZATION_PATH" default:"/oauth/consent" doc:"Page of the application, below AUTH_CLIENT_URL, that asks users whether they let a client of the OAuth server in (AUTH_OAUTH2_PROVIDER_ENABLED); it gets authorization_id."`
	OAuthDefaultScope string        `env:"AUTH_GOTRUE_OAUTH_DEFAULT_SCOPE" default:"email" doc:"Scopes, with blanks between them, of clients of the OAuth server that ask for none at this API."`
	OAuthRequestLife  time.Duration `env:"AUTH_GOTRUE_OAUTH_AUTHORIZATION_TTL" default:"10m" min:"1m" max:"1h" doc:"How long a request of a client of the OAuth server waits for its user at this API."`
	OAuthRegistration bool          `env:"AUTH_GOTRUE_OAUTH_DYNAMIC_REGISTRATION" default:"false" doc:"Let clients of the OAuth server register themselves at this API (/oauth/clients/register), whoever they are. Users are asked before any of them learns anything."`

	MailInterval time.Duration `env:"AUTH_GOTRUE_MAIL_INTERVAL" default:"1m" min:"0s" max:"24h" doc:"How long one person must wait between two mails of a kind that they ask this API for, beside AUTH_EMAIL_USER_HOURLY_LIMIT. 0 means not at all."`
	TextInterval time.Duration `env:"AUTH_GOTRUE_SMS_INTERVAL" default:"1m" min:"0s" max:"24h" doc:"The same between two text messages, beside AUTH_SMS_USER_HOURLY_LIMIT."`

	RateVerify   float64 `env:"AUTH_GOTRUE_RATE_LIMIT_VERIFY" default:"0" min:"0" max:"1000000" doc:"Requests of one client to open links and to type codes (verify), in five minutes. Where it is 0, here and below, only the limits of every API count; they always do."`
	RateOTP      float64 `env:"AUTH_GOTRUE_RATE_LIMIT_OTP" default:"0" min:"0" max:"1000000" doc:"Requests of one client in five minutes to each of signup, recover, resend, magiclink, otp and PUT user."`
	RateToken    float64 `env:"AUTH_GOTRUE_RATE_LIMIT_TOKEN_REFRESH" default:"0" min:"0" max:"1000000" doc:"Requests of one client for tokens, of all kinds together, in five minutes."`
	RateGuests   float64 `env:"AUTH_GOTRUE_RATE_LIMIT_ANONYMOUS_USERS" default:"0" min:"0" max:"1000000" doc:"Guests that one client may sign up in an hour."`
	RatePasskeys float64 `env:"AUTH_GOTRUE_RATE_LIMIT_PASSKEY" default:"0" min:"0" max:"1000000" doc:"Sign-ins by a passkey that one client may begin in five minutes."`
	RateRegister float64 `env:"AUTH_GOTRUE_RATE_LIMIT_OAUTH_DYNAMIC_CLIENT_REGISTER" default:"0" min:"0" max:"1000000" doc:"Clients of the OAuth server that one client address may register in five minutes."`

	Reauthenticate bool `env:"AUTH_GOTRUE_PASSWORD_REAUTHENTICATION" default:"false" doc:"Users who signed in more than a day ago must give a fresh proof to change their password: here a code that is sent to them (reauthenticate), at the other APIs an elevated session."`
	KnowsPassword  bool `env:"AUTH_GOTRUE_PASSWORD_REQUIRE_CURRENT" default:"false" doc:"Users who have a password must know it to change it: here they send it beside the new one (current_password), at the other APIs their session must be elevated. Whom a mail or a text message let in within the last day need not: they may have forgotten it."`
}

// Check reports entries of the allow-list that cannot be read, and paths that would lead links, and what is in them, to another server.
func (s Settings) Check(report func(env, problem string)) {
	if err := flow.CheckGlobs(s.Allowed); err != nil {
		report("AUTH_GOTRUE_URI_ALLOW_LIST", err.Error())
	}
	if u, err := url.Parse(s.OAuthPath); err != nil || u.IsAbs() || u.Host != "" || u.Fragment != "" || !strings.HasPrefix(s.OAuthPath, "/") {
		report("AUTH_GOTRUE_OAUTH_AUTHORIZATION_PATH", "must be a path such as /oauth/consent")
	}
	if !knownScopes(s.OAuthDefaultScope) {
		report("AUTH_GOTRUE_OAUTH_DEFAULT_SCOPE", "must be one or more of "+strings.Join(OAuthScopes(), ", ")+", with blanks between them")
	}
	for env, path := range map[string]string{
		"AUTH_GOTRUE_MAIL_PATH_INVITE": s.PathInvite, "AUTH_GOTRUE_MAIL_PATH_CONFIRMATION": s.PathConfirmation,
		"AUTH_GOTRUE_MAIL_PATH_RECOVERY": s.PathRecovery, "AUTH_GOTRUE_MAIL_PATH_EMAIL_CHANGE": s.PathEmailChange,
	} {
		if u, err := url.Parse(path); err != nil || u.IsAbs() || u.Host != "" || u.RawQuery != "" || u.Fragment != "" {
			report(env, "must be a path such as /auth/v1/verify")
		}
	}
}

// OAuthScopes are those that clients may ask for here: all but the one that speaks to Hasura.
func OAuthScopes() []string {
	return slices.DeleteFunc(auth.OAuthScopes(), func(s string) bool { return s == auth.ScopeGraphQL })
}

func knownScopes(text string) bool {
	list := strings.Fields(text)
	return len(list) > 0 && !slices.ContainsFunc(list, func(s string) bool { return !slices.Contains(OAuthScopes(), s) })
}

// Door is the dialect over the flows.
type Door struct {
	Front   *server.Front
	Guards  server.Guards
	Health  *server.Health
	Policy  *flow.Policy
	Signer  *tokens.Signer
	Offered Offered
	// LinkConfirmation says who gets a page with a button before a link is used up; see server.AsksFirst.
	LinkConfirmation string

	SignUp   *flow.SignUp
	SignIn   *flow.SignIn
	Sessions *flow.Sessions
	Account  *flow.Account
	Links    *flow.Links
	Returns  server.Returns
	Admin    *flow.Admin
	Secret   server.AdminSecret
	// OAuth is the OAuth server behind the door; nil where there is none.
	OAuth   *flow.OAuth
	Clients *flow.OAuthClients // of it
	// Registers lets clients register themselves.
	Registers bool
	// Rates are limits of this dialect on what one client may do here, beside those that all doors have.
	Rates Rates
	// URL is the public address of the door.
	URL string
	// Linking has users link identities by themselves, and take them off.
	Linking bool
	// IssuedBy finds the provider whose ID tokens an issuer makes, for one of the clients that we are there.
	IssuedBy func(issuer, client string) (provider string, ok bool)
}

// route is one line of the door's table.
type route struct {
	method, path string
	handle       server.Handler
	buckets      []server.Bucket // what one client may do only so often, beside the limit on everything
	rate         server.Rate     // of this dialect
	captcha      bool            // needs a solved captcha, where the operator has set one up
}

func (d *Door) routes() []route {
	mails := []server.Bucket{server.Mails}
	return slices.Concat(d.linkingRoutes(), d.passkeyRoutes(), d.oauthRoutes(), []route{
		{method: "GET", path: "/health", handle: d.health},
		{method: "GET", path: "/settings", handle: d.settings},
		{method: "GET", path: "/.well-known/jwks.json", handle: d.Health.Keys},

		{method: "POST", path: "/signup", handle: d.signUp, buckets: d.signUpBuckets(), captcha: true},
		{method: "POST", path: "/token", handle: d.token, rate: d.Rates.token()},
		{method: "POST", path: "/otp", handle: d.otp, buckets: mails, rate: d.Rates.asking("otp"), captcha: true},
		{method: "POST", path: "/magiclink", handle: d.magicLink, buckets: mails, rate: d.Rates.asking("magiclink"), captcha: true},
		{method: "POST", path: "/recover", handle: d.recover, buckets: mails, rate: d.Rates.asking("recover"), captcha: true},
		{method: "POST", path: "/resend", handle: d.resend, buckets: mails, rate: d.Rates.asking("resend"), captcha: true},
		{method: "GET", path: "/verify", handle: d.openLink, rate: d.Rates.verify()},
		{method: "POST", path: "/verify", handle: d.verify, rate: d.Rates.verify()},

		{method: "GET", path: "/authorize", handle: d.authorize},
		{method: "GET", path: "/callback", handle: d.callback},
		{method: "POST", path: "/callback", handle: d.callback},

		{method: "GET", path: "/user", handle: d.user},
		{method: "PUT", path: "/user", handle: d.updateUser, rate: d.Rates.asking("user")},
		{method: "GET", path: "/reauthenticate", handle: d.reauthenticate},
		{method: "POST", path: "/logout", handle: d.logout},

		{method: "GET", path: "/admin/users", handle: d.forOperators(d.listUsers)},
		{method: "POST", path: "/admin/users", handle: d.forOperators(d.createUser)},
		{method: "GET", path: "/admin/users/{user_id}", handle: d.forOperators(d.getUser)},
		{method: "PUT", path: "/admin/users/{user_id}", handle: d.forOperators(d.changeUser)},
		{method: "DELETE", path: "/admin/users/{user_id}", handle: d.forOperators(d.deleteUser)},
		{method: "GET", path: "/admin/users/{user_id}/factors", handle: d.forOperators(d.listFactors)},
		{method: "PUT", path: "/admin/users/{user_id}/factors/{factor_id}", handle: d.forOperators(d.changeFactor)},
		{method: "DELETE", path: "/admin/users/{user_id}/factors/{factor_id}", handle: d.forOperators(d.deleteFactor)},
		{method: "GET", path: "/admin/users/{user_id}/passkeys", handle: d.forOperators(d.listPasskeys)},
		{method: "DELETE", path: "/admin/users/{user_id}/passkeys/{passkey_id}", handle: d.forOperators(d.deletePasskey)},
		{method: "GET", path: "/admin/audit", handle: d.forOperators(d.auditLog)},
		{method: "POST", path: "/invite", handle: d.forOperators(d.invite)},
		{method: "POST", path: "/admin/generate_link", handle: d.forOperators(d.generateLink)},

		{method: "POST", path: "/factors", handle: d.enrolFactor},
		{method: "DELETE", path: "/factors/{id}", handle: d.removeFactor},
		{method: "POST", path: "/factors/{id}/challenge", handle: d.challengeFactor},
		{method: "POST", path: "/factors/{id}/verify", handle: d.verifyFactor},
	})
}

func (d *Door) signUpBuckets() []server.Bucket {
	if d.Policy.RequireVerifiedEmail {
		return []server.Bucket{server.SignUps, server.Mails}
	}
	return []server.Bucket{server.SignUps}
}

// Has tells whether a path is one of this door's.
func Has(path string) bool {
	return path == Prefix || strings.HasPrefix(path, Prefix+"/") || path == oauthMetadata+Prefix
}

// Below is a request whose path is put below the prefix: GoTrue itself has none.
func Below(r *http.Request) *http.Request {
	u := *r.URL
	u.Path = Prefix + u.Path
	if u.RawPath != "" {
		u.RawPath = Prefix + u.RawPath
	}
	r = r.WithContext(r.Context())
	r.URL = &u
	return r
}

// Routes gives the door's handler. A slash at the end of a path makes no difference.
func (d *Door) Routes() http.Handler {
	byPath := map[string]map[string]server.Handler{}
	for _, r := range d.routes() {
		h := d.Guards.AtRate(r.rate, d.Guards.Within(r.buckets, r.handle))
		if r.captcha {
			h = d.proved(h)
		}
		if byPath[r.path] == nil {
			byPath[r.path] = map[string]server.Handler{}
		}
		byPath[r.path][r.method] = h
	}
	mux := http.NewServeMux()
	for path, methods := range byPath {
		mux.Handle(Prefix+path, d.Front.Limited(byMethod(methods)))
	}
	mux.Handle(oauthMetadata+Prefix, d.Front.Limited(byMethod(map[string]server.Handler{http.MethodGet: d.serving(d.discovery)})))
	nowhere := d.Front.Limited(func(http.ResponseWriter, *http.Request) error { return auth.NotFound })
	mux.Handle("/", nowhere)
	return d.Front.Wrap(withoutSlash(server.Canonical(mux, nowhere)))
}

// byMethod chooses among the handlers of a path.
func byMethod(methods map[string]server.Handler) server.Handler {
	var allowed []string
	for m := range methods {
		allowed = append(allowed, m)
	}
	slices.Sort(allowed)
	return func(w http.ResponseWriter, r *http.Request) error {
		method := r.Method
		if method == http.MethodHead {
			method = http.MethodGet
		}
		h, ok := methods[method]
		if !ok {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			w.WriteHeader(http.StatusMethodNotAllowed)
			return nil
		}
		return h(w, r)
	}
}

// withoutSlash takes the slash off the end of a path.
func withoutSlash(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p := r.URL.Path; len(p) > 1 && strings.HasSuffix(p, "/") && !strings.HasSuffix(p, "//") {
			u := *r.URL
			u.Path = strings.TrimSuffix(p, "/")
			r = r.Clone(r.Context())
			r.URL = &u
		}
		inner.ServeHTTP(w, r)
	})
}

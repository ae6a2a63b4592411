// Package hasura is the door for clients of Hasura Auth: its routes, its wire format and its words
// for refusals. docs/openapi/hasura.yaml is the contract.
package hasura

import (
	"net/http"
	"slices"

	"postern/auth"
	"postern/captcha"
	"postern/flow"
	"postern/limits"
	"postern/server"
	"postern/tokens"
)

// Settings are what operators may say about this dialect.
type Settings struct {
	Enabled          bool   `env:"AUTH_HASURA_API_ENABLED" default:"true" doc:"Serve clients of Hasura Auth. Off, what remains are /healthz, /readyz and /hasura/webhook, and the door for clients of GoTrue is at / too, where GoTrue has it. Unset, it is off where the key of the tokens is GOTRUE_JWT_SECRET or GOTRUE_JWT_KEYS."`
	ConcealErrors    bool   `env:"AUTH_CONCEAL_ERRORS" default:"false" doc:"Answer errors that tell something about an account as a plain invalid-request."`
	ConflictError    string `env:"AUTH_EMAIL_CONFLICT_ERROR" default:"email-already-in-use" oneof:"email-already-in-use user-already-exists" doc:"Error id for an address that another user has: Hasura Auth's up to 2025, or its newer one."`
	LinkConfirmation string `env:"AUTH_LINK_CONFIRMATION" default:"auto" oneof:"auto always off" doc:"Who gets a page with a button before a link of a mail is used up: browsers, everybody, or nobody."`
}

// Door is the dialect over the flows.
type Door struct {
	Settings
	Front  *server.Front
	Health *server.Health
	Policy *flow.Policy
	Signer *tokens.Signer

	SignUp   *flow.SignUp
	SignIn   *flow.SignIn
	Sessions *flow.Sessions
	Account  *flow.Account
	Links    *flow.Links
	Engine   *flow.Engine
	OAuth    *flow.OAuth // nil where clients are not let in
	Returns  server.Returns

	Limits  limits.Settings
	Captcha *captcha.Checker // nil when the operator has set up none
	Sending *flow.Sending    // by all clients together
}

// Routes gives the door's handler. Everything lies below prefix; the health check and what Hasura asks
// are outside of it, too.
func (d *Door) Routes(prefix string) http.Handler {
	routes := d.routes()
	if !d.Enabled {
		routes = slices.DeleteFunc(routes, func(r route) bool { return !r.unlimited })
	}
	mux := http.NewServeMux()
	for _, r := range routes {
		h := d.within(r.buckets, r.handle)
		if r.captcha {
			h = d.proved(h)
		}
		limited := d.Front.Limited(h)
		if r.unlimited {
			limited = d.Front.Handle(r.handle)
		}
		mux.Handle(r.method+" "+prefix+r.path, limited)
	}
	if prefix != "" {
		mux.Handle("GET /healthz", d.Front.Handle(d.Health.LiveStatus))
		for _, r := range d.webhookRoutes() {
			mux.Handle(r.method+" "+r.path, d.Front.Handle(r.handle))
		}
	}
	if d.Enabled && prefix != "" {
		mux.Handle("GET "+oauthMetadata+prefix, d.Front.Limited(d.serving(d.discovery)))
	}
	mux.Handle("/", d.Front.Limited(func(http.ResponseWriter, *http.Request) error { return auth.NotFound }))
	return d.Front.Wrap(server.Canonical(mux, d.Front.Handle(func(http.ResponseWriter, *http.Request) error { return auth.NotFound })))
}

// ForMachines tells whether a path is one that machines ask about the house itself, whichever doors it has.
func ForMachines(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/hasura/webhook"
}

// route is one line of the door's table.
type route struct {
	method, path string
	handle       server.Handler
	buckets      []bucket // what one client may do only so often, beside the limit on everything
	captcha      bool     // needs a solved captcha, where the operator has set one up
	unlimited    bool     // asked by machines that must get an answer
}

func (d *Door) routes() []route {
	return slices.Concat(d.passwordRoutes(), d.linkRoutes(), d.codeRoutes(), d.sessionRoutes(), d.accountRoutes(), d.factorRoutes(), d.passkeyRoutes(), d.guestRoutes(), d.personalTokenRoutes(), d.seenSessionRoutes(), d.providerRoutes(), d.serviceRoutes(), d.webhookRoutes(), d.oauthRoutes())
}

// verification is what a request counts as that mails a link to confirm an address, if it does.
func (d *Door) verification() []bucket {
	if d.Policy.RequireVerifiedEmail {
		return []bucket{email}
	}
	return nil
}

func (d *Door) passwordRoutes() []route {
	return []route{
		{method: "POST", path: "/signup/email-password", handle: d.signUpPassword, buckets: append([]bucket{signups}, d.verification()...), captcha: true},
		{method: "POST", path: "/signin/email-password", handle: d.signInPassword},
	}
}

func (d *Door) linkRoutes() []route {
	return []route{
		{method: "POST", path: "/signup/passwordless/email", handle: d.signUpLink, buckets: []bucket{signups, email}, captcha: true},
		{method: "POST", path: "/signin/passwordless/email", handle: d.signInLink, buckets: []bucket{email}, captcha: true},
		{method: "GET", path: "/verify", handle: d.visit}, // HEAD as well: it never uses anything up
		{method: "POST", path: "/verify", handle: d.confirmVisit},
	}
}

func (d *Door) sessionRoutes() []route {
	return []route{
		{method: "POST", path: "/token", handle: d.refresh},
		{method: "POST", path: "/token/verify", handle: d.verifyToken},
		{method: "POST", path: "/token/exchange", handle: d.exchange},
		{method: "POST", path: "/signout", handle: d.signOut},
	}
}

func (d *Door) accountRoutes() []route {
	return []route{
		{method: "GET", path: "/user", handle: d.user},
		{method: "POST", path: "/user/password", handle: d.changePassword},
		{method: "POST", path: "/user/password/reset", handle: d.resetPassword, buckets: []bucket{email}, captcha: true},
		{method: "POST", path: "/user/email/change", handle: d.changeEmail, buckets: []bucket{email}},
		{method: "POST", path: "/user/email/send-verification-email", handle: d.sendVerification, buckets: d.verification(), captcha: true},
	}
}

func (d *Door) serviceRoutes() []route {
	return []route{
		{method: "GET", path: "/healthz", handle: d.Health.Live, unlimited: true},
		{method: "GET", path: "/readyz", handle: d.Health.Readiness, unlimited: true},
		{method: "GET", path: "/version", handle: d.Health.ServeVersion},
		{method: "GET", path: "/.well-known/jwks.json", handle: d.Health.Keys},
		{method: "GET", path: "/openapi.yaml", handle: d.Health.Document},
	}
}

// bucket is a limit that some routes share.
type bucket = server.Bucket

const (
	email    = server.Mails
	signups  = server.SignUps
	messages = server.Texts
)

func (d *Door) guards() server.Guards {
	return server.Guards{Front: d.Front, Limits: d.Limits, Captcha: d.Captcha, Sending: d.Sending}
}

// within lets a request pass while its client has not used up one of the buckets.
func (d *Door) within(buckets []bucket, h server.Handler) server.Handler {
	return d.guards().Within(buckets, h)
}

// take takes a place in a bucket.
func (d *Door) take(b bucket, client string) error { return d.guards().Take(b, client) }

// proved lets a request pass when a person has solved the captcha for it, or when none is set up.
func (d *Door) proved(h server.Handler) server.Handler { return d.guards().Proved(h) }

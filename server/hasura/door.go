// Package hasura is the door for clients of Hasura Auth: its routes, its wire format and its words
// for refusals. docs/openapi/hasura.yaml is the contract.
package hasura

import (
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/limits"
	"postern/server"
	"postern/tokens"
)

// Settings are what operators may say about this dialect.
type Settings struct {
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

	Limits limits.Settings
}

// Routes gives the door's handler. Everything but the health check outside lies below prefix.
func (d *Door) Routes(prefix string) http.Handler {
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		h := d.Front.Limited(d.within(r.buckets, r.handle))
		if r.unlimited {
			h = d.Front.Handle(r.handle)
		}
		mux.Handle(r.method+" "+prefix+r.path, h)
	}
	if prefix != "" {
		mux.Handle("GET /healthz", d.Front.Handle(d.Health.LiveStatus))
	}
	mux.Handle("/", d.Front.Limited(func(http.ResponseWriter, *http.Request) error { return auth.NotFound }))
	return d.Front.Wrap(server.Canonical(mux, d.Front.Handle(func(http.ResponseWriter, *http.Request) error { return auth.NotFound })))
}

// route is one line of the door's table.
type route struct {
	method, path string
	handle       server.Handler
	buckets      []bucket // what one client may do only so often, beside the limit on everything
	unlimited    bool     // asked by machines that must get an answer
}

func (d *Door) routes() []route {
	mails := []bucket{email}
	verification := mails
	if !d.Policy.RequireVerifiedEmail {
		verification = nil
	}
	return []route{
		{method: "POST", path: "/signup/email-password", handle: d.signUpPassword, buckets: append([]bucket{signups}, verification...)},
		{method: "POST", path: "/signin/email-password", handle: d.signInPassword},
		{method: "POST", path: "/token", handle: d.refresh},
		{method: "POST", path: "/token/verify", handle: d.verifyToken},
		{method: "POST", path: "/token/exchange", handle: d.exchange},
		{method: "POST", path: "/signout", handle: d.signOut},
		{method: "GET", path: "/user", handle: d.user},
		{method: "POST", path: "/user/password", handle: d.changePassword},
		{method: "POST", path: "/user/password/reset", handle: d.resetPassword, buckets: mails},
		{method: "POST", path: "/user/email/change", handle: d.changeEmail, buckets: mails},
		{method: "POST", path: "/user/email/send-verification-email", handle: d.sendVerification, buckets: verification},
		{method: "GET", path: "/verify", handle: d.visit}, // HEAD as well: it never uses anything up
		{method: "POST", path: "/verify", handle: d.confirmVisit},

		{method: "GET", path: "/healthz", handle: d.Health.Live, unlimited: true},
		{method: "GET", path: "/readyz", handle: d.Health.Readiness, unlimited: true},
		{method: "GET", path: "/version", handle: d.Health.ServeVersion},
		{method: "GET", path: "/.well-known/jwks.json", handle: d.Health.Keys},
		{method: "GET", path: "/openapi.yaml", handle: d.Health.Document},
	}
}

// bucket is a limit that some routes share.
type bucket int

const (
	email bucket = iota
	signups
)

// within lets a request pass while its client has not used up one of the buckets.
func (d *Door) within(buckets []bucket, h server.Handler) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		client := server.Client(w).Bucket()
		for _, b := range buckets {
			name, limit, key := "signups", d.Limits.Signups(), client
			if b == email {
				name, limit = "email", d.Limits.Email()
				if d.Limits.EmailIsGlobal {
					key = "everybody"
				}
			}
			if wait, ok := d.Front.Limits.Take(name, key, limit, d.Front.Now()); !ok {
				return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
			}
		}
		err := h(w, r)
		if guess(auth.CodeOf(err)) {
			if wait, ok := d.Front.Limits.Take("guesses", client, d.guesses(), d.Front.Now()); !ok {
				return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
			}
		}
		return err
	}
}

// guess tells whether a refusal may be a guess at a random secret. Wrong passwords are counted by
// the flow, in the database.
func guess(c auth.Code) bool {
	return c == auth.InvalidTicket || c == auth.InvalidExchange || c == auth.InvalidRefreshToken
}

// guesses is the limit on wrong tickets, codes and refresh tokens. They hold 122 random bits, so it
// guards the database rather than the secret; one address may serve an office full of stale tabs.
func (d *Door) guesses() limits.Limit {
	l := d.Limits.BruteForce()
	l.Burst *= 10
	return l
}

// Package platform is the door for clients of the auth service of Hasura's platform, 0.15: signing up and in with
// {"provider", "data"}, asking who one is, and signing out. docs/openapi/platform.yaml is the contract.
package platform

import (
	"net/http"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// Settings are what operators may say about this dialect.
type Settings struct {
	Enabled bool `env:"AUTH_PLATFORM_API_ENABLED" default:"false" doc:"Serve clients of the auth service of Hasura's platform (0.15), at /v1/signup, /v1/login and beside."`
}

// Door is the dialect over the flows.
type Door struct {
	Front  *server.Front
	Guards server.Guards
	Policy *flow.Policy
	Signer *tokens.Signer

	SignUp   *flow.SignUp
	SignIn   *flow.SignIn
	Sessions *flow.Sessions
	Account  *flow.Account
}

// route is one line of the door's table.
type route struct {
	method, path string
	handle       server.Handler
	buckets      []server.Bucket
	captcha      bool
}

func (d *Door) routes() []route {
	signUps := []server.Bucket{server.SignUps}
	if d.Policy.RequireVerifiedEmail {
		signUps = append(signUps, server.Mails)
	}
	texts := []server.Bucket{server.Texts}
	return []route{
		{method: "POST", path: "/v1/signup", handle: d.signUp, buckets: signUps, captcha: true},
		{method: "POST", path: "/v1/login", handle: d.login},
		{method: "GET", path: "/v1/user/info", handle: d.info},
		{method: "POST", path: "/v1/user/logout", handle: d.logout},
		{method: "POST", path: "/v1/providers/mobile/send-otp", handle: d.sendCode, buckets: texts, captcha: true},
		{method: "POST", path: "/v1/providers/mobile/resend-otp", handle: d.sendCode, buckets: texts, captcha: true},
	}
}

// Has tells whether a path is one of this door's. No path of another door is.
func Has(path string) bool {
	switch path {
	case "/v1/signup", "/v1/login", "/v1/user/info", "/v1/user/logout", "/v1/providers/mobile/send-otp", "/v1/providers/mobile/resend-otp":
		return true
	}
	return false
}

// Routes gives the door's handler.
func (d *Door) Routes() http.Handler {
	mux := http.NewServeMux()
	for _, r := range d.routes() {
		h := d.Guards.Within(r.buckets, r.handle)
		if r.captcha {
			h = d.Guards.Proved(h)
		}
		mux.Handle(r.method+" "+r.path, d.Front.Limited(h))
	}
	mux.Handle("/", d.Front.Limited(func(http.ResponseWriter, *http.Request) error { return auth.NotFound }))
	return d.Front.Wrap(server.Canonical(mux, d.Front.Handle(func(http.ResponseWriter, *http.Request) error { return auth.NotFound })))
}

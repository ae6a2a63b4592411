package captcha

import (
	"net/netip"
	"net/url"
	"time"
)

// Settings say which captcha service, if any, vouches for people.
type Settings struct {
	Provider        string        `env:"AUTH_CAPTCHA_PROVIDER" oneof:"turnstile hcaptcha" doc:"Service that tells people from programs: Cloudflare Turnstile or hCaptcha. Empty means none, or Turnstile when AUTH_TURNSTILE_SECRET is set."`
	Secret          string        `env:"AUTH_CAPTCHA_SECRET" secret:"true" doc:"Secret key at the captcha service."`
	TurnstileSecret string        `env:"AUTH_TURNSTILE_SECRET" secret:"true" doc:"Secret key at Cloudflare Turnstile, under the name that Hasura Auth gives it. Requests that sign up or ask for a mail or a text message must then carry the header x-cf-turnstile-response."`
	URL             string        `env:"AUTH_CAPTCHA_URL" format:"url" doc:"Address that answers are checked at, in place of the service's own."`
	Timeout         time.Duration `env:"AUTH_CAPTCHA_TIMEOUT" default:"10s" min:"1s" max:"1m" doc:"How long the captcha service may take; after that the request is refused."`
}

// Check reports settings that do not fit each other.
func (s Settings) Check(report func(env, problem string)) {
	switch {
	case s.TurnstileSecret != "" && s.Secret != "" && s.Secret != s.TurnstileSecret:
		report("AUTH_CAPTCHA_SECRET", "and AUTH_TURNSTILE_SECRET are both set and differ; keep one of them")
	case s.TurnstileSecret != "" && s.Provider == hCaptcha && s.Secret == "":
		report("AUTH_CAPTCHA_PROVIDER", "is hcaptcha, but the only secret there is stands in AUTH_TURNSTILE_SECRET; put hCaptcha's into AUTH_CAPTCHA_SECRET")
	case s.Secret != "" && s.Provider == "" && s.TurnstileSecret == "":
		report("AUTH_CAPTCHA_PROVIDER", "is needed with AUTH_CAPTCHA_SECRET: turnstile or hcaptcha")
	case s.Provider != "" && s.Secret == "" && s.TurnstileSecret == "":
		report("AUTH_CAPTCHA_SECRET", "is needed with AUTH_CAPTCHA_PROVIDER")
	}
	if u, err := url.Parse(s.URL); err == nil && u.Scheme == "http" && !here(u.Hostname()) {
		report("AUTH_CAPTCHA_URL", "must begin with https://, since the secret travels there")
	}
}

// here tells whether a host is this machine.
func here(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

package gotrue

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The names of the settings.
const (
	variableURL     = "AUTH_WEBHOOK_URL"
	variableSecret  = "AUTH_WEBHOOK_SECRET"
	variableRetries = "AUTH_WEBHOOK_RETRIES"
	variableTimeout = "AUTH_WEBHOOK_TIMEOUT_SEC"
	variableEvents  = "AUTH_WEBHOOK_EVENTS"
)

// Settings say who is told of what.
type Settings struct {
	URL     string        `env:"AUTH_WEBHOOK_URL GOTRUE_WEBHOOK_URL" secret:"true" doc:"Receiver of GoTrue's webhooks of old, told of the events below within the request: it may refuse, and may answer with other metadata for the user. Begins with https:// or http://, or with a slash: then it is on the host of AUTH_CLIENT_URL."`
	Secret  string        `env:"AUTH_WEBHOOK_SECRET GOTRUE_WEBHOOK_SECRET" secret:"true" doc:"What signs them: a JWT (HS256) over the SHA-256 of the body, in the header x-webhook-signature. Without it there is no signature."`
	Retries int           `env:"AUTH_WEBHOOK_RETRIES GOTRUE_WEBHOOK_RETRIES" default:"3" min:"0" max:"10" doc:"How often the receiver is asked in all, until an answer counts; 0 is 3."`
	Timeout time.Duration `env:"AUTH_WEBHOOK_TIMEOUT_SEC GOTRUE_WEBHOOK_TIMEOUT_SEC GOTRUE_WEBHOOK_TIMEOUTSEC" default:"5" unit:"s" min:"0s" max:"30s" doc:"How long each of these may take; 0 is 5 seconds. All of them together must fit into AUTH_REQUEST_TIMEOUT."`
	Events  []string      `env:"AUTH_WEBHOOK_EVENTS GOTRUE_WEBHOOK_EVENTS" doc:"Which events the receiver is told of: validate (somebody is about to become a user), signup (a user is confirmed), login (a session opens). None unless set."`
}

// The values that 0 stands for.
const (
	defaultTries   = 3
	defaultTimeout = 5 * time.Second
)

// Tries is how often the receiver is asked.
func (s Settings) Tries() int {
	if s.Retries <= 0 {
		return defaultTries
	}
	return s.Retries
}

// PerTry is how long each time may take.
func (s Settings) PerTry() time.Duration {
	if s.Timeout <= 0 {
		return defaultTimeout
	}
	return s.Timeout
}

// Budget is how long all of them may take together.
func (s Settings) Budget() time.Duration { return time.Duration(s.Tries()) * s.PerTry() }

// Enabled lists the events that the receiver is told of.
func (s Settings) Enabled() []string {
	if s.URL == "" {
		return nil
	}
	return slices.DeleteFunc(Events(), func(name string) bool { return !slices.Contains(s.Events, name) })
}

// Address is where the receiver is; site completes one without a host. The error repeats nothing of it: it may
// have a password in it.
func (s Settings) Address(site string) (string, error) {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "", errors.New("it is no URL")
	}
	if u.IsAbs() || u.Host != "" {
		return s.URL, nil
	}
	base, err := url.Parse(site)
	if err != nil || base.Host == "" {
		return "", errors.New("it names no host, and AUTH_CLIENT_URL, whose host would count, is not set")
	}
	u.Scheme, u.Host, u.User = base.Scheme, base.Host, base.User
	if !strings.HasPrefix(u.Path, "/") {
		u.Path, u.RawPath = "/"+u.Path, ""
	}
	return u.String(), nil
}

// Check reports events that there are not, and receivers that nothing leads to.
func (s Settings) Check(report func(env, problem string)) {
	for _, name := range s.Events {
		switch {
		case slices.Contains(Events(), name):
		case name == "email_change":
			report(variableEvents, "names email_change, which is not told here; the event email.changed of docs/events.md tells it")
		default:
			report(variableEvents, fmt.Sprintf("names %.40q, which is none of %s", name, strings.Join(Events(), ", ")))
		}
	}
	if s.URL == "" && len(s.Events) > 0 {
		report(variableURL, "is needed: "+variableEvents+" is set")
	}
}

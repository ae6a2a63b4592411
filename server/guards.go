package server

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/auth"
	"postern/captcha"
	"postern/flow"
	"postern/limits"
)

// Guards stand before what doors do for people: limits on what costs something, and the captcha. All doors count
// in the same places, so that a second door is no second try.
type Guards struct {
	Front   *Front
	Limits  limits.Settings
	Captcha *captcha.Checker // nil when the operator has set up none
	Sending *flow.Sending    // by all clients together; nil where the flows count it
}

// Bucket is a limit that some routes share.
type Bucket int

// The buckets.
const (
	Mails         Bucket = iota // requests that send a mail
	SignUps                     // requests that make a user
	Texts                       // requests that send a text message
	OAuth                       // requests of clients of the OAuth server, and of browsers that they send
	Registrations               // clients of the OAuth server that register themselves
	guesses                     // wrong tickets, codes and refresh tokens, on every route
)

// Within lets a request pass while its client has not used up one of the buckets.
func (g Guards) Within(buckets []Bucket, h Handler) Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		client := Client(w).Bucket()
		for _, b := range buckets {
			if err := g.Take(b, client); err != nil {
				return err
			}
		}
		err := g.sending(r, buckets, func() error { return h(w, r) })
		if isGuess(auth.CodeOf(err)) || isGuess(auth.CodeOf(Noted(w))) {
			if late := g.Take(guesses, client); late != nil && err != nil {
				return late
			}
		}
		return err
	}
}

// sending counts the messages among the buckets in what all clients have sent, unless the request is refused.
func (g Guards) sending(r *http.Request, buckets []Bucket, send func() error) (refused error) {
	for _, b := range buckets {
		if b != Mails && b != Texts {
			continue
		}
		end, err := g.Sending.Spend(r.Context(), b == Texts)
		if err != nil {
			return err
		}
		defer end(&refused)
	}
	return send()
}

// Take takes a place in a bucket.
func (g Guards) Take(b Bucket, client string) error {
	var wait time.Duration
	ok := true
	switch memory, now := g.Front.Limits, g.Front.Now(); b {
	case Mails:
		if g.Limits.EmailIsGlobal {
			client = "everybody"
		}
		wait, ok = memory.Take("email", client, g.Limits.Email(), now)
	case SignUps:
		wait, ok = memory.Take("signups", client, g.Limits.Signups(), now)
	case Texts:
		wait, ok = memory.Take("texts", client, g.Limits.SMS(), now)
	case OAuth:
		wait, ok = memory.Take("oauth", client, g.Limits.OAuth(), now)
	case Registrations:
		wait, ok = memory.Take("registrations", client, g.Limits.Signups(), now)
	case guesses:
		wait, ok = memory.Take("guesses", client, g.guessLimit(), now)
	}
	if !ok {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	return nil
}

// Rate is a limit that one door has on some of its requests, by client: in Bucket, whose name no other limit has.
type Rate struct {
	Bucket string
	limits.Limit
}

// AtRate lets a request pass while its client has not used a rate up.
func (g Guards) AtRate(r Rate, h Handler) Handler {
	return func(w http.ResponseWriter, req *http.Request) error {
		if err := g.TakeRate(r, Client(w).Bucket()); err != nil {
			return err
		}
		return h(w, req)
	}
}

// TakeRate takes a place of a rate.
func (g Guards) TakeRate(r Rate, client string) error {
	if wait, ok := g.Front.Limits.Take(r.Bucket, client, r.Limit, g.Front.Now()); !ok {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	return nil
}

// isGuess tells whether a refusal may be a guess at a random secret. Wrong passwords are counted by
// the flow, in the database; so are wrong codes, of accounts that there are.
func isGuess(c auth.Code) bool {
	return c == auth.InvalidOTP || c == auth.InvalidTOTP || c == auth.TooManyOTPs || c == auth.InvalidTicket || c == auth.InvalidPasskey || c == auth.InvalidExchange || c == auth.InvalidRefreshToken || c == auth.InvalidPAT || c == auth.InvalidState || c == auth.InvalidGrant || c == auth.OAuthRequestUnknown
}

// guessLimit is the limit on guesses. What is guessed has 122 random bits and needs no guard, so
// whoever holds a good token is never held back by those who guess from the same address; it tells
// a program that guesses to stop, and the limit on everything bounds what it costs.
func (g Guards) guessLimit() limits.Limit {
	l := g.Limits.BruteForce()
	l.Burst *= 10
	return l
}

// Proved lets a request pass when a person has solved the captcha for it, or when none is set up. It
// stands before the limits that clients may share, so that programs cannot use those up.
func (g Guards) Proved(h Handler) Handler {
	if g.Captcha == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) error {
		token, err := g.captchaToken(r.Header)
		if err != nil {
			return err
		}
		if err := g.Captcha.Check(r.Context(), token, Client(w).Address); err != nil {
			return err
		}
		return h(w, r)
	}
}

// captchaToken finds the one token of a request.
func (g Guards) captchaToken(h http.Header) (string, error) {
	for _, name := range g.Captcha.Headers() {
		switch values := h.Values(name); {
		case len(values) > 1:
			return "", fmt.Errorf("%w: %s appears twice", auth.CaptchaFailed, name)
		case len(values) == 1:
			return values[0], nil
		}
	}
	return "", auth.CaptchaMissing
}

// Bearer reads the token of the one Authorization header that there must be. It must read exactly
// "Bearer <token>".
func Bearer(values []string) (string, error) {
	if len(values) != 1 {
		return "", fmt.Errorf("%w: %d Authorization headers", auth.Unauthorized, len(values))
	}
	token, ok := strings.CutPrefix(values[0], "Bearer ")
	if !ok || token == "" || strings.ContainsAny(token, " \t") {
		return "", fmt.Errorf("%w: the Authorization header is not Bearer and a token", auth.Unauthorized)
	}
	return token, nil
}

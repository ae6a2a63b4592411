// Package captcha asks Cloudflare Turnstile or hCaptcha whether a person stands behind a request.
// When the service cannot be asked, the answer is no: otherwise whoever can disturb it would turn the
// protection off.
package captcha

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"postern/auth"
)

const (
	turnstile = "turnstile"
	hCaptcha  = "hcaptcha"

	maxAnswer = 64 << 10
)

// service is what differs between the two, which otherwise speak the same protocol.
type service struct {
	url      string
	maxToken int // bytes of the longest token; Turnstile's are at most 2,048 long
	// headers are where a token may stand in a request, the customary one first.
	headers []string
}

func services(name string) service {
	if name == hCaptcha {
		return service{"https://api.hcaptcha.com/siteverify", 8192, []string{"h-captcha-response", "x-captcha-token"}}
	}
	return service{"https://challenges.cloudflare.com/turnstile/v0/siteverify", 2048, []string{"x-cf-turnstile-response", "x-captcha-token"}}
}

// Checker asks the service. A nil Checker lets everybody pass: no service is set up.
type Checker struct {
	service

	secret  string
	timeout time.Duration
	client  *http.Client
}

// Open gives the checker of the settings, or nil when they name no service.
func Open(s Settings) *Checker {
	secret := s.Secret
	if secret == "" {
		secret = s.TurnstileSecret
	}
	if secret == "" {
		return nil
	}
	c := &Checker{service: services(s.Provider), secret: secret, timeout: s.Timeout, client: &http.Client{
		// A flood of requests waits here, within its time limit, and opens no flood of connections.
		Transport:     &http.Transport{Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConns: 8, MaxIdleConnsPerHost: 8, MaxConnsPerHost: 64, IdleConnTimeout: time.Minute},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if s.URL != "" {
		c.url = s.URL
	}
	if c.timeout <= 0 {
		c.timeout = 10 * time.Second
	}
	return c
}

// Headers are the names of the headers that a token may come in. The first is the customary one.
func (c *Checker) Headers() []string {
	if c == nil {
		return nil
	}
	return slices.Clone(c.headers)
}

// Check asks about a token: nil when a person solved the captcha, auth.CaptchaMissing without a
// token, auth.CaptchaFailed when the service does not accept it, and auth.CaptchaUnavailable when
// it gives no answer that can be believed. A token is good for one question. The address is told to
// the service when it may be a person's.
func (c *Checker) Check(ctx context.Context, token string, from netip.Addr) error {
	switch {
	case c == nil:
		return nil
	case token == "":
		return auth.CaptchaMissing
	case len(token) > c.maxToken || strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r > '~' }):
		return fmt.Errorf("%w: the token is none", auth.CaptchaFailed)
	}
	asking, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	verdict, err := c.ask(asking, token, from)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // whoever asked has gone, or the whole request took too long
	case err != nil:
		return fmt.Errorf("%w: %w", auth.CaptchaUnavailable, err)
	case verdict.Success:
		return nil
	}
	if i := slices.IndexFunc(verdict.Errors, ours); i >= 0 {
		return fmt.Errorf("%w: the service says %s", auth.CaptchaUnavailable, clean(verdict.Errors[i]))
	}
	return fmt.Errorf("%w: the service says %s", auth.CaptchaFailed, clean(strings.Join(verdict.Errors, " ")))
}

// verdict is the service's answer.
type verdict struct {
	Success bool
	Errors  []string
}

// ask puts the question. Its errors hold neither the secret nor the token.
func (c *Checker) ask(ctx context.Context, token string, from netip.Addr) (verdict, error) {
	form := url.Values{"secret": {c.secret}, "response": {token}}
	if from.IsValid() && from.IsGlobalUnicast() && !from.IsPrivate() {
		form.Set("remoteip", from.String())
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, strings.NewReader(form.Encode()))
	if err != nil {
		return verdict{}, errors.New("its address is no URL")
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "Postern")
	answer, err := c.client.Do(request)
	if err != nil {
		var where *url.Error // repeats the address, where an operator may have put a password
		if errors.As(err, &where) {
			err = where.Err
		}
		return verdict{}, err
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer+1))
	if err != nil {
		return verdict{}, fmt.Errorf("reading the answer: %w", err)
	}
	return read(answer.StatusCode, body)
}

// read reads an answer. Only a 200 that says true is a yes. A no may come with another status, but
// then says why.
func read(status int, body []byte) (verdict, error) {
	var v struct {
		Success *bool    `json:"success"`
		Errors  []string `json:"error-codes"`
	}
	believed := len(body) <= maxAnswer && json.Unmarshal(body, &v) == nil && v.Success != nil
	if !believed || status != http.StatusOK && (*v.Success || len(v.Errors) == 0 || status != http.StatusBadRequest) {
		return verdict{}, fmt.Errorf("status %d is not an answer of a captcha service", status)
	}
	return verdict{*v.Success, v.Errors}, nil
}

// ours tells the error codes that are no fault of whoever sent the token: the secret is wrong, or the
// service is in trouble.
func ours(code string) bool {
	return slices.Contains([]string{
		"missing-input-secret", "invalid-input-secret", "sitekey-secret-mismatch", "invalid-sitekey",
		"bad-request", "internal-error", "missing-remoteip", "invalid-remoteip",
	}, code)
}

// clean makes text from outside fit for a line of the log.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '-' || r == ' ' || r == '_' {
			return r
		}
		return -1
	}, s)
	if s == "" {
		return "no, and not why"
	}
	return s[:min(len(s), 200)]
}

// Package httphook asks over HTTP: it posts the question, signed as Standard Webhooks 1.0.0 has it,
// and reads a bounded answer. What an answer means is for dialects.
package httphook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"postern/hooks"
	"postern/pause"
	"postern/webhooks"
)

// NewClient makes the client that questions travel by. Runners share it, so that connections stay
// open. It follows no redirects: the operator named the place, and nobody else may name another.
func NewClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
			ForceAttemptHTTP2:      true,
			TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    10 * time.Second,
			MaxIdleConns:           128,
			MaxIdleConnsPerHost:    64,
			MaxConnsPerHost:        64, // a flood waits for one, within its time limit
			IdleConnTimeout:        time.Minute,
			MaxResponseHeaderBytes: 64 << 10,
			DisableCompression:     true,
		},
		CheckRedirect: stay,
	}
}

func stay(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Options say whom to ask, and how.
type Options struct {
	URL    *url.URL      // from ParseAddress
	Keys   webhooks.Keys // each of them signs; without any there is no signature
	Rules  Rules
	Client *http.Client // from NewClient; or a guarded one for addresses that operators did not choose
	Now    func() time.Time
}

// Runner asks somebody over HTTP. It is safe for concurrent use.
type Runner struct {
	Options
	client *http.Client
	pause  func(ctx context.Context, d time.Duration)
}

// New makes a runner.
func New(o Options) (*Runner, error) {
	if o.URL == nil || o.Client == nil || o.Now == nil {
		return nil, errors.New("httphook: nobody to ask, or nothing to ask by")
	}
	if slices.ContainsFunc(o.Keys, func(k webhooks.Key) bool { return !k.Signs() }) {
		return nil, errors.New("httphook: a public key alone signs nothing; the private one is needed too")
	}
	if o.Rules.MaxAnswer <= 0 {
		o.Rules.MaxAnswer = maxAnswer
	}
	client := *o.Client
	client.CheckRedirect = stay
	client.Jar = nil
	return &Runner{Options: o, client: &client, pause: wait}, nil
}

// Host is whom it asks, for logs.
func (r *Runner) Host() string { return r.URL.Host }

// Run puts the question, again if the rules say so, and always with the same id. Its errors are those
// of package hooks. With a hooks.BadStatus comes an answer that has the status and the header Retry-After,
// and no body.
func (r *Runner) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	if !plainID(c.ID) {
		return hooks.Answer{}, hooks.BadAnswer{Why: "there is none: the event's id cannot be signed"}
	}
	whole, cancel := within(ctx, r.Rules.Budget)
	defer cancel()
	limit := remaining(whole)
	for try := 1; ; try++ {
		answer, err := r.try(whole, c)
		wait, again := r.again(err, answer)
		switch {
		case err == nil:
			return answer, nil
		case errors.Is(ctx.Err(), context.Canceled):
			return answer, ctx.Err() // whoever asked has gone
		case whole.Err() != nil:
			return answer, hooks.TimedOut{After: limit}
		case try >= r.Rules.Tries || !again || tooLate(whole, wait):
			return answer, bare(err)
		}
		r.pause(whole, wait) // cut short, the next try ends at once
	}
}

// within bounds a context, if there is a limit.
func within(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit <= 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, limit)
}

// remaining is how long a context lasts, for messages.
func remaining(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return 0
	}
	return time.Until(end).Round(time.Millisecond)
}

// tooLate tells whether there would be nothing left to wait for an answer with. Without it somebody
// who says no would be reported as somebody who said nothing.
func tooLate(ctx context.Context, wait time.Duration) bool {
	end, ok := ctx.Deadline()
	return ok && wait > 0 && time.Until(end) <= wait
}

// wait waits, or ends with the context: the next try then finds that out.
func wait(ctx context.Context, d time.Duration) { _ = pause.For(ctx, d) }

// again tells whether the question may be put again, and after how long.
func (r *Runner) again(err error, answer hooks.Answer) (wait time.Duration, again bool) {
	var down unreachable
	var slow hooks.TimedOut
	var status hooks.BadStatus
	switch {
	case errors.As(err, &down):
		return r.Rules.Pause, r.Rules.UnreachableAgain && down.passing
	case errors.As(err, &slow):
		return 0, r.Rules.SlowAgain
	case errors.As(err, &status) && r.Rules.Again != nil:
		text := answer.Header["Retry-After"]
		return r.retryAfter(text), r.Rules.Again(status.Status, text != "")
	}
	return 0, false
}

// retryAfter reads seconds or a date. What is neither is no time at all, as with Supabase.
func (r *Runner) retryAfter(text string) time.Duration {
	if seconds, err := strconv.ParseUint(strings.TrimSpace(text), 10, 32); err == nil {
		return time.Duration(seconds) * time.Second // #nosec G115 -- 32 bits of seconds
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, at.Sub(r.Now()))
	}
	return 0
}

// try puts the question once.
func (r *Runner) try(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	ctx, cancel := within(ctx, r.Rules.PerTry)
	defer cancel()
	limit := remaining(ctx)
	request, err := r.request(ctx, c)
	if err != nil {
		return hooks.Answer{}, err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return hooks.Answer{}, r.plainly(ctx, limit, err)
	}
	defer func() { _ = response.Body.Close() }()
	answer := hooks.Answer{Status: response.StatusCode, ContentType: response.Header.Get("Content-Type"), Header: map[string]string{}}
	if text := response.Header.Get("Retry-After"); text != "" {
		answer.Header["Retry-After"] = text
	}
	if !r.Rules.good(response.StatusCode) {
		return answer, hooks.BadStatus{Status: response.StatusCode}
	}
	if answer.Status == http.StatusNoContent {
		return answer, nil
	}
	if err := r.judge(response); err != nil {
		return hooks.Answer{}, err
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, int64(r.Rules.MaxAnswer)+1))
	switch {
	case err != nil:
		return hooks.Answer{}, r.plainly(ctx, limit, err)
	case len(body) > r.Rules.MaxAnswer:
		return hooks.Answer{}, hooks.TooLarge{Most: r.Rules.MaxAnswer}
	case r.Rules.JSON && !jsontext.Value(body).IsValid():
		return hooks.Answer{}, hooks.BadAnswer{Why: "it says that it is JSON, and is not"}
	}
	answer.Body = body
	return answer, nil
}

// request makes one. What the dialect puts in the header stands below what every question has.
func (r *Runner) request(ctx context.Context, c hooks.Call) (*http.Request, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.URL.String(), bytes.NewReader(c.Body))
	if err != nil {
		return nil, unreachable{hooks.Unreachable{Why: "its address is no URL"}, false}
	}
	for name, value := range c.Header {
		request.Header.Set(name, value)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept-Encoding", "identity")
	request.Header.Set("User-Agent", "Postern")
	request.Header.Del(webhooks.HeaderSignature)
	for name, value := range r.Keys.Headers(c.ID, r.Now(), c.Body) {
		request.Header.Set(name, value)
	}
	return request, nil
}

// plainID tells ids that can be signed: a full stop would move the border between id and time.
func plainID(id string) bool {
	return id != "" && len(id) <= 255 && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

// judge looks at an answer's head.
func (r *Runner) judge(response *http.Response) error {
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); r.Rules.JSON && (err != nil || kind != "application/json") {
		return hooks.WrongType{}
	}
	if coding := response.Header.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return hooks.BadAnswer{Why: "it is compressed, which was not asked for"}
	}
	if response.ContentLength > int64(r.Rules.MaxAnswer) {
		return hooks.TooLarge{Most: r.Rules.MaxAnswer}
	}
	return nil
}

// unreachable is a connection that failed. What is passing may be better in a moment.
type unreachable struct {
	hooks.Unreachable
	passing bool
}

// bare gives the error that others know.
func bare(err error) error {
	var down unreachable
	if errors.As(err, &down) {
		return down.Unreachable
	}
	return err
}

// plainly says why there was no answer, without the address that was asked, which may have a key in
// it, and without anything that the other side said.
func (r *Runner) plainly(ctx context.Context, limit time.Duration, err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	var slow net.Error
	var guard interface{ Refusal() string } // of a guarded client
	down := func(why error, passing bool) error {
		return unreachable{hooks.Unreachable{Why: fmt.Sprintf("%s: %v", r.Host(), why)}, passing}
	}
	var where *url.Error
	if errors.As(err, &where) {
		err = where.Err
	}
	switch {
	case errors.As(err, &guard):
		return down(errors.New(guard.Refusal()), false)
	case ctx.Err() != nil, errors.As(err, &slow) && slow.Timeout() && !errors.As(err, &dns):
		return hooks.TimedOut{After: limit}
	case errors.As(err, &dns):
		return down(dns, true)
	case errors.As(err, &certificate):
		return down(certificate, false)
	case errors.As(err, &op):
		return down(op, true)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return down(errors.New("the connection ended without an answer"), true)
	}
	return hooks.BadAnswer{Why: "it is not HTTP, or its head is too large"}
}

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// maxAnswer is the most of an answer that is read, after decompression. A schema is larger than rows
// of one user.
const (
	maxAnswer   = 1 << 20
	maxSchema   = 64 << 20
	maxMetadata = 64 << 20
)

// newTransport keeps connections open, since each token asks once. A flood of requests waits for one
// within its time limit.
func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy:                  proxyOf,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConns:           64,
		MaxIdleConnsPerHost:    64,
		MaxConnsPerHost:        64,
		IdleConnTimeout:        25 * time.Second, // the engine closes idle connections after 30 seconds
		MaxResponseHeaderBytes: 64 << 10,
	}
}

// proxyOf is the proxy of the environment (HTTPS_PROXY) where TLS keeps the admin secret from it. Over
// plain HTTP it would read it, so nobody stands between there.
func proxyOf(r *http.Request) (*url.URL, error) {
	if r.URL.Scheme != "https" {
		return nil, nil //nolint:nilnil // what net/http takes for no proxy
	}
	return http.ProxyFromEnvironment(r)
}

// A guard stands between us and whatever answers at the engine's address. It sends the admin secret,
// and lets through only whole answers of the right size, kind and status.
type guard struct {
	base   http.RoundTripper
	secret string
}

// limitKey is where the context of a request says how large its answer may be.
type limitKey struct{}

func withLimit(ctx context.Context, limit int64) context.Context {
	return context.WithValue(ctx, limitKey{}, limit)
}

// RoundTrip sends a request and reads the whole answer. All its errors are Failures.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	r = r.Clone(ctx)
	r.Header.Set("Accept", "application/json")
	r.Header.Set("User-Agent", "Postern")
	if g.secret != "" {
		r.Header.Set("X-Hasura-Admin-Secret", g.secret)
	}
	answer, err := g.base.RoundTrip(r)
	if err != nil {
		return nil, g.down(ctx, err)
	}
	defer func() { _ = answer.Body.Close() }()
	if answer.StatusCode >= 300 && answer.StatusCode < 400 {
		return nil, g.refuse("it redirects elsewhere (status %d), which is not followed because of the admin secret", answer.StatusCode)
	}
	limit, ok := ctx.Value(limitKey{}).(int64)
	if !ok {
		limit = maxAnswer
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, limit+1))
	switch {
	case err != nil:
		return nil, g.down(ctx, err)
	case int64(len(body)) > limit:
		return nil, g.refuse("its answer is larger than %d MiB", limit>>20)
	}
	if err := g.judge(answer, body); err != nil {
		return nil, err
	}
	answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return answer, nil
}

// judge lets JSON through, with a status that the engine gives to answers and to mistakes of ours.
func (g *guard) judge(answer *http.Response, body []byte) error {
	status := answer.StatusCode
	kind, _, err := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	isJSON := err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json"))
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden && isJSON:
		return g.refuse("%s", g.refusedSecret())
	case status == http.StatusNotFound:
		return g.refuse("there is no such page at its address (status 404)")
	case status >= 400 && (status >= 500 || !isJSON) || status != http.StatusOK && status < 400:
		return g.refuse("it answers with status %d", status)
	case !isJSON:
		return g.refuse("its answer is no JSON but %s", cut(orNothing(kind), g.secret))
	case !jsontext.Value(body).IsValid():
		return g.refuse("its answer says that it is JSON, and is not")
	}
	return nil
}

func (g *guard) refusedSecret() string {
	if g.secret == "" {
		return "the engine wants an admin secret, and HASURA_GRAPHQL_ADMIN_SECRET is not set"
	}
	return "the engine refuses HASURA_GRAPHQL_ADMIN_SECRET"
}

func (g *guard) refuse(format string, args ...any) *Failure {
	return &Failure{reason: "hasura: " + fmt.Sprintf(format, args...), unreachable: true}
}

// down says that no answer came, and why.
func (g *guard) down(ctx context.Context, err error) *Failure {
	var where *url.Error // repeats the address, where an operator may have put a password
	if errors.As(err, &where) {
		err = where.Err
	}
	f := g.refuse("no answer: %s", cut(err.Error(), g.secret))
	f.cause = err
	var slow net.Error
	switch {
	case ctx.Err() != nil:
		f.cause = ctx.Err()
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			f.reason = "hasura: no answer in time"
		}
	case errors.As(err, &slow) && slow.Timeout():
		f.reason = "hasura: no answer in time"
	}
	return f
}

func orNothing(kind string) string {
	if kind == "" {
		return "of no stated kind"
	}
	return kind
}

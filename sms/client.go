package sms

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// maxAnswer is as much of a gateway's answer as is read.
const maxAnswer = 64 << 10

// newClient follows no redirects: the operator named the place, and nobody else may name another.
func newClient() *http.Client {
	return &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10, DisableCompression: true,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// client makes requests with a time limit.
type client struct {
	http    *http.Client
	timeout time.Duration
}

// post is one request to a gateway.
type post struct {
	gateway     string // what errors call it
	url         string
	contentType string
	body        string
	header      http.Header // further ones
	user, pass  string      // of Basic authentication, when there is a user
}

// answer is what came back.
type answer struct {
	status int
	body   []byte
}

func (a answer) ok() bool { return a.status >= 200 && a.status <= 299 }

// do sends the request. The error, if there is one, is a SendError and worth another attempt: there
// was no answer.
func (c client) do(ctx context.Context, p post) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, strings.NewReader(p.body))
	if err != nil {
		return answer{}, hopeless(fmt.Errorf("%s: the address of the gateway cannot be used", p.gateway))
	}
	req.Header.Set("User-Agent", "postern")
	for name, values := range p.header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", p.contentType)
	if p.user != "" {
		req.SetBasicAuth(p.user, p.pass)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return answer{}, &SendError{Err: fmt.Errorf("%s: %w", p.gateway, plainly(ctx, err))}
	}
	defer res.Body.Close()
	// A status that says yes counts even if the rest is cut off: another attempt would be a second message.
	body, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	return answer{status: res.StatusCode, body: body}, nil
}

// plainly says why there was no answer, without the address that was asked, which may have a key in
// it, and without anything that the other side said.
func plainly(ctx context.Context, err error) error {
	var dns *net.DNSError
	var op *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case ctx.Err() != nil, errors.Is(err, context.DeadlineExceeded):
		return errors.New("no answer in time")
	case errors.As(err, &dns):
		return dns
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &op):
		return op
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the connection ended without an answer")
	}
	return errors.New("the answer is not HTTP")
}

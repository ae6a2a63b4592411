package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	patience   = 10 * time.Second // for one answer of a provider
	mostAnswer = 1 << 20          // bytes
)

// newClient makes the client that speaks to providers: it waits ten seconds, follows no redirect
// and reads a mebibyte. A given client lends its transport.
func newClient(given *http.Client) *http.Client {
	var transport http.RoundTripper = &http.Transport{
		Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
		IdleConnTimeout: time.Minute, TLSHandshakeTimeout: patience, MaxResponseHeaderBytes: 64 << 10,
	}
	wait := patience
	if given != nil {
		if given.Transport != nil {
			transport = given.Transport
		}
		if given.Timeout > 0 && given.Timeout < wait {
			wait = given.Timeout
		}
	}
	return &http.Client{
		Transport: capped{transport}, Timeout: wait,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// capped cuts answers off that are too long to be meant well.
type capped struct{ next http.RoundTripper }

// RoundTrip asks, and limits the body.
func (c capped) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, mostAnswer)
	return resp, nil
}

// statusError is an answer that is not 200.
type statusError int

func (s statusError) Error() string { return fmt.Sprintf("answered %d", int(s)) }

// fetch gets one document. Its errors name the host and nothing else of the address.
func fetch(ctx context.Context, client *http.Client, address string, header http.Header) ([]byte, http.Header, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, errors.New("the address is no URL")
	}
	for name, values := range header {
		req.Header[name] = values
	}
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", "application/json")
	}
	req.Header.Set("User-Agent", "Postern")
	return send(client, req)
}

func send(client *http.Client, req *http.Request) ([]byte, http.Header, error) {
	resp, err := client.Do(req)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", req.URL.Hostname(), bare(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", req.URL.Hostname(), bare(err))
	}
	if resp.StatusCode != http.StatusOK {
		return body, nil, fmt.Errorf("%s: %w", req.URL.Hostname(), statusError(resp.StatusCode))
	}
	return body, resp.Header, nil
}

// bare takes the URL off an error of net/http: it may hold what nobody should read in a log.
func bare(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// code lets an OAuth error code into a message, if it is one.
func code(text string) string {
	if text == "" || len(text) > 64 || strings.ContainsFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '_' && r != '.' && r != '-' && (r < '0' || r > '9')
	}) {
		return "no error code"
	}
	return text
}

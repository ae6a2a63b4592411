package jshook

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// What a script may fetch.
const (
	maxFetching  = 8       // requests of one call under way
	maxFetches   = 100     // requests of one call
	maxSent      = 1 << 20 // bytes of a body that is sent
	maxFetched   = 1 << 20 // bytes of a body that comes back
	maxHeaders   = 64      // of a request
	maxHeaderLen = 8 << 10 // of one header of a request
)

// fetcher carries out what one call fetches.
type fetcher struct {
	client *http.Client
	answer func(*fetched)
	limit  chan struct{}
	count  int
	all    sync.WaitGroup
}

// start sends a request, whose answer comes later. It tells whether it does: a worker lets no script ask for so
// much, so one that does is not to be believed.
func (f *fetcher) start(ctx context.Context, r *fetchRequest) bool {
	f.count++
	if f.count > maxFetches {
		return false
	}
	f.all.Go(func() {
		select {
		case f.limit <- struct{}{}:
		case <-ctx.Done():
			return
		}
		defer func() { <-f.limit }() // not before the worker has the answer, so that few are kept here
		a, err := f.do(ctx, r)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			a = &fetched{Error: err.Error()}
		}
		a.ID = r.ID
		f.answer(a)
	})
	return true
}

// do sends one request. Its errors are for the script.
func (f *fetcher) do(ctx context.Context, r *fetchRequest) (*fetched, error) {
	if f.client == nil {
		return nil, errors.New("there is no way out from here")
	}
	request, err := newRequest(ctx, r)
	if err != nil {
		return nil, err
	}
	resp, err := f.client.Do(request)
	if err != nil {
		return nil, errors.New(whyNot(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxFetched+1))
	switch {
	case err != nil:
		return nil, errors.New("the answer broke off")
	case len(body) > maxFetched:
		return nil, errors.New("the answer is too long")
	}
	a := &fetched{Status: resp.StatusCode, StatusText: http.StatusText(resp.StatusCode), Body: body}
	size := 0
	for name, values := range resp.Header {
		for _, v := range values {
			size += len(name) + len(v)
			a.Header = append(a.Header, [2]string{name, strings.ToValidUTF8(v, "\uFFFD")})
		}
	}
	if size > maxFetched/4 {
		return nil, errors.New("the answer has too many headers")
	}
	return a, nil
}

// ourHeaders are those of a request that are not the script's to choose.
var ourHeaders = map[string]bool{
	"Host": true, "Connection": true, "Content-Length": true, "Transfer-Encoding": true, "Upgrade": true, "Te": true,
	"Trailer": true, "Keep-Alive": true, "Proxy-Authorization": true, "Proxy-Connection": true, "Accept-Encoding": true, "Expect": true,
}

func newRequest(ctx context.Context, r *fetchRequest) (*http.Request, error) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("no address that makes sense")
	case u.Scheme != "http" && u.Scheme != "https":
		return nil, errors.New("only http and https are spoken")
	case u.User != nil:
		return nil, errors.New("names and passwords do not belong in an address")
	case len(r.Body) > maxSent:
		return nil, errors.New("the request is too long")
	case len(r.Header) > maxHeaders:
		return nil, errors.New("the request has too many headers")
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace || r.Method == "TRACK":
		return nil, errors.New("no method for a script")
	}
	var body io.Reader
	if len(r.Body) > 0 {
		body = bytes.NewReader(r.Body)
	}
	request, err := http.NewRequestWithContext(ctx, r.Method, u.String(), body)
	if err != nil {
		return nil, errors.New("no request that makes sense")
	}
	for _, h := range r.Header {
		name := http.CanonicalHeaderKey(h[0])
		if ourHeaders[name] {
			continue
		}
		if len(h[1]) > maxHeaderLen {
			return nil, errors.New("a header of the request is too long")
		}
		request.Header.Add(name, h[1])
	}
	if request.Header.Get("User-Agent") == "" {
		request.Header.Set("User-Agent", "postern-hook")
	}
	return request, nil
}

// whyNot says why a request failed, without its address, which may have a secret in it.
func whyNot(err error) string {
	var refused interface{ Refusal() string }
	var timeout interface{ Timeout() bool }
	switch {
	case errors.As(err, &refused):
		return refused.Refusal()
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	}
	return "cannot be reached"
}

// straight is a client that follows no redirects.
func straight(c *http.Client) *http.Client {
	if c == nil {
		return nil
	}
	own := *c
	own.Jar = nil
	own.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &own
}

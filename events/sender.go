package events

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"
)

// A Message is one event as receivers get it.
type Message struct {
	ID        string          `json:"id"` // the same in every attempt and at every receiver
	Type      string          `json:"type"`
	Timestamp time.Time       `json:"timestamp"` // when it happened
	Data      json.RawMessage `json:"data"`
}

// MessageID is the id of a message by the id of its event.
func MessageID(eventID string) string { return "evt_" + eventID }

// A Failure is an attempt that failed. Its text holds nothing that the receiver said but its status.
type Failure struct {
	Reason string
	// Down means that the receiver did not take in what it was sent, whatever it was: it was not
	// reached, or it is overloaded.
	Down       bool
	RetryAfter time.Duration // the receiver asks for as much
	Gone       bool          // the receiver wants no events any more
}

// Error is the reason.
func (f *Failure) Error() string { return "events: " + f.Reason }

// A Sender hands messages to one endpoint.
type Sender struct {
	Endpoint

	timeout time.Duration
	now     func() time.Time
	client  *http.Client
}

const (
	maxHeaders    = 64 << 10
	maxDrained    = 4 << 10 // of an answer, so that its connection can be used again
	maxRetryAfter = 24 * time.Hour
)

// Open makes the sender of an endpoint that as many as given use at once. Its address was written by
// the operator, so it is asked wherever it is; redirects are not followed.
func (e Endpoint) Open(atOnce int, timeout time.Duration, now func() time.Time) *Sender {
	return &Sender{Endpoint: e, timeout: timeout, now: now, client: &http.Client{
		Transport: &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConns: atOnce, MaxIdleConnsPerHost: atOnce, MaxConnsPerHost: atOnce, IdleConnTimeout: time.Minute,
			MaxResponseHeaderBytes: maxHeaders, TLSHandshakeTimeout: timeout,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close lets go of the connections that are not in use.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send hands one message over. A status from 200 to 299 means that it was taken, anything else is a
// *Failure. What the answer says beside its status does not matter, and is not read.
func (s *Sender) Send(ctx context.Context, m Message) error {
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("events: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL, bytes.NewReader(body))
	if err != nil {
		return errors.New("events: the address of the endpoint cannot be used")
	}
	for name, values := range s.Header {
		req.Header[name] = values
	}
	req.Header.Set("Content-Type", "application/json")
	if req.Header.Get("User-Agent") == "" {
		req.Header.Set("User-Agent", "Postern")
	}
	for name, value := range s.Keys.Headers(m.ID, s.now(), body) {
		req.Header.Set(name, value)
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return &Failure{Reason: unreached(err), Down: true}
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 200 && resp.StatusCode <= 299 {
		_, _ = io.CopyN(io.Discard, resp.Body, maxDrained)
		return nil
	}
	return s.refused(resp)
}

// refused words an answer that is no yes.
func (s *Sender) refused(resp *http.Response) *Failure {
	f := &Failure{Reason: "status " + strconv.Itoa(resp.StatusCode)}
	switch {
	case resp.StatusCode == http.StatusGone:
		f.Gone = true
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode >= 502 && resp.StatusCode <= 504:
		f.Down = true
	case resp.StatusCode >= 300 && resp.StatusCode <= 399:
		f.Reason += ", and redirects are not followed"
	}
	if f.Down {
		f.RetryAfter = retryAfter(resp.Header.Get("Retry-After"), s.now())
	}
	return f
}

// retryAfter reads a number of seconds or a date, bounded; anything else asks for nothing.
func retryAfter(text string, now time.Time) time.Duration {
	var d time.Duration
	if seconds, err := strconv.Atoi(text); err == nil {
		d = time.Duration(min(seconds, int(maxRetryAfter/time.Second))) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		d = at.Sub(now)
	}
	return min(max(d, 0), maxRetryAfter)
}

// unreached words why there was no answer, without the address, which may hold a secret.
func unreached(err error) string {
	var timeout net.Error
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "no answer in time"
	case errors.As(err, &dns):
		return "its host is not known"
	case errors.As(err, &op) && op.Op == "dial":
		return "no connection"
	default:
		return "the connection broke, or the answer is not HTTP"
	}
}

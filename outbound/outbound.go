// Package outbound carries requests to addresses that somebody other than the operator chose: they
// came through an API, or out of a script. Such an address must not lead to where only this machine can
// reach: its own services, the private network, the metadata service of a cloud.
//
// What counts is the address that a connection is made to, and it is judged after names were
// resolved, at each connection. So no name, notation, redirect or second answer of a name server gets
// around it. A proxy would: requests of this package go through none.
package outbound

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Refused says that a request may not go where it was to go. Its words hold neither the path nor
// the query of an address, nor who was to sign in there.
type Refused struct{ Reason string }

// Error is the reason.
func (r *Refused) Error() string { return "outbound: " + r.Reason }

// Refusal is the reason, for those who do not know this package.
func (r *Refused) Refusal() string { return r.Reason }

func refuse(format string, args ...any) error { return &Refused{fmt.Sprintf(format, args...)} }

// ErrTooLarge says that an answer has more bytes than are taken.
var ErrTooLarge = errors.New("outbound: the answer is too large")

// Guard judges where requests go.
type Guard struct {
	networks []netip.Prefix
	ports    []uint16
	resolver *net.Resolver // nil is that of the system
}

// New gives the guard of the settings.
func New(s Settings) (*Guard, error) {
	networks, err := parseNetworks(s.AllowedNetworks)
	if err != nil {
		return nil, fmt.Errorf("AUTH_OUTBOUND_ALLOWED_NETWORKS: %w", err)
	}
	ports, err := parsePorts(s.AllowedPorts)
	if err != nil {
		return nil, fmt.Errorf("AUTH_OUTBOUND_ALLOWED_PORTS: %w", err)
	}
	return &Guard{networks: networks, ports: ports}, nil
}

// Address judges where a connection is to go.
func (g *Guard) Address(to netip.AddrPort) error {
	if !to.IsValid() {
		return refuse("there is no such address")
	}
	address := to.Addr().Unmap()
	if to.Addr().Zone() == "" {
		for _, n := range g.networks {
			if n.Contains(address) {
				return nil
			}
		}
	}
	if what := homely(address); what != "" {
		return refuse("%s is %s; AUTH_OUTBOUND_ALLOWED_NETWORKS may except it", address, what)
	}
	if !slices.Contains(g.ports, to.Port()) {
		return refuse("port %d is not one that may be asked; AUTH_OUTBOUND_ALLOWED_PORTS has those", to.Port())
	}
	return nil
}

// URL reads an address as it came, and refuses what can be seen to be wrong before anything is
// asked: for the moment in which somebody saves it. Whether a name leads somewhere private is seen when a connection
// is made.
func (g *Guard) URL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || len(raw) > 2048 {
		return nil, refuse("it is no URL")
	}
	return u, g.check(u)
}

func (g *Guard) check(u *url.URL) error {
	host := u.Hostname()
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return refuse("it does not begin with https:// or http://")
	case u.User != nil:
		return refuse("it has a user or a password in it")
	case u.Opaque != "" || host == "":
		return refuse("it names no host")
	}
	port, err := strconv.ParseUint(portOf(u), 10, 16)
	if err != nil || port == 0 {
		return refuse("its port is none")
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.Is4In6() || a.Zone() != "" {
			return refuse("its host is an address in a notation that nothing honest needs")
		}
		return g.Address(netip.AddrPortFrom(a, uint16(port)))
	}
	if !named(host) {
		return refuse("its host is neither a name nor an address as it is usually written")
	}
	return nil
}

func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "http":
		return "80"
	}
	return "443"
}

// named tells a name of the domain name system from numbers in disguise: 2130706433, 0x7f.1 and
// 0177.0.0.1 are this machine to some resolvers. Names in other scripts come as xn--.
func named(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if len(host) > 253 {
		return false
	}
	last := ""
	for label := range strings.SplitSeq(host, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || strings.ContainsFunc(label, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return false
		}
		last = strings.ToLower(label)
	}
	return last[0] < '0' || last[0] > '9' // no top-level domain begins with a digit, and every such number does
}

// Limits bound one request: from its start to the last byte of the answer.
type Limits struct {
	Time time.Duration // 30 seconds when zero
	Body int64         // bytes of an answer, 1 MiB when zero
}

// Client gives a client that goes where the guard lets it, follows no redirect (the answer that
// redirects is what the caller gets), takes no compressed answers and ends within the limits.
func (g *Guard) Client(l Limits) *http.Client {
	if l.Time <= 0 {
		l.Time = 30 * time.Second
	}
	if l.Body <= 0 {
		l.Body = 1 << 20
	}
	return &http.Client{
		Transport: &guarded{guard: g, next: g.transport(), body: l.Body}, Timeout: l.Time,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (g *Guard) transport() *http.Transport {
	return &http.Transport{
		DialContext:            g.DialContext,
		ForceAttemptHTTP2:      true,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    10 * time.Second,
		ResponseHeaderTimeout:  30 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		MaxIdleConns:           64, MaxIdleConnsPerHost: 4, MaxConnsPerHost: 64,
		IdleConnTimeout:    30 * time.Second,
		DisableCompression: true,
	}
}

// DialContext connects to where the guard lets it.
func (g *Guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{
		Timeout: 10 * time.Second, KeepAlive: 15 * time.Second, Resolver: g.resolver,
		// Runs once for each address that is tried, when the name has become one.
		Control: func(network, address string, _ syscall.RawConn) error {
			if network != "tcp4" && network != "tcp6" {
				return refuse("it is not reached by TCP")
			}
			to, err := netip.ParseAddrPort(address)
			if err != nil {
				return refuse("there is no such address")
			}
			return g.Address(to)
		},
	}
	return d.DialContext(ctx, network, address)
}

// guarded is the transport of a client.
type guarded struct {
	guard *Guard
	next  http.RoundTripper
	body  int64
}

// RoundTrip judges the URL, asks, and cuts the answer off where it grows too large.
func (t *guarded) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := t.guard.check(r.URL); err != nil {
		if r.Body != nil {
			_ = r.Body.Close()
		}
		return nil, err
	}
	if r.Header.Get("Accept-Encoding") == "" {
		r = r.Clone(r.Context())
		r.Header.Set("Accept-Encoding", "identity")
	}
	answer, err := t.next.RoundTrip(r)
	if err != nil {
		return nil, bare(err)
	}
	answer.Body = &capped{answer.Body, t.body}
	return answer, nil
}

// bare takes the dialler's words off a refusal, so that it reads the same wherever it was noticed.
func bare(err error) error {
	var refused *Refused
	if errors.As(err, &refused) {
		return refused
	}
	return err
}

// capped is a body that ends with an error where it grows too large.
type capped struct {
	body io.ReadCloser
	left int64
}

// Read reads on while there is room.
func (c *capped) Read(p []byte) (int, error) {
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.body.Read(p)
	if int64(n) > c.left {
		return int(c.left), ErrTooLarge
	}
	c.left -= int64(n)
	return n, err
}

// Close lets go of the connection.
func (c *capped) Close() error { return c.body.Close() }

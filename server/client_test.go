package server

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestWeakness18ClientAddressComesFromTrustedProxiesOnly(t *testing.T) {
	t.Parallel()
	proxies, err := parseProxies([]string{"10.0.0.0/8", "192.0.2.1", "2001:db8::/32"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, peer string
		forwarded  []string
		want       string
	}{
		{"no proxy", "203.0.113.7:1", nil, "203.0.113.7"},
		{"a stranger claims to be someone", "203.0.113.7:1", []string{"1.2.3.4"}, "203.0.113.7"},
		{"a trusted proxy", "10.1.2.3:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"the client wrote further left", "10.1.2.3:1", []string{"6.6.6.6, 1.2.3.4"}, "1.2.3.4"},
		{"two proxies", "10.1.2.3:1", []string{"6.6.6.6, 1.2.3.4, 192.0.2.1"}, "1.2.3.4"},
		{"two headers", "10.1.2.3:1", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"only proxies", "10.1.2.3:1", []string{"10.9.9.9"}, "10.9.9.9"},
		{"with a port", "10.1.2.3:1", []string{"1.2.3.4:5678"}, "1.2.3.4"},
		{"IPv6 in brackets", "10.1.2.3:1", []string{"[2a00::1]:5678"}, "2a00::1"},
		{"IPv4 in IPv6", "[::ffff:10.1.2.3]:1", []string{"::ffff:1.2.3.4"}, "1.2.3.4"},
		{"IPv6 proxy", "[2001:db8::5]:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"garbage", "10.1.2.3:1", []string{"unknown"}, "10.1.2.3"},
		{"garbage left of a client", "10.1.2.3:1", []string{"<script>, 1.2.3.4"}, "1.2.3.4"},
		{"empty", "10.1.2.3:1", []string{""}, "10.1.2.3"},
	} {
		f := &Front{Proxies: proxies, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		for _, v := range c.forwarded {
			r.Header.Add("X-Forwarded-For", v)
		}
		// T-15: what looks like it but is not the header that proxies set.
		for _, name := range []string{"X_Forwarded_For", "X-Real-Ip", "Forwarded", "True-Client-Ip", "Cf-Connecting-Ip", "X-Client-Ip", "X-Forwarded-Host", "X-Original-Forwarded-For"} {
			r.Header.Set(name, "for=9.9.9.9")
		}
		if got := f.client(r).Address.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// TestClientAddressIsInTheHeaderThatTheOperatorNames reads it as X-Forwarded-For is read: from nobody but a proxy, and from the end,
// since what stands first a client may have written. No other header counts then.
func TestClientAddressIsInTheHeaderThatTheOperatorNames(t *testing.T) {
	t.Parallel()
	proxies, err := parseProxies([]string{"10.0.0.0/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, peer string
		said       []string
		want       string
	}{
		{"a stranger claims to be someone", "203.0.113.7:1", []string{"1.2.3.4"}, "203.0.113.7"},
		{"a trusted proxy", "10.1.2.3:1", []string{"1.2.3.4"}, "1.2.3.4"},
		{"the client wrote one, too", "10.1.2.3:1", []string{"6.6.6.6", "1.2.3.4"}, "1.2.3.4"},
		{"the client wrote further left", "10.1.2.3:1", []string{"6.6.6.6, 1.2.3.4, 10.0.0.1"}, "1.2.3.4"},
		{"the proxy leaves it out", "10.1.2.3:1", nil, "10.1.2.3"},
		{"no address", "10.1.2.3:1", []string{"user-42"}, "10.1.2.3"},
	} {
		f := &Front{Proxies: proxies, AddressHeader: "CF-Connecting-IP", Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header.Set("X-Forwarded-For", "9.9.9.9")
		for _, v := range c.said {
			r.Header.Add("cf-connecting-ip", v)
		}
		if got := f.client(r).Address.String(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if got := f.Beside(nil).client(r).Address.String(); got != c.want {
			t.Errorf("%s: got %s at another door, want %s", c.name, got, c.want)
		}
	}
}

func TestAHeaderThatProxiesLeaveOutIsToldOf(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	proxies, err := parseProxies([]string{"192.0.2.1"})
	if err != nil {
		t.Fatal(err)
	}
	f := &Front{Proxies: proxies, AddressHeader: "X-Real-IP", Now: time.Now, Log: slog.New(slog.NewTextHandler(&log, nil))}
	for range 3 {
		f.client(httptest.NewRequest(http.MethodGet, "/", nil)) // from 192.0.2.1
	}
	if n := strings.Count(log.String(), "AUTH_CLIENT_ADDRESS_HEADER"); n != 1 {
		t.Errorf("warned %d times, want once:\n%s", n, log.String())
	}
}

func TestProxiesThatAreNoNetworksAreRefused(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"all", "10.0.0.0/33", "proxy.example.com", "*"} {
		if _, err := parseProxies([]string{s}); err == nil {
			t.Errorf("%q should be refused", s)
		}
	}
}

func TestUntrustedProxyIsWarnedAboutOnce(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	now := time.Unix(1_000_000, 0)
	f := &Front{Now: func() time.Time { return now }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Header.Set("X-Forwarded-For", "1.2.3.4")
	for range 3 {
		f.client(r)
	}
	if n := strings.Count(log.String(), "AUTH_TRUSTED_PROXIES"); n != 1 {
		t.Errorf("warned %d times, want once:\n%s", n, log.String())
	}
}

func FuzzForwardedFor(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "[::1]:80", "a,b,,", "::ffff:1.2.3.4%eth0", ","} {
		f.Add(s)
	}
	proxies, err := parseProxies([]string{"0.0.0.0/0"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		fr := &Front{Proxies: proxies, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["X-Forwarded-For"] = []string{s}
		if c := fr.client(r); !c.Address.IsValid() || c.Address.Zone() != "" {
			t.Fatalf("%q: %v", s, c.Address)
		}
	})
}

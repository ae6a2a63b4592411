package server

import (
	"cmp"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"postern/auth"
)

// Logging is what the audit log gets of addresses.
func (s Settings) Logging() auth.AddressLogging {
	if s.AuditAddress == "network" {
		return auth.LogNetwork
	}
	return auth.AddressLogging(s.AuditAddress)
}

// ParseProxies reads the list of trusted proxies.
func (s Settings) ParseProxies() ([]netip.Prefix, error) { return parseProxies(s.TrustedProxies) }

func parseProxies(list []string) ([]netip.Prefix, error) {
	var nets []netip.Prefix
	for _, s := range list {
		if a, err := netip.ParseAddr(s); err == nil {
			a = a.Unmap()
			nets = append(nets, netip.PrefixFrom(a, a.BitLen()))
			continue
		}
		n, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("%q must be a network such as 10.0.0.0/8, or an address", s)
		}
		nets = append(nets, n.Masked())
	}
	return nets, nil
}

// forwardedFor is the header in which proxies say who the client is, unless the operator names another.
const forwardedFor = "X-Forwarded-For"

// isHeader tells whether a text can be the name of a header.
func isHeader(name string) bool {
	return name != "" && len(name) <= 64 && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
	})
}

// client is who sent the request: the peer of the connection, or, when that is a trusted proxy, the last address of
// the header of proxies that is not one. Whatever else a request says of its origin (Forwarded, other headers,
// addresses further left) is hearsay and not looked at.
func (f *Front) client(r *http.Request) auth.Client {
	c := auth.Client{UserAgent: r.UserAgent(), Logging: f.Logging}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return c
	}
	c.Address = peer.Addr().Unmap().WithZone("")
	name := cmp.Or(f.AddressHeader, forwardedFor)
	forwarded := r.Header.Values(name)
	trusted := f.trusted(c.Address)
	switch {
	case len(forwarded) == 0 && trusted && name != forwardedFor && f.untrusted.due(f.Now()):
		f.Log.WarnContext(r.Context(), "a trusted proxy sends no "+name+" (AUTH_CLIENT_ADDRESS_HEADER): all clients behind it share one rate limit and one address",
			slog.String("peer", c.Address.String()))
	case len(forwarded) > 0 && !trusted && f.untrusted.due(f.Now()):
		f.Log.WarnContext(r.Context(), "a proxy that is not trusted sends "+name+": all clients behind it share one rate limit and one address; if it is yours, name it in AUTH_TRUSTED_PROXIES",
			slog.String("peer", c.Address.String()))
	}
	if len(forwarded) == 0 || !trusted {
		return c
	}
	hops := strings.Split(strings.Join(forwarded, ","), ",")
	for i := len(hops) - 1; i >= 0; i-- {
		a, ok := hop(hops[i])
		if !ok {
			return c // whoever wrote this is the last one we can name
		}
		c.Address = a
		if !f.trusted(a) {
			return c
		}
	}
	return c
}

// hop reads one address of X-Forwarded-For, with or without a port.
func hop(s string) (netip.Addr, bool) {
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return a.Unmap().WithZone(""), true
	}
	if p, err := netip.ParseAddrPort(s); err == nil {
		return p.Addr().Unmap().WithZone(""), true
	}
	return netip.Addr{}, false
}

func (f *Front) trusted(a netip.Addr) bool {
	for _, n := range f.Proxies {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// Client gives a handler the client of its request.
func Client(w http.ResponseWriter) auth.Client {
	if rec := recorderOf(w); rec != nil {
		return rec.client
	}
	return auth.Client{}
}

// onceEvery lets a warning through once in ten minutes.
type onceEvery struct{ last atomic.Int64 }

func (o *onceEvery) due(now time.Time) bool {
	last := o.last.Load()
	return now.Unix()-last >= 600 && o.last.CompareAndSwap(last, now.Unix())
}

package providers

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// Table has the providers at which people may sign in.
type Table struct {
	known    map[string]bool
	enabled  map[string]Provider
	idTokens map[string]IDTokenVerifier

	callbacks map[string]string
}

// Open makes the providers of the settings ready. It asks nobody anything: a provider that is down
// stops no start. A nil client means one of our own; of a given one the transport is used, and its
// time limit where that is shorter than ours.
func Open(s Settings, client *http.Client, now func() time.Time) (*Table, error) {
	t := &Table{known: map[string]bool{}, enabled: map[string]Provider{}, idTokens: map[string]IDTokenVerifier{}, callbacks: map[string]string{}}
	for _, r := range rows() {
		t.known[r.name] = true
	}
	outside := newClient(client)
	var problem error
	s.Check(func(env, text string) {
		if problem == nil {
			problem = fmt.Errorf("%s %s", env, text)
		}
	})
	if problem != nil {
		return nil, problem
	}
	for name, c := range s.Clients {
		r := rowOf(name)
		t.known[name] = true
		o := &oauth{row: r, settings: *c, http: outside, now: now, issuer: r.openIssuer(*c, outside, now)}
		if c.Enabled {
			t.enabled[name], t.callbacks[name] = o.provider(), c.CallbackURL
		}
		audiences := slices.DeleteFunc(slices.Clone(c.Audiences), func(s string) bool { return s == "" })
		if c.Enabled {
			audiences = append(audiences, c.ID)
		}
		if o.issuer != nil && len(audiences) > 0 && r.readsIDTokens() && !(r.issuer == issuerSet && c.Issuer == "") && !(r.needsURL && c.URL == "") {
			t.idTokens[name] = &idTokens{row: r, issuer: o.issuer, audiences: audiences}
		}
	}
	return t, nil
}

// provider gives the odd ones their own type.
func (o *oauth) provider() Provider {
	switch o.row.kind {
	case kindApple:
		return apple{o}
	case kindTwitter:
		return &twitter{row: o.row, settings: o.settings, http: o.http, now: o.now}
	default:
		return o
	}
}

// openIssuer makes the issuer of a row's id tokens.
func (r row) openIssuer(c Client, client *http.Client, now func() time.Time) *issuer {
	o := &oauth{row: r, settings: c}
	switch r.issuer {
	case issuerFixed:
		return fixedIssuer(r.iss, r.keys, client, now)
	case issuerTenant:
		return discoveredIssuer(o.fill(r.discover), "", c.Tenant, client, now)
	case issuerBase, issuerSet:
		return discoveredIssuer(o.fill(r.discover), first(c.URL, c.Issuer), "", client, now)
	default:
		return nil
	}
}

// readsIDTokens says whether an id token alone says who somebody is.
func (r row) readsIDTokens() bool { return r.issuer != issuerNone }

// CallbackURL is the address that is registered at a provider for people to come back to, where it is not the one of the
// door that they set out from.
func (t *Table) CallbackURL(name string) string { return t.callbacks[name] }

// Find finds a provider by its name. One that is known and not enabled is nil.
func (t *Table) Find(name string) (p Provider, known, enabled bool) {
	p, enabled = t.enabled[name]
	return p, t.known[name], enabled
}

// Names lists the enabled providers.
func (t *Table) Names() []string { return slices.Sorted(maps.Keys(t.enabled)) }

// Known lists all providers of the table and those of the settings, enabled or not.
func (t *Table) Known() []string { return slices.Sorted(maps.Keys(t.known)) }

// IDTokens finds who judges the id tokens of a provider. There is one where the provider is
// enabled, or where a client id is set for which tokens may be made.
func (t *Table) IDTokens(name string) (IDTokenVerifier, bool) {
	v, ok := t.idTokens[name]
	return v, ok
}

// IssuedBy finds the provider whose ID tokens an issuer makes, for one of the clients that we are there.
func (t *Table) IssuedBy(issuer, client string) (name string, ok bool) {
	for _, name := range slices.Sorted(maps.Keys(t.idTokens)) {
		v, fixed := t.idTokens[name].(*idTokens)
		if fixed && slices.Contains(v.row.iss, issuer) && slices.Contains(v.audiences, client) {
			return name, true
		}
	}
	return "", false
}

// Label is what to call a provider in words for people.
func (t *Table) Label(name string) string { return rowOf(name).label() }

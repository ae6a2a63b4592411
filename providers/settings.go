package providers

import (
	"fmt"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Settings say at which providers people may sign in, and who we are there. There is a block of
// variables for each row of the table, and one for each issuer that the operator names.
type Settings struct {
	Clients map[string]*Client // by the name of the provider
}

// Client is what the operator sets for one provider. Each provider uses a few of the fields.
type Client struct {
	Enabled    bool
	ID, Secret string
	Scopes     []string // empty means those of the provider's row
	Audiences  []string // further client ids that id tokens may be made for

	// CallbackURL is what is registered there for people to come back to; empty means the address of the door that they set
	// out from.
	CallbackURL string

	URL    string // base URL: of a GitLab, of a Keycloak realm
	Issuer string // of a provider that is not in the table
	Tenant string // Microsoft's

	AuthorizeURL, TokenURL, ProfileURL string // GitHub's

	TeamID, KeyID, PrivateKey string // Apple's

	DefaultConnection, DefaultOrganization, DefaultDomain string // WorkOS's
}

const prefix = "AUTH_PROVIDER_"

// issuerName is the variable that makes a provider out of an OpenID Connect issuer.
var issuerName = regexp.MustCompile(`^` + prefix + `([A-Z][A-Z0-9_]{0,38}[A-Z0-9])_ISSUER$`)

// Declare lists the variables: those of every row, and those of each issuer among the names that
// are set. It is called again when more names are known.
func (s *Settings) Declare(set []string, add func(tags reflect.StructTag, into any)) {
	s.Clients = map[string]*Client{}
	taken := map[string]bool{"CUSTOM": true}
	for _, r := range rows() {
		taken[r.env] = true
		c := &Client{}
		s.Clients[r.name] = c
		r.declare(c, add)
	}
	for _, name := range slices.Sorted(slices.Values(set)) {
		m := issuerName.FindStringSubmatch(name)
		if m == nil || taken[m[1]] {
			continue
		}
		taken[m[1]] = true
		c := &Client{}
		r := oidcRow(m[1])
		s.Clients[r.name] = c
		r.declare(c, add)
	}
}

// declare lists the variables of one row.
func (r row) declare(c *Client, add func(tags reflect.StructTag, into any)) {
	text := func(ending, doc, more string, into any) {
		add(reflect.StructTag(fmt.Sprintf("env:%q doc:%q %s", r.variable(ending), doc, more)), into)
	}
	text("ENABLED", "Let people sign in with "+r.label()+".", `default:"false"`, &c.Enabled)
	if r.issuer == issuerSet {
		text("ISSUER", "Issuer of the id tokens; the rest is found at its /.well-known/openid-configuration.", `format:"url"`, &c.Issuer)
	}
	text(r.idVariable(), "Who we are at "+r.label()+": the id of the application there.", "", &c.ID)
	if r.secretVariable() != "" {
		text(r.secretVariable(), "What proves to "+r.label()+" that it is us.", `secret:"true"`, &c.Secret)
	}
	text("REDIRECT_URI", "Where "+r.label()+" sends people back to, as it is registered there. Unset, it is the callback of the API that they set out from; either takes everybody.", `format:"url"`, &c.CallbackURL)
	if r.scopes != nil || r.takesScopes {
		text("SCOPE", "What to ask "+r.label()+" for, instead of the default.", fmt.Sprintf("default:%q", strings.Join(r.scopes, ",")), &c.Scopes)
	}
	if r.issuer != issuerNone {
		text("AUDIENCE", "Further client ids whose id tokens clients may sign in with: those of apps on phones.", "", &c.Audiences)
	}
	for _, v := range r.variables {
		text(v.ending, v.doc, v.tags, v.field(c))
	}
}

// label is the title without what stands in brackets.
func (r row) label() string {
	label, _, _ := strings.Cut(r.title, " (")
	return label
}

// variable is the whole name of one of the row's settings.
func (r row) variable(ending string) string { return prefix + r.env + "_" + ending }

func (r row) idVariable() string {
	if r.kind == kindTwitter {
		return "CONSUMER_KEY"
	}
	return "CLIENT_ID"
}

// secretVariable is empty where the secret is made by ourselves.
func (r row) secretVariable() string {
	switch r.kind {
	case kindTwitter:
		return "CONSUMER_SECRET"
	case kindApple:
		return ""
	default:
		return "CLIENT_SECRET"
	}
}

// Check reports what is missing or contradicts itself.
func (s Settings) Check(report func(env, problem string)) {
	for _, name := range slices.Sorted(maps.Keys(s.Clients)) {
		c, r := s.Clients[name], rowOf(name)
		if c.Enabled || r.issuer == issuerSet {
			r.check(c, report)
		}
	}
}

// check reports what an enabled provider lacks.
func (r row) check(c *Client, report func(env, problem string)) {
	missing := func(ending string) {
		report(r.variable(ending), "is needed: "+r.variable("ENABLED")+" is true")
	}
	if c.Enabled && c.ID == "" {
		missing(r.idVariable())
	}
	if c.Enabled && r.secretVariable() != "" && c.Secret == "" {
		missing(r.secretVariable())
	}
	if r.kind == kindApple {
		for _, v := range []struct{ ending, value string }{{"TEAM_ID", c.TeamID}, {"KEY_ID", c.KeyID}, {"PRIVATE_KEY", c.PrivateKey}} {
			if v.value == "" {
				missing(v.ending)
			}
		}
		if c.PrivateKey != "" {
			if _, err := applePrivateKey(c.PrivateKey); err != nil {
				report(r.variable("PRIVATE_KEY"), err.Error())
			}
		}
	}
	if r.needsURL && c.URL == "" {
		missing("URL")
	}
	for _, u := range []struct{ ending, value string }{
		{"REDIRECT_URI", c.CallbackURL},
		{"ISSUER", c.Issuer},
		{"URL", c.URL},
		{"AUTHORIZATION_URL", c.AuthorizeURL},
		{"TOKEN_URL", c.TokenURL},
		{"USER_PROFILE_URL", c.ProfileURL},
	} {
		if problem := unsafeURL(u.value); u.value != "" && problem != "" {
			report(r.variable(u.ending), problem)
		}
	}
	if c.Tenant != "" && !tenantName.MatchString(c.Tenant) {
		report(r.variable("TENANT"), "must be common, organizations, consumers, a tenant's id or one of its domains")
	}
}

// unsafeURL says why secrets must not be sent to an address, or nothing. Without TLS it must be on
// this machine or in a private network: a container beside us, most likely.
func unsafeURL(raw string) string {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return "must be an absolute https URL"
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "must be a URL without a user, a query or a fragment"
	case u.Scheme == "https" || isPrivateHost(u.Hostname()):
		return ""
	default:
		return "must begin with https://: what we prove ourselves with goes there (http is taken for this machine and private networks alone)"
	}
}

func isPrivateHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback() || ip.IsPrivate()
	}
	return net.ParseIP(host) == nil && (!strings.Contains(host, ".") || strings.HasSuffix(host, ".localhost") ||
		strings.HasSuffix(host, ".internal") || strings.HasSuffix(host, ".local"))
}

package flow

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/store"
)

// What OAuth clients are held to.
const (
	maxOAuthClients    = 1000  // that operators make
	maxDynamicClients  = 10000 // that register themselves
	maxDocumentClients = 10000 // that publish what they are
	maxOAuthName       = 255
	maxRedirectURIs    = 10
	maxClientURI       = 2048
	maxOAuthListMember = 100
)

// usualOAuthScopes are those that tell of the user and let nothing be done.
func usualOAuthScopes() []string {
	return slices.DeleteFunc(auth.OAuthScopes(), func(s string) bool { return s == auth.ScopeGraphQL })
}

// checkOAuthClient tells what is wrong with an OAuth client.
func checkOAuthClient(c store.OAuthClient) error {
	if utf8.RuneCountInString(c.Name) > maxOAuthName || strings.ContainsFunc(c.Name, hidden) {
		return auth.Invalid{Field: "name", Problem: fmt.Sprintf("must have at most %d characters on one line", maxOAuthName)}
	}
	methods := []string{auth.ClientSecretBasic, auth.ClientSecretPost, auth.NoClientSecret}
	if !slices.Contains(methods, c.AuthMethod) && c.AuthMethod != auth.ClientSecretAny {
		return auth.Invalid{Field: "authMethod", Problem: "must be " + strings.Join(methods, ", ")}
	}
	return cmp.Or(
		checkPage("uri", c.URI), checkPage("logoUri", c.LogoURI), CheckRedirectURIs(c.RedirectURIs),
		checkWords("scopes", c.Scopes, auth.OAuthScopes()), checkWords("grantTypes", c.GrantTypes, []string{auth.GrantCode, auth.GrantRefresh}),
		checkGrants(c.GrantTypes))
}

// hidden tells characters that make a name look like another one: people read it where they are asked whom to let in.
func hidden(r rune) bool {
	return isControl(r) || r >= 0x80 && r < 0xa0 || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e || r >= 0x2060 && r <= 0x2069 || r == 0xfeff
}

func checkWords(field string, list, known []string) error {
	bad := len(list) == 0
	for i, s := range list {
		bad = bad || !slices.Contains(known, s) || slices.Contains(list[:i], s)
	}
	if bad {
		return auth.Invalid{Field: field, Problem: "must be one or more of " + strings.Join(known, ", ") + ", each once"}
	}
	return nil
}

func checkGrants(list []string) error {
	if !slices.Contains(list, auth.GrantCode) {
		return auth.Invalid{Field: "grantTypes", Problem: "must have " + auth.GrantCode + " among them: there is no other way to begin"}
	}
	return nil
}

// checkPage tells whether something is an address that a browser may be shown: of a page or of a picture. None is fine.
func checkPage(field, text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || !plain(text) || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) || u.Hostname() == "" || u.User != nil {
		return auth.Invalid{Field: field, Problem: fmt.Sprintf("must be an address that begins with https://, of at most %d characters", maxClientURI)}
	}
	return nil
}

// plain tells whether all of an address is printable ASCII that no browser reads as something else.
func plain(s string) bool {
	return len(s) <= maxClientURI && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("\\\"<>^`{|}", r) })
}

// loopback tells whether a host is the machine of whoever asks.
func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }

// CheckRedirectURIs tells what is wrong with the addresses that an OAuth client has users sent back to. They are compared as
// they are, so none may be written in a way that a browser and we read differently.
func CheckRedirectURIs(list []string) error {
	if len(list) == 0 || len(list) > maxRedirectURIs {
		return auth.Invalid{Field: "redirectUris", Problem: fmt.Sprintf("must be 1 to %d addresses", maxRedirectURIs)}
	}
	for i, text := range list {
		problem := redirectURIProblem(text)
		if problem == "" && slices.Contains(list[:i], text) {
			problem = "must each be there once"
		}
		if problem != "" {
			return auth.Invalid{Field: "redirectUris", Problem: problem}
		}
	}
	return nil
}

// scripts are schemes that run something, read something or hand it on, instead of opening an application.
var scripts = []string{
	"javascript", "vbscript", "livescript", "data", "file", "blob", "filesystem", "about", "view-source", "jar", "mocha", "intent", "content", "resource",
	"chrome", "chrome-extension", "moz-extension", "mailto", "tel", "sms", "ftp", "ftps", "ws", "wss", "ldap", "gopher", "urn", "res", "mk", "ms-its", "feed",
}

// redirectURIProblem tells why a client may not have users sent somewhere; empty where it may.
func redirectURIProblem(text string) string {
	u, err := url.Parse(text)
	switch {
	case err != nil || !plain(text):
		return fmt.Sprintf("must be addresses of at most %d printable ASCII characters; write hosts in other scripts as xn--…", maxClientURI)
	case u.Scheme == "" || u.Opaque != "":
		return "must be whole addresses, such as https://app.example.com/callback"
	case strings.Contains(text, "#"):
		return "must have no fragment"
	case strings.Contains(text, "*"):
		return "must be exact, without *"
	case u.User != nil || strings.Contains(u.Host, "@"):
		return "must have no user or password in them"
	case u.Scheme == "https" && u.Hostname() == "", u.Scheme == "http" && !loopback(u.Hostname()):
		return "must begin with https://, or with http:// where the host is localhost, 127.0.0.1 or [::1]"
	case u.Scheme == "https" || u.Scheme == "http":
		return portProblem(u)
	case runs(text):
		return "must not have a scheme that runs or reads something: use that of the application alone"
	case u.Host == "" && !strings.Contains(u.Scheme, "."):
		return "must have a host, or a scheme with a domain name the other way round, such as com.example.app:/callback"
	}
	return ""
}

// runs tells whether an address does something else than to open a page or an application.
func runs(address string) bool {
	u, err := url.Parse(address)
	return err != nil || u.Scheme == "" || slices.Contains(scripts, u.Scheme) || strings.HasPrefix(u.Scheme, "ms-")
}

func portProblem(u *url.URL) string {
	if strings.HasSuffix(u.Host, ":") || u.Port() == "0" || len(u.Port()) > 5 {
		return "must have no port, or one from 1 to 65535"
	}
	return ""
}

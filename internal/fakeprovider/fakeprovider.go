// Package fakeprovider is every sign-in provider at once, on a loopback port: OAuth 2 with PKCE,
// OpenID Connect, Apple's form, Twitter's OAuth 1.0a. It speaks the real protocols and is strict
// about them; who signs in, and what goes wrong, is scripted.
//
// Server-side requests for a provider's real addresses reach it through Client. A browser reaches
// it where its address is a setting: GitHub, Keycloak and any OpenID Connect issuer.
package fakeprovider

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	_ "embed"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

//go:embed rsa.pem
var rsaKey []byte

// Server is the fake.
type Server struct {
	URL string
	// Now is the time in id tokens. A test whose clock runs ahead sets it, before the first request.
	Now func() time.Time

	http   *http.Server
	done   chan struct{}
	shapes map[string]*shape
	places map[string]place // by host and path; the fake itself is the host "self"
	rsa    *rsa.PrivateKey
	ec     *ecdsa.PrivateKey
	apple  *ecdsa.PrivateKey // Apple's customer's: what client secrets are made with

	mu       sync.Mutex
	person   Person
	pending  map[string]*consent // pages that wait for an answer
	codes    map[string]*grant   // single use
	tokens   map[string]*grant   // by access token
	renewals map[string]*grant   // by refresh token
	requests map[string]*oneA    // Twitter's, by token
	answers  map[Role]Answer
	seen     map[Role]int
	log      []string
	kid      string // of the RSA key
	extra    []any  // keys besides
}

// place is what an address is for.
type place struct {
	shape *shape
	role  Role
}

// Role is what a request to a provider is for.
type Role string

// The roles.
const (
	Authorize Role = "authorize"
	Token     Role = "token"
	Refresh   Role = "refresh" // where a provider has an address of its own for it
	Userinfo  Role = "userinfo"
	Emails    Role = "emails"
	Keys      Role = "keys"
	Discovery Role = "discovery"
	Temporary Role = "temporary" // Twitter's request token
)

// Person is who signs in next, as the provider sees them.
type Person struct {
	ID       any    // Missing, or any JSON
	Email    string // empty: the provider has none
	Name     string // given name and family name
	Avatar   string
	Verified any            // what the provider's flag for the address says; Missing leaves it out
	Claims   map[string]any // put over those of the id token; nil values take claims out
	Deny     bool           // says no
	Keep     bool           // does not come for the first time: Apple tells no name
}

type missing struct{}

// Missing is a member that is not there.
var Missing any = missing{} //nolint:gochecknoglobals // a constant of a type that has none

// Answer is what an endpoint says instead of what it should.
type Answer struct {
	Status int    // 0 means 200
	Body   string // sent as it is
	Form   bool   // say that it is a form
	Wait   time.Duration
	Header http.Header
}

// Test is the part of testing.TB that New needs. The development machine has the fake as well, and
// should not come with all of package testing.
type Test interface {
	Helper()
	Fatal(args ...any)
	Cleanup(end func())
}

// New starts a fake that ends with the test.
func New(t Test) *Server {
	t.Helper()
	s, err := Start("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// Start opens the fake at an address of this machine.
func Start(address string) (*Server, error) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("fake provider: %w", err)
	}
	s := &Server{
		URL: "http://" + l.Addr().String(), Now: time.Now, done: make(chan struct{}), kid: "rsa-1",
		person:  Person{ID: "1001", Email: "ada@example.com", Name: "Ada Lovelace", Avatar: "https://img.example.com/ada.png", Verified: true},
		pending: map[string]*consent{}, codes: map[string]*grant{}, tokens: map[string]*grant{}, renewals: map[string]*grant{},
		requests: map[string]*oneA{}, answers: map[Role]Answer{}, seen: map[Role]int{},
	}
	block, _ := pem.Decode(rsaKey)
	if block == nil {
		return nil, errors.New("fake provider: no RSA key")
	}
	if s.rsa, err = x509.ParsePKCS1PrivateKey(block.Bytes); err != nil {
		return nil, fmt.Errorf("fake provider: %w", err)
	}
	for _, key := range []**ecdsa.PrivateKey{&s.ec, &s.apple} {
		if *key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
			return nil, fmt.Errorf("fake provider: %w", err)
		}
	}
	s.furnish()
	s.http = &http.Server{Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		defer close(s.done)
		_ = s.http.Serve(l) // ends when it is closed
	}()
	return s, nil
}

// Close ends the fake.
func (s *Server) Close() error {
	err := s.http.Close()
	<-s.done
	return err
}

// Names lists the providers that the fake can be. "corp" is an issuer that no table knows.
func (s *Server) Names() []string {
	var list []string
	for name := range s.shapes {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Be says who signs in from now on.
func (s *Server) Be(p Person) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.person = p
}

// Answer makes an endpoint, of whatever provider, answer this from now on.
func (s *Server) Answer(role Role, a Answer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answers[role] = a
}

// Recover makes an endpoint answer as it should again.
func (s *Server) Recover(role Role) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.answers, role)
}

// Seen counts the requests of one kind.
func (s *Server) Seen(role Role) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen[role]
}

// Log is every request so far, one a line, with its form: what a provider would know.
func (s *Server) Log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

// RotateKeys gives the RSA key another name: tokens made from now on name a key that nobody has
// seen yet.
func (s *Server) RotateKeys(kid string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kid = kid
}

// AddKeys puts further JSON Web Keys into every key set.
func (s *Server) AddKeys(keys ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.extra = append(s.extra, keys...)
}

// ClientID is the id under which the fake knows us as a client of a provider.
func ClientID(provider string) string { return "client-of-" + provider }

// secretOf is odd on purpose: it must survive encoding.
func secretOf(provider string) string { return "s3cret/of+" + provider + "=&:%" }

// Env is what to set for some providers, each enabled.
func (s *Server) Env(names ...string) map[string]string {
	env := map[string]string{}
	for _, name := range names {
		infix := strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
		if name == "windowslive" {
			infix = "WINDOWS_LIVE"
		}
		set := func(ending, value string) { env["AUTH_PROVIDER_"+infix+"_"+ending] = value }
		set("ENABLED", "true")
		switch name {
		case "twitter":
			set("CONSUMER_KEY", ClientID(name))
			set("CONSUMER_SECRET", secretOf(name))
			continue
		case "apple":
			set("TEAM_ID", "TEAM")
			set("KEY_ID", "KEY")
			set("PRIVATE_KEY", s.ApplePrivateKey())
		default:
			set("CLIENT_SECRET", secretOf(name))
		}
		set("CLIENT_ID", ClientID(name))
		switch name {
		case "keycloak":
			set("URL", s.URL+"/realms/main")
		case "corp":
			set("ISSUER", s.URL+"/corp")
		case "workos":
			set("DEFAULT_ORGANIZATION", "org_1")
		}
	}
	return env
}

// GitHubEnv moves GitHub here, where a browser can go: as if it were an Enterprise of one's own.
func (s *Server) GitHubEnv() map[string]string {
	env := s.Env("github")
	env["AUTH_PROVIDER_GITHUB_AUTHORIZATION_URL"] = s.URL + "/github/login/oauth/authorize"
	env["AUTH_PROVIDER_GITHUB_TOKEN_URL"] = s.URL + "/github/login/oauth/access_token"
	env["AUTH_PROVIDER_GITHUB_USER_PROFILE_URL"] = s.URL + "/github/user"
	return env
}

// ApplePrivateKey is the key that Apple gave us, as its file has it.
func (s *Server) ApplePrivateKey() string {
	der, err := x509.MarshalPKCS8PrivateKey(s.apple)
	if err != nil {
		return ""
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// Client carries requests for providers' real addresses here. Requests for other places fail.
func (s *Server) Client() *http.Client {
	return &http.Client{
		Transport:     detour{s},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type detour struct{ s *Server }

// RoundTrip sends a request here, with the address that it was meant for in its path.
func (d detour) RoundTrip(r *http.Request) (*http.Response, error) {
	moved := r.Clone(r.Context())
	to, err := d.s.moved(r.URL)
	if err != nil {
		return nil, err
	}
	moved.URL, moved.Host = to, to.Host
	return http.DefaultTransport.RoundTrip(moved)
}

// moved is the address here of one out there.
func (s *Server) moved(u *url.URL) (*url.URL, error) {
	here, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	to := *u
	if u.Host == here.Host {
		return &to, nil
	}
	if _, known := s.find(u.Host, u.Path); !known || u.Scheme != "https" {
		return nil, fmt.Errorf("no provider has anything at %s://%s%s", u.Scheme, u.Host, u.Path)
	}
	to.Scheme, to.Host, to.Path, to.RawPath = here.Scheme, here.Host, "/at/"+u.Host+u.Path, ""
	return &to, nil
}

// find looks an address up. A tenant of Microsoft stands for itself.
func (s *Server) find(host, path string) (place, bool) {
	if host == "login.microsoftonline.com" {
		_, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
		path = "/{tenant}/" + rest
	}
	p, ok := s.places[host+path]
	return p, ok
}

// Back is what the browser brings from the provider to the callback.
type Back struct {
	URL  string     // of the callback, with its query
	Form url.Values // posted there; nil means that it is a plain GET
}

// Values are what the callback was given, wherever it stands.
func (b Back) Values() url.Values {
	if b.Form != nil {
		return b.Form
	}
	u, err := url.Parse(b.URL)
	if err != nil {
		return url.Values{}
	}
	return u.Query()
}

// Visit is a browser: it opens the provider's page, says yes or, for a person who denies, no, and
// gives back where the provider sends it then.
func (s *Server) Visit(ctx context.Context, authorizeURL string) (Back, error) {
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return Back{}, err
	}
	if u, err = s.moved(u); err != nil {
		return Back{}, err
	}
	page, _, err := s.browse(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Back{}, err
	}
	ticket := between(page, `name="ticket" value="`, `"`)
	if ticket == "" {
		return Back{}, fmt.Errorf("the provider shows no page to agree on: %s", page)
	}
	s.mu.Lock()
	decision := "allow"
	if s.person.Deny {
		decision = "deny"
	}
	s.mu.Unlock()
	page, location, err := s.browse(ctx, http.MethodPost, s.URL+"/consent", url.Values{"ticket": {ticket}, "decision": {decision}})
	if err != nil {
		return Back{}, err
	}
	if location != "" {
		return Back{URL: location}, nil
	}
	form, err := url.ParseQuery(unescape(between(page, `data-form="`, `"`)))
	if err != nil {
		return Back{}, err
	}
	return Back{URL: unescape(between(page, `action="`, `"`)), Form: form}, nil
}

// b64 encodes as JSON Web Tokens do.
func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

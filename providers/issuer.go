package providers

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

const (
	leeway     = time.Minute // between the provider's clock and ours
	mostToken  = 16 << 10    // bytes of an id token
	mostKeys   = 100
	leastFresh = 5 * time.Minute
	mostFresh  = 24 * time.Hour
	usualFresh = time.Hour
)

// asymmetric are the algorithms of id tokens that we take at all. None of them works with a shared
// key, so a public key can never be mistaken for one.
var asymmetric = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// issuer makes id tokens. Its keys are fetched when the first token comes, never at the start.
type issuer struct {
	names  []string           // spellings of iss; empty where the metadata say it
	algs   []string           // likewise
	tenant string             // Microsoft: whose accounts may sign in
	meta   *cached[*document] // nil where all is fixed
	keys   *cached[[]jose.JSONWebKey]
	client *http.Client
	now    func() time.Time
}

// document is what an issuer tells about itself (OpenID Connect Discovery).
type document struct {
	Issuer    string   `json:"issuer"`
	Authorize string   `json:"authorization_endpoint"`
	Token     string   `json:"token_endpoint"`
	Userinfo  string   `json:"userinfo_endpoint"`
	Keys      string   `json:"jwks_uri"`
	Algs      []string `json:"id_token_signing_alg_values_supported"`
	Auth      []string `json:"token_endpoint_auth_methods_supported"`
}

// inHeader says how the issuer wants the client's secret: by Basic unless it does not take that.
func (d *document) inHeader() bool {
	return len(d.Auth) == 0 || slices.Contains(d.Auth, "client_secret_basic")
}

// fixedIssuer is one whose name and keys are in the table.
func fixedIssuer(names []string, keysURL string, client *http.Client, now func() time.Time) *issuer {
	i := &issuer{names: names, algs: []string{"RS256"}, client: client, now: now}
	i.keys = newCached(now, func(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) { return i.fetchKeys(ctx, keysURL) })
	return i
}

// discoveredIssuer is one that says the rest itself. name is what it must call itself, or empty
// where the metadata are the provider's own word for it.
func discoveredIssuer(address, name, tenant string, client *http.Client, now func() time.Time) *issuer {
	i := &issuer{tenant: tenant, client: client, now: now}
	i.meta = newCached(now, func(ctx context.Context) (*document, time.Duration, error) {
		body, header, err := fetch(ctx, client, address, nil)
		if err != nil {
			return nil, 0, fmt.Errorf("metadata of the issuer: %w", err)
		}
		d := &document{}
		if err := json.Unmarshal(body, d); err != nil {
			return nil, 0, errors.New("metadata of the issuer: not the JSON that they should be")
		}
		if err := d.check(address, name); err != nil {
			return nil, 0, fmt.Errorf("metadata of the issuer: %w", err)
		}
		return d, freshness(header), nil
	})
	i.keys = newCached(now, func(ctx context.Context) ([]jose.JSONWebKey, time.Duration, error) {
		d, err := i.meta.get(ctx)
		if err != nil {
			return nil, 0, err
		}
		return i.fetchKeys(ctx, d.Keys)
	})
	return i
}

// check holds metadata against where they are from. Nothing may lead from https to http.
func (d *document) check(address, name string) error {
	if name != "" && strings.TrimRight(d.Issuer, "/") != strings.TrimRight(name, "/") {
		return errors.New("the issuer calls itself otherwise")
	}
	for what, raw := range map[string]string{
		"issuer": strings.ReplaceAll(d.Issuer, "{tenantid}", "x"), "authorization_endpoint": d.Authorize, "token_endpoint": d.Token, "jwks_uri": d.Keys,
	} {
		if !sound(raw, address) {
			return fmt.Errorf("%s is not an https URL", what)
		}
	}
	if d.Userinfo != "" && !sound(d.Userinfo, address) {
		return errors.New("userinfo_endpoint is not an https URL")
	}
	d.Algs = slices.DeleteFunc(d.Algs, func(alg string) bool { return !slices.Contains(asymmetric, alg) })
	if len(d.Algs) == 0 {
		d.Algs = []string{"RS256"}
	}
	return nil
}

// sound says whether an address may follow from another one.
func sound(raw, from string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && strings.HasPrefix(from, "http://"))
}

func (i *issuer) document(ctx context.Context) (*document, error) { return i.meta.get(ctx) }

// mayBe says whether a callback that names its issuer (RFC 9207) is from this one.
func (i *issuer) mayBe(ctx context.Context, iss string) bool {
	if i.meta == nil {
		return slices.Contains(i.names, iss)
	}
	d, err := i.meta.get(ctx)
	return err == nil && (iss == d.Issuer || matchesTemplate(d.Issuer, iss))
}

// nonceForms says how a nonce may stand in a token.
type nonceForms int

const (
	exact  nonceForms = iota // as we sent it, and it must be there
	hashed                   // as it is, or as the hexadecimal form of its SHA-256
)

// verify judges an id token and gives its claims.
func (i *issuer) verify(ctx context.Context, raw, nonce string, audiences []string, forms nonceForms) (object, error) {
	if err := wellFormed(raw); err != nil {
		return nil, err
	}
	names, algs := i.names, i.algs
	if i.meta != nil {
		d, err := i.meta.get(ctx)
		if err != nil {
			return nil, unreachable{err}
		}
		names, algs = []string{d.Issuer}, d.Algs
	}
	// Issuer, audience and nonce follow below: they are lists, templates and hashes here.
	keys := &keySet{issuer: i, algs: algs}
	v := oidc.NewVerifier("", keys, &oidc.Config{
		SupportedSigningAlgs: algs, SkipClientIDCheck: true, SkipIssuerCheck: true,
		Now: func() time.Time { return i.now().Add(-leeway) },
	})
	token, err := v.Verify(ctx, raw)
	switch {
	case keys.down != nil:
		return nil, unreachable{keys.down}
	case err != nil:
		return nil, errors.New("its signature, its form or its time is wrong")
	}
	var payload json.RawMessage
	if err := token.Claims(&payload); err != nil {
		return nil, errors.New("it has no claims")
	}
	claims, err := decodeObject(payload)
	if err != nil {
		return nil, errors.New("its claims are no object")
	}
	switch {
	case !i.isFrom(names, claims):
		return nil, errors.New("it is from another issuer")
	case isOtherKind(claims):
		return nil, errors.New("it is a token of another kind")
	case !meantFor(audiences, token.Audience, claims, forms == exact || i.meta != nil):
		return nil, errors.New("it is meant for another application")
	case token.IssuedAt.IsZero() || token.IssuedAt.After(i.now().Add(leeway)):
		return nil, errors.New("it is from the future, or does not say when it is from")
	case !nonceFits(claims, nonce, forms):
		return nil, errors.New("its nonce is another one, or missing")
	case claims.text("sub") == "":
		return nil, fmt.Errorf("%w: it has no subject", ErrProfile)
	}
	return claims, nil
}

var errForm = errors.New("it has not the form of an id token")

// wellFormed refuses early what is no compact JWS: five parts, JSON, other letters, megabytes.
func wellFormed(raw string) error {
	if len(raw) > mostToken || strings.Count(raw, ".") != 2 {
		return errForm
	}
	for _, part := range strings.Split(raw, ".") {
		if part == "" || strings.ContainsFunc(part, func(r rune) bool {
			return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
		}) {
			return errForm
		}
	}
	return nil
}

// tenantID is how Microsoft numbers its tenants.
var tenantID = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)

// personalTenant is the one of Microsoft's own, for accounts of private people.
const personalTenant = "9188040d-6c67-4c5b-b112-36a304b66dad"

// isFrom compares the issuer. Microsoft's metadata for several tenants have a place for the
// tenant's id, which must be that of the token.
func (i *issuer) isFrom(names []string, claims object) bool {
	iss, _ := claims["iss"].(string)
	for _, name := range names {
		if !strings.Contains(name, "{tenantid}") {
			if iss != "" && iss == name {
				return true
			}
			continue
		}
		tid, _ := claims["tid"].(string)
		if !tenantID.MatchString(tid) || iss != strings.ReplaceAll(name, "{tenantid}", tid) {
			continue
		}
		return i.tenant != "organizations" || tid != personalTenant
	}
	return false
}

// matchesTemplate says whether an issuer is one of those that Microsoft's template stands for.
func matchesTemplate(template, iss string) bool {
	before, after, found := strings.Cut(template, "{tenantid}")
	if !found {
		return false
	}
	id, ok := strings.CutPrefix(iss, before)
	if !ok {
		return false
	}
	id, ok = strings.CutSuffix(id, after)
	return ok && tenantID.MatchString(id)
}

// isOtherKind says whether claims are those of an access token or the like, which the same keys sign.
// Keycloak says so in the claims, others in the header.
func isOtherKind(claims object) bool {
	return slices.Contains([]string{"bearer", "refresh", "offline", "logout"}, strings.ToLower(claims.text("typ")))
}

// meantFor compares the audience. In our own sign-ins the token was also asked for by us. Google lets
// another client of the same owner ask for a token for our server, and then azp names that client.
// With other issuers a token for us that somebody else asked for is what lets them ask things of us in
// the person's name, an access token, and says nothing of who is there: strictly, azp must name
// somebody whom we know. So it must in a token for several.
func meantFor(audiences, got []string, claims object, strict bool) bool {
	known := func(id string) bool { return id != "" && slices.Contains(audiences, id) }
	if !slices.ContainsFunc(got, known) {
		return false
	}
	azp, has := claims["azp"]
	party, _ := azp.(string)
	switch {
	case has && party == "":
		return false
	case has && strict, len(got) > 1:
		return known(party)
	default:
		return true
	}
}

// nonceFits compares nonces in constant time.
func nonceFits(claims object, nonce string, forms nonceForms) bool {
	in, has := claims["nonce"]
	if !has {
		// Apple says of a device that cannot take nonces that it is one.
		return nonce == "" && forms != exact || forms != exact && claims["nonce_supported"] == false
	}
	text, _ := in.(string)
	if text == "" || nonce == "" {
		return false
	}
	sum := sha256.Sum256([]byte(nonce))
	fits := subtle.ConstantTimeCompare([]byte(text), []byte(nonce))
	if forms == hashed {
		fits |= subtle.ConstantTimeCompare([]byte(text), []byte(hex.EncodeToString(sum[:])))
	}
	return fits == 1
}

// unreachable says that a token could not be judged, which is not the token's fault.
type unreachable struct{ error }

// Unwrap gives the reason.
func (u unreachable) Unwrap() error { return u.error }

// keySet checks signatures with the keys of an issuer. It fetches them when they are missing or
// old, and for a key that is not among them, but not each time somebody makes one up.
type keySet struct {
	*issuer
	algs []string
	down error // why there were no keys: go-oidc does not hand errors on
}

// otherKind is the type of tokens that are no id tokens (RFC 9068, OpenID Connect Back-Channel Logout).
var otherKind = regexp.MustCompile(`(?i)^(application/)?(at|logout)\+jwt$`)

// VerifySignature gives the payload of a token whose signature is right.
func (k *keySet) VerifySignature(ctx context.Context, raw string) ([]byte, error) {
	algs := make([]jose.SignatureAlgorithm, len(k.algs))
	for n, alg := range k.algs {
		algs[n] = jose.SignatureAlgorithm(alg)
	}
	token, err := jose.ParseSigned(raw, algs)
	if err != nil || len(token.Signatures) != 1 {
		return nil, errForm
	}
	header := token.Signatures[0].Protected
	if kind, _ := header.ExtraHeaders[jose.HeaderType].(string); otherKind.MatchString(kind) {
		return nil, errForm
	}
	keys, err := k.keys.get(ctx)
	if err != nil {
		k.down = err
		return nil, err
	}
	fitting := fit(keys, header.KeyID, header.Algorithm)
	if len(fitting) == 0 {
		if keys, err = k.keys.renew(ctx); err != nil {
			k.down = err
			return nil, err
		}
		fitting = fit(keys, header.KeyID, header.Algorithm)
	}
	for _, key := range fitting {
		if payload, err := token.Verify(key.Key); err == nil {
			return payload, nil
		}
	}
	return nil, errors.New("no key of the issuer made the signature")
}

// fit picks the keys that a header may mean.
func fit(keys []jose.JSONWebKey, id, alg string) []jose.JSONWebKey {
	var list []jose.JSONWebKey
	for _, key := range keys {
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == alg) {
			list = append(list, key)
		}
	}
	return list
}

// fetchKeys reads a key set. Keys that are not for signatures, or too weak, are left out.
func (i *issuer) fetchKeys(ctx context.Context, address string) ([]jose.JSONWebKey, time.Duration, error) {
	body, header, err := fetch(ctx, i.client, address, nil)
	if err != nil {
		return nil, 0, fmt.Errorf("keys of the issuer: %w", err)
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(body, &set); err != nil || len(set.Keys) > mostKeys {
		return nil, 0, errors.New("keys of the issuer: not a key set")
	}
	var keys []jose.JSONWebKey
	for _, raw := range set.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(raw, &key) != nil || (key.Use != "" && key.Use != "sig") || !strong(key.Key) {
			continue
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, 0, errors.New("keys of the issuer: there is none")
	}
	return keys, freshness(header), nil
}

func strong(key any) bool {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen() >= 2048
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

var maxAge = regexp.MustCompile(`(?:^|[\s,])max-age=([0-9]{1,9})(?:$|[\s,])`)

// freshness is how long an answer may be kept, within reason.
func freshness(h http.Header) time.Duration {
	m := maxAge.FindStringSubmatch(strings.ToLower(h.Get("Cache-Control")))
	if m == nil {
		return usualFresh
	}
	seconds, err := strconv.Atoi(m[1])
	if err != nil {
		return usualFresh
	}
	return min(max(time.Duration(seconds)*time.Second, leastFresh), mostFresh)
}

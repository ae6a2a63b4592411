package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// The claims that are ours. No custom claim takes their place.
const (
	claimPrefix      = "x-hasura-"
	claimUserID      = "x-hasura-user-id"
	claimRoles       = "x-hasura-allowed-roles"
	claimDefaultRole = "x-hasura-default-role"
	claimAnonymous   = "x-hasura-user-is-anonymous"
	claimElevated    = "x-hasura-auth-elevated"
	oldAnonymous     = "x-hasura-user-isAnonymous" // how Hasura Auth spelt claimAnonymous before 0.6
	claimActor       = "x-hasura-impersonator"     // actorClaim, where permissions and triggers can see it
	sessionClaim     = "session_id"
	actorClaim       = "act"      // who acts for the user (RFC 8693, 4.1)
	elevatedClaim    = "elevated" // what claimElevated says, where there are no claims of Hasura
	factorClaim      = "factor_due"
)

// everybody is the audience of tokens that say what Supabase's say, where the secret names none.
const everybody = "authenticated"

var builtIn = []string{claimUserID, claimRoles, claimDefaultRole, claimAnonymous, claimElevated, claimActor}

// registered are the members of a payload that mean the same in every token.
var registered = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", sessionClaim, actorClaim, factorClaim}

// Access is what an access token says.
type Access struct {
	UserID      string
	SessionID   string // empty for none
	Roles       []string
	DefaultRole string
	IsAnonymous bool
	Elevated    bool              // proved again just now
	FactorDue   bool              // the second factor is not proved: the token says nothing to Hasura, and Verify refuses it
	Extra       map[string]string // custom claims by name, with or without x-hasura-; built-in ones are left alone
	Others      map[string]any    // members of the payload that are nobody's claims here; see Signer.Override
	Audience    string            // where the secret names none; may be empty
	Life        time.Duration
	Actor       string // who acts in the place of the user; empty for the user
	Client      *ForClient
}

// Signer signs and verifies with the one key of a Secret. It is immutable and safe for concurrent
// use.
type Signer struct {
	s       *secret
	signKey any
	readKey any
	header  string // first part of every access token
	clients string // the same of those that clients of the OAuth server have
	jwks    []byte
	others  []verifyKey // that only verify
	purpose Secret      // whence the keys of other purposes are derived

	oldSpelling bool // claimAnonymous is there in its old spelling too
	bare        bool // access tokens have no claims of Hasura
}

// An Option changes what a Signer writes.
type Option func(*Signer)

// WithOldSpelling adds x-hasura-user-isAnonymous, as x-hasura-user-is-anonymous was spelt by Hasura
// Auth before 0.6: permissions that were written then go on working.
func WithOldSpelling(on bool) Option { return func(s *Signer) { s.oldSpelling = on } }

// WithoutHasura leaves the claims of Hasura out of access tokens, for who has no engine that reads them. Then the
// roles of a user, and what custom claims say, are in no token.
func WithoutHasura(on bool) Option { return func(s *Signer) { s.bare = on } }

// NewSigner readies a secret for signing. It signs and verifies once, so that a key that cannot is
// found at start.
func NewSigner(secret Secret, options ...Option) (*Signer, error) {
	if secret.IsZero() {
		return nil, errNotSet
	}
	s := &Signer{s: secret.s, signKey: secret.s.hmac, readKey: secret.s.hmac, purpose: secret}
	for _, o := range options {
		o(s)
	}
	kid := secret.s.kid
	var own []jwk
	if secret.s.alg.family != hmacKeys {
		s.signKey, s.readKey = secret.s.private, secret.s.public
		key, err := newJWK(secret.s.public)
		if err != nil {
			return nil, err
		}
		if kid == "" {
			if kid, err = key.thumbprint(); err != nil {
				return nil, err
			}
		}
		key.Kid, key.Alg, key.Use = kid, secret.s.alg.method.Alg(), "sig"
		own = []jwk{key}
	}
	var err error
	if s.jwks, err = s.published(own); err != nil {
		return nil, err
	}
	if s.header, err = headerPart(secret.s.alg.method.Alg(), kid, "JWT"); err != nil {
		return nil, err
	}
	if s.clients, err = headerPart(secret.s.alg.method.Alg(), kid, clientType); err != nil {
		return nil, err
	}
	signature, err := secret.s.alg.method.Sign(s.header, s.signKey)
	if err == nil {
		err = secret.s.alg.method.Verify(s.header, signature, s.readKey)
	}
	if err != nil {
		return nil, fmt.Errorf("HASURA_GRAPHQL_JWT_SECRET: the key does not sign: %w", err)
	}
	return s, nil
}

func headerPart(alg, kid, typ string) (string, error) {
	header, err := json.Marshal(struct {
		Alg string `json:"alg"`
		Kid string `json:"kid,omitempty"`
		Typ string `json:"typ"`
	}{alg, kid, typ})
	return base64.RawURLEncoding.EncodeToString(header), err
}

// JWKS is the public key set to publish. With a shared key it is empty. The caller must not change
// the bytes.
func (s *Signer) JWKS() []byte { return s.jwks }

// Sign makes an access token that lives from now on.
func (s *Signer) Sign(a Access, now time.Time) (string, error) {
	payload, err := s.payload(a, now, s.s.stringified)
	if err != nil {
		return "", err
	}
	if a.Client != nil {
		return s.signed(s.clients, payload)
	}
	return s.signed(s.header, payload)
}

// payload is what the token says. Ours come last, over whatever somebody else put there.
func (s *Signer) payload(a Access, now time.Time, stringified bool) (map[string]any, error) {
	if a.UserID == "" || a.DefaultRole == "" || a.Life < time.Second {
		return nil, errors.New("an access token needs a user, a default role and a life of a second at least")
	}
	payload := a.others()
	if s.bare {
		maps.DeleteFunc(payload, func(name string, _ any) bool { return strings.EqualFold(name, elevatedClaim) })
	}
	payload["sub"] = a.UserID
	payload["iss"] = s.s.issuer
	payload["iat"] = now.Unix()
	payload["exp"] = now.Unix() + int64(a.Life/time.Second)
	switch {
	case s.s.manyAud:
		payload["aud"] = s.s.audience
	case len(s.s.audience) == 1:
		payload["aud"] = s.s.audience[0]
	case a.Audience != "":
		payload["aud"] = a.Audience
	}
	if a.SessionID != "" {
		payload[sessionClaim] = a.SessionID
	}
	if a.Actor != "" {
		payload[actorClaim] = map[string]any{"sub": a.Actor}
	}
	if a.FactorDue {
		payload[factorClaim] = true
		s.s.hideRoles(payload)
		return payload, nil
	}
	if a.Client != nil {
		if a.Client.of(payload, s.clientAudience(a)); !a.Client.Engine {
			s.s.hideRoles(payload)
			return payload, nil
		}
	}
	if !s.bare {
		return payload, s.s.place(payload, s.hasuraClaims(a), stringified)
	}
	if a.Elevated {
		payload[elevatedClaim] = true
	}
	return payload, nil
}

// hasuraClaims are the claims of Hasura, in every spelling that is asked for.
func (s *Signer) hasuraClaims(a Access) map[string]any {
	claims := a.claims()
	if s.oldSpelling {
		maps.DeleteFunc(claims, func(name string, _ any) bool { return strings.EqualFold(name, oldAnonymous) })
		claims[oldAnonymous] = claims[claimAnonymous]
	}
	return claims
}

// claims gives the x-hasura claims. Custom ones come first and never replace a built-in one, in
// any letter case; of two that differ only in case the first in alphabetical order is kept, since
// Hasura takes them for one name.
func (a Access) claims() map[string]any {
	claims := make(map[string]any, len(builtIn)+len(a.Extra))
	if len(a.Extra) > 0 {
		taken := make(map[string]bool, len(a.Extra))
		for _, name := range slices.Sorted(maps.Keys(a.Extra)) {
			full, folded := name, strings.ToLower(name)
			if !strings.HasPrefix(folded, claimPrefix) {
				full, folded = claimPrefix+folded, claimPrefix+folded
			}
			if !taken[folded] && !slices.Contains(builtIn, folded) {
				taken[folded], claims[full] = true, a.Extra[name]
			}
		}
	}
	roles := a.Roles
	if !slices.Contains(roles, a.DefaultRole) {
		roles = append(slices.Clip(roles), a.DefaultRole)
	}
	claims[claimRoles] = roles
	claims[claimDefaultRole] = a.DefaultRole
	claims[claimUserID] = a.UserID
	claims[claimAnonymous] = "false"
	if a.IsAnonymous {
		claims[claimAnonymous] = "true"
	}
	if a.Elevated {
		claims[claimElevated] = a.UserID
	}
	if a.Actor != "" {
		claims[claimActor] = a.Actor
	}
	return claims
}

// IsBuiltIn tells whether a claim name, with or without x-hasura- and in any letter case, is one
// that custom claims cannot take.
func IsBuiltIn(name string) bool {
	folded := strings.ToLower(name)
	if !strings.HasPrefix(folded, claimPrefix) {
		folded = claimPrefix + folded
	}
	return slices.Contains(builtIn, folded)
}

// place puts the claims where Hasura, with this secret, looks for them.
func (s *secret) place(payload, claims map[string]any, stringified bool) error {
	var folded map[string]any
	if len(s.mappings) > 0 {
		folded = make(map[string]any, len(claims))
		for name, value := range claims {
			folded[strings.ToLower(name)] = value
		}
	}
	if len(s.namespace) == 0 {
		for name, value := range claims {
			payload[name] = value
		}
	} else {
		var value any = claims
		if stringified {
			text, err := json.Marshal(claims, json.Deterministic(true))
			if err != nil {
				return fmt.Errorf("claims of the token: %w", err)
			}
			value = string(text)
		}
		put(payload, s.namespace, value)
	}
	for _, m := range s.mappings {
		if value, ok := folded[m.claim]; ok {
			put(payload, m.path, value)
		}
	}
	return nil
}

// hideRoles takes out what Hasura, with this secret, would take roles from: where ours are put otherwise, there may be what users say.
func (s *secret) hideRoles(payload map[string]any) {
	for _, m := range s.mappings {
		if (m.claim == claimRoles || m.claim == claimDefaultRole) && !slices.Contains(registered, m.path[0]) {
			delete(payload, m.path[0])
		}
	}
}

// put sets a value at a path and makes the objects on the way. The paths were checked to meet
// nowhere when the secret was read.
func put(object map[string]any, path []string, value any) {
	for _, name := range path[:len(path)-1] {
		next, ok := object[name].(map[string]any)
		if !ok {
			next = map[string]any{}
			object[name] = next
		}
		object = next
	}
	object[path[len(path)-1]] = value
}

// OldSpelling tells whether tokens say x-hasura-user-isAnonymous, too.
func (s *Signer) OldSpelling() bool { return s.oldSpelling }

// Issuer is what the tokens say in iss, and what those that are verified must say.
func (s *Signer) Issuer() string { return s.s.issuer }

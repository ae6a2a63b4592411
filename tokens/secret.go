package tokens

import (
	"crypto"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

const (
	defaultNamespace = "https://hasura.io/jwt/claims"
	defaultIssuer    = "hasura-auth"
)

// Secret is HASURA_GRAPHQL_JWT_SECRET: the object that Hasura and the server share, so that one
// signs what the other reads. Every member is honoured; a member that cannot be is an error with
// the reason. The zero Secret is one that is not set. It never prints what it holds.
type Secret struct{ s *secret }

type secret struct {
	alg         algorithm
	typeName    string // as written: "Ed25519" and "EdDSA" mean the same
	hmac        []byte
	private     crypto.Signer
	public      crypto.PublicKey
	publicPEM   string // as written or, when it was left out, of the private key
	kid         string
	issuer      string
	audience    []string
	manyAud     bool     // written as a list, so the tokens say it as a list
	namespace   []string // where in the payload the x-hasura claims stand; empty for the root
	stringified bool
	mappings    []mapping // claims_map
	skew        time.Duration
	members     map[string]jsontext.Value // as written, for ForHasura
}

// members lists what may stand in the object, in the order it is documented.
var secretMembers = []string{
	"type", "key", "signing_key", "kid", "claims_namespace", "claims_namespace_path", "claims_format",
	"claims_map", "audience", "issuer", "header", "allowed_skew", "jwk_url",
}

// UnmarshalText reads the JSON object. No error repeats a value.
func (s *Secret) UnmarshalText(text []byte) error {
	var members map[string]jsontext.Value
	if err := json.Unmarshal(text, &members); err != nil || members == nil {
		return fmt.Errorf(`must be a JSON object such as {"type":"HS256","key":"…"}%s`, jsonProblem(err))
	}
	for name, value := range members {
		if !slices.Contains(secretMembers, name) {
			return fmt.Errorf("has the member %.40q, which nobody would honour; known are: %s", name, strings.Join(secretMembers, ", "))
		}
		if value.Kind() == 'n' {
			delete(members, name)
		}
	}
	read := &secret{members: members}
	for _, step := range []func() error{read.readKeys, read.readNamespace, read.readChecks, read.readHeader, read.readClaimsMap} {
		if err := step(); err != nil {
			return err
		}
	}
	s.s = read
	return nil
}

// jsonProblem says where JSON went wrong without quoting it.
func jsonProblem(err error) string {
	var syntax *jsontext.SyntacticError
	if !errors.As(err, &syntax) {
		return ""
	}
	if errors.Is(err, jsontext.ErrDuplicateName) {
		return ": a member is given twice"
	}
	return fmt.Sprintf(": it is not JSON from byte %d on", syntax.ByteOffset)
}

// text reads a member that is a string, empty when it is not there.
func (s *secret) text(name string) (string, error) {
	raw, ok := s.members[name]
	if !ok {
		return "", nil
	}
	var v string
	if err := json.Unmarshal(raw, &v); err != nil {
		return "", fmt.Errorf("member %s must be a string", name)
	}
	if v == "" {
		return "", fmt.Errorf("member %s must not be empty: leave it out instead", name)
	}
	return v, nil
}

func (s *secret) readKeys() error {
	var texts [5]string
	for i, name := range []string{"type", "key", "signing_key", "kid", "jwk_url"} {
		var err error
		if texts[i], err = s.text(name); err != nil {
			return err
		}
	}
	typeName, key, signingKey, jwkURL := texts[0], texts[1], texts[2], texts[4]
	s.typeName, s.kid = typeName, texts[3]
	if typeName == "" && jwkURL != "" {
		return errors.New("member jwk_url only tells Hasura where to fetch public keys: to sign tokens, type and signing_key are needed as well")
	}
	alg, ok := algorithms[typeName]
	if !ok {
		return fmt.Errorf("member type must be one of %s", strings.Join(algorithmNames, ", "))
	}
	s.alg = alg
	if alg.family != hmacKeys {
		return s.readKeyPair(key, signingKey)
	}
	switch {
	case jwkURL != "":
		return fmt.Errorf("member jwk_url cannot go with type %s: a shared key is never published", typeName)
	case signingKey != "":
		return fmt.Errorf("member signing_key cannot go with type %s: the key itself signs", typeName)
	case key == "":
		return errors.New("member key is missing: it is the shared secret that signs tokens")
	}
	s.hmac = []byte(key)
	return nil
}

func (s *secret) readNamespace() error {
	name, err := s.text("claims_namespace")
	if err != nil {
		return err
	}
	path, err := s.text("claims_namespace_path")
	if err != nil {
		return err
	}
	format, err := s.text("claims_format")
	if err != nil {
		return err
	}
	switch {
	case name != "" && path != "":
		return errors.New("members claims_namespace and claims_namespace_path exclude each other")
	case path != "":
		if s.namespace, err = parsePath(path); err != nil {
			return fmt.Errorf("member claims_namespace_path %w", err)
		}
	case name != "":
		s.namespace = []string{name}
	default:
		s.namespace = []string{defaultNamespace}
	}
	if len(s.namespace) > 0 && slices.Contains(registered, s.namespace[0]) {
		return fmt.Errorf("the claims cannot stand under %q: every token has another claim of that name", s.namespace[0])
	}
	switch format {
	case "", "json":
	case "stringified_json":
		if len(s.namespace) == 0 {
			return errors.New("member claims_format cannot be stringified_json where claims_namespace_path is $: the payload itself is never a string")
		}
		s.stringified = true
	default:
		return errors.New("member claims_format must be json or stringified_json")
	}
	return nil
}

func (s *secret) readChecks() error {
	var err error
	if s.issuer, err = s.text("issuer"); err != nil {
		return err
	}
	if s.issuer == "" {
		s.issuer = defaultIssuer
	}
	if raw, ok := s.members["audience"]; ok {
		s.audience, s.manyAud, err = stringOrList(raw)
		if err != nil || len(s.audience) == 0 || slices.Contains(s.audience, "") {
			return errors.New("member audience must be a string or a list of strings, none of them empty")
		}
	}
	if raw, ok := s.members["allowed_skew"]; ok {
		var seconds float64
		if err := json.Unmarshal(raw, &seconds); err != nil || seconds != math.Trunc(seconds) || seconds < 0 || seconds > 86400 {
			return errors.New("member allowed_skew must be a whole number of seconds from 0 to 86400")
		}
		s.skew = time.Duration(seconds) * time.Second
	}
	return nil
}

// readHeader checks the member header. It says where Hasura looks for the token and changes
// nothing here: our doors read Authorization alone.
func (s *secret) readHeader() error {
	raw, ok := s.members["header"]
	if !ok {
		return nil
	}
	var header struct {
		Type string `json:"type"`
		Name string `json:"name"`
	}
	if err := json.Unmarshal(raw, &header, json.RejectUnknownMembers(true)); err != nil {
		return errors.New(`member header must be an object such as {"type":"Authorization"}`)
	}
	switch header.Type {
	case "Authorization":
		return nil
	case "Cookie", "CustomHeader":
		if header.Name == "" {
			return fmt.Errorf("member header of type %s needs a name", header.Type)
		}
		return nil
	default:
		return errors.New("member header must have the type Authorization, Cookie or CustomHeader")
	}
}

func stringOrList(raw jsontext.Value) (list []string, many bool, err error) {
	if raw.Kind() == '[' {
		err = json.Unmarshal(raw, &list)
		return list, true, err
	}
	var one string
	err = json.Unmarshal(raw, &one)
	return []string{one}, false, err
}

// IsZero tells whether the secret is not set.
func (s Secret) IsZero() bool { return s.s == nil }

// String hides the secret from whoever prints it.
func (s Secret) String() string {
	if s.s == nil {
		return ""
	}
	return "[hidden " + s.s.typeName + " key]"
}

// GoString hides the secret from %#v.
func (s Secret) GoString() string { return "tokens.Secret{" + s.String() + "}" }

// LogValue hides the secret from logs.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText hides the secret from encoders.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Issuer is what tokens say in iss.
func (s Secret) Issuer() string {
	if s.s == nil {
		return ""
	}
	return s.s.issuer
}

// ForHasura is the value of HASURA_GRAPHQL_JWT_SECRET to give to Hasura: the same object without
// what only a signer may have.
func (s Secret) ForHasura() (string, error) {
	if s.s == nil {
		return "", errNotSet
	}
	public := make(map[string]any, len(s.s.members))
	for name, value := range s.s.members {
		public[name] = value
	}
	delete(public, "signing_key")
	delete(public, "kid")
	if _, byURL := public["jwk_url"]; byURL {
		// Hasura takes either a key or the place to fetch it from.
		delete(public, "type")
		delete(public, "key")
	} else if s.s.alg.family != hmacKeys {
		public["key"] = s.s.publicPEM
	}
	text, err := json.Marshal(public, json.Deterministic(true))
	return string(text), err
}

// derive makes a key for one use from the signing key. Who knows only the public key learns
// nothing of it.
func (s Secret) derive(use string) ([]byte, error) {
	material := s.s.hmac
	if s.s.alg.family != hmacKeys {
		der, err := x509.MarshalPKCS8PrivateKey(s.s.private)
		if err != nil {
			return nil, err
		}
		material = der
	}
	return hkdf.Key(sha256.New, material, nil, "postern "+use+" 1", 32)
}

var errNotSet = errors.New(`HASURA_GRAPHQL_JWT_SECRET is not set: give it the JSON object Hasura has under the same name, or print a fresh one with: postern keys secret`)

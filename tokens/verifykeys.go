package tokens

import (
	"cmp"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"slices"

	"github.com/go-json-experiment/json"
)

// mostVerifyKeys is how many keys may verify beside the one that signs: what a stranger sends is held to each.
const mostVerifyKeys = 8

// VerifyKeys are the keys that signed once, or will, and whose tokens are good meanwhile. The zero VerifyKeys are none. They never
// print what they hold: there may be shared keys among them.
type VerifyKeys struct{ keys []verifyKey }

// verifyKey verifies by its own algorithm alone.
type verifyKey struct {
	alg    algorithm
	key    any  // bytes of a shared key, or the public key
	public jwk  // to publish
	shared bool // and so never published
}

// verifyJWK is a key as RFC 7517 has it. Private members are left alone.
type verifyJWK struct {
	Kty string `json:"kty"`
	Kid string `json:"kid"`
	Alg string `json:"alg"`
	Crv string `json:"crv"`
	K   string `json:"k"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
}

// UnmarshalText reads a JSON array of keys. No error repeats a value.
func (v *VerifyKeys) UnmarshalText(text []byte) error {
	var given []verifyJWK
	if err := json.Unmarshal(text, &given); err != nil {
		return errors.New("must be a JSON array of keys (JWK)" + jsonProblem(err))
	}
	if len(given) > mostVerifyKeys {
		return fmt.Errorf("has %d keys, and may have %d", len(given), mostVerifyKeys)
	}
	read := make([]verifyKey, 0, len(given))
	for i, g := range given {
		key, err := g.read()
		if err != nil {
			return fmt.Errorf("has a key, the %d. of the list, that %w", i+1, err)
		}
		read = append(read, key)
	}
	v.keys = read
	return nil
}

// String hides the keys from whoever prints them.
func (v VerifyKeys) String() string {
	if len(v.keys) == 0 {
		return ""
	}
	return fmt.Sprintf("[%d hidden keys]", len(v.keys))
}

// GoString hides the keys from %#v.
func (v VerifyKeys) GoString() string { return "tokens.VerifyKeys{" + v.String() + "}" }

// LogValue hides the keys from logs.
func (v VerifyKeys) LogValue() slog.Value { return slog.StringValue(v.String()) }

// MarshalText hides the keys from encoders.
func (v VerifyKeys) MarshalText() ([]byte, error) { return []byte(v.String()), nil }

// read makes a key ready, or says why it cannot verify.
func (g verifyJWK) read() (verifyKey, error) {
	if g.Kty == "oct" {
		return g.readShared()
	}
	public, usual, err := g.public()
	if err != nil {
		return verifyKey{}, err
	}
	name := cmp.Or(g.Alg, usual)
	alg, ok := algorithms[name]
	if !ok {
		return verifyKey{}, errors.New("is for an algorithm that does not verify here")
	}
	if err := alg.fits(public); err != nil {
		return verifyKey{}, fmt.Errorf("%w its algorithm", err)
	}
	published, err := newJWK(public)
	if err != nil {
		return verifyKey{}, err
	}
	if published.Kid = g.Kid; g.Kid == "" {
		if published.Kid, err = published.thumbprint(); err != nil {
			return verifyKey{}, err
		}
	}
	published.Alg, published.Use = alg.method.Alg(), "sig"
	return verifyKey{alg: alg, key: public, public: published}, nil
}

// readShared reads a shared key. One that is too short is refused: whoever sees a token could find it out.
func (g verifyJWK) readShared() (verifyKey, error) {
	alg, ok := algorithms[cmp.Or(g.Alg, "HS256")]
	key, err := base64.RawURLEncoding.DecodeString(g.K)
	switch {
	case !ok || alg.family != hmacKeys:
		return verifyKey{}, errors.New("is a shared key (oct), and for no algorithm of these")
	case err != nil:
		return verifyKey{}, errors.New("is a shared key (oct) that is not base64url")
	case len(key) < alg.size:
		return verifyKey{}, fmt.Errorf("is a shared key (oct) of %d bytes, where its algorithm needs at least %d", len(key), alg.size)
	case (Secret{&secret{alg: alg, hmac: key}}).IsSample():
		return verifyKey{}, errors.New("is a sample that anybody can read in documentation")
	}
	return verifyKey{alg: alg, key: key, shared: true}, nil
}

// public is the public key, and the algorithm that it is for unless it says.
func (g verifyJWK) public() (key crypto.PublicKey, alg string, err error) {
	var failed bool
	b := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		failed = failed || err != nil || text == ""
		return raw
	}
	curves := map[string]struct {
		curve elliptic.Curve
		alg   string
	}{"P-256": {elliptic.P256(), "ES256"}, "P-384": {elliptic.P384(), "ES384"}, "P-521": {elliptic.P521(), "ES512"}}
	switch known, ec := curves[g.Crv]; {
	case g.Kty == "EC" && ec:
		x, y, size := b(g.X), b(g.Y), (known.curve.Params().BitSize+7)/8
		if failed || len(x) > size || len(y) > size {
			return nil, "", errBadPublic
		}
		point := slices.Concat([]byte{4}, padded(x, size), padded(y, size))
		key, err = ecdsa.ParseUncompressedPublicKey(known.curve, point)
		alg = known.alg
	case g.Kty == "RSA":
		n, e := new(big.Int).SetBytes(b(g.N)), new(big.Int).SetBytes(b(g.E))
		if failed || !e.IsInt64() || e.Int64() < 3 || e.Int64() > 1<<31-1 || n.BitLen() > 8192 {
			return nil, "", errBadPublic
		}
		key, alg = &rsa.PublicKey{N: n, E: int(e.Int64())}, "RS256"
	case g.Kty == "OKP" && g.Crv == "Ed25519":
		x := b(g.X)
		if failed || len(x) != ed25519.PublicKeySize {
			return nil, "", errBadPublic
		}
		key, alg = ed25519.PublicKey(x), "EdDSA"
	default:
		return nil, "", errors.New("is of a kind that does not verify here; EC, RSA, OKP (Ed25519) and oct do")
	}
	if err != nil {
		return nil, "", errBadPublic
	}
	return key, alg, nil
}

var errBadPublic = errors.New("cannot be read: its public members are missing, or are not base64url of such a key")

func padded(number []byte, size int) []byte {
	return append(make([]byte, size-len(number), size), number...)
}

// WithVerifyKeys takes tokens that other keys signed, and publishes those keys beside the own.
func WithVerifyKeys(v VerifyKeys) Option { return func(s *Signer) { s.others = v.keys } }

// open reads a token that the own key signed, or one that only verifies. Each key is good for its own algorithm alone.
func (s *Signer) open(token, typ string) (members, error) {
	payload, err := open(token, typ, s.s.alg, s.readKey)
	for _, k := range s.others {
		if err == nil {
			break
		}
		if older, wrong := open(token, typ, k.alg, k.key); wrong == nil {
			return older, nil
		}
	}
	return payload, err
}

// published is the public key set: the key that signs, if it is public, and those that only verify. Whoever looks a key up by its kid must
// find the right one.
func (s *Signer) published(own []jwk) ([]byte, error) {
	keys := own
	for _, k := range s.others {
		if k.shared || slices.Contains(keys, k.public) {
			continue
		}
		if slices.ContainsFunc(keys, func(other jwk) bool { return other.Kid == k.public.Kid }) {
			return nil, fmt.Errorf("tokens: AUTH_JWT_VERIFY_KEYS has a key with the kid %.100q, which another key has, too, so that others could not tell them apart", k.public.Kid)
		}
		keys = append(keys, k.public)
	}
	if len(keys) == 0 {
		return []byte(`{"keys":[]}`), nil
	}
	return json.Marshal(map[string][]jwk{"keys": keys})
}

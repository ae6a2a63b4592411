package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/big"

	"github.com/go-json-experiment/json"
)

// jwk is a public key as JSON (RFC 7517). The members are in the order the thumbprint wants.
type jwk struct {
	Curve    string `json:"crv,omitempty"`
	Exponent string `json:"e,omitempty"`
	Type     string `json:"kty"`
	Modulus  string `json:"n,omitempty"`
	X        string `json:"x,omitempty"`
	Y        string `json:"y,omitempty"`

	Alg string `json:"alg,omitempty"`
	Kid string `json:"kid,omitempty"`
	Use string `json:"use,omitempty"`
}

func newJWK(public crypto.PublicKey) (jwk, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	switch key := public.(type) {
	case *rsa.PublicKey:
		return jwk{Type: "RSA", Modulus: b64(key.N.Bytes()), Exponent: b64(big.NewInt(int64(key.E)).Bytes())}, nil
	case *ecdsa.PublicKey:
		point, err := key.Bytes() // 4, X, Y: both padded to the size of the curve
		if err != nil {
			return jwk{}, err
		}
		half := len(point) / 2
		return jwk{Type: "EC", Curve: key.Curve.Params().Name, X: b64(point[1 : 1+half]), Y: b64(point[1+half:])}, nil
	case ed25519.PublicKey:
		return jwk{Type: "OKP", Curve: "Ed25519", X: b64(key)}, nil
	default:
		return jwk{}, fmt.Errorf("no JWK of a %T", public)
	}
}

// thumbprint names the key after itself (RFC 7638): the hash of its required members alone.
func (k jwk) thumbprint() (string, error) {
	k.Alg, k.Kid, k.Use = "", "", ""
	text, err := json.Marshal(k)
	sum := sha256.Sum256(text)
	return base64.RawURLEncoding.EncodeToString(sum[:]), err
}

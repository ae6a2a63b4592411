package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

type family int

const (
	hmacKeys family = iota
	rsaKeys
	ecKeys
	edKeys
)

// algorithm is a way to sign. It belongs to the key, never to what a token says of itself.
type algorithm struct {
	family family
	method jwt.SigningMethod
	size   int            // bytes an HMAC key should have at least
	curve  elliptic.Curve // of EC keys
}

var algorithmNames = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
	"ES256", "ES384", "ES512", "EdDSA", "Ed25519",
}

var algorithms = map[string]algorithm{
	"HS256":   {family: hmacKeys, method: jwt.SigningMethodHS256, size: 32},
	"HS384":   {family: hmacKeys, method: jwt.SigningMethodHS384, size: 48},
	"HS512":   {family: hmacKeys, method: jwt.SigningMethodHS512, size: 64},
	"RS256":   {family: rsaKeys, method: jwt.SigningMethodRS256},
	"RS384":   {family: rsaKeys, method: jwt.SigningMethodRS384},
	"RS512":   {family: rsaKeys, method: jwt.SigningMethodRS512},
	"PS256":   {family: rsaKeys, method: jwt.SigningMethodPS256},
	"PS384":   {family: rsaKeys, method: jwt.SigningMethodPS384},
	"PS512":   {family: rsaKeys, method: jwt.SigningMethodPS512},
	"ES256":   {family: ecKeys, method: jwt.SigningMethodES256, curve: elliptic.P256()},
	"ES384":   {family: ecKeys, method: jwt.SigningMethodES384, curve: elliptic.P384()},
	"ES512":   {family: ecKeys, method: jwt.SigningMethodES512, curve: elliptic.P521()},
	"EdDSA":   {family: edKeys, method: jwt.SigningMethodEdDSA},
	"Ed25519": {family: edKeys, method: jwt.SigningMethodEdDSA}, // Hasura's word
}

// readKeyPair reads the PEM texts of a key pair and sees that they belong together.
func (s *secret) readKeyPair(public, private string) error {
	if private == "" {
		return fmt.Errorf("member signing_key is missing: type %s signs with the PEM private key that belongs to key", s.typeName)
	}
	der, err := pemBlock(private)
	if err != nil {
		return fmt.Errorf("member signing_key %w", err)
	}
	if s.private, err = parsePrivate(der); err != nil {
		return fmt.Errorf("member signing_key %w", err)
	}
	s.public = s.private.Public()
	if err := s.alg.fits(s.public); err != nil {
		return fmt.Errorf("member signing_key %w type %s", err, s.typeName)
	}
	if public != "" {
		if der, err = pemBlock(public); err != nil {
			return fmt.Errorf("member key %w", err)
		}
		given, err := parsePublic(der)
		if err != nil {
			return fmt.Errorf("member key %w", err)
		}
		own, comparable := s.public.(interface{ Equal(crypto.PublicKey) bool })
		if !comparable || !own.Equal(given) {
			return errors.New("members key and signing_key are not one pair: Hasura would refuse every token")
		}
	}
	s.publicPEM, err = publicPEM(s.public)
	return err
}

// pemBlock finds the first PEM block. Newlines may be written as \n twice escaped, as they come
// out of some secret stores.
func pemBlock(text string) (*pem.Block, error) {
	if !strings.Contains(text, "\n") {
		text = strings.NewReplacer(`\r`, "", `\n`, "\n").Replace(text)
	}
	block, rest := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("must be a PEM text (-----BEGIN …)")
	}
	if block.Type == "EC PARAMETERS" { // openssl writes them in front of the key
		if next, _ := pem.Decode(rest); next != nil {
			return next, nil
		}
	}
	return block, nil
}

func parsePrivate(block *pem.Block) (crypto.Signer, error) {
	var key any
	var err error
	switch block.Type {
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	case "EC PRIVATE KEY":
		key, err = x509.ParseECPrivateKey(block.Bytes)
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	default:
		return nil, errors.New("must be an unencrypted PEM private key")
	}
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, errors.New("is damaged, or no private key that signs")
	}
	return signer, nil
}

func parsePublic(block *pem.Block) (crypto.PublicKey, error) {
	var key crypto.PublicKey
	var err error
	switch block.Type {
	case "RSA PUBLIC KEY":
		key, err = x509.ParsePKCS1PublicKey(block.Bytes)
	case "PUBLIC KEY":
		key, err = x509.ParsePKIXPublicKey(block.Bytes)
	case "CERTIFICATE":
		var certificate *x509.Certificate
		if certificate, err = x509.ParseCertificate(block.Bytes); err == nil {
			key = certificate.PublicKey
		}
	default:
		return nil, errors.New("must be a PEM public key or certificate: the private key belongs in signing_key")
	}
	if err != nil {
		return nil, errors.New("is a damaged PEM public key")
	}
	return key, nil
}

// fits says why the key is none of the algorithm.
func (a algorithm) fits(public crypto.PublicKey) error {
	switch key := public.(type) {
	case *rsa.PublicKey:
		if a.family != rsaKeys {
			return errors.New("is an RSA key, which does not go with")
		}
		if key.N.BitLen() < 1024 || a.family == rsaKeys && strings.HasSuffix(a.method.Alg(), "512") && key.N.BitLen() < 1040 {
			return errors.New("is too small an RSA key for")
		}
	case *ecdsa.PublicKey:
		if a.family != ecKeys || key.Curve != a.curve {
			return errors.New("is an EC key of the curve " + key.Curve.Params().Name + ", which does not go with")
		}
	case ed25519.PublicKey:
		if a.family != edKeys {
			return errors.New("is an Ed25519 key, which does not go with")
		}
	default:
		return errors.New("is a kind of key that does not go with")
	}
	return nil
}

func publicPEM(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})), nil
}

package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json"
)

// GenerateSecret makes a fresh HASURA_GRAPHQL_JWT_SECRET for an algorithm.
func GenerateSecret(alg string) (string, error) {
	a, ok := algorithms[alg]
	if !ok {
		return "", fmt.Errorf("unknown algorithm %.20q: known are %s", alg, strings.Join(algorithmNames, ", "))
	}
	fresh := struct {
		Type       string `json:"type"`
		Key        string `json:"key"`
		SigningKey string `json:"signing_key,omitempty"`
	}{Type: alg}
	if a.family == hmacKeys {
		key := make([]byte, a.size)
		_, _ = rand.Read(key)
		fresh.Key = hex.EncodeToString(key)
	} else {
		private, err := a.newKey()
		if err != nil {
			return "", err
		}
		der, err := x509.MarshalPKCS8PrivateKey(private)
		if err != nil {
			return "", err
		}
		fresh.SigningKey = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
		if fresh.Key, err = publicPEM(private.Public()); err != nil {
			return "", err
		}
	}
	text, err := json.Marshal(fresh)
	return string(text), err
}

func (a algorithm) newKey() (crypto.Signer, error) {
	switch a.family {
	case ecKeys:
		return ecdsa.GenerateKey(a.curve, rand.Reader)
	case edKeys:
		_, private, err := ed25519.GenerateKey(rand.Reader)
		return private, err
	default:
		return rsa.GenerateKey(rand.Reader, 3072)
	}
}

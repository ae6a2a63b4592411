package providers

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

const (
	appleIssuer = "https://appleid.apple.com"
	// appleSecretLife is how long a client secret holds. It is made for one request, so nothing
	// ever has to be renewed; a leaked one is soon worth nothing.
	appleSecretLife = 5 * time.Minute
)

var errAppleKey = errors.New("must be the private key from Apple: the text of the .p8 file, or base64 of it")

// applePrivateKey reads the key in any of the forms in which it is handed on: with line breaks,
// with \n in their place, or as base64 of the whole.
func applePrivateKey(text string) (*ecdsa.PrivateKey, error) {
	text = strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n"))
	if !strings.HasPrefix(text, "-----") {
		decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
		if err != nil {
			return nil, errAppleKey
		}
		text = string(decoded)
	}
	der := []byte(text)
	if block, _ := pem.Decode(der); block != nil {
		der = block.Bytes
	}
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, errAppleKey
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, errAppleKey
	}
	return key, nil
}

// appleSecret makes the client secret: a token that our key signed.
func appleSecret(c Client, now time.Time) (string, error) {
	key, err := applePrivateKey(c.PrivateKey)
	if err != nil {
		return "", err
	}
	signer, err := jose.NewSigner(
		jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: c.KeyID}}, nil)
	if err != nil {
		return "", fmt.Errorf("client secret for Apple: %w", err)
	}
	secret, err := jwt.Signed(signer).Claims(jwt.Claims{
		Issuer: c.TeamID, Subject: c.ID, Audience: jwt.Audience{appleIssuer},
		IssuedAt: jwt.NewNumericDate(now), Expiry: jwt.NewNumericDate(now.Add(appleSecretLife)),
	}).Serialize()
	if err != nil {
		return "", fmt.Errorf("client secret for Apple: %w", err)
	}
	return secret, nil
}

// appleUser reads the form field with the name, which comes once: when somebody first signs in.
// Nobody signed it, so nothing else of it counts, an address least of all.
func appleUser(form url.Values) object {
	raw := form.Get("user")
	if raw == "" || len(raw) > 8<<10 {
		return nil
	}
	user, err := decodeObject([]byte(raw))
	if err != nil {
		return nil
	}
	name := user.object("name")
	if name == nil {
		return nil
	}
	return object{"name": map[string]any{"firstName": name.text("firstName"), "lastName": name.text("lastName")}}
}

// apple is Apple: OAuth 2 whose callback is a form.
type apple struct{ *oauth }

// PostsBack says that the callback is a form from Apple's page.
func (apple) PostsBack() bool { return true }

package providers

import (
	"context"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// idTokens takes id tokens that clients bring.
type idTokens struct {
	row       row
	issuer    *issuer
	audiences []string
}

// VerifyIDToken judges a token and reads who it is about.
func (v *idTokens) VerifyIDToken(ctx context.Context, raw, nonce, accessToken string) (Profile, error) {
	claims, err := v.issuer.verify(ctx, raw, nonce, v.audiences, hashed)
	var down unreachable
	switch {
	case errors.As(err, &down), errors.Is(err, ErrProfile):
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	case err != nil:
		return Profile{}, fmt.Errorf("%w: %w", ErrIDToken, err)
	case !namesAccessToken(raw, claims, accessToken):
		return Profile{}, fmt.Errorf("%w: it came with another access token", ErrIDToken)
	}
	return v.row.read(answers{claims: claims})
}

// namesAccessToken compares an access token with the hash in a token that is believed already: the left half of a hash that goes with the
// signature (OpenID Connect Core, 3.1.3.6).
func namesAccessToken(raw string, claims object, accessToken string) bool {
	named := claims.text("at_hash")
	if named == "" || accessToken == "" {
		return true
	}
	var header struct {
		Alg string `json:"alg"`
	}
	first, _, _ := strings.Cut(raw, ".")
	plain, err := base64.RawURLEncoding.DecodeString(first)
	if err != nil || json.Unmarshal(plain, &header) != nil {
		return false
	}
	var sum []byte
	switch {
	case strings.HasSuffix(header.Alg, "256"):
		h := sha256.Sum256([]byte(accessToken))
		sum = h[:]
	case strings.HasSuffix(header.Alg, "384"):
		h := sha512.Sum384([]byte(accessToken))
		sum = h[:]
	default:
		h := sha512.Sum512([]byte(accessToken))
		sum = h[:]
	}
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	return subtle.ConstantTimeCompare([]byte(want), []byte(named)) == 1
}

package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// NewVerifier makes a PKCE verifier of 256 random bits.
func NewVerifier() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// ChallengeOf gives the S256 challenge of a PKCE verifier (RFC 7636).
func ChallengeOf(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Answers tells whether the verifier is the one the challenge was made of.
func Answers(challenge, verifier string) bool {
	return ValidChallenge(challenge) && ValidVerifier(verifier) &&
		subtle.ConstantTimeCompare([]byte(ChallengeOf(verifier)), []byte(challenge)) == 1
}

// ValidChallenge tells whether s has the shape of an S256 challenge: 43 characters of base64url.
func ValidChallenge(s string) bool {
	if len(s) != 43 {
		return false
	}
	for i := range len(s) {
		if !base64url(s[i]) {
			return false
		}
	}
	return true
}

// ValidVerifier tells whether s has the shape of a verifier: 43 to 128 unreserved characters.
func ValidVerifier(s string) bool {
	if len(s) < 43 || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !base64url(c) && c != '.' && c != '~' {
			return false
		}
	}
	return true
}

func base64url(c byte) bool {
	return c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '_'
}

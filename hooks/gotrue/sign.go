package gotrue

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"time"
)

// header has the signature.
const header = "x-webhook-signature"

// claims are those of the signature: a JWT whose subject is the body.
type claims struct {
	IssuedAt int64  `json:"iat"`
	Subject  string `json:"sub"`
	Issuer   string `json:"iss"`
	Digest   string `json:"sha256"`
}

// sign makes the signature of a body: a JWT of HS256 (RFC 7515) that names its SHA-256.
func sign(secret string, body []byte, at time.Time) string {
	digest := sha256.Sum256(body)
	said, err := json.Marshal(claims{at.Unix(), nobody, "gotrue", hex.EncodeToString(digest[:])})
	if err != nil {
		return "" // numbers and texts can be encoded
	}
	text := part([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + part(said)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(text))
	return text + "." + part(mac.Sum(nil))
}

func part(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

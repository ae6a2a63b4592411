package sms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// minSecret is the fewest bytes that a secret may have (Standard Webhooks asks for 24 to 64).
const minSecret = 24

// parseSecrets reads the secrets of the signature: whsec_ and base64, with "v1," before it or
// without, as Supabase writes them. Several, for the time when one replaces another, are separated
// by blanks or bars.
func parseSecrets(text string) ([][]byte, error) {
	var secrets [][]byte
	for word := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == '|' || r <= ' ' }) {
		encoded := strings.TrimPrefix(strings.TrimPrefix(word, "v1,"), "whsec_")
		key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(encoded, "="))
		if err != nil || len(key) < minSecret {
			return nil, errors.New(`must be whsec_ and at least 24 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
		}
		secrets = append(secrets, key)
	}
	return secrets, nil
}

// sign adds the headers of Standard Webhooks: the id stays over attempts, the time is that of this
// attempt, and there is one signature for each secret.
func sign(header http.Header, secrets [][]byte, id string, at time.Time, body string) {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, 0, len(secrets))
	for _, key := range secrets {
		mac := hmac.New(sha256.New, key)
		mac.Write([]byte(id + "." + timestamp + "." + body))
		signatures = append(signatures, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	header.Set("Webhook-Id", id)
	header.Set("Webhook-Timestamp", timestamp)
	header.Set("Webhook-Signature", strings.Join(signatures, " "))
}

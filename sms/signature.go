package sms

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/webhooks"
)

// parseSecrets reads the secrets of the signature: whsec_ and base64, with "v1," before it or
// without, as Supabase writes them. Several, for the time when one replaces another, are separated
// by blanks or bars. The base64 may stand alone.
func parseSecrets(text string) (webhooks.Keys, error) {
	words := strings.FieldsFunc(text, func(r rune) bool { return r == '|' || r <= ' ' })
	for i, word := range words {
		if bare := strings.TrimPrefix(word, "v1,"); !strings.HasPrefix(bare, "wh") || !strings.Contains(bare, "_") {
			words[i] = "whsec_" + bare
		}
	}
	keys, err := webhooks.ParseAll(strings.Join(words, "|"))
	if err != nil || slices.ContainsFunc(keys, func(k webhooks.Key) bool { return !k.Signs() }) {
		return nil, errors.New(`must be whsec_ and 24 to 64 bytes in base64; make one with: echo "whsec_$(openssl rand -base64 32)"`)
	}
	return keys, nil
}

// sign adds the headers of Standard Webhooks: the id stays over attempts, the time is that of this
// attempt, and there is one signature for each secret.
func sign(header http.Header, keys webhooks.Keys, id string, at time.Time, body string) {
	for name, value := range keys.Headers(id, at, []byte(body)) {
		header.Set(name, value)
	}
}

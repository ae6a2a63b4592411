package server

import (
	"encoding/base64"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"postern/auth"
)

// Once reads parameters, encoded as in an address. None may be there twice (RFC 6749, 3.1), since two readers could take two
// different ones. field is what a refusal calls the whole.
func Once(field, encoded string) (map[string]string, error) {
	values, err := url.ParseQuery(encoded)
	if err != nil {
		return nil, auth.Invalid{Field: field, Problem: "must be a valid form"}
	}
	get := make(map[string]string, len(values))
	for name, list := range values {
		if len(list) > 1 {
			return nil, auth.Invalid{Field: field, Problem: "must not have a parameter twice"}
		}
		if !utf8.ValidString(name) || !utf8.ValidString(list[0]) {
			return nil, auth.Invalid{Field: field, Problem: "must be valid UTF-8"}
		}
		get[name] = list[0]
	}
	return get, nil
}

// Form reads the body of a form, whose parameters are there once each.
func Form(r *http.Request) (map[string]string, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/x-www-form-urlencoded" {
		return nil, auth.Invalid{Field: "Content-Type", Problem: "must be application/x-www-form-urlencoded"}
	}
	body, err := ReadBody(r)
	if err != nil {
		return nil, err
	}
	return Once("body", string(body))
}

// Basic reads a client's id and secret from the header, where they are encoded like parts of a form (RFC 6749, 2.3.1).
func Basic(h http.Header) (id, secret string, ok bool) {
	kind, text, _ := strings.Cut(h.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Basic") {
		return "", "", false
	}
	plain, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", "", true // it shows nobody
	}
	id, secret, _ = strings.Cut(string(plain), ":")
	if decoded, err := url.QueryUnescape(id); err == nil {
		id = decoded
	}
	if decoded, err := url.QueryUnescape(secret); err == nil {
		secret = decoded
	}
	return id, secret, true
}

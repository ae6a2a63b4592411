package auth0

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"postern/hooks"
)

// clientQuestion is what a script of CredentialsExchange is told.
func clientQuestion(e hooks.ClientTokenMinting, tenant string) map[string]any {
	metadata := e.Metadata
	if metadata == nil {
		metadata = map[string]string{}
	}
	scope := e.Scope
	if scope == nil {
		scope = []string{}
	}
	return map[string]any{
		"client": map[string]any{"id": e.ClientID, "name": e.ClientName, "tenant": tenant, "metadata": metadata},
		"scope":  scope, "audience": e.Audience, "context": map[string]any{},
	}
}

// oauthErrors are the errors of RFC 6749 that classes stand for. Any other error is the server's.
var oauthErrors = map[string]hooks.Denied{
	"InvalidScopeError":   {Status: 400, Code: "invalid_scope"},
	"InvalidRequestError": {Status: 400, Code: "invalid_request"},
}

// refusedToken is the refusal of a token: its code is an error of RFC 6749, and its message the description.
func refusedToken(t *thrown) error {
	no, known := oauthErrors[t.name]
	if !known {
		no = hooks.Denied{Status: 500, Code: "server_error"}
	}
	no.Message, no.Reason = t.message, t.String()
	return &no
}

// maxClaims is how long all claims may be that a script adds, in bytes of JSON.
const maxClaims = 64 << 10

// minted reads what the token is to grant and to say. What the script leaves out of the scope is not granted,
// the whole of it included.
func minted(data json.RawMessage) (func(*hooks.ClientTokenMinting) error, error) {
	said := map[string]any{}
	if data != nil {
		o, ok := object(data)
		if !ok {
			return nil, hooks.BadAnswer{Why: "it is no object"}
		}
		said = o
	}
	scope, ok := scopeOf(said["scope"])
	if !ok {
		return nil, hooks.BadAnswer{Why: "its scope is no list of texts"}
	}
	claims := map[string]any{}
	for name, value := range said {
		if ours, err := url.Parse(name); err == nil && takenFor(ours) {
			claims[name] = value
		}
	}
	if text, err := json.Marshal(claims); err != nil || len(text) > maxClaims {
		return nil, hooks.TooLarge{Most: maxClaims}
	}
	return func(e *hooks.ClientTokenMinting) error {
		e.Rescope(scope)
		for name, value := range claims {
			if err := e.Claim(name, value); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// scopeOf reads a scope, which scripts may also have joined.
func scopeOf(v any) (scope []string, ok bool) {
	switch v := v.(type) {
	case nil:
		return nil, true
	case string:
		return strings.Fields(v), true
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, false
			}
			if !slices.Contains(scope, text) {
				scope = append(scope, text)
			}
		}
		return scope, true
	}
	return nil, false
}

// reserved are hosts in whose name no claim is made.
var reserved = []string{"auth0.com", "webtask.io", "webtask.run"}

// takenFor tells whether a claim of that name is taken over. The others are ignored.
func takenFor(name *url.URL) bool {
	host := strings.TrimSuffix(strings.ToLower(name.Hostname()), ".")
	if name.Scheme != "http" && name.Scheme != "https" || host == "" {
		return false
	}
	return !slices.ContainsFunc(reserved, func(r string) bool { return host == r || strings.HasSuffix(host, "."+r) })
}

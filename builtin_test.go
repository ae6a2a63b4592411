package main_test

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/claims"
	"postern/tokens"
)

// TestBuiltInClaims holds the two lists of claims that are not the operator's against each other: what
// may not be defined, and what tokens say by themselves. Rooms do not know one another, so neither can
// ask the other.
func TestBuiltInClaims(t *testing.T) {
	t.Parallel()
	elsewhere := []string{"x-hasura-role", "x-hasura-user-isanonymous"} // Hasura's, and an old spelling that only a setting brings
	for _, name := range claims.BuiltIn() {
		if tokens.IsBuiltIn(name) == slices.Contains(elsewhere, name) {
			t.Errorf("%s may not be defined, and is none of the claims in tokens", name)
		}
	}
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(`{"type":"HS256","key":"` + strings.Repeat("0123456789abcdef", 4) + `"}`)); err != nil {
		t.Fatal(err)
	}
	signer, err := tokens.NewSigner(secret)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signer.Sign(tokens.Access{UserID: "u", Roles: []string{"user"}, DefaultRole: "user", IsAnonymous: true, Elevated: true, Actor: "o", Life: time.Minute}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]json.RawMessage
	var session map[string]any
	if err := json.Unmarshal(body, &payload); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(payload["https://hasura.io/jwt/claims"], &session); err != nil || len(session) < 6 {
		t.Fatalf("%v: %v", session, err)
	}
	for name := range session {
		if !slices.Contains(claims.BuiltIn(), strings.ToLower(name)) {
			t.Errorf("tokens say %s, and it may be defined as a custom claim", name)
		}
	}
}

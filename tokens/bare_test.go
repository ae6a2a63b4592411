package tokens

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func bareSigner(t testing.TB) *Signer {
	t.Helper()
	s, err := NewSigner(parseSecret(t, secretText(t, "HS256", hsKey, "", "")), WithoutHasura(true))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestTokensWithoutHasura say who, and nothing of roles.
func TestTokensWithoutHasura(t *testing.T) {
	t.Parallel()
	s, a := bareSigner(t), access()
	a.Elevated, a.Audience = true, "authenticated"
	a.Others = map[string]any{"role": "authenticated", "is_anonymous": true, "Elevated": "by a hook"}
	token := sign(t, s, a)
	if payload := strings.ToLower(fmt.Sprint(payloadOf(t, token))); strings.Contains(payload, "hasura.io") || strings.Contains(payload, "x-hasura") || strings.Contains(payload, "hook") {
		t.Errorf("%s", payload)
	}
	got, custom, err := s.VerifyCustom(token, noon)
	want := Claims{UserID: userID, SessionID: sessionID, IsAnonymous: true, Elevated: true, IssuedAt: noon, ExpiresAt: noon.Add(a.Life)}
	if diff := cmp.Diff(want, got); err != nil || diff != "" || len(custom) > 0 {
		t.Errorf("%v %v (-want +got):\n%s", err, custom, diff)
	}

	a.Elevated = false
	a.Others["elevated"] = true
	if got, err := s.Verify(sign(t, s, a), noon); err != nil || got.Elevated {
		t.Errorf("a hook says that the user proved themselves: %+v, %v", got, err)
	}
}

// TestTokensOfOtherWordsAreRefused keeps tokens apart that are signed with the same key.
func TestTokensOfOtherWordsAreRefused(t *testing.T) {
	t.Parallel()
	bare, whole, a := bareSigner(t), hsSigner(t), access()
	if _, err := whole.Verify(sign(t, bare, a), noon); err == nil {
		t.Error("where there must be claims of Hasura, a token without them counts")
	}
	a.SessionID = ""
	if _, err := bare.Verify(sign(t, bare, a), noon); err == nil {
		t.Error("a token of no session counts")
	}
	a = access()
	for _, broken := range []any{"yes", 1, nil, []any{}} {
		a.Others = map[string]any{"is_anonymous": broken}
		if got, err := bare.Verify(sign(t, bare, a), noon); err == nil && broken != nil {
			t.Errorf("is_anonymous is %v: %+v", broken, got)
		}
	}
}

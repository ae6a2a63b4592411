package tokens

import (
	"errors"
	"strings"
	"testing"
	"time"

	"postern/auth"
)

// TestATokenWhoseFactorIsDueSaysNothingToHasura holds that only who asks for such tokens takes them, and that no hook makes
// them more than they are.
func TestATokenWhoseFactorIsDueSaysNothingToHasura(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, members := range []string{"", `,"claims_namespace_path":"$"`, `,"claims_map":{"x-hasura-allowed-roles":{"path":"$.app.roles"},"x-hasura-default-role":{"path":"$.app.role"}}`} {
		s := newSigner(t, secretText(t, "HS256", hsKey, "", members))
		a := Access{UserID: NewUUID(), SessionID: NewUUID(), Roles: []string{"user"}, DefaultRole: "user", FactorDue: true, Life: time.Minute}
		payload, err := s.Payload(a, now)
		if err != nil {
			t.Fatal(err)
		}
		payload["factor_due"], payload["Factor_Due"] = false, false
		payload["x-hasura-default-role"], payload["https://hasura.io/jwt/claims"] = "admin", map[string]any{"x-hasura-default-role": "admin"}
		payload["app"] = map[string]any{"role": "admin"}
		if a, err = s.Override(a, payload); err != nil {
			t.Fatal(err)
		}
		if payload, err = s.Payload(a, now); err != nil {
			t.Fatal(err)
		}
		for name, value := range payload {
			if strings.HasPrefix(name, "https://hasura") && !strings.Contains(members, `"$"`) || members != "" && (name == "app" && strings.Contains(members, "app") || strings.Contains(members, `"$"`) && strings.HasPrefix(name, "x-hasura-")) {
				t.Errorf("%s: %s is %v", members, name, value)
			}
		}
		token, err := s.Sign(a, now)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Verify(token, now); !errors.Is(err, auth.Unauthorized) {
			t.Errorf("%s: Verify: %v", members, err)
		}
		if _, _, err := s.VerifyCustom(token, now); !errors.Is(err, auth.Unauthorized) {
			t.Errorf("%s: VerifyCustom: %v", members, err)
		}
		if c, err := s.VerifyAny(token, now); err != nil || !c.FactorDue || !c.Actor().FactorDue || c.UserID != a.UserID {
			t.Errorf("%s: VerifyAny: %+v, %v", members, c, err)
		}
	}
}

// TestATokenWhoseFactorIsDueTakesNoRolesFromUsers holds that nothing which users say is where Hasura is told to find roles, as ours are
// not put over it there.
func TestATokenWhoseFactorIsDueTakesNoRolesFromUsers(t *testing.T) {
	t.Parallel()
	s := newSigner(t, secretText(t, "HS256", hsKey, "", `,"claims_map":{"x-hasura-allowed-roles":{"path":"$.user_metadata.roles"},"x-hasura-default-role":{"path":"$.said.role"},"x-hasura-user-id":{"path":"$.sub"}}`))
	said := map[string]any{"user_metadata": map[string]any{"roles": []string{"admin"}}, "said": map[string]any{"role": "admin"}, "aal": "aal1"}
	payload, err := s.Payload(Access{UserID: NewUUID(), SessionID: NewUUID(), DefaultRole: "user", FactorDue: true, Others: said, Life: time.Minute}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if payload["user_metadata"] != nil || payload["said"] != nil || payload["aal"] != "aal1" || payload["sub"] == nil || said["said"] == nil {
		t.Errorf("%v", payload)
	}
}

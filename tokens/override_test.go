package tokens

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// said reads what a token says, by somebody else's decoder.
func said(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	var payload map[string]any
	if err := json.Unmarshal(text, &payload); err != nil {
		t.Fatal(err)
	}
	return payload
}

// overridden signs a token whose payload somebody else gave.
func overridden(t *testing.T, s *Signer, payload map[string]any) map[string]any {
	t.Helper()
	a, err := s.Override(access(), payload)
	if err != nil {
		t.Fatal(err)
	}
	return said(t, sign(t, s, a))
}

// layouts are the places where a secret can have the claims of Hasura stand.
var layouts = map[string]string{
	"default":     `{"type":"HS256","key":"` + hsKey + `"}`,
	"namespace":   `{"type":"HS256","key":"` + hsKey + `","claims_namespace":"mine","audience":["a","b"],"issuer":"me"}`,
	"nested path": `{"type":"HS256","key":"` + hsKey + `","claims_namespace_path":"$.deep.hasura"}`,
	"root":        `{"type":"HS256","key":"` + hsKey + `","claims_namespace_path":"$"}`,
	"text":        `{"type":"HS256","key":"` + hsKey + `","claims_format":"stringified_json"}`,
	"claims map": `{"type":"HS256","key":"` + hsKey + `","claims_map":{"x-hasura-allowed-roles":{"path":"$.my.roles"},
		"x-hasura-default-role":{"path":"$.my.role"},"x-hasura-user-id":{"path":"$.my.id"}}}`,
}

func TestPayloadIsWhatIsSigned(t *testing.T) {
	t.Parallel()
	for name, text := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, text)
			payload, err := s.Payload(access(), noon)
			if err != nil {
				t.Fatal(err)
			}
			want := said(t, sign(t, s, access()))
			if name == "text" {
				var claims any
				if err := json.Unmarshal([]byte(want[defaultNamespace].(string)), &claims); err != nil {
					t.Fatal(err)
				}
				want[defaultNamespace] = claims
			}
			shown, err := json.Marshal(payload)
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]any
			if err := json.Unmarshal(shown, &got); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("payload (-signed +shown):\n%s", diff)
			}
			// Given back as it is, it changes nothing.
			if diff := cmp.Diff(said(t, sign(t, s, access())), overridden(t, s, payload)); diff != "" {
				t.Errorf("given back (-before +after):\n%s", diff)
			}
		})
	}
}

func TestOverrideNeverTouchesWhatIsOurs(t *testing.T) {
	t.Parallel()
	theirs := func(value any) map[string]any {
		payload := map[string]any{}
		for _, name := range append(append([]string{"deep", "mine", defaultNamespace, "my", oldAnonymous}, registered...), builtIn...) {
			payload[name] = value
			payload[strings.ToUpper(name)] = value
			payload[strings.ToUpper(name[:1])+name[1:]] = value
		}
		return payload
	}
	nested := map[string]any{}
	for _, name := range append([]string{oldAnonymous, "X-Hasura-User-Id"}, builtIn...) {
		nested[name] = "stolen"
	}
	for name, text := range layouts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSigner(t, text)
			bare := access()
			bare.Extra = nil
			want := said(t, sign(t, s, bare))
			for label, payload := range map[string]map[string]any{
				"texts": theirs("stolen"), "nothing": theirs(nil), "lists": theirs([]any{"admin"}), "objects": theirs(nested),
				"deep objects": theirs(map[string]any{"hasura": nested}), "empty": {},
			} {
				got := overridden(t, s, payload)
				// What a layout does not use is free: only there may anything have come in.
				for _, root := range []string{"deep", "mine", "my", defaultNamespace, oldAnonymous} {
					for _, spelt := range []string{root, strings.ToUpper(root), strings.ToUpper(root[:1]) + root[1:]} {
						if _, ours := want[spelt]; !ours {
							delete(got, spelt)
						}
					}
				}
				for _, free := range builtIn { // beside the object that Hasura looks at, they mean nothing
					if name != "root" {
						delete(got, free)
						delete(got, strings.ToUpper(free))
						delete(got, strings.ToUpper(free[:1])+free[1:])
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("%s: the token (-ours +got):\n%s", label, diff)
				}
			}
		})
	}
}

func TestOverrideReplacesWhatIsOpen(t *testing.T) {
	t.Parallel()
	s := newSigner(t, layouts["default"])
	got := overridden(t, s, map[string]any{
		"email": "ada@example.com", "big": int64(9007199254740993), "half": 0.5, "number": json.Number("7"),
		"app_metadata": map[string]any{"list": []any{1, "two", nil, json.Number("9007199254740993")}},
		defaultNamespace: map[string]any{
			"x-hasura-org": "acme", "X-Hasura-Level": 5, "x-hasura-vip": true, "not-ours": "dropped", "x-hasura-user-id": "stolen",
		},
	})
	claims := got[defaultNamespace].(map[string]any)
	if diff := cmp.Diff(map[string]any{
		"x-hasura-org": "acme", "X-Hasura-Level": "5", "x-hasura-vip": "true", claimUserID: userID, claimDefaultRole: "user",
		claimRoles: []any{"user", "me"}, claimAnonymous: "false",
	}, claims); diff != "" {
		t.Errorf("claims (-want +got):\n%s", diff)
	}
	if got["email"] != "ada@example.com" || got["half"] != 0.5 || got["number"] != 7.0 {
		t.Errorf("got %v", got)
	}
	a, err := s.Override(access(), map[string]any{"big": int64(9007199254740993), "deep": []any{json.Number("9007199254740993")}})
	if err != nil {
		t.Fatal(err)
	}
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(sign(t, s, a), ".")[1])
	if err != nil || strings.Count(string(text), "9007199254740993") != 2 {
		t.Errorf("a whole number lost its last digit: %s, %v", text, err)
	}
}

func TestOverrideRefusesWhatNoTokenCanSay(t *testing.T) {
	t.Parallel()
	s := newSigner(t, layouts["default"])
	for name, payload := range map[string]map[string]any{
		"nothing":        nil,
		"too much":       {"long": strings.Repeat("x", MaxPayload)},
		"no JSON":        {"f": func() {}},
		"a list as text": {defaultNamespace: map[string]any{"x-hasura-org": []any{"a"}}},
		"null as text":   {defaultNamespace: map[string]any{"x-hasura-org": nil}},
	} {
		if _, err := s.Override(access(), payload); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

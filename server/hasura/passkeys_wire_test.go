package hasura

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"postern/auth"
	"postern/internal/softkey"
	"postern/passkeys"
	"postern/server"
)

// FuzzCredentialJSON decodes what strangers send as credentials: it is refused as a bad request, or
// gives bytes within their bounds.
func FuzzCredentialJSON(f *testing.F) {
	d := softkey.New("https://app.example.com")
	answer, err := d.Create(map[string]any{"rp": map[string]any{"id": "app.example.com"}, "user": map[string]any{"id": "x"}, "challenge": "c", "pubKeyCredParams": []any{map[string]any{"alg": softkey.ES256}}})
	if err != nil {
		f.Fatal(err)
	}
	signed, err := d.Sign(d.Keys[0], "c")
	if err != nil {
		f.Fatal(err)
	}
	for _, a := range []softkey.Answer{answer, signed} {
		raw, err := json.Marshal(map[string]any{"credential": a, "nickname": "key"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(raw))
	}
	f.Add(`{"credential":{"id":"AA==","rawId":"AA","type":"public-key","response":null,"x":[null]}}`)
	request := func(t *testing.T, body string) *http.Request {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		return r
	}
	f.Fuzz(func(t *testing.T, body string) {
		made, err := server.Decode[addPasskeyAnswer](request(t, body), server.Body{Free: freeCredential})
		switch {
		case err != nil && auth.CodeOf(err) != auth.BadRequest:
			t.Errorf("no bad request: %v", err)
		case err == nil:
			in := made.Credential.Answer()
			if len(in.CredentialID) == 0 || len(in.CredentialID) > passkeys.MaxCredentialID+2 || len(in.ClientData) == 0 || len(in.AttestationObject) == 0 || len(in.AttestationObject) > passkeys.MaxAttestation+2 {
				t.Errorf("out of bounds: %d, %d, %d bytes", len(in.CredentialID), len(in.ClientData), len(in.AttestationObject))
			}
		}
		answer, err := server.Decode[passkeyAnswer](request(t, body), server.Body{Free: freeCredential})
		switch {
		case err != nil && auth.CodeOf(err) != auth.BadRequest:
			t.Errorf("no bad request: %v", err)
		case err == nil:
			if in := answer.Credential.Answer(); len(in.CredentialID) == 0 || len(in.ClientData) == 0 || len(in.AuthenticatorData) == 0 || len(in.Signature) == 0 || len(in.UserHandle) > passkeys.MaxUserHandle {
				t.Errorf("out of bounds: %+v", in)
			}
		}
	})
}

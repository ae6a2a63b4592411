package tokens

import (
	"strings"
	"testing"
	"time"
)

func FuzzVerify(f *testing.F) {
	s := hsSigner(f)
	good := sign(f, s, access())
	state, err := s.SignPurpose("state", "x", time.Minute, noon)
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{good, state, "", "..", "a.b.c", forge(nil, `{"alg":"none"}`, goodPayload(f, nil))} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if claims, err := s.Verify(token, noon); token != good && err == nil {
			t.Errorf("%q is taken for %+v", token, claims)
		}
		var into any
		if err := s.VerifyPurpose("state", token, &into, noon); token != state && err == nil {
			t.Errorf("%q is taken for a state with %v", token, into)
		}
	})
}

// The payload behind a right signature is the key holder's, which may be another program: nothing
// in it may make us fall over, and what is taken must be sound.
func FuzzVerifySigned(f *testing.F) {
	s := hsSigner(f)
	f.Add(goodHeader, goodPayload(f, nil))
	f.Add(`{"alg":"HS256"}`, `{"exp":1e9}`)
	f.Fuzz(func(t *testing.T, header, payload string) {
		claims, err := s.Verify(forge([]byte(hsKey), header, payload), noon)
		if err == nil && (!IsUUID(claims.UserID) || claims.DefaultRole == "" || !claims.ExpiresAt.After(noon)) {
			t.Errorf("%s %s is taken for %+v", header, payload, claims)
		}
	})
}

func FuzzSecret(f *testing.F) {
	f.Add(secretText(f, "HS256", hsKey, "", `,"audience":["a"],"allowed_skew":1`))
	f.Add(secretText(f, "HS256", hsKey, "", `,"claims_map":{"x-hasura-allowed-roles":{"path":"$.a['b c']"},"x-hasura-default-role":"user"}`))
	f.Add(secretText(f, "HS256", hsKey, "", `,"claims_namespace_path":"$.x.y","claims_format":"stringified_json"`))
	public, private := pairOf(f, "ES256")
	f.Add(secretText(f, "ES256", public, private, `,"jwk_url":"u","header":{"type":"Cookie","name":"n"}`))
	f.Fuzz(func(t *testing.T, text string) {
		var s Secret
		if err := s.UnmarshalText([]byte(text)); err != nil {
			return
		}
		signer, err := NewSigner(s)
		if err != nil {
			t.Fatalf("read but cannot sign: %v", err)
		}
		token, err := signer.Sign(access(), noon)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := signer.Verify(token, noon); err != nil || got.UserID != userID {
			t.Errorf("cannot read its own token %s: %+v, %v", token, got, err)
		}
	})
}

func FuzzPKCE(f *testing.F) {
	f.Add("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
	f.Fuzz(func(t *testing.T, verifier, challenge string) {
		own := ChallengeOf(verifier)
		if !ValidChallenge(own) {
			t.Errorf("challenge %q of %q is not valid", own, verifier)
		}
		if Answers(challenge, verifier) != (ValidVerifier(verifier) && challenge == own) {
			t.Errorf("%q and %q", challenge, verifier)
		}
		if ValidVerifier(verifier) && strings.ContainsAny(verifier, "\x00\r\n %+/=") {
			t.Errorf("verifier %q is valid", verifier)
		}
	})
}

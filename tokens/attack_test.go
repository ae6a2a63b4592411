package tokens

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/auth"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// forge signs a header and a payload, given as JSON, with HMAC-SHA-256.
func forge(key []byte, header, payload string) string {
	unsigned := b64([]byte(header)) + "." + b64([]byte(payload))
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(unsigned))
	return unsigned + "." + b64(mac.Sum(nil))
}

const goodHeader = `{"alg":"HS256","typ":"JWT"}`

// goodPayload is what hsSigner takes, with changes: a nil value takes the member out.
func goodPayload(t testing.TB, changes map[string]any) string {
	t.Helper()
	payload := map[string]any{
		"sub": userID, "iss": "hasura-auth", "iat": noon.Unix(), "exp": noon.Unix() + 900, "session_id": sessionID,
		"https://hasura.io/jwt/claims": map[string]any{
			"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": "user",
			"x-hasura-user-id": userID, "x-hasura-user-is-anonymous": "false",
		},
	}
	maps.Copy(payload, changes)
	maps.DeleteFunc(payload, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(payload)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func claimsWith(changes map[string]any) map[string]any {
	claims := map[string]any{"x-hasura-allowed-roles": []string{"user"}, "x-hasura-default-role": "user", "x-hasura-user-id": userID}
	maps.Copy(claims, changes)
	return map[string]any{"https://hasura.io/jwt/claims": claims}
}

func TestT47ForgedTokensAreRefused(t *testing.T) {
	t.Parallel()
	s := hsSigner(t)
	key := []byte(hsKey)
	good := goodPayload(t, nil)
	tokens := map[string]string{}
	for _, alg := range []string{"none", "None", "NONE", "nOnE", "none ", " none", "", "n\u00f6ne", "no\u0000ne", "null", "NoNe", "\uff4eone"} {
		header, err := json.Marshal(map[string]string{"alg": alg, "typ": "JWT"})
		if err != nil {
			t.Fatal(err)
		}
		tokens["alg "+alg+", no signature"] = b64(header) + "." + b64([]byte(good)) + "."
		tokens["alg "+alg+", signed"] = forge(key, string(header), good)
	}
	for name, header := range map[string]string{
		"alg missing":       `{"typ":"JWT"}`,
		"alg null":          `{"alg":null,"typ":"JWT"}`,
		"alg a list":        `{"alg":["HS256"],"typ":"JWT"}`,
		"alg twice":         `{"alg":"HS256","alg":"HS256","typ":"JWT"}`,
		"alg in lower case": `{"alg":"hs256","typ":"JWT"}`,
		"another alg":       `{"alg":"HS512","typ":"JWT"}`,
		"alg of a pair":     `{"alg":"RS256","typ":"JWT"}`,
		"Alg as well":       `{"Alg":"HS256","typ":"JWT"}`,
		"typ twice":         `{"alg":"HS256","typ":"JWT","typ":"JWT"}`,
		"typ a number":      `{"alg":"HS256","typ":5}`,
		"typ null":          `{"alg":"HS256","typ":null}`,
		"typ at+jwt":        `{"alg":"HS256","typ":"at+jwt"}`,
		"typ of a state":    `{"alg":"HS256","typ":"postern-state+jwt"}`,
		"typ logout":        `{"alg":"HS256","typ":"logout+jwt"}`,
		"crit":              `{"alg":"HS256","typ":"JWT","crit":["exp"]}`,
		"crit empty":        `{"alg":"HS256","typ":"JWT","crit":[]}`,
		"b64 false":         `{"alg":"HS256","typ":"JWT","b64":false,"crit":["b64"]}`,
		"b64 false alone":   `{"alg":"HS256","typ":"JWT","b64":false}`,
		"zip":               `{"alg":"HS256","typ":"JWT","zip":"DEF"}`,
		"nested":            `{"alg":"HS256","typ":"JWT","cty":"JWT"}`,
		"a list":            `["HS256"]`,
		"null":              `null`,
		"empty":             ``,
		"trailing":          `{"alg":"HS256","typ":"JWT"}{}`,
		"invalid UTF-8":     "{\"alg\":\"HS256\",\"typ\":\"JWT\",\"kid\":\"\xff\"}",
	} {
		tokens["header "+name] = forge(key, header, good)
	}
	for name, changes := range map[string]map[string]any{
		"exp missing":            {"exp": nil},
		"exp a string":           {"exp": strconv.FormatInt(noon.Unix()+900, 10)},
		"exp a fraction":         {"exp": float64(noon.Unix()) + 900.5},
		"exp negative":           {"exp": -1},
		"exp 0":                  {"exp": 0},
		"exp 1e18":               {"exp": int64(1e18)},
		"exp 1e300":              {"exp": 1e300},
		"exp now":                {"exp": noon.Unix()},
		"exp a second ago":       {"exp": noon.Unix() - 1},
		"exp true":               {"exp": true},
		"exp a list":             {"exp": []int64{noon.Unix() + 900}},
		"iat in a minute":        {"iat": noon.Unix() + 60},
		"iat a string":           {"iat": "now"},
		"nbf in a minute":        {"nbf": noon.Unix() + 60},
		"nbf a string":           {"nbf": "now"},
		"iss missing":            {"iss": nil},
		"iss another":            {"iss": "https://elsewhere"},
		"iss a list":             {"iss": []string{"hasura-auth"}},
		"iss in another case":    {"iss": "Hasura-Auth"},
		"aud where none is ours": {"aud": "somebody"},
		"aud of a state":         {"aud": "postern:state"},
		"aud a list":             {"aud": []string{"somebody"}},
		"aud empty":              {"aud": []string{}},
		"aud null":               {"aud": json.RawMessage("null")},
		"aud a number":           {"aud": 5},
		"sub missing":            {"sub": nil},
		"sub a number":           {"sub": 5},
		"sub no UUID":            {"sub": "admin"},
		"sub in upper case":      {"sub": strings.ToUpper(userID)},
		"sub of another":         {"sub": sessionID},
		"session_id a number":    {"session_id": 5},
		"session_id no UUID":     {"session_id": "' or 1=1 --"},
		"no claims":              {"https://hasura.io/jwt/claims": nil},
		"claims a list":          {"https://hasura.io/jwt/claims": []string{}},
		"claims null":            {"https://hasura.io/jwt/claims": json.RawMessage("null")},
		"claims as a string":     {"https://hasura.io/jwt/claims": "{}"},
		"no user id":             claimsWith(map[string]any{"x-hasura-user-id": ""}),
		"another user id":        claimsWith(map[string]any{"x-hasura-user-id": sessionID}),
		"no default role":        claimsWith(map[string]any{"x-hasura-default-role": ""}),
		"default role a list":    claimsWith(map[string]any{"x-hasura-default-role": []string{"user"}}),
		"roles a string":         claimsWith(map[string]any{"x-hasura-allowed-roles": "user"}),
		"roles with a number":    claimsWith(map[string]any{"x-hasura-allowed-roles": []any{"user", 5}}),
		"anonymous a boolean":    claimsWith(map[string]any{"x-hasura-user-is-anonymous": true}),
	} {
		tokens["payload "+name] = forge(key, goodHeader, goodPayload(t, changes))
	}
	for name, payload := range map[string]string{
		"exp twice":      strings.Replace(good, `{`, `{"exp":9999999999,`, 1),
		"claim twice":    strings.Replace(good, `"x-hasura-user-id"`, `"x-hasura-user-id":"`+sessionID+`","x-hasura-user-id"`, 1),
		"a list":         `[]`,
		"null":           `null`,
		"empty":          ``,
		"trailing":       good + `{}`,
		"nested too far": strings.Replace(good, `{`, `{"a":`+strings.Repeat("[", 5000)+strings.Repeat("]", 4999)+`,`, 1),
	} {
		tokens["payload "+name] = forge(key, goodHeader, payload)
	}
	tokens["signed, but 17 KiB"] = forge(key, goodHeader, goodPayload(t, map[string]any{"more": strings.Repeat("a", 12<<10)}))
	goodToken := forge(key, goodHeader, good)
	parts := strings.Split(goodToken, ".")
	for name, token := range map[string]string{
		"empty": "", "dots": "..", "one dot": ".", "a million dots": strings.Repeat(".", 1_000_000),
		"17 KiB": goodToken + strings.Repeat("A", 17<<10), "header of 64 KiB": b64(bytes.Repeat([]byte("a"), 64<<10)) + "." + parts[1] + "." + parts[2],
		"JWE of five parts": goodToken + ".AAAA.AAAA", "four parts": goodToken + ".", "two parts": parts[0] + "." + parts[1],
		"no signature": parts[0] + "." + parts[1] + ".", "signature of one byte": parts[0] + "." + parts[1] + ".AA",
		"zero signature":   parts[0] + "." + parts[1] + "." + b64(make([]byte, 32)),
		"half a signature": parts[0] + "." + parts[1] + "." + parts[2][:21],
		"swapped parts":    parts[1] + "." + parts[0] + "." + parts[2],
		"empty key":        forge(nil, goodHeader, good),
		"another key":      forge([]byte(hsKey+"x"), goodHeader, good),
		"payload changed":  parts[0] + "." + b64([]byte(goodPayload(t, map[string]any{"exp": noon.Unix() + 9000}))) + "." + parts[2],
		"flat JSON":        `{"protected":"` + parts[0] + `","payload":"` + parts[1] + `","signature":"` + parts[2] + `"}`,
	} {
		tokens[name] = token
	}
	if _, err := s.Verify(goodToken, noon); err != nil {
		t.Fatalf("the token that all others are changes of is refused: %v", err)
	}
	for name, token := range tokens {
		claims, err := s.Verify(token, noon)
		if !isUnauthorized(err) || claims.UserID != "" {
			t.Errorf("%s: got %+v, %v, want unauthorized", name, claims, err)
		}
	}
}

func TestKeysInTheHeaderAreNotLookedAt(t *testing.T) {
	t.Parallel()
	s := hsSigner(t)
	thief := []byte("the thief's own key, which is in the header")
	for _, member := range []string{
		`"jku":"https://thief/jwks"`, `"x5u":"https://thief/cert"`, `"x5c":["AAAA"]`, `"jwk":{"kty":"oct","k":"` + b64(thief) + `"}`,
		`"kid":"../../../dev/null"`, `"kid":"' union select 'key"`, `"kid":"a\u0000b"`, `"kid":["a"]`, `"kid":"` + strings.Repeat("k", 8000) + `"`,
	} {
		header := `{"alg":"HS256","typ":"JWT",` + member + `}`
		if _, err := s.Verify(forge(thief, header, goodPayload(t, nil)), noon); !isUnauthorized(err) {
			t.Errorf("%.40s: the thief's key counts: %v", member, err)
		}
		if _, err := s.Verify(forge([]byte(hsKey), header, goodPayload(t, nil)), noon); err != nil {
			t.Errorf("%.40s: it counts against our own key: %v", member, err)
		}
	}
}

func TestPublicKeyIsNoSharedSecret(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"RS256", "PS256", "ES256", "EdDSA"} {
		public, private := pairOf(t, alg)
		s := newSigner(t, secretText(t, alg, public, private, ""))
		block, _ := pem.Decode([]byte(public))
		var set struct{ Keys []json.RawMessage }
		if err := json.Unmarshal(s.JWKS(), &set); err != nil {
			t.Fatal(err)
		}
		for name, key := range map[string][]byte{
			"PEM": []byte(public), "PEM, no newline": []byte(strings.TrimSpace(public)), "PEM, CRLF": []byte(strings.ReplaceAll(public, "\n", "\r\n")),
			"DER": block.Bytes, "JWK": set.Keys[0], "JWKS": s.JWKS(), "nothing": nil,
		} {
			for _, claimed := range []string{"HS256", alg} {
				token := forge(key, `{"alg":"`+claimed+`","typ":"JWT"}`, goodPayload(t, nil))
				if _, err := s.Verify(token, noon); !isUnauthorized(err) {
					t.Errorf("%s: %s as HMAC secret, alg %s: %v", alg, name, claimed, err)
				}
			}
		}
	}
}

func TestPsychicSignaturesAreRefused(t *testing.T) {
	t.Parallel()
	public, private := pairOf(t, "ES256")
	s := newSigner(t, secretText(t, "ES256", public, private, ""))
	parts := strings.Split(sign(t, s, access()), ".")
	block, _ := pem.Decode([]byte(private))
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	key, ok := parsed.(*ecdsa.PrivateKey)
	if !ok {
		t.Fatalf("key is a %T", parsed)
	}
	hashed := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	asn1, err := ecdsa.SignASN1(rand.Reader, key, hashed[:])
	if err != nil {
		t.Fatal(err)
	}
	order := key.Params().N.FillBytes(make([]byte, 32))
	one := append(make([]byte, 31), 1)
	for name, signature := range map[string][]byte{
		"r = s = 0": make([]byte, 64), "r = s = n": append(bytes.Clone(order), order...), "r = 1, s = 1": append(bytes.Clone(one), one...),
		"short": make([]byte, 63), "long": make([]byte, 65), "ASN.1": asn1, "one byte": {0},
	} {
		if _, err := s.Verify(parts[0]+"."+parts[1]+"."+b64(signature), noon); !isUnauthorized(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestT21TokenVariantsRefused(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "RS256", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			s := hsSigner(t)
			if alg != "HS256" {
				public, private := pairOf(t, alg)
				s = newSigner(t, secretText(t, alg, public, private, ""))
			}
			token := sign(t, s, access())
			state, err := s.SignPurpose("state", "value", time.Minute, noon)
			if err != nil {
				t.Fatal(err)
			}
			for name, verify := range map[string]struct {
				token string
				check func(string) error
			}{
				"access": {token, func(v string) error { _, err := s.Verify(v, noon); return err }},
				"state": {state, func(v string) error {
					var value string
					return s.VerifyPurpose("state", v, &value, noon)
				}},
			} {
				if err := verify.check(verify.token); err != nil {
					t.Fatalf("%s: the token itself is refused: %v", name, err)
				}
				for _, variant := range variants(verify.token) {
					if verify.check(variant) == nil {
						t.Errorf("%s: taken although it is not the token: %q", name, variant)
					}
				}
			}
		})
	}
}

// variants are texts that are nearly the token: cut, in another case, padded, with blanks, or the
// same bytes in another spelling of base64.
func variants(token string) []string {
	var out []string
	for i := range len(token) {
		out = append(out, token[:i], token[i+1:])
		c := token[i]
		if flipped := c ^ 0x20; c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			out = append(out, token[:i]+string(flipped)+token[i+1:])
		}
	}
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	for _, end := range []int{strings.IndexByte(token, '.'), strings.LastIndexByte(token, '.'), len(token)} { // of header, payload, signature
		for _, c := range alphabet { // the bits after the last byte
			if v := token[:end-1] + string(c) + token[end:]; v != token {
				out = append(out, v)
			}
		}
		for _, extra := range []string{"=", "==", "\n", "\r\n", " ", "\t", "A", "\x00", "%"} {
			out = append(out, token[:end]+extra+token[end:])
		}
	}
	return append(out, " "+token, "\n"+token, "."+token, token+".", "Bearer "+token, strings.ToUpper(token), strings.ToLower(token),
		token+token, strings.NewReplacer("-", "+", "_", "/").Replace(token)+"=", "\ufeff"+token)
}

func TestLeewayIsWhatTheSecretAllows(t *testing.T) {
	t.Parallel()
	strict, lenient := hsSigner(t), newSigner(t, secretText(t, "HS256", hsKey, "", `,"allowed_skew":30`))
	token := sign(t, strict, access())
	for name, c := range map[string]struct {
		signer *Signer
		after  time.Duration
		ok     bool
	}{
		"last second":                    {strict, 899 * time.Second, true},
		"at its end":                     {strict, 900 * time.Second, false},
		"inside the skew":                {lenient, 929 * time.Second, true},
		"past the skew":                  {lenient, 930 * time.Second, false},
		"a replica that is behind":       {strict, -time.Second, true},
		"a clock two seconds behind":     {strict, -2 * time.Second, false},
		"the same with a skew of thirty": {lenient, -2 * time.Second, true},
		"thirty one seconds of the skew": {lenient, -31 * time.Second, false},
		"signed half a second from now":  {strict, -500 * time.Millisecond, true},
		"half a second before its end":   {strict, 899500 * time.Millisecond, true},
	} {
		if _, err := c.signer.Verify(token, noon.Add(c.after)); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAudienceMustBeOurs(t *testing.T) {
	t.Parallel()
	s := newSigner(t, secretText(t, "HS256", hsKey, "", `,"audience":["app","console"]`))
	for name, c := range map[string]struct {
		aud any
		ok  bool
	}{
		"one of ours": {"console", true}, "a list with one of ours": {[]string{"x", "app"}, true}, "missing": {nil, false},
		"another": {"other", false}, "a part of ours": {"ap", false}, "empty": {"", false}, "an object": {map[string]string{"app": "app"}, false},
		"a list with a number": {[]any{"app", 5}, false},
	} {
		token := forge([]byte(hsKey), goodHeader, goodPayload(t, map[string]any{"aud": c.aud}))
		if _, err := s.Verify(token, noon); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestElevatedOnlyForTheUserItself(t *testing.T) {
	t.Parallel()
	for value, want := range map[any]bool{userID: true, sessionID: false, "true": false, true: false, "": false} {
		token := forge([]byte(hsKey), goodHeader, goodPayload(t, claimsWith(map[string]any{"x-hasura-auth-elevated": value})))
		got, err := hsSigner(t).Verify(token, noon)
		if err != nil || got.Elevated != want {
			t.Errorf("%v: elevated %v, %v", value, got.Elevated, err)
		}
	}
}

func TestWeakness22StatesAndAccessTokensAreNeverMistaken(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS256", "HS512", "RS256", "ES256"} {
		text := secretText(t, alg, strings.Repeat(hsKey, 2), "", "")
		if !strings.HasPrefix(alg, "HS") {
			public, private := pairOf(t, alg)
			text = secretText(t, alg, public, private, "")
		}
		s := newSigner(t, text)
		type state struct{ Redirect, Provider string }
		token, err := s.SignPurpose("state", state{"https://app", "github"}, 10*time.Minute, noon)
		if err != nil {
			t.Fatal(err)
		}
		var got state
		if err := s.VerifyPurpose("state", token, &got, noon); err != nil || got.Provider != "github" {
			t.Errorf("%s: own state: %+v, %v", alg, got, err)
		}
		if _, err := s.Verify(token, noon); !isUnauthorized(err) {
			t.Errorf("%s: a state is an access token: %v", alg, err)
		}
		for name, c := range map[string]struct {
			token   string
			purpose string
			when    time.Time
		}{
			"access token as state": {sign(t, s, access()), "state", noon},
			"state as another":      {token, "elevation", noon},
			"state too late":        {token, "state", noon.Add(10 * time.Minute)},
			"state of another key":  {signState(t), "state", noon},
			"rubbish":               {"a.b.c", "state", noon},
		} {
			var into any
			if err := s.VerifyPurpose(c.purpose, c.token, &into, c.when); !errors.Is(err, auth.InvalidTicket) || into != nil {
				t.Errorf("%s, %s: got %v, %v", alg, name, into, err)
			}
		}
		var wrong []int
		if err := s.VerifyPurpose("state", token, &wrong, noon); !errors.Is(err, auth.InvalidTicket) {
			t.Errorf("%s: read into something else: %v", alg, err)
		}
	}
}

func signState(t *testing.T) string {
	t.Helper()
	token, err := newSigner(t, secretText(t, "HS256", "another key, of another server: 77c1", "", "")).SignPurpose("state", "x", time.Minute, noon)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Even with the right key for its purpose, type and audience each tell a state from the rest.
func TestPurposeIsInTypeAndAudience(t *testing.T) {
	t.Parallel()
	s := hsSigner(t)
	key, err := s.purposeKey("state")
	if err != nil {
		t.Fatal(err)
	}
	other, err := s.purposeKey("other")
	if err != nil || bytes.Equal(key, other) {
		t.Errorf("two purposes share a key, %v", err)
	}
	payload := func(aud string) string {
		return fmt.Sprintf(`{"iss":"hasura-auth","aud":%q,"iat":%d,"exp":%d,"data":"x"}`, aud, noon.Unix(), noon.Unix()+60)
	}
	header := `{"alg":"HS256","typ":"postern-state+jwt"}`
	for name, c := range map[string]struct {
		header, payload string
		ok              bool
	}{
		"right":            {header, payload("postern:state"), true},
		"type of access":   {goodHeader, payload("postern:state"), false},
		"no type":          {`{"alg":"HS256"}`, payload("postern:state"), false},
		"another type":     {`{"alg":"HS256","typ":"postern-other+jwt"}`, payload("postern:state"), false},
		"another audience": {header, payload("postern:other"), false},
		"no data":          {header, strings.Replace(payload("postern:state"), `,"data":"x"`, "", 1), false},
	} {
		var got string
		if err := s.VerifyPurpose("state", forge(key, c.header, c.payload), &got, noon); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, purpose := range []string{"", "State", "a b", "a.b", strings.Repeat("a", 41)} {
		if _, err := s.SignPurpose(purpose, 1, time.Minute, noon); err == nil {
			t.Errorf("the purpose %q was taken", purpose)
		}
	}
}

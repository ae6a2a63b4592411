package config

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf8"
)

const (
	otpLength  = "AUTH_OTP_LENGTH"
	verifyKeys = "AUTH_JWT_VERIFY_KEYS"
	leastBytes = 32 // of a key of HS256 (RFC 7518, 3.2)
)

// join is a setting that several variables of theirs make together.
type join struct {
	setting string
	parts   []string // names without the prefix, the one that its value is told under first
	make    func(said map[string]string) (value, note string, err error)
}

func joins() []join {
	return []join{
		{jwtSecret, []string{"JWT_SECRET", "JWT_KEYS", "JWT_AUD", "JWT_ISSUER", "JWT_KEY_ID", "JWT_VALID_METHODS"}, jwtOf},
		{verifyKeys, []string{"JWT_KEYS", "JWT_SECRET", "JWT_KEY_ID", "JWT_VALID_METHODS"}, olderKeys},
		{"AUTH_SMTP_SENDER", []string{"SMTP_ADMIN_EMAIL", "SMTP_SENDER_NAME"}, func(said map[string]string) (string, string, error) {
			return sender(said["SMTP_ADMIN_EMAIL"], said["SMTP_SENDER_NAME"]), "", nil
		}},
		{otpLength, []string{"MAILER_OTP_LENGTH", "MFA_PHONE_OTP_LENGTH"}, longest},
		{"AUTH_SMS_TWILIO_ACCOUNT_SID", []string{"SMS_TWILIO_ACCOUNT_SID", "SMS_TWILIO_VERIFY_ACCOUNT_SID", "SMS_PROVIDER"}, ofTwilio("ACCOUNT_SID")},
		{"AUTH_SMS_TWILIO_AUTH_TOKEN", []string{"SMS_TWILIO_AUTH_TOKEN", "SMS_TWILIO_VERIFY_AUTH_TOKEN", "SMS_PROVIDER"}, ofTwilio("AUTH_TOKEN")},
		{"AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID", []string{"SMS_TWILIO_MESSAGE_SERVICE_SID", "SMS_TWILIO_VERIFY_MESSAGE_SERVICE_SID", "SMS_PROVIDER"}, ofTwilio("MESSAGE_SERVICE_SID")},
		{"AUTH_CAPTCHA_PROVIDER", []string{"SECURITY_CAPTCHA_ENABLED", "SECURITY_CAPTCHA_PROVIDER"}, func(said map[string]string) (string, string, error) {
			return captchaOf(said, said["SECURITY_CAPTCHA_PROVIDER"], "hcaptcha")
		}},
		{"AUTH_CAPTCHA_SECRET", []string{"SECURITY_CAPTCHA_SECRET", "SECURITY_CAPTCHA_ENABLED"}, func(said map[string]string) (string, string, error) {
			return captchaOf(said, said["SECURITY_CAPTCHA_SECRET"], "")
		}},
	}
}

// join makes one setting of its parts.
func (s *speech) join(j join) {
	said, told := map[string]string{}, ""
	for _, t := range s.table {
		if !slices.Contains(j.parts, t.name) {
			continue
		}
		if name, value := s.said(t); name != "" {
			said[t.name] = value
		}
	}
	for _, p := range slices.Backward(j.parts) {
		if said[p] != "" {
			told = theirPrefix + p
		}
	}
	if told == "" {
		return
	}
	if j.setting == jwtSecret && s.beside(said) {
		return
	}
	value, note, err := j.make(said)
	switch {
	case err != nil:
		s.loader.report.fail(Problem{Name: told, Origin: s.loader.origin(told), What: err.Error()})
	case note != "":
		s.loader.report.warn(Problem{Name: told, Origin: s.loader.origin(told), What: note})
	}
	if err == nil && value != "" {
		s.loader.give(j.setting, candidate{name: told, value: value, origin: s.loader.origin(told)})
	}
}

// beside compares GoTrue's key with the one that stands under our own name, where there is one: the object says more,
// so it is what counts, and whatever both say must be the same.
func (s *speech) beside(said map[string]string) bool {
	var ours struct {
		Key      string `json:"key"`
		Audience any    `json:"audience"`
		Issuer   string `json:"issuer"`
		Kid      string `json:"kid"`
	}
	raw := s.loader.value(jwtSecret)
	if s.loader.value(jwtSecret+fileSuffix) != "" {
		raw = "{}"
		s.loader.report.warn(Problem{Name: jwtSecret + fileSuffix, What: "it counts, and GOTRUE_JWT_… beside it does not"})
	}
	if raw == "" {
		return false
	}
	if json.Unmarshal([]byte(raw), &ours) != nil {
		return true // what is wrong with it is said where it is read
	}
	audience, _ := ours.Audience.(string)
	for name, other := range map[string]string{"JWT_SECRET": ours.Key, "JWT_AUD": audience, "JWT_ISSUER": ours.Issuer, "JWT_KEY_ID": ours.Kid} {
		if said[name] != "" && other != "" && said[name] != other {
			s.loader.report.fail(Problem{
				Name: theirPrefix + name, Origin: s.loader.origin(theirPrefix + name),
				What: fmt.Sprintf("%s (%s) says the same and something else", jwtSecret, s.loader.origin(jwtSecret)), Right: "one of the two",
			})
		}
	}
	if said["JWT_KEYS"] != "" {
		s.loader.report.fail(Problem{
			Name: "GOTRUE_JWT_KEYS", Origin: s.loader.origin("GOTRUE_JWT_KEYS"),
			What: fmt.Sprintf("%s (%s) has a key too", jwtSecret, s.loader.origin(jwtSecret)), Right: "one of the two",
		})
	}
	return true
}

// longest is the length of codes: the longest that is asked for anywhere.
func longest(said map[string]string) (string, string, error) {
	most, note := 0, ""
	for name, value := range said {
		n, err := strconv.Atoi(value)
		switch {
		case err != nil:
			return "", "", fmt.Errorf("%s%s is not a whole number from 6 to 10", theirPrefix, name)
		case n < 6 || n > 10: // the default, as in GoTrue
			n = 6
		}
		if most != 0 && most != n {
			note = "codes in mails and of second factors have one length here: the longer that is asked for"
		}
		most = max(most, n)
	}
	return strconv.Itoa(most), note, nil
}

// captchaOf is a setting of the captcha, where that is on.
func captchaOf(said map[string]string, value, otherwise string) (string, string, error) {
	on, ok := parseBool(said["SECURITY_CAPTCHA_ENABLED"])
	switch {
	case said["SECURITY_CAPTCHA_ENABLED"] == "" && value != "":
		return "", "without effect: GOTRUE_SECURITY_CAPTCHA_ENABLED is not set, so nobody is asked for a captcha", nil
	case said["SECURITY_CAPTCHA_ENABLED"] == "", ok && !on:
		return "", "", nil
	case !ok:
		return "", "", errors.New("GOTRUE_SECURITY_CAPTCHA_ENABLED is neither true nor false")
	case value == "":
		return otherwise, "", nil
	}
	return value, "", nil
}

// jwtOf is the object that the server and Hasura share.
func jwtOf(said map[string]string) (string, string, error) {
	object := map[string]any{}
	for name, member := range map[string]string{"JWT_AUD": "audience", "JWT_ISSUER": "issuer", "JWT_KEY_ID": "kid"} {
		if said[name] != "" {
			object[member] = said[name]
		}
	}
	note := ""
	switch secret := said["JWT_SECRET"]; {
	case said["JWT_KEYS"] != "":
		if err := signingKey(said["JWT_KEYS"], object); err != nil {
			return "", "", err
		}
	case secret != "":
		object["type"], object["key"] = "HS256", secret
		if len(secret) < leastBytes { // a service that has it goes on, and is told at each start
			note = fmt.Sprintf("has %d bytes, and HS256 needs at least %d: whoever sees one token could find it out by guessing, and make tokens of anybody; make one with: openssl rand -hex 32", len(secret), leastBytes)
		}
	default:
		return "", "without effect: GOTRUE_JWT_SECRET is not set", nil
	}
	if methods := splitList(said["JWT_VALID_METHODS"]); len(methods) > 0 {
		if !slices.Contains(methods, object["type"].(string)) {
			return "", "", fmt.Errorf("signs by %s, which GOTRUE_JWT_VALID_METHODS leaves out", object["type"])
		}
	}
	text, err := json.Marshal(object)
	return string(text), note, err
}

// olderKeys are the keys that do not sign, as public keys where they are: whose tokens are good is not who may make some.
func olderKeys(said map[string]string) (string, string, error) {
	var keys []jwk
	if said["JWT_KEYS"] == "" || json.Unmarshal([]byte(said["JWT_KEYS"]), &keys) != nil {
		return "", "", nil //nolint:nilerr // what is wrong with them is said where the one that signs is read
	}
	methods := splitList(said["JWT_VALID_METHODS"])
	var older []map[string]string
	shared := slices.Contains(methods, "HS256")
	for _, k := range keys {
		shared = shared || len(methods) == 0 && k.Alg == "HS256"
		if !slices.Contains(k.KeyOps, "sign") && (len(methods) == 0 || slices.Contains(methods, k.usual())) {
			older = append(older, map[string]string{"kty": k.Kty, "kid": k.Kid, "alg": k.Alg, "crv": k.Crv, "k": k.K, "n": k.N, "e": k.E, "x": k.X, "y": k.Y})
		}
	}
	if secret := said["JWT_SECRET"]; secret != "" && shared {
		older = append(older, map[string]string{"kty": "oct", "alg": "HS256", "kid": said["JWT_KEY_ID"], "k": base64.RawURLEncoding.EncodeToString([]byte(secret))})
	}
	if len(older) == 0 {
		return "", "", nil
	}
	text, err := json.Marshal(older)
	return string(text), "", err
}

// jwk is a key as RFC 7517 has it.
type jwk struct {
	Kty, Kid, Alg, Crv  string
	KeyOps              []string `json:"key_ops"`
	K, N, E, D, P, Q, X string
	Y                   string
	KMS                 string `json:"aws:kms:arn"`
}

// usual is the algorithm that a key is for: the one that it names, or that of its kind.
func (k jwk) usual() string {
	kinds := map[string]string{"oct": "HS256", "RSA": "RS256", "OKP": "EdDSA", "ECP-256": "ES256", "ECP-384": "ES384", "ECP-521": "ES512"}
	if k.Kty == "EC" {
		return cmp.Or(k.Alg, kinds[k.Kty+k.Crv])
	}
	return cmp.Or(k.Alg, kinds[k.Kty])
}

// signingKey puts the one key that signs into the object. No error repeats a key.
func signingKey(text string, object map[string]any) error {
	var keys []jwk
	if err := json.Unmarshal([]byte(text), &keys); err != nil {
		return errors.New("must be a JSON array of keys (JWK)")
	}
	var signs []jwk
	for _, k := range keys {
		if slices.Contains(k.KeyOps, "sign") {
			signs = append(signs, k)
		}
	}
	if len(signs) != 1 {
		return fmt.Errorf("has %d keys with sign in key_ops, and must have exactly one", len(signs))
	}
	k := signs[0]
	if k.KMS != "" {
		return errors.New("has a key that is kept by AWS KMS (aws:kms:arn), which cannot sign here")
	}
	delete(object, "kid")
	if k.Kid != "" {
		object["kid"] = k.Kid
	}
	if k.Kty == "oct" {
		secret, err := base64.RawURLEncoding.DecodeString(k.K)
		if err != nil || !utf8.Valid(secret) {
			return errors.New("has a shared key (oct) whose bytes are no text, which Hasura could not be told")
		}
		object["type"], object["key"] = cmp.Or(k.Alg, "HS256"), string(secret)
		return nil
	}
	private, alg, err := k.private()
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return errors.New("has a key that cannot be written as PKCS #8")
	}
	object["type"] = cmp.Or(k.Alg, alg)
	object["signing_key"] = string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	return nil
}

var errBadKey = errors.New("has a key that signs and cannot be read: its private members are missing, or are not base64url")

// private is the private key, and the algorithm that it is for unless it says.
func (k jwk) private() (key any, alg string, err error) {
	var failed bool
	b := func(text string) []byte {
		raw, err := base64.RawURLEncoding.DecodeString(text)
		failed = failed || err != nil || text == ""
		return raw
	}
	number := func(text string) *big.Int { return new(big.Int).SetBytes(b(text)) }
	switch {
	case k.Kty == "EC" && (k.Crv == "P-256" || k.Crv == "P-384" || k.Crv == "P-521"):
		curve, name := curveOf(k.Crv)
		d := b(k.D)
		if failed {
			return nil, "", errBadKey
		}
		key, err = ecdsa.ParseRawPrivateKey(curve, d)
		alg = name
	case k.Kty == "OKP" && k.Crv == "Ed25519":
		seed := b(k.D)
		if failed || len(seed) != ed25519.SeedSize {
			return nil, "", errBadKey
		}
		key, alg = ed25519.NewKeyFromSeed(seed), "EdDSA"
	case k.Kty == "RSA":
		r := &rsa.PrivateKey{PublicKey: rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}, D: number(k.D), Primes: []*big.Int{number(k.P), number(k.Q)}}
		if failed || r.Validate() != nil {
			return nil, "", errBadKey
		}
		r.Precompute()
		key, alg = r, "RS256"
	default:
		return nil, "", errors.New("has a key of a kind that does not sign here; EC, RSA, OKP (Ed25519) and oct do")
	}
	if err != nil {
		return nil, "", errBadKey
	}
	return key, alg, nil
}

func curveOf(name string) (elliptic.Curve, string) {
	switch name {
	case "P-384":
		return elliptic.P384(), "ES384"
	case "P-521":
		return elliptic.P521(), "ES512"
	}
	return elliptic.P256(), "ES256"
}

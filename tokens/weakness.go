package tokens

import (
	"crypto/rsa"
	"fmt"
	"slices"
	"strings"
)

// samples are secrets that stand in documentation and example files. Whoever reads those can sign.
var samples = []string{
	"5152fa850c02dc222631cca898ed1485821a70912a6e3649c49076912daa3b62182ba013315915d64f40cddfbb8b58eb5bd11ba225336a6af45bbae07ca873f3",
	"0f987876650b4a085e64594fae9219e7781b17506bec02489ad061fba8cb22db",
	"super-secret-jwt-token-with-at-least-32-characters-long",
	"secret",
	"jwt-secret",
	"jwtsecret",
	"password",
	"postern",
}

// sampleWords never stand in a secret that was drawn at random.
var sampleWords = []string{
	"changeme", "change-me", "change_me", "changethis", "change-this", "super-secret", "supersecret",
	"super_secret", "your-secret", "your_secret", "yoursecret", "your-super", "your_super", "your-256-bit",
	"your-jwt", "your_jwt", "yourjwt", "my-secret", "mysecret", "jwt-secret-key", "replace-me", "replaceme",
	"replace_me", "at-least-32", "32-characters", "32-chars", "0123456789abcdef0123456789abcdef",
	"12345678901234567890123456789012",
}

// IsSample tells whether the key is one everybody can read in documentation, so that a server
// which is not for development refuses to start with it.
func (s Secret) IsSample() bool {
	if s.s == nil || s.s.alg.family != hmacKeys {
		return false
	}
	key := strings.ToLower(strings.TrimSpace(string(s.s.hmac)))
	return slices.Contains(samples, key) ||
		slices.ContainsFunc(sampleWords, func(w string) bool { return strings.Contains(key, w) })
}

// Weaknesses lists what is wrong with a key that works all the same. An installation that has it
// keeps starting, loudly; a new one should not get it.
func (s Secret) Weaknesses() []string {
	const remedy = "print a new one with: postern keys secret"
	if s.s == nil {
		return nil
	}
	if key, ok := s.s.public.(*rsa.PublicKey); ok {
		if bits := key.N.BitLen(); bits < 2048 {
			return []string{fmt.Sprintf("HASURA_GRAPHQL_JWT_SECRET has an RSA key of %d bits, 2048 are the least today; %s", bits, remedy)}
		}
		return nil
	}
	if s.s.alg.family != hmacKeys {
		return nil
	}
	var found []string
	if n := len(s.s.hmac); n < s.s.alg.size {
		found = append(found, fmt.Sprintf("HASURA_GRAPHQL_JWT_SECRET has a key of %d bytes, %s needs at least %d; %s", n, s.s.typeName, s.s.alg.size, remedy))
	}
	distinct := map[byte]bool{}
	for _, c := range s.s.hmac {
		distinct[c] = true
	}
	if len(distinct) < 8 {
		found = append(found, fmt.Sprintf("HASURA_GRAPHQL_JWT_SECRET has a key made of only %d different characters; %s", len(distinct), remedy))
	}
	return found
}

package fakeprovider

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"strings"
	"time"
)

// idToken is the id token of a sign-in.
func (s *Server) idToken(g *grant) string {
	claims := map[string]any{}
	if g.shape.claims != nil {
		maps.Copy(claims, g.shape.claims(g.person))
	}
	claims["nonce"] = g.nonce
	maps.Copy(claims, g.person.Claims)
	return s.IDToken(g.shape.name, claims)
}

// IDToken makes an id token of a provider, signed as it signs. Members of the claims take the place
// of the usual ones; nil takes one out.
func (s *Server) IDToken(provider string, claims map[string]any) string {
	sh := s.shapes[provider]
	if sh == nil {
		return ""
	}
	now := s.Now()
	all := map[string]any{
		"iss": sh.issuer, "aud": ClientID(provider), "sub": "1001", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
		"email": "ada@example.com", "email_verified": true, "name": "Ada Lovelace",
	}
	if strings.Contains(sh.issuer, "11111111-2222") {
		all["tid"], all["oid"] = "11111111-2222-3333-4444-555555555555", "1001"
	}
	for name, v := range claims {
		all[name] = v
		if v == nil || v == Missing {
			delete(all, name)
		}
	}
	s.mu.Lock()
	kid := s.kid
	s.mu.Unlock()
	if sh.ec {
		return s.Sign(map[string]any{"alg": "ES256", "kid": "ec-1", "typ": "JWT"}, all)
	}
	return s.Sign(map[string]any{"alg": "RS256", "kid": kid, "typ": "JWT"}, all)
}

// Sign makes a token with this header. The fake's keys sign RS256 and ES256; with other words for
// the algorithm it signs as RS256 all the same.
func (s *Server) Sign(header, claims map[string]any) string {
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(prune(claims))
	if err1 != nil || err2 != nil {
		return ""
	}
	text := b64(h) + "." + b64(c)
	sum := sha256.Sum256([]byte(text))
	if header["alg"] == "ES256" {
		a, b, err := ecdsa.Sign(rand.Reader, s.ec, sum[:])
		if err != nil {
			return ""
		}
		return text + "." + b64(append(a.FillBytes(make([]byte, 32)), b.FillBytes(make([]byte, 32))...))
	}
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.rsa, crypto.SHA256, sum[:])
	if err != nil {
		return ""
	}
	return text + "." + b64(signature)
}

// RSAPublicKey is the modulus of the RSA key as a key set has it, for tests that abuse it.
func (s *Server) RSAPublicKey() *rsa.PublicKey { return &s.rsa.PublicKey }

// keys is the key set of every issuer here.
func (s *Server) keys(w http.ResponseWriter) {
	s.mu.Lock()
	kid, extra := s.kid, append([]any(nil), s.extra...)
	s.mu.Unlock()
	point, err := s.ec.PublicKey.Bytes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	list := append([]any{
		map[string]any{"kty": "oct", "use": "sig", "kid": "shared", "k": b64([]byte(strings.Repeat("k", 32)))},
		map[string]any{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": kid, "n": b64(s.rsa.N.Bytes()), "e": b64(big.NewInt(int64(s.rsa.E)).Bytes())},
		map[string]any{"kty": "EC", "use": "sig", "kid": "ec-1", "crv": "P-256", "x": b64(point[1:33]), "y": b64(point[33:])},
		map[string]any{"kty": "strange", "kid": "of-the-future"},
	}, extra...)
	w.Header().Set("Cache-Control", "public, max-age=3600, must-revalidate")
	s.json(w, http.StatusOK, map[string]any{"keys": list})
}

// checkAppleSecret holds a client secret against what Apple asks of it.
func (s *Server) checkAppleSecret(secret string) error {
	parts := strings.Split(secret, ".")
	if len(parts) != 3 {
		return errors.New("no token")
	}
	var header struct{ Alg, Kid string }
	var claims struct {
		Iss, Sub, Aud string
		Iat, Exp      int64
	}
	for i, into := range []any{&header, &claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return err
		}
		if err := json.Unmarshal(text, into); err != nil {
			return err
		}
	}
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || len(signature) != 64 {
		return errors.New("no ES256 signature")
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	if !ecdsa.Verify(&s.apple.PublicKey, sum[:], new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])) {
		return errors.New("the signature is wrong")
	}
	now := s.Now().Unix()
	if header.Alg != "ES256" || header.Kid != "KEY" || claims.Iss != "TEAM" || claims.Sub != ClientID("apple") || claims.Aud != "https://appleid.apple.com" ||
		claims.Iat > now+5 || claims.Exp <= now || claims.Exp > now+15777000 {
		return fmt.Errorf("header %+v, claims %+v", header, claims)
	}
	return nil
}

package tokens

import (
	"encoding/base64"
	"errors"
	"time"

	"github.com/go-json-experiment/json"
)

// The roles that the keys of a project name, as those of Supabase's projects do.
const (
	AnonRole    = "anon"
	ServiceRole = "service_role"
)

// SignProject makes a key that an application shows instead of a user's token, as those of Supabase's projects are: it
// names a role and nobody, so that no door takes it for a user.
func (s *Signer) SignProject(role string, now, ends time.Time) (string, error) {
	if role == "" || !ends.After(now) {
		return "", errors.New("a project's key needs a role, and an end that is to come")
	}
	if ends.UTC().Year() > 9999 {
		return "", errors.New("a project's key must end before the year 10000")
	}
	body, err := json.Marshal(struct {
		Role    string `json:"role"`
		Issuer  string `json:"iss"`
		Issued  int64  `json:"iat"`
		Expires int64  `json:"exp"`
	}{role, s.s.issuer, now.Unix(), ends.Unix()})
	if err != nil {
		return "", err
	}
	unsigned := s.header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := s.s.alg.method.Sign(unsigned, s.signKey)
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

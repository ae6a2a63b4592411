package tokens

import (
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/go-json-experiment/json"

	"postern/auth"
)

// SignPurpose makes a token of another purpose than access: the state of a sign-in elsewhere, say.
// It has a type, an audience and a key of its purpose alone, so that it is never an access token
// nor a token of another purpose, here or at anybody who reads our published keys.
func (s *Signer) SignPurpose(purpose string, claims any, life time.Duration, now time.Time) (string, error) {
	if life < time.Second {
		return "", errors.New("a token must live a second at least")
	}
	key, err := s.purposeKey(purpose)
	if err != nil {
		return "", err
	}
	header, err := headerPart("HS256", "", purposeType(purpose))
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(struct {
		Iss  string `json:"iss"`
		Aud  string `json:"aud"`
		Iat  int64  `json:"iat"`
		Exp  int64  `json:"exp"`
		Data any    `json:"data"`
	}{s.s.issuer, purposeAudience(purpose), now.Unix(), now.Unix() + int64(life/time.Second), claims})
	if err != nil {
		return "", fmt.Errorf("claims of the %s token: %w", purpose, err)
	}
	unsigned := header + "." + base64.RawURLEncoding.EncodeToString(body)
	signature, err := algorithms["HS256"].method.Sign(unsigned, key)
	return unsigned + "." + base64.RawURLEncoding.EncodeToString(signature), err
}

// VerifyPurpose reads a token that SignPurpose made for the same purpose, into a pointer. Every
// refusal of a token unwraps to auth.InvalidTicket.
func (s *Signer) VerifyPurpose(purpose, token string, into any, now time.Time) error {
	key, err := s.purposeKey(purpose)
	if err != nil {
		return err
	}
	if err := s.readPurpose(purpose, token, into, key, now); err != nil {
		return fmt.Errorf("%w: %s token: %w", auth.InvalidTicket, purpose, err)
	}
	return nil
}

func (s *Signer) readPurpose(purpose, token string, into any, key []byte, now time.Time) error {
	payload, err := open(token, purposeType(purpose), algorithms["HS256"], key)
	if err != nil {
		return err
	}
	if _, _, err := payload.lifetime(now, 0); err != nil {
		return err
	}
	if issuer, err := payload.text("iss"); err != nil || issuer != s.s.issuer {
		return errors.New("issued by another")
	}
	if err := payload.audience([]string{purposeAudience(purpose)}); err != nil {
		return err
	}
	if err := json.Unmarshal(payload["data"], into); err != nil {
		return errors.New("holds something else")
	}
	return nil
}

func purposeType(purpose string) string     { return "postern-" + purpose + "+jwt" }
func purposeAudience(purpose string) string { return "postern:" + purpose }

// purposeKey is the same on every replica, for it comes from the key they share.
func (s *Signer) purposeKey(purpose string) ([]byte, error) {
	if purpose == "" || len(purpose) > 40 {
		return nil, errors.New("a purpose is a word of 1 to 40 letters")
	}
	for i := range len(purpose) {
		if c := purpose[i]; (c < 'a' || c > 'z') && c != '-' {
			return nil, errors.New("a purpose is a word of lower-case letters and dashes")
		}
	}
	return s.purpose.derive("purpose " + purpose)
}

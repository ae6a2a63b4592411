package providers

import (
	"context"
	"errors"
	"fmt"
)

// idTokens takes id tokens that clients bring.
type idTokens struct {
	row       row
	issuer    *issuer
	audiences []string
}

// VerifyIDToken judges a token and reads who it is about.
func (v *idTokens) VerifyIDToken(ctx context.Context, raw, nonce string) (Profile, error) {
	claims, err := v.issuer.verify(ctx, raw, nonce, v.audiences, hashed)
	var down unreachable
	switch {
	case errors.As(err, &down), errors.Is(err, ErrProfile):
		return Profile{}, fmt.Errorf("%w: %w", ErrProfile, err)
	case err != nil:
		return Profile{}, fmt.Errorf("%w: %w", ErrIDToken, err)
	}
	return v.row.read(answers{claims: claims})
}

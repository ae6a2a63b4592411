package flow

import (
	"context"
	"fmt"

	"postern/auth"
)

// Verify checks an access token the way the endpoints do that take one.
func (f *Sessions) Verify(ctx context.Context, a auth.Actor) error {
	_, err := f.viewer(ctx, a)
	return err
}

// VerifyToken checks an access token that came as a value: signature, issuer and time.
func (f *Sessions) VerifyToken(token string) error {
	if _, err := f.Signer.Verify(token, f.Now()); err != nil {
		return fmt.Errorf("%w: %w", auth.InvalidToken, err)
	}
	return nil
}

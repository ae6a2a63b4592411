package flow

import (
	"context"
	"errors"
	"testing"

	"postern/auth"
)

// TestWhoHangsUpKeepsTheirTurn: else a client that leaves before the answer could have a mail sent at once, and again.
func TestWhoHangsUpKeepsTheirTurn(t *testing.T) {
	t.Parallel()
	gone, leave := context.WithCancel(t.Context())
	leave()
	refused := error(auth.PasswordTooShort)
	for name, c := range map[string]struct {
		gone bool
		err  error
		want bool
	}{
		"sent":     {false, nil, false},
		"refused":  {false, refused, true},
		"hung up":  {true, context.Canceled, false},
		"too late": {true, refused, false},
	} {
		given, ctx := false, t.Context()
		if c.gone {
			ctx = gone
		}
		err := c.err
		onRefusal(ctx, func() error { given = true; return nil })(&err)
		if given != c.want || !errors.Is(err, c.err) {
			t.Errorf("%s: given back %t, want %t; %v", name, given, c.want, err)
		}
	}
	err := refused
	onRefusal(t.Context(), func() error { return auth.Overloaded })(&err)
	if !errors.Is(err, refused) || !errors.Is(err, auth.Overloaded) {
		t.Errorf("one of two errors is lost: %v", err)
	}
}

package hasura_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"postern/claims"
	"postern/flow"
	"postern/store"
)

// tiring is a source that clients do not wait for: they hang up when it is asked for a user.
type tiring struct {
	claims.Source

	hangUp func()
}

func (s tiring) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	if strings.Contains(query, "__schema") {
		return s.Source.Query(ctx, query, variables)
	}
	s.hangUp()
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestHangingUp waits for claims no longer than the client does. What a refused sign-in gives back it
// gives back then, too: no guest stays whom nobody can be, and a code keeps its tries.
func TestHangingUp(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	begin := func() (context.Context, *flow.SignIn) {
		ctx, hangUp := context.WithCancel(t.Context())
		kit := d.Kit
		var err error
		kit.Claims, err = claims.Open(claims.Settings{Definitions: `{"mail":"email"}`}, tiring{d.Store.Graph(store.GraphSettings{}, kit.Now), hangUp}, kit.Now)
		if err != nil {
			t.Fatal(err)
		}
		return ctx, &flow.SignIn{Kit: kit}
	}
	ctx, desk := begin()
	if _, err := desk.AsGuest(ctx, flow.GuestSignIn{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a guest who hangs up: %v", err)
	}
	if n := value[int](t, d, `select count(*) from auth.users where is_anonymous`); n != 0 {
		t.Errorf("%d guests are left", n)
	}

	email := d.signUp(t, nil)
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	code := d.mailedCode(t, email, 1)
	tries := func() int {
		return value[int](t, d, `select attempts_left from auth.tickets where email = $1 and attempts_left is not null`, email)
	}
	before := tries()
	ctx, desk = begin()
	if _, err := desk.WithCode(ctx, flow.TypedCode{Email: email, Code: code}); !errors.Is(err, context.Canceled) {
		t.Errorf("who hangs up after a code: %v", err)
	}
	if after := tries(); after != before {
		t.Errorf("the code has %d tries left, and had %d", after, before)
	}
}

// TestClaimsHideNoReplay refreshes with a token that was replaced long ago, of a user who is locked: that
// two hold the session is found out with claims as it is without.
func TestClaimsHideNoReplay(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]map[string]string{
		"without claims": unverified(), "with claims": unverified("AUTH_JWT_CUSTOM_CLAIMS", `{"mail":"email"}`),
	} {
		d := openDoor(t, settings)
		p := d.person(t)
		token := p.RefreshToken
		for range 3 {
			token = d.ask(t, "POST", "/token", fields{"refreshToken": token}).session(t).RefreshToken
		}
		d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
		d.ask(t, "POST", "/token", fields{"refreshToken": token}).refused(t, 401, "disabled-user", "")
		d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		if n := value[int](t, d, `select count(*) from auth.refresh_tokens where id = $1`, p.RefreshTokenID); n != 0 {
			t.Errorf("%s: the session goes on", name)
		}
	}
}

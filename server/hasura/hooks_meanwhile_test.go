package hasura_test

import (
	"context"
	"testing"

	"postern/hooks"
)

// TestNobodyGetsInWhoIsLockedWhileAHookIsAsked has an operator lock, delete or change an account while a hook is
// being asked about it, over another connection, which nothing holds up. What the hook says then is too late.
func TestNobodyGetsInWhoIsLockedWhileAHookIsAsked(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	o.checks(t, h)
	o.vouches(t, h)
	o.asksOfTokens(t, h)
	asks[hooks.SessionOpening](t, o, &h.SessionOpening, "session", hooks.Vetoer, func(e hooks.SessionOpening) (string, any) { return e.ID, fields{} }, nil)
	d := openHooked(t, newStillClock(), unverified("AUTH_DISABLE_AUTO_SIGNUP", "true"), h)
	for name, change := range map[string]string{
		"locked":  `update auth.users set disabled = true where email = $1::text::public.citext`,
		"deleted": `delete from auth.users where email = $1::text::public.citext`,
	} {
		for _, hook := range []string{"checked", "session", "token", "unknown"} {
			t.Run(name+" during "+hook, func(t *testing.T) {
				o.says(agrees)
				email, password := newAddress(), rightPassword
				if hook == "unknown" {
					_, email = d.imported(t, "email_verified = true")
				} else {
					email = d.signUp(t, nil)
				}
				done := false
				o.says(func(_ context.Context, asked string, body map[string]any) (any, error) {
					if asked == hook && !done {
						done = true
						d.sql(t, change, email)
					}
					if asked == "unknown" && hook == "unknown" && body["user"] != nil {
						return fields{"verified": true}, nil
					}
					return nil, nil
				})
				a := d.ask(t, "POST", passwordWay, fields{"email": email, "password": password})
				if !done {
					t.Fatal("nobody was asked")
				}
				a.refused(t, 401, "invalid-email-password", wrongWords)
				if n := value[int](t, d, `select count(*) from auth.refresh_tokens r join auth.users u on u.id = r.user_id where u.email = $1::text::public.citext and r.created_at > u.created_at and u.disabled`, email); n > 0 && hook == "unknown" {
					t.Errorf("%d sessions", n)
				}
				if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext and (not disabled or password_hash is not null and $2)`, email, hook == "unknown"); n != 0 {
					t.Error("the account is open, or has a password now")
				}
			})
		}
		t.Run("a refresh of one who is "+name, func(t *testing.T) {
			o.says(agrees)
			p := d.person(t)
			email := value[string](t, d, `select email::text from auth.users where id = $1`, p.User.ID)
			done := false
			o.says(func(_ context.Context, asked string, _ map[string]any) (any, error) {
				if asked == "token" && !done {
					done = true
					d.sql(t, change, email)
				}
				return nil, nil
			})
			a := d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken})
			if !done || a.status != 401 {
				t.Errorf("asked %v, answered %s", done, a)
			}
		})
	}
}

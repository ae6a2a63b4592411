package hasura_test

import (
	"encoding/json"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// factorTicket is the ticket of an answer that asks for the second factor.
func (a answer) factorTicket(t testing.TB) string {
	t.Helper()
	var in struct {
		Session *wireSession
		MFA     struct{ Ticket string }
	}
	if err := json.Unmarshal([]byte(a.body), &in); err != nil || a.status != 200 || in.Session != nil || !strings.HasPrefix(in.MFA.Ticket, "mfaTotp:") {
		t.Fatalf("%s: %s, want a ticket for the second factor and no session", a.request, a.body)
	}
	return in.MFA.Ticket
}

// TestASecondFactorIsAskedForWhereverOneWasProved has the three forms that the question takes.
func TestASecondFactorIsAskedForWhereverOneWasProved(t *testing.T) {
	t.Parallel()
	for _, ways := range []string{"all", "password"} {
		t.Run(ways, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, map[string]string{"AUTH_MFA_ENABLED": "true", "AUTH_MFA_SIGN_INS": ways})
			p := d.person(t)
			d.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID)
			sessions := value[int](t, d, `select count(*)::int from auth.refresh_tokens where user_id = $1`, p.User.ID)
			verifier, challenge := testhouse.Verifier()

			d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": rightPassword}).factorTicket(t)

			d.ask(t, "POST", "/signin/passwordless/email", fields{"email": p.email}).ok(t)
			_, q := d.ask(t, "GET", pathOf(t, d.mail(t, p.email, "signin-passwordless", 1)), nil).redirect(t, 302)
			d.ask(t, "POST", "/signin/passwordless/email", fields{"email": p.email, "codeChallenge": challenge}).ok(t)
			_, coded := d.ask(t, "GET", pathOf(t, d.mail(t, p.email, "signin-passwordless", 2)), nil).redirect(t, 302)
			exchanged := d.ask(t, "POST", "/token/exchange", fields{"code": coded.Get("code"), "codeVerifier": verifier})
			if ways == "password" {
				exchanged.session(t)
				if q.Get("refreshToken") == "" {
					t.Errorf("the link leads to %v, want a session", q)
				}
				return
			}
			exchanged.factorTicket(t)
			if q.Get("refreshToken") != "" || q.Get("error") != "mfa-required" || !strings.HasPrefix(q.Get("ticket"), "mfaTotp:") {
				t.Errorf("the link leads to %v, want mfa-required with a ticket", q)
			}
			if n := value[int](t, d, `select count(*)::int from auth.refresh_tokens where user_id = $1`, p.User.ID); n != sessions {
				t.Errorf("%d sessions, want %d: one factor opened some", n, sessions)
			}
		})
	}
}

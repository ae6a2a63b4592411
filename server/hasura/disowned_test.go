package hasura_test

import (
	"fmt"
	"testing"
	"time"

	"postern/internal/fakeprovider"
	"postern/internal/testhouse"
)

// mailedIn are the ways by which whoever has a mailbox gets into the account with its address. Each
// gives the session.
func mailedIn() map[string]func(*testing.T, doorway, string) fullSession {
	opened := func(t *testing.T, d doorway, link string) fullSession {
		t.Helper()
		_, q := d.ask(t, "GET", link, nil).redirect(t, 302)
		return d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
	}
	return map[string]func(*testing.T, doorway, string) fullSession{
		"a link": func(t *testing.T, d doorway, email string) fullSession {
			t.Helper()
			d.ask(t, "POST", signInLink, fields{"email": email}).ok(t)
			return opened(t, d, pathOf(t, d.mail(t, email, "signin-passwordless", 1)))
		},
		"a link with PKCE": func(t *testing.T, d doorway, email string) fullSession {
			t.Helper()
			verifier, challenge := testhouse.Verifier()
			d.ask(t, "POST", signInLink, fields{"email": email, "codeChallenge": challenge}).ok(t)
			_, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "signin-passwordless", 1)), nil).redirect(t, 302)
			return d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)
		},
		"a code": func(t *testing.T, d doorway, email string) fullSession {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
			return d.ask(t, "POST", typeMail, fields{"email": email, "otp": d.mailedCode(t, email, 1)}).session(t)
		},
		"the link beside a code": func(t *testing.T, d doorway, email string) fullSession {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
			return opened(t, d, pathOf(t, d.mail(t, email, "signin-otp", 1)))
		},
	}
}

// TestT04TheOwnersMailTakesAnAccountBack is the attacker whom a provider lets in that does not vouch for
// the victim's address, and the victim who then signs in by a mail.
func TestT04TheOwnersMailTakesAnAccountBack(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"discord"}, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	planted := func(t *testing.T, p fakeprovider.Person) (attacker fullSession, pat any) {
		t.Helper()
		attacker = e.enters(t, "discord", p)
		pat = e.ask(t, "POST", "/pat", fields{"expiresAt": e.Clock.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, bearer(attacker.AccessToken)).object(t)["personalAccessToken"]
		e.sql(t, `insert into auth.user_security_keys (user_id, credential_id, credential_public_key) values ($1, gen_random_uuid(), 'k')`, attacker.User.ID)
		e.sql(t, `insert into auth.oauth_consents (user_id, client_id, scopes, granted_at) values ($1, 'c', '{openid}', now())`, attacker.User.ID)
		return attacker, pat
	}
	for name, arrives := range mailedIn() {
		t.Run(name, func(t *testing.T) {
			p := someone()
			p.Verified = false
			attacker, pat := planted(t, p)
			id, elsewhere := attacker.User.ID, newAddress()
			e.ask(t, "POST", "/user/email/change", fields{"newEmail": elsewhere}, bearer(attacker.AccessToken)).ok(t)
			change := pathOf(t, e.mail(t, elsewhere, "email-confirm-change", 1))
			e.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, id, newNumber())

			owner := arrives(t, e.doorway, p.Email)
			if owner.User.ID != id || owner.user["emailVerified"] != true || owner.user["phoneNumber"] != nil {
				t.Fatalf("the owner is %v", owner.user)
			}
			left := value[string](t, e.doorway, `select concat_ws(' ',
				(select 'number' from auth.users where id = $1 and (phone_number is not null or phone_number_verified)),
				(select 'new address' from auth.users where id = $1 and new_email is not null),
				(select 'keys' from auth.user_security_keys where user_id = $1 limit 1), (select 'tickets' from auth.tickets where user_id = $1 limit 1),
				(select 'identities' from auth.user_providers where user_id = $1 limit 1), (select 'consents' from auth.oauth_consents where user_id = $1),
				(select 'sessions' from auth.refresh_tokens where user_id = $1 and id <> $2 limit 1))`, id, owner.RefreshTokenID)
			if left != "" {
				t.Errorf("left of the attacker's: %s", left)
			}
			e.ask(t, "GET", "/user", nil, bearer(attacker.AccessToken)).refused(t, 401, "unauthorized", "")
			e.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": pat}).refused(t, 401, "invalid-pat", "")
			e.ask(t, "GET", change, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
			e.refusedWith(t, "/signin/provider/discord", p, "email-already-in-use")
		})
	}

	t.Run("a personal access token alone is enough", func(t *testing.T) {
		p := someone()
		p.Verified = false
		attacker, pat := planted(t, p)
		e.sql(t, `delete from auth.user_providers where user_id = $1`, attacker.User.ID)
		e.sql(t, `delete from auth.user_security_keys where user_id = $1`, attacker.User.ID)
		mailedIn()["a code"](t, e.doorway, p.Email)
		e.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": pat}).refused(t, 401, "invalid-pat", "")
	})

	// Whoever reads the mail and has not the factor must not make the attacker's account one with a
	// confirmed address.
	for _, linked := range []bool{true, false} {
		t.Run(fmt.Sprintf("a second factor that the attacker enrolled, still linked %t", linked), func(t *testing.T) {
			p := someone()
			p.Verified = false
			attacker, _ := planted(t, p)
			e.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, attacker.User.ID)
			if !linked {
				e.sql(t, `delete from auth.user_providers where user_id = $1`, attacker.User.ID)
			}
			e.ask(t, "POST", askMail, fields{"email": p.Email}).ok(t)
			e.ask(t, "POST", typeMail, fields{"email": p.Email, "otp": e.mailedCode(t, p.Email, 1)}).factorTicket(t)
			if stored(t, e.doorway, p.Email)["email_verified"] != false {
				t.Error("the victim's mail confirmed the attacker's account")
			}
		})
	}
}

// TestAResetByMailTakesNoSecondFactorAway has a user whose address nobody had to confirm.
func TestAResetByMailTakesNoSecondFactorAway(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, unverified("AUTH_MFA_ENABLED", "true"))
	p := person{email: newAddress(), password: rightPassword}
	p.fullSession = d.ask(t, "POST", "/signup/email-password", fields{"email": p.email, "password": p.password}).session(t)
	d.turnOn(t, p, clock)
	d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
	ticket := d.mail(t, p.email, "password-reset", 1).Ticket
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}).ok(t)
	p.password = "a better password"
	d.halfway(t, p)
}

package hasura_test

import (
	"testing"
	"time"

	"postern/tokens"
)

// TestT11OneFactorMakesNoOther tries to make, or take away, from a session of one factor what stands in
// for both: a passkey, and a personal access token.
func TestT11OneFactorMakesNoOther(t *testing.T) {
	t.Parallel()
	good := fields{"expiresAt": "2099-01-01T00:00:00Z"}
	for name, c := range map[string]struct {
		settings map[string]string
		enter    func(t *testing.T, d doorway, p person, secret string) fullSession
	}{
		"personal access token": {unverified(), func(t *testing.T, d doorway, _ person, secret string) fullSession {
			t.Helper()
			return d.signInPAT(t, secret).session(t)
		}},
		"code, where only passwords ask for the factor": {unverified("AUTH_MFA_SIGN_INS", "password"), func(t *testing.T, d doorway, p person, _ string) fullSession {
			t.Helper()
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			return d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 1)}).session(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d, clock := openStill(t, c.settings)
			p := d.person(t)
			_, secret := d.createPAT(t, p.AccessToken, good)
			app := d.turnOn(t, p, clock)
			// The session that turned the factor on has proved it.
			id := d.addPasskey(t, p.AccessToken, device(), "")
			d.createPAT(t, p.AccessToken, good)
			challenge := d.ask(t, "POST", "/user/webauthn/add", nil, bearer(p.AccessToken))

			in := c.enter(t, d, p, secret)
			before := d.state(t)
			d.ask(t, "POST", "/user/webauthn/add", nil, bearer(in.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			credential := challenge.create(t, device())
			d.ask(t, "POST", "/user/webauthn/verify", fields{"credential": credential}, bearer(in.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			d.ask(t, "DELETE", "/user/webauthn/"+id, nil, bearer(in.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			d.ask(t, "POST", "/pat", good, bearer(in.AccessToken)).refused(t, 403, "elevated-claim-required", "")
			d.sameState(t, before, "a session of one factor")

			both := d.ask(t, "POST", "/elevate/totp", fields{"otp": app.code(t)}, bearer(in.AccessToken)).session(t)
			d.createPAT(t, both.AccessToken, good)
			d.addPasskey(t, both.AccessToken, device(), "")
			d.ask(t, "DELETE", "/user/webauthn/"+id, nil, bearer(both.AccessToken)).ok(t)
		})
	}
}

// TestT04NumbersAndSessionsOfAPreHijackedAccount signs in at a provider that vouches for nobody, under
// somebody else's address. What its maker prepares then gets nobody in once the owner has come by mail.
func TestT04NumbersAndSessionsOfAPreHijackedAccount(t *testing.T) {
	t.Parallel()
	e := openProviders(t, []string{"discord"}, nil)
	victim, p := newAddress(), someone()
	p.Email, p.Verified = victim, false
	attacker := e.enters(t, "discord", p)
	number := newNumber()
	e.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(attacker.AccessToken)).ok(t)
	e.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": number, "otp": e.textedCode(t, number, 1)}, bearer(attacker.AccessToken)).ok(t)
	_, secret := e.createPAT(t, attacker.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})

	// A number is no way in while the address is not confirmed, so the identity is the last.
	id := e.identities(t, attacker)[0].ID
	e.ask(t, "DELETE", "/user/providers/"+id, nil, bearer(attacker.AccessToken)).refused(t, 409, "last-way-in", "")
	e.ask(t, "POST", askMail, fields{"email": victim}).ok(t)
	owner := e.ask(t, "POST", typeMail, fields{"email": victim, "otp": e.mailedCode(t, victim, 1)}).session(t)
	if owner.User.ID != attacker.User.ID {
		t.Fatal("another user")
	}
	e.isOver(t, attacker)
	e.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
	if n := value[int](t, e.doorway, `select count(*)::int from auth.users where id = $1 and (phone_number is not null or phone_number_verified)`, owner.User.ID); n != 0 {
		t.Error("the number still gets in")
	}
}

// TestDeanonymizeByLinkLeavesNoTokenOfTheGuest is about databases of Hasura Auth, where guests may have
// personal access tokens.
func TestDeanonymizeByLinkLeavesNoTokenOfTheGuest(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	s, secret, victim := d.guest(t), tokens.NewUUID(), newAddress()
	d.sql(t, `insert into auth.refresh_tokens (user_id, refresh_token_hash, expires_at, type) values ($1, $2, now() + interval '1 year', 'pat')`,
		s.User.ID, tokens.HashRefresh(secret))
	d.deanonymize(t, s.AccessToken, byLink(victim)).ok(t)
	d.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
}

// TestT33SessionsOfAPATEndWithIt refreshes what a personal access token opened until it expires.
func TestT33SessionsOfAPATEndWithIt(t *testing.T) {
	t.Parallel()
	d, clock := openStill(t, unverified())
	p := d.person(t)
	_, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": clock.Now().Add(10 * time.Minute).UTC().Format(time.RFC3339Nano)})
	in := d.signInPAT(t, secret).session(t)
	clock.Advance(10*time.Minute - time.Second)
	in = d.ask(t, "POST", "/token", fields{"refreshToken": in.RefreshToken}).session(t)
	d.ask(t, "GET", "/user", nil, bearer(in.AccessToken)).is(t, 200, "")
	clock.Advance(time.Second)
	d.isOver(t, in)
	d.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
}

// TestAListOfPATsIsReadableWhateverTheZone makes one whose expiry, in UTC, lies in the year 10000.
func TestAListOfPATsIsReadableWhateverTheZone(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	d.ask(t, "POST", "/pat", fields{"expiresAt": "9999-12-31T23:59:59-12:00"}, bearer(p.AccessToken)).invalid(t, "expiresAt")
	d.pats(t, p.AccessToken)
}

// TestElevatingAgainLeavesNoListThatGrows elevates a session from the one before, again and again.
func TestElevatingAgainLeavesNoListThatGrows(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p, key := d.person(t), device()
	d.addPasskey(t, p.AccessToken, key, "")
	s := p.fullSession
	for range 3 {
		credential := d.ask(t, "POST", "/elevate/webauthn", nil, bearer(s.AccessToken)).sign(t, key)
		s = d.ask(t, "POST", "/elevate/webauthn/verify", fields{"credential": credential}, bearer(s.AccessToken)).session(t)
	}
	d.isLevel(t, s.wireSession, 2, "password webauthn")
}

package hasura_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/house"
	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/tokens"
)

// The known weaknesses of Hasura Auth, by number, and what holds each of them here.
//
//	 1  a TOTP ticket passes as a mailed code      TestWeakness01TicketsOpenNoOtherDoor, TestWeakness01NothingHeldOpensAnotherDoor (held_test.go)
//	 2  WebAuthn challenges crash the process      TestWeakness02ChallengesAreShared
//	 3  WebAuthn assertions are replayable         TestWeakness03AssertionsAreNotReplayable; T-09
//	 4  WebAuthn counters are never compared       TestWeakness04CountersAreCompared
//	 5  a missing userHandle is a 500              TestWeakness05UserHandles
//	 6  TOTP enrolment overwrites the active one   TestWeakness06EnrolmentTouchesNoActiveFactor
//	 7  one ticket column serves all flows         TestWeakness07OneTicketDoesNotBurnAnother
//	 8  mailed codes in clear, endless guesses     TestWeakness08MailedCodesAreKeptAsHashes; TestH15CodesAreNotGuessed
//	 9  no attempt limit on SMS codes              TestH15CodesAreNotGuessed
//	10  auto-link by unverified e-mail             TestT01OnlyATrueLinksAnAccount
//	11  email/change verifies the current address  TestWeakness11EmailChangeVerifiesNothing
//	12  email/change skips the access lists        TestWeakness12EmailChangeAsksTheAccessLists; access_matrix_test.go
//	13  deanonymise trusts the token               TestWeakness13TheDatabaseKnowsWhoIsAGuest; TestManyDeanonymizeAtOnce
//	14  sessions survive a password change         TestWeakness14APasswordChangeEndsTheOtherSessions; T-08
//	15  account states are told to anybody         TestWeakness15StatesAreToldToTheOwnerAlone; T-43
//	16  disabled users without e-mail refresh on   TestWeakness16DisabledUsersWithoutAnAddressAreStopped, …OfPhonesAreStopped
//	17  no reuse detection, no grace window        TestRefreshRules and the races beside it (sessions_test.go)
//	18  X-Forwarded-For of anybody is believed     TestWeakness18LimitsDoNotBelieveStrangers
//	19  limiters share one budget                  TestWeakness19LimitsDoNotShareABudget
//	20  SMS before AUTH_DISABLE_SIGNUP             TestWeakness20StrangersAreTurnedAwayBeforeAnythingIsSent; TestCodeSettings
//	21  access tokens in URLs of sign-in elsewhere TestT07RedirectsOfProvidersWithPKCEHoldNoToken; TestStatesAreBoundToTheBrowser; TestConnect; TestT07RedirectsOfProvidersWithPKCEHoldNoToken, TestStatesAreBoundToTheBrowser, TestConnect
//	22  state and access tokens are mistaken       TestWeakness22TokensOfOtherPurposesAreRefused; TestWeakness22StatesAndTokensAreNotMistaken
//	23  GET /verify spends; token in the query     TestWeakness23LookingAtALinkSpendsNothing; T-07
//	24  the OAuth state lives a minute             TestWeakness24PeopleMayTakeTenMinutesAtAProvider
//	25  /change-env                                TestWeakness25NobodyChangesTheSettings
//	26  CORS wildcard with credentials             TestCORS
//	27  TOTP replay                                TestH16CodesCountOnce; TestASecretThatDoesNotOpenIsNoWayIn
//	28  keys of any length                         TestWeakness28ShortKeysAreToldLoudly; tokens
//	29  claims are JSONPath                        later: custom claims
//	30  missing values become "null"               TestWeakness30NothingIsTheWordNull
//	31  few algorithms                             TestWeakness31And32EveryAlgorithmSignsAndIsPublished
//	32  JWKS: null, random kid                     the same
//	33  401 as 400, four error shapes              TestWeakness33OneErrorShape; hostile_test.go
//	34  elevation compares raw paths               TestWeakness34ElevationUnderAPrefix, TestWeakness34PasskeysUnderAPrefix
//	35  help and API disagree on MFA elevation     TestElevationByTheSecondFactor; docs/dialects/hasura.md
//	36  error redirects corrupt the client URL     TestWeakness36ErrorsDoNotStickToTheClientURL; TestWeakness36ErrorsOfProvidersDoNotStick
//	37  another template for a missing locale      TestWeakness37MissingLocaleFallsBackToSameTemplate
//	38  WebAuthn timeout without effect            TestWeakness38TheTimeoutCounts
//	39  WebAuthn sign-up options inverted          TestWeakness39SignUpOptionsAreMerged
//	40  a repeated WebAuthn sign-up is a 500       TestWeakness40ARepeatedSignUp
//	41  guests cannot refresh                      TestWeakness41And42UsersWithoutAnAddress; TestSignInAnonymous
//	42  users without e-mail are locked out        the same
//	43  sessions and /user disagree                TestWeakness43TheUserIsTheSameEverywhere
//	44  passwords over 72 bytes are a 500          TestWeakness44LongPasswords; passwords
//	45  a 500 for gated users of providers         TestWeakness45GatedUsersOfPhonesAreToldWhy; TestWeakness45GatedUsersOfProvidersAreTold
//	46  Apple's first-login name                   TestWeakness46AppleTellsTheNameOnce (providers)
//	47  Google's audience and nonce                TestWeakness47GooglesIssuersAudiencesAndNonces (providers)
//	48  Twilio Verify is unreachable               TestWeakness48TwilioVerifyIsChosenByItsService (sms), TestTwilioVerify
//	49  provider tokens are not stored             TestProviderTokens
//	50  payloads of hasura-auth-js are refused     TestWeakness50StrayMembers, TestDeanonymizeByPhone; conformance
//	51  Hasura must be up at the start             TestWeakness51HasuraMayBeAway
//	52  mail inline, rows left behind              TestWeakness52MailWaitsForItsServer
//	53  expired refresh tokens pile up             TestWeakness53ExpiredSessionsAreSwept, TestWeakness53PATsExpireInTheFuture
//	54  a locale is silently replaced              TestWeakness54LocalesAreReplacedAsDocumented
//	55  the OAuth2 server                          later: being a provider
//	56  redirects are not normalised               TestWeakness56RedirectsAtEveryEndpoint; flow

// adopted opens a house on a database that was Hasura Auth's until a while ago.
func adopted(t *testing.T, settings map[string]string, ago time.Duration, options ...func(*house.Options)) doorway {
	t.Helper()
	fresh := openDoor(t, settings)
	fresh.sql(t, `insert into auth.postern_state (key, value, updated_at) values ('adoption', jsonb_build_object('from', 'hasura-auth-go', 'version', 18, 'committed', false, 'adoptedAt', $1::timestamptz), now())`,
		time.Now().Add(-ago))
	return doorway{fresh.Beside(t, options...)}
}

// upstreamUser writes a user as Hasura Auth does, with a ticket pending.
func (d doorway) upstreamUser(t *testing.T, ticket string, expires time.Time, more string) (email string) {
	t.Helper()
	email = newAddress()
	d.sql(t, `insert into auth.users (email, email_verified, locale, default_role, display_name, password_hash, ticket, ticket_expires_at)
		values ($1, true, 'en', 'user', 'Upstream', $2, $3, $4)`, email, bcryptOf(t, rightPassword), ticket, expires)
	d.sql(t, `insert into auth.user_roles (user_id, role) select id, unnest(array['user','me']) from auth.users where email = $1`, email)
	if more != "" {
		d.sql(t, `update auth.users set `+more+` where email = $1`, email)
	}
	return email
}

func verifyPath(ticket string) string {
	return "/verify?" + url.Values{"ticket": {ticket}, "redirectTo": {clientURL}}.Encode()
}

func TestTicketsOfHasuraAuthWorkAfterAdoption(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := adopted(t, nil, time.Minute, func(o *house.Options) { o.Now = clock.Now })
	in := func(life time.Duration) time.Time { return clock.Now().Add(life) }
	uuid := tokens.NewUUID

	for name, c := range map[string]struct{ purpose, more, want string }{
		"verifyEmail":        {"verifyEmail", "email_verified = false", "email_verified and email is not null"},
		"passwordlessEmail":  {"passwordlessEmail", "email_verified = false", "email_verified"},
		"passwordReset":      {"passwordReset", "", "email_verified"},
		"emailConfirmChange": {"emailConfirmChange", "new_email = 'new-' || email", "email like 'new-%' and email_verified and new_email is null"},
	} {
		t.Run(name, func(t *testing.T) {
			ticket := c.purpose + ":" + uuid()
			email := d.upstreamUser(t, ticket, in(time.Hour), c.more)
			id := value[string](t, d, `select id::text from auth.users where email = $1`, email)
			if head := d.ask(t, "HEAD", verifyPath(ticket), nil); head.status != 200 {
				t.Errorf("%s", head)
			}
			linkKind{}.isPage(t, d.ask(t, "GET", verifyPath(ticket), nil, browser()), ticket)
			for _, other := range []string{"verifyEmail", "passwordlessEmail", "passwordReset", "emailConfirmChange"} {
				if other != c.purpose {
					d.ask(t, "GET", verifyPath(other+strings.TrimPrefix(ticket, c.purpose)), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
				}
			}
			_, q := d.ask(t, "GET", verifyPath(ticket), nil).redirect(t, 302)
			if q.Get("refreshToken") == "" || q.Get("type") != c.purpose {
				t.Fatalf("the link leads to %v", q)
			}
			if !value[bool](t, d, `select ticket is null and `+c.want+` from auth.users where id = $1`, id) {
				t.Error("the ticket had no effect, or is still there")
			}
			d.ask(t, "GET", verifyPath(ticket), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		})
	}

	t.Run("a new password with the ticket itself", func(t *testing.T) {
		ticket := "passwordReset:" + uuid()
		email := d.upstreamUser(t, ticket, in(time.Hour), "")
		d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}).ok(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}).refused(t, 401, "invalid-ticket", "")
		d.signIn(t, email, "a better password")
		if hash := stored(t, d, email)["password_hash"]; !strings.HasPrefix(fmt.Sprint(hash), "$2a$") {
			t.Errorf("Hasura Auth could not read %v", hash)
		}
		d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": strings.Repeat("x", 73)}).refused(t, 400, "password-too-long", "")
	})

	t.Run("T-33: until the second they expire", func(t *testing.T) {
		ticket := "passwordReset:" + uuid()
		d.upstreamUser(t, ticket, in(time.Hour), "")
		clock.Advance(time.Hour - time.Second)
		linkKind{}.isPage(t, d.ask(t, "GET", verifyPath(ticket), nil, browser()), ticket)
		clock.Advance(time.Second)
		d.ask(t, "GET", verifyPath(ticket), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	})

	t.Run("bytes that are no text", func(t *testing.T) {
		for _, s := range []string{"\xff", "\xc0\xaf", "\u0000x", "é", "'; --", strings.Repeat("%", 60)} {
			a := d.knock(t, "GET", verifyPath("verifyEmail:"+s), nil)
			if a.status != 302 && a.status != 400 {
				t.Errorf("%q: %s", s, a)
			}
		}
	})

	t.Run("not when the last of them has expired", func(t *testing.T) {
		ticket := "verifyEmail:" + uuid()
		d.upstreamUser(t, ticket, in(365*24*time.Hour), "")
		clock.Advance(31 * 24 * time.Hour)
		d.ask(t, "GET", verifyPath(ticket), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	})
}

func TestTicketsOfHasuraAuthAreNothingToAFreshDatabase(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	ticket := "verifyEmail:" + tokens.NewUUID()
	d.upstreamUser(t, ticket, time.Now().Add(time.Hour), "")
	d.ask(t, "GET", verifyPath(ticket), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
}

func TestWeakness01TicketsOpenNoOtherDoor(t *testing.T) {
	t.Parallel()
	d := adopted(t, nil, time.Minute)
	verifier, _ := testhouse.Verifier()
	for name, ticket := range map[string]string{"TOTP": "mfaTotp:" + tokens.NewUUID(), "a mailed code": "123456", "a code with a prefix": "otp:123456"} {
		t.Run(name, func(t *testing.T) {
			email := d.upstreamUser(t, ticket, time.Now().Add(time.Hour), "email_verified = false, active_mfa_type = 'totp', totp_secret = 'JBSWY3DPEHPK3PXP'")
			before := d.state(t)
			_, rest, found := strings.Cut(ticket, ":")
			if !found {
				rest = ticket
			}
			for _, v := range []string{ticket, "verifyEmail:" + ticket, "verifyEmail:" + rest, "passwordlessEmail:" + rest, "passwordReset:" + rest, "emailConfirmChange:" + rest, "code:" + rest, ":" + rest, strings.ToLower(ticket)} {
				for _, method := range []string{"GET", "POST"} {
					d.knock(t, method, verifyPath(v), nil).redirectsWith(t, map[string]int{"GET": 302, "POST": 303}[method], clientURL, "invalid-ticket")
				}
				a := d.knock(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": v})
				if strings.HasPrefix(v, "passwordReset:") {
					a.refused(t, 401, "invalid-ticket", "")
				} else {
					a.invalid(t, "ticket")
				}
				d.ask(t, "POST", "/token/exchange", fields{"code": v, "codeVerifier": verifier}).refused(t, 400, "invalid-request", "")
			}
			d.ask(t, "POST", typeMail, fields{"email": email, "otp": ticket}).refused(t, 400, "invalid-otp", "")
			if ticket[0] != 'm' { // TOTP tickets: TestT18AFirstFactorOpensNothing
				d.knock(t, "POST", "/signin/mfa/totp", fields{"ticket": ticket, "otp": "123456"}).invalid(t, "ticket")
			}
			d.sameState(t, before, "a ticket at the wrong door")
		})
	}
}

func TestWeakness07OneTicketDoesNotBurnAnother(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	email := d.signUp(t, nil)
	first := d.mail(t, email, "email-verify", 1)
	// Anybody may ask for more mails to the address.
	for range 3 {
		d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": email}).ok(t)
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	}
	// A wrong guess burns nothing either.
	d.ask(t, "GET", verifyPath("verifyEmail:"+tokens.NewUUID()), nil)
	if _, q := d.ask(t, "GET", pathOf(t, first), nil).redirect(t, 302); q.Get("refreshToken") == "" {
		t.Errorf("the first link leads to %v", q)
	}

	p := d.person(t)
	d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
	reset := d.mail(t, p.email, "password-reset", 1)
	to := newAddress()
	d.ask(t, "POST", "/user/email/change", fields{"newEmail": to}, bearer(p.AccessToken)).ok(t)
	d.mail(t, to, "email-confirm-change", 1)
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": reset.Ticket}).ok(t)
}

func TestWeakness11EmailChangeVerifiesNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	email := d.signUp(t, nil)
	s := d.signIn(t, email, rightPassword)
	d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(s.AccessToken)).ok(t)
	if u := stored(t, d, email); u["email_verified"] != false {
		t.Error("asking for another address verified the current one")
	}
	if u := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t); u["emailVerified"] != false || u["email"] != email {
		t.Errorf("user %v", u)
	}
}

func TestWeakness12EmailChangeAsksTheAccessLists(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "evil.example"})
	p := d.person(t)
	before := d.state(t)
	for _, email := range []string{"a@evil.example", "A@EVIL.example"} {
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": email}, bearer(p.AccessToken)).refused(t, 401, "invalid-email-password", incorrect)
	}
	d.sameState(t, before, "changes to addresses that are kept out")
}

func TestWeakness14APasswordChangeEndsTheOtherSessions(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	thief := d.signIn(t, p.email, p.password)
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(p.AccessToken)).ok(t)
	d.ask(t, "POST", "/token", fields{"refreshToken": thief.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
	for _, o := range operations(t) {
		if o.bearer {
			o.send(t, d, thief.AccessToken).refused(t, 401, "unauthorized", "")
		}
	}
	d.ask(t, "POST", "/user/password", fields{"newPassword": "the thief's own"}, bearer(thief.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "POST", "/token/verify", nil, bearer(thief.AccessToken)).refused(t, 401, "unauthorized", "")
}

func TestWeakness15StatesAreToldToTheOwnerAlone(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS": "evil.example"})
	emails := map[string]string{"unknown": newAddress(), "kept out": "a@evil.example"}
	for name, set := range map[string]string{
		"good": "disabled = false", "disabled": "disabled = true", "unverified": "email_verified = false", "guest": "is_anonymous = true",
		"hashless": "password_hash = null", "TOTP": "active_mfa_type = 'totp'",
	} {
		p := d.person(t)
		d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
		emails[name] = p.email
	}
	ask := func(email string) answer {
		a := d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": "not the password"}, header("X-Request-Id", "same"))
		a.header.Del("Date")
		return a
	}
	want := ask(newAddress())
	want.refused(t, 401, "invalid-email-password", incorrect)
	for name, email := range emails {
		got := ask(email)
		if diff := cmp.Diff(want.body, got.body) + cmp.Diff(want.header, got.header) + cmp.Diff(want.status, got.status); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// sessionOf opens a session for a user behind the server's back.
func (d doorway) sessionOf(t *testing.T, userID string) wireSession {
	t.Helper()
	var s wireSession
	s.RefreshToken, s.RefreshTokenID, s.User.ID = tokens.NewUUID(), tokens.NewUUID(), userID
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, type, expires_at) values ($1, $2, $3, 'regular', now() + interval '1 day')`,
		s.RefreshTokenID, userID, tokens.HashRefresh(s.RefreshToken))
	s.AccessToken = d.accessToken(t, nil, s)
	return s
}

func (d doorway) bareUser(t *testing.T, set string) (id string) {
	t.Helper()
	id = tokens.NewUUID()
	d.sql(t, `insert into auth.users (id, locale, default_role, display_name) values ($1, 'en', 'user', 'Bare')`, id)
	d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'user')`, id)
	d.sql(t, `update auth.users set `+set+` where id = $1`, id)
	return id
}

func TestWeakness16DisabledUsersWithoutAnAddressAreStopped(t *testing.T) {
	t.Parallel()
	for _, lists := range []string{"", "ok.example"} {
		d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": lists})
		s := d.sessionOf(t, d.bareUser(t, "disabled = true, phone_number = '+4179'"))
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "disabled-user", "User is disabled")
		d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "disabled-user", "")
		d.ask(t, "POST", "/token/verify", nil, bearer(s.AccessToken)).refused(t, 401, "disabled-user", "")
	}
}

func limited(more ...string) map[string]string {
	m := map[string]string{
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_GLOBAL_BURST": "100000", "AUTH_RATE_LIMIT_EMAIL_BURST": "100000",
		"AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "5", "AUTH_RATE_LIMIT_SIGNUPS_BURST": "5",
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func TestWeakness18LimitsDoNotBelieveStrangers(t *testing.T) {
	t.Parallel()
	d := openDoor(t, limited())
	for i := range 12 {
		a := d.ask(t, "POST", "/signin/email-password", fields{"email": newAddress(), "password": "wrong password"},
			header("X-Forwarded-For", fmt.Sprintf("203.0.113.%d", i)), header("X-Real-IP", fmt.Sprintf("203.0.113.%d", i)), header("Forwarded", fmt.Sprintf("for=203.0.113.%d", i)))
		if i < 5 {
			a.refused(t, 401, "invalid-email-password", "")
		} else if a.refused(t, 429, "too-many-requests", ""); a.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if !strings.Contains(d.Log.String(), "AUTH_TRUSTED_PROXIES") {
		t.Error("the log does not say why all clients share a limit")
	}
	d.ask(t, "POST", "/signin/email-password", fields{"email": newAddress(), "password": "wrong password"}, peer("198.51.100.1:1")).refused(t, 401, "invalid-email-password", "")
}

func TestWeakness19LimitsDoNotShareABudget(t *testing.T) {
	t.Parallel()
	d := openDoor(t, limited("AUTH_RATE_LIMIT_EMAIL_BURST", "7"))
	wrong := func() answer {
		return d.ask(t, "POST", "/signin/email-password", fields{"email": newAddress(), "password": "wrong password"})
	}
	signUp := func() answer {
		return d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword})
	}
	for range 5 {
		wrong().refused(t, 401, "invalid-email-password", "")
	}
	wrong().refused(t, 429, "too-many-requests", "")
	for range 5 { // guesses eat no sign-ups
		signUp().is(t, 200, "{}")
	}
	for range 20 {
		signUp().refused(t, 429, "too-many-requests", "")
	}
	// What one limit refused counts in no other: five sign-ups and two resets are seven mails.
	for range 2 {
		d.ask(t, "POST", "/user/password/reset", fields{"email": newAddress()}).ok(t)
	}
	d.ask(t, "POST", "/user/password/reset", fields{"email": newAddress()}).refused(t, 429, "too-many-requests", "")
	d.ask(t, "POST", "/token", fields{"refreshToken": tokens.NewUUID()}).refused(t, 401, "invalid-refresh-token", "")
	d.ask(t, "GET", "/version", nil).is(t, 200, "")

	// The whole budget comes back, not a part of it.
	d.Clock.Advance(6 * time.Minute)
	for range 5 {
		signUp2 := wrong()
		signUp2.refused(t, 401, "invalid-email-password", "")
	}
	wrong().refused(t, 429, "too-many-requests", "")

	t.Run("one budget of mails for all", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, limited("AUTH_RATE_LIMIT_EMAIL_BURST", "2", "AUTH_RATE_LIMIT_EMAIL_IS_GLOBAL", "true"))
		for i := range 4 {
			a := d.ask(t, "POST", "/user/password/reset", fields{"email": newAddress()}, peer(fmt.Sprintf("198.51.100.%d:1", i)))
			if i < 2 {
				a.ok(t)
			} else {
				a.refused(t, 429, "too-many-requests", "")
			}
		}
	})

	t.Run("without verification sign-ups send no mail and count as none", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, limited("AUTH_RATE_LIMIT_EMAIL_BURST", "1", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", "false"))
		for range 3 {
			d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}).session(t)
		}
	})
}

func TestWeakness22TokensOfOtherPurposesAreRefused(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	state, err := d.Kit.Signer.SignPurpose("state", map[string]any{"sub": p.User.ID}, time.Minute, d.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	d.ask(t, "POST", "/token/verify", fields{"token": state}).refused(t, 400, "invalid-request", "")
	for _, o := range operations(t) {
		if o.bearer {
			o.send(t, d, state).refused(t, 401, "unauthorized", "")
		}
	}
	for _, other := range []string{p.RefreshToken, p.RefreshTokenID, "passwordReset:" + p.RefreshToken} {
		d.ask(t, "GET", "/user", nil, bearer(other)).refused(t, 401, "unauthorized", "")
	}
	d.knock(t, "POST", "/token", fields{"refreshToken": p.AccessToken}).invalid(t, "refreshToken")
	d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshTokenID}).refused(t, 401, "invalid-refresh-token", "")
}

func TestWeakness23LookingAtALinkSpendsNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for _, k := range linkKinds() {
		email, to := k.get(t, d, "", "")
		link := pathOf(t, d.mail(t, to, k.template, 1))
		before := d.state(t)
		for range 5 {
			d.ask(t, "HEAD", link, nil).is(t, 200, "")
			d.ask(t, "GET", link, nil, browser()).is(t, 200, "")
			d.knock(t, "OPTIONS", link, nil)
		}
		d.sameState(t, before, k.template)
		if _, q := d.ask(t, "POST", link, nil, browser()).redirect(t, 303); q.Get("refreshToken") == "" || !k.done(t, d, email, to) {
			t.Errorf("%s: the button leads to %v", k.template, q)
		}
	}
}

// Whoever reached it could turn off every check. It is not there even where an old environment asks
// for it.
func TestWeakness25NobodyChangesTheSettings(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ENABLE_CHANGE_ENV": "true", "AUTH_DISABLE_SIGNUP": "true"})
	for _, path := range []string{"/change-env", "/change-env/", "/Change-Env", "/changeEnv", "/env", "/config"} {
		for _, method := range []string{"POST", "PUT", "GET"} {
			d.bare(t, method, path, fields{"AUTH_DISABLE_SIGNUP": false}).refused(t, 404, "not-found", "")
		}
	}
	d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}).refused(t, 403, "signup-disabled", "")
}

func TestWeakness28ShortKeysAreToldLoudly(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"c4n4ryK3y"}`})
	d.person(t) // an installation that has it works on
	log := d.Log.String()
	if !strings.Contains(log, `"level":"WARN"`) || !strings.Contains(log, "HASURA_GRAPHQL_JWT_SECRET") || !strings.Contains(log, "postern keys secret") {
		t.Errorf("nobody is told of the short key: %s", log)
	}
	if strings.Contains(log, "c4n4ryK3y") {
		t.Error("the key stands in the log")
	}
}

func tokenParts(t testing.TB, token string) (head, payload map[string]any) {
	t.Helper()
	parts := strings.Split(token, ".")
	for i, into := range []*map[string]any{&head, &payload} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(raw, into); err != nil {
			t.Fatal(err)
		}
	}
	return head, payload
}

func TestWeakness30NothingIsTheWordNull(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for _, set := range []string{"disabled = false", "email_verified = true", "metadata = null, phone_number = null", "metadata = 'null'", "is_anonymous = true"} {
		s := d.sessionOf(t, d.bareUser(t, set))
		token := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t).AccessToken
		_, payload := tokenParts(t, token)
		if raw, err := json.Marshal(payload); err != nil || strings.Contains(string(raw), "null") {
			t.Errorf("%s: %s, %v", set, raw, err)
		}
	}
}

func TestWeakness31And32EveryAlgorithmSignsAndIsPublished(t *testing.T) {
	t.Parallel()
	for _, alg := range []string{"HS512", "RS256", "ES256", "ES512", "EdDSA"} {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			secret, err := tokens.GenerateSecret(alg)
			if err != nil {
				t.Fatal(err)
			}
			d := openDoor(t, map[string]string{"HASURA_GRAPHQL_JWT_SECRET": secret})
			p := d.person(t)
			d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
			d.ask(t, "POST", "/token/verify", fields{"token": p.AccessToken}).ok(t)
			head, _ := tokenParts(t, p.AccessToken)
			var set struct{ Keys []map[string]any }
			a := d.ask(t, "GET", "/.well-known/jwks.json", nil)
			if err := json.Unmarshal([]byte(a.body), &set); err != nil || set.Keys == nil {
				t.Fatalf("%s: %v", a, err)
			}
			if alg == "HS512" {
				if len(set.Keys) != 0 || head["alg"] != alg {
					t.Errorf("%s, header %v", a, head)
				}
				return
			}
			if len(set.Keys) != 1 || set.Keys[0]["kid"] != head["kid"] || set.Keys[0]["alg"] != alg || head["alg"] != alg || set.Keys[0]["use"] != "sig" {
				t.Errorf("%s, header %v", a, head)
			}
			for _, private := range []string{"d", "p", "q", "dp", "dq", "qi", "k"} {
				if _, ok := set.Keys[0][private]; ok {
					t.Errorf("the published key has %q", private)
				}
			}
		})
	}
}

func TestWeakness33OneErrorShape(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	p := d.person(t)
	for name, c := range map[string]struct {
		a      answer
		status int
		id     string
	}{
		"no bearer":        {d.ask(t, "GET", "/user", nil), 401, "unauthorized"},
		"a bad bearer":     {d.ask(t, "GET", "/user", nil, bearer("x")), 401, "unauthorized"},
		"not elevated":     {d.ask(t, "POST", "/user/password", fields{"newPassword": rightPassword}, bearer(p.AccessToken)), 403, "elevated-claim-required"},
		"no JSON":          {d.knock(t, "POST", "/token", "x"), 400, "invalid-request"},
		"a bad e-mail":     {d.knock(t, "POST", "/signin/email-password", fields{"email": "x", "password": rightPassword}), 400, "invalid-request"},
		"no query":         {d.knock(t, "GET", "/verify", nil), 400, "invalid-request"},
		"no such path":     {d.knock(t, "GET", "/x", nil), 404, "not-found"},
		"no such verb":     {d.knock(t, "DELETE", "/user", nil), 404, "not-found"},
		"a wrong password": {d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": "wrong password"}), 401, "invalid-email-password"},
	} {
		t.Run(name, func(t *testing.T) { c.a.refused(t, c.status, c.id, "") })
	}
}

func TestWeakness34ElevationUnderAPrefix(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"", "/v1", "/a/b/v1"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			t.Parallel()
			h := testhouse.Open(t, map[string]string{"AUTH_API_PREFIX": prefix, "AUTH_REQUIRE_ELEVATED_CLAIM": "required", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
			s := newcomer(t, h)
			elevated := doorway{h}.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, s)
			other := doorway{h}.accessToken(t, func(a *tokens.Access) { a.Elevated = true; a.UserID = tokens.NewUUID() }, s)
			for path, body := range map[string]fields{"/user/email/change": {"newEmail": newAddress()}, "/user/password": {"newPassword": "a better password"}} {
				if r := must(t, h, "POST", path, body, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 403 || r.refusal != "elevated-claim-required" {
					t.Errorf("%s without elevation: %s", path, r)
				}
				if r := must(t, h, "POST", path, body, home(), "Authorization", "Bearer "+other); r.status != 401 {
					t.Errorf("%s with somebody else's elevation: %s", path, r)
				}
				if r := must(t, h, "POST", path, body, home(), "Authorization", "Bearer "+elevated); r.status != 200 {
					t.Errorf("%s with elevation: %s", path, r)
				}
			}
			if r := must(t, h, "GET", "/user", nil, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 200 {
				t.Errorf("GET /user: %s", r)
			}
		})
	}
}

func TestWeakness36ErrorsDoNotStickToTheClientURL(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_CLIENT_URL": clientURL + "/in?theme=dark"})
	const in = clientURL + "/in"
	for range 3 {
		for _, path := range []string{verifyPath("verifyEmail:x"), "/verify?" + url.Values{"ticket": {"verifyEmail:x"}, "redirectTo": {"https://evil.example"}}.Encode(), "/verify?" + url.Values{"ticket": {"x"}, "redirectTo": {in}}.Encode()} {
			d.ask(t, "GET", path, nil)
		}
	}
	email := d.signUp(t, nil)
	m := d.mail(t, email, "email-verify", 1)
	where, q := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302)
	if where != in || q.Has("error") || q.Has("errorDescription") || q.Get("theme") != "dark" || q.Get("refreshToken") == "" {
		t.Errorf("the link of somebody else leads to %s %v", where, q)
	}
	d.ask(t, "GET", "/verify?"+url.Values{"ticket": {"x"}, "redirectTo": {"https://evil.example"}}.Encode(), nil).redirectsWith(t, 302, in, "redirectTo-not-allowed")
	_, q = d.ask(t, "GET", verifyPath("x")+"/in", nil).redirect(t, 302)
	if q.Has("refreshToken") {
		t.Errorf("a session of somebody else sticks to the client URL: %v", q)
	}
}

// writeTemplate puts a template into an operator's folder.
func writeTemplate(t *testing.T, folder, locale, name, subject, html, text string) {
	t.Helper()
	dir := filepath.Join(folder, locale, name)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"subject.txt": subject, "body.html": html, "body.txt": text} {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWeakness37MissingLocaleFallsBackToSameTemplate(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	writeTemplate(t, folder, "it", "email-verify", "Conferma", `<a href="${link}">x</a>`, "${link}")
	d := openDoor(t, map[string]string{"AUTH_LOCALE_ALLOWED_LOCALES": "en,it,tlh", "AUTH_LOCALE_DEFAULT": "fr", "AUTH_EMAIL_TEMPLATES_PATH": folder})
	for _, locale := range []string{"it", "tlh"} {
		email := d.signUp(t, fields{"options": fields{"locale": locale}})
		verify := d.mail(t, email, "email-verify", 1)
		if locale == "it" && verify.Subject != "Conferma" {
			t.Errorf("the operator's template is not used: %q", verify.Subject)
		}
		d.sql(t, `update auth.users set email_verified = true where email = $1`, email)
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
		m := d.mail(t, email, "password-reset", 1)
		if m.Subject == verify.Subject || !strings.Contains(strings.ToLower(m.Subject), "mot de passe") || !strings.Contains(m.Text, m.Link) {
			t.Errorf("locale %s: a reset goes out as %q", locale, m.Subject)
		}
	}
}

func TestWeakness41And42UsersWithoutAnAddress(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS": "example.com"}) // verification is required
	for name, set := range map[string]string{"guest": "is_anonymous = true, display_name = 'Anonymous User'", "phone only": "phone_number = '+41790000001', phone_number_verified = true", "neither": "display_name = ''"} {
		t.Run(name, func(t *testing.T) {
			s := d.sessionOf(t, d.bareUser(t, set))
			u := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).is(t, 200, "").object(t)
			if _, ok := u["email"]; ok || u["isAnonymous"] != (name == "guest") {
				t.Errorf("user %v", u)
			}
			d.ask(t, "POST", "/token/verify", nil, bearer(s.AccessToken)).ok(t)
			next := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
			if diff := cmp.Diff(u, next.user); diff != "" {
				t.Error(diff)
			}
			_, payload := tokenParts(t, next.AccessToken)
			claims, _ := payload["https://hasura.io/jwt/claims"].(map[string]any)
			if claims["x-hasura-user-is-anonymous"] != strconv.FormatBool(name == "guest") {
				t.Errorf("claims %v", claims)
			}
			// A user without an address may have one; a guest becomes a user in another way.
			a := d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(next.AccessToken))
			if name == "guest" {
				a.refused(t, 403, "forbidden-anonymous", "")
			} else {
				a.ok(t)
			}
			d.ask(t, "POST", "/signout", fields{"all": true}, bearer(next.AccessToken)).ok(t)
		})
	}
}

func TestWeakness43TheUserIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	d.sql(t, `insert into auth.roles (role) values ('admin')`)
	for _, set := range []string{"metadata = null", "metadata = 'null'", "metadata = '{}'", "metadata = '{\"a\":1}'", "default_role = 'admin'", "active_mfa_type = 'totp'", "active_mfa_type = 'sms'", "phone_number = '+1'"} {
		email := d.signUp(t, nil)
		s := d.signIn(t, email, rightPassword)
		d.sql(t, `update auth.users set `+set+` where email = $1`, email)
		want := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t)
		got := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
		if diff := cmp.Diff(want, got.user); diff != "" {
			t.Errorf("%s: a refresh: %s", set, diff)
		}
		if !strings.Contains(set, "mfa") {
			if diff := cmp.Diff(want, d.signIn(t, email, rightPassword).user); diff != "" {
				t.Errorf("%s: a sign-in: %s", set, diff)
			}
		}
		_, payload := tokenParts(t, got.AccessToken)
		claims, _ := payload["https://hasura.io/jwt/claims"].(map[string]any)
		if diff := cmp.Diff(want["roles"], claims["x-hasura-allowed-roles"]); diff != "" || claims["x-hasura-default-role"] != want["defaultRole"] {
			t.Errorf("%s: the token: %s", set, diff)
		}
	}
}

func TestWeakness44LongPasswords(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"argon2id", "bcrypt"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, unverified("AUTH_PASSWORD_HASH", kind, "AUTH_PASSWORD_BCRYPT_COST", "4", "AUTH_PASSWORD_MIN_LENGTH", "4"))
			for name, c := range map[string]struct {
				password string
				id       string // of the refusal; for bcrypt
				bcryptID string
			}{
				"four characters of many bytes": {"éééé", "", ""},
				"three of nine bytes":           {"漢字語", "password-too-short", "password-too-short"},
				"72 bytes":                      {strings.Repeat("a", 72), "", ""},
				"73 bytes":                      {strings.Repeat("a", 73), "", "password-too-long"},
				"30 emoji":                      {strings.Repeat("😀", 30), "", "password-too-long"},
				"51 characters":                 {strings.Repeat("b", 51), "", ""},
				"1024 bytes":                    {strings.Repeat("c", 1024), "", "password-too-long"},
			} {
				id := c.id
				if kind == "bcrypt" {
					id = c.bcryptID
				}
				email := newAddress()
				a := d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": c.password})
				if id != "" {
					a.refused(t, 400, id, "")
					continue
				}
				s := a.session(t)
				d.signIn(t, email, c.password)
				if len(c.password) > 72 {
					d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": c.password[:72]}).refused(t, 401, "invalid-email-password", "")
					d.ask(t, "POST", "/user/password", fields{"newPassword": c.password[:72] + "other"}, bearer(s.AccessToken)).ok(t)
					d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": c.password}).refused(t, 401, "invalid-email-password", "")
				}
				t.Log(name)
			}
		})
	}
}

func TestWeakness51HasuraMayBeAway(t *testing.T) {
	t.Parallel()
	_, port := testmail.Closed(t)
	d := openDoor(t, unverified("HASURA_GRAPHQL_GRAPHQL_URL", fmt.Sprintf("http://127.0.0.1:%d/v1/graphql", port), "HASURA_GRAPHQL_ADMIN_SECRET", "secret"))
	d.person(t)
	d.waitUntilReady(t)
}

func TestWeakness52MailWaitsForItsServer(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	d.Mail.FailAlways(testmail.Reply(testmail.Greeting, 421))
	email := d.signUp(t, nil) // nobody is told of a mail server that is down
	d.Mail.WaitAttempts(t, 1)
	if n := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_mail' and state <> 'completed'`); n != 1 {
		t.Errorf("%d mails wait", n)
	}
	d.Mail.FailAlways(testmail.None)
	d.ask(t, "POST", "/user/email/send-verification-email", fields{"email": email}).ok(t)
	m := d.mail(t, email, "email-verify", 1)
	second := d.mail(t, email, "email-verify", 2) // the first one came too
	if m.Ticket == second.Ticket {
		t.Error("one mail came twice")
	}
	for _, m := range []testmail.Message{m, second} {
		if _, q := d.ask(t, "GET", pathOf(t, m), nil).redirect(t, 302); q.Get("refreshToken") == "" {
			t.Errorf("the link leads to %v", q)
		}
	}
}

func TestWeakness53ExpiredSessionsAreSwept(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	email := d.signUp(t, nil)
	d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": "wrong password"}).refused(t, 401, "invalid-email-password", "")
	left := func() int {
		return value[int](t, d, `select (select count(*) from auth.refresh_tokens) + (select count(*) from auth.tickets) + (select count(*) from auth.security_counters)`)
	}
	sweep := func(after time.Duration) {
		now := d.Clock.Now().Add(after)
		if _, err := d.Store.Sweep(t.Context(), now, now.Add(-time.Hour), now.Add(-time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	had := left()
	sweep(0)
	if n := left(); n != had || had < 4 {
		t.Errorf("%d rows, %d after a sweep of what is alive", had, n)
	}
	sweep(31 * 24 * time.Hour)
	if n := left(); n != 0 {
		t.Errorf("%d rows outlive their time", n)
	}
	d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
}

func TestWeakness54LocalesAreReplacedAsDocumented(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_LOCALE_DEFAULT", "de", "AUTH_LOCALE_ALLOWED_LOCALES", "en,fr"))
	for asked, want := range map[string]string{"en": "en", "fr": "fr", "de": "de", "it": "de", "EN": "de", "": "de"} {
		options := fields{}
		if asked != "" {
			options["locale"] = asked
		}
		s := d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": options}).session(t)
		if s.user["locale"] != want {
			t.Errorf("locale %q became %v", asked, s.user["locale"])
		}
	}
}

func TestWeakness56RedirectsAtEveryEndpoint(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS": "https://exact.example/p/,https://*.wild.example/app", "AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	p := d.person(t)
	before := d.state(t)
	for _, target := range []string{
		"https://exact.example/p/../x", "https://exact.example/p/%2e%2e/x", "https://exact.example/p/..%2fx/../../y", "https://exact.example/px", "https://EXACT.example/P/",
		"https://exact.example@evil.example/p/", "https://exact.example:pw@evil.example/p/", "https://evil.example/p/?exact.example", "https://evil.example#exact.example/p/",
		"https://exact.example.evil.example/p/", "https://evil.example\\.exact.example/p/", "https://exact.example\\@evil.example/p/", "//exact.example/p/", "/p/", "\\\\exact.example/p/",
		"https:exact.example/p/", "https:/exact.example/p/", "https:///exact.example/p/", "http://exact.example/p/", "https://exact.example:444/p/", "https://exact.example:/../p/",
		"https://a.b.wild.example/app", "https://.wild.example/app", "https://wild.example/app", "https://awild.example/app", "https://evil.example/.wild.example/app", "https://a.wild.example/application",
		"https://a.wild.example%2f.evil.example/app", "https://a.wild.example%00.evil.example/app", "https://a。wild.example/app", "https://ａ.wild.example/app", "https://a.wild.example./app",
		"javascript://exact.example/p/%0aalert(1)", "data:text/html,x", "https://exact.example/p/\t", " https://exact.example/p/", "https://exact.example/p/\r\nX: y", "https://[exact.example]/p/",
		"https://3232235777/p/", clientURL + ".evil.example", clientURL + "@evil.example", clientURL + ":444", clientURL + "evil.example", "vbscript://exact.example/p/", "blob:https://exact.example/p/", "https://exact.example/p/" + strings.Repeat("a", 2100),
	} {
		options := fields{"redirectTo": target}
		for _, a := range []answer{
			d.knock(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": options}),
			d.knock(t, "POST", "/user/password/reset", fields{"email": p.email, "options": options}),
			d.knock(t, "POST", "/user/email/send-verification-email", fields{"email": p.email, "options": options}),
			d.knock(t, "POST", "/user/email/change", fields{"newEmail": newAddress(), "options": options}, bearer(p.AccessToken)),
		} {
			a.refused(t, 400, "redirectTo-not-allowed", "")
		}
		a := d.knock(t, "GET", "/verify?"+url.Values{"ticket": {"verifyEmail:x"}, "redirectTo": {target}}.Encode(), nil)
		a.redirectsWith(t, http.StatusFound, clientURL, "redirectTo-not-allowed")
	}
	d.sameState(t, before, "hostile redirects")
	for _, target := range []string{"https://exact.example/p/x/../y", "HTTPS://Exact.Example:443/p/", "https://a.wild.example/app/x?next=https://evil.example#//evil.example", "https://exact.example/p?%2e%2e"} {
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email, "options": fields{"redirectTo": target}}).ok(t)
	}
}

package hasura_test

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/store"
	"postern/tokens"
)

// Advisories of servers like this one, by the number of the test that each asks for, and where it is.
//
//	T-01 unverified mail of providers is linked    TestT01OnlyTheProvidersOwnWordMakesAnAddressVerified and malformed profiles (providers); TestT01OnlyATrueLinksAnAccount
//	T-02 email_verified of the wrong type          TestT02FlagsOfAWrongTypeAreFalse, TestT02FlagsInIDTokens (providers)
//	T-03 OAuth links to an unverified account      TestT04PreHijackedAccountsAtProviders
//	T-04 pre-hijacked accounts                     TestT04PreHijackedAccounts; TestT04PreHijackedAccountsAtProviders, TestT04TheOwnersMailTakesAnAccountBack
//	T-05 ID tokens of foreign issuers              TestT05IDTokensOfOthersAreRefused, TestT05TenantsOfMicrosoft (providers); TestT05TokensOfOtherIssuersAreNobodys
//	T-06 headers poison the links of mails         TestT06NoHeaderMovesTheLinkOfAMail
//	T-07 refresh tokens in redirects               TestT07RedirectsWithPKCEHoldNoToken; TestT07RedirectsOfProvidersWithPKCEHoldNoToken
//	T-08 sessions survive a password change        TestT08SessionsEndWithThePassword (sessions_test.go), TestT08EveryKindOfSessionEndsWithThePassword
//	T-09 one-time secrets race                     TestT09OneTimeSecretsWorkOnce (sessions_once_test.go), TestT09WhatIsHeldOnceWorksOnce, TestT09PasskeyAnswersWorkOnce
//	T-10 disabled and deleted users keep access    TestT10StatesAtEveryEndpoint, TestT10WhatIsHeldEndsWithItsUser, TestT10PATsOfThoseWhoMayNot; at refresh: sessions_test.go
//	T-11 AAL is not lowered                        TestT11TurningAFactorOffLowersEverySession
//	T-12 wrong "highest" AAL                       TestT12TheLevelIsThatOfTheFactors; TestAFactorThatIsTurnedOnMeanwhileStopsASignIn
//	T-13 forged cursors                            later: lists
//	T-14 cache keys of the webhook                 later: webhook mode
//	T-15 header smuggling                          TestT15SmuggledHeadersMeanNothing
//	T-16 two readings of one path                  TestT16OnePathHasOneSpelling
//	T-17 swallowed errors of a revocation          TestT17EveryOperationWithoutItsDatabase; TestT17NoRevocationIsClaimedThatFailed
//	T-18 session fixation around MFA               TestT18AFirstFactorOpensNothing
//	T-19 lock-out by account                       TestT19AHundredWrongPasswordsAndNoMore; of codes: TestH15CodesAreNotGuessed
//	T-20 intermediate tokens are reused            T-09
//	T-21 truncated tokens pass                     TestT21VariantsOfSecretsAreRefused (sessions_once_test.go)
//	T-22 mass assignment                           TestT22NobodySetsWhatIsTheServers
//	T-23 hooks overwrite reserved claims           later: hooks and custom claims
//	T-24 SSRF                                      later: addresses that come through the API
//	T-25 HTML in mails and pages                   TestT25NamesAreTextInMailsAndPages
//	T-26 lists show others' sessions               TestT26ListsAreOfOneUser
//	T-27 foreign ids                               TestT27IdsOfOthersAreNothing; organisations: later
//	T-28 codes bound to clients                    later: being a provider; PKCE: T-32
//	T-29 redirect corpus                           TestT29LocationsAreWhatWasAskedFor, TestWeakness56…; flow
//	T-30 freshness of another method               TestElevation, TestT30AFreshSignInIsNoFreshProof
//	T-31 users mixed up under load                 TestT31ManyAtOnceAreNotMixedUp; TestT31CallbacksAreNotMixedUp
//	T-32 PKCE downgrade                            TestT32PKCEIsNotDowngraded
//	T-33 expiry to the second                      TestT33ExpiryIsExact (sessions_once_test.go), TestT33CodesExpireToTheSecond; tickets of Hasura Auth: weakness_test.go
//	T-34 previews need the right to save           later: claims and hooks
//	T-35 malformed headers fail open               TestT35CorruptHeadersOpenNothing
//	T-36 proof of another identity                 TestT36ProofOfOneIdentityIsNoneOfAnother
//	T-37 flow state from the client                TestT37WhatTheClientSaysOnTheWayBackDecidesNothing
//	T-38 parameters twice                          TestT38ParametersTwiceAreRefused; TestProviderStartRefusals, TestProviderCallbackRefusals; hostile_test.go
//	T-39 sloppy Bearer parsing                     TestT39AuthorizationHasOneSpelling
//	T-40 addresses that alias                      TestT40OneClientIsOneBucket; server
//	T-41 e-mail change                             TestT41EmailChangeStateMachine
//	T-42 TOTP replay                               TestH16CodesCountOnce; totp
//	T-43 timing                                    TestT43TimingOracles (timing_test.go, with POSTERN_TIMING set)
//	T-44 JSON bombs                                TestT44BombsAreRefusedBeforeAnythingElse; hostile_test.go
//	T-45 secrets in logs and tables                TestT45NoSecretIsWrittenDown
//	T-46 addresses with several @                  TestT46AddressesWithSeveralAts, TestAccessListsStandBeforeEveryArrival; flow
//	T-47 forged access tokens                      TestT47ForgedTokensAtTheDoor; tokens
//	T-48 development servers                       dev
//
// Hostile input, by class:
//
//	H-01 bodies: hostile_test.go · H-02 JWT: T-47 · H-03 Authorization: T-39, T-35 · H-04 mail headers:
//	hostile_test.go · H-05 templates: T-25, emails · H-06 redirects: TestWeakness56…, flow · H-07 SSRF: later ·
//	H-08 filters, H-09 GraphQL, H-10 JSONata: later · H-11 passwords: passwords, TestWeakness44… · H-12 addresses:
//	hostile_test.go · H-13 timing: T-43 · H-14 guessing: TestH14GuessesFindNothing · H-15: TestH15CodesAreNotGuessed · H-16 TOTP: T-42 ·
//	H-17 WebAuthn: TestH17WebAuthn · H-18: T-22 · H-19 IDOR: no endpoint takes an id; TestTicketsOfOnePersonAreNobodyElses ·
//	H-20 CORS and CSRF: TestCORS, TestUnknownPathsAndVerbs · H-21: TestH21NothingTellsWhoExists · H-22 logs:
//	hostile_test.go · H-23 hooks: later · H-24 scanners: TestVerifyLinks, conformance · H-25: T-04

func TestT04PreHijackedAccounts(t *testing.T) {
	t.Parallel()
	reset := func(t *testing.T, d doorway, email string) {
		t.Helper()
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the true owner", "ticket": d.mail(t, email, "password-reset", 1).Ticket}).ok(t)
	}

	t.Run("an open session does not survive the owner's reset", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified())
		victim := d.signUp(t, nil) // by the attacker, with a password that only the attacker knows
		attacker := d.signIn(t, victim, rightPassword)
		reset(t, d, victim)
		d.ask(t, "POST", "/token", fields{"refreshToken": attacker.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		d.ask(t, "GET", "/user", nil, bearer(attacker.AccessToken)).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", "/signin/email-password", fields{"email": victim, "password": rightPassword}).refused(t, 401, "invalid-email-password", "")
	})

	t.Run("a pending change of address does not survive the owner's reset", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, unverified())
		victim := d.signUp(t, nil)
		attacker := d.signIn(t, victim, rightPassword)
		_, challenge := testhouse.Verifier()
		mine := []string{newAddress(), newAddress()}
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": mine[0]}, bearer(attacker.AccessToken)).ok(t)
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": mine[1], "codeChallenge": challenge}, bearer(attacker.AccessToken)).ok(t)
		links := []string{pathOf(t, d.mail(t, mine[0], "email-confirm-change", 1)), pathOf(t, d.mail(t, mine[1], "email-confirm-change", 1))}
		reset(t, d, victim)
		for _, link := range links {
			d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		}
		d.signIn(t, victim, "of the true owner")
	})

	t.Run("a reset mail asked for before the owner's does not survive it", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		p := d.person(t)
		verifier, challenge := testhouse.Verifier()
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email, "codeChallenge": challenge}).ok(t)
		first := d.mail(t, p.email, "password-reset", 1)
		_, q := d.ask(t, "GET", pathOf(t, first), nil).redirect(t, 302)
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		second := d.mail(t, p.email, "password-reset", 2)
		if second.Ticket == first.Ticket {
			t.Fatal("one ticket for two mails")
		}
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the true owner", "ticket": second.Ticket}).ok(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the attacker", "ticket": first.Ticket}).refused(t, 401, "invalid-ticket", "")
		d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).refused(t, 400, "invalid-request", "")
	})

	t.Run("an unverified account lets nobody in, and the owner can take it", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		victim := d.signUp(t, fields{"options": fields{"displayName": "Attacker"}})
		d.ask(t, "POST", "/signin/email-password", fields{"email": victim, "password": rightPassword}).refused(t, 401, "unverified-user", "")
		d.ask(t, "POST", "/signup/email-password", fields{"email": victim, "password": "of the true owner"}).refused(t, 409, "email-already-in-use", "")
		if n := value[int](t, d, `select count(*) from auth.refresh_tokens`); n != 0 {
			t.Errorf("%d sessions of an unverified account", n)
		}
		_, q := d.ask(t, "GET", pathOf(t, d.mail(t, victim, "email-verify", 1)), nil).redirect(t, 302)
		owner := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the true owner"}, bearer(owner.AccessToken)).ok(t)
		d.ask(t, "POST", "/signin/email-password", fields{"email": victim, "password": rightPassword}).refused(t, 401, "invalid-email-password", "")
	})

	// Whoever signs up first chooses how to get in. Until the address is confirmed that opens nothing; and
	// when its owner, who knows of no account, signs in by a mail, it must not begin to.
	for name, signUp := range map[string]func(t *testing.T, d doorway) (email string, enter func(t *testing.T) answer){
		"password": func(t *testing.T, d doorway) (string, func(t *testing.T) answer) {
			email := d.signUp(t, nil)
			return email, func(t *testing.T) answer {
				return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword})
			}
		},
		"passkey": func(t *testing.T, d doorway) (string, func(t *testing.T) answer) {
			email, key := newAddress(), device()
			credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": email}).create(t, key)
			d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential}).is(t, 200, "{}")
			return email, func(t *testing.T) answer {
				return d.knock(t, "POST", "/signin/webauthn/verify", fields{"credential": d.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)})
			}
		},
		"verified phone": func(t *testing.T, d doorway) (string, func(t *testing.T) answer) {
			email := d.signUp(t, nil)
			d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true, password_hash = null where email = $1`, email, newNumber())
			return email, func(t *testing.T) answer {
				return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword})
			}
		},
	} {
		for how, arrive := range map[string]func(t *testing.T, d doorway, email string) fullSession{
			"link": func(t *testing.T, d doorway, email string) fullSession {
				d.ask(t, "POST", signInLink, fields{"email": email}).ok(t)
				_, q := d.ask(t, "GET", pathOf(t, d.mail(t, email, "signin-passwordless", 1)), nil).redirect(t, 302)
				return d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
			},
			"code": func(t *testing.T, d doorway, email string) fullSession {
				d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
				return d.ask(t, "POST", typeMail, fields{"email": email, "otp": d.mailedCode(t, email, 1)}).session(t)
			},
		} {
			t.Run("the "+name+" of whoever signed up before the owner came by "+how, func(t *testing.T) {
				t.Parallel()
				d := openDoor(t, nil)
				email, enter := signUp(t, d)
				enter(t).opensNothing(t)
				owner := arrive(t, d, email)
				if owner.user["email"] != email || owner.user["emailVerified"] != true || owner.user["phoneNumber"] != nil {
					t.Errorf("the owner is %v", owner.user)
				}
				enter(t).opensNothing(t)
				if left := value[string](t, d, `select concat_ws(' ', u.password_hash, u.phone_number, (select count(*) from auth.user_security_keys), (select count(*) from auth.user_providers)) from auth.users u where email = $1`, email); left != "0 0" {
					t.Errorf("left of the one before: %s", left)
				}
				if n := value[int](t, d, `select count(*) from auth.refresh_tokens`); n != 1 {
					t.Errorf("%d sessions", n)
				}
			})
		}
	}

	t.Run("a mail alone takes no second factor away", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		p := d.person(t)
		d.sql(t, `update auth.users set email_verified = false, active_mfa_type = 'totp' where id = $1`, p.User.ID) // by an operator
		d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
		a := d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 1)})
		a.opensNothing(t)
		if kept := value[bool](t, d, `select active_mfa_type = 'totp' and password_hash is not null from auth.users where id = $1`, p.User.ID); !kept || !strings.Contains(a.body, "mfaTotp:") {
			t.Errorf("%s, factor and password kept: %v", a, kept)
		}
	})

	t.Run("whoever confirms the mail of the sign-up keeps the password", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		email := d.signUp(t, nil)
		d.ask(t, "GET", pathOf(t, d.mail(t, email, "email-verify", 1)), nil).redirect(t, 302)
		d.signIn(t, email, rightPassword)
		d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
		d.ask(t, "POST", typeMail, fields{"email": email, "otp": d.mailedCode(t, email, 1)}).session(t)
		d.signIn(t, email, rightPassword)
	})

	t.Run("a link that proves an address proves no other", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, nil)
		attacker := newAddress()
		d.signUp(t, fields{"email": attacker})
		link := pathOf(t, d.mail(t, attacker, "email-verify", 1))
		victim := newAddress()
		d.sql(t, `update auth.users set email = $2 where email = $1`, attacker, victim) // however it came to be
		d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		if stored(t, d, victim)["email_verified"] != false {
			t.Error("the attacker's mailbox proved the victim's address")
		}
		// A reset mail to a mailbox that is no longer the user's resets nothing.
		p := d.person(t)
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		m := d.mail(t, p.email, "password-reset", 1)
		d.sql(t, `update auth.users set email = $2 where id = $1`, p.User.ID, newAddress())
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the attacker", "ticket": m.Ticket}).refused(t, 401, "invalid-ticket", "")
		d.ask(t, "GET", pathOf(t, m), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	})
}

// headersThatClaimAHost are ways to tell a server that it is somebody else.
func headersThatClaimAHost() map[string]with {
	const evil = "evil.example"
	list := map[string]with{
		"Host":             func(r *http.Request) { r.Host = evil },
		"Host and port":    func(r *http.Request) { r.Host = evil + ":443" },
		"Host with a user": func(r *http.Request) { r.Host = "postern.test@" + evil },
		"absolute form":    func(r *http.Request) { r.URL.Host, r.Host = evil, evil },
		"two forwarded hosts": func(r *http.Request) {
			r.Header["X-Forwarded-Host"] = []string{"postern.test", evil}
		},
		"lower case on the wire": func(r *http.Request) { r.Header["x-forwarded-host"] = []string{evil} },
		"underscores":            func(r *http.Request) { r.Header["X_Forwarded_Host"] = []string{evil} },
		"all of them": func(r *http.Request) {
			r.Host = evil
			for _, h := range []string{"X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "Origin", "Referer"} {
				r.Header.Set(h, "https://"+evil)
			}
		},
	}
	for _, h := range []string{
		"X-Forwarded-Host", "X-Host", "X-Forwarded-Server", "X-HTTP-Host-Override", "X-Original-Host", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Proto", "X-Forwarded-Scheme",
		"X-Scheme", "X-Forwarded-Ssl", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Path", "X-Forwarded-Uri", "X-Script-Name", "X-Base-Url", "X-Proxy-Url", "X-Backend-Host",
		"X-Real-Host", "X-Url-Scheme", "Front-End-Https", "Via", "Origin", "Referer", "Base-Url", "Request-Uri", "Redirect", "Destination", "X-Wap-Profile", "X-Arbitrary", "Alt-Svc",
	} {
		list[h] = header(h, evil)
		if strings.Contains(h, "Host") || strings.Contains(h, "URL") || strings.Contains(h, "Url") {
			list[h+" as an address"] = header(h, "https://"+evil+"/v1")
		}
	}
	list["Forwarded"] = header("Forwarded", "for=1.1.1.1;host="+evil+";proto=http")
	list["Forwarded, quoted"] = header("Forwarded", `host="`+evil+`"`)
	return list
}

func TestT06NoHeaderMovesTheLinkOfAMail(t *testing.T) {
	t.Parallel()
	const server = "https://auth.good.example/v1"
	d := openDoor(t, map[string]string{
		"AUTH_SERVER_URL": server, "AUTH_EMAIL_USER_HOURLY_LIMIT": "10000", "AUTH_TRUSTED_PROXIES": "192.0.2.0/24",
		"AUTH_PROVIDER_GITHUB_ENABLED": "true", "AUTH_PROVIDER_GITHUB_CLIENT_ID": "client", "AUTH_PROVIDER_GITHUB_CLIENT_SECRET": "secret",
	})
	p, waiting := d.person(t), d.signUp(t, nil)
	variants := headersThatClaimAHost()
	if len(variants) < 40 {
		t.Fatalf("only %d variants", len(variants))
	}
	var wg sync.WaitGroup
	work := make(chan func())
	for range 4 { // a reset takes its time
		wg.Go(func() {
			for f := range work {
				f()
			}
		})
	}
	mails := 2
	for name, variant := range variants {
		work <- func() {
			for path, body := range map[string]fields{
				"/signup/email-password":              {"email": newAddress(), "password": rightPassword},
				"/user/password/reset":                {"email": p.email},
				"/user/email/send-verification-email": {"email": waiting},
				"/user/email/change":                  {"newEmail": newAddress()},
				signInLink:                            {"email": newAddress()},
				signUpLink:                            {"email": newAddress()},
				askMail:                               {"email": newAddress()},
				askMailSignUp:                         {"email": newAddress()},
			} {
				if a := d.knock(t, "POST", path, body, variant, bearer(p.AccessToken)); a.status != 200 {
					t.Errorf("%s at %s: %s", name, path, a)
				}
			}
			// Where a browser goes to a provider and comes back to, and whom a passkey is for.
			at := d.knock(t, "GET", "/signin/provider/github?codeChallenge="+tokens.ChallengeOf(strings.Repeat("v", 43)), nil, variant).header.Get("Location")
			if !strings.Contains(at, "redirect_uri="+url.QueryEscape(server+"/")) || strings.Contains(at, "evil") {
				t.Errorf("%s: the provider is told %s", name, at)
			}
			if a := d.knock(t, "POST", "/signup/webauthn", fields{"email": newAddress()}, variant); !strings.Contains(a.body, `"id":"app.example.com"`) || strings.Contains(a.body, "evil") {
				t.Errorf("%s: %s", name, a)
			}
		}
		mails += 8
	}
	close(work)
	wg.Wait()
	d.allMails(t, mails)
	for _, m := range d.Mail.Messages() {
		if !strings.HasPrefix(m.Link, server+"/verify?") || !strings.Contains(m.Link, "redirectTo="+url.QueryEscape(clientURL)+"&") {
			t.Errorf("%s: the link is %s", m.Subject, m.Link)
		}
		if bytes.Contains(m.Raw, []byte("evil")) || strings.Contains(m.HTML+m.Text, "evil") {
			t.Errorf("a header reached the mail: %s", m.Text)
		}
	}
}

// allMails waits until so many mails are there.
func (d doorway) allMails(t *testing.T, n int) {
	t.Helper()
	d.Mail.WaitAll(t, n)
}

// TestT07RedirectsWithPKCEHoldNoToken visits every redirect there is. Old clients read a refresh token
// off the redirect of a link that was asked for without PKCE, so there it still is: once, after a
// button, to no referrer and into no log.
func TestT07RedirectsWithPKCEHoldNoToken(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for _, k := range linkKinds() {
		verifier, challenge := testhouse.Verifier()
		_, to := k.get(t, d, clientURL+"/back", challenge)
		m := d.mail(t, to, k.template, 1)
		var locations []string
		for _, method := range []string{"GET", "POST"} {
			for _, more := range [][]with{{}, {browser()}} {
				a := d.ask(t, method, pathOf(t, m), nil, more...)
				locations = append(locations, a.header.Get("Location"))
				if a.header.Get("Referrer-Policy") != "no-referrer" {
					t.Errorf("%s: Referrer-Policy %q", a, a.header.Get("Referrer-Policy"))
				}
				if cookies := a.header.Values("Set-Cookie"); len(cookies) > 0 {
					t.Errorf("%s: cookies %v", a, cookies)
				}
			}
		}
		for _, location := range locations {
			u, err := url.Parse(location)
			if err != nil {
				t.Fatal(err)
			}
			q := u.Query()
			if len(q) != 2 || q.Get("type") != k.ticketType || q.Get("code") == "" || strings.Contains(location, "eyJ") || u.Fragment != "" || strings.Contains(location, m.Ticket) {
				t.Errorf("%s: the link leads to %s", k.template, location)
			}
			// The code is good for nothing without the verifier.
			d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("code")}).refused(t, 401, "invalid-refresh-token", "")
			d.ask(t, "GET", "/user", nil, bearer(q.Get("code"))).refused(t, 401, "unauthorized", "")
			if strings.Contains(d.Log.String(), q.Get("code")) {
				t.Error("the code stands in the log")
			}
		}
		q, _ := url.ParseQuery(strings.SplitN(locations[0], "?", 2)[1])
		d.ask(t, "POST", "/token/exchange", fields{"code": q.Get("code"), "codeVerifier": verifier}).session(t)

		_, to = k.get(t, d, "", "")
		old := d.ask(t, "GET", pathOf(t, d.mail(t, to, k.template, 1)), nil)
		_, q = old.redirect(t, 302)
		if q.Get("refreshToken") == "" || old.header.Get("Referrer-Policy") != "no-referrer" || old.header.Get("Cache-Control") != "no-store" {
			t.Errorf("without PKCE: %v, %v", q, old.header)
		}
		if strings.Contains(d.Log.String(), q.Get("refreshToken")) {
			t.Error("the refresh token stands in the log")
		}
	}
}

func TestT10StatesAtEveryEndpoint(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for name, c := range map[string]struct {
		end func(p person)
		ids string // that may be answered
	}{
		"disabled":       {func(p person) { d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID) }, "disabled-user"},
		"unverified":     {func(p person) { d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID) }, "unverified-user"},
		"deleted":        {func(p person) { d.sql(t, `delete from auth.users where id = $1`, p.User.ID) }, "unauthorized invalid-refresh-token"},
		"signed out":     {func(p person) { d.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t) }, "unauthorized invalid-refresh-token"},
		"out everywhere": {func(p person) { d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t) }, "unauthorized invalid-refresh-token"},
		"password changed": {func(p person) {
			other := d.signIn(t, p.email, p.password)
			d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(other.AccessToken)).ok(t)
		}, "unauthorized invalid-refresh-token"},
		"session of others": {func(p person) {
			d.sql(t, `update auth.refresh_tokens set user_id = $2 where user_id = $1`, p.User.ID, d.person(t).User.ID)
		}, "unauthorized"},
		"session expired": {func(p person) { d.sql(t, `delete from auth.refresh_tokens where user_id = $1`, p.User.ID) }, "unauthorized invalid-refresh-token"},
	} {
		t.Run(name, func(t *testing.T) {
			p := d.person(t)
			elevated := d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, p.wireSession)
			c.end(p)
			before := d.state(t)
			for _, token := range []string{p.AccessToken, elevated} {
				asked := []answer{
					d.ask(t, "GET", "/user", nil, bearer(token)),
					d.ask(t, "POST", "/user/password", fields{"newPassword": "of a stranger"}, bearer(token)),
					d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(token)),
					d.ask(t, "POST", "/token/verify", nil, bearer(token)),
				}
				if name != "session of others" {
					asked = append(asked, d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}))
				}
				for _, o := range operations(t) {
					if o.bearer { // what is added later, too
						asked = append(asked, o.send(t, d, token))
					}
				}
				for _, a := range asked {
					if no := a.refusal(t); a.status != 401 || !slices.Contains(strings.Fields(c.ids), no.Error) {
						t.Errorf("%s: want 401 and one of %s", a, c.ids)
					}
				}
			}
			d.sameState(t, before, "a user who may not")
		})
	}
}

func TestT15SmuggledHeadersMeanNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	p, other := d.person(t), d.person(t)
	before := d.state(t)
	hostile := map[string][]string{
		"X-Hasura-Role": {"admin"}, "X-Hasura-User-Id": {other.User.ID}, "X-Hasura-Admin-Secret": {"secret"}, "X_Hasura_User_Id": {other.User.ID}, "x-hasura-auth-elevated": {p.User.ID},
		"X-User-Id": {other.User.ID}, "X-Forwarded-User": {other.User.ID}, "X-Remote-User": {other.email}, "X-Auth-Request-User": {other.email}, "X-Original-URL": {"/v1/healthz"},
		"X-Rewrite-URL": {"/v1/user"}, "X-HTTP-Method-Override": {"GET"}, "Connection": {"Authorization, X-Forwarded-For"}, "Proxy-Authorization": {"Bearer " + other.AccessToken},
		"X-Authorization": {"Bearer " + other.AccessToken}, "Cookie": {"access_token=" + other.AccessToken + "; hasura_user=" + other.AccessToken}, "Access-Token": {other.AccessToken},
		"authorization ": {"Bearer " + other.AccessToken}, "Authorization_": {"Bearer " + other.AccessToken}, "X-Forwarded-Authorization": {"Bearer " + other.AccessToken},
	}
	smuggle := func(r *http.Request) { maps.Copy(r.Header, hostile) }
	d.knock(t, "GET", "/user", nil, smuggle).refused(t, 401, "unauthorized", "")
	if u := d.knock(t, "GET", "/user?access_token="+other.AccessToken+"&user_id="+other.User.ID, nil, smuggle, bearer(p.AccessToken)).is(t, 200, "").object(t); u["id"] != p.User.ID {
		t.Errorf("user %v", u)
	}
	d.knock(t, "GET", "/user?access_token="+other.AccessToken, nil).refused(t, 401, "unauthorized", "")
	d.knock(t, "POST", "/user/password", fields{"newPassword": rightPassword}, smuggle, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	d.sameState(t, before, "smuggled headers")
}

func TestT16OnePathHasOneSpelling(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	before := d.state(t)
	for _, path := range []string{
		"/v1//user", "//v1/user", "/v1/./user", "/v1/x/../user", "/v1/../v1/user", "/v1/%75ser", "/v1/us%65r", "/v1%2fuser", "/v1/%2e/user", "/v1/x/%2e%2e/user", "/v1/user%00", "/v1/user%2f", "/v1/user;a=b",
		"/v1;/user", "/v1/user%3b", "/v1\\user", "/v1/%5cuser", "/v1/user%20", "/v1/user.", "/v1/user/", "/v1/user//", "/V1/user", "/v1/User", "/v1/user%0a", "/v1/user%23", "/v1/user%3f", "/v1/..;/v1/user",
		"/v1/%252e%252e/user", "/v1/user..", "/v1/\u200buser", "/v1/ｕser", "/v1/healthz/../user", "/healthz/../v1/user", "/v1/%c0%ae%c0%ae/user", "/v1/.well-known/../user", "/v1/%2e%2e/healthz", "/./healthz", "/v1/user%e2%80%8b",
	} {
		for _, verb := range []string{"GET", "POST", "HEAD"} {
			req, err := http.NewRequestWithContext(t.Context(), verb, "http://postern.test/", nil)
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.ParseRequestURI(path)
			if err != nil {
				continue // net/http would not let it in either
			}
			req.URL, req.RequestURI = u, path
			req.URL.Host = "postern.test"
			req.Header.Set("Authorization", "Bearer "+p.AccessToken)
			resp, err := unjudged{d.Handler}.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusNotFound || resp.Header.Get("Location") != "" {
				t.Errorf("%s %s: %d %s, %v", verb, path, resp.StatusCode, body, err)
			}
			if verb != "HEAD" {
				answer{verb + " " + path, resp.StatusCode, resp.Header, string(body)}.refused(t, 404, "not-found", "")
			}
		}
	}
	d.sameState(t, before, "other spellings")
}

// TestT19AHundredWrongPasswordsAndNoMore counts failures by account: over two replicas, every spelling
// of the address, every address of the network.
func TestT19AHundredWrongPasswordsAndNoMore(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, limited("AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "1000000"), stopped(clock))
	replica := doorway{d.Beside(t, stopped(clock))}
	p, bystander := d.person(t), d.person(t)
	try := func(i int, email, password string) answer {
		at := d
		if i%2 == 1 {
			at = replica
		}
		return at.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password}, peer(fmt.Sprintf("198.51.%d.%d:1", i/200, i%200)))
	}
	spell := func(i int) string {
		b := []byte(p.email)
		for j := range b {
			if (i>>(j%7))&1 == 1 {
				b[j] = bytes.ToUpper(b[j : j+1])[0]
			}
		}
		return string(b)
	}
	refusals := 0
	for i := range 130 {
		a := try(i, spell(i), fmt.Sprintf("wrong password %d", i))
		switch no := a.refusal(t); {
		case no.Error == "invalid-email-password":
			if refusals++; i != refusals-1 {
				t.Fatalf("attempt %d was looked at after one that was not", i)
			}
		case no.Status != 429 || a.header.Get("Retry-After") == "":
			t.Fatalf("attempt %d: %s", i, a)
		}
	}
	if refusals != 100 {
		t.Errorf("%d wrong passwords were compared, want 100", refusals)
	}
	for i := range 4 { // the right one is not looked at either, anywhere
		try(i, p.email, p.password).refused(t, 429, "too-many-requests", "")
	}
	try(1, bystander.email, bystander.password).session(t)
	if d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).status != 200 {
		t.Error("a session ends with a lock-out")
	}
	// An unknown address behaves alike, so that the lock-out tells nothing.
	unknown := newAddress()
	for i := range 100 {
		try(i, unknown, "wrong password").refused(t, 401, "invalid-email-password", "")
	}
	try(0, unknown, "wrong password").refused(t, 429, "too-many-requests", "")

	// Whoever can read the mail is not locked out for a day.
	d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
	ticket := d.mail(t, p.email, "password-reset", 1).Ticket
	replica.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}).ok(t)
	try(0, p.email, "a better password").session(t)

	// A right password sets the count back, and a day does.
	for round := range 2 {
		for i := range 99 {
			try(i, p.email, "wrong password").refused(t, 401, "invalid-email-password", "")
		}
		if round == 0 {
			try(0, p.email, "a better password").session(t)
		}
	}
	try(0, p.email, "wrong password").refused(t, 401, "invalid-email-password", "")
	try(1, p.email, "a better password").refused(t, 429, "too-many-requests", "")
	clock.Advance(24*time.Hour + time.Second)
	try(1, p.email, "a better password").session(t)
}

// TestT22NobodySetsWhatIsTheServers puts every column of a user and a session, in three spellings,
// into every object of every body.
func TestT22NobodySetsWhatIsTheServers(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p, other := d.person(t), d.person(t)
	names := map[string]bool{"admin": true, "role": true, "roles": true, "user": true, "userId": true, "emailVerified": true, "isAnonymous": true, "claims": true, "sub": true, "session": true, "x-hasura-role": true, "password_hash": true}
	for _, table := range []string{"users", "refresh_tokens", "tickets", "user_roles", "factors", "user_providers", "user_security_keys"} {
		for _, column := range value[[]string](t, d, `select array_agg(column_name::text) from information_schema.columns where table_schema = 'auth' and table_name = $1`, table) {
			camel := regexp.MustCompile(`_(.)`).ReplaceAllStringFunc(column, func(s string) string { return strings.ToUpper(s[1:]) })
			names[column], names[camel], names[strings.ToUpper(column)] = true, true, true
		}
	}
	if len(names) < 60 {
		t.Fatalf("only %d names", len(names))
	}
	values := map[string]any{"true": true, "another user": other.User.ID, "a list": []string{"admin"}}
	before := d.state(t)
	for _, o := range operations(t) {
		if o.schema == nil {
			continue
		}
		for _, at := range objectsOf(o.schema) {
			schema := o.schema
			for _, step := range at {
				schema = schema.Properties[step].Value
			}
			for name := range names {
				if _, known := schema.Properties[name]; known {
					continue
				}
				for _, v := range values {
					d.knock(t, o.method, o.path, encode(o.body.with(slices.Concat(at, []string{name}), v)), bearer(p.AccessToken)).
						invalid(t, strings.Join(slices.Concat(at, []string{name}), "."))
				}
			}
		}
	}
	d.sameState(t, before, "members that are the server's")

	// Where other members are ignored, or the query is, they change nothing.
	more := fields{"refreshToken": tokens.NewUUID()}
	for name := range names {
		if name != "refreshToken" && name != "all" {
			more[name] = other.User.ID
		}
	}
	d.knock(t, "POST", "/signout", more, bearer(p.AccessToken)).ok(t)
	q := url.Values{}
	for name := range names {
		q.Set(name, other.User.ID)
	}
	d.knock(t, "GET", "/user?"+q.Encode(), nil, bearer(p.AccessToken)).is(t, 200, "")
	d.sameState(t, before, "members that are ignored")

	// What an application keeps with the user stays what it is: a note.
	claims := fields{}
	for name := range names {
		claims[name] = true
	}
	email := d.signUp(t, fields{"options": fields{"metadata": claims}})
	if u := stored(t, d, email); u["email_verified"] != false || u["disabled"] != false || u["default_role"] != "user" || fmt.Sprint(u["roles"]) != "[me user]" {
		t.Errorf("user %v", u)
	}
}

func TestT25NamesAreTextInMailsAndPages(t *testing.T) {
	t.Parallel()
	locales := []string{"en", "fr", "es", "de", "bg", "cs"}
	// The built-in mails do not speak to people by name; those of an operator may.
	folder := t.TempDir()
	for _, locale := range locales {
		writeTemplate(t, folder, locale, "password-reset", "Hi ${displayName}", `<p title="${displayName}">Hi ${displayName}</p><a href="${link}">go</a>`, "Hi ${displayName}: ${link}")
	}
	d := openDoor(t, map[string]string{"AUTH_LOCALE_ALLOWED_LOCALES": strings.Join(locales, ","), "AUTH_EMAIL_USER_HOURLY_LIMIT": "1000", "AUTH_EMAIL_TEMPLATES_PATH": folder})
	hostile := []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "<a href=https://evil.example>click</a>", "https://evil.example", "evil.example", "${link}${ticket}", "{{.Ticket}}{{7*7}}",
		"%LINK% <%= 7*7 %>", "</title></head><body>", "<!--", "]]>", "\u202egnp.exe", "a\r\nBcc: evil@example.com", "Jane\u2028evil", "javascript:alert(1)", "&lt;b&gt;", strings.Repeat("W", 5000), "=?utf-8?q?evil?=",
	}
	for i, name := range hostile {
		// Names come from elsewhere too: from a provider, from an operator, from an adopted database.
		p := d.person(t)
		to := newAddress()
		d.sql(t, `update auth.users set display_name = $2, locale = $3, metadata = jsonb_build_object('a', $2::text) where id = $1`, p.User.ID, name, locales[i%len(locales)])
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": to}, bearer(p.AccessToken)).ok(t)
		reset, change := d.mail(t, p.email, "password-reset", 1), d.mail(t, to, "email-confirm-change", 1)
		if !strings.HasPrefix(reset.Text, "Hi ") {
			t.Fatalf("not the operator's mail: %s", reset.Text)
		}
		d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(p.AccessToken)).ok(t)
		notice := d.mail(t, p.email, "password-changed", 1)
		for _, m := range []struct{ html, text, subject, link string }{
			{reset.HTML, reset.Text, reset.Subject, reset.Link}, {change.HTML, change.Text, change.Subject, change.Link}, {notice.HTML, notice.Text, notice.Subject, ""},
		} {
			for _, bad := range []string{"<script>alert", "<img src=x", "<a href=https://evil", "https://evil.example", "evil.example", "</title></head><body>\n", "\u202e", "\u2028", "javascript:alert"} {
				plain := !strings.HasPrefix(bad, "<") // markup is none in a text or a subject
				if strings.Contains(m.html, bad) || plain && (strings.Contains(m.subject, bad) || strings.Contains(m.text, bad)) {
					t.Errorf("%q: the mail %q has %q", name, m.subject, bad)
				}
			}
			if m.link != "" && strings.Count(m.text, m.link) != 1 || strings.Contains(m.html+m.text, "evil49") || strings.Contains(m.html, ">49<") {
				t.Errorf("%q was evaluated: %s", name, m.text)
			}
			if strings.ContainsAny(m.subject, "\r\n") || len(m.html) > 64<<10 {
				t.Errorf("%q: subject %q, %d bytes", name, m.subject, len(m.html))
			}
		}
	}
	// The page of a link shows where it leads, as text.
	ticket := d.mail(t, d.signUp(t, nil), "email-verify", 1).Ticket
	for _, to := range []string{clientURL + "/\"><script>alert(1)</script>", clientURL + "?<script>", clientURL + "/'onmouseover='x"} {
		a := d.knock(t, "GET", "/verify?"+url.Values{"ticket": {ticket}, "redirectTo": {to}}.Encode(), nil, browser())
		if strings.Contains(a.body, "<script") || strings.Contains(a.body, "onmouseover") {
			t.Errorf("%s: %s", to, a)
		}
	}
}

func TestT31ManyAtOnceAreNotMixedUp(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_PASSWORD_HASH_QUEUE", "1000"))
	const people = 60
	emails := make([]string, people)
	for i := range emails {
		emails[i] = d.signUp(t, fields{"password": rightPassword + strconv.Itoa(i)})
	}
	ids := value[map[string]string](t, d, `select jsonb_object_agg(email, id) from auth.users`)
	_, err := parallel(people, func(i int) (struct{}, error) {
		for range 3 {
			r, err := send(t.Context(), d.House, "POST", "/signin/email-password", fields{"email": emails[i], "password": rightPassword + strconv.Itoa(i)}, home())
			if err != nil || r.status != 200 {
				return struct{}{}, fmt.Errorf("%s: %w", r, err)
			}
			_, payload := tokenParts(t, r.session.AccessToken)
			if payload["sub"] != ids[emails[i]] || r.session.User.Email != emails[i] || payload["session_id"] != r.session.RefreshTokenID {
				return struct{}{}, fmt.Errorf("%s got the session of %s", emails[i], r.session.User.Email)
			}
			u, err := send(t.Context(), d.House, "GET", "/user", nil, home(), "Authorization", "Bearer "+r.session.AccessToken)
			if err != nil || !strings.Contains(u.body, emails[i]) {
				return struct{}{}, fmt.Errorf("%s is told of %s: %w", emails[i], u, err)
			}
		}
		return struct{}{}, nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestT32PKCEIsNotDowngraded(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	verifier, challenge := testhouse.Verifier()
	otherVerifier, otherChallenge := testhouse.Verifier()
	withChallenge := func(link, challenge string) string {
		u, err := url.Parse(link)
		if err != nil {
			t.Fatal(err)
		}
		q := u.Query()
		q.Del("codeChallenge")
		if challenge != "" {
			q.Set("codeChallenge", challenge)
		}
		return u.Path + "?" + q.Encode()
	}
	for _, k := range linkKinds() {
		t.Run(k.template, func(t *testing.T) {
			email, to := k.get(t, d, "", challenge)
			link := pathOf(t, d.mail(t, to, k.template, 1))
			for name, at := range map[string]string{"as mailed": link, "left out": withChallenge(link, ""), "empty": link + "&x=" /* the mailed one stays */} {
				for _, method := range []string{"GET", "POST"} {
					_, q := d.knock(t, method, at, nil).redirect(t, map[string]int{"GET": 302, "POST": 303}[method])
					if q.Get("code") == "" || q.Has("refreshToken") {
						t.Errorf("challenge %s: the link leads to %v", name, q)
					}
				}
			}
			for name, c := range map[string]string{"another": otherChallenge, "plain": verifier[:43], "the verifier": otherVerifier[:43]} {
				d.ask(t, "GET", withChallenge(link, c), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
				d.ask(t, "POST", withChallenge(link, c), nil).redirectsWith(t, 303, clientURL, "invalid-ticket")
				_ = name
			}
			_, q := d.ask(t, "GET", link, nil).redirect(t, 302)
			code := q.Get("code")
			for name, v := range map[string]string{"another": otherVerifier, "the challenge": challenge, "half": verifier[:43], "in capitals": strings.ToUpper(verifier)} {
				if a := d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": v}); a.status != 400 {
					t.Errorf("verifier %s: %s", name, a)
				}
			}
			d.knock(t, "POST", "/token/exchange", fields{"code": code}).invalid(t, "codeVerifier")
			d.knock(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": ""}).invalid(t, "codeVerifier")
			d.knock(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier, "codeChallengeMethod": "plain"}).invalid(t, "codeChallengeMethod")
			d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}).session(t)

			// A link without PKCE does not take a challenge that somebody adds to it.
			_, to = k.get(t, d, "", "")
			plain := pathOf(t, d.mail(t, to, k.template, 1))
			d.ask(t, "GET", withChallenge(plain, challenge), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
			_, q = d.ask(t, "GET", plain, nil).redirect(t, 302)
			if q.Get("refreshToken") == "" {
				t.Errorf("without PKCE the link leads to %v", q)
			}
			_ = email
		})
	}
}

func TestT35CorruptHeadersOpenNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	before := d.state(t)
	for _, name := range []string{"Cookie", "Accept", "Accept-Language", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "X-Forwarded-For", "X-Request-Id", "User-Agent", "Origin", "If-None-Match", "Range", "Expect", "Upgrade", "TE", "Connection", "Sec-Purpose", "Host"} {
		for _, v := range []string{"", "\x00", "\xff\xfe", ",,,,", ";;;;", "=", "%00", strings.Repeat("a", 16<<10), strings.Repeat("a=b;", 4<<10), "../../etc/passwd", "-1", "NaN", "bytes=0-18446744073709551616", "100-continue", `"`, "\u202e", "Bearer " + p.AccessToken} {
			set := func(r *http.Request) { r.Header[name] = []string{v} }
			a := d.bare(t, "GET", "/user", nil, set)
			a.refused(t, 401, "unauthorized", "")
			if b := d.bare(t, "POST", "/user/password", fields{"newPassword": "of a stranger"}, set); b.status < 400 || b.status >= 500 {
				t.Errorf("%s: %q: %s", name, short(v), b)
			}
			if name == "X-Request-Id" && a.header.Get(name) == v && !regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`).MatchString(v) {
				t.Errorf("the request id %q came back", v)
			}
		}
	}
	d.sameState(t, before, "corrupt headers")
}

func TestT38ParametersTwiceAreRefused(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	m := d.mail(t, d.signUp(t, nil), "email-verify", 1)
	good := url.Values{"ticket": {m.Ticket}, "redirectTo": {clientURL}, "type": {"emailVerify"}}
	before := d.state(t)
	for name := range good {
		for _, second := range []string{good.Get(name), "https://evil.example", ""} {
			for _, method := range []string{"GET", "POST"} {
				d.knock(t, method, "/verify?"+good.Encode()+"&"+url.Values{name: {second}}.Encode(), nil).invalid(t, name)
				d.knock(t, method, "/verify?"+url.Values{name: {second}}.Encode()+"&"+good.Encode(), nil).invalid(t, name)
				d.knock(t, method, "/verify?"+good.Encode()+"&%"+fmt.Sprintf("%02x", name[0])+name[1:]+"="+url.QueryEscape(second), nil).invalid(t, name)
			}
		}
	}
	// A body of the form is not read: what it says counts for nothing.
	a := d.bare(t, "POST", "/verify?"+url.Values{"ticket": {"verifyEmail:x"}, "redirectTo": {clientURL}}.Encode(), good.Encode(), func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") })
	a.redirectsWith(t, 303, clientURL, "invalid-ticket")
	d.sameState(t, before, "parameters twice")
}

func TestT39AuthorizationHasOneSpelling(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p, other := d.person(t), d.person(t)
	good := p.AccessToken
	one := func(values ...string) with {
		return func(r *http.Request) { r.Header["Authorization"] = values }
	}
	variants := []with{
		one(""), one(" "), one("Bearer"), one("Bearer "), one("Bearer  "), one(good), one(" " + good), one("bearer " + good), one("BEARER " + good), one("BeArEr " + good), one("Bearer" + good),
		one("Bearer  " + good), one("Bearer\t" + good), one("Bearer\n" + good), one("Bearer\r\n" + good), one("Bearer\u00a0" + good), one("Bearer " + good + " "), one(" Bearer " + good), one("\tBearer " + good),
		one("Bearer " + good + "\x00"), one("Bearer " + good + "\n"), one("Bearer " + good + ","), one("Bearer " + good + ", Bearer " + good), one("Bearer " + good + " " + good), one("Bearer " + good + ";"),
		one("Bearer=" + good), one("Bearer:" + good), one("Bearer," + good), one("Bearer \"" + good + "\""), one("Bearer '" + good + "'"), one("Bearer <" + good + ">"), one("Bearer token=" + good), one("Bearer Bearer " + good),
		one("Token " + good), one("JWT " + good), one("Basic " + good), one("Basic " + base64.StdEncoding.EncodeToString([]byte(p.email+":"+p.password))), one("Basic Og=="), one("Digest username=\"x\""), one("Negotiate " + good),
		one("DPoP " + good), one("MAC " + good), one("null"), one("undefined"), one("Bearer null"), one("Bearer undefined"), one("Bearer [object Object]"), one("Bearer " + good[:len(good)-1]), one("Bearer " + good + "A"),
		one("Bearer "+good, "Bearer "+good), one("Bearer "+good, "Bearer "+other.AccessToken), one("", "Bearer "+good), one("Bearer "+good, ""), one("Basic x", "Bearer "+good), one("Bearer " + strings.Repeat("a", 16<<10)), one("Bearer " + strings.Repeat(".", 1_000_000)),
		one("Вearer " + good), one("Ｂearer " + good), one("Bearer\u200b " + good), one("Bearer " + strings.ToUpper(good)), one("Bearer " + base64.StdEncoding.EncodeToString([]byte(good))), one("Bearer " + url.QueryEscape(good+" ")),
		one("Bearer " + strings.ReplaceAll(good, ".", "%2e")), one("Bearer " + good + "=="), one("Bearer " + p.RefreshToken), one("Bearer " + p.RefreshTokenID), one("bearer: " + good), one("Authorization: Bearer " + good),
		func(r *http.Request) { r.Header["authorization"] = []string{"Bearer " + good} }, // HTTP/2 spells it so, but net/http canonicalises before us
		func(r *http.Request) { r.Header["Proxy-Authorization"] = []string{"Bearer " + good} },
	}
	if len(variants) < 60 {
		t.Fatalf("only %d variants", len(variants))
	}
	for i, v := range variants {
		a := d.bare(t, "GET", "/user", nil, v)
		if a.status != 401 {
			t.Errorf("variant %d: %s", i, a)
			continue
		}
		a.refused(t, 401, "unauthorized", "")
		if a.header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("variant %d: WWW-Authenticate %q", i, a.header.Get("WWW-Authenticate"))
		}
		// Where a bearer is optional a bad one is none, and never half of one.
		d.bare(t, "POST", "/signout", fields{"all": true}, v).invalid(t, "Authorization")
		d.bare(t, "POST", "/token/verify", nil, v).refused(t, 400, "invalid-request", "")
		d.bare(t, "POST", "/user/password", fields{"newPassword": "of a stranger"}, v).refused(t, 401, "unauthorized", "")
	}
	d.ask(t, "GET", "/user", nil, bearer(good)).is(t, 200, "")
}

func TestT40OneClientIsOneBucket(t *testing.T) {
	t.Parallel()
	for name, addresses := range map[string][]string{
		"a rotating /64":   {"[2001:db8:1:2::1]:1", "[2001:db8:1:2::2]:2", "[2001:db8:1:2:ffff::3]:3", "[2001:0db8:0001:0002:0:0:0:4]:4", "[2001:DB8:1:2:a:b:c:d]:5", "[2001:db8:1:2::5%eth0]:6"},
		"v4 in v6 clothes": {"198.51.100.7:1", "[::ffff:198.51.100.7]:2", "[::ffff:c633:6407]:3", "198.51.100.7:4", "[::FFFF:198.51.100.7]:5", "198.51.100.7:65535"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, limited())
			for i, address := range addresses {
				a := d.ask(t, "POST", "/signin/email-password", fields{"email": newAddress(), "password": "wrong password"}, peer(address))
				if i < 5 {
					a.refused(t, 401, "invalid-email-password", "")
				} else {
					a.refused(t, 429, "too-many-requests", "")
				}
			}
			d.ask(t, "POST", "/signin/email-password", fields{"email": newAddress(), "password": "wrong password"}, peer("[2001:db8:1:3::1]:1")).refused(t, 401, "invalid-email-password", "")
		})
	}
}

func TestT41EmailChangeStateMachine(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	change := func(t *testing.T, p person, to string) string {
		t.Helper()
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": to}, bearer(p.AccessToken)).ok(t)
		return pathOf(t, d.mail(t, to, "email-confirm-change", 1))
	}

	t.Run("a typo takes nothing", func(t *testing.T) {
		p := d.person(t)
		typo := newAddress()
		first := change(t, p, typo)
		second := change(t, p, newAddress()) // the person notices
		d.ask(t, "GET", first, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		d.ask(t, "POST", first, nil).redirectsWith(t, 303, clientURL, "invalid-ticket")
		if _, q := d.ask(t, "GET", second, nil).redirect(t, 302); q.Get("refreshToken") == "" {
			t.Errorf("the second link leads to %v", q)
		}
		d.ask(t, "GET", first, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		d.signUp(t, fields{"email": typo}) // its owner may have it
	})

	t.Run("what proved the old address proves nothing after the change", func(t *testing.T) {
		email := d.signUp(t, nil)
		verifyOld := pathOf(t, d.mail(t, email, "email-verify", 1))
		d.sql(t, `update auth.users set email_verified = true where email = $1`, email)
		p := person{d.signIn(t, email, rightPassword), email, rightPassword}
		d.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
		reset := d.mail(t, email, "password-reset", 1)
		to := newAddress()
		d.ask(t, "GET", change(t, p, to), nil).redirect(t, 302)
		for _, link := range []string{verifyOld, pathOf(t, reset)} {
			d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
		}
		d.ask(t, "POST", "/user/password", fields{"newPassword": "of the old mailbox", "ticket": reset.Ticket}).refused(t, 401, "invalid-ticket", "")
		d.signIn(t, to, rightPassword)
	})

	t.Run("two people want one address", func(t *testing.T) {
		p, q := d.person(t), d.person(t)
		to := newAddress()
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": to}, bearer(p.AccessToken)).ok(t)
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": strings.ToUpper(to)}, bearer(q.AccessToken)).ok(t)
		links := []string{pathOf(t, d.mail(t, to, "email-confirm-change", 1)), pathOf(t, d.mail(t, to, "email-confirm-change", 2))}
		d.ask(t, "GET", links[0], nil).redirect(t, 302)
		d.ask(t, "GET", links[1], nil).redirectsWith(t, 302, clientURL, "email-already-in-use")
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, to); n != 1 {
			t.Errorf("%d users have the address", n)
		}
	})

	t.Run("the link signs in its own user alone", func(t *testing.T) {
		p, q := d.person(t), d.person(t)
		link := change(t, p, newAddress())
		_, query := d.ask(t, "GET", link, nil, bearer(q.AccessToken)).redirect(t, 302)
		if s := d.ask(t, "POST", "/token", fields{"refreshToken": query.Get("refreshToken")}).session(t); s.User.ID != p.User.ID {
			t.Errorf("the link signed %s in", s.User.Email)
		}
	})

	t.Run("a disabled user changes nothing", func(t *testing.T) {
		p := d.person(t)
		link := change(t, p, newAddress())
		d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
		d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "disabled-user")
	})
}

func TestT44BombsAreRefusedBeforeAnythingElse(t *testing.T) {
	t.Parallel()
	d := openDoor(t, limited("AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "1000"))
	for _, bomb := range []string{
		strings.Repeat("[", 1<<20-1), strings.Repeat(`{"a":`, 200_000), `{"email":"` + strings.Repeat("a", 1<<20), `{"email":` + strings.Repeat("9", 1<<19) + `}`,
		`{` + strings.Repeat(`"email":"a@b.io",`, 50_000) + `"password":"x"}`, `{"email":"` + strings.Repeat(`\u0061`, 100_000) + `"}`, `{"email":"` + strings.Repeat(`\"`, 300_000) + `"}`,
	} {
		began := time.Now()
		d.knock(t, "POST", "/signin/email-password", bomb).refusal(t)
		if took := time.Since(began); took > 5*time.Second { // some ten milliseconds on an idle machine
			t.Errorf("refusing %s took %v", short(bomb), took)
		}
	}
	if n := value[int](t, d, `select count(*) from auth.security_counters`); n != 0 {
		t.Errorf("%d counters were touched by bodies that are none", n)
	}
}

func TestT46AddressesWithSeveralAts(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified("AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS", "good.example", "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS", "evil.example"))
	before := d.state(t)
	for _, address := range []string{
		"a@evil.example@good.example", "a@good.example@evil.example", `"a@good.example"@evil.example`, `"a@evil.example"@good.example`, "a@evil.example(@good.example", "a@good.example\x00@evil.example",
		"a@[good.example]", "a@good.example,b@evil.example", "a@good.example b@evil.example", "<a@good.example>", "a@good.example>", "a@@good.example", "a@good.example@", "@a@good.example", "a%evil.example@good.example@x.io",
		"a＠evil.example@good.example", "a@evil.example＠good.example", "a@good.example\r\n@evil.example", "a@good.example;@evil.example", "a@evil.example#@good.example", "a@evil.example?@good.example", "a@evil.example/@good.example",
	} {
		d.knock(t, "POST", "/signup/email-password", fields{"email": address, "password": rightPassword}).invalid(t, "email")
	}
	for _, address := range []string{"a@evil.example", "a@sub.good.example", "a@good.example.evil.example", "a@goodexample.io", "a@xgood.example", "evil.example@other.example"} {
		d.ask(t, "POST", "/signup/email-password", fields{"email": address, "password": rightPassword}).refused(t, 401, "invalid-email-password", "")
	}
	d.sameState(t, before, "addresses that pass for others")
	d.ask(t, "POST", "/signup/email-password", fields{"email": "evil.example@good.example", "password": rightPassword}).session(t)
}

// TestT47ForgedTokensAtTheDoor signs what an attacker can sign, and a few things only the house could.
func TestT47ForgedTokensAtTheDoor(t *testing.T) {
	t.Parallel()
	key := strings.Repeat("test-key-", 8)
	d := openDoor(t, nil)
	p, other := d.person(t), d.person(t)
	head, payload := tokenParts(t, p.AccessToken)
	enc := func(v any) string {
		raw, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return base64.RawURLEncoding.EncodeToString(raw)
	}
	sign := func(head, payload any) string {
		unsigned := enc(head) + "." + enc(payload)
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(unsigned))
		return unsigned + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}
	merge := func(base map[string]any, name string, v any) map[string]any {
		m := maps.Clone(base)
		m[name] = v
		if v == nil {
			delete(m, name)
		}
		return m
	}
	if a := d.ask(t, "GET", "/user", nil, bearer(sign(head, payload))); a.status != 200 {
		t.Fatalf("the test signs badly: %s", a) // else everything below would be refused for nothing
	}
	const ns = "https://hasura.io/jwt/claims"
	claims, _ := payload[ns].(map[string]any)
	now := d.Clock.Now().Unix()
	parts := strings.Split(p.AccessToken, ".")
	unsigned := parts[0] + "." + parts[1]
	forged := map[string]string{
		"empty": "", "no signature": unsigned + ".", "two parts": unsigned, "four parts": p.AccessToken + ".x", "five parts": "a.b.c.d.e", "only dots": "..", "a million dots": strings.Repeat(".", 1_000_000),
		"a zero signature": unsigned + "." + base64.RawURLEncoding.EncodeToString(make([]byte, 32)), "half a signature": p.AccessToken[:len(p.AccessToken)-20], "padding": p.AccessToken + "=",
		"another payload": parts[0] + "." + enc(merge(payload, "sub", other.User.ID)) + "." + parts[2], "nested": sign(head, map[string]any{"token": p.AccessToken}),
		"payload a list": sign(head, []any{payload}), "payload null": sign(head, nil), "payload text": sign(head, "x"), "header a list": sign([]any{head}, payload),
	}
	for _, alg := range []any{"none", "None", "NONE", "nOnE", "", nil, "HS512", "HS384", "RS256", "ES256", "hs256", "HS256 ", []string{"HS256"}, 256, true, "PS256", "EdDSA", "dir"} {
		h := merge(head, "alg", alg)
		forged[fmt.Sprintf("alg %v", alg)] = sign(h, payload)
		forged[fmt.Sprintf("alg %v unsigned", alg)] = enc(h) + "." + parts[1] + "."
	}
	for name, v := range map[string]any{"crit": []string{"exp"}, "b64": false, "zip": "DEF", "enc": "A256GCM", "cty": "JWT", "typ": "at+jwt"} {
		forged["header "+name] = sign(merge(head, name, v), payload)
	}
	forged["typ of another purpose"] = sign(merge(head, "typ", "postern-state+jwt"), payload)
	forged["header twice"] = func() string {
		raw := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","alg":"HS256","typ":"JWT"}`)) + "." + parts[1]
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(raw))
		return raw + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
	}()
	for name, c := range map[string]struct {
		claim string
		v     any
	}{
		"expired": {"exp", now}, "long expired": {"exp", 1}, "no exp": {"exp", nil}, "exp text": {"exp", strconv.FormatInt(now+100, 10)}, "exp float": {"exp", float64(now) + 100.5}, "exp huge": {"exp", 1e18}, "exp negative": {"exp", -1},
		"from the future": {"iat", now + 60}, "not yet": {"nbf", now + 60}, "iat text": {"iat", "x"}, "another issuer": {"iss", "evil"}, "no issuer": {"iss", nil}, "issuer list": {"iss", []string{"hasura-auth"}},
		"an audience": {"aud", "somebody else"}, "an audience list": {"aud", []string{"a", "b"}}, "no sub": {"sub", nil}, "sub number": {"sub", 1}, "sub not a uuid": {"sub", "admin"}, "sub of another": {"sub", other.User.ID},
		"sub SQL": {"sub", "' or 1=1; --"}, "sub capitals": {"sub", strings.ToUpper(p.User.ID)}, "session not a uuid": {"session_id", "x"}, "session number": {"session_id", 1}, "session of another": {"session_id", other.RefreshTokenID},
		"an unknown session": {"session_id", tokens.NewUUID()}, "an empty session": {"session_id", ""}, "no claims": {ns, nil}, "claims text": {ns, "x"}, "claims list": {ns, []any{}}, "claims empty": {ns, map[string]any{}},
		"user id of another": {ns, merge(claims, "x-hasura-user-id", other.User.ID)}, "no user id": {ns, merge(claims, "x-hasura-user-id", nil)}, "no roles": {ns, merge(claims, "x-hasura-allowed-roles", nil)},
		"roles text": {ns, merge(claims, "x-hasura-allowed-roles", "admin")}, "no default role": {ns, merge(claims, "x-hasura-default-role", nil)}, "anonymous bool": {ns, merge(claims, "x-hasura-user-is-anonymous", true)},
	} {
		forged[name] = sign(head, merge(payload, c.claim, c.v))
	}
	if len(forged) < 60 {
		t.Fatalf("only %d forgeries", len(forged))
	}
	before := d.state(t)
	for name, token := range forged {
		if a := d.bare(t, "GET", "/user", nil, bearer(token)); a.status != 401 {
			t.Errorf("%s: %s", name, a)
		}
		if a := d.bare(t, "POST", "/user/password", fields{"newPassword": "of a stranger"}, bearer(token)); a.status != 401 {
			t.Errorf("%s at /user/password: %s", name, a)
		}
		if a := d.bare(t, "POST", "/token/verify", fields{"token": token}); a.status != 400 && !strings.Contains(name, "session") {
			t.Errorf("%s at /token/verify: %s", name, a)
		}
	}
	d.sameState(t, before, "forged tokens")

	// Headers that name keys are not looked at, so nothing is fetched and nothing believed.
	for name, v := range map[string]any{"jku": "https://evil.example/jwks", "x5u": "https://evil.example/cert", "jwk": map[string]any{"kty": "oct", "k": "eA"}, "kid": "../../../../dev/null", "x5c": []string{"x"}} {
		d.ask(t, "GET", "/user", nil, bearer(sign(merge(head, name, v), payload))).is(t, 200, "")
	}
	// A token of an older server has no session: it lives until it expires.
	d.ask(t, "GET", "/user", nil, bearer(sign(head, merge(payload, "session_id", nil)))).is(t, 200, "")
}

func TestH14GuessesFindNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, limited("AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "30"))
	p := d.person(t)
	d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
	ticket := d.mail(t, p.email, "password-reset", 1).Ticket
	refused := 0
	for i := range 400 {
		guess := ticket[:len(ticket)-4] + fmt.Sprintf("%04x", i)
		if guess == ticket {
			continue
		}
		a := d.ask(t, "POST", "/user/password", fields{"newPassword": rightPassword, "ticket": guess})
		switch a.status {
		case 401:
			a.refused(t, 401, "invalid-ticket", "Invalid ticket")
		case 429:
			refused++
		default:
			t.Fatalf("%s", a)
		}
	}
	if refused != 100 && refused != 99 {
		t.Errorf("%d of 400 guesses were over the limit of 300", refused)
	}
	// Unknown, used and expired are one answer.
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}, peer("198.51.100.1:1")).ok(t)
	a := d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": ticket}, peer("198.51.100.1:1"))
	b := d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password", "ticket": "passwordReset:" + tokens.NewUUID()}, peer("198.51.100.1:1"))
	if a.body != b.body || a.status != b.status || len(a.header) != len(b.header) {
		t.Errorf("%s, but %s", a, b)
	}
}

// TestH21NothingTellsWhoExists compares what known and unknown addresses are answered, and what the
// limits make of them.
func TestH21NothingTellsWhoExists(t *testing.T) {
	t.Parallel()
	d := openDoor(t, limited("AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "8", "AUTH_RATE_LIMIT_EMAIL_BURST", "4"))
	p := d.person(t)
	run := func(email, from string) []string {
		var seen []string
		for range 12 {
			a := d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": "wrong password"}, peer(from), header("X-Request-Id", "same"))
			seen = append(seen, fmt.Sprint(a.status, a.body, len(a.header)))
		}
		for range 6 {
			a := d.ask(t, "POST", "/user/password/reset", fields{"email": email}, peer(from), header("X-Request-Id", "same"))
			seen = append(seen, fmt.Sprint(a.status, a.body, len(a.header)))
		}
		return seen
	}
	known, unknown := run(p.email, "198.51.100.1:1"), run(newAddress(), "203.0.113.1:1")
	if !slices.Equal(known, unknown) {
		t.Errorf("known: %v\nunknown: %v", known, unknown)
	}
}

// TestT45NoSecretIsWrittenDown drives every flow with secrets that are easy to find, and looks for
// them in the log, in the answers that should not have them, and in every column of every table:
// as they are, in base64 and in hexadecimal.
func TestT45NoSecretIsWrittenDown(t *testing.T) {
	t.Parallel()
	const jwtKey, encryptionKey, smtpPassword = "jwt-c4n4ry-key-of-more-than-thirty-two-bytes-1234567890", "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee11", "smtp-c4n4ry-password"
	d := openDoor(t, map[string]string{
		"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + jwtKey + `"}`, "AUTH_ENCRYPTION_KEY": encryptionKey, "AUTH_SMTP_PASS": smtpPassword, "AUTH_DEBUG": "true",
		"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_GLOBAL_BURST": "100000", "AUTH_RATE_LIMIT_SIGNUPS_BURST": "1000", "AUTH_RATE_LIMIT_EMAIL_BURST": "1000",
	})
	secrets := map[string]string{"the JWT key": jwtKey, "the encryption key": encryptionKey, "the mail password": smtpPassword}
	note := func(name, secret string) string {
		if secret == "" {
			t.Fatalf("%s is empty", name)
		}
		secrets[name] = secret
		return secret
	}
	session := func(name string, s wireSession) {
		note("the refresh token of "+name, s.RefreshToken)
		note("the access token of "+name, s.AccessToken)
	}
	passwords := 0
	password := func() string {
		passwords++
		return note(fmt.Sprintf("password %d", passwords), fmt.Sprintf("password-c4n4ry-%d-%s", passwords, tokens.NewUUID()))
	}
	var refusals []answer // none of which may have a secret in it

	for _, pkce := range []bool{false, true} {
		name := fmt.Sprintf("pkce %v ", pkce)
		verifier, challenge := testhouse.Verifier()
		note(name+"verifier", verifier)
		more := func(body fields) fields {
			if pkce {
				body["codeChallenge"] = challenge
			}
			return body
		}
		open := func(what string, m struct{ ticket, link string }) wireSession {
			note(name+what+" ticket", strings.SplitN(m.ticket, ":", 2)[1])
			note(name+what+" whole ticket", m.ticket)
			_, q := d.ask(t, "GET", m.link, nil).redirect(t, 302)
			if !pkce {
				s := d.ask(t, "POST", "/token", fields{"refreshToken": note(name+what+" first refresh token", q.Get("refreshToken"))}).session(t)
				session(name+what, s.wireSession)
				refusals = append(refusals, d.ask(t, "GET", m.link, nil))
				return s.wireSession
			}
			code := note(name+what+" code", q.Get("code"))
			wrong, _ := testhouse.Verifier()
			refusals = append(refusals, d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": wrong}))
			s := d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}).session(t)
			session(name+what, s.wireSession)
			refusals = append(refusals, d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}))
			return s.wireSession
		}
		mailed := func(to, template string, n int) struct{ ticket, link string } {
			m := d.mail(t, to, template, n)
			return struct{ ticket, link string }{m.Ticket, pathOf(t, m)}
		}

		email, first := newAddress(), password()
		d.ask(t, "POST", "/signup/email-password", more(fields{"email": email, "password": first})).is(t, 200, "{}")
		refusals = append(refusals, d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": password()}),
			d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": first}))
		d.ask(t, "POST", "/user/email/send-verification-email", more(fields{"email": email})).ok(t)
		mailed(email, "email-verify", 2)
		open("sign-up", mailed(email, "email-verify", 1))
		refusals = append(refusals, d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password()}),
			d.knock(t, "POST", "/signin/email-password", fields{"email": email, "password": first, "more": password()}),
			d.knock(t, "POST", "/signin/email-password", `{"email":"`+email+`","password":"`+password()+`"`))
		s := d.signIn(t, email, first)
		session(name+"sign-in", s.wireSession)
		refusals = append(refusals, d.ask(t, "POST", "/token/verify", fields{"token": s.AccessToken + "x"}), d.ask(t, "GET", "/user", nil, bearer(s.AccessToken[:40])))
		next := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
		session(name+"refresh", next.wireSession)

		to := newAddress()
		d.ask(t, "POST", "/user/email/change", more(fields{"newEmail": to}), bearer(next.AccessToken)).ok(t)
		open("change", mailed(to, "email-confirm-change", 1))
		d.ask(t, "POST", "/user/password/reset", more(fields{"email": to})).ok(t)
		s2 := open("reset", mailed(to, "password-reset", 1))
		d.ask(t, "POST", "/user/password/reset", fields{"email": to}).ok(t)
		ticket := note(name+"second reset ticket", mailed(to, "password-reset", 2).ticket)
		refusals = append(refusals, d.ask(t, "POST", "/user/password", fields{"newPassword": "short", "ticket": ticket}))
		d.ask(t, "POST", "/user/password", fields{"newPassword": password()}, bearer(s2.AccessToken)).ok(t)
		refusals = append(refusals, d.ask(t, "POST", "/user/password", fields{"newPassword": password(), "ticket": ticket}))
		last := password()
		d.ask(t, "POST", "/user/password/reset", fields{"email": to}).ok(t)
		d.ask(t, "POST", "/user/password", fields{"newPassword": last, "ticket": note(name+"third reset ticket", mailed(to, "password-reset", 3).ticket)}).ok(t)
		end := d.signIn(t, to, last)
		session(name+"last", end.wireSession)
		// A replay from elsewhere, a sign-out, and a token that leaks into an address.
		old := d.ask(t, "POST", "/token", fields{"refreshToken": end.RefreshToken}).session(t)
		session(name+"old", old.wireSession)
		d.Clock.Advance(time.Hour)
		again := d.ask(t, "POST", "/token", fields{"refreshToken": old.RefreshToken}, peer("203.0.113.9:1")).session(t)
		session(name+"again", again.wireSession)
		refusals = append(refusals, d.ask(t, "POST", "/token", fields{"refreshToken": end.RefreshToken}, peer("198.51.100.9:1")))
		refusals = append(refusals, d.knock(t, "GET", "/user?access_token="+again.AccessToken, nil), d.knock(t, "POST", "/token?refreshToken="+again.RefreshToken, nil))
		d.ask(t, "POST", "/signout", fields{"refreshToken": again.RefreshToken}).ok(t)
	}
	// A mail that waits in the queue is the one place where a ticket must be kept: sealed.
	d.Mail.FailAlways(mailIsDown())
	waiting := d.signUp(t, nil)
	d.Mail.WaitAttempts(t, 1)
	var job struct{ Sealed []byte }
	raw := value[string](t, d, `select args::text from postern_river.river_job where kind = 'postern_mail' and state <> 'completed' order by id desc limit 1`)
	if err := json.Unmarshal([]byte(raw), &job); err != nil || len(job.Sealed) == 0 {
		t.Fatalf("the job is %s: %v", raw, err)
	}
	plain, err := d.Kit.Keys.Open(store.MailSeal, job.Sealed)
	if err != nil || !bytes.Contains(plain, []byte(waiting)) {
		t.Fatalf("the seal does not open: %v", err)
	}
	note("the ticket of a mail that waits", regexp.MustCompile(`verifyEmail:([0-9a-f-]{36})`).FindStringSubmatch(string(plain))[1])
	if strings.Contains(raw, waiting) {
		t.Error("the queue tells who is waiting for a mail")
	}

	look := func(where, text string) {
		t.Helper()
		for name, secret := range secrets {
			for spelling, s := range spellings(secret) {
				if strings.Contains(text, s) {
					t.Errorf("%s stands in %s (%s)", name, where, spelling)
				}
			}
		}
	}
	look("the log", d.Log.String())
	for _, a := range refusals {
		look(a.request, a.body+fmt.Sprint(a.header))
	}
	tables := value[[]string](t, d, `select array_agg(table_schema || '.' || table_name) from information_schema.tables where table_schema in ('auth', 'postern_river', 'public') and table_type = 'BASE TABLE'`)
	if len(tables) < 15 {
		t.Fatalf("only the tables %v", tables)
	}
	for _, table := range tables {
		look(table, value[string](t, d, `select coalesce(string_agg(x::text, E'\n'), '') from `+table+` x`))
	}
	if !slices.ContainsFunc(tables, func(s string) bool { return strings.Contains(s, "river_job") }) {
		t.Error("the queue was not searched")
	}
	// The search finds what is there.
	found := t.Failed()
	probe := value[string](t, d, `select string_agg(x::text, E'\n') from auth.users x`)
	if !found && !strings.Contains(probe, waiting) {
		t.Error("the search would find nothing")
	}
}

// spellings are the ways in which a secret may stand somewhere.
func spellings(secret string) map[string]string {
	list := map[string]string{
		"as it is": secret, "in hexadecimal": hex.EncodeToString([]byte(secret)), "escaped": url.QueryEscape(secret),
		"without dashes": strings.ReplaceAll(secret, "-", ""),
	}
	// In base64 a text looks different at each of three offsets: what is common to all of them is compared.
	for offset := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
		list[fmt.Sprintf("in base64, offset %d", offset)] = text[(offset*8+5)/6 : len(text)-2]
		text = base64.RawURLEncoding.EncodeToString([]byte(strings.Repeat("x", offset) + secret))
		list[fmt.Sprintf("in base64url, offset %d", offset)] = text[(offset*8+5)/6 : len(text)-2]
	}
	return list
}

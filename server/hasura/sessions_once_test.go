package hasura_test

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/tokens"
)

// crowdSize is how many come at once for one secret.
const crowdSize = 64

// openMailTwins opens replicas that ask for a verified address.
func openMailTwins(t *testing.T) twins {
	t.Helper()
	return openTwins(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})
}

// invite signs somebody up who must confirm, and gives address and link.
func invite(t *testing.T, h *testhouse.House, more fields) (address, link string) {
	t.Helper()
	address = newAddress()
	body := fields{"email": address, "password": rightPassword}
	for name, value := range more {
		body[name] = value
	}
	if r := must(t, h, "POST", "/signup/email-password", body, home()); r.status != 200 || r.session.RefreshToken != "" {
		t.Fatal(r)
	}
	return address, linkOf(t, h, address, 1)
}

// opened reads what the redirect of a link carries.
func opened(t *testing.T, r reply) url.Values {
	t.Helper()
	u, err := url.Parse(r.header.Get("Location"))
	if err != nil || r.status != 302 {
		t.Fatalf("%s, Location %q", r, r.header.Get("Location"))
	}
	return u.Query()
}

// codeOf opens a link that was asked for with PKCE and gives the code.
func codeOf(t *testing.T, h *testhouse.House, link string) string {
	t.Helper()
	q := opened(t, must(t, h, "GET", link, nil, away()))
	if q.Get("code") == "" || q.Get("refreshToken") != "" {
		t.Fatalf("redirected with %v", q)
	}
	return q.Get("code")
}

// sessionsOf counts a user's sessions and the audit rows that tell of them.
func sessionsOf(t *testing.T, h *testhouse.House, address string) (rows, told int) {
	t.Helper()
	rows = scan[int](t, h, `select count(*) from auth.refresh_tokens t join auth.users u on u.id = t.user_id where u.email = $1`, address)
	told = scan[int](t, h, `select count(*) from auth.audit_entries a join auth.users u on u.id = a.user_id where u.email = $1 and a.event = 'session.started'`, address)
	return rows, told
}

// TestT09OneTimeSecretsWorkOnce lets a crowd come for each kind of one-time secret, half of it at
// another replica: one of them has it.
func TestT09OneTimeSecretsWorkOnce(t *testing.T) {
	t.Parallel()
	w := openMailTwins(t)
	for range max(rounds(t, 1)/1000, 1) {
		comeAtOnce(t, w)
	}
}

func comeAtOnce(t *testing.T, w twins) {
	t.Helper()
	replicas := []*testhouse.House{w.a, w.b}

	// race sends the same request, or a row of them, from everybody at once and counts those who won.
	race := func(t *testing.T, method string, path func(i int) string, body func(i int) any, won func(reply) bool, lost string) (winner int) {
		t.Helper()
		answers, err := parallel(crowdSize, func(i int) (reply, error) {
			return send(t.Context(), replicas[i%2], method, path(i), body(i), elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		winners := 0
		for i, r := range answers {
			switch {
			case won(r):
				winners++
				winner = i
			case r.status >= 500 || r.refusal != lost && opened(t, r).Get("error") != lost:
				t.Errorf("number %d: %s, %v", i, r, r.header["Location"])
			}
		}
		if winners != 1 {
			t.Fatalf("%d of %d had it", winners, crowdSize)
		}
		return winner
	}
	same := func(path string) func(int) string { return func(int) string { return path } }
	nothing := func(int) any { return nil }
	isIn := func(r reply) bool { return strings.Contains(r.header.Get("Location"), "refreshToken=") }
	hasSession := func(r reply) bool { return r.status == 200 && r.session.RefreshToken != "" }
	isOK := func(r reply) bool { return r.status == 200 }

	t.Run("link of a verification mail", func(t *testing.T) {
		address, link := invite(t, w.a, nil)
		race(t, "GET", same(link), nothing, isIn, "invalid-ticket")
		if rows, told := sessionsOf(t, w.a, address); rows != 1 || told != 1 {
			t.Errorf("%d sessions, %d audit rows", rows, told)
		}
		if n := scan[int](t, w.a, `select count(*) from auth.audit_entries a join auth.users u on u.id = a.user_id where u.email = $1 and event = 'user.confirmed'`, address); n != 1 {
			t.Errorf("confirmed %d times", n)
		}
	})
	t.Run("link of a change of address", func(t *testing.T) {
		address, link := invite(t, w.a, nil)
		token := opened(t, must(t, w.a, "GET", link, nil, home())).Get("refreshToken")
		s := refresh(t, w.a, token, home()).session
		to := newAddress()
		if r := must(t, w.a, "POST", "/user/email/change", fields{"newEmail": to}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 200 {
			t.Fatal(r)
		}
		race(t, "GET", same(linkOf(t, w.a, to, 1)), nothing, isIn, "invalid-ticket")
		if rows, _ := sessionsOf(t, w.a, to); rows != 2 { // the one before, and the winner's
			t.Errorf("%d sessions", rows)
		}
		if rows, _ := sessionsOf(t, w.a, address); rows != 0 {
			t.Error("the old address still has sessions")
		}
	})
	t.Run("code of a redirect", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		address, link := invite(t, w.a, fields{"codeChallenge": challenge})
		code := codeOf(t, w.b, link)
		race(t, "POST", same("/token/exchange"), func(int) any { return fields{"code": code, "codeVerifier": verifier} }, hasSession, "invalid-request")
		if rows, told := sessionsOf(t, w.a, address); rows != 1 || told != 1 {
			t.Errorf("%d sessions, %d audit rows", rows, told)
		}
	})
	t.Run("all the codes of one link", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		address, link := invite(t, w.a, fields{"codeChallenge": challenge})
		codes := make([]string, crowdSize)
		for i := range codes {
			codes[i] = codeOf(t, replicas[i%2], link)
		}
		race(t, "POST", same("/token/exchange"), func(i int) any { return fields{"code": codes[i], "codeVerifier": verifier} }, hasSession, "invalid-request")
		if rows, told := sessionsOf(t, w.a, address); rows != 1 || told != 1 {
			t.Errorf("%d sessions, %d audit rows", rows, told)
		}
		if n := scan[int](t, w.a, `select count(*) from auth.tickets k join auth.users u on u.id = k.user_id where u.email = $1`, address); n != 0 {
			t.Errorf("%d tickets and codes are left", n)
		}
		if q := opened(t, must(t, w.b, "GET", link, nil, home())); q.Get("error") != "invalid-ticket" {
			t.Errorf("the link still leads somewhere: %v", q)
		}
	})
	t.Run("opening a link beside the exchange of its first code", func(t *testing.T) {
		verifier, challenge := testhouse.Verifier()
		address, link := invite(t, w.a, fields{"codeChallenge": challenge})
		code := codeOf(t, w.a, link)
		answers, err := parallel(crowdSize, func(i int) (reply, error) {
			if i%4 == 0 {
				return send(t.Context(), replicas[i/4%2], "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}, home())
			}
			return send(t.Context(), replicas[i%2], "GET", link, nil, away())
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range answers {
			if r.status >= 500 {
				t.Fatalf("number %d: %s", i, r)
			}
			if r.status != 302 {
				continue
			}
			late := opened(t, r).Get("code")
			if late == "" {
				continue
			}
			if x := must(t, w.b, "POST", "/token/exchange", fields{"code": late, "codeVerifier": verifier}, home()); x.status != 400 {
				t.Fatalf("a sibling was redeemed too: %s", x)
			}
		}
		if rows, _ := sessionsOf(t, w.a, address); rows != 1 {
			t.Errorf("%d sessions", rows)
		}
	})
	t.Run("ticket of a reset mail", func(t *testing.T) {
		address, link := invite(t, w.a, nil)
		opened(t, must(t, w.a, "GET", link, nil, home()))
		if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": address}, home()); r.status != 200 {
			t.Fatal(r)
		}
		ticket := w.a.Mail.Wait(t, address, 2)[1].Ticket
		winner := race(t, "POST", same("/user/password"), func(i int) any {
			return fields{"newPassword": "password number " + strconv.Itoa(i), "ticket": ticket}
		}, isOK, "invalid-ticket")
		for i, want := range map[int]int{winner: 200, (winner + 1) % crowdSize: 401} {
			r := must(t, w.b, "POST", "/signin/email-password", fields{"email": address, "password": "password number " + strconv.Itoa(i)}, home())
			if r.status != want {
				t.Errorf("password %d, winner %d: %s", i, winner, r)
			}
		}
		if n := scan[int](t, w.a, `select count(*) from auth.audit_entries a join auth.users u on u.id = a.user_id where u.email = $1 and event = 'password.changed'`, address); n != 1 {
			t.Errorf("changed %d times", n)
		}
	})
}

// TestWrongVerifiersUseNothingUp lets a crowd with the code and without the verifier come first.
func TestWrongVerifiersUseNothingUp(t *testing.T) {
	t.Parallel()
	w := openMailTwins(t)
	replicas := []*testhouse.House{w.a, w.b}
	verifier, challenge := testhouse.Verifier()
	address, link := invite(t, w.a, fields{"codeChallenge": challenge})
	code := codeOf(t, w.a, link)
	answers, err := parallel(crowdSize, func(i int) (reply, error) {
		wrong, _ := testhouse.Verifier()
		if i%3 == 0 {
			wrong = challenge // the challenge is in the link, so it must not redeem
		}
		return send(t.Context(), replicas[i%2], "POST", "/token/exchange", fields{"code": code, "codeVerifier": wrong}, away())
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range answers {
		if r.status != 400 || r.refusal != "invalid-request" {
			t.Fatal(r)
		}
	}
	if rows, _ := sessionsOf(t, w.a, address); rows != 0 {
		t.Fatalf("%d sessions", rows)
	}
	if again := codeOf(t, w.b, link); again == code {
		t.Fatal("the same code twice")
	}
	r := must(t, w.b, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}, home())
	if r.status != 200 || r.session.User.Email != address {
		t.Fatal(r)
	}
	mustRefresh(t, w.a, r.session.RefreshToken, home())
}

// TestT21VariantsOfSecretsAreRefused cuts, pads and respells a refresh token, a ticket, a code and
// an access token. What is not the secret itself opens nothing and uses nothing up.
func TestT21VariantsOfSecretsAreRefused(t *testing.T) {
	t.Parallel()
	w := openMailTwins(t)
	verifier, challenge := testhouse.Verifier()
	address, link := invite(t, w.a, fields{"codeChallenge": challenge})
	query, err := url.ParseQuery(link[strings.IndexByte(link, '?')+1:])
	if err != nil {
		t.Fatal(err)
	}
	ticket := query.Get("ticket")
	verify := func(ticket string) reply {
		q := url.Values{"ticket": {ticket}, "redirectTo": query["redirectTo"], "type": query["type"]}
		return must(t, w.b, "GET", "/verify?"+q.Encode(), nil, away())
	}
	for _, v := range variants(ticket) {
		if r := verify(v); r.status < 400 && opened(t, r).Get("error") == "" {
			t.Errorf("ticket %q: %s", v, r.header.Get("Location"))
		}
	}
	_, secret, _ := strings.Cut(ticket, ":")
	for _, purpose := range []string{"passwordReset", "emailConfirmChange", "passwordlessEmail", "otp", "code", "verifyemail", ""} {
		if r := verify(purpose + ":" + secret); r.status < 400 && opened(t, r).Get("error") == "" {
			t.Errorf("the ticket passed for a %q", purpose)
		}
	}

	code := codeOf(t, w.a, link)
	for _, v := range variants(code) {
		if r := must(t, w.b, "POST", "/token/exchange", fields{"code": v, "codeVerifier": verifier}, away()); r.status != 400 {
			t.Errorf("code %q: %s", v, r)
		}
	}
	for _, v := range variants(verifier) {
		if r := must(t, w.b, "POST", "/token/exchange", fields{"code": code, "codeVerifier": v}, away()); r.status != 400 {
			t.Errorf("verifier %q: %s", v, r)
		}
	}
	r := must(t, w.b, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}, home())
	if r.status != 200 {
		t.Fatal(r)
	}

	s := r.session
	for _, v := range variants(s.RefreshToken) {
		if r := refresh(t, w.b, v, home()); r.status != 400 && r.status != 401 {
			t.Errorf("refresh token %q: %s", v, r)
		}
	}
	if r := refresh(t, w.b, s.RefreshTokenID, home()); r.status != 401 {
		t.Errorf("the session's id refreshes it: %s", r)
	}
	for _, v := range variants(s.AccessToken) {
		if strings.ContainsAny(v, "\x00\n\r") || v == "" {
			continue // no header can hold it
		}
		if v == s.AccessToken+" " {
			continue // HTTP strips blanks around a header's value
		}
		if r := must(t, w.b, "GET", "/user", nil, home(), "Authorization", "Bearer "+v); r.status != 401 {
			t.Errorf("access token …%q: %s", v[max(len(v)-20, 0):], r)
		}
	}
	w.mustGoOn(t, s, s.RefreshToken)
	mustRefresh(t, w.a, s.RefreshToken, home())

	if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": address}, home()); r.status != 200 {
		t.Fatal(r)
	}
	reset := w.a.Mail.Wait(t, address, 2)[1].Ticket
	for _, v := range variants(reset) {
		if r := must(t, w.b, "POST", "/user/password", fields{"newPassword": "another password", "ticket": v}, away()); r.status != 400 && r.status != 401 {
			t.Errorf("reset ticket %q: %s", v, r)
		}
	}
	if r := must(t, w.b, "POST", "/user/password", fields{"newPassword": "another password", "ticket": reset}, home()); r.status != 200 {
		t.Fatal(r)
	}
}

// variants are spellings near a secret that are not the secret.
func variants(secret string) []string {
	var list []string
	step := max(len(secret)/40, 1)
	for i := 0; i < len(secret); i += step {
		list = append(list, secret[:i], secret[i+1:]) // prefixes, suffixes from 1 on
		if flipped := flipCase(secret, i); flipped != secret {
			list = append(list, flipped)
		}
		list = append(list, secret[:i]+"0"+secret[i:], secret[:i]+secret[i+1:])
	}
	return append(list, strings.ToUpper(secret), strings.ToTitle(secret),
		" "+secret, secret+" ", "\t"+secret, secret+"\n", secret+"\r\n", secret+"\x00", "\u00a0"+secret, "\ufeff"+secret,
		secret+"=", secret+"==", secret+secret, "{"+secret+"}", "urn:uuid:"+secret, `"`+secret+`"`, secret+"%00", "*", "%")
}

func flipCase(s string, i int) string {
	c := s[i : i+1]
	if up := strings.ToUpper(c); up != c {
		return s[:i] + up + s[i+1:]
	}
	return s[:i] + strings.ToLower(c) + s[i+1:]
}

// TestT33ExpiryIsExact uses secrets a second before their end, and at it.
func TestT33ExpiryIsExact(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, test := range []struct {
		name string
		life time.Duration
		// makes gives a use of a fresh secret that tells whether it worked; it is used once.
		makes func(t *testing.T, w twins) func() bool
	}{
		{"refresh token", 30 * day, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			return func() bool { return refresh(t, w.b, s.RefreshToken, home()).status == 200 }
		}},
		{"refresh token before the current one", 30 * day, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			mustRefresh(t, w.a, s.RefreshToken, home())
			return func() bool { return refresh(t, w.b, s.RefreshToken, home()).status == 200 }
		}},
		{"access token", 15 * time.Minute, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			return func() bool {
				return must(t, w.b, "GET", "/user", nil, home(), "Authorization", "Bearer "+s.AccessToken).status == 200
			}
		}},
		{"link of a verification mail", 30 * day, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			if r := must(t, w.a, "POST", "/user/email/send-verification-email", fields{"email": s.User.Email}, home()); r.status != 200 {
				t.Fatal(r)
			}
			link := linkOf(t, w.a, s.User.Email, 1)
			return func() bool { return opened(t, must(t, w.b, "GET", link, nil, home())).Get("refreshToken") != "" }
		}},
		{"link of a change of address", time.Hour, func(t *testing.T, w twins) func() bool {
			s, to := newcomer(t, w.a), newAddress()
			if r := must(t, w.a, "POST", "/user/email/change", fields{"newEmail": to}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 200 {
				t.Fatal(r)
			}
			link := linkOf(t, w.a, to, 1)
			return func() bool { return opened(t, must(t, w.b, "GET", link, nil, home())).Get("refreshToken") != "" }
		}},
		{"link of a reset mail", time.Hour, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": s.User.Email}, home()); r.status != 200 {
				t.Fatal(r)
			}
			link := linkOf(t, w.a, s.User.Email, 1)
			return func() bool { return opened(t, must(t, w.b, "GET", link, nil, home())).Get("refreshToken") != "" }
		}},
		{"ticket of a reset mail", time.Hour, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": s.User.Email}, home()); r.status != 200 {
				t.Fatal(r)
			}
			ticket := w.a.Mail.Wait(t, s.User.Email, 1)[0].Ticket
			return func() bool {
				return must(t, w.b, "POST", "/user/password", fields{"newPassword": "another password", "ticket": ticket}, home()).status == 200
			}
		}},
		{"code of a redirect", 5 * time.Minute, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			verifier, challenge := testhouse.Verifier()
			if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": s.User.Email, "codeChallenge": challenge}, home()); r.status != 200 {
				t.Fatal(r)
			}
			code := codeOf(t, w.a, linkOf(t, w.a, s.User.Email, 1))
			return func() bool {
				return must(t, w.b, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}, home()).status == 200
			}
		}},
		{"code of a redirect whose ticket ends first", time.Minute, func(t *testing.T, w twins) func() bool {
			s := newcomer(t, w.a)
			verifier, challenge := testhouse.Verifier()
			if r := must(t, w.a, "POST", "/user/password/reset", fields{"email": s.User.Email, "codeChallenge": challenge}, home()); r.status != 200 {
				t.Fatal(r)
			}
			link := linkOf(t, w.a, s.User.Email, 1)
			exec(t, w.a, `update auth.tickets set expires_at = $2 where user_id = $1`, s.User.ID, w.clock.Now().Add(time.Minute))
			code := codeOf(t, w.a, link)
			return func() bool {
				return must(t, w.b, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}, home()).status == 200
			}
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			w := openTwins(t, nil)
			early, late := test.makes(t, w), test.makes(t, w)
			w.clock.Advance(test.life - time.Second)
			if !early() {
				t.Error("failed a second before its end")
			}
			w.clock.Advance(time.Second)
			if late() {
				t.Error("worked at its end")
			}
		})
	}
}

// TestTicketsOfOnePersonAreNobodyElses makes sure that a secret speaks only of its own user.
func TestTicketsOfOnePersonAreNobodyElses(t *testing.T) {
	t.Parallel()
	w := openMailTwins(t)
	verifier, challenge := testhouse.Verifier()
	first, firstLink := invite(t, w.a, fields{"codeChallenge": challenge})
	second, _ := invite(t, w.a, fields{"codeChallenge": challenge})
	r := must(t, w.b, "POST", "/token/exchange", fields{"code": codeOf(t, w.b, firstLink), "codeVerifier": verifier}, home())
	if r.status != 200 || r.session.User.Email != first {
		t.Fatal(r)
	}
	if n := scan[int](t, w.a, `select count(*) from auth.users where email = $1 and email_verified`, second); n != 0 {
		t.Error("the other user was confirmed")
	}
	if n := scan[int](t, w.a, `select count(*) from auth.tickets k join auth.users u on u.id = k.user_id where u.email = $1`, second); n != 1 {
		t.Errorf("the other user has %d tickets", n)
	}
	if hash := scan[[]byte](t, w.a, `select secret_hash from auth.tickets k join auth.users u on u.id = k.user_id where u.email = $1`, second); string(hash) == string(tokens.HashSecret(codeOf(t, w.a, linkOf(t, w.a, second, 1)))) {
		t.Error("the code is the ticket")
	}
}

package gotrue_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// The traps of GoTrue's door that are of no endpoint alone, by their number in the list; the others are tested where
// their endpoints are. What the wire is like, the first three, is in TestTrapsOfTheWire, where redirects end, the seventh, in
// TestInvalidRedirectsAreNoErrors.

// onClock is a house whose time the test moves.
func onClock(t testing.TB, more map[string]string) (door, *testhouse.Clock) {
	t.Helper()
	clock := &testhouse.Clock{}
	settings := map[string]string{"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1"}
	for name, value := range more {
		settings[name] = value
	}
	return door{testhouse.Open(t, settings, testhouse.OnClock(clock))}, clock
}

// TestTrap05DuplicateSignUps answers who signs up with somebody's address as a newcomer, but for what applications look
// at: no identities, and no role.
func TestTrap05DuplicateSignUps(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	d.confirmed(t, email)
	u := d.ok(t, "POST", "/signup", credentials(email, "another horse battery"))
	list, isList := u["identities"].([]any)
	if !isList || len(list) != 0 || u["role"] != "" || u["email"] != email || u["confirmation_sent_at"] == nil || u["email_confirmed_at"] != nil {
		t.Errorf("%v", u)
	}
	if n := len(d.Mail.To(email)); n != 1 {
		t.Errorf("%d mails", n)
	}
	busy := open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	busy.ok(t, "POST", "/signup", credentials(email, password))
	if a := busy.ask(t, "POST", "/signup", credentials(email, password)); a.status != http.StatusUnprocessableEntity || a.code(t) != "user_already_exists" {
		t.Errorf("%+v", a)
	}
}

// TestTrap06LinksWithPKCEAreGoodAsLongAsTheMail opens a link hours after it was asked for, and exchanges the code that it
// leads to: GoTrue counts five minutes from the request, whatever the mail says.
func TestTrap06LinksWithPKCEAreGoodAsLongAsTheMail(t *testing.T) {
	t.Parallel()
	d, clock := onClock(t, nil)
	email := newAddress()
	verifier, challenge := testhouse.Verifier()
	d.ok(t, "POST", "/signup", `{"email":"`+email+`","password":"`+password+`","code_challenge":"`+challenge+`","code_challenge_method":"s256"}`)
	_, link := d.mailed(t, email, 1)
	clock.Advance(3 * time.Hour)
	a := d.ask(t, "GET", "/verify?"+link.RawQuery, "")
	to, err := url.Parse(a.header.Get("Location"))
	if err != nil || a.status != http.StatusSeeOther || to.Query().Get("code") == "" {
		t.Fatalf("%d %s", a.status, a.header.Get("Location"))
	}
	d.ok(t, "POST", "/token?grant_type=pkce", `{"auth_code":"`+to.Query().Get("code")+`","code_verifier":"`+verifier+`"}`)
}

// TestTrap09LinksKeepThePathOfTheServer keeps what GoTrue drops: the path that the server is reached by.
func TestTrap09LinksKeepThePathOfTheServer(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_URL": "https://api.example.com/behind/auth/v1/"})
	email := newAddress()
	d.ok(t, "POST", "/signup", credentials(email, password))
	_, link := d.mailed(t, email, 1)
	if got := link.Scheme + "://" + link.Host + link.Path; got != "https://api.example.com/behind/auth/v1/verify" {
		t.Errorf("the link is %s", got)
	}
}

// TestTrap10ThePredecessorIsGoodForItsOwner gives who lost an answer the same successor, hours later, as long as nobody used
// it; and takes a deeper reuse for a theft.
func TestTrap10ThePredecessorIsGoodForItsOwner(t *testing.T) {
	t.Parallel()
	d, clock := onClock(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	refresh := func(token string) answer {
		return d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+token+`"}`)
	}
	first := d.ok(t, "POST", "/signup", credentials(newAddress(), password))["refresh_token"].(string)
	second := refresh(first).said(t)["refresh_token"].(string)
	clock.Advance(2 * time.Hour)
	again := refresh(first)
	if again.status != http.StatusOK || again.said(t)["refresh_token"] != second {
		t.Fatalf("the owner's answer was lost, and: %+v", again)
	}
	third := refresh(second).said(t)["refresh_token"].(string)
	clock.Advance(time.Hour)
	if a := refresh(first); a.status != http.StatusBadRequest || a.code(t) != "refresh_token_already_used" {
		t.Errorf("deeper reuse: %+v", a)
	}
	if a := refresh(third); a.status != http.StatusBadRequest {
		t.Errorf("the family lives on: %+v", a)
	}
}

// TestTrap12LimitsNeedNoHeader counts by the address of the client, whether or not the operator named a header, and says
// when to come again.
func TestTrap12LimitsNeedNoHeader(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true"})
	var last answer
	for i := range 40 {
		forged := "203.0.113." + string(rune('0'+i%10))
		last = d.ask(t, "POST", "/token?grant_type=password", credentials(newAddress(), "wrong"), "X-Forwarded-For", forged, "X-Real-Ip", forged, "Cf-Connecting-Ip", forged)
		if last.status == http.StatusTooManyRequests {
			break
		}
	}
	if last.status != http.StatusTooManyRequests || last.code(t) != "over_request_rate_limit" || last.header.Get("Retry-After") == "" {
		t.Errorf("%+v", last)
	}
}

// TestT06NoHeaderMovesTheLinkOfAMail is GHSA-3529-5m8x-rpv3: headers that a client sends named the host of the links in
// its victim's mail.
func TestT06NoHeaderMovesTheLinkOfAMail(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_GOTRUE_URL": "https://auth.good.example/auth/v1", "AUTH_RATE_LIMIT_ENABLE": "false"})
	email := newAddress()
	session := d.confirmed(t, email)
	mails := map[string]int{email: 1}
	const evil = "evil.example"
	for _, headers := range [][]string{
		{"X-Forwarded-Host", evil},
		{"X-Forwarded-Proto", "http"},
		{"Forwarded", "host=" + evil + ";proto=http"},
		{"X-Forwarded-Prefix", "/" + evil},
		{"X-Host", evil},
		{"X-Original-Url", "https://" + evil},
		{"Origin", "https://" + evil},
		{"Referer", "https://" + evil + "/x"},
		{"X-Forwarded-Server", evil, "X-Forwarded-Port", "8443"},
	} {
		newcomer, moved := newAddress(), newAddress()
		for _, ask := range [][3]string{
			{"POST", "/signup", credentials(newcomer, password)},
			{"POST", "/recover", `{"email":"` + email + `"}`},
			{"POST", "/otp", `{"email":"` + email + `"}`},
			{"POST", "/magiclink", `{"email":"` + email + `"}`},
			{"POST", "/resend", `{"type":"signup","email":"` + newcomer + `"}`},
			{"PUT", "/user", `{"email":"` + moved + `"}`},
		} {
			a := d.ask(t, ask[0], ask[1], ask[2], append([]string{"Authorization", bearer(session)}, headers...)...)
			if a.status != http.StatusOK && a.status != http.StatusTooManyRequests { // of one kind to one person
				t.Errorf("%v at %s: %d %s", headers, ask[1], a.status, a.body)
			}
		}
		mails[newcomer]++
	}
	for to, n := range mails {
		for _, m := range d.Mail.Wait(t, to, n) {
			if !strings.HasPrefix(m.Link, "https://auth.good.example/auth/v1/verify?") || strings.Contains(m.Text+m.HTML, evil) {
				t.Errorf("a link to %s", m.Link)
			}
		}
	}
}

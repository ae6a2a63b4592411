package hasura_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/internal/testmail"
)

// receiversWords are what receivers of Supabase's hook send_email are told of our templates.
var receiversWords = map[string]string{"email-verify": "signup", "signin-passwordless": "magiclink", "password-reset": "recovery", "email-confirm-change": "email_change"}

// builtByReceiver is the link of a mail as the receivers in Supabase's documentation build it: by
// putting texts together, without any encoding.
func builtByReceiver(t testing.TB, m testmail.Message) string {
	t.Helper()
	u, err := url.Parse(m.Link)
	if err != nil {
		t.Fatal(err)
	}
	return "/verify?token=" + m.Ticket + "&type=" + receiversWords[m.Headers.Get("X-Email-Template")] + "&redirect_to=" + u.Query().Get("redirectTo")
}

// TestReceiversLinkIsForOnePurpose opens every kind of ticket as every kind of link.
func TestReceiversLinkIsForOnePurpose(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for _, k := range linkKinds() {
		_, to := k.get(t, d, "", "")
		ticket := d.mail(t, to, k.template, 1).Ticket
		before := d.state(t)
		for _, word := range []string{"signup", "magiclink", "recovery", "email_change", "email"} {
			if word == receiversWords[k.template] || word == "email" && (k.template == "email-verify" || k.template == "signin-passwordless") {
				continue
			}
			link := "/verify?token=" + ticket + "&type=" + word
			d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
			d.ask(t, "GET", link, nil, browser()).redirectsWith(t, 302, clientURL, "invalid-ticket")
			d.ask(t, "POST", link, nil).redirectsWith(t, 303, clientURL, "invalid-ticket")
			if head := d.ask(t, "HEAD", link, nil); head.status != 200 {
				t.Errorf("HEAD tells what a ticket is for: %s", head)
			}
		}
		d.sameState(t, before, "links that say something else than their ticket")
		if _, q := d.ask(t, "GET", "/verify?token="+ticket+"&type="+receiversWords[k.template], nil).redirect(t, 302); q.Get("refreshToken") == "" {
			t.Errorf("%s: the link leads to %v", k.template, q)
		}
	}
	for _, template := range []string{"email-verify", "signin-passwordless"} {
		for _, k := range linkKinds() {
			if k.template != template {
				continue
			}
			_, to := k.get(t, d, "", "")
			if _, q := d.ask(t, "GET", "/verify?token="+d.mail(t, to, template, 1).Ticket+"&type=email", nil).redirect(t, 302); q.Get("refreshToken") == "" {
				t.Errorf("%s as email leads to %v", template, q)
			}
		}
	}
}

func TestReceiversLinkRefusals(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	unknown := "verifyEmail:8c1e3f2b-1d2a-4a64-8d0a-9c555e8f0b37"
	before := d.state(t)
	for _, method := range []string{"GET", "POST"} {
		status := map[string]int{"GET": 302, "POST": 303}[method]
		for link, id := range map[string]string{
			"token=" + unknown + "&type=signup":                                                "invalid-ticket",
			"token=" + unknown + "&type=email&redirect_to=":                                    "invalid-ticket",
			"token=code:8c1e3f2b&type=signup&redirect_to=" + clientURL:                         "invalid-ticket",
			"token=mfaTotp:8c1e3f2b&type=signup":                                               "invalid-ticket",
			"token=305805&type=signup":                                                         "invalid-ticket",
			"token=" + unknown + "&type=signup&redirect_to=https://evil.example":               "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&redirect_to=https%3A%2F%2Fevil.example":         "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&redirect_to=" + clientURL + "@evil.example":     "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&redirect_to=javascript:alert(1)":                "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&redirect_to=//evil.example":                     "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&redirect_to=https://evil.example/" + clientURL:  "redirectTo-not-allowed",
			"token=" + unknown + "&type=signup&codeChallenge=" + strings.Repeat("a", 43):       "invalid-ticket",
			"token=" + unknown + "&type=signup&redirect_to=https://app.example.com%00.example": "redirectTo-not-allowed",
		} {
			d.knock(t, method, "/verify?"+link, nil).redirectsWith(t, status, clientURL, id)
		}
		for link, field := range map[string]string{
			"token=":                                                            "token",
			"token=&type=signup":                                                "token",
			"token=" + unknown:                                                  "type",
			"token=" + unknown + "&type=":                                       "type",
			"token=" + unknown + "&type=emailVerify":                            "type",
			"token=" + unknown + "&type=invited":                                "type",
			"token=" + unknown + "&type=sms":                                    "type",
			"token=" + unknown + "&type=SIGNUP":                                 "type",
			"token=" + unknown + "&token=x&type=email":                          "token",
			"token=" + unknown + "&type=signup&type=email":                      "type",
			"token=" + unknown + "&type=signup&ticket=" + unknown:               "token",
			"token=verifyEmail:" + strings.Repeat("x", 117) + "&type=signup":    "token",
			"token=%00&type=signup":                                             "token",
			"token=" + unknown + "&type=signup&redirect_to=%2F&redirect_to=%2F": "redirect_to",
			"token=" + unknown + "&type=signup&redirect_to=https%3A%2F%2Fa%00":  "redirect_to",
			"token=" + unknown + "&type=signup&redirect_to=%ff":                 "redirect_to",
			"redirect_to=" + clientURL + "&type=signup":                         "ticket",
			"token=" + unknown + "&type=signup;redirect_to=x":                   "query",
		} {
			t.Run(method+" "+link, func(t *testing.T) { d.knock(t, method, "/verify?"+link, nil).invalid(t, field) })
		}
	}
	d.sameState(t, before, "refused visits")
}

// TestReceiversLinkLeadsWhereItSays tries the ways in which receivers put an address into a link.
func TestReceiversLinkLeadsWhereItSays(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for _, c := range []struct{ more, to string }{
		{"", clientURL},
		{"&redirect_to=", clientURL},
		{"&redirect_to=" + clientURL, clientURL},
		{"&redirect_to=" + clientURL + "/back?a=1&b=2", clientURL + "/back?a=1&b=2"},
		{"&redirect_to=" + url.QueryEscape(clientURL+"/back?a=1&b=2"), clientURL + "/back?a=1&b=2"},
		{"&redirect_to=" + url.QueryEscape(clientURL) + "&a=1", clientURL},
		{"&redirect_to=" + clientURL + "/back?token=mine", clientURL + "/back?token=mine"},
		{"&redirect_to=" + clientURL + "/back?a=x%20y", clientURL + "/back?a=x+y"},
	} {
		m := d.mail(t, d.signUp(t, nil), "email-verify", 1)
		where := d.knock(t, "GET", "/verify?token="+m.Ticket+"&type=signup"+c.more, nil)
		if got := where.header.Get("Location"); where.status != 302 || withoutOurs(t, got) != withoutOurs(t, c.to) || !strings.Contains(got, "refreshToken=") {
			t.Errorf("%s leads to %s %q, want %s", c.more, where, got, c.to)
		}
	}
}

// withoutOurs is an address without what the server puts into its query.
func withoutOurs(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Del("refreshToken")
	q.Del("type")
	u.RawQuery = q.Encode()
	return u.String()
}

// TestReceiversLinkExpires opens links of receivers after their time, and those of somebody else's ticket.
func TestReceiversLinkExpires(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := doorway{testhouse.Open(t, everyWayIn(nil), stopped(clock))}
	linked := newAddress()
	_, challenge := testhouse.Verifier()
	d.ask(t, "POST", signInLink, fields{"email": linked, "codeChallenge": challenge}).ok(t)
	m := d.mail(t, linked, "signin-passwordless", 1)
	_, other := testhouse.Verifier()
	for _, wrong := range []string{other, "x"} {
		d.knock(t, "GET", "/verify?token="+m.Ticket+"&type=magiclink&codeChallenge="+wrong, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	}
	if _, q := d.ask(t, "GET", builtByReceiver(t, m), nil).redirect(t, 302); q.Get("code") == "" || q.Has("refreshToken") {
		t.Errorf("a link with PKCE leads to %v", q)
	}
	clock.Advance(time.Hour)
	d.ask(t, "GET", builtByReceiver(t, m), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	d.ask(t, "POST", builtByReceiver(t, m), nil).redirectsWith(t, 303, clientURL, "invalid-ticket")
}

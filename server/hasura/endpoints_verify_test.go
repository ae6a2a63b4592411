package hasura_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/tokens"
)

const clientURL = "https://app.example.com"

// linkKind is a kind of mail with a link, and how a test gets one.
type linkKind struct {
	template, ticketType, linkType string
	life                           time.Duration
	// get makes a person and asks for the mail, with PKCE when there is a challenge.
	get func(t *testing.T, d doorway, redirectTo, challenge string) (email, mailedTo string)
	// done tells whether opening the link has had its effect.
	done func(t *testing.T, d doorway, email, mailedTo string) bool
}

func linkKinds() []linkKind {
	more := func(redirectTo, challenge string, body fields) fields {
		if redirectTo != "" {
			body["options"] = fields{"redirectTo": redirectTo}
		}
		if challenge != "" {
			body["codeChallenge"] = challenge
		}
		return body
	}
	verified := func(t *testing.T, d doorway, email, _ string) bool {
		t.Helper()
		return stored(t, d, email)["email_verified"] == true
	}
	return []linkKind{
		{
			"email-verify", "verifyEmail", "emailVerify", 30 * 24 * time.Hour,
			func(t *testing.T, d doorway, redirectTo, challenge string) (string, string) {
				t.Helper()
				email := d.signUp(t, more(redirectTo, challenge, fields{}))
				return email, email
			},
			verified,
		},
		{
			"signin-passwordless", "passwordlessEmail", "signinPasswordless", time.Hour,
			func(t *testing.T, d doorway, redirectTo, challenge string) (string, string) {
				t.Helper()
				email := newAddress()
				d.ask(t, "POST", signInLink, more(redirectTo, challenge, fields{"email": email})).ok(t)
				return email, email
			},
			verified,
		},
		{
			"password-reset", "passwordReset", "passwordReset", time.Hour,
			func(t *testing.T, d doorway, redirectTo, challenge string) (string, string) {
				t.Helper()
				p := d.person(t)
				d.ask(t, "POST", "/user/password/reset", more(redirectTo, challenge, fields{"email": p.email})).ok(t)
				return p.email, p.email
			},
			func(*testing.T, doorway, string, string) bool { return true },
		},
		{
			"email-confirm-change", "emailConfirmChange", "emailConfirmChange", time.Hour,
			func(t *testing.T, d doorway, redirectTo, challenge string) (string, string) {
				t.Helper()
				p := d.person(t)
				to := newAddress()
				d.ask(t, "POST", "/user/email/change", more(redirectTo, challenge, fields{"newEmail": to}), bearer(p.AccessToken)).ok(t)
				return p.email, to
			},
			func(t *testing.T, d doorway, _, mailedTo string) bool {
				t.Helper()
				return value[int](t, d, `select count(*) from auth.users where email = $1 and email_verified and new_email is null`, mailedTo) == 1
			},
		},
	}
}

func TestVerifyLinks(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"auto", "always", "off"} {
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			d := openDoor(t, map[string]string{"AUTH_LINK_CONFIRMATION": mode})
			for _, k := range linkKinds() {
				for form, path := range map[string]func(testing.TB, testmail.Message) string{"": pathOf, " built by a receiver": builtByReceiver} {
					t.Run(k.template+form, func(t *testing.T) { k.openWithoutPKCE(t, d, mode, path) })
					t.Run(k.template+form+" with PKCE", func(t *testing.T) { k.openWithPKCE(t, d, path) })
				}
			}
		})
	}
}

func (k linkKind) openWithoutPKCE(t *testing.T, d doorway, mode string, path func(testing.TB, testmail.Message) string) {
	back := clientURL + "/back?keep=me&a=1"
	email, to := k.get(t, d, back, "")
	m := d.mail(t, to, k.template, 1)
	link := path(t, m)
	if !regexp.MustCompile(`^` + k.ticketType + `:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`).MatchString(m.Ticket) {
		t.Errorf("ticket %q", m.Ticket)
	}

	before := d.state(t)
	for range 3 {
		for _, more := range [][]with{{}, {browser()}, {header("Accept", "*/*")}, {header("Purpose", "prefetch")}} {
			head := d.ask(t, "HEAD", link, nil, more...)
			if head.status != 200 || head.body != "" || head.header.Get("Location") != "" {
				t.Errorf("HEAD: %s, to %q", head, head.header.Get("Location"))
			}
		}
	}
	pages := map[string][]with{
		"auto":   {browser(), header("Sec-Purpose", "prefetch;prerender"), header("X-Moz", "prefetch"), header("Purpose", "Preview")},
		"always": {browser(), header("Accept", "*/*"), header("Accept", "application/json"), header("X-Purpose", "preview")},
	}
	for _, more := range pages[mode] {
		k.isPage(t, d.ask(t, "GET", link, nil, more), m.Ticket)
	}
	d.sameState(t, before, "looking at the link")

	var a answer
	status := 302
	switch mode {
	case "always":
		status = 303
		a = d.ask(t, "POST", link, nil)
	case "off":
		a = d.ask(t, "GET", link, nil, browser())
	default:
		a = d.ask(t, "GET", link, nil)
	}
	where, q := a.redirect(t, status)
	if where != clientURL+"/back" || q.Get("type") != k.ticketType || q.Get("keep") != "me" || q.Get("a") != "1" || len(q) != 4 {
		t.Errorf("the link leads to %s %v", where, q)
	}
	if a.header.Get("Referrer-Policy") != "no-referrer" || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", a.header)
	}
	s := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
	if !k.done(t, d, email, to) {
		t.Error("the link had no effect")
	}
	if s.user["emailVerified"] != true {
		t.Errorf("user %v", s.user)
	}
	// Once only, by any verb, and a browser is told at once instead of being shown the button.
	after := d.state(t)
	d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL+"/back", "invalid-ticket")
	d.ask(t, "GET", link, nil, browser()).redirectsWith(t, 302, clientURL+"/back", "invalid-ticket")
	d.ask(t, "POST", link, nil).redirectsWith(t, 303, clientURL+"/back", "invalid-ticket")
	if head := d.ask(t, "HEAD", link, nil); head.status != 200 {
		t.Errorf("HEAD tells good tickets from bad: %s", head)
	}
	d.sameState(t, after, "a link that was used up")
}

// isPage checks the page with the button: it holds no secret, runs nothing, and says where it leads.
func (k linkKind) isPage(t *testing.T, a answer, ticket string) {
	t.Helper()
	if a.status != 200 || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, `<form method="post">`) ||
		!strings.Contains(a.body, "app.example.com") {
		t.Fatalf("%s is no page", a)
	}
	for name, want := range map[string]string{"Referrer-Policy": "no-referrer", "X-Frame-Options": "DENY", "Cache-Control": "no-store"} {
		if a.header.Get(name) != want {
			t.Errorf("%s: %q", name, a.header.Get(name))
		}
	}
	if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "script-src") {
		t.Errorf("content security policy %q", csp)
	}
	if strings.Contains(a.body, ticket) || strings.Contains(a.body, "<script") || strings.Contains(a.body, "refreshToken") {
		t.Errorf("the page holds more than it must: %s", a.body)
	}
}

func (k linkKind) openWithPKCE(t *testing.T, d doorway, path func(testing.TB, testmail.Message) string) {
	verifier, challenge := testhouse.Verifier()
	email, to := k.get(t, d, "", challenge)
	link := path(t, d.mail(t, to, k.template, 1))
	var codes []string
	for _, more := range [][]with{{}, {browser()}, {header("Sec-Purpose", "prefetch")}} {
		where, q := d.ask(t, "GET", link, nil, more...).redirect(t, 302)
		if where != clientURL || q.Get("type") != k.ticketType || len(q) != 2 {
			t.Fatalf("the link leads to %s %v", where, q)
		}
		codes = append(codes, q.Get("code"))
	}
	_, q := d.ask(t, "POST", link, nil).redirect(t, 303)
	codes = append(codes, q.Get("code"))
	if n := value[int](t, d, `select count(*) from auth.refresh_tokens r join auth.users u on u.id = r.user_id where u.email = $1 and r.amr::text like '%link%'`, email); n != 0 {
		t.Errorf("%d sessions by looking at a link", n)
	}
	d.ask(t, "POST", "/token/exchange", fields{"code": codes[3], "codeVerifier": verifier}).session(t)
	if !k.done(t, d, email, to) {
		t.Error("the exchange had no effect")
	}
	for _, code := range codes {
		d.ask(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}).refused(t, 400, "invalid-request", "")
	}
	d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
}

func TestVerifyRefusals(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	at := func(pairs ...string) string {
		q := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			q.Add(pairs[i], pairs[i+1])
		}
		return "/verify?" + q.Encode()
	}
	uuid := tokens.NewUUID()
	before := d.state(t)
	for _, method := range []string{"GET", "POST"} {
		status := map[string]int{"GET": 302, "POST": 303}[method]
		for name, c := range map[string]struct {
			path, to, id string
		}{
			"unknown ticket":      {at("redirectTo", clientURL, "ticket", "verifyEmail:"+uuid), clientURL, "invalid-ticket"},
			"no uuid":             {at("redirectTo", clientURL, "ticket", "verifyEmail:"), clientURL, "invalid-ticket"},
			"unknown purpose":     {at("redirectTo", clientURL, "ticket", "other:"+uuid), clientURL, "invalid-ticket"},
			"no purpose":          {at("redirectTo", clientURL, "ticket", uuid), clientURL, "invalid-ticket"},
			"a code's purpose":    {at("redirectTo", clientURL, "ticket", "code:"+uuid), clientURL, "invalid-ticket"},
			"purpose in capitals": {at("redirectTo", clientURL, "ticket", "VERIFYEMAIL:"+uuid), clientURL, "invalid-ticket"},
			"TOTP":                {at("redirectTo", clientURL, "ticket", "mfaTotp:"+uuid), clientURL, "invalid-ticket"},
			"otp":                 {at("redirectTo", clientURL, "ticket", "otp:"+uuid), clientURL, "invalid-ticket"},
			"redirect elsewhere":  {at("redirectTo", "https://evil.example/x", "ticket", "verifyEmail:"+uuid), clientURL, "redirectTo-not-allowed"},
			"redirect to nothing": {at("redirectTo", "x", "ticket", "verifyEmail:"+uuid), clientURL, "redirectTo-not-allowed"},
			"a script":            {at("redirectTo", "javascript:alert(1)", "ticket", "verifyEmail:"+uuid), clientURL, "redirectTo-not-allowed"},
			"error in redirectTo": {at("redirectTo", clientURL+"?error=mine", "ticket", "verifyEmail:"+uuid), clientURL, "invalid-ticket"},
		} {
			t.Run(method+" "+name, func(t *testing.T) { d.ask(t, method, c.path, nil).redirectsWith(t, status, c.to, c.id) })
		}
		for name, c := range map[string]struct{ path, field string }{
			"no ticket":           {at("redirectTo", clientURL), "ticket"},
			"empty ticket":        {at("redirectTo", clientURL, "ticket", ""), "ticket"},
			"a ticket of 129":     {at("redirectTo", clientURL, "ticket", "verifyEmail:"+strings.Repeat("x", 117)), "ticket"},
			"no redirectTo":       {at("ticket", "verifyEmail:"+uuid), "redirectTo"},
			"empty redirectTo":    {at("ticket", "verifyEmail:"+uuid, "redirectTo", ""), "redirectTo"},
			"two tickets":         {at("redirectTo", clientURL, "ticket", "verifyEmail:"+uuid, "ticket", "x"), "ticket"},
			"two redirects":       {at("redirectTo", clientURL, "redirectTo", clientURL, "ticket", "verifyEmail:"+uuid), "redirectTo"},
			"two challenges":      {at("redirectTo", clientURL, "ticket", "verifyEmail:"+uuid, "codeChallenge", "a", "codeChallenge", "a"), "codeChallenge"},
			"two types":           {at("redirectTo", clientURL, "ticket", "verifyEmail:"+uuid, "type", "a", "type", "a"), "type"},
			"a NUL in the ticket": {at("redirectTo", clientURL, "ticket", "verifyEmail:\x00"), "ticket"},
			"broken encoding":     {"/verify?redirectTo=" + clientURL + "&ticket=%zz", "query"},
			"a semicolon":         {"/verify?redirectTo=" + clientURL + ";ticket=x", "query"},
			"nothing":             {"/verify", "ticket"},
		} {
			t.Run(method+" "+name, func(t *testing.T) { d.knock(t, method, c.path, nil).invalid(t, c.field) })
		}
	}
	if head := d.knock(t, "HEAD", "/verify", nil); head.status != 400 || head.body != "" {
		t.Errorf("HEAD without a ticket: %s", head)
	}
	if head := d.ask(t, "HEAD", at("redirectTo", "https://evil.example", "ticket", "x"), nil); head.status != 200 {
		t.Errorf("HEAD with a redirect elsewhere: %s", head)
	}
	d.sameState(t, before, "refused visits")
	if n := strings.Count(d.Log.String(), `"code":"invalid-ticket"`); n < 10 {
		t.Errorf("the log has %d of the refusals that went out as redirects", n)
	}

	t.Run("the state of the account, with the ticket still good", func(t *testing.T) {
		for set, id := range map[string]string{"disabled = true": "disabled-user", "is_anonymous = true": "forbidden-anonymous"} {
			email := d.signUp(t, nil)
			link := pathOf(t, d.mail(t, email, "email-verify", 1))
			d.sql(t, `update auth.users set `+set+` where email = $1`, email)
			for _, more := range [][]with{{}, {browser()}} {
				d.ask(t, "GET", link, nil, more...).redirectsWith(t, 302, clientURL, id)
			}
			d.ask(t, "POST", link, nil).redirectsWith(t, 303, clientURL, id)
			d.sql(t, `update auth.users set disabled = false, is_anonymous = false where email = $1`, email)
			if _, q := d.ask(t, "GET", link, nil).redirect(t, 302); q.Get("refreshToken") == "" {
				t.Errorf("after %s the link leads to %v", set, q)
			}
		}
	})

	t.Run("only verifyEmail and its kin let an unverified user in", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", "/user/password/reset", fields{"email": p.email}).ok(t)
		link := pathOf(t, d.mail(t, p.email, "password-reset", 1))
		d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
		d.ask(t, "GET", link, nil).redirectsWith(t, 302, clientURL, "unverified-user")
	})

	t.Run("the link's type and other parameters mean nothing", func(t *testing.T) {
		email := d.signUp(t, nil)
		m := d.mail(t, email, "email-verify", 1)
		_, q := d.knock(t, "GET", "/verify?"+url.Values{"ticket": {m.Ticket}, "redirectTo": {clientURL}, "type": {"passwordReset"}, "purpose": {"x"}}.Encode(), nil).redirect(t, 302)
		if q.Get("type") != "verifyEmail" {
			t.Errorf("the link leads to %v", q)
		}
	})

	t.Run("the page speaks the reader's language", func(t *testing.T) {
		link := pathOf(t, d.mail(t, d.signUp(t, nil), "email-verify", 1))
		for accept, want := range map[string]string{
			"": "en", "fr-CH, fr;q=0.9": "fr", "de-AT": "de", "es": "es", "bg": "bg", "cs,en": "cs", "xx, de": "de", "zh": "en", "<script>": "en", strings.Repeat("x,", 5000) + "fr": "fr",
		} {
			a := d.ask(t, "GET", link, nil, browser(), header("Accept-Language", accept))
			if !strings.Contains(a.body, fmt.Sprintf(`<html lang="%s">`, want)) || strings.Contains(a.body, "<script") {
				t.Errorf("%q: %s", short(accept), a)
			}
		}
	})

	t.Run("without a client URL a redirect elsewhere is a 400", func(t *testing.T) {
		d.ask(t, "GET", at("redirectTo", "https://evil.example", "ticket", "x"), nil).redirectsWith(t, 302, clientURL, "redirectTo-not-allowed")
		bare := openDoor(t, map[string]string{"AUTH_CLIENT_URL": ""})
		where, _ := bare.ask(t, "GET", at("redirectTo", "https://evil.example", "ticket", "x"), nil).redirect(t, http.StatusFound)
		if !strings.HasSuffix(where, "/v1") {
			t.Errorf("without AUTH_CLIENT_URL a refused redirect leads to %s", where)
		}
	})
}

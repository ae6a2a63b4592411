package hasura_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/webhooks"
)

// postbox is a receiver of Supabase's hook send_email, in a program or in the database.
type postbox interface {
	uri() string
	ready(t testing.TB, d doorway)
	all(t testing.TB, d doorway) []map[string]any
}

const postboxSecret = "v1,whsec_TmV3LW5ldy1uZXctbmV3LW5ldy1uZXctbmV3LW5ldyE="

// program is one behind an address.
type program struct {
	*httptest.Server
	mu    sync.Mutex
	mails []map[string]any
	wrong []string
	says  func(n int, body map[string]any) (status int, answer string) // nil agrees
}

func newProgram(t testing.TB) *program {
	t.Helper()
	keys, err := webhooks.ParseAll(postboxSecret)
	if err != nil {
		t.Fatal(err)
	}
	p := &program{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err == nil {
			err = keys.Verify(r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), text, time.Now())
		}
		var body map[string]any
		if err == nil {
			err = json.Unmarshal(text, &body)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if err != nil {
			p.wrong = append(p.wrong, err.Error())
		}
		p.mails = append(p.mails, body)
		status, answer := 200, "{}"
		if p.says != nil {
			status, answer = p.says(len(p.mails), body)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, answer)
	}))
	t.Cleanup(func() {
		p.Close()
		if len(p.wrong) > 0 {
			t.Errorf("questions that a receiver would not take: %q", p.wrong)
		}
	})
	return p
}

func (p *program) uri() string               { return p.URL }
func (p *program) ready(testing.TB, doorway) {}

func (p *program) all(testing.TB, doorway) []map[string]any {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.mails)
}

// answers has the program answer otherwise from now on.
func (p *program) answers(says func(n int, body map[string]any) (int, string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.says, p.mails = says, nil
}

// procedure is one in the database.
type procedure struct{}

func (procedure) uri() string { return "pg-functions://postgres/app/send_email" }

func (procedure) ready(t testing.TB, d doorway) {
	t.Helper()
	d.sql(t, `create schema app; create table app.mails (id bigserial, event jsonb);
		create function app.send_email(event jsonb) returns jsonb language plpgsql as $$
		begin insert into app.mails (event) values (event); return '{}'; end $$;
		revoke execute on function app.send_email from public`)
}

func (procedure) all(t testing.TB, d doorway) []map[string]any {
	t.Helper()
	var list []map[string]any
	if err := json.Unmarshal([]byte(value[string](t, d, `select coalesce(jsonb_agg(event order by id), '[]')::text from app.mails`)), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// mailed is a mail as a receiver is told of it.
type mailed struct {
	user, data map[string]any
}

func (m mailed) text(name string) string { s, _ := m.data[name].(string); return s }

// link is what the receivers in Supabase's documentation make of it, without the server's address.
func (m mailed) link(t testing.TB) string {
	t.Helper()
	u, err := url.Parse(m.text("site_url"))
	if err != nil || u.Path != "/v1" {
		t.Fatalf("site_url is %q", m.text("site_url"))
	}
	return "/verify?token=" + m.text("token_hash") + "&type=" + m.text("email_action_type") + "&redirect_to=" + m.text("redirect_to")
}

// hooked is a house whose mails a receiver sends.
type hooked struct {
	doorway
	box  postbox
	seen map[string]bool
}

func openMailed(t testing.TB, box postbox, clock *stillClock, more ...string) hooked {
	t.Helper()
	settings := everyWayIn(map[string]string{
		"AUTH_HOOK_SEND_EMAIL_ENABLED": "true", "AUTH_HOOK_SEND_EMAIL_URI": box.uri(), "AUTH_HOOK_SEND_EMAIL_SECRETS": postboxSecret,
		"AUTH_SMTP_HOST": "", "AUTH_SMTP_SENDER": "", "AUTH_LINK_CONFIRMATION": "auto",
	})
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	h := hooked{doorway{testhouse.Open(t, settings, stopped(clock), through(vouching))}, box, map[string]bool{}}
	box.ready(t, h.doorway)
	return h
}

// mail waits for the first mail of a kind to a user that was not seen before.
func (h hooked) mail(t testing.TB, action, userEmail string) mailed {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		for _, body := range h.box.all(t, h.doorway) {
			m := mailed{}
			m.user, _ = body["user"].(map[string]any)
			m.data, _ = body["email_data"].(map[string]any)
			meta, _ := body["metadata"].(map[string]any)
			id, _ := meta["uuid"].(string)
			if m.text("email_action_type") != action || m.user["email"] != userEmail || h.seen[id] {
				continue
			}
			h.seen[id] = true
			if meta["name"] != "send-email" || meta["ip_address"] != "192.0.2.1" || len(m.data) != 11 {
				t.Errorf("told %v", body)
			}
			return m
		}
		value[int](t, h.doorway, `select 1 from pg_sleep(0.02)`)
	}
	t.Fatalf("no %s to %s in %v", action, userEmail, h.box.all(t, h.doorway))
	return mailed{}
}

// enters opens the link of a mail as scanners do, as a browser does and as somebody who presses the
// button, and gives the session; then the link is used up.
func (h hooked) enters(t testing.TB, m mailed, target string) fullSession {
	t.Helper()
	if m.text("redirect_to") != target || m.text("token_new") != "" || m.text("token_hash_new") != "" {
		t.Errorf("told %v", m.data)
	}
	link := m.link(t)
	before := h.state(t)
	for range 2 {
		if a := h.knock(t, "HEAD", link, nil); a.status != 200 {
			t.Errorf("HEAD: %s", a)
		}
		for _, more := range [][]with{{browser()}, {header("Purpose", "prefetch")}} {
			if a := h.knock(t, "GET", link, nil, more...); a.status != 200 || !strings.Contains(a.body, "<form") {
				t.Errorf("a browser gets %s", a)
			}
		}
	}
	h.sameState(t, before, "looking at the link")
	_, q := h.knock(t, "POST", link, nil).redirect(t, 303)
	s := h.knock(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).session(t)
	base, _, _ := strings.Cut(target, "?")
	h.knock(t, "GET", link, nil).redirectsWith(t, 302, base, "invalid-ticket")
	return s
}

// exchanges opens the link of a mail with PKCE, twice, and gives the session.
func (h hooked) exchanges(t testing.TB, m mailed, verifier string) fullSession {
	t.Helper()
	var code string
	for range 2 {
		_, q := h.knock(t, "GET", m.link(t), nil, browser()).redirect(t, 302)
		if code = q.Get("code"); code == "" {
			t.Fatalf("the link leads to %v", q)
		}
	}
	s := h.knock(t, "POST", "/token/exchange", fields{"code": code, "codeVerifier": verifier}).session(t)
	h.knock(t, "GET", m.link(t), nil).redirectsWith(t, 302, clientURL, "invalid-ticket")
	return s
}

// TestSendEmailHook has a receiver send every mail there is, and does with it what its reader would.
func TestSendEmailHook(t *testing.T) {
	t.Parallel()
	for name, box := range map[string]postbox{"program": newProgram(t), "procedure": procedure{}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := newStillClock()
			h := openMailed(t, box, clock)
			if strings.Contains(h.Log.String(), "no mail server") {
				t.Error("a warning that there is nobody to send")
			}
			h.linksAndCodes(t)
			h.notices(t, clock)
			want := "email_change email_changed_notification identity_linked_notification identity_unlinked_notification magiclink " +
				"mfa_factor_enrolled_notification mfa_factor_unenrolled_notification password_changed_notification phone_changed_notification " +
				"reauthentication recovery recovery_code_used_notification recovery_codes_renewed_notification signup token_created_notification"
			var got []string
			for _, body := range box.all(t, h.doorway) {
				data, _ := body["email_data"].(map[string]any)
				got = append(got, fmt.Sprint(data["email_action_type"]))
			}
			slices.Sort(got)
			if all := strings.Join(slices.Compact(got), " "); all != want {
				t.Errorf("the receiver was told of %s", all)
			}
		})
	}
}

func (h hooked) linksAndCodes(t *testing.T) {
	target := clientURL + "/back?a=1&b=2"
	email := h.signUp(t, fields{"options": fields{"redirectTo": target}})
	m := h.mail(t, "signup", email)
	if m.user["email_confirmed_at"] != nil || m.text("token") != "" {
		t.Errorf("told %v", m)
	}
	if s := h.enters(t, m, target); s.user["emailVerified"] != true {
		t.Errorf("user %v", s.user)
	}
	verifier, challenge := testhouse.Verifier()
	other := h.signUp(t, fields{"codeChallenge": challenge})
	h.exchanges(t, h.mail(t, "signup", other), verifier)

	h.ask(t, "POST", signInLink, fields{"email": email}).ok(t)
	h.enters(t, h.mail(t, "magiclink", email), clientURL)
	h.ask(t, "POST", signInLink, fields{"email": email, "codeChallenge": challenge}).ok(t)
	h.exchanges(t, h.mail(t, "magiclink", email), verifier)

	for _, typed := range []bool{true, false} { // the code and the link of one mail
		h.ask(t, "POST", askMail, fields{"email": email}).ok(t)
		m = h.mail(t, "magiclink", email)
		if len(m.text("token")) != 6 {
			t.Errorf("the code is %q", m.text("token"))
		}
		if typed {
			h.ask(t, "POST", typeMail, fields{"email": email, "otp": m.text("token")}).session(t)
			continue
		}
		h.enters(t, m, clientURL)
	}

	h.ask(t, "POST", "/user/password/reset", fields{"email": email}).ok(t)
	h.enters(t, h.mail(t, "recovery", email), clientURL)
	h.ask(t, "POST", "/user/password/reset", fields{"email": email, "codeChallenge": challenge}).ok(t)
	s := h.exchanges(t, h.mail(t, "recovery", email), verifier)

	h.ask(t, "POST", "/elevate/otp/email", nil, bearer(s.AccessToken)).ok(t)
	m = h.mail(t, "reauthentication", email)
	if m.text("token_hash") != "" || m.text("redirect_to") != "" {
		t.Errorf("told %v", m.data)
	}
	h.ask(t, "POST", "/elevate/otp/email/verify", fields{"otp": m.text("token")}, bearer(s.AccessToken)).session(t)

	fresh := newAddress()
	h.ask(t, "POST", "/user/email/change", fields{"newEmail": fresh}, bearer(s.AccessToken)).ok(t)
	m = h.mail(t, "email_change", email)
	if m.user["new_email"] != fresh {
		t.Errorf("told %v", m.user)
	}
	h.enters(t, m, clientURL)
	if m = h.mail(t, "email_changed_notification", fresh); m.text("old_email") != email || m.text("token_hash") != "" {
		t.Errorf("told %v", m.data)
	}
}

func (h hooked) notices(t *testing.T, clock *stillClock) {
	p := h.person(t)
	h.mail(t, "signup", p.email)
	told := func(action, member, value string) {
		t.Helper()
		m := h.mail(t, action, p.email)
		if member != "" && m.text(member) != value || m.text("token")+m.text("token_hash")+m.text("redirect_to") != "" {
			t.Errorf("%s: told %v", action, m.data)
		}
	}
	h.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(p.AccessToken)).ok(t)
	told("password_changed_notification", "", "")
	p.password = "another password"

	h.createPAT(t, p.AccessToken, fields{"expiresAt": clock.Now().Add(time.Hour).Format(time.RFC3339)})
	told("token_created_notification", "", "")

	id := h.addPasskey(t, p.AccessToken, device(), "")
	told("mfa_factor_enrolled_notification", "factor_type", "webauthn")
	h.ask(t, "DELETE", "/user/webauthn/"+id, nil, bearer(p.AccessToken)).ok(t)
	told("mfa_factor_unenrolled_notification", "factor_type", "webauthn")

	number := newNumber()
	h.ask(t, "POST", "/user/phone-number/change", fields{"newPhoneNumber": number}, bearer(p.AccessToken)).ok(t)
	h.ask(t, "POST", "/user/phone-number/change/verify", fields{"newPhoneNumber": number, "otp": h.textedCode(t, number, 1)}, bearer(p.AccessToken)).ok(t)
	told("phone_changed_notification", "old_phone", "")
	later := newNumber()
	h.ask(t, "POST", "/user/phone-number/change", fields{"newPhoneNumber": later}, bearer(p.AccessToken)).ok(t)
	h.ask(t, "POST", "/user/phone-number/change/verify", fields{"newPhoneNumber": later, "otp": h.textedCode(t, later, 1)}, bearer(p.AccessToken)).ok(t)
	told("phone_changed_notification", "old_phone", number[1:])

	e := providerDoor{h.doorway, vouching}
	func() {
		atVouching.Lock()
		defer atVouching.Unlock()
		e.links(t, "github", p.fullSession, someone())
	}()
	told("identity_linked_notification", "provider", "github")
	h.ask(t, "DELETE", "/user/providers/"+e.identities(t, p.fullSession)[0].ID, nil, bearer(p.AccessToken)).ok(t)
	told("identity_unlinked_notification", "provider", "github")

	a := h.turnOn(t, p, clock)
	told("mfa_factor_enrolled_notification", "factor_type", "totp")
	codes := h.recoveryCodes(t, p.AccessToken, a.code(t))
	told("recovery_codes_renewed_notification", "", "")
	s := h.second(t, h.halfway(t, p), codes[0]).session(t)
	told("recovery_code_used_notification", "", "")
	h.ask(t, "POST", "/user/mfa", fields{"code": a.code(t), "activeMfaType": ""}, bearer(s.AccessToken)).ok(t)
	told("mfa_factor_unenrolled_notification", "factor_type", "totp")
}

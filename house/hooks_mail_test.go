package house_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/emails"
	"postern/hooks"
	"postern/hooks/supabase"
	"postern/internal/testhouse"
)

// TestEveryMailHasAWord tells a receiver of every template there is.
func TestEveryMailHasAWord(t *testing.T) {
	t.Parallel()
	h, told := hooks.New(), notes{}
	if err := supabase.Bind(h, supabase.SendEmail, told, "https://auth.example.com"); err != nil {
		t.Fatal(err)
	}
	words := map[string]string{}
	for _, template := range emails.Templates() {
		if template == emails.SignInSMS {
			continue // it is no mail
		}
		e := hooks.MailDue{Event: hooks.Event{ID: template}, Template: template, To: "jane@example.com"}
		if err := h.MailDue.Ask(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		var body struct {
			Mail map[string]string `json:"email_data"`
		}
		if err := json.Unmarshal(told[template], &body); err != nil || body.Mail["email_action_type"] == "" {
			t.Errorf("%s is told as %s", template, told[template])
		}
		words[body.Mail["email_action_type"]] += template + " "
	}
	for word, templates := range words {
		if shared := strings.Fields(templates); len(shared) > 1 && word != "magiclink" && !strings.HasPrefix(word, "mfa_factor_") {
			t.Errorf("%s stands for %v", word, shared)
		}
	}
}

// notes keep what was asked, by the id of the event.
type notes map[string][]byte

func (n notes) Run(_ context.Context, c hooks.Call) (hooks.Answer, error) {
	n[c.ID] = c.Body
	return hooks.Answer{Status: 204}, nil
}

// mailing are the settings of a house without a mail server.
func mailing(uri string) map[string]string {
	all := hook(supabase.SendEmail, uri)
	all["AUTH_SMTP_HOST"], all["AUTH_SMTP_SENDER"], all["AUTH_EMAIL_PASSWORDLESS_ENABLED"] = "", "", "true"
	return all
}

func asksForLink(t testing.TB, h *testhouse.House, email string) reply {
	t.Helper()
	return post(t, h, "/signin/passwordless/email", fmt.Sprintf(`{"email":%q}`, email))
}

func TestSendEmail(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.SendEmail)
	h := testhouse.Open(t, mailing(r.URL))
	for _, tt := range []struct {
		answer        http.HandlerFunc
		status        int
		code, message string
	}{
		{says(200, `{"error":{"http_code":429,"message":"No more mails today"}}`), 429, "hook-denied", "No more mails today"},
		{says(200, `{"error":{"message":"Resend is down"}}`), 500, "hook-denied", "Resend is down"},
		{says(401, `{"error":{"http_code":401,"message":"No matching signature"}}`), 500, "hook-failed", failed},
		{says(500, `{}`), 500, "hook-failed", failed},
		{says(200, `thanks`), 500, "hook-failed", failed},
		{waits, 500, "hook-failed", failed},
	} {
		r.says(tt.answer)
		asksForLink(t, h, "jane@example.com").turnedAway(t, tt.status, tt.code, tt.message)
		if users(t, h, "jane@example.com") {
			t.Fatal("somebody was made who was sent no link")
		}
	}
	r.says(says(200, `{}`))
	if got := asksForLink(t, h, "jane@example.com"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	mail, _ := r.only(t)["email_data"].(map[string]any)
	if mail["site_url"] != h.Kit.Policy.ServerURL || mail["email_action_type"] != "magiclink" {
		t.Errorf("told %v", mail)
	}
	resp, _ := h.Do(t, http.MethodGet, fmt.Sprintf("/verify?token=%s&type=%s&redirect_to=%s", mail["token_hash"], mail["email_action_type"], mail["redirect_to"]), "")
	_ = resp.Body.Close() // read already
	if to := resp.Header.Get("Location"); !strings.HasPrefix(to, "https://app.example.com?refreshToken=") {
		t.Errorf("the link leads to %q", to)
	}
	for _, secret := range []string{newSecret, oldSecret, fmt.Sprint(mail["token_hash"])} {
		if strings.Contains(h.Log.String(), secret) {
			t.Errorf("the log has %s", secret)
		}
	}
}

func TestSendEmailInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, mailing("pg-functions://postgres/app/hook"))
	asksForLink(t, h, "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	function(t, h, `return '{"error":{"http_code":403,"message":"Not there"}}';`)
	asksForLink(t, h, "jane@example.com").turnedAway(t, 403, "hook-denied", "Not there")
	function(t, h, `raise exception 'Too many' using errcode = 'PT429';`)
	asksForLink(t, h, "jane@example.com").turnedAway(t, 429, "hook-denied", "Too many")
	function(t, h, `perform pg_sleep(20); return null;`)
	asksForLink(t, h, "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	function(t, h, `return null;`)
	if got := asksForLink(t, h, "jane@example.com"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
}

package gotrue_test

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"postern/internal/testhouse"
	"postern/internal/testmail"
)

// inTheirNames are settings in GoTrue's names alone.
func inTheirNames(more map[string]string) func(string, *testmail.Server) map[string]string {
	return func(database string, mail *testmail.Server) map[string]string {
		env := map[string]string{
			"GOTRUE_DB_DRIVER": "postgres", "DATABASE_URL": database, "GOTRUE_JWT_SECRET": "7c1f0a9be2d84c35a6f7918b2e4d0c63", "GOTRUE_JWT_EXP": "1800",
			"GOTRUE_SITE_URL": "https://app.example.com", "API_EXTERNAL_URL": "https://api.example.com", "PORT": "0",
			"GOTRUE_SMTP_HOST": mail.Host, "GOTRUE_SMTP_PORT": strconv.Itoa(mail.Port), "GOTRUE_SMTP_ADMIN_EMAIL": "auth@example.com", "GOTRUE_SMTP_SENDER_NAME": "Example",
		}
		maps.Copy(env, more)
		return env
	}
}

// visit asks at a path of the server, below no prefix.
func visit(t testing.TB, h *testhouse.House, method, path, body string) answer {
	t.Helper()
	resp, got := h.Do(t, method, path, body)
	defer resp.Body.Close()
	return answer{resp.StatusCode, resp.Header, got}
}

func TestAProcessConfiguredWithGoTruesNamesAloneServes(t *testing.T) {
	t.Parallel()
	h := testhouse.Alone(t, inTheirNames(nil))
	const person = `{"email":"ada@example.com","password":"correct horse"}`
	for _, at := range []string{"", "/auth/v1"} { // GoTrue is at /, and a gateway may take off nothing
		if r := visit(t, h, "GET", at+"/health", ""); r.status != 200 || !strings.Contains(r.body, `"name":"GoTrue"`) {
			t.Errorf("GET %s/health: %d %s", at, r.status, r.body)
		}
		if r := visit(t, h, "GET", at+"/settings", ""); r.status != 200 || !strings.Contains(r.body, `"mailer_autoconfirm":false`) {
			t.Errorf("GET %s/settings: %d %s", at, r.status, r.body)
		}
	}
	if r := visit(t, h, "POST", "/signup", person); r.status != 200 {
		t.Fatalf("sign-up: %d %s", r.status, r.body)
	}
	mail := h.Mail.Wait(t, "ada@example.com", 1)[0]
	link, ok := strings.CutPrefix(mail.Link, "https://api.example.com")
	if !ok || !strings.HasPrefix(link, "/verify?token=") || !strings.Contains(mail.From, "auth@example.com") {
		t.Errorf("mail from %s with the link %s", mail.From, mail.Link)
	}
	if r := visit(t, h, "GET", link, ""); r.status != 303 || !strings.HasPrefix(r.header.Get("Location"), "https://app.example.com#access_token=") {
		t.Errorf("the link of the mail: %d %s %s", r.status, r.header.Get("Location"), r.body)
	}
	if r := visit(t, h, "POST", "/token?grant_type=password", person); r.status != 200 || !strings.Contains(r.body, `"expires_in":1800`) {
		t.Errorf("sign-in: %d %s", r.status, r.body)
	}
	for path, want := range map[string]int{"/healthz": 200, "/v1/signin/email-password": 404, "/signin/email-password": 404, "/nothing": 404} {
		if r := visit(t, h, "GET", path, ""); r.status != want {
			t.Errorf("GET %s: %d %s, want %d", path, r.status, r.body, want)
		}
	}
}

// Beside the door of Hasura Auth the one of GoTrue is at its prefix alone.
func TestGoTrueIsAtTheRootOnlyWithoutHasuraAuth(t *testing.T) {
	t.Parallel()
	h := testhouse.Alone(t, inTheirNames(map[string]string{"AUTH_HASURA_API_ENABLED": "true"}))
	if r := visit(t, h, "GET", "/auth/v1/settings", ""); r.status != 200 {
		t.Errorf("GET /auth/v1/settings: %d %s", r.status, r.body)
	}
	if r := visit(t, h, "GET", "/settings", ""); r.status != 404 {
		t.Errorf("GET /settings: %d %s, want 404", r.status, r.body)
	}
	if r := visit(t, h, "GET", "/version", ""); r.status != 200 {
		t.Errorf("GET /version of Hasura Auth's door: %d %s", r.status, r.body)
	}
}

// An operator who closed the way in by e-mail (GOTRUE_EXTERNAL_EMAIL_ENABLED) finds it closed everywhere.
func TestWithoutEmailNobodyComesInByOne(t *testing.T) {
	t.Parallel()
	d := door{testhouse.Alone(t, inTheirNames(map[string]string{"GOTRUE_EXTERNAL_EMAIL_ENABLED": "false"}))}
	for path, status := range map[string]int{"/signup": 400, "/token?grant_type=password": 422, "/otp": 422, "/magiclink": 422, "/recover": 422, "/resend": 400} {
		a := d.ask(t, "POST", path, `{"email":"ada@example.com","password":"correct horse","type":"signup"}`)
		if a.status != status || a.code(t) != "email_provider_disabled" {
			t.Errorf("%s: %d %s, want %d", path, a.status, a.body, status)
		}
	}
	if external := d.ok(t, "GET", "/settings", "")["external"].(map[string]any); external["email"] != false {
		t.Errorf("settings say %v", external["email"])
	}
}

// What operators of GoTrue say of mails holds for the mails of this door: the subject, the template and where its link leads.
func TestTrap09MailsHaveTheWordsAndThePathsOfTheOperator(t *testing.T) {
	t.Parallel()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `<p>Dear {{ .Data.first_name }}, {{ .Token }}</p><a href="{{ .ConfirmationURL }}">Confirm</a>`)
	}))
	t.Cleanup(site.Close)
	d := door{testhouse.Alone(t, inTheirNames(map[string]string{
		"API_EXTERNAL_URL": "https://api.example.com/auth/v1", "GOTRUE_MAILER_SUBJECTS_CONFIRMATION": "Hello {{ .Data.first_name }}",
		"GOTRUE_MAILER_TEMPLATES_CONFIRMATION": site.URL + "/confirm.html", "GOTRUE_MAILER_URLPATHS_CONFIRMATION": "/elsewhere/verify",
	}))}
	d.ok(t, "POST", "/signup", `{"email":"ada@example.com","password":"correct horse","data":{"first_name":"Ada","app_metadata":{"x":1}}}`)
	m := d.Mail.Wait(t, "ada@example.com", 1)[0]
	if m.Subject != "Hello Ada" || !strings.Contains(m.HTML, "Dear Ada, ") || !strings.Contains(m.HTML, `href="https://api.example.com/elsewhere/verify?token=`) {
		t.Errorf("subject %q\n%s", m.Subject, m.HTML)
	}
	d.ok(t, "POST", "/recover", `{"email":"ada@example.com"}`)
	if m := d.Mail.Wait(t, "ada@example.com", 2)[1]; !strings.HasPrefix(m.Link, "https://api.example.com/auth/v1/verify?token=") {
		t.Errorf("a link without a path of its own is %s", m.Link)
	}
}

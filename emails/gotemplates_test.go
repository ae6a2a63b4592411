package emails_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"postern/emails"
)

// words are the settings of one test: GoTrue's templates by variable.
func words(t *testing.T, said map[string]string) emails.Settings {
	t.Helper()
	s := emails.Settings{GoTrue: emails.GoSettings{MaxSize: 4096, MaxAge: 10 * time.Minute, Retry: 10 * time.Second}}
	s.GoTrue.Declare(nil, func(tags reflect.StructTag, into any) {
		if v, ok := said[strings.TrimPrefix(tags.Get("env"), "AUTH_GOTRUE_MAIL_")]; ok {
			*into.(*string) = v
		}
	})
	return s
}

// site serves one template, and counts who asks.
type site struct {
	*httptest.Server
	asked  atomic.Int64
	answer atomic.Value // func(http.ResponseWriter)
}

func newSite(t *testing.T, text string) *site {
	t.Helper()
	s := &site{}
	s.says(text)
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		s.asked.Add(1)
		s.answer.Load().(func(http.ResponseWriter))(w)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *site) says(text string) {
	s.answer.Store(func(w http.ResponseWriter) { _, _ = fmt.Fprint(w, text) })
}

func (s *site) fails() {
	s.answer.Store(func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadGateway) })
}

func confirmation(site string) emails.Message {
	return emails.Message{
		ID: "1", To: "ada@example.com", Template: emails.EmailVerify, Locale: "en",
		Variables: map[string]string{
			"link": "https://api.example.com/verify?token=verifyEmail:1&type=signup", "ticket": "verifyEmail:1", "code": "482913", "email": "ada@example.com",
			"clientUrl": site, "redirectTo": "https://app.example.com/welcome", "displayName": "Ada",
		},
		Own: &emails.Own{Data: []byte(`{"first_name":"Ada <b>Lovelace","links":["see https://evil.example"],"n":7}`)},
	}
}

func render(t *testing.T, m *emails.Mailer, msg emails.Message) emails.Rendered {
	t.Helper()
	out, err := m.Renderer.Render(t.Context(), msg)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func openAt(t *testing.T, s emails.Settings, now func() time.Time) *emails.Mailer {
	t.Helper()
	m, err := emails.Open(s, "en", now)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestGoTemplatesSayWhatGoTruesSay(t *testing.T) {
	t.Parallel()
	s := newSite(t, `<p>{{ .Data.first_name }}|{{ .Token }}|{{ .TokenHash }}|{{ .SiteURL }}|{{ .Email }}|{{ .RedirectTo }}|{{ .SendingTo }}|{{ .Data.missing }}|{{ .Data.n }}|{{ index .Data.links 0 }}</p><a href="{{ .ConfirmationURL }}">go</a>`)
	m := openAt(t, words(t, map[string]string{"SUBJECT_CONFIRMATION": "{{ .Token }} for {{ .Data.first_name }} & co", "TEMPLATE_CONFIRMATION": "/mails/confirm.html"}), time.Now)
	out := render(t, m, confirmation(s.URL))
	want := `<p>Ada &lt;b&gt;Lovelace|482913|verifyEmail:1|` + s.URL + `|ada@example.com|https://app.example.com/welcome|ada@example.com||7|see https:` + "\u200a" + `/` + "\u200a" + `/` + "\u200a" + `evil.` + "\u200a" + `example</p><a href="https://api.example.com/verify?token=verifyEmail:1&amp;type=signup">go</a>`
	if out.HTML != want {
		t.Errorf("got  %s\nwant %s", out.HTML, want)
	}
	if out.Subject != "482913 for Ada <b>Lovelace & co" || out.Source != "gotrue" || !strings.Contains(out.Text, "482913") || len(out.Warnings) != 0 {
		t.Errorf("subject %q, source %s, text %q, warnings %v", out.Subject, out.Source, out.Text, out.Warnings)
	}
	other := confirmation(s.URL)
	other.Own = nil // of another dialect
	if out := render(t, m, other); out.Source != "built-in" {
		t.Errorf("a mail of the other dialect comes from %s", out.Source)
	}
}

func TestGoSubjectsAlone(t *testing.T) {
	t.Parallel()
	m := openAt(t, words(t, map[string]string{"SUBJECT_CONFIRMATION": "Welcome\r\nBcc: {{ .Email }}"}), time.Now)
	out := render(t, m, confirmation("https://app.example.com"))
	if out.Subject != "Welcome Bcc: ada@example.com" || out.Source != "built-in" || !strings.Contains(out.HTML, "482913") {
		t.Errorf("subject %q, source %s", out.Subject, out.Source)
	}
}

// A copy is used while it is young; with a failure behind it the old one stands, and the server is left alone for a while.
func TestGoTemplatesAreCached(t *testing.T) {
	t.Parallel()
	s := newSite(t, "first {{ .Token }}")
	at := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	m := openAt(t, words(t, map[string]string{"TEMPLATE_CONFIRMATION": "/c.html"}), func() time.Time { return at })
	step := func(what string, ahead time.Duration, want string, asked int64) {
		t.Helper()
		at = at.Add(ahead)
		if out := render(t, m, confirmation(s.URL)); !strings.HasPrefix(out.HTML, want) || s.asked.Load() != asked {
			t.Errorf("%s: %.40q after %d requests, want %q after %d", what, out.HTML, s.asked.Load(), want, asked)
		}
	}
	step("at first", 0, "first", 1)
	s.says("second {{ .Token }}")
	step("young", 9*time.Minute, "first", 1)
	step("old", 2*time.Minute, "second", 2)
	s.fails()
	step("old, and the server is down", 11*time.Minute, "second", 3)
	step("a moment later", 5*time.Second, "second", 3)
	s.says("third {{ .Token }}")
	step("when the pause is over", 10*time.Second, "third", 4)
}

func TestGoTemplatesThatCannotBeUsedFallBack(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"does not parse": "{{ .Token", "cannot be filled in": `{{ template "none" }}`, "is too large": strings.Repeat("x", 5000),
		"never ends": "{{ range 1000000000 }}xxxxxxxxxxxxxxxx{{ end }}", "says nothing": " \n", "calls what is not there": "{{ .Data.n.Exec }}",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, text)
			m := openAt(t, words(t, map[string]string{"SUBJECT_CONFIRMATION": "mine", "TEMPLATE_CONFIRMATION": s.URL + "/c.html?key=s3cret"}), time.Now)
			out := render(t, m, confirmation("https://app.example.com"))
			if out.Source != "built-in" || out.Subject == "mine" || !strings.Contains(out.HTML, "482913") || len(out.Warnings) != 1 {
				t.Fatalf("source %s, subject %q, warnings %v", out.Source, out.Subject, out.Warnings)
			}
			if w := out.Warnings[0].Error(); strings.Contains(w, "s3cret") || strings.Contains(w, "Lovelace") {
				t.Errorf("the warning tells too much: %s", w)
			}
		})
	}
}

func TestGoTemplatesWhoseServerIsDownFallBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, "")
	s.fails()
	m := openAt(t, words(t, map[string]string{"TEMPLATE_CONFIRMATION": s.URL}), time.Now)
	for range 3 {
		if out := render(t, m, confirmation(s.URL)); out.Source != "built-in" || len(out.Warnings) != 1 {
			t.Errorf("source %s, warnings %v", out.Source, out.Warnings)
		}
	}
	if n := s.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
}

func TestGoSubjectsAreCheckedAtStart(t *testing.T) {
	t.Parallel()
	s := words(t, map[string]string{"SUBJECT_INVITE": "{{ .Email"})
	var got []string
	s.GoTrue.Check(func(env, _ string) { got = append(got, env) })
	if len(got) != 1 || got[0] != "AUTH_GOTRUE_MAIL_SUBJECT_INVITE" {
		t.Errorf("reported %q", got)
	}
}

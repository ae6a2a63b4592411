package emails

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// write puts a file of a template into a folder.
func write(t *testing.T, dir, path, text string) {
	t.Helper()
	full := filepath.Join(dir, filepath.FromSlash(path))
	if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(full, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func writeMail(t *testing.T, dir, locale, name string) {
	t.Helper()
	write(t, dir, locale+"/"+name+"/subject.txt", "\n own "+locale+" "+name+" \n")
	write(t, dir, locale+"/"+name+"/body.html", "<p>own "+locale+" "+name+" ${locale}</p>")
}

// Hasura Auth sent the verification mail instead of any mail it had no translation of.
func TestWeakness37MissingLocaleFallsBackToSameTemplate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	writeMail(t, dir, "en", EmailVerify)
	writeMail(t, dir, "en", PasswordReset)
	writeMail(t, dir, "de", EmailVerify)
	writeMail(t, dir, "it", SignInOTP)
	tests := []struct {
		name, template, locale, byDefault string
		subject, used, source             string
	}{
		{"the own one", EmailVerify, "de", "en", "own de email-verify", "de", "directory"},
		{"same template, default locale", PasswordReset, "de", "en", "own en password-reset", "en", "directory"},
		{"its language", EmailVerify, "de-AT", "en", "own de email-verify", "de", "directory"},
		{"no locale given", PasswordReset, "", "en", "own en password-reset", "en", "directory"},
		{"not in the folder at all", EmailChanged, "fr", "en", "L’adresse e-mail de votre compte a été modifiée", "fr", "built-in"},
		{"not in the folder in these", SignInOTP, "es", "en", "492013 es tu código de acceso", "es", "built-in"},
		{"unknown everywhere", SignInOTP, "xx", "it", "own it signin-otp", "it", "directory"},
		{"default locale nobody has", EmailChanged, "xx", "zz", "The e-mail address of your account was changed", "en", "built-in"},
		{"a path is no locale", PasswordReset, "../de", "en", "own en password-reset", "en", "directory"},
	}
	for _, test := range tests {
		r := &Renderer{Directory: dir, DefaultLocale: test.byDefault}
		out, err := r.Render(t.Context(), Message{Template: test.template, Locale: test.locale, Variables: sample(test.template)})
		if err != nil || len(out.Warnings) > 0 {
			t.Errorf("%s: %v %v", test.name, err, out.Warnings)
			continue
		}
		got := []string{out.Subject, out.Locale, out.Source}
		if d := cmp.Diff([]string{test.subject, test.used, test.source}, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", test.name, d)
		}
		if out.Source == "directory" && !strings.Contains(out.HTML, " "+test.used+"</p>") {
			t.Errorf("%s: ${locale} in %q is not %s", test.name, out.HTML, test.used)
		}
	}
}

func TestPathsDoNotLeaveTheFolder(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	writeMail(t, root, "secret", EmailVerify)
	dir := filepath.Join(root, "templates")
	writeMail(t, dir, "en", EmailVerify)
	r := &Renderer{Directory: dir}
	for _, locale := range []string{"../secret", "..", ".", "/etc", "en/../../secret", "..\\secret", "en\x00", "%2e%2e/secret", strings.Repeat("e", 300)} {
		out, err := r.Render(t.Context(), Message{Template: EmailVerify, Locale: locale})
		if err != nil || out.Subject != "own en email-verify" {
			t.Errorf("%.20q: %q, %v", locale, out.Subject, err)
		}
	}
	for _, name := range []string{"../secret/email-verify", "..", "", "a/b", "email-verify\x00", strings.Repeat("a", 65)} {
		if _, err := r.Render(t.Context(), Message{Template: name}); !IsPermanent(err) {
			t.Errorf("template %.20q: got %v, want a permanent refusal", name, err)
		}
	}
}

func TestEditsCountAtTheNextMail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	r := &Renderer{Directory: dir}
	render := func() Rendered {
		t.Helper()
		out, err := r.Render(t.Context(), Message{Template: EmailVerify, Variables: sample(EmailVerify)})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := render(); got.Source != "built-in" {
		t.Errorf("empty folder: %s", got.Source)
	}
	writeMail(t, dir, "en", EmailVerify)
	if got := render(); got.Subject != "own en email-verify" {
		t.Errorf("first edit: %q", got.Subject)
	}
	write(t, dir, "en/email-verify/subject.txt", "new")
	if got := render(); got.Subject != "new" {
		t.Errorf("second edit: %q", got.Subject)
	}
	write(t, dir, "en/email-verify/subject.txt", "broken ${link")
	got := render()
	if got.Subject != "new" || len(got.Warnings) != 1 || !strings.Contains(got.Warnings[0].Error(), "en/email-verify/subject.txt:1") {
		t.Errorf("broken edit: %q, %v", got.Subject, got.Warnings)
	}
	if err := r.Check(); err == nil || !strings.Contains(err.Error(), "en/email-verify/subject.txt:1: ${ is not closed") {
		t.Errorf("check: %v", err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "en")); err != nil {
		t.Fatal(err)
	}
	if got := render(); got.Source != "built-in" {
		t.Errorf("after removal: %s", got.Source)
	}
}

func TestTextPartOfTemplatesThatHaveNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "en/email-verify/subject.txt", "s")
	write(t, dir, "en/email-verify/body.html", `<!DOCTYPE html><html><head><title>T</title><style>p{}</style></head><body>
<h1>Hello   ${email}</h1><p>Tom &amp; Jerry<br>second line</p>
<table><tr><td>a</td><td>b</td></tr></table><ul><li>one</li><li>two</li></ul>
<p><a href="${link}">Confirm</a></p><p><a href="${link}">${link}</a></p><script>x</script><!-- c --></body></html>`)
	out, err := (&Renderer{Directory: dir}).Render(t.Context(), Message{Template: EmailVerify, Variables: map[string]string{
		"email": "a@b.example", "link": "https://a.example/?b=c&d=e",
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := "Hello a@b.example\n\nTom & Jerry\nsecond line\n\na b\n\none\n\ntwo\n\nConfirm https://a.example/?b=c&d=e\n\nhttps://a.example/?b=c&d=e\n"
	if d := cmp.Diff(want, out.Text); d != "" {
		t.Errorf("text (-want +got):\n%s", d)
	}
}

func TestFolderThatIsHalfThere(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "en/email-verify/body.html", "<p>no subject</p>")
	out, err := (&Renderer{Directory: dir}).Render(t.Context(), Message{Template: EmailVerify, Variables: sample(EmailVerify)})
	if err != nil || out.Source != "built-in" || len(out.Warnings) != 1 {
		t.Errorf("got %s, %v, %v; want the built-in mail and a warning", out.Source, out.Warnings, err)
	}
	for _, missing := range []string{filepath.Join(dir, "nowhere"), ""} {
		r := &Renderer{Directory: missing}
		if err := r.Check(); err != nil {
			t.Errorf("%q: %v", missing, err)
		}
		if out, err := r.Render(t.Context(), Message{Template: EmailVerify}); err != nil || len(out.Warnings) > 0 {
			t.Errorf("%q: %v %v", missing, err, out.Warnings)
		}
	}
}

func TestTextMessage(t *testing.T) {
	t.Parallel()
	out, err := (&Renderer{}).Render(t.Context(), Message{Template: SignInSMS, Locale: "de", Variables: map[string]string{"code": "123456"}})
	if err != nil {
		t.Fatal(err)
	}
	if out.Text != "123456 ist Ihr Anmeldecode. Geben Sie ihn nicht weiter.\n" || out.HTML != "" || out.Subject != "" {
		t.Errorf("got %+v", out)
	}
}

// Templates of Hasura Auth say ${ticket} where the code belongs.
func TestCodeGoesByBothNames(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "en/signin-otp/subject.txt", "${ticket} ${code}")
	write(t, dir, "en/signin-otp/body.html", "${ticket} ${code}")
	for _, name := range []string{"ticket", "code"} {
		out, err := (&Renderer{Directory: dir}).Render(t.Context(), Message{Template: SignInOTP, Variables: map[string]string{name: "123456"}})
		if err != nil || out.Subject != "123456 123456" || out.HTML != out.Subject {
			t.Errorf("%s: %q %q %v", name, out.Subject, out.HTML, err)
		}
	}
	both := map[string]string{"code": "123456", "ticket": "passwordlessEmail:1"} // of the link beside the code
	out, err := (&Renderer{Directory: dir}).Render(t.Context(), Message{Template: SignInOTP, Variables: both})
	if err != nil || out.Subject != "123456 123456" {
		t.Errorf("with a link: %q %v", out.Subject, err)
	}
}

// Each mail says what it is for, and only that.
func TestEveryMailHasItsPoint(t *testing.T) {
	t.Parallel()
	for _, name := range Templates() {
		for _, locale := range []string{"bg", "cs", "de", "en", "es", "fr"} {
			values := sample(name)
			out, err := (&Renderer{}).Render(t.Context(), Message{Template: name, Locale: locale, Variables: values})
			if err != nil || out.Locale != locale {
				t.Fatalf("%s %s: %v, locale %s", name, locale, err, out.Locale)
			}
			if strings.Contains(out.HTML+out.Text+out.Subject, "${") {
				t.Errorf("%s %s has a placeholder left", name, locale)
			}
			if code := values["code"]; code != "" && !strings.Contains(out.Text, code) {
				t.Errorf("%s %s: the text has no code", name, locale)
			}
			link := values["link"]
			if link == "" {
				continue
			}
			escaped := strings.ReplaceAll(link, "&", "&amp;")
			if strings.Count(out.HTML, `href="`+escaped+`"`) != 2 || !strings.Contains(out.HTML, ">"+escaped+"</a>") || !strings.Contains(out.Text, "\n"+link+"\n") {
				t.Errorf("%s %s: link is not there as a button, as text and in the text part", name, locale)
			}
		}
	}
}

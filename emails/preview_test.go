package emails

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func TestPreviewShowsEveryMail(t *testing.T) {
	t.Parallel()
	var page bytes.Buffer
	if err := (&Renderer{}).Preview(t.Context(), &page); err != nil {
		t.Fatal(err)
	}
	if to := os.Getenv("PREVIEW"); to != "" {
		if err := os.WriteFile(to, page.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range Templates() {
		for _, l := range []string{"bg", "cs", "de", "en", "es", "fr"} {
			if !strings.Contains(page.String(), `<article id="`+name+"-"+l+`">`) {
				t.Errorf("%s in %s is missing", name, l)
			}
		}
	}
	if strings.Contains(page.String(), `class="bad"`) {
		t.Error("the page reports a problem")
	}
	if strings.Contains(page.String(), "ZgotmplZ") {
		t.Error("the page has a value that html/template refused")
	}
}

// A notice asks for nothing: it has no link and no code, so that nobody learns to click in one.
func TestNoticesHaveNoLink(t *testing.T) {
	t.Parallel()
	for _, name := range Notices() {
		for _, l := range []string{"bg", "cs", "de", "en", "es", "fr"} {
			out, err := (&Renderer{}).Render(t.Context(), Message{Template: name, Locale: l, Variables: map[string]string{"email": "ada@example.org"}})
			if err != nil {
				t.Fatal(err)
			}
			if out.Locale != l || strings.Contains(out.HTML, "href=") || strings.Contains(out.Text, "://") {
				t.Errorf("%s in %s has a link:\n%s", name, l, out.Text)
			}
			if name != EmailChanged && !strings.Contains(out.Text, "ada@example.org") {
				t.Errorf("%s in %s does not say whose account it is:\n%s", name, l, out.Text)
			}
		}
	}
}

// The mail with a code has the code where it is seen first and the link beside it; without a link
// nothing of the button stays.
func TestMailedCodeStandsBesideTheLink(t *testing.T) {
	t.Parallel()
	for _, link := range []string{"", "https://auth.example.com/v1/verify?ticket=passwordlessEmail%3A1"} {
		out, err := (&Renderer{}).Render(t.Context(), Message{Template: SignInOTP, Variables: map[string]string{
			"email": "ada@example.org", "code": "492013", "ticket": "passwordlessEmail:1", "link": link,
		}})
		if err != nil {
			t.Fatal(err)
		}
		code, href := strings.Index(out.HTML, ">492013<"), strings.Index(out.HTML, `<a href="https://auth`)
		if !strings.HasPrefix(out.Subject, "492013 ") || code < 0 || !strings.Contains(out.Text, "\n    492013\n") {
			t.Errorf("the code is hard to find:\n%s\n%s", out.Subject, out.Text)
		}
		if (href > code) != (link != "") || strings.Contains(out.Text, "://") != (link != "") {
			t.Errorf("link %q: the mail is\n%s", link, out.Text)
		}
	}
}

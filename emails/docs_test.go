package emails

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// block is a piece of code on the page, below a comment that says what it is.
var block = regexp.MustCompile("(?s)<!-- ([^\n]*) -->\n\n```[a-z]*\n(.*?)```")

// operatorsPage is what operators read about mails.
func operatorsPage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile("../docs/emails.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

func TestTheExampleOnThePageMakesTheMailOnThePage(t *testing.T) {
	t.Parallel()
	dir, shown, written := t.TempDir(), map[string]string{}, 0
	for _, b := range block.FindAllStringSubmatch(operatorsPage(t), -1) {
		if file, isFile := strings.CutPrefix(b[1], "file: "); isFile {
			write(t, dir, file, b[2])
			written++
			continue
		}
		shown[b[1]] = b[2]
	}
	if written != 2 {
		t.Fatalf("the page has %d files of a template, want a subject and a body", written)
	}
	r := &Renderer{Directory: dir}
	out, err := r.Render(t.Context(), Message{Template: PasswordReset, Variables: map[string]string{
		"link":        "https://auth.example.com/v1/verify?ticket=passwordReset%3A4b1d&type=passwordReset",
		"displayName": "Tom & Co", "email": "tom+test@example.org", "clientUrl": "https://app.example.com",
	}})
	if err != nil || len(out.Warnings) > 0 || out.Source != "directory" {
		t.Fatalf("from %s: %v %v", out.Source, err, out.Warnings)
	}
	got := map[string]string{"subject": out.Subject, "html": out.HTML, "text": out.Text}
	want := map[string]string{"subject": "A new password for tom+test@example.org", "html": shown["html"], "text": shown["text"]}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("mail (-page +rendered):\n%s", diff)
	}
	for _, problem := range r.Lint() {
		t.Error(problem)
	}
}

func TestThePageNamesEverything(t *testing.T) {
	t.Parallel()
	page := operatorsPage(t)
	names := append(Templates(), VariableNames()...)
	settings := reflect.TypeFor[Settings]()
	for i := range settings.NumField() {
		names = append(names, settings.Field(i).Tag.Get("env"))
	}
	for _, name := range names {
		if !regexp.MustCompile(`\b` + name + `(_FILE)?\b`).MatchString(page) {
			t.Errorf("docs/emails.md does not name %s", name)
		}
	}
}

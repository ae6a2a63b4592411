package templates

import (
	"bytes"
	"encoding/json"
	"flag"
	"html"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"
)

var update = flag.Bool("update", false, "write the templates anew")

// words are what one locale says.
type words struct {
	RawLink   string          `json:"rawLink"`
	LinkOnce  string          `json:"linkOnce"`
	CodeIntro string          `json:"codeIntro"`
	CodeOnce  string          `json:"codeOnce"`
	Footer    string          `json:"footer"`
	SMS       string          `json:"sms"`
	Mails     map[string]mail `json:"mails"`
}

type mail struct {
	Subject   string `json:"subject"`
	Title     string `json:"title"`
	Preview   string `json:"preview"`   // the line that lists of mails show behind the subject
	Intro     string `json:"intro"`     // what it is about
	Known     string `json:"known"`     // of notices: what to do if it was you
	LinkIntro string `json:"linkIntro"` // of codes: leads to the link, if there is one
	Button    string `json:"button"`
	Stranger  string `json:"stranger"` // what to do if it was not you
}

var (
	locales  = []string{"bg", "cs", "de", "en", "es", "fr"}
	variable = regexp.MustCompile(`\$\{[a-zA-Z]+\}`)
)

// made builds every file from the layouts and the words.
func made(t *testing.T) map[string]string {
	t.Helper()
	functions := template.FuncMap{"h": html.EscapeString, "words": inHTML}
	page := template.Must(template.New("layout.html").Funcs(functions).ParseFiles("layout.html"))
	text := template.Must(template.New("layout.txt").ParseFiles("layout.txt"))
	files := map[string]string{}
	for _, l := range locales {
		w := readWords(t, l)
		files[l+"/signin-passwordless-sms/body.txt"] = w.SMS + "\n"
		for name, m := range w.Mails {
			data := struct {
				words
				Locale    string
				Mail      mail
				CodeFirst bool
			}{w, l, m, name == "signin-otp"}
			folder := l + "/" + name + "/"
			files[folder+"subject.txt"] = m.Subject + "\n"
			files[folder+"body.html"] = execute(t, page, data)
			files[folder+"body.txt"] = execute(t, text, data)
		}
	}
	return files
}

func readWords(t *testing.T, locale string) words {
	t.Helper()
	b, err := os.ReadFile("words/" + locale + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var w words
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		t.Fatalf("%s: %v", locale, err)
	}
	return w
}

func execute(t *testing.T, layout *template.Template, data any) string {
	t.Helper()
	var b strings.Builder
	if err := layout.Execute(&b, data); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inHTML writes a sentence for HTML. Addresses stand out, and the client's URL is a link.
func inHTML(s string) string {
	s = html.EscapeString(s)
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if v == "${clientUrl}" {
			return `<a href="${clientUrl}" target="_blank" style="color:#5d6775;text-decoration:underline;">${clientUrl}</a>`
		}
		return `<strong style="color:#14181f;word-break:break-word;overflow-wrap:anywhere;">` + v + `</strong>`
	})
}

func TestFilesAreMadeFromLayoutAndWords(t *testing.T) {
	files := made(t)
	if *update {
		for _, l := range locales {
			if err := os.RemoveAll(l); err != nil {
				t.Fatal(err)
			}
		}
		for path, text := range files {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return
	}
	for path, want := range files {
		got, err := FS.ReadFile(path)
		if err != nil {
			t.Errorf("%v; run go test ./templates -update", err)
			continue
		}
		if string(got) != want {
			t.Errorf("%s is not what layout and words make; run go test ./templates -update", path)
		}
	}
	err := fs.WalkDir(FS, ".", func(path string, d fs.DirEntry, err error) error {
		if _, known := files[path]; err == nil && !d.IsDir() && !known {
			t.Errorf("%s comes from nowhere", path)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Every locale has every mail, with the same variables in the same sentences, and nothing empty.
func TestLocalesAgree(t *testing.T) {
	t.Parallel()
	english := readWords(t, "en")
	for _, l := range locales {
		w := readWords(t, l)
		compare(t, l, "sms", english.SMS, w.SMS)
		compare(t, l, "footer", english.Footer, w.Footer)
		for what, s := range map[string]string{
			"rawLink": w.RawLink, "linkOnce": w.LinkOnce, "codeIntro": w.CodeIntro, "codeOnce": w.CodeOnce,
		} {
			compare(t, l, what, "some words", s)
		}
		if len(w.Mails) != len(english.Mails) {
			t.Errorf("%s has %d mails, want %d", l, len(w.Mails), len(english.Mails))
		}
		for name, e := range english.Mails {
			m := w.Mails[name]
			for what, pair := range map[string][2]string{
				"subject": {e.Subject, m.Subject}, "title": {e.Title, m.Title}, "preview": {e.Preview, m.Preview},
				"intro": {e.Intro, m.Intro}, "known": {e.Known, m.Known}, "linkIntro": {e.LinkIntro, m.LinkIntro},
				"button": {e.Button, m.Button}, "stranger": {e.Stranger, m.Stranger},
			} {
				compare(t, l, name+" "+what, pair[0], pair[1])
			}
		}
	}
}

func compare(t *testing.T, locale, what, english, other string) {
	t.Helper()
	if (english == "") != (other == "") {
		t.Errorf("%s: %s is %q, English says %q", locale, what, other, english)
	}
	want, got := variable.FindAllString(english, -1), variable.FindAllString(other, -1)
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(want, got) {
		t.Errorf("%s: %s uses %v, English uses %v", locale, what, got, want)
	}
}

// What a user may choose (the display name, the redirect) does not appear in the built-in mails:
// whoever signs up with the address of somebody else chooses it.
func TestStrangersDoNotSpeakThroughOurMails(t *testing.T) {
	t.Parallel()
	for path, text := range made(t) {
		for _, name := range []string{"${displayName}", "${redirectTo}", "${ticket}"} {
			if strings.Contains(text, name) {
				t.Errorf("%s uses %s", path, name)
			}
		}
	}
}

// A text message in another alphabet than Latin is sent in pieces of 70 characters; each piece costs.
func TestTextMessagesFitIntoOne(t *testing.T) {
	t.Parallel()
	for _, l := range locales {
		s := strings.ReplaceAll(readWords(t, l).SMS, "${code}", "123456")
		if n := len([]rune(s)); n > 70 {
			t.Errorf("%s: %d characters, want at most 70: %s", l, n, s)
		}
	}
}

package emails

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// shelf is a web server with templates on it.
type shelf struct {
	mu     sync.Mutex
	files  map[string]string // by path
	broken func(http.ResponseWriter, *http.Request) bool
	seen   []string // "200 /en/…"
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	broken := s.broken
	text, known := s.files[r.URL.Path]
	s.mu.Unlock()
	if broken != nil && broken(w, r) {
		return
	}
	status := http.StatusOK
	etag := fmt.Sprintf(`"%d-%s"`, len(text), text[:min(len(text), 8)])
	switch {
	case !known:
		status = http.StatusNotFound
	case r.Header.Get("If-None-Match") == etag:
		status = http.StatusNotModified
	}
	s.mu.Lock()
	s.seen = append(s.seen, fmt.Sprint(status, " ", r.URL.Path))
	s.mu.Unlock()
	w.Header().Set("ETag", etag)
	w.WriteHeader(status)
	if status == http.StatusOK {
		_, _ = w.Write([]byte(text))
	}
}

func (s *shelf) put(path, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.files == nil {
		s.files = map[string]string{}
	}
	s.files[path] = text
}

func (s *shelf) breakWith(f func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = f
}

// count tells how often a status was answered since the last call.
func (s *shelf) count(status int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, line := range s.seen {
		if strings.HasPrefix(line, fmt.Sprint(status, " ")) {
			n++
		}
	}
	s.seen = nil
	return n
}

// remoteHouse is a renderer over a shelf that has the verification mail in two languages.
func remoteHouse(t *testing.T, suffix string) (*shelf, *Renderer, *httptest.Server) {
	t.Helper()
	s := &shelf{}
	for _, l := range []string{"en", "de"} {
		s.put("/mail/"+l+"/email-verify/subject.txt", " remote "+l+"\n")
		s.put("/mail/"+l+"/email-verify/body.html", "<p>remote "+l+` <a href="${link}">go</a></p>`)
	}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	dir := t.TempDir()
	writeMail(t, dir, "en", PasswordReset)
	return s, &Renderer{Remote: &Remote{Base: server.URL + suffix}, Directory: dir, DefaultLocale: "en"}, server
}

func renderRemote(t *testing.T, r *Renderer, name, locale string) Rendered {
	t.Helper()
	out, err := r.Render(t.Context(), Message{Template: name, Locale: locale, Variables: sample(name)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestRemoteTemplates(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{"/mail", "/mail/", "/mail//"} {
		s, r, _ := remoteHouse(t, suffix)
		out := renderRemote(t, r, EmailVerify, "de")
		if out.Subject != "remote de" || out.Locale != "de" || out.Source != "remote" || len(out.Warnings) != 0 {
			t.Errorf("%s: %q, %s, %s, %v", suffix, out.Subject, out.Locale, out.Source, out.Warnings)
		}
		if want := "remote de go https://auth.example.com/v1/verify?"; !strings.HasPrefix(out.Text, want) {
			t.Errorf("text made from the HTML: %q, want %q…", out.Text, want)
		}
		if n := s.count(http.StatusOK); n != 2 {
			t.Errorf("%d answers with a body, want 2", n)
		}
		renderRemote(t, r, EmailVerify, "de")
		if n := s.count(http.StatusNotModified); n != 2 {
			t.Errorf("the second mail: %d times not modified, want 2", n)
		}
		s.put("/mail/de/email-verify/subject.txt", "edited")
		if out := renderRemote(t, r, EmailVerify, "de"); out.Subject != "edited" {
			t.Errorf("an edit is not seen at once: %q", out.Subject)
		}
	}
}

func TestRemoteTemplatesThatAreMissing(t *testing.T) {
	t.Parallel()
	s, r, _ := remoteHouse(t, "/mail")
	if out := renderRemote(t, r, EmailVerify, "fr"); out.Subject != "remote en" || out.Locale != "en" || len(out.Warnings) != 0 {
		t.Errorf("not in French: %q, %s, %v", out.Subject, out.Locale, out.Warnings)
	}
	if out := renderRemote(t, r, PasswordReset, "fr"); out.Subject != "own en password-reset" || out.Source != "directory" || len(out.Warnings) != 0 {
		t.Errorf("not on the remote: %q, %s, %v", out.Subject, out.Source, out.Warnings)
	}
	if out := renderRemote(t, r, EmailChanged, "fr"); out.Source != "built-in" || out.Locale != "fr" {
		t.Errorf("nowhere: %s, %s", out.Source, out.Locale)
	}
	s.put("/mail/fr/email-verify/body.html", "<p>seul le corps</p>")
	if out := renderRemote(t, r, EmailVerify, "fr"); out.Subject != "remote en" || out.Locale != "fr" || !strings.Contains(out.HTML, "corps") {
		t.Errorf("each file has its own fallback: %q, %s, %q", out.Subject, out.Locale, out.HTML)
	}
	s.put("/mail/en/email-verify/body.txt", "English only")
	if out := renderRemote(t, r, EmailVerify, "fr"); out.Text != "seul le corps\n" {
		t.Errorf("the text part speaks another language than the HTML: %q", out.Text)
	}
	s.put("/mail/en/email-changed/body.html", "<p>no subject</p>")
	if out := renderRemote(t, r, EmailChanged, "en"); out.Subject != "The e-mail address of your account was changed" || !strings.Contains(out.HTML, "no subject") {
		t.Errorf("the subject comes from the local template: %q", out.Subject)
	}
}

// Trouble at the remote never costs a mail: the last good copy stands, then the local template.
func TestRemoteTemplatesInTrouble(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("from elsewhere")) }))
	t.Cleanup(elsewhere.Close)
	answer := func(text string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { _, _ = w.Write([]byte(text)); return true }
	}
	status := func(code int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(code); return true }
	}
	for name, trouble := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"server error": status(500),
		"forbidden":    status(403),
		"no content":   status(204),
		"huge":         answer(strings.Repeat("a", maxFile+1)),
		"not closed":   answer("hello ${link"),
		"not UTF-8":    answer("\xff\xfe"),
		"redirect away": func(w http.ResponseWriter, r *http.Request) bool {
			http.Redirect(w, r, elsewhere.URL, http.StatusFound)
			return true
		},
		"hangs up": func(http.ResponseWriter, *http.Request) bool { panic(http.ErrAbortHandler) },
		"stops in the body": func(w http.ResponseWriter, _ *http.Request) bool {
			w.Header().Set("Content-Length", "99")
			_, _ = w.Write([]byte("x"))
			return true
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, r, _ := remoteHouse(t, "/mail")
			s.breakWith(trouble)
			out := renderRemote(t, r, EmailVerify, "de")
			if out.Source != "built-in" || out.Locale != "de" || len(out.Warnings) == 0 {
				t.Errorf("at once: %s in %s, %v; want the built-in mail in German and a warning", out.Source, out.Locale, out.Warnings)
			}
			s.breakWith(nil)
			if out := renderRemote(t, r, EmailVerify, "de"); out.Subject != "remote de" || len(out.Warnings) != 0 {
				t.Errorf("healed: %q, %v", out.Subject, out.Warnings)
			}
			s.breakWith(trouble)
			out = renderRemote(t, r, EmailVerify, "de")
			if out.Subject != "remote de" || out.Source != "remote" || len(out.Warnings) == 0 {
				t.Errorf("afterwards: %q from %s, %v; want the last good copy and a warning", out.Subject, out.Source, out.Warnings)
			}
		})
	}
}

func TestRemoteThatIsGone(t *testing.T) {
	t.Parallel()
	_, r, server := remoteHouse(t, "/mail")
	renderRemote(t, r, EmailVerify, "de")
	server.Close()
	if out := renderRemote(t, r, EmailVerify, "de"); out.Subject != "remote de" || len(out.Warnings) == 0 {
		t.Errorf("got %q, %v; want the last good copy", out.Subject, out.Warnings)
	}
	if out := renderRemote(t, r, EmailChanged, "de"); out.Source != "built-in" {
		t.Errorf("got %s, want the built-in mail", out.Source)
	}
}

func TestRemoteThatFallsSilent(t *testing.T) {
	t.Parallel()
	s, r, _ := remoteHouse(t, "/mail")
	r.Remote.Timeout = 200 * time.Millisecond
	s.breakWith(func(_ http.ResponseWriter, r *http.Request) bool { <-r.Context().Done(); return true })
	start := time.Now()
	out := renderRemote(t, r, EmailVerify, "de")
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
	if out.Source != "built-in" || len(out.Warnings) == 0 {
		t.Errorf("got %s, %v", out.Source, out.Warnings)
	}
}

// A 404 is an answer: what was taken down is no longer used.
func TestRemoteTemplateTakenDown(t *testing.T) {
	t.Parallel()
	s, r, _ := remoteHouse(t, "/mail")
	renderRemote(t, r, EmailVerify, "de")
	s.mu.Lock()
	clear(s.files)
	s.mu.Unlock()
	if out := renderRemote(t, r, EmailVerify, "de"); out.Source != "built-in" {
		t.Errorf("got %s, want the built-in mail", out.Source)
	}
}

func TestRemoteCopiesAreBounded(t *testing.T) {
	t.Parallel()
	r := &Remote{}
	for i := range 3 * remoteEntries {
		r.keep(strconv.Itoa(i), &copied{})
		if i >= 1 {
			r.copyOf("0") // in use all the time
		}
	}
	if len(r.copies) != remoteEntries {
		t.Errorf("%d copies, want %d", len(r.copies), remoteEntries)
	}
	if r.copies["0"] == nil {
		t.Error("the copy in use was thrown away")
	}
}

func TestRemoteIsAskedByManyAtOnce(t *testing.T) {
	t.Parallel()
	s, r, _ := remoteHouse(t, "/mail")
	var wait sync.WaitGroup
	for i := range 16 {
		wait.Go(func() {
			s.put("/mail/de/email-verify/subject.txt", fmt.Sprint("edit ", i))
			out, err := r.Render(context.WithoutCancel(t.Context()), Message{Template: EmailVerify, Locale: "de"})
			if err != nil || !strings.HasPrefix(out.Subject, "edit ") {
				t.Errorf("got %q, %v", out.Subject, err)
			}
		})
	}
	wait.Wait()
}

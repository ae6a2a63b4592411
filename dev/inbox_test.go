package dev

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func openInbox(t *testing.T, path string) *Inbox {
	t.Helper()
	in, err := OpenInbox(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in
}

// serve puts the inbox behind a real server and returns its address.
func serve(t *testing.T, in *Inbox) string {
	t.Helper()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	s := &httptest.Server{Listener: l, Config: &http.Server{Handler: in.Handler("/dev/inbox", port), ReadHeaderTimeout: 0}} // #nosec G112 -- a test's own client
	s.Start()
	t.Cleanup(s.Close)
	t.Cleanup(in.HangUp)
	return fmt.Sprintf("http://127.0.0.1:%d/dev/inbox", port)
}

func call(t *testing.T, method, address, accept string) (status int, header http.Header, body string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	if accept != "" {
		r.Header.Set("Accept", accept)
	}
	res, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(text)
}

// subjects asks the page for its messages as a program does.
func subjects(t *testing.T, address string) []string {
	t.Helper()
	status, header, body := call(t, http.MethodGet, address, "application/json")
	if status != http.StatusOK || header.Get("Content-Type") != "application/json" {
		t.Fatalf("got %d %v: %s", status, header, body)
	}
	var messages []Message
	if err := json.Unmarshal([]byte(body), &messages); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	list := []string{}
	for _, m := range messages {
		list = append(list, m.Subject)
	}
	return list
}

func send(t *testing.T, host string, port int, to, subject string) {
	t.Helper()
	address := net.JoinHostPort(host, strconv.Itoa(port))
	body := crlf("From: noreply@example.com", "Subject: "+subject, "", "https://app.example/"+subject)
	if err := smtp.SendMail(address, smtp.PlainAuth("", "any", "thing", host), "noreply@example.com", []string{to}, body); err != nil {
		t.Fatal(err)
	}
}

func TestInboxCatchesMailAndSMSAndKeepsThem(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), ".postern")
	h, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	send(t, h.SMTPHost, h.SMTPPort, "ada@example.com", "first")
	send(t, h.SMTPHost, h.SMTPPort, "Bob@example.com", "second")
	h.Inbox.Catch("+15551234567", "Your code is 4821")
	address := serve(t, h.Inbox)
	want := []string{"SMS to +15551234567", "second", "first"}
	if diff := cmp.Diff(want, subjects(t, address)); diff != "" {
		t.Errorf("newest first: want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"second"}, subjects(t, address+"?to=bob@EXAMPLE.com")); diff != "" {
		t.Errorf("filtered: want -, got +:\n%s", diff)
	}
	if diff := cmp.Diff([]string{}, subjects(t, address+"?to=nobody@example.com")); diff != "" {
		t.Errorf("for nobody: want -, got +:\n%s", diff)
	}
	first := h.Inbox.Messages("")[0].ID
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}

	if h, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	}()
	address = serve(t, h.Inbox)
	if diff := cmp.Diff(want, subjects(t, address)); diff != "" {
		t.Errorf("after a restart: want -, got +:\n%s", diff)
	}
	if status, _, body := call(t, http.MethodDelete, address+"?to=ada@example.com", ""); status != http.StatusNoContent {
		t.Errorf("clear one address: %d %s", status, body)
	}
	if diff := cmp.Diff([]string{"SMS to +15551234567", "second"}, subjects(t, address)); diff != "" {
		t.Errorf("after clearing one address: want -, got +:\n%s", diff)
	}
	if status, _, body := call(t, http.MethodDelete, address+"/"+first, ""); status != http.StatusNoContent {
		t.Errorf("delete one: %d %s", status, body)
	}
	if status, _, body := call(t, http.MethodDelete, address, ""); status != http.StatusNoContent {
		t.Errorf("clear: %d %s", status, body)
	}
	if diff := cmp.Diff([]string{}, subjects(t, address)); diff != "" {
		t.Errorf("after clearing: want -, got +:\n%s", diff)
	}
}

func TestInboxReadsAFileThatACrashTore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inbox.jsonl")
	in := openInbox(t, path)
	in.Catch("+1", "kept")
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(`{"id":"zzz","kind":"sm`); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	in = openInbox(t, path)
	in.Catch("+1", "later")
	var texts []string
	for _, m := range in.Messages("") {
		texts = append(texts, m.Text)
	}
	if diff := cmp.Diff([]string{"later", "kept"}, texts); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}
}

func TestInboxKeepsTheLast500AndItsFileSmall(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "inbox.jsonl")
	in := openInbox(t, path)
	ids := map[string]bool{}
	for i := range 3 * kept {
		in.Catch("+1", strconv.Itoa(i))
		ids[in.Messages("")[0].ID] = true
	}
	messages := in.Messages("")
	if len(messages) != kept || messages[0].Text != strconv.Itoa(3*kept-1) || len(ids) != 3*kept {
		t.Errorf("%d messages, newest %q, %d ids", len(messages), messages[0].Text, len(ids))
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n"); lines >= 2*kept {
		t.Errorf("the file has %d lines", lines)
	}
}

func TestInboxTellsOfNewMessagesAndHangsUp(t *testing.T) {
	t.Parallel()
	in := openInbox(t, filepath.Join(t.TempDir(), "inbox.jsonl"))
	address := serve(t, in)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address+"/events", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	res, err := (&http.Client{}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	lines := bufio.NewScanner(res.Body)
	for lines.Scan() && lines.Text() != "retry: 1000" {
	}
	in.Catch("+1", "hello")
	for lines.Scan() && lines.Text() != "data: changed" {
	}
	if lines.Text() != "data: changed" {
		t.Fatalf("the stream ended without a word: %v", lines.Err())
	}
	in.HangUp()
	for lines.Scan() {
	}
	if err := lines.Err(); err != nil {
		t.Errorf("it did not end in order: %v", err)
	}
}

func TestPagesLockInWhatAMailBrings(t *testing.T) {
	t.Parallel()
	in := openInbox(t, filepath.Join(t.TempDir(), "inbox.jsonl"))
	m := parseMail(crlf(`Subject: <script>alert(1)</script>`, `From: "><img src=x>`, "Content-Type: text/html", "",
		`<html><head><title>t</title></head><body><script>alert(2)</script><a href="https://a.example/?q='%22><script>">x</a></body></html>`))
	m.To = "<b>@example.com"
	if err := in.add(m); err != nil {
		t.Fatal(err)
	}
	address := serve(t, in)
	id := in.Messages("")[0].ID
	for _, url := range []string{address, address + "/" + id, address + "?to=%22%3E%3Cscript%3Ealert(3)%3C/script%3E"} {
		status, header, body := call(t, http.MethodGet, url, "text/html")
		if status != http.StatusOK || !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none'; style-src 'nonce-") {
			t.Errorf("%s: %d, %v", url, status, header)
		}
		for _, wrong := range []string{"<script>", "<img src=x>", "<b>@"} {
			if strings.Contains(body, wrong) {
				t.Errorf("%s: %s is not escaped", url, wrong)
			}
		}
		if strings.Contains(body, "ZgotmplZ") {
			t.Errorf("%s: the template refused a value", url)
		}
	}
	status, header, body := call(t, http.MethodGet, address+"/"+id+"/html", "")
	policy := header.Get("Content-Security-Policy")
	if status != http.StatusOK || !strings.HasPrefix(policy, "sandbox ") || strings.Contains(policy, "allow-scripts") ||
		strings.Contains(policy, "allow-same-origin") || !strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the mail itself: %d, %q", status, policy)
	}
	if !strings.Contains(body, `<head><base target="_blank"><title>`) {
		t.Errorf("links stay in the frame: %s", body)
	}
}

func TestPagesThatAreNotThere(t *testing.T) {
	t.Parallel()
	in := openInbox(t, filepath.Join(t.TempDir(), "inbox.jsonl"))
	in.Catch("+1", "no HTML in it")
	address := serve(t, in)
	id := in.Messages("")[0].ID
	for _, test := range []struct {
		method, path, accept string
		want                 int
	}{
		{"GET", "/none", "application/json", 404},
		{"GET", "/none/html", "", 404},
		{"GET", "/" + id + "/html", "", 404},
		{"GET", "/" + id + "/other", "", 404},
		{"DELETE", "/none", "", 404},
		{"GET", "/none", "text/html", 200}, // leads back to the list
	} {
		if got, _, body := call(t, test.method, address+test.path, test.accept); got != test.want {
			t.Errorf("%s %s: got %d, want %d: %s", test.method, test.path, got, test.want, body)
		}
	}
}

func TestMailAfterTheEndIsRefused(t *testing.T) {
	t.Parallel()
	in := openInbox(t, filepath.Join(t.TempDir(), "inbox.jsonl"))
	c, err := catchMail(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	host, port := c.address()
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	err = smtp.SendMail(net.JoinHostPort(host, strconv.Itoa(port)), nil, "a@example.com", []string{"b@example.com"}, crlf("", "x"))
	if err == nil {
		t.Error("it was accepted")
	}
}

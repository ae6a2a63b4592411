package emails

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	stdmail "net/mail"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// postmark answers like Postmark, and keeps what it is asked.
func postmark(t *testing.T, answer func(path string, body map[string]any) (int, string)) (*Postmark, *[]map[string]any) {
	t.Helper()
	asked := &[]map[string]any{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := map[string]any{}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			t.Errorf("body: %v", err)
		}
		if r.Header.Get("X-Postmark-Server-Token") != "token" || r.Method != http.MethodPost {
			t.Errorf("%s with token %q", r.Method, r.Header.Get("X-Postmark-Server-Token"))
		}
		body["path"] = r.URL.Path
		*asked = append(*asked, body)
		status, text := answer(r.URL.Path, body)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(text))
	}))
	t.Cleanup(server.Close)
	return &Postmark{
		Token: "token", Sender: &stdmail.Address{Name: "Example", Address: "auth@example.com"}, BaseURL: server.URL, DefaultLocale: "en",
		Timeout: 5 * time.Second,
	}, asked
}

func TestPostmarkGetsAliasAndModel(t *testing.T) {
	t.Parallel()
	p, asked := postmark(t, func(string, map[string]any) (int, string) { return 200, `{"ErrorCode":0}` })
	out := mailTo("ada@example.org")
	out.Message.Locale, out.Rendered.Locale = "de", "de"
	if err := p.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	want := []map[string]any{{
		"path": "/email/withTemplate", "From": `"Example" <auth@example.com>`, "To": "ada@example.org", "TemplateAlias": "de.email-verify",
		"TemplateModel": map[string]any{
			"link": out.Variables["link"], "ticket": "verifyEmail:abc", "redirectTo": "https://app.example.com", "locale": "de",
			"displayName": "", "email": "", "newEmail": "", "serverUrl": "", "clientUrl": "", "code": "",
		},
	}}
	if d := cmp.Diff(want, *asked); d != "" {
		t.Errorf("request (-want +got):\n%s", d)
	}
}

func TestPostmarkWithoutTheTemplate(t *testing.T) {
	t.Parallel()
	p, asked := postmark(t, func(path string, _ map[string]any) (int, string) {
		if path == "/email" {
			return 200, "{}"
		}
		return 422, `{"ErrorCode":1101,"Message":"The 'TemplateAlias' associated with this request is not valid"}`
	})
	out := mailTo("ada@example.org")
	out.Message.Locale = "de"
	if err := p.Send(t.Context(), out); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, a := range *asked {
		got = append(got, fmt.Sprint(a["path"], " ", a["TemplateAlias"], " ", a["Subject"]))
	}
	want := []string{"/email/withTemplate de.email-verify <nil>", "/email/withTemplate en.email-verify <nil>", "/email <nil> Confirm your address"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("requests (-want +got):\n%s", d)
	}
}

func TestPostmarkFailuresAreToldApart(t *testing.T) {
	t.Parallel()
	for status, permanent := range map[int]bool{
		422: true, 400: true, 413: true, 404: true, 401: false, 403: false, 408: false, 429: false, 500: false, 503: false, 302: false, 201: false,
	} {
		p, _ := postmark(t, func(string, map[string]any) (int, string) {
			return status, `{"ErrorCode":406,"Message":"inactive recipient"}`
		})
		err := p.Send(t.Context(), mailTo("ada@example.org"))
		var failed *SendError
		if !errors.As(err, &failed) || failed.Code != status || IsPermanent(err) != permanent {
			t.Errorf("%d: got %v, permanent %t, want permanent %t", status, err, IsPermanent(err), permanent)
		}
	}
}

func TestPostmarkIsSilent(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server sees the client leave only when the body is read
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	p := &Postmark{Sender: &stdmail.Address{Address: "auth@example.com"}, BaseURL: server.URL, Timeout: 100 * time.Millisecond}
	if err := p.Send(t.Context(), mailTo("ada@example.org")); err == nil || IsPermanent(err) {
		t.Errorf("got %v, want a failure that passes", err)
	}
}

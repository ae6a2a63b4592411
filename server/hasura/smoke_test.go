package hasura_test

import (
	"net/url"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

func TestSignUpConfirmSignInRefresh(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	resp, body := h.Do(t, "POST", "/signup/email-password", `{"email":"Jane@example.com","password":"correct horse","options":{"metadata":{"a":null}}}`)
	if resp.StatusCode != 200 || strings.TrimSpace(body) != "{}" {
		t.Fatalf("sign-up: %d %s\n%s", resp.StatusCode, body, h.Log)
	}
	mail := h.Mail.Wait(t, "Jane@example.com", 1)[0]
	u, err := url.Parse(mail.Link)
	if err != nil {
		t.Fatal(err)
	}
	resp, body = h.Do(t, "GET", strings.TrimPrefix(u.Path, "/v1")+"?"+u.RawQuery, "")
	t.Log(resp.StatusCode, resp.Header.Get("Location"), body, h.Log)
	if resp.StatusCode != 302 {
		t.Fatal()
	}
	resp, body = h.Do(t, "POST", "/signin/email-password", `{"email":"jane@example.com","password":"correct horse"}`)
	t.Log(resp.StatusCode, body)
	if resp.StatusCode != 200 {
		t.Fatal(h.Log)
	}
}

package emails

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHeadersOfTheOperator(t *testing.T) {
	t.Parallel()
	var h ExtraHeaders
	if err := h.UnmarshalText([]byte(`{"x-campaign": ["auth", "$messageType"], "List-Unsubscribe": ["<https://example.com/é>"], "X-None": []}`)); err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"X-Campaign": "auth, email-verify", "List-Unsubscribe": "=?UTF-8?B?PGh0dHBzOi8vZXhhbXBsZS5jb20vw6k+?="}
	if diff := cmp.Diff(want, h.of("email-verify")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for given, want := range map[string]string{
		`[]`: "must be", `null`: "must be", `{"X-A": "b"}`: "must be", `{"X-A": [1]}`: "must be",
		`{"Bcc": ["thief@example.com"]}`: "only names", `{"To": ["x"]}`: "only names", `{"Content-Type": ["text/html"]}`: "only names", `{"Reply-To": ["x"]}`: "only names",
		`{"X-A: b\r\nBcc": ["x"]}`: "only names", `{"X-A": ["b\r\nBcc: thief@example.com"]}`: "not one line", `{"X-Link": ["x"]}`: "have already", `{"X-A": ["b"], "x-a": ["c"]}`: "twice",
		`{"X-A": [` + strings.Repeat(`"b",`, mostHeaders) + `"b"]}`: "more than 20",
	} {
		if err := new(ExtraHeaders).UnmarshalText([]byte(given)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.50s: %v, want %s", given, err, want)
		}
	}
}

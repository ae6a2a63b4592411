package testhooks

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"postern/config"
	"postern/house"
	"postern/webhooks"
)

// examined puts a receiver to the test.
func examined(t *testing.T, hook, where, secret string) []house.Mark {
	t.Helper()
	c, _ := config.Load(config.Source{})
	a := house.NewAttendant(c, house.Options{Now: time.Now})
	defer a.Close()
	u, err := url.Parse(where)
	if err != nil {
		t.Fatal(err)
	}
	var marks []house.Mark
	for _, h := range house.Hooks(c) {
		if h.Name != hook {
			continue
		}
		if err := a.Examine(t.Context(), house.Exam{Hook: h, URL: u, Secret: secret}, func(m house.Mark) { marks = append(marks, m) }); err != nil {
			t.Fatal(err)
		}
	}
	return marks
}

// passes fails the test when a receiver does not pass all of it.
func passes(t *testing.T, hook, where string) {
	t.Helper()
	marks := examined(t, hook, where, secret)
	if len(marks) < 10 {
		t.Errorf("only %d questions", len(marks))
	}
	for _, m := range marks {
		if m.Why != "" {
			t.Errorf("%s: %s", m.What, m.Why)
		}
	}
}

// TestKitFindsWhatReceiversForget asks receivers that leave out one thing each.
func TestKitFindsWhatReceiversForget(t *testing.T) {
	t.Parallel()
	keys, err := webhooks.ParseAll(secret)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	verifies := func(r *http.Request, body []byte, now time.Time) bool {
		return keys.Verify(r.Header.Get("webhook-id"), r.Header.Get("webhook-timestamp"), r.Header.Get("webhook-signature"), body, now) == nil
	}
	for name, tt := range map[string]struct {
		takes func(r *http.Request, body []byte) bool
		fails []string
	}{
		"all is well": {func(r *http.Request, body []byte) bool {
			return verifies(r, body, time.Now()) && strings.HasSuffix(string(body), "}")
		}, nil},
		"no signature is looked at": {
			func(*http.Request, []byte) bool { return true },
			[]string{"somebody else has signed", "without a signature", "was changed", "another id", "ten minutes old", "ten minutes ahead", "no JSON"},
		},
		"the first signature alone is looked at": {func(r *http.Request, body []byte) bool {
			first, _, _ := strings.Cut(r.Header.Get("webhook-signature"), " ")
			r.Header.Set("webhook-signature", first)
			return verifies(r, body, time.Now()) && strings.HasSuffix(string(body), "}")
		}, []string{"one right signature among several"}},
		"ids come once": {func(r *http.Request, body []byte) bool {
			id := r.Header.Get("webhook-id")
			again := seen[id]
			seen[id] = true
			return verifies(r, body, time.Now()) && !again && strings.HasSuffix(string(body), "}")
		}, []string{"same id"}},
		"strangers disturb": {func(r *http.Request, body []byte) bool {
			return verifies(r, body, time.Now()) && !strings.Contains(string(body), "a_member") && strings.HasSuffix(string(body), "}")
		}, []string{"members that it does not know"}},
	} {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || !tt.takes(r, body) {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			w.WriteHeader(http.StatusNoContent)
		}))
		marks := examined(t, "before_user_created", s.URL, secret)
		s.Close()
		for _, m := range marks {
			expected := slices.ContainsFunc(tt.fails, func(part string) bool { return strings.Contains(m.What, part) })
			if expected != (m.Why != "") {
				t.Errorf("%s: %s: %q", name, m.What, m.Why)
			}
		}
	}
}

func TestKitFindsAnswersThatMakeNoSense(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"claims":"admin"}`)
	}))
	t.Cleanup(s.Close)
	marks := examined(t, "custom_access_token", s.URL, "")
	if len(marks) != 3 || !strings.Contains(marks[0].Why, "claims is no object") {
		t.Errorf("%+v", marks)
	}
}

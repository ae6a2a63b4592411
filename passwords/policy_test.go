package passwords

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
)

func TestLengthIsCountedInCharacters(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings Settings
		password string
		want     error
	}{
		"seven":                {Settings{}, "1234567", auth.PasswordTooShort},
		"eight":                {Settings{}, "12345678", nil},
		"eight bytes of four":  {Settings{}, "éééé", auth.PasswordTooShort},
		"eight accented":       {Settings{}, "éééééééé", nil},
		"empty":                {Settings{MinLength: 1}, "", auth.PasswordTooShort},
		"the operator's three": {Settings{MinLength: 3}, "abc", nil},
		"1024 bytes":           {Settings{}, strings.Repeat("a", 1024), nil},
		"1025 bytes":           {Settings{}, strings.Repeat("a", 1025), auth.PasswordTooLong},
		"bcrypt, 72 bytes":     {Settings{Hash: Bcrypt}, strings.Repeat("a", 72), nil},
		"bcrypt, 73 bytes":     {Settings{Hash: Bcrypt}, strings.Repeat("a", 73), auth.PasswordTooLong},
		"bcrypt, 30 emoji":     {Settings{Hash: Bcrypt}, strings.Repeat("🔑", 30), auth.PasswordTooLong},
	} {
		if err := NewPolicy(c.settings).Check(t.Context(), c.password); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}

// SHA-1 of "password123": CBFDA C6008F9CAB4083784CBD1874F76618D2A97.
const leakedRest = "C6008F9CAB4083784CBD1874F76618D2A97"

func TestLeakedPasswordsAreRefused(t *testing.T) {
	t.Parallel()
	other := strings.Repeat("A", 35) // the long answer is cut just behind a line
	for name, c := range map[string]struct {
		status int
		body   string
		want   error // where the setting says closed
	}{
		"listed":                {200, other + ":3\r\n" + leakedRest + ":126927\r\n", auth.PasswordLeaked},
		"listed in lower case":  {200, strings.ToLower(leakedRest) + ":1", auth.PasswordLeaked},
		"not listed":            {200, other + ":3\r\n" + other + ":0\r\n", nil},
		"padding looks like it": {200, leakedRest + ":0\r\n" + other + ":1\r\n", nil},
		"empty answer":          {200, "", auth.Internal},
		"a page of a hotel":     {200, "<html>Welcome</html>", auth.Internal},
		"too long an answer":    {200, other + ":111111\n" + strings.Repeat(other+":1\n", 40_000), auth.Internal},
		"one endless line":      {200, strings.Repeat("A", 2<<20), auth.Internal},
		"too many requests":     {429, "", auth.Internal},
		"unavailable":           {503, leakedRest + ":1", auth.Internal},
		"sent somewhere else":   {302, leakedRest + ":1", auth.Internal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/range/CBFDA" || r.Header.Get("Add-Padding") != "true" || r.Method != http.MethodGet {
					t.Errorf("asked %s %s, padding %q", r.Method, r.URL, r.Header.Get("Add-Padding"))
				}
				if c.status == 302 {
					w.Header().Set("Location", "/elsewhere")
				}
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer service.Close()
			settings := Settings{HIBP: true, HIBPURL: service.URL + "/", HIBPFail: "closed"}
			if err := NewPolicy(settings).Check(t.Context(), "password123"); !errors.Is(err, c.want) {
				t.Errorf("closed: got %v, want %v", err, c.want)
			}
			settings.HIBPFail = "open"
			var told error
			policy := NewPolicy(settings)
			policy.Unanswered = func(err error) { told = err }
			want := c.want
			if errors.Is(want, auth.Internal) {
				want = nil
			}
			if err := policy.Check(t.Context(), "password123"); !errors.Is(err, want) {
				t.Errorf("open: got %v, want %v", err, want)
			}
			if passed := errors.Is(c.want, auth.Internal); passed != (told != nil) {
				t.Errorf("open: the log was told %v", told)
			}
		})
	}
}

func TestServiceThatIsDown(t *testing.T) {
	t.Parallel()
	service := httptest.NewServer(http.NotFoundHandler())
	service.Close()
	settings := Settings{HIBP: true, HIBPURL: service.URL}
	err := NewPolicy(settings).Check(t.Context(), "password123")
	if !errors.Is(err, auth.Internal) {
		t.Errorf("got %v, want internal", err)
	}
	if err != nil && (strings.Contains(err.Error(), "CBFDA") || strings.Contains(err.Error(), "password123")) {
		t.Errorf("the log learns of the password: %v", err)
	}
}

func TestSilentServiceIsGivenUpWithTheRequest(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{})
	service := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
	}))
	defer service.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	err := NewPolicy(Settings{HIBP: true, HIBPURL: service.URL, HIBPFail: "open"}).Check(ctx, "password123")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v: a request that went away must not pass as checked", err)
	}
	if limit := NewPolicy(Settings{}).client.Timeout; limit <= 0 || limit > 5*time.Second {
		t.Errorf("a silent service is waited for %s", limit)
	}
}

func ExamplePolicy_Check() {
	err := NewPolicy(Settings{}).Check(context.Background(), "short")
	fmt.Println(auth.CodeOf(err))
	// Output: password-too-short
}

func TestKindsOfCharacters(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":             nil,
		":::":          nil,
		"abc":          {"abc"},
		"abc:012":      {"abc", "012"},
		`ab\:c:012`:    {"ab:c", "012"},
		`a\:b\:c`:      {"a:b:c"},
		`a\b:\`:        {`a\b`, `\`},
		`;'\\:"|:é:ab`: {`;'\:"|`, "é", "ab"},
	} {
		if diff := cmp.Diff(want, kindsOf(text)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

// TestAllThatIsWrongWithAPassword is told at once, and nobody else is asked about a password that is refused anyway.
func TestAllThatIsWrongWithAPassword(t *testing.T) {
	t.Parallel()
	asked := 0
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(leakedRest + ":1"))
	}))
	defer service.Close()
	policy := NewPolicy(Settings{MinLength: 11, Characters: "abcdefghijklmnopqrstuvwxyz:0123456789:!?3", HIBP: true, HIBPURL: service.URL})
	for _, tt := range []struct {
		password string
		want     []auth.Code
		asked    int
	}{
		{"short", []auth.Code{auth.PasswordTooShort, auth.PasswordTooPlain}, 0},
		{"longer than that 1", []auth.Code{auth.PasswordTooPlain}, 0},
		{"!?0123456789", []auth.Code{auth.PasswordTooPlain}, 0},
		{"a0!", []auth.Code{auth.PasswordTooShort}, 0},
		{"password123", []auth.Code{auth.PasswordLeaked}, 1},
	} {
		var weak auth.WeakPassword
		if err := policy.Check(t.Context(), tt.password); !errors.As(err, &weak) || auth.CodeOf(err) != tt.want[0] {
			t.Errorf("%s: %v", tt.password, err)
		}
		if diff := cmp.Diff(tt.want, weak.Reasons); diff != "" || asked != tt.asked {
			t.Errorf("%s: asked %d times (-want +got):\n%s", tt.password, asked, diff)
		}
	}
}

package captcha_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/captcha"
	"postern/internal/fakecaptcha"
)

var somewhere = netip.MustParseAddr("203.0.113.9")

// open starts a service and a checker that asks it.
func open(t *testing.T, provider string, change func(*captcha.Settings)) (*fakecaptcha.Server, *captcha.Checker) {
	t.Helper()
	service := fakecaptcha.New(t, provider)
	settings := captcha.Settings{Provider: provider, Secret: fakecaptcha.Secret, URL: service.URL, Timeout: 5 * time.Second}
	if change != nil {
		change(&settings)
	}
	return service, captcha.Open(settings)
}

func TestTokensAreGoodOnce(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"turnstile", "hcaptcha"} {
		service, c := open(t, provider, nil)
		token := service.Solve()
		if err := c.Check(t.Context(), token, somewhere); err != nil {
			t.Errorf("%s: a person is refused: %v", provider, err)
		}
		if err := c.Check(t.Context(), token, somewhere); !errors.Is(err, auth.CaptchaFailed) {
			t.Errorf("%s: a used token: %v", provider, err)
		}
		if err := c.Check(t.Context(), "made-up", somewhere); !errors.Is(err, auth.CaptchaFailed) {
			t.Errorf("%s: a made-up token: %v", provider, err)
		}
		want := map[string][]string{"secret": {fakecaptcha.Secret}, "response": {token}, "remoteip": {"203.0.113.9"}}
		if d := cmp.Diff(want, map[string][]string(service.Asked()[0])); d != "" {
			t.Errorf("%s: the question (-want +got):\n%s", provider, d)
		}
	}
}

// What cannot be a token is refused without a question.
func TestWhatIsNoTokenIsNotAskedAbout(t *testing.T) {
	t.Parallel()
	service, c := open(t, "turnstile", nil)
	for token, want := range map[string]auth.Code{
		"": auth.CaptchaMissing, " ": auth.CaptchaFailed, "a b": auth.CaptchaFailed, "a\r\nb": auth.CaptchaFailed, "ä": auth.CaptchaFailed,
		strings.Repeat("a", 2049): auth.CaptchaFailed, "a\x00": auth.CaptchaFailed, "a\x7f": auth.CaptchaFailed,
	} {
		if err := c.Check(t.Context(), token, somewhere); !errors.Is(err, want) {
			t.Errorf("%.20q: %v, want %s", token, err, want)
		}
	}
	if n := len(service.Asked()); n != 0 {
		t.Errorf("the service was asked %d times", n)
	}
	if err := c.Check(t.Context(), strings.Repeat("a", 2048), somewhere); !errors.Is(err, auth.CaptchaFailed) || len(service.Asked()) != 1 {
		t.Errorf("the longest token: %v", err)
	}
}

// The address goes out only when it may be that of a person.
func TestAddressesThatTellNothingStayHome(t *testing.T) {
	t.Parallel()
	service, c := open(t, "turnstile", nil)
	for address, want := range map[string]string{
		"203.0.113.9": "203.0.113.9", "2001:db8::1": "2001:db8::1", "127.0.0.1": "", "::1": "", "10.1.2.3": "", "192.168.0.1": "", "172.20.0.1": "",
		"fd00::1": "", "fe80::1": "", "0.0.0.0": "", "": "",
	} {
		from, _ := netip.ParseAddr(address)
		if err := c.Check(t.Context(), service.Solve(), from); err != nil {
			t.Fatal(err)
		}
		asked := service.Asked()
		if form := asked[len(asked)-1]; form.Get("remoteip") != want || form.Has("remoteip") != (want != "") {
			t.Errorf("from %q the service is told %q", address, form["remoteip"])
		}
	}
}

// No trouble of the service lets anybody in, and none tells the secret or the token.
func TestTroubleKeepsTheDoorShut(t *testing.T) {
	t.Parallel()
	service, c := open(t, "turnstile", nil)
	say := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	for name, trouble := range map[string]struct {
		say  http.HandlerFunc
		want auth.Code
	}{
		"an error":                   {say(500, `{"success":true}`), auth.CaptchaUnavailable},
		"too busy":                   {say(429, `{"success":false,"error-codes":["rate-limited"]}`), auth.CaptchaUnavailable},
		"created":                    {say(201, `{"success":true}`), auth.CaptchaUnavailable},
		"nothing":                    {say(200, ``), auth.CaptchaUnavailable},
		"no JSON":                    {say(200, `<html>true</html>`), auth.CaptchaUnavailable},
		"no verdict":                 {say(200, `{}`), auth.CaptchaUnavailable},
		"null":                       {say(200, `null`), auth.CaptchaUnavailable},
		"a list":                     {say(200, `[true]`), auth.CaptchaUnavailable},
		"a verdict that is text":     {say(200, `{"success":"true"}`), auth.CaptchaUnavailable},
		"a verdict that is a number": {say(200, `{"success":1}`), auth.CaptchaUnavailable},
		"another member":             {say(200, `{"SUCCESS":true}`), auth.CaptchaUnavailable},
		"two verdicts":               {say(200, `{"success":false,"success":true}`), auth.CaptchaUnavailable},
		"more after the verdict":     {say(200, `{"success":true} {"success":false}`), auth.CaptchaUnavailable},
		"yes and an error":           {say(400, `{"success":true}`), auth.CaptchaUnavailable},
		"huge":                       {say(200, `{"success":true,"x":"`+strings.Repeat("x", 1<<20)+`"}`), auth.CaptchaUnavailable},
		"our secret is wrong":        {say(200, `{"success":false,"error-codes":["invalid-input-secret"]}`), auth.CaptchaUnavailable},
		"it broke":                   {say(200, `{"success":false,"error-codes":["internal-error"]}`), auth.CaptchaUnavailable},
		"no, with a status":          {say(400, `{"success":false,"error-codes":["invalid-input-response"]}`), auth.CaptchaFailed},
		"no, and not why":            {say(200, `{"success":false}`), auth.CaptchaFailed},
		"no, in strange words":       {say(200, `{"success":false,"error-codes":["\n2026 level=INFO forged"]}`), auth.CaptchaFailed},
		"a redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example/", http.StatusTemporaryRedirect)
		}, auth.CaptchaUnavailable},
		"it hangs up": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, auth.CaptchaUnavailable},
	} {
		service.Misbehave(trouble.say)
		token := service.Solve()
		err := c.Check(t.Context(), token, somewhere)
		if !errors.Is(err, trouble.want) {
			t.Errorf("%s: %v, want %s", name, err, trouble.want)
		}
		if text := fmt.Sprint(err); strings.Contains(text, "canary") || strings.Contains(text, token) || strings.Contains(text, "\n") {
			t.Errorf("%s: the error says %q", name, text)
		}
	}
	service.Misbehave(nil)
	if err := c.Check(t.Context(), service.Solve(), somewhere); err != nil {
		t.Errorf("after all that: %v", err)
	}
}

func TestSilenceEndsInARefusal(t *testing.T) {
	t.Parallel()
	service, c := open(t, "turnstile", func(s *captcha.Settings) { s.Timeout = 50 * time.Millisecond })
	let := make(chan struct{})
	defer close(let)
	service.Misbehave(func(http.ResponseWriter, *http.Request) { <-let })
	if err := c.Check(t.Context(), service.Solve(), somewhere); !errors.Is(err, auth.CaptchaUnavailable) {
		t.Errorf("a service that does not answer: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Check(gone, service.Solve(), somewhere); !errors.Is(err, context.Canceled) || errors.Is(err, auth.CaptchaUnavailable) {
		t.Errorf("whoever asked has gone: %v", err)
	}
}

// Nobody there at all, and a wrong secret.
func TestMisconfigured(t *testing.T) {
	t.Parallel()
	_, c := open(t, "turnstile", func(s *captcha.Settings) { s.URL = "http://127.0.0.1:1/canary" })
	if err := c.Check(t.Context(), "token", somewhere); !errors.Is(err, auth.CaptchaUnavailable) || strings.Contains(err.Error(), "canary") {
		t.Errorf("nobody listens: %v", err)
	}
	service, c := open(t, "hcaptcha", func(s *captcha.Settings) { s.Secret = "another" })
	if err := c.Check(t.Context(), service.Solve(), somewhere); !errors.Is(err, auth.CaptchaUnavailable) {
		t.Errorf("a wrong secret: %v", err)
	}
}

func TestOneTokenInParallel(t *testing.T) {
	t.Parallel()
	service, c := open(t, "turnstile", nil)
	token := service.Solve()
	var passed atomic.Int32
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if c.Check(t.Context(), token, somewhere) == nil {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 1 {
		t.Errorf("one token passed %d times", passed.Load())
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings captcha.Settings
		header   string // of the checker; empty when there is none
		problem  string // the setting that is reported
	}{
		"nothing":            {captcha.Settings{}, "", ""},
		"as Hasura Auth":     {captcha.Settings{TurnstileSecret: "s"}, "x-cf-turnstile-response", ""},
		"Turnstile":          {captcha.Settings{Provider: "turnstile", Secret: "s"}, "x-cf-turnstile-response", ""},
		"both names agree":   {captcha.Settings{TurnstileSecret: "s", Secret: "s"}, "x-cf-turnstile-response", ""},
		"hCaptcha":           {captcha.Settings{Provider: "hcaptcha", Secret: "s"}, "h-captcha-response", ""},
		"two secrets":        {captcha.Settings{TurnstileSecret: "s", Secret: "t"}, "x-cf-turnstile-response", "AUTH_CAPTCHA_SECRET"},
		"which service":      {captcha.Settings{Secret: "s"}, "x-cf-turnstile-response", "AUTH_CAPTCHA_PROVIDER"},
		"no secret":          {captcha.Settings{Provider: "hcaptcha"}, "", "AUTH_CAPTCHA_SECRET"},
		"the other's secret": {captcha.Settings{Provider: "hcaptcha", TurnstileSecret: "s"}, "h-captcha-response", "AUTH_CAPTCHA_PROVIDER"},
		"in the clear":       {captcha.Settings{Provider: "turnstile", Secret: "s", URL: "http://captcha.example/"}, "x-cf-turnstile-response", "AUTH_CAPTCHA_URL"},
		"in the clear, tricky": {
			captcha.Settings{Provider: "turnstile", Secret: "s", URL: "http://localhost.evil.example/"}, "x-cf-turnstile-response", "AUTH_CAPTCHA_URL",
		},
		"on this machine": {captcha.Settings{Provider: "turnstile", Secret: "s", URL: "http://127.0.0.1:8080/"}, "x-cf-turnstile-response", ""},
	} {
		var problems []string
		test.settings.Check(func(env, _ string) { problems = append(problems, env) })
		if test.problem == "" && len(problems) > 0 || test.problem != "" && !slices.Contains(problems, test.problem) {
			t.Errorf("%s: problems with %v, want %q", name, problems, test.problem)
		}
		headers := captcha.Open(test.settings).Headers()
		if test.header == "" && headers != nil || test.header != "" && (len(headers) == 0 || headers[0] != test.header) {
			t.Errorf("%s: headers %v, want %q", name, headers, test.header)
		}
	}
	if err := captcha.Open(captcha.Settings{}).Check(t.Context(), "", somewhere); err != nil {
		t.Errorf("without a service: %v", err)
	}
}

package sms_test

import (
	"net/http"
	"strings"
	"testing"

	"postern/internal/fakesms"
	"postern/sms"
)

// These gateways say no with the status 200. What the number does wrong is hopeless, what the operator can mend is not,
// and neither the number nor a key is in the error.
func TestGatewaysThatSayNoWithTheStatus200(t *testing.T) {
	t.Parallel()
	const barred = "+99955501234"
	for name, test := range map[string]struct {
		settings func(*fakesms.Server) map[string]string
		key      string
		barred   bool // tells a number that cannot be reached from a wrong key
	}{
		"textlocal": {(*fakesms.Server).Textlocal, "AUTH_SMS_TEXTLOCAL_API_KEY", true},
		"vonage":    {(*fakesms.Server).Vonage, "AUTH_SMS_VONAGE_API_SECRET", true},
		"msg91":     {(*fakesms.Server).MSG91, "AUTH_SMS_MSG91_AUTH_KEY", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := fakesms.New(t)
			env := test.settings(server)
			if test.barred {
				err := open(t, settingsOf(env)).Send(t.Context(), sms.Message{ID: "m", To: barred, Text: "hello"})
				if err == nil || !sms.IsPermanent(err) || strings.Contains(err.Error(), "5550123") {
					t.Errorf("a barred number: %v, want a permanent error without the number", err)
				}
			}
			env[test.key] = "wrong-key"
			err := open(t, settingsOf(env)).Send(t.Context(), sms.Message{ID: "m", To: phone, Text: "hello"})
			if err == nil || sms.IsPermanent(err) || strings.Contains(err.Error(), "wrong-key") {
				t.Errorf("a wrong key: %v, want an error that can be mended", err)
			}
			if n := len(server.Messages()); n != 0 {
				t.Errorf("%d messages arrived", n)
			}
		})
	}
}

func TestGatewaysOfTheTableNeedTheirSettings(t *testing.T) {
	t.Parallel()
	for provider, least := range map[string]int{sms.MessageBird: 2, sms.Textlocal: 2, sms.Vonage: 3, sms.MSG91: 2} {
		s := sms.Settings{Enabled: true, Provider: provider}
		var missing []string
		s.Check(func(env, _ string) { missing = append(missing, env) })
		if len(missing) != least || s.Configured() {
			t.Errorf("%s lacks %q, want %d settings; configured %t", provider, missing, least, s.Configured())
		}
	}
}

// An answer that nobody can read is no reason to believe that a message was taken.
func TestGatewaysThatAnswerNonsense(t *testing.T) {
	t.Parallel()
	for _, settings := range []func(*fakesms.Server) map[string]string{(*fakesms.Server).Textlocal, (*fakesms.Server).Vonage, (*fakesms.Server).MSG91} {
		server := fakesms.New(t)
		server.FailAlways(fakesms.Reply(http.StatusOK))
		err := open(t, settingsOf(settings(server))).Send(t.Context(), sms.Message{ID: "m", To: phone, Text: "hello"})
		if err == nil || sms.IsPermanent(err) {
			t.Errorf("%v, want an error worth another attempt", err)
		}
	}
}

package sms_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/fakesms"
	"postern/sms"
)

func TestSettingsThatDoNotFit(t *testing.T) {
	t.Parallel()
	const (
		account = "AUTH_SMS_TWILIO_ACCOUNT_SID"
		token   = "AUTH_SMS_TWILIO_AUTH_TOKEN"
		service = "AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID"
		body    = "AUTH_SMS_GENERIC_BODY_TEMPLATE"
		kind    = "AUTH_SMS_GENERIC_CONTENT_TYPE"
		headers = "AUTH_SMS_GENERIC_HEADERS"
		secret  = "AUTH_SMS_GENERIC_SECRET"
		form    = "application/x-www-form-urlencoded"
	)
	twilio := func(change func(*sms.Settings)) sms.Settings {
		s := sms.Settings{Provider: sms.Twilio, TwilioAccount: fakesms.Account, TwilioToken: "x", TwilioService: fakesms.MessagingService}
		change(&s)
		return s
	}
	generic := func(change func(*sms.Settings)) sms.Settings {
		s := sms.Settings{Provider: sms.Generic, GenericURL: "https://sms.example.com/send?key=k", GenericContentType: "application/json", GenericTimeout: time.Second}
		change(&s)
		return s
	}
	for name, test := range map[string]struct {
		settings sms.Settings
		wrong    string // the variables, or empty
		ready    bool
	}{
		"nothing set": {sms.Settings{Provider: sms.Twilio}, "", false},

		"twilio":                          {twilio(func(*sms.Settings) {}), "", true},
		"twilio, Verify":                  {twilio(func(s *sms.Settings) { s.TwilioService = fakesms.VerifyService }), "", true},
		"twilio, number":                  {twilio(func(s *sms.Settings) { s.TwilioService = "+15550100" }), "", true},
		"twilio, sender's name":           {twilio(func(s *sms.Settings) { s.TwilioService = "VA Example" }), "", true},
		"twilio, account alone":           {sms.Settings{Provider: sms.Twilio, TwilioAccount: fakesms.Account}, token + " " + service, false},
		"twilio, no token":                {twilio(func(s *sms.Settings) { s.TwilioToken = "" }), token, false},
		"twilio, Verify as the account":   {twilio(func(s *sms.Settings) { s.TwilioAccount = fakesms.VerifyService }), account, false},
		"twilio, service that is none":    {twilio(func(s *sms.Settings) { s.TwilioService = "my messaging service" }), service, false},
		"twilio, number without a plus":   {twilio(func(s *sms.Settings) { s.TwilioService = "4915112345678" }), service, false},
		"twilio in clear":                 {twilio(func(s *sms.Settings) { s.TwilioURL = "http://proxy.example.com" }), "AUTH_SMS_TWILIO_URL", false},
		"twilio in clear on this machine": {twilio(func(s *sms.Settings) { s.TwilioURL = "http://127.0.0.1:8080" }), "", true},

		"modica":          {sms.Settings{Provider: sms.Modica, ModicaUser: "u", ModicaPassword: "p"}, "", true},
		"modica, nothing": {sms.Settings{Provider: sms.Modica}, "AUTH_SMS_MODICA_PASSWORD AUTH_SMS_MODICA_USERNAME", false},
		"modica in clear": {sms.Settings{Provider: sms.Modica, ModicaUser: "u", ModicaPassword: "p", ModicaURL: "http://modica.example.com"}, "AUTH_SMS_MODICA_URL", false},

		"generic":                     {generic(func(*sms.Settings) {}), "", true},
		"generic, no URL":             {generic(func(s *sms.Settings) { s.GenericURL = "" }), "AUTH_SMS_GENERIC_URL", false},
		"generic, no media type":      {generic(func(s *sms.Settings) { s.GenericContentType = "json" }), kind, false},
		"generic, two lines":          {generic(func(s *sms.Settings) { s.GenericContentType = "text/plain\r\nX: y" }), kind, false},
		"generic, several parts":      {generic(func(s *sms.Settings) { s.GenericContentType = "multipart/form-data; boundary=x" }), kind, false},
		"generic, form":               {generic(func(s *sms.Settings) { s.GenericContentType = form }), "", true},
		"generic, text without words": {generic(func(s *sms.Settings) { s.GenericContentType = "text/plain" }), body, false},
		"generic, text":               {generic(func(s *sms.Settings) { s.GenericContentType, s.GenericBody = "text/plain", "${to}: ${body}" }), "", true},
		"generic, blanks in braces":   {generic(func(s *sms.Settings) { s.GenericBody = `{"a":"${ to }","b":["${body }"]}` }), "", true},
		"generic, no number":          {generic(func(s *sms.Settings) { s.GenericBody = `{"b":"${body}"}` }), body, false},
		"generic, no text":            {generic(func(s *sms.Settings) { s.GenericBody = `{"b":"${to}"}` }), body, false},
		"generic, unknown name":       {generic(func(s *sms.Settings) { s.GenericBody = `{"a":"${to}","b":"${body}","c":"${from}"}` }), body, false},
		"generic, open brace":         {generic(func(s *sms.Settings) { s.GenericBody = `{"a":"${to}","b":"${body}","c":"${` }), body, false},
		"generic, no quotes":          {generic(func(s *sms.Settings) { s.GenericBody = `{"a":${to},"b":"${body}"}` }), body, false},
		"generic, not JSON":           {generic(func(s *sms.Settings) { s.GenericBody = `to=${to}&body=${body}` }), body, false},
		"generic, form that nests": {generic(func(s *sms.Settings) {
			s.GenericContentType, s.GenericBody = form, `{"a":{"to":"${to}"},"b":"${body}"}`
		}), body, false},
		"generic, form of a list":    {generic(func(s *sms.Settings) { s.GenericContentType, s.GenericBody = form, `["${to}","${body}"]` }), body, false},
		"generic, form of two":       {generic(func(s *sms.Settings) { s.GenericContentType, s.GenericBody = form, `{"a":"${to}"} {"b":"${body}"}` }), body, false},
		"generic, headers":           {generic(func(s *sms.Settings) { s.GenericHeaders = `{"Authorization":"Bearer x","X-Y":"z"}` }), "", true},
		"generic, headers as a list": {generic(func(s *sms.Settings) { s.GenericHeaders = `["Authorization"]` }), headers, false},
		"generic, header of numbers": {generic(func(s *sms.Settings) { s.GenericHeaders = `{"X":1}` }), headers, false},
		"generic, header of lines":   {generic(func(s *sms.Settings) { s.GenericHeaders = `{"X":"a\r\nY: b"}` }), headers, false},
		"generic, header's name":     {generic(func(s *sms.Settings) { s.GenericHeaders = `{"X Y":"a"}` }), headers, false},
		"generic, header twice":      {generic(func(s *sms.Settings) { s.GenericHeaders = `{"X-Y":"a","x-y":"b"}` }), headers, false},
		"generic, other media type":  {generic(func(s *sms.Settings) { s.GenericHeaders = `{"content-type":"a/b"}` }), headers, false},
		"generic, length":            {generic(func(s *sms.Settings) { s.GenericHeaders = `{"content-length":"5"}` }), headers, false},
		"generic, signed":            {generic(func(s *sms.Settings) { s.GenericSecret = fakesms.WebhookSecret }), "", true},
		"generic, signed twice":      {generic(func(s *sms.Settings) { s.GenericSecret = "v1," + fakesms.WebhookSecret + "|" + fakesms.WebhookSecret }), "", true},
		"generic, own signature": {generic(func(s *sms.Settings) {
			s.GenericSecret, s.GenericHeaders = fakesms.WebhookSecret, `{"webhook-signature":"v1,x"}`
		}), headers, false},
		"generic, short secret":  {generic(func(s *sms.Settings) { s.GenericSecret = "whsec_c2hvcnQ=" }), secret, false},
		"generic, plain secret":  {generic(func(s *sms.Settings) { s.GenericSecret = strings.Repeat("secret! ", 9) }), secret, false},
		"dev":                    {sms.Settings{Provider: sms.Dev}, "", true},
		"dev does not mind rest": {sms.Settings{Provider: sms.Dev, TwilioAccount: "x", GenericHeaders: "x"}, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := test.settings
			s.Enabled = true
			var wrong []string
			s.Check(func(env, problem string) {
				wrong = append(wrong, env)
				if problem == "" || strings.Contains(problem, "key=k") || strings.Contains(problem, fakesms.WebhookSecret) {
					t.Errorf("%s: %q", env, problem)
				}
			})
			slices.Sort(wrong)
			if got := strings.Join(wrong, " "); got != test.wrong {
				t.Errorf("wrong are %q, want %q", got, test.wrong)
			}
			g, err := sms.Open(s, sms.Options{Now: time.Now})
			if err != nil || g.Configured() != test.ready || s.Configured() != test.ready {
				t.Errorf("gateway %t, settings %t, want %t; %v", g.Configured(), s.Configured(), test.ready, err)
			}
			s.Enabled = false
			s.Check(func(env, _ string) { t.Errorf("%s is wrong though text messages are off", env) })
		})
	}
}

// Hasura Auth looked at the account's id, where a Verify service never stands.
func TestWeakness48TwilioVerifyIsChosenByItsService(t *testing.T) {
	t.Parallel()
	got := map[string]bool{}
	for _, service := range []string{fakesms.VerifyService, fakesms.MessagingService, "+15550100", "VALUE"} {
		g, err := sms.Open(sms.Settings{Provider: sms.Twilio, TwilioAccount: fakesms.Account, TwilioToken: "x", TwilioService: service}, sms.Options{})
		if err != nil {
			t.Fatal(err)
		}
		got[service] = g.HoldsCodes()
	}
	want := map[string]bool{fakesms.VerifyService: true, fakesms.MessagingService: false, "+15550100": false, "VALUE": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("gateways that hold codes (-want +got):\n%s", diff)
	}
}

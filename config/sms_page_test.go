package config

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Each gateway on the page of text messages starts as it stands there.
func TestGatewaysOnThePageOfTextMessages(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "docs", "sms.md"))
	if err != nil {
		t.Fatal(err)
	}
	var providers []string
	for _, block := range regexp.MustCompile("(?s)<!-- gateway -->\n\n```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		c, report := Load(Source{EnvFile: "sms.env", ReadFile: files{"sms.env": block[1]}.read})
		for _, p := range append(report.Errors, report.Warnings...) {
			t.Errorf("%s\nin\n%s", p, block[1])
		}
		if !c.SMS.Enabled || !c.SMS.Configured() {
			t.Errorf("no gateway is open with\n%s", block[1])
		}
		providers = append(providers, c.SMS.Provider)
	}
	if diff := cmp.Diff([]string{"twilio", "twilio", "messagebird", "textlocal", "vonage", "msg91", "modica", "generic", "generic", "generic"}, providers); diff != "" {
		t.Errorf("gateways on the page (-want +got):\n%s", diff)
	}
}

// What a gateway lacks is told by name, where text messages are on, and only there.
func TestHalfAGatewayStopsTheStart(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true", "AUTH_SMS_TWILIO_ACCOUNT_SID": "AC0123456789abcdef0123456789abcdef", "AUTH_SMS_TWILIO_AUTH_TOKEN": "s3cret"}
	_, report := Load(Source{Env: env, ReadFile: files{}.read})
	want := []string{"AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID: is not set, and is needed with the other settings of Twilio"}
	if diff := cmp.Diff(want, lines(report.Errors)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	env["AUTH_SMS_PASSWORDLESS_ENABLED"] = "false"
	if _, report := Load(Source{Env: env, ReadFile: files{}.read}); !report.OK() {
		t.Errorf("with text messages off: %s", report)
	}
}

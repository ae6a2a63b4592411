package house_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"

	"postern/hooks/supabase"
	"postern/internal/testhouse"
)

// texting are the settings of a house without a gateway for text messages.
func texting(settings map[string]string) map[string]string {
	all := maps.Clone(settings)
	all["AUTH_SMS_PASSWORDLESS_ENABLED"], all["AUTH_SMS_PROVIDER"] = "true", ""
	return all
}

// asksForText asks for a code by text message.
func asksForText(t testing.TB, h *testhouse.House, number string) reply {
	t.Helper()
	return post(t, h, "/signin/passwordless/sms", fmt.Sprintf(`{"phoneNumber":%q}`, number))
}

func TestSendSMS(t *testing.T) {
	t.Parallel()
	r := listen(t, supabase.SendSMS)
	h := testhouse.Open(t, texting(hook(supabase.SendSMS, r.URL)))
	if strings.Contains(h.Log.String(), "no gateway for text messages") {
		t.Error("a warning that there is nobody to send")
	}
	for _, tt := range []struct {
		answer        http.HandlerFunc
		status        int
		code, message string
	}{
		{says(200, `{"error":{"http_code":429,"message":"No more messages today"}}`), 429, "hook-denied", "No more messages today"},
		{says(500, `{}`), 500, "hook-failed", failed},
		{waits, 500, "hook-failed", failed},
	} {
		r.says(tt.answer)
		asksForText(t, h, "+15551234567").turnedAway(t, tt.status, tt.code, tt.message)
	}
	r.says(says(200, `{}`))
	if got := asksForText(t, h, "+15551234567"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	body := r.only(t)
	if meta, _ := body["metadata"].(map[string]any); meta["ip_address"] != "127.0.0.1" {
		t.Errorf("told %v", meta)
	}
	message, _ := body["sms"].(map[string]any)
	if message["phone"] != "15551234567" || message["sms_type"] != nil {
		t.Errorf("told %v", body)
	}
	in := post(t, h, "/signin/passwordless/sms/otp", fmt.Sprintf(`{"phoneNumber":"+15551234567","otp":%q}`, message["otp"]))
	if in.entered(t); len(r.questions()) != 0 {
		t.Error("a sign-in sent a message")
	}
}

func TestSendSMSInTheDatabase(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, texting(hook(supabase.SendSMS, "pg-functions://postgres/app/hook")))
	asksForText(t, h, "+15551234567").turnedAway(t, 500, "hook-failed", failed)
	run(t, h, `create schema app; create table app.outbox (phone text, otp text)`)
	function(t, h, `return '{"error":{"http_code":403,"message":"Not there"}}';`)
	asksForText(t, h, "+15551234567").turnedAway(t, 403, "hook-denied", "Not there")
	function(t, h, `insert into app.outbox values (event->'sms'->>'phone', event->'sms'->>'otp'); return '{}';`)
	if got := asksForText(t, h, "+15551234567"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	run(t, h, `do $$ begin if (select count(*) from app.outbox where phone = '15551234567' and otp ~ '^[0-9]{6,}$') <> 1 then raise exception 'no message'; end if; end $$`)
}

package deliver_test

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/emails"
	"postern/internal/fakesms"
	"postern/internal/testhouse"
	"postern/internal/testmail"
	"postern/store"
	"postern/tokens"
)

const phone = "+4915112345678"

// queueSMS owes somebody a text message with a code that lives for five minutes.
func queueSMS(t *testing.T, h *testhouse.House, to, locale, code string) {
	t.Helper()
	id := tokens.NewUUID()
	plain, err := json.Marshal(emails.Message{ID: id, To: to, Template: emails.SignInSMS, Locale: locale, Variables: map[string]string{"code": code}})
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := h.Kit.Keys.Seal(store.SMSSeal, plain)
	if err != nil {
		t.Fatal(err)
	}
	err = h.Store.InTx(t.Context(), func(tx *store.DB) error {
		return tx.Enqueue(t.Context(), store.SMSJob{ID: id, Sealed: sealed, ExpiresAt: h.Clock.Now().Add(5 * time.Minute)}, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// smsJob reads the only job of a text message, once it has one of the states.
func smsJob(t *testing.T, h *testhouse.House, states ...string) (errs []string, args string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var state string
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		err := conn.QueryRow(t.Context(), `select state::text, args::text,
			coalesce((select array_agg(e->>'error') from unnest(errors) e), '{}') from postern_river.river_job where kind = 'postern_sms'`).Scan(&state, &args, &errs)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s == state {
				return errs, args
			}
		}
		if _, err := conn.Exec(t.Context(), "select pg_sleep(0.02)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the job is %s, not one of %v; %v", state, states, errs)
	return nil, ""
}

func TestTextMessagesGoThroughEachGateway(t *testing.T) {
	t.Parallel()
	for name, settings := range map[string]func(*fakesms.Server) map[string]string{
		"twilio": (*fakesms.Server).TwilioMessaging, "modica": (*fakesms.Server).Modica, "generic": (*fakesms.Server).Generic,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := fakesms.New(t)
			h := testhouse.Open(t, settings(gateway))
			queueSMS(t, h, phone, "de", "482913")
			got := gateway.Wait(t, phone, 1)[0]
			if got.Gateway != name || got.Code != "482913" || got.Text != "482913 ist Ihr Anmeldecode. Geben Sie ihn nicht weiter." {
				t.Errorf("got %+v", got)
			}
			if errs, _ := smsJob(t, h, "completed"); len(errs) != 0 {
				t.Errorf("failed attempts: %v", errs)
			}
		})
	}
}

// Twilio Verify makes the code: none of ours is in the job.
func TestTwilioVerifyMakesTheCode(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	h := testhouse.Open(t, gateway.TwilioVerify())
	queueSMS(t, h, phone, "de", "")
	got := gateway.Wait(t, phone, 1)[0]
	smsJob(t, h, "completed")
	if right, err := h.Kit.SMS.CheckCode(t.Context(), phone, got.Code); !right || err != nil {
		t.Errorf("the code is right: %t, %v", right, err)
	}
}

func TestTextMessageOfTheDevelopmentMachineIsCaught(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	queueSMS(t, h, phone, "en", "482913")
	if got := h.SMS(t, phone, 1)[0]; got.Code != "482913" {
		t.Errorf("got %+v", got)
	}
	smsJob(t, h, "completed")
	if log := h.Log.String(); strings.Contains(log, "482913") || strings.Contains(log, phone) || !strings.Contains(log, "+491********78") {
		t.Errorf("the log has the code or the number, or nothing at all:\n%s", log)
	}
}

func TestTextMessageIsTriedAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	gateway.Fail(fakesms.Reply(503), fakesms.CutAfter())
	h := testhouse.Open(t, gateway.Generic())
	queueSMS(t, h, phone, "en", "482913")
	got := gateway.Wait(t, phone, 2)
	if got[0].ID == "" || got[0].ID != got[1].ID {
		t.Errorf("the attempts have the ids %q and %q, want the same", got[0].ID, got[1].ID)
	}
	if errs, _ := smsJob(t, h, "completed"); len(errs) != 2 {
		t.Errorf("failed attempts: %v, want 2", errs)
	}
}

// Whoever reads the queue, its errors or the log learns no code and no credential.
func TestTextMessageToABadNumberIsKeptAsADeadLetter(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	h := testhouse.Open(t, gateway.TwilioMessaging())
	queueSMS(t, h, "+15005550001", "en", "482913")
	errs, args := smsJob(t, h, "cancelled")
	if n := len(gateway.Requests()); n != 1 || len(errs) != 1 || !strings.Contains(errs[0], "21211") {
		t.Errorf("%d requests, errors %v", n, errs)
	}
	log := h.Log.String()
	if !strings.Contains(log, "kept as a dead letter") {
		t.Errorf("the log does not tell of the dead letter:\n%s", log)
	}
	for _, secret := range []string{"482913", base64.StdEncoding.EncodeToString([]byte("482913")), fakesms.Token, "+15005550001"} {
		for where, text := range map[string]string{"job": args, "error": strings.Join(errs, " "), "log": log} {
			if strings.Contains(text, secret) {
				t.Errorf("%s is in the %s: %s", secret, where, text)
			}
		}
	}
}

func TestTextMessageIsTriedAsOftenAsTheSettingSays(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	gateway.FailAlways(fakesms.Refuse(429, 20429))
	settings := gateway.TwilioMessaging()
	maps.Copy(settings, map[string]string{"AUTH_SMS_ATTEMPTS": "2"})
	h := testhouse.Open(t, settings)
	queueSMS(t, h, phone, "en", "482913")
	if errs, _ := smsJob(t, h, "cancelled", "discarded"); len(errs) != 2 {
		t.Errorf("given up after %d attempts, want 2", len(errs))
	}
}

func TestTextMessageWhoseCodeHasExpiredIsNotSentAnyMore(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	gateway.FailAlways(fakesms.Reply(502))
	h := testhouse.Open(t, gateway.Modica())
	queueSMS(t, h, phone, "en", "482913")
	for failed := 0; failed == 0; { // an attempt that failed after the clock was moved would wait for the clock
		errs, _ := smsJob(t, h, "retryable", "scheduled", "available", "running")
		failed = len(errs)
	}
	gateway.FailAlways(fakesms.None)
	h.Clock.Advance(5 * time.Minute)
	smsJob(t, h, "cancelled")
	if n := len(gateway.Messages()); n != 0 {
		t.Errorf("%d messages were sent", n)
	}
}

// A mail server that keeps every connection waiting does not keep codes waiting.
func TestTextMessagesDoNotWaitBehindMails(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{"AUTH_MAIL_WORKERS": "1"})
	h.Mail.FailAlways(testmail.Silent(testmail.Greeting))
	signUp(t, h, "slow@example.com")
	h.Mail.WaitSilent(t, 1)
	queueSMS(t, h, phone, "en", "482913")
	h.SMS(t, phone, 1)
	if state, errs, _ := job(t, h, "running", "retryable", "scheduled", "available"); state != "running" || errs != 0 {
		t.Errorf("the text message came after an attempt to send the mail had ended: %s, %d failed attempts", state, errs)
	}
}

// The gateway of a job is the one there is when it is sent.
func TestCodeOfOursIsNotReplacedByOneOfTheGateway(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		settings func(*fakesms.Server) map[string]string
		code     string
	}{
		"code of ours, gateway with codes":       {(*fakesms.Server).TwilioVerify, "482913"},
		"code of the gateway, gateway with none": {(*fakesms.Server).TwilioMessaging, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gateway := fakesms.New(t)
			h := testhouse.Open(t, test.settings(gateway))
			queueSMS(t, h, phone, "en", test.code)
			smsJob(t, h, "cancelled")
			if n := len(gateway.Requests()); n != 0 {
				t.Errorf("%d requests", n)
			}
		})
	}
}

func TestServerStartsWithoutAGatewayAndSaysSo(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{"AUTH_SMS_PROVIDER": "", "AUTH_SMS_PASSWORDLESS_ENABLED": "true"})
	if h.Kit.SMSReady {
		t.Error("text messages count as possible")
	}
	if !strings.Contains(h.Log.String(), "sms-not-configured") {
		t.Errorf("the log has no warning:\n%s", h.Log)
	}
	queueSMS(t, h, phone, "en", "482913") // as an earlier start with a gateway may have left it
	if errs, _ := smsJob(t, h, "retryable", "scheduled"); len(errs) == 0 || !strings.Contains(errs[0], "AUTH_SMS_PROVIDER") {
		t.Errorf("errors: %v", errs)
	}
}

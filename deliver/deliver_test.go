package deliver_test

import (
	"encoding/base64"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testhouse"
	"postern/internal/testmail"
)

func signUp(t *testing.T, h *testhouse.House, address string) {
	t.Helper()
	res, body := h.Do(t, "POST", "/signup/email-password", `{"email":"`+address+`","password":"correct horse"}`)
	_ = res.Body.Close()
	if strings.TrimSpace(body) != "{}" { // anything else is a refusal
		t.Fatalf("sign-up: %s", body)
	}
}

// job reads the state of the only mail job, once it has one of the states.
func job(t *testing.T, h *testhouse.House, states ...string) (state string, errs int, args string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), h.Database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		err := conn.QueryRow(t.Context(), `select state::text, coalesce(array_length(errors, 1), 0), args::text from postern_river.river_job
			where kind = 'postern_mail'`).Scan(&state, &errs, &args)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s == state {
				return state, errs, args
			}
		}
		if _, err := conn.Exec(t.Context(), "select pg_sleep(0.02)"); err != nil {
			t.Fatal(err)
		}
	}
	t.Fatalf("the job is %s, not one of %v", state, states)
	return "", 0, ""
}

func TestGreylistedMailIsTriedAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	h.Mail.Fail(testmail.Reply(testmail.Recipient, 450))
	signUp(t, h, "grey@example.com")
	h.Mail.Wait(t, "grey@example.com", 1)
	if _, errs, _ := job(t, h, "completed"); errs != 1 {
		t.Errorf("got %d failed attempts, want 1", errs)
	}
}

func TestMailCutAfterTheDotIsSentAgainWithTheSameID(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	h.Mail.Fail(testmail.CutAfterDot())
	signUp(t, h, "cut@example.com")
	got := h.Mail.Wait(t, "cut@example.com", 2)
	if a, b := got[0].Headers.Get("Message-Id"), got[1].Headers.Get("Message-Id"); a == "" || a != b {
		t.Errorf("the copies have the ids %q and %q, want the same", a, b)
	}
	if _, errs, _ := job(t, h, "completed"); errs != 1 {
		t.Errorf("got %d failed attempts, want 1", errs)
	}
}

func TestRefusedMailIsKeptAsADeadLetterAndSaidAloud(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	h.Mail.FailAlways(testmail.Reply(testmail.Recipient, 550))
	signUp(t, h, "nobody@example.com")
	job(t, h, "cancelled")
	if !strings.Contains(h.Log.String(), "kept as a dead letter") {
		t.Errorf("the log does not tell of the dead letter:\n%s", h.Log)
	}
}

func TestMailServerThatIsAwayDoesNotHoldUpTheSignUp(t *testing.T) {
	t.Parallel()
	host, port := testmail.Closed(t)
	h := testhouse.Open(t, map[string]string{"AUTH_SMTP_HOST": host, "AUTH_SMTP_PORT": strconv.Itoa(port)})
	signUp(t, h, "later@example.com")
	job(t, h, "retryable", "scheduled")
	if !strings.Contains(h.Log.String(), "will be tried again") {
		t.Errorf("the log does not tell of the failed attempt:\n%s", h.Log)
	}
}

func TestQueuedMailHoldsNoTicketInClear(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	signUp(t, h, "sealed@example.com")
	mail := h.Mail.Wait(t, "sealed@example.com", 1)[0]
	_, _, args := job(t, h, "completed")
	secret := strings.TrimPrefix(mail.Ticket, "verifyEmail:")
	if secret == "" {
		t.Fatal("the mail has no ticket")
	}
	for name, form := range map[string]string{
		"plain": secret, "base64": base64.StdEncoding.EncodeToString([]byte(secret))[:40], "address": "sealed@example.com",
	} {
		if strings.Contains(args, form) {
			t.Errorf("the job holds the ticket (%s): %s", name, args)
		}
	}
}

func TestMailIsTriedAsOftenAsTheSettingSays(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, map[string]string{"AUTH_MAIL_ATTEMPTS": "2"})
	h.Mail.FailAlways(testmail.Reply(testmail.Recipient, 450))
	signUp(t, h, "away@example.com")
	if _, errs, _ := job(t, h, "cancelled", "discarded"); errs != 2 {
		t.Errorf("given up after %d attempts, want 2", errs)
	}
	if !strings.Contains(h.Log.String(), "kept as a dead letter") {
		t.Errorf("the log does not tell of the dead letter:\n%s", h.Log)
	}
}

func TestMailWhoseLinkHasExpiredIsNotSentAnyMore(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, nil)
	h.Mail.FailAlways(testmail.Reply(testmail.Recipient, 450))
	signUp(t, h, "late@example.com")
	for errs := 0; errs == 0; { // an attempt that failed after the clock was moved would wait for the clock
		_, errs, _ = job(t, h, "retryable", "scheduled", "available", "running")
	}
	h.Clock.Advance(31 * 24 * time.Hour)
	job(t, h, "cancelled")
	if n := len(h.Mail.To("late@example.com")); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
}

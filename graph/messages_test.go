package graph_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/emails"
	"postern/tokens"
)

// TestMessagesOfUsers shows mails in every state, where they go without saying it, and nothing that is in them.
func TestMessagesOfUsers(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	w := &world{h: h}
	jane, _ := signUp(t, h, "jane@example.com", "user")
	joe, _ := signUp(t, h, "joe@example.com", "user")
	exec(t, h, `delete from postern_river.river_job`)
	content := &emails.Message{To: "jane@example.com", Variables: map[string]string{"link": "https://hidden.example/?ticket=hidden-ticket"}}
	var ids []string
	for _, state := range []string{"available", "running", "retryable", "completed", "cancelled", "discarded"} {
		ids = append(ids, "mail:"+strconv.FormatInt(w.message(t, jane, state, content), 10))
	}
	exec(t, h, `update postern_river.river_job set errors = array['{"error":"greylisted"}'::jsonb] where state in ('retryable', 'discarded')`)
	exec(t, h, `insert into postern_river.river_job (state, max_attempts, args, kind, queue, priority) values ('available', 9, jsonb_build_object('userId', $1::text, 'id', 'hidden-hook'), 'postern_hook', 'x', 1)`, jane)
	w.message(t, joe, "available", nil)
	const query = `query($id:UUID!,$n:Int!){user(id:$id){mails(first:$n){id kind template sentTo state attempts error queuedAt nextAttemptAt endedAt expiresAt}}}`
	got := ask(t, h, bySecret(), query, map[string]any{"id": jane, "n": 20})
	type message struct {
		ID, Kind, Template, State string
		SentTo, Error             *string
		Attempts                  int
		QueuedAt                  time.Time
		NextAttemptAt, EndedAt    *time.Time
		ExpiresAt                 *time.Time
	}
	list := func(a answer) []message {
		var out struct{ User struct{ Mails []message } }
		decode(t, a, &out)
		return out.User.Mails
	}
	var lines []string
	for _, m := range list(got) {
		line := m.ID + " " + m.Kind + " " + m.Template + " " + m.State + " " + or(m.SentTo) + " " + or(m.Error)
		if m.NextAttemptAt != nil {
			line += " again"
		}
		if m.EndedAt != nil {
			line += " ended"
		}
		if m.ExpiresAt == nil || m.QueuedAt.IsZero() || m.Attempts != 1 {
			t.Errorf("%+v", m)
		}
		lines = append(lines, line)
	}
	const mail = " MAIL email-verify "
	want := []string{
		ids[5] + mail + "DEAD j…@example.com greylisted ended", ids[4] + mail + "DEAD j…@example.com  ended", ids[3] + mail + "SENT j…@example.com  ended",
		ids[2] + mail + "RETRYING j…@example.com greylisted again", ids[1] + mail + "SENDING j…@example.com ", ids[0] + mail + "QUEUED j…@example.com  again",
	}
	if d := cmp.Diff(want, lines); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
	if strings.Contains(string(got.Data), "hidden") || strings.Contains(string(got.Data), "jane@") {
		t.Errorf("the answer tells %s", got.Data)
	}
	if few := list(ask(t, h, bySecret(), query, map[string]any{"id": jane, "n": 2})); len(few) != 2 || few[0].ID != ids[5] {
		t.Errorf("the newest two are %+v", few)
	}
	if other := list(ask(t, h, bySecret(), query, map[string]any{"id": joe, "n": 2})); len(other) != 1 || other[0].SentTo != nil {
		t.Errorf("one that cannot be opened is %+v", other)
	}
	for _, f := range []string{"mails", "events"} {
		if a := ask(t, h, bySecret(), `{users(first:2){nodes{`+f+`(first:100){id}}}}`, nil); len(a.Errors) > 0 {
			t.Errorf("200 %s: %+v", f, a.Errors)
		}
		for range 10 {
			w.newcomer(t)
		}
		if a := ask(t, h, bySecret(), `{users(first:12){nodes{`+f+`(first:100){id}}}}`, nil); !strings.Contains(a.said(), "first must be less") {
			t.Errorf("1,200 %s: %+v", f, a)
		}
	}
}

// TestPendingSecretsOfUsers shows what may still be used, and nothing by which.
func TestPendingSecretsOfUsers(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"})
	jane, _ := signUp(t, h, "jane@example.com", "user")
	signUp(t, h, "joe@example.com", "user")
	exec(t, h, `delete from auth.tickets`)
	if a := ask(t, h, bySecret(), `mutation($in:SendPasswordResetInput!){sendPasswordReset(input:$in){__typename}}`, map[string]any{"in": map[string]any{"userId": jane}}); len(a.Errors) > 0 {
		t.Fatalf("%+v", a.Errors)
	}
	exec(t, h, `update auth.tickets set created_at = now() - interval '1 minute'`)
	exec(t, h, `insert into auth.tickets (purpose, secret_hash, user_id, phone_number, payload, attempts_left, created_at, expires_at) values
		('sms-code', 'hidden-1', $1, '+442071838750', '{"hidden":1}', 0, now(), now() + interval '5 minutes'), ('email-code', 'hidden-2', $1, null, null, 5, now(), now() - interval '1 second')`, jane)
	exec(t, h, `insert into auth.tickets (purpose, secret_hash, challenge, created_at, expires_at) values ('passkey-signin', 'hidden-3', 'hidden', now(), now() + interval '5 minutes')`)
	exec(t, h, `update auth.users set ticket = 'verifyEmail:hidden-ticket', ticket_expires_at = now() + interval '1 hour' where id = $1`, jane)
	const query = `query($id:UUID!){user(id:$id){pendingSecrets{kind sentTo createdAt expiresAt attemptsLeft}}}`
	list := func() []string {
		got := ask(t, h, bySecret(), query, map[string]any{"id": jane})
		if strings.Contains(string(got.Data), "hidden") {
			t.Errorf("the answer tells %s", got.Data)
		}
		var out struct {
			User struct {
				PendingSecrets []struct {
					Kind                 string
					SentTo               *string
					CreatedAt, ExpiresAt *time.Time
					AttemptsLeft         *int
				}
			}
		}
		decode(t, got, &out)
		var lines []string
		for _, s := range out.User.PendingSecrets {
			line := s.Kind + " " + or(s.SentTo)
			if s.AttemptsLeft != nil {
				line += " " + strconv.Itoa(*s.AttemptsLeft)
			}
			if s.CreatedAt == nil {
				line += " (of Hasura Auth)"
			}
			if s.ExpiresAt == nil {
				t.Errorf("%+v", s)
			}
			lines = append(lines, line)
		}
		return lines
	}
	want := []string{"SMS_CODE +442*******50 0", "RESET_PASSWORD j…@example.com"}
	if d := cmp.Diff(want, list()); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

// TestEveryPurposeHasAKind reads the purposes that there are: none is called OTHER.
func TestEveryPurposeHasAKind(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	jane, _ := signUp(t, h, "jane@example.com", "user")
	file, err := parser.ParseFile(token.NewFileSet(), "../auth/auth.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var purposes []string
	ast.Inspect(file, func(n ast.Node) bool {
		v, ok := n.(*ast.ValueSpec)
		if !ok || len(v.Values) != 1 {
			return true
		}
		if of, ok := v.Type.(*ast.Ident); ok && of.Name == "Purpose" {
			text, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			purposes = append(purposes, text)
		}
		return true
	})
	if len(purposes) < 19 {
		t.Fatalf("found only %q", purposes)
	}
	for _, p := range append(purposes, string(auth.VerifyEmail.Code()), string(auth.ResetPassword.Code()), "of another program") {
		exec(t, h, `delete from auth.tickets`)
		exec(t, h, `insert into auth.tickets (purpose, secret_hash, user_id, created_at, expires_at) values ($1, convert_to($2, 'UTF8'), $3, now(), now() + interval '5 minutes')`, p, tokens.NewUUID(), jane)
		got := ask(t, h, bySecret(), `{user(id:"`+jane+`"){pendingSecrets{kind}}}`, nil)
		if other := strings.Contains(string(got.Data), `"OTHER"`); len(got.Errors) > 0 || other != (p == "of another program") {
			t.Errorf("%s: %s %+v", p, got.Data, got.Errors)
		}
	}
}

// TestEventsOfUsers shows what became of events at the receivers that get them.
func TestEventsOfUsers(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	id := w.newcomer(t)
	exec(t, w.h, `delete from auth.events where user_id = $1`, id)
	exec(t, w.h, `delete from auth.event_lanes where user_id = $1`, id)
	exec(t, w.h, `delete from auth.event_letters where user_id = $1`, id)
	exec(t, w.h, `insert into auth.events (user_id, seq, type, payload, at) select $1, i, 'user.updated', jsonb_build_object('n', i), now() - make_interval(hours => 1) from generate_series(1, 4) i`, id)
	exec(t, w.h, `insert into auth.event_letters (user_id, endpoint, seq, dead_at, attempts, error) values ($1, 'crm', 3, now(), 15, 'status 500')`, id)
	got := ask(t, w.h, bySecret(), `{user(id:"`+id+`"){events(first:3){type data deliveries{receiver state attempts error nextAttemptAt}}}}`, nil)
	const want = `{"user":{"events":[{"type":"user.updated","data":{"n":4},"deliveries":[]},` +
		`{"type":"user.updated","data":{"n":3},"deliveries":[{"receiver":"crm","state":"DEAD","attempts":15,"error":"status 500","nextAttemptAt":null}]},{"type":"user.updated","data":{"n":2},"deliveries":[]}]}}`
	if d := cmp.Diff(want, string(got.Data)); d != "" {
		t.Errorf("%+v (-want +got):\n%s", got.Errors, d)
	}
}

// or is a text, or nothing.
func or(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// decode reads an answer without errors.
func decode(t testing.TB, a answer, into any) {
	t.Helper()
	if len(a.Errors) > 0 {
		t.Fatalf("%+v", a.Errors)
	}
	if err := json.Unmarshal(a.Data, into); err != nil {
		t.Fatal(err)
	}
}

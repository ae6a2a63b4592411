package house_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"postern/internal/testhouse"
)

const webhookSecret = "a secret of the webhook"

// webhook is a receiver of GoTrue's webhooks. It believes nothing that is not signed.
type webhook struct {
	*httptest.Server
	mu     sync.Mutex
	answer map[string]http.HandlerFunc // by event
	told   []map[string]any
	wrong  []string
}

func listenAsWebhook(t testing.TB) *webhook {
	t.Helper()
	w := &webhook{}
	w.Server = httptest.NewServer(w)
	t.Cleanup(func() {
		w.Close()
		if len(w.wrong) > 0 {
			t.Errorf("what the receiver would not take: %q", w.wrong)
		}
	})
	return w
}

// ServeHTTP verifies a question as a receiver does that has jsonwebtoken, and answers it.
func (w *webhook) ServeHTTP(out http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	var event struct {
		Event      string
		InstanceID string `json:"instance_id"`
		User       map[string]any
	}
	if err == nil {
		err = json.Unmarshal(body, &event)
	}
	var claims jwt.MapClaims
	if err == nil {
		_, err = jwt.ParseWithClaims(q.Header.Get("x-webhook-signature"), &claims, func(*jwt.Token) (any, error) { return []byte(webhookSecret), nil },
			jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("gotrue"), jwt.WithSubject("00000000-0000-0000-0000-000000000000"))
	}
	digest := sha256.Sum256(body)
	switch {
	case err != nil:
	case claims["sha256"] != hex.EncodeToString(digest[:]) || claims["iat"] == nil || len(claims) != 4:
		err = fmt.Errorf("signed %v", claims)
	case q.Method != http.MethodPost || q.Header.Get("Content-Type") != "application/json" || q.Header.Get("webhook-signature") != "":
		err = fmt.Errorf("%s with %v", q.Method, q.Header)
	case event.InstanceID != "00000000-0000-0000-0000-000000000000" || event.User["id"] == "":
		err = fmt.Errorf("told %s", body)
	}
	w.mu.Lock()
	event.User["event"] = event.Event
	w.told = append(w.told, event.User)
	answer := w.answer[event.Event]
	if err != nil {
		w.wrong = append(w.wrong, err.Error())
	}
	w.mu.Unlock()
	if answer == nil {
		out.WriteHeader(http.StatusNoContent)
		return
	}
	answer(out, q)
}

// says has it answer an event otherwise from now on, and forgets what it was told.
func (w *webhook) says(event string, answer http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer, w.told = map[string]http.HandlerFunc{event: answer}, nil
}

// events are those that it was told of since.
func (w *webhook) events() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []string
	for _, u := range w.told {
		name, _ := u["event"].(string)
		all = append(all, name)
	}
	return all
}

// user is whom it was told of with an event.
func (w *webhook) user(t testing.TB, event string) map[string]any {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range w.told {
		if u["event"] == event {
			return u
		}
	}
	t.Fatalf("not told of %s", event)
	return nil
}

// hooked are the settings of a house with the receiver.
func (w *webhook) hooked(events string, more ...string) map[string]string {
	settings := map[string]string{
		"GOTRUE_WEBHOOK_URL": w.URL + "/hook?key=k", "GOTRUE_WEBHOOK_SECRET": webhookSecret, "GOTRUE_WEBHOOK_EVENTS": events,
		"GOTRUE_WEBHOOK_RETRIES": "2", "GOTRUE_WEBHOOK_TIMEOUTSEC": "1", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return settings
}

// TestWebhookOfGoTrue refuses, fails and agrees at each event: what was asked about is not half done.
func TestWebhookOfGoTrue(t *testing.T) {
	t.Parallel()
	for _, event := range []string{"validate", "signup", "login"} {
		t.Run(event, func(t *testing.T) {
			t.Parallel()
			w := listenAsWebhook(t)
			h := testhouse.Open(t, w.hooked("validate,signup,login"))
			way := "signup"
			if event == "login" {
				w.says("", nil)
				signs(t, h, "signup", "jane@example.com").entered(t)
				way = "signin"
			}
			before := rows(t, h)
			for _, tt := range []struct {
				name   string
				answer http.HandlerFunc
				status int
				code   string
				asked  int
			}{
				{"no", says(403, `{"msg":"not you"}`), 422, "hook-denied", 2},
				{"no, and metadata", says(422, `{"user_metadata":{"plan":"gold"}}`), 422, "hook-denied", 2},
				{"trouble", says(500, `{}`), 500, "hook-failed", 2},
				{"another success", says(201, `{}`), 500, "hook-failed", 2},
				{"elsewhere", func(out http.ResponseWriter, q *http.Request) {
					http.Redirect(out, q, "http://169.254.169.254/", http.StatusTemporaryRedirect)
				}, 500, "hook-failed", 2},
				{"silence", waits, 500, "hook-failed", 2},
				{"garbage", says(200, `<html>`), 500, "hook-failed", 1},
				{"a list", says(200, `[]`), 500, "hook-failed", 1},
				{"metadata of another kind", says(200, `{"app_metadata":7}`), 500, "hook-failed", 1},
				{"too much", says(200, strings.Repeat(" ", 201<<10)), 500, "hook-failed", 1},
			} {
				w.says(event, tt.answer)
				r := signs(t, h, way, "jane@example.com")
				if r.status != tt.status || !strings.Contains(r.body, tt.code) || strings.Contains(r.body, "not you") {
					t.Errorf("%s: %d %s", tt.name, r.status, r.body)
				}
				if asked := slices.DeleteFunc(w.events(), func(e string) bool { return e != event }); len(asked) != tt.asked {
					t.Errorf("%s: asked %d times", tt.name, len(asked))
				}
				if after := rows(t, h); after != before {
					t.Errorf("%s: something is written: %s", tt.name, after)
				}
			}
			for i, tt := range []struct {
				name   string
				answer http.HandlerFunc
				kept   string
			}{
				{"no content", says(204, ``), ``},
				{"nothing", says(200, ``), ``},
				{"agrees", says(202, `{}`), ``},
				{"says what is not its to say", says(200, `{"user":{"id":"00000000-0000-0000-0000-000000000001","email":"x@example.com"},"role":"admin","email":"x@example.com"}`), ``},
				{
					"metadata", says(200, `{"user_metadata":{"plan":"gold","provider":"stolen"},"app_metadata":{"roles":["staff"],"provider":"stolen","providers":["stolen"]}}`),
					`{"plan": "gold", "app_metadata": {"roles": ["staff"]}}`,
				},
				{"the second time", secondTime(says(200, `{"user_metadata":{"plan":"silver"}}`)), `{"plan": "silver"}`},
			} {
				email := fmt.Sprintf("jane%d@example.com", i)
				if event == "login" {
					w.says("", nil)
					signs(t, h, "signup", email).entered(t)
				}
				w.says(event, tt.answer)
				signs(t, h, way, email).entered(t)
				if kept := metadataOf(t, h, email); kept != tt.kept {
					t.Errorf("%s: %s are kept, want %s", tt.name, kept, tt.kept)
				}
			}
			w.Close()
			r := signs(t, h, way, "jane@example.com")
			if r.status != 500 || !strings.Contains(r.body, "hook-failed") || rows(t, h) == "" {
				t.Errorf("nobody is there: %d %s", r.status, r.body)
			}
		})
	}
}

// secondTime fails once.
func secondTime(answer http.HandlerFunc) http.HandlerFunc {
	var once sync.Once
	return func(w http.ResponseWriter, q *http.Request) {
		failed := false
		once.Do(func() { failed = true })
		if failed {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		answer(w, q)
	}
}

// rows counts what sign-ups and sign-ins write.
func rows(t testing.TB, h *testhouse.House) string {
	t.Helper()
	var text string
	err := h.Store.QueryRow(t.Context(), `select concat_ws(' ', (select count(*) from auth.users), (select count(*) from auth.refresh_tokens),
		(select count(*) from auth.audit_entries), (select string_agg(coalesce(metadata::text, '-'), ',' order by id) from auth.users))`).Scan(&text)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func metadataOf(t testing.TB, h *testhouse.House, email string) (text string) {
	t.Helper()
	if err := h.Store.QueryRow(t.Context(), `select coalesce(metadata::text, '') from auth.users where email = $1`, email).Scan(&text); err != nil {
		t.Fatal(err)
	}
	return text
}

// TestWebhookOfGoTrueIsToldOfALife follows a user from a sign-up by mail to a refresh.
func TestWebhookOfGoTrueIsToldOfALife(t *testing.T) {
	t.Parallel()
	w := listenAsWebhook(t)
	h := testhouse.Open(t, w.hooked("validate,signup,login", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED", "true", "AUTH_LINK_CONFIRMATION", "off"))
	told := func(want ...string) {
		t.Helper()
		if got := w.events(); !slices.Equal(got, want) {
			t.Errorf("told of %v, want %v", got, want)
		}
	}
	w.says("", nil)
	r := post(t, h, "/signup/email-password", fmt.Sprintf(`{"email":"Jane@example.com","password":%q,"options":{"metadata":{"plan":"free","app_metadata":{"roles":["admin"]}}}}`, password))
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	told("validate")
	u := w.user(t, "validate")
	if app, _ := u["app_metadata"].(map[string]any); u["email"] != "jane@example.com" || u["confirmed_at"] != nil || u["role"] != "authenticated" || fmt.Sprint(app) != "map[provider:email providers:[email]]" {
		t.Errorf("told of %v", u)
	}
	if user, _ := u["user_metadata"].(map[string]any); user["plan"] != "free" || user["app_metadata"] != nil {
		t.Errorf("told of %v: what belongs to the application was given by the person", u)
	}

	w.says("signup", says(200, `{"app_metadata":{"roles":["staff"]}}`))
	link := h.Mail.Wait(t, "Jane@example.com", 1)[0].Link
	open, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	in, err := h.Client().Do(open)
	if err != nil {
		t.Fatal(err)
	}
	_ = in.Body.Close()
	told("signup")
	if u := w.user(t, "signup"); u["confirmed_at"] == nil {
		t.Errorf("told of %v", u)
	}
	if kept := metadataOf(t, h, "jane@example.com"); kept != `{"plan": "free", "app_metadata": {"roles": ["staff"]}}` {
		t.Errorf("%s are kept", kept)
	}

	w.says("", nil)
	s := signs(t, h, "signin", "jane@example.com").entered(t)
	told("login")
	if app, _ := w.user(t, "login")["app_metadata"].(map[string]any); fmt.Sprint(app["roles"]) != "[staff]" {
		t.Errorf("told of %v", app)
	}
	w.says("", nil)
	refreshed(t, h, s).refreshes(t)
	told()
}

// refreshes fails when a refresh was refused.
func (r reply) refreshes(t testing.TB) {
	t.Helper()
	if r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
}

// TestWebhookOfGoTrueIsToldNoMore than it was set up for, and finds a receiver on the host of the application.
func TestWebhookOfGoTrueIsToldNoMore(t *testing.T) {
	t.Parallel()
	w := listenAsWebhook(t)
	h := testhouse.Open(t, w.hooked(""))
	signs(t, h, "signup", "jane@example.com").entered(t)
	if got := w.events(); got != nil || !strings.Contains(h.Log.String(), "AUTH_WEBHOOK_EVENTS is not set") {
		t.Errorf("told of %v", got)
	}
	relative := testhouse.Open(t, w.hooked("login", "GOTRUE_WEBHOOK_URL", "/hook", "AUTH_CLIENT_URL", w.URL))
	signs(t, relative, "signup", "jane@example.com").entered(t)
	if got := w.events(); !slices.Equal(got, []string{"login"}) {
		t.Errorf("told of %v", got)
	}
	if text := h.Log.String() + relative.Log.String(); strings.Contains(text, webhookSecret) || strings.Contains(text, "key=k") {
		t.Error("a secret is in the log")
	}
}

package testhooks

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
)

// TestProfilesExample signs people up whose rows are written with them, or not at all.
func TestProfilesExample(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, settings("user_inserted", "pg-functions://postgres/app/create_profile", nil))
	inDatabase(t, h, text(t, "profiles", "profiles.sql"))
	if got := signsUp(t, h, "jane@example.com", "Jane Doe"); got.token == "" {
		t.Fatalf("%+v", got)
	}
	if got := signsUp(t, h, "root@example.com", "Root"); got.status != 422 || got.code != "hook-denied" || got.message != "Please take another name" {
		t.Errorf("%+v", got)
	}
	inDatabase(t, h, `alter table public.profiles add constraint short check (length(name) < 10)`)
	if got := signsUp(t, h, "long@example.com", "Somebody With A Long Name"); got.status != 500 || got.code != "hook-failed" {
		t.Errorf("%+v", got)
	}
	if diff := cmp.Diff([]string{"jane@example.com Jane Doe en"}, rows(t, h, `select u.email || ' ' || p.name || ' ' || p.locale from auth.users u full join public.profiles p on p.user_id = u.id`)); diff != "" {
		t.Error(diff)
	}
	if log := h.Log.String(); !strings.Contains(log, "the function of a hook is not as it should be") || strings.Contains(log, "Somebody With A Long Name") {
		t.Error("the log has no warning of the function that was missing at the start, or has a name")
	}
	again := h.With(t, h.Env)
	if strings.Contains(again.Log.String(), "the function of a hook is not as it should be") {
		t.Errorf("the example leaves the function otherwise than it should be:\n%s", again.Log.String())
	}
}

// holdsPlans signs people up and in, and holds their tokens against what the examples of custom_access_token say.
func holdsPlans(t *testing.T, h *testhouse.House) {
	t.Helper()
	for email, want := range map[string]string{"jane@example.com": "staff", "john@example.net": "free"} {
		if got := signsUp(t, h, email, "Somebody"); got.token == "" || plan(t, got.token) != want {
			t.Errorf("%s: %+v", email, got)
		}
		got := asks(t, h, "/signin/email-password", `{"email":"`+email+`","password":"correct horse battery"}`)
		if got.token == "" || plan(t, got.token) != want {
			t.Errorf("%s: %+v", email, got)
		}
	}
	if got := signsUp(t, h, "joan@blocked.example", "Somebody"); got.status != 403 || got.message != "Your organisation has no plan" {
		t.Errorf("%+v", got)
	}
}

const minting = "custom_access_token"

func TestAccessTokenExampleInSQL(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, settings(minting, "pg-functions://postgres/app/plan", nil))
	inDatabase(t, h, text(t, "custom-access-token", "plan.sql")+`; insert into app.blocked_domains values ('blocked.example')`)
	holdsPlans(t, h)
}

func TestAccessTokenExampleInNode(t *testing.T) {
	t.Parallel()
	url := inNode(t, nil, "custom-access-token", "node", "receiver.mjs")
	holdsPlans(t, testhouse.Open(t, settings(minting, url, nil)))
	passes(t, minting, url)
}

func TestAccessTokenExampleInGo(t *testing.T) {
	t.Parallel()
	url := inGo(t, nil, "custom-access-token", "go")
	holdsPlans(t, testhouse.Open(t, settings(minting, url, nil)))
	passes(t, minting, url)
}

func TestAccessTokenExampleAsScript(t *testing.T) {
	t.Parallel()
	folder := map[string]string{"AUTH_HOOKS_SCRIPTS_DIR": examples(t, "custom-access-token")}
	holdsPlans(t, testhouse.Open(t, settings(minting, "js:plan.js", folder), inWorkers))
}

// gateway is what the receiver of send_sms hands messages to.
type gateway struct {
	mu   sync.Mutex
	sent []string
	down bool
}

func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var message struct{ To, Text string }
	if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.down {
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	g.sent = append(g.sent, message.To+" "+message.Text)
}

// messages are those that were sent.
func (g *gateway) messages(down bool) []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = down
	return g.sent
}

func TestSendSMSExample(t *testing.T) {
	t.Parallel()
	g := &gateway{}
	s := httptest.NewServer(g)
	t.Cleanup(s.Close)
	url := inNode(t, []string{"GATEWAY_URL=" + s.URL}, "send-sms", "receiver.mjs")
	h := testhouse.Open(t, settings("send_sms", url, map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true"}))
	const body = `{"phoneNumber":"+41791234567"}`
	if got := asks(t, h, "/signin/passwordless/sms", body); got.status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	sent := g.messages(true)
	if len(sent) != 1 || !strings.HasPrefix(sent[0], "+41791234567 Your code is ") {
		t.Fatalf("sent %q", sent)
	}
	if got := asks(t, h, "/signin/passwordless/sms", `{"phoneNumber":"+41791234568"}`); got.status != 502 || got.message != "The message could not be sent" {
		t.Errorf("%+v", got)
	}
	g.messages(false)
	_, code, _ := strings.Cut(sent[0], "Your code is ")
	if got := asks(t, h, "/signin/passwordless/sms/otp", `{"phoneNumber":"+41791234567","otp":"`+code+`"}`); got.token == "" {
		t.Errorf("%+v", got)
	}
	before := len(g.messages(false))
	passes(t, "send_sms", url)
	if n := len(g.messages(false)) - before; n != 4 { // the sample, unknown members, two secrets, and once more; the repeated question is the sample's
		t.Errorf("%d messages were sent, not one for each id", n)
	}
}

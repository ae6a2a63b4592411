package house_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"postern/hooks/auth0"
	"postern/internal/testhouse"
)

// bombs are scripts that must neither let anybody in nor harm anybody else.
var bombs = []string{
	"for (;;) {}",
	"try { null.x } catch (e) { for (;;) {} }",
	"try { for (;;) {} } finally { for (;;) {} }",
	"const f = () => Promise.resolve().then(f); f()",
	"/^(a+)+$/.test('a'.repeat(40) + 'b'); cb()",
	"/^(?=(a+)+$)a/.test('a'.repeat(40) + 'b'); cb()",
	"Array(4e8).join(); cb()",
	"Array(3e8).fill(1); cb()",
	"const f = () => f() + 1; f(); cb()",
	"const a = []; for (;;) a.push(new Array(1000).fill(1.5))",
	"const a = []; for (;;) a.push({x: {y: 1}})",
	"'x'.repeat(2 ** 30); cb()",
	"new ArrayBuffer(2 ** 30); cb()",
	"try { const a = []; for (;;) a.push({x: {y: 1}}) } catch (e) { cb(e) }", // null where memory is out
}

func TestScriptBombsAtASignUp(t *testing.T) {
	t.Parallel()
	m := manage(t, map[string]string{"AUTH_HOOKS_SCRIPT_TIMEOUT": "700ms", "AUTH_HOOKS_SCRIPT_WORKERS": "3"})
	signs(t, m.House, "signup", "jane@example.com").entered(t)
	before := counts(t, m.House)
	for i, bomb := range bombs {
		m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, bomb), nil)
		signs(t, m.House, "signup", fmt.Sprintf("bomb%d@example.com", i)).turnedAway(t, 500, "hook-failed", failed)
		m.broke(t, auth0.PreUserRegistration)
	}
	if after := counts(t, m.House); after != before {
		t.Errorf("refused sign-ups left something behind:\n%s\n%s", before, after)
	}
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, "cb()"), nil)
	signs(t, m.House, "signup", "john@example.com").entered(t)
}

// A script that never ends takes all time that it is given, and nobody else's.
func TestOthersAreServedWhileAScriptLoops(t *testing.T) {
	t.Parallel()
	m := manage(t, map[string]string{"AUTH_HOOKS_SCRIPT_TIMEOUT": "15s", "AUTH_HOOKS_SCRIPT_WORKERS": "2"})
	signs(t, m.House, "signup", "jane@example.com").entered(t)
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, "if (user.email.startsWith('loops')) for (;;) {}\ncb();"), nil)
	m.script(t, auth0.CredentialsExchange, scriptOf(auth0.CredentialsExchange, "cb(null, {scope})"), nil)
	const loops = 4
	ended := make(chan int, loops)
	for i := range loops {
		go func() {
			resp, _ := m.Do(t, "POST", "/signup/email-password", fmt.Sprintf(`{"email":"loops%d@example.com","password":%q}`, i, password))
			_ = resp.Body.Close()
			ended <- resp.StatusCode
		}()
	}
	for range 20 {
		signs(t, m.House, "signin", "jane@example.com").entered(t)
		if r := m.grant(t); r.status != 200 { // with a script of its own
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	if len(ended) > 0 {
		t.Error("the loops had ended already, so nothing was shown")
	}
	m.script(t, auth0.PreUserRegistration, scriptOf(auth0.PreUserRegistration, "cb()"), nil)
	signs(t, m.House, "signup", "john@example.com").entered(t)
	for range loops {
		if status := <-ended; status != 500 {
			t.Errorf("a loop let somebody in: %d", status)
		}
	}
}

// All sign-ups at once ask the script of the operator, and each is told the same as alone.
func TestManySignUpsAskOneScript(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, scripted(t, "before_user_created", `
module.exports = (event) => event.user.email.startsWith('odd') ? {error: {http_code: 403, message: 'odd ' + event.user.email}} : {};`), inWorkers)
	const people = 100
	wrong := make(chan string, people)
	for i := range people {
		go func() {
			name := []string{"even", "odd"}[i%2]
			email := fmt.Sprintf("%s%d@example.com", name, i)
			resp, body := h.Do(t, "POST", "/signup/email-password", fmt.Sprintf(`{"email":%q,"password":%q}`, email, password))
			_ = resp.Body.Close()
			if in := resp.StatusCode == http.StatusOK; in == (name == "odd") || !in && !strings.Contains(body, "odd "+email) {
				wrong <- fmt.Sprintf("%s: %d %s", email, resp.StatusCode, body)
				return
			}
			wrong <- ""
		}()
	}
	for range people {
		if text := <-wrong; text != "" {
			t.Error(text)
		}
	}
}

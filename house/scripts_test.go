package house_test

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/hooks/supabase"
	"postern/internal/testhouse"
)

// scripted are the settings of one hook that is a script.
func scripted(t testing.TB, name, source string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "hook.js"), []byte(source), 0o600); err != nil {
		t.Fatal(err)
	}
	settings := hook(name, "js:hook.js")
	maps.Copy(settings, map[string]string{"AUTH_HOOKS_SCRIPTS_DIR": dir, "AUTH_HOOKS_SCRIPT_TIMEOUT": "3s", "AUTH_HOOKS_SCRIPT_SECRET_BADGE": "tiger-lily"})
	return settings
}

// misdeeds are what scripts do that is no answer, by the name that the test's users have.
const misdeeds = `
function misbehave(name) {
	switch (name) {
	case 'throws': throw new Error('boom tiger-lily');
	case 'throws-text': throw 'boom';
	case 'throws-null': throw null;
	case 'rejects': return Promise.reject(undefined);
	case 'silent': return new Promise(() => {});
	case 'loops': for (;;) {}
	case 'eats': { const all = []; for (;;) all.push(new Array(1e5).fill(all.length)); }
	case 'number': return 7;
	case 'list': return [];
	case 'function': return () => {};
	case 'long': return {x: 'x'.repeat(3e6)};
	}
	return undefined;
}
`

var misdeedNames = []string{"throws", "throws-text", "throws-null", "rejects", "silent", "loops", "eats", "number", "list", "function", "long"}

func TestCustomAccessTokenInJavaScript(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, scripted(t, supabase.CustomAccessToken, misdeeds+`
export default async function (event, about) {
	const [name] = event.claims.email.split('@');
	if (event.authentication_method === 'token_refresh' && name === 'later') return {error: {http_code: 402, message: 'Pay first'}};
	if (name === 'denied') return {error: {http_code: 403, message: 'Your plan has ended'}};
	if (name === 'unsaid') return {error: {message: 'No'}};
	if (name === 'nothing') return undefined;
	const wrong = misbehave(name);
	if (wrong !== undefined) return wrong;
	console.log('minting for', name, 'with', about.secrets.BADGE, about.id === event.metadata.uuid, about.name);
	return {claims: {...event.claims, badge: event.authentication_method, sub: 'somebody else', known: about.secrets.BADGE}};
}`), inWorkers)
	s := signs(t, h, "signup", "jane@example.com").entered(t)
	claims := claimsOf(t, s.Session.AccessToken)
	if claims["badge"] != "password" || claims["known"] != "tiger-lily" || claims["sub"] == "somebody else" {
		t.Errorf("the token says %v", claims)
	}
	log := h.Log.String()
	if !strings.Contains(log, `"line":"minting for jane with [secret] true supabase/custom_access_token"`) {
		t.Error("the log does not have the script's console")
	}
	if r := refreshed(t, h, s); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.body)
	}
	s = signs(t, h, "signup", "later@example.com").entered(t)
	refreshed(t, h, s).turnedAway(t, 402, "hook-denied", "Pay first")
	signs(t, h, "signup", "denied@example.com").turnedAway(t, 403, "hook-denied", "Your plan has ended")
	signs(t, h, "signup", "unsaid@example.com").turnedAway(t, 500, "hook-denied", "No")
	for _, name := range append(misdeedNames, "nothing") {
		signs(t, h, "signup", name+"@example.com").turnedAway(t, 500, "hook-failed", failed)
	}
	if strings.Contains(h.Log.String(), "tiger-lily") {
		t.Error("a secret is in the log")
	}
	if !strings.Contains(h.Log.String(), "Error: boom [secret]") {
		t.Error("the log does not say what was thrown")
	}
}

func TestBeforeUserCreatedInJavaScript(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, scripted(t, supabase.BeforeUserCreated, misdeeds+`
export default async function (event) {
	const [name, domain] = event.user.email.split('@');
	if (domain !== 'example.com') return {error: {http_code: 422, message: 'Only example.com'}};
	const wrong = misbehave(name);
	if (wrong !== undefined) return wrong;
}`), inWorkers)
	signs(t, h, "signup", "jane@example.net").turnedAway(t, 422, "hook-denied", "Only example.com")
	for _, name := range misdeedNames {
		signs(t, h, "signup", name+"@example.com").turnedAway(t, 500, "hook-failed", failed)
		if users(t, h, name+"@example.com") {
			t.Errorf("%s: the user is there", name)
		}
	}
	signs(t, h, "signup", "jane@example.com").entered(t)
	if users(t, h, "jane@example.net") {
		t.Error("the user who was refused is there")
	}
}

func TestAfterUserCreatedInJavaScript(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, scripted(t, supabase.AfterUserCreated, `
module.exports = (event) => {
	if (event.user.email === 'denied@example.com') return {error: {http_code: 403, message: 'Too late'}};
	if (event.user.email === 'throws@example.com') throw new Error('boom');
};`), inWorkers)
	signs(t, h, "signup", "jane@example.com").entered(t)
	signs(t, h, "signup", "denied@example.com").turnedAway(t, 403, "hook-denied", "Too late")
	signs(t, h, "signup", "throws@example.com").turnedAway(t, 500, "hook-failed", failed)
	signs(t, h, "signin", "throws@example.com").entered(t) // the user stays
}

func TestPasswordVerificationAttemptInJavaScript(t *testing.T) {
	t.Parallel()
	settings := scripted(t, supabase.PasswordVerification, `
export default async (event, {secrets}) => {
	const r = await fetch(secrets.COUNTER, {method: 'POST', body: JSON.stringify({user: event.user_id, valid: event.valid})});
	switch (await r.text()) {
	case 'go': return {decision: 'continue'};
	case 'stop': return {decision: 'reject', message: 'Too often', should_logout_user: true};
	}
	throw new Error('nobody counts');
};`)
	answer := make(chan string, 1)
	counter := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, <-answer) }))
	t.Cleanup(counter.Close)
	settings["AUTH_HOOKS_SCRIPT_SECRET_COUNTER"] = counter.URL
	h := testhouse.Open(t, settings, inWorkers)
	s := signs(t, h, "signup", "jane@example.com").entered(t)
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 500, "hook-failed", failed) // scripts may not ask this machine
	if !strings.Contains(h.Log.String(), "AUTH_OUTBOUND_ALLOWED_NETWORKS") {
		t.Error("the log does not say why nothing was fetched")
	}
	settings["AUTH_OUTBOUND_ALLOWED_NETWORKS"] = "127.0.0.1"
	h = h.With(t, settings, inWorkers)
	answer <- "go"
	signs(t, h, "signin", "jane@example.com").entered(t)
	answer <- "go"
	wrongly(t, h, "jane@example.com").turnedAway(t, 401, "invalid-email-password", "Incorrect email or password")
	answer <- "stop"
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 400, "hook-denied", "Too often")
	if r := refreshed(t, h, s); r.status != http.StatusUnauthorized {
		t.Errorf("the session goes on: %d %s", r.status, r.body)
	}
	answer <- "?"
	signs(t, h, "signin", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
}

func TestMFAVerificationAttemptInJavaScript(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, withFactors(scripted(t, supabase.MFAVerification, `
module.exports = async (event) => ({decision: event.valid ? 'continue' : 'reject', message: 'Call us'});`)), inWorkers)
	s, code := enrolled(t, h)
	half(t, h, code()).entered(t)
	half(t, h, "000000").turnedAway(t, 403, "hook-denied", "Call us")
	if r := refreshed(t, h, s); r.status != http.StatusUnauthorized {
		t.Errorf("the session goes on: %d %s", r.status, r.body)
	}
}

func TestSendSMSInJavaScript(t *testing.T) {
	t.Parallel()
	sent := make(chan string, 1)
	gateway := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, q *http.Request) { sent <- q.FormValue("To") + " " + q.FormValue("Body") }))
	t.Cleanup(gateway.Close)
	settings := scripted(t, supabase.SendSMS, `
exports.default = async (event, {secrets}) => {
	if (event.sms.phone.endsWith('000')) return {error: {http_code: 429, message: 'No more messages today'}};
	const r = await fetch(secrets.GATEWAY, {method: 'POST', body: new URLSearchParams({To: event.sms.phone, Body: event.sms.otp})});
	if (!r.ok) throw new Error('the gateway says ' + r.status);
};`)
	settings["AUTH_HOOKS_SCRIPT_SECRET_GATEWAY"], settings["AUTH_OUTBOUND_ALLOWED_NETWORKS"] = gateway.URL, "127.0.0.0/8"
	h := testhouse.Open(t, texting(settings), inWorkers)
	asksForText(t, h, "+15551234000").turnedAway(t, 429, "hook-denied", "No more messages today")
	if got := asksForText(t, h, "+15551234567"); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var number, code string
	if _, err := fmt.Sscan(<-sent, &number, &code); err != nil || number != "15551234567" {
		t.Fatalf("%s %v", number, err)
	}
	post(t, h, "/signin/passwordless/sms/otp", fmt.Sprintf(`{"phoneNumber":"+15551234567","otp":%q}`, code)).entered(t)
	gateway.Close()
	asksForText(t, h, "+15557654321").turnedAway(t, 500, "hook-failed", failed)
}

func TestAScriptThatIsNone(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, scripted(t, supabase.BeforeUserCreated, "export default async function (event) {\n\treturn {;\n}"), inWorkers)
	if log := h.Log.String(); !strings.Contains(log, "the script of a hook cannot work") || !strings.Contains(log, "hook.js:2") {
		t.Errorf("no warning at the start: %s", log)
	}
	signs(t, h, "signup", "jane@example.com").turnedAway(t, 500, "hook-failed", failed)
	if users(t, h, "jane@example.com") {
		t.Error("the user is there")
	}
}

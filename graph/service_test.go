package graph_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"postern/internal/testhouse"
)

// TestTrials tries a stored script, a candidate and what cannot be tried, in real workers. What a script
// knows of its secrets does not come back.
func TestTrials(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, withScripts("HASURA_GRAPHQL_ADMIN_SECRET", secret), inWorkers)
	const source = `module.exports = function (client, scope, audience, context, cb) {
		console.log('told of', client.id, context.webtask.secrets.KEY);
		cb(null, { scope, 'https://example.com/key': context.webtask.secrets.KEY });
	}`
	made := get(t, h, `mutation($i: CreateHookInput!){createHook(input:$i){hookScript{id}}}`, object{"i": object{"name": "a", "triggerId": "credentials-exchange", "script": source}})
	id, _ := at(t, made, "createHook", "hookScript", "id").(string)
	get(t, h, `mutation{setHookSecrets(input:{id:"`+id+`",secrets:[{name:"KEY",value:"canary-of-a-script"}]}){hookScript{id}}}`, nil)
	const try = `mutation($i: TestHookInput!){testHook(input:$i){hook dialect address questions{id body status answer error console milliseconds} outcomes{moment result status message effects}}}`
	a := ask(t, h, bySecret(), try, object{"i": object{"scriptId": id}})
	text := string(a.Data)
	if len(a.Errors) > 0 || !strings.Contains(text, `"result":"AGREED"`) || !strings.Contains(text, "told of") || strings.Contains(text, "canary") {
		t.Errorf("%s %+v", text, a.Errors)
	}
	no := get(t, h, try, object{"i": object{"hook": "auth0/credentials-exchange", "script": `module.exports = (a, b, c, d, cb) => cb(new InvalidScopeError("not today"))`}})
	if at(t, no, "testHook", "outcomes", 0, "result") != "REFUSED" {
		t.Errorf("%v", no)
	}
	broken := get(t, h, try, object{"i": object{"hook": "auth0/credentials-exchange", "script": `this is none`}})
	if at(t, broken, "testHook", "outcomes", 0, "status") != 500.0 { // in the words of this dialect
		t.Errorf("%v", broken)
	}
	inside := get(t, h, try, object{"i": object{"hook": "auth0/credentials-exchange", "script": `module.exports = async (a, b, c, d, cb) => { try { await fetch("http://169.254.169.254/latest/meta-data"); console.log("inside") } catch (e) { console.log("outside") } cb(null, {}) }`}})
	if got := at(t, inside, "testHook", "questions", 0, "console"); strings.Contains(strings.Join(strs(got), " "), "inside") {
		t.Errorf("a candidate reaches what is private: %v", inside)
	}
	before := len(audited(t, h, ""))
	for _, c := range []struct {
		in   object
		want string
	}{
		{object{}, "input.hook must"},
		{object{"hook": "nothing"}, "input.hook must"},
		{object{"hook": "custom_access_token"}, "input.hook must be one that is switched on"},
		{object{"hook": "auth0/credentials-exchange"}, "input.hook must be one for which"},
		{object{"scriptId": "nobody"}, "There is no such script"},
		{object{"scriptId": id, "script": "x"}, "input.scriptId must stand alone"},
		{object{"hook": "auth0/credentials-exchange", "script": strings.Repeat("x", 150_000)}, "input.script must"},
	} {
		if a := ask(t, h, bySecret(), try, object{"i": c.in}); !strings.HasPrefix(a.said(), c.want) {
			t.Errorf("%.80v: %+v, want %s", c.in, a.Errors, c.want)
		}
	}
	if after := len(audited(t, h, "")); after != before || len(audited(t, h, "hook-script.tested")) != 4 {
		t.Errorf("%d rows more, %q", after-before, audited(t, h, "hook-script.tested"))
	}
}

func strs(v any) []string {
	list, _ := v.([]any)
	var all []string
	for _, x := range list {
		s, _ := x.(string)
		all = append(all, s)
	}
	return all
}

// TestEventsAreReplayed follows an event to its receiver, twice.
func TestEventsAreReplayed(t *testing.T) {
	t.Parallel()
	got := make(chan string, 100)
	receiver := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { got <- r.Header.Get("webhook-id") }))
	t.Cleanup(receiver.Close)
	h := open(t, map[string]string{"AUTH_EVENTS_ENDPOINTS": `[{"name":"crm","url":"` + receiver.URL + `/canary0123456789abcdef?key=canary","secrets":["` + eventSecret + `"],"events":["user.created"],"headers":{"Authorization":"canary"}}]`})
	id, _ := signUp(t, h, "ann@example.com", "user")
	await := func() string {
		select {
		case id := <-got:
			return id
		case <-time.After(20 * time.Second):
			t.Fatal("no event came")
			return ""
		}
	}
	first := await()
	// The receiver has it before the delivery is written down.
	delivered := func() bool {
		now := get(t, h, `{events(where:{userId:"`+id+`",type:"user.created"}){nodes{deliveries{state}}}}`, nil)
		return at(t, now, "events", "nodes", 0, "deliveries", 0, "state") == "DELIVERED"
	}
	for deadline := time.Now().Add(20 * time.Second); !delivered(); {
		if time.Now().After(deadline) {
			t.Fatal("the delivery is not written down")
		}
	}
	all := get(t, h, `{events(where:{userId:"`+id+`",type:"user.created"}){totalCount nodes{id type userId at data deliveries{receiver state attempts error nextAttemptAt}}} eventReceivers{name url types since backlog oldestWaitingAt dead lastError}}`, nil)
	event, _ := at(t, all, "events", "nodes", 0, "id").(string)
	if "evt_"+event != first || at(t, all, "events", "totalCount") != 1.0 || at(t, all, "events", "nodes", 0, "deliveries", 0, "receiver") != "crm" {
		t.Errorf("%v", all)
	}
	if url, _ := at(t, all, "eventReceivers", 0, "url").(string); strings.Contains(url, "canary") || !strings.HasPrefix(url, receiver.URL) {
		t.Error(url)
	}
	if n := get(t, h, `mutation{replayEvent(input:{id:"`+event+`"}){count}}`, nil); at(t, n, "replayEvent", "count") != 1.0 {
		t.Errorf("%v", n)
	}
	if again := await(); again != first {
		t.Errorf("%s, then %s", first, again)
	}
	for query, want := range map[string]string{
		`mutation{replayEvents(input:{since:"2100-01-01T00:00:00Z"}){count}}`:                              "There is no such thing",
		`mutation{replayEvents(input:{since:"2026-01-01T00:00:00Z",receiver:"x"}){count}}`:                 "input.receiver must",
		`mutation{replayEvents(input:{since:"2026-01-01T00:00:00Z",type:"us*"}){count}}`:                   "input.type must",
		`mutation{replayEvents(input:{since:"2026-01-02T00:00:00Z",until:"2026-01-01T00:00:00Z"}){count}}`: "input.until must",
		`mutation{retryMail(input:{id:"event:crm:` + event + `"}){deadLetter{id}}}`:                        "There is no such thing",
		`mutation{discardDeadLetter(input:{id:"mail:999999"}){deadLetter{id}}}`:                            "There is no such thing",
		`{events(where:{type:"x"}){totalCount}}`:                                                           "where.type must",
	} {
		if a := ask(t, h, bySecret(), query, nil); !strings.HasPrefix(a.said(), want) {
			t.Errorf("%s: %+v, want %s", query, a.Errors, want)
		}
	}
	if rows := audited(t, h, "events."); len(rows) != 1 {
		t.Errorf("%q", rows)
	}
}

// TestEventsArePaged goes through events forth and back.
func TestEventsArePaged(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	exec(t, h, `insert into auth.events (user_id, seq, type, payload, at) select gen_random_uuid(), 1, 'user.created', '{}', date_trunc('second', now()) - interval '1 minute' * (n / 2) from generate_series(1, 7) n`)
	const fields = `{nodes{id} pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}`
	whole := strs2(t, get(t, h, `{events`+fields+`}`, nil))
	var forth []string
	page := get(t, h, `{events(first:3)`+fields+`}`, nil)
	for {
		forth = append(forth, strs2(t, page)...)
		if at(t, page, "events", "pageInfo", "hasNextPage") != true {
			break
		}
		page = get(t, h, `query($c: String){events(first:3,after:$c)`+fields+`}`, object{"c": at(t, page, "events", "pageInfo", "endCursor")})
	}
	var back []string
	page = get(t, h, `{events(last:3)`+fields+`}`, nil)
	for {
		back = append(strs2(t, page), back...)
		if at(t, page, "events", "pageInfo", "hasPreviousPage") != true {
			break
		}
		page = get(t, h, `query($c: String){events(last:3,before:$c)`+fields+`}`, object{"c": at(t, page, "events", "pageInfo", "startCursor")})
	}
	if len(whole) != 7 || strings.Join(whole, " ") != strings.Join(forth, " ") || strings.Join(whole, " ") != strings.Join(back, " ") {
		t.Errorf("%q\n%q\n%q", whole, forth, back)
	}
}

func strs2(t testing.TB, v any) []string {
	t.Helper()
	list, _ := at(t, v, "events", "nodes").([]any)
	var ids []string
	for _, x := range list {
		id, _ := at(t, x, "id").(string)
		ids = append(ids, id)
	}
	return ids
}

// TestCandidatesAreCheckedAsAtAStart previews claims: those in effect, others, and such as could not start.
func TestCandidatesAreCheckedAsAtAStart(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_CLAIMS_SOURCE": "database", "AUTH_JWT_CUSTOM_CLAIMS": `{"mail":"email"}`})
	id, _ := signUp(t, h, "ann@example.com", "user")
	const fields = `{problems{claim text fatal} warnings{text} query error refused milliseconds claims{claim name expression evaluated fields required state value literal error refused milliseconds} roles{role sessionVariables}}`
	now := get(t, h, `{claimsPreview(userId:"`+id+`",roles:["user"])`+fields+`}`, nil)
	if at(t, now, "claimsPreview", "claims", 0, "literal") != "ann@example.com" || at(t, now, "claimsPreview", "roles", 0, "sessionVariables", "x-hasura-mail") != "ann@example.com" ||
		at(t, now, "claimsPreview", "roles", 0, "sessionVariables", "x-hasura-role") != "user" {
		t.Errorf("%v", now)
	}
	if rows := audited(t, h, "claims."); len(rows) != 0 {
		t.Errorf("a look at what is in effect is told: %q", rows)
	}
	preview := func(definition any) map[string]any {
		return get(t, h, `query($d: JSON){claimsPreview(userId:"`+id+`",definition:$d)`+fields+`}`, object{"d": definition})
	}
	if other := preview(object{"shout": "$uppercase(email)"}); at(t, other, "claimsPreview", "claims", 0, "literal") != "ANN@EXAMPLE.COM" {
		t.Errorf("%v", other)
	}
	for _, wrong := range []any{object{"a": "nothing.here", "b": "also.not.there"}, "text", object{"c": "((("}} {
		got := preview(wrong)
		list, _ := at(t, got, "claimsPreview", "problems").([]any)
		if len(list) == 0 || at(t, list[0], "fatal") != true {
			t.Errorf("%v: %v", wrong, got)
		}
		if computed, _ := at(t, got, "claimsPreview", "claims").([]any); len(computed) > 0 {
			t.Errorf("%v is computed: %v", wrong, got)
		}
	}
	if rows := audited(t, h, "claims.previewed"); len(rows) != 1 {
		t.Errorf("%q", rows)
	}
	if a := ask(t, h, bySecret(), `{claimsPreview(userId:"`+id+`",roles:["admin"]){refused}}`, nil); !strings.HasPrefix(a.said(), "roles must") {
		t.Errorf("%+v", a.Errors)
	}
}

// TestTestMessages sends a mail and a text message, within limits.
func TestTestMessages(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	s := get(t, h, `mutation{sendTestEmail(input:{to:"ops@example.com",name:"password-reset",variables:[{name:"displayName",value:"Canary"}]}){sent problem milliseconds rendered{subject text html locale source warnings}}}`, nil)
	if at(t, s, "sendTestEmail", "sent") != true || at(t, s, "sendTestEmail", "problem") != nil {
		t.Errorf("%v", s)
	}
	s = get(t, h, `mutation{sendTestSms(input:{to:"+442079460000"}){sent problem text}}`, nil)
	if at(t, s, "sendTestSms", "sent") != true || !strings.Contains(h.SMS(t, "+442079460000", 1)[0].Text, "492013") {
		t.Errorf("%v", s)
	}
	if rows := audited(t, h, "message.tested"); len(rows) != 2 || strings.Contains(strings.Join(rows, ""), "ops@example.com") || strings.Contains(strings.Join(rows, ""), "+442079460000") {
		t.Errorf("%q", rows)
	}
	for query, want := range map[string]string{
		`mutation{sendTestEmail(input:{to:"a@b, c@d"}){sent}}`:                                      "input.to must",
		`mutation{sendTestEmail(input:{to:"a@example.com",name:"signin-passwordless-sms"}){sent}}`:  "input.name must",
		`mutation{sendTestEmail(input:{to:"a@example.com",name:"../x"}){sent}}`:                     "input.name must",
		`mutation{sendTestEmail(input:{to:"a@example.com",variables:[{name:"x",value:""}]}){sent}}`: "input.variables must",
		`mutation{sendTestSms(input:{to:"112"}){sent}}`:                                             "input.to must",
		`{renderEmailTemplate(input:{name:"none"}){text}}`:                                          "input.name must",
	} {
		if a := ask(t, h, bySecret(), query, nil); !strings.HasPrefix(a.said(), want) {
			t.Errorf("%s: %+v, want %s", query, a.Errors, want)
		}
	}
	for range 40 {
		if a := ask(t, h, bySecret(), `mutation{sendTestSms(input:{to:"+442079460000"}){sent}}`, nil); a.code() == "too-many-requests" {
			return
		}
	}
	t.Error("test messages are not counted")
}

// TestHealthTells of a house that is well, and of one whose mail server is gone.
func TestHealthTells(t *testing.T) {
	t.Parallel()
	h := open(t, withScripts())
	const query = `{health{state checks{kind name state message milliseconds}}}`
	state := func(h *testhouse.House) map[string]string {
		list, _ := at(t, get(t, h, query, nil), "health", "checks").([]any)
		m := map[string]string{}
		for _, c := range list {
			kind, _ := at(t, c, "kind").(string)
			s, _ := at(t, c, "state").(string)
			m[kind] = s
			if ms, _ := at(t, c, "milliseconds").(float64); ms > 3000 {
				t.Errorf("%v", c)
			}
		}
		return m
	}
	if got := state(h); got["postgres"] != "OK" || got["smtp"] != "OK" || got["audit"] == "DOWN" || got["hook"] != "OK" {
		t.Errorf("%v", got)
	}
	gone := h.With(t, map[string]string{"HASURA_GRAPHQL_ADMIN_SECRET": secret, "AUTH_SMTP_PORT": "1", "AUTH_SMTP_USER": "u", "AUTH_SMTP_PASS": "canary"})
	if got := state(gone); got["smtp"] != "DOWN" {
		t.Errorf("%v", got)
	}
}

// TestNoSecretOfTheSettingsIsShown puts canaries into the settings that are secret, asks for everything and
// looks for them.
func TestNoSecretOfTheSettingsIsShown(t *testing.T) {
	t.Parallel()
	h := open(t, withScripts(
		"AUTH_MANAGEMENT_CLIENT_SECRET", "canaryf3c1a0e5d9247f68ab1c04e7d3952f6", "AUTH_SMTP_USER", "postern", "AUTH_SMTP_PASS", "canary-smtp",
		"HASURA_GRAPHQL_ADMIN_SECRET", secret, "AUTH_ENCRYPTION_KEY_PREVIOUS", strings.Repeat("ca0a71ca0a71ca0a", 4),
		"AUTH_PROVIDER_GITHUB_ENABLED", "true", "AUTH_PROVIDER_GITHUB_CLIENT_ID", "id", "AUTH_PROVIDER_GITHUB_CLIENT_SECRET", "canary-github",
		"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED", "true", "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_URI", "http://localhost:1/canary0123456789?k=canary",
		"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS", "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
		"AUTH_EVENTS_ENDPOINTS", `[{"name":"crm","url":"https://crm.example.invalid/canary0123456789?k=canary","secrets":["`+eventSecret+`"],"headers":{"X-Key":"canary"}}]`,
	))
	s := learn(t, h)
	w := &world{h: h, samples: map[string]any{}}
	for _, f := range s["Query"].Fields {
		needs := false
		for _, a := range f.Args {
			needs = needs || a.Type.required()
		}
		if needs {
			continue
		}
		end := ""
		if s.isObject(f.Type.named()) {
			end = s.selection(f.Type.named(), 2, w.required(t))
		}
		a := ask(t, h, bySecret(), "{"+f.Name+end+"}", nil)
		text := string(a.Data) + a.said()
		for _, c := range []string{"canary", "ca0a71", secret, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "test-key-test-key"} {
			if strings.Contains(text, c) {
				t.Errorf("%s shows %s", f.Name, c)
			}
		}
	}
	ask(t, h, bySecret(), `mutation{testHook(input:{hook:"custom_access_token"}){outcomes{message}}}`, nil)
	for _, text := range []string{h.Log.String(), strings.Join(audited(t, h, ""), "\n")} {
		for _, c := range []string{"canary", secret, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"} {
			if strings.Contains(text, c) {
				t.Errorf("the log or the audit log has %s", c)
			}
		}
	}
}

// TestTrialsNeverSeeStoredSecrets tries a script that answers with its secret in words that nobody tells from
// others.
func TestTrialsNeverSeeStoredSecrets(t *testing.T) {
	t.Parallel()
	h := testhouse.Open(t, withScripts("HASURA_GRAPHQL_ADMIN_SECRET", secret), inWorkers)
	const source = `module.exports = function (client, scope, audience, context, cb) {
		cb(null, { scope, 'https://example.com/key': context.webtask.secrets.KEY.split('').join(' ') });
	}`
	made := get(t, h, `mutation($i: CreateHookInput!){createHook(input:$i){hookScript{id}}}`, object{"i": object{"name": "a", "triggerId": "credentials-exchange", "script": source}})
	id, _ := at(t, made, "createHook", "hookScript", "id").(string)
	get(t, h, `mutation{setHookSecrets(input:{id:"`+id+`",secrets:[{name:"KEY",value:"canary"}]}){hookScript{id}}}`, nil)
	get(t, h, `mutation{updateHook(input:{id:"`+id+`",enabled:true}){hookScript{id}}}`, nil)
	const try = `mutation($i: TestHookInput!){testHook(input:$i){questions{answer} outcomes{effects}}}`
	for _, c := range []struct {
		in   object
		want string
	}{
		{object{"scriptId": id}, "m a d e - u p - K E Y"},
		{object{"hook": "auth0/credentials-exchange"}, "m a d e - u p - K E Y"},
		{object{"scriptId": id, "secrets": []object{{"name": "KEY", "value": "given"}}}, "g i v e n"},
	} {
		a := ask(t, h, bySecret(), try, object{"i": c.in})
		if text := string(a.Data); !strings.Contains(text, c.want) || strings.Contains(text, "c a n a r y") {
			t.Errorf("%v: %s %+v", c.in, text, a.Errors)
		}
	}
}

// TestTrialsAreWrittenBeforeTheyBegin: a receiver that acts on what it is asked cannot do so before the audit
// log says who asked, and one that fails is told of too.
func TestTrialsAreWrittenBeforeTheyBegin(t *testing.T) {
	t.Parallel()
	var h *testhouse.House
	seen := make(chan int, 10)
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var n int
		if err := h.Store.Pool().QueryRow(r.Context(), `select count(*) from auth.audit_entries where event = 'hook-script.tested'`).Scan(&n); err != nil {
			t.Error(err)
		}
		seen <- n
		w.WriteHeader(http.StatusInternalServerError)
	}))
	t.Cleanup(receiver.Close)
	h = open(t, map[string]string{
		"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_URI": receiver.URL,
		"GOTRUE_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS": "v1,whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
	})
	ask(t, h, bySecret(), `mutation{testHook(input:{hook:"custom_access_token",payload:{a:"canary"}}){outcomes{message}}}`, nil)
	select {
	case n := <-seen:
		if n != 1 {
			t.Errorf("%d rows when the receiver is asked", n)
		}
	default:
		t.Error("the receiver is not asked")
	}
	rows := audited(t, h, "hook-script.tested")
	if len(rows) != 1 {
		t.Fatalf("%q", rows)
	}
	var hash string
	if err := h.Store.Pool().QueryRow(t.Context(), `select detail->>'payloadHash' from auth.audit_entries where event = 'hook-script.tested'`).Scan(&hash); err != nil || len(hash) != 64 {
		t.Errorf("%s %v", hash, err)
	}
}

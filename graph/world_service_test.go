package graph_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"postern/tokens"
)

// eventSecret signs the events of these tests.
const eventSecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"

// serviceSettings are those of a house that has everything: scripts, a receiver of events, custom claims.
func serviceSettings(t testing.TB) map[string]string {
	t.Helper()
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	t.Cleanup(receiver.Close)
	return withScripts(
		"AUTH_EVENTS_ENDPOINTS", `[{"name":"crm","url":"`+receiver.URL+`/in","secrets":["`+eventSecret+`"]}]`,
		"AUTH_CLAIMS_SOURCE", "database", "AUTH_JWT_CUSTOM_CLAIMS", `{"mail":"email"}`,
	)
}

// service furnishes the world with scripts, machine clients, events and dead letters.
func (w *world) service(t testing.TB) {
	id := w.script(t)
	get(t, w.h, `mutation{setHookSecrets(input:{id:"`+id+`",secrets:[{name:"A",value:"1"}]}){hookScript{id}}}`, nil)
	w.samples["Query.oauthClient.id"] = w.oauthClient(t)
	w.deadEvent(t)
	w.deadMessage(t, "postern_mail")
	w.deadMessage(t, "postern_sms")
	for name, v := range map[string]any{
		"Query.hookScript.id": id, "HookScriptsWhere.triggerId": "credentials-exchange", "HookScriptsWhere.enabled": false, "Query.hooks.all": true,
		"Query.emailTemplate.name": "email-verify", "Query.emailTemplate.locale": "en",
		"Query.renderEmailTemplate.input": map[string]any{"name": "email-verify"},
		"RenderEmailTemplateInput.name":   "email-verify", "RenderEmailTemplateInput.locale": "en", "TextInput.name": "displayName", "TextInput.value": "Ada",
		"EventsWhere.userId": w.jane, "EventsWhere.type": "user.*", "EventsWhere.since": "2026-01-01T00:00:00Z", "EventsWhere.until": "2100-01-01T00:00:00Z",
		"Query.claimsPreview.userId": w.jane, "Query.claimsPreview.definition": map[string]any{"locale": "locale"}, "Query.claimsPreview.roles": []any{"user"},
	} {
		w.samples[name] = v
	}
	w.needsChange = append(w.needsChange, "Query.claimsPreview")
	w.unseen = append(w.unseen, "ClaimProblem") // of a candidate that is wrong: see TestCandidatesAreCheckedAsAtAStart
}

// script makes a script.
func (w *world) script(t testing.TB) string {
	t.Helper()
	made := get(t, w.h, `mutation{createHook(input:{name:"`+tokens.NewULID(w.h.Clock.Now())+`",triggerId:"credentials-exchange",script:"module.exports = (c, s, a, x, cb) => cb(null, {})"}){hookScript{id}}}`, nil)
	id, _ := at(t, made, "createHook", "hookScript", "id").(string)
	return id
}

// machine makes a machine client.
func (w *world) machine(t testing.TB) string {
	t.Helper()
	made := get(t, w.h, `mutation{createMachineClient(input:{name:"CI",scopes:["read:hooks"]}){machineClient{id}}}`, nil)
	id, _ := at(t, made, "createMachineClient", "machineClient", "id").(string)
	return id
}

// oauthClient makes a client of the OAuth server.
func (w *world) oauthClient(t testing.TB) string {
	t.Helper()
	made := get(t, w.h, `mutation{createOAuthClient(input:{name:"Wiki",redirectUris:["https://wiki.example.com/cb"]}){oauthClient{id}}}`, nil)
	id, _ := at(t, made, "createOAuthClient", "oauthClient", "id").(string)
	return id
}

// oldEvent writes an event from before the receiver was there, of a user of its own.
func (w *world) oldEvent(t testing.TB) (id, user string) {
	t.Helper()
	id, user = tokens.NewUUID(), tokens.NewUUID()
	exec(t, w.h, `insert into auth.events (id, user_id, seq, type, payload, at) values ($1, $2, 1, 'user.created', '{}', now() - interval '1 hour')`, id, user)
	return id, user
}

// deadEvent writes one that was given up.
func (w *world) deadEvent(t testing.TB) (id, user string) {
	t.Helper()
	id, user = w.oldEvent(t)
	exec(t, w.h, `insert into auth.event_letters (user_id, endpoint, seq, dead_at, attempts, error) values ($1, 'crm', 1, now(), 15, 'status 500')`, user)
	return id, user
}

// deadMessage writes a message that was given up, and gives the id of its dead letter.
func (w *world) deadMessage(t testing.TB, kind string) string {
	t.Helper()
	var id string
	err := w.h.Store.Pool().QueryRow(t.Context(), `insert into postern_river.river_job (state, attempt, max_attempts, args, kind, queue, priority, created_at, scheduled_at, finalized_at, errors)
		values ('cancelled', 15, 100, jsonb_build_object('id', gen_random_uuid(), 'sealed', 'AAAA', 'template', 'email-verify', 'expiresAt', now() + interval '1 day'), $1, 'default', 1,
		now(), now(), now(), array['{"at":"2026-01-01T00:00:00Z","attempt":15,"error":"no such mailbox","trace":""}'::jsonb]) returning id::text`, kind).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	if kind == "postern_sms" {
		return "sms:" + id
	}
	return "mail:" + id
}

package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"postern/internal/fakereceiver"
	"postern/internal/testhouse"
	"postern/store"
)

func TestEventsCommands(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts Postgres")
	}
	receiver := fakereceiver.New(t, time.Now)
	settings := map[string]string{"AUTH_EVENTS_ENDPOINTS": `[{"name": "crm", "url": "` + receiver.URL + `", "secrets": ["` + fakereceiver.Secret + `"], "events": ["user.*"]}]`}
	h := testhouse.Open(t, settings)
	none := map[string]string{"POSTGRES_CONNECTION": h.Database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret}
	env := map[string]string{"POSTGRES_CONNECTION": h.Database, "HASURA_GRAPHQL_JWT_SECRET": goodSecret, "AUTH_EVENTS_ENDPOINTS": settings["AUTH_EVENTS_ENDPOINTS"]}
	said{env: env, args: []string{"events", "list"}, want: []string{"There are no such events."}}.check(t)
	res, body := h.Do(t, "POST", "/signup/email-password", `{"email": "jane@example.com", "password": "correct horse battery"}`)
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("signing up: %s", body)
	}
	came := receiver.WaitTaken(t, 1)[0]
	for done := false; !done; { // the receiver has it before the server knows
		rec := store.Receiver{Name: "crm", Types: []string{"user.%"}}
		list, err := h.Store.ListEvents(t.Context(), rec, store.EventsAsked{Most: 1})
		if err != nil || len(list) != 1 {
			t.Fatal(list, err)
		}
		done = list[0].State == store.TellDelivered
	}
	for _, s := range []said{
		{env: env, args: []string{"events", "list", "--user", "jane@example.com", "--type", "user.*"}, want: []string{"user.created", came.UserID(), "crm", "delivered", came.ID}},
		{env: env, args: []string{"events", "list", "--json"}, want: []string{`"state":"delivered"`, `"id":"` + came.ID + `"`}, not: "@"},
		{env: env, args: []string{"events", "list", "--dead"}, want: []string{"There are no such events."}},
		{env: none, args: []string{"events", "list"}, want: []string{"user.created", "no endpoint"}},
		{env: env, args: []string{"events", "list", "--type", "user.creatd"}, code: exitUsage, want: []string{"is no event"}},
		{env: env, args: []string{"events", "list", "--since", "yesterday"}, code: exitUsage, want: []string{"neither an age"}},
		{env: env, args: []string{"events", "list", "--endpoint", "erp"}, code: exitError, want: []string{"there is no endpoint erp", "crm"}},

		{env: env, args: []string{"events", "replay"}, code: exitUsage, want: []string{"an id, --dead or --since"}},
		{env: env, args: []string{"events", "replay", "evt_1"}, code: exitUsage, want: []string{"is not the id of an event"}},
		{env: none, args: []string{"events", "replay", came.ID}, code: exitError, want: []string{"there is no endpoint to send events to"}},
		{env: env, args: []string{"events", "replay", "--dead"}, code: exitError, want: []string{"there is no such event"}},
		{env: env, args: []string{"events", "replay", "--since", "1h", "--user", "99999999-9999-4999-8999-999999999999"}, code: exitError, want: []string{"there is no such event"}},
		{env: env, args: []string{"events", "replay", came.ID}, want: []string{"crm gets 1 event again."}},

		{args: []string{"events", "schema", "user.created"}, want: []string{`"const": "user.created"`}},
		{args: []string{"events", "schema", "user.creatd"}, code: exitError, want: []string{"did you mean user.created?"}},
	} {
		s.check(t)
	}
	var notes int
	if err := h.Store.Pool().QueryRow(t.Context(), `select count(*) from auth.audit_entries where event = 'events.replayed' and detail->>'event' = $1 and detail->>'receiver' = 'crm'`,
		strings.TrimPrefix(came.ID, "evt_")).Scan(&notes); err != nil || notes != 1 {
		t.Errorf("%d notes of the replay: %v", notes, err)
	}
	receiver.Wait(t, "the replay", func(list []fakereceiver.Event) bool { return len(list) == 2 && list[0].Body == list[1].Body })
}

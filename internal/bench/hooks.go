package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"postern/house"
)

// The hook of the benchmark adds one claim to each token, over each transport alike.
const (
	hookSQL = `
	create schema bench;
	create function bench.plan(event jsonb) returns jsonb language sql stable as
		$$ select jsonb_build_object('claims', event->'claims' || '{"plan": "free"}') $$;
	revoke execute on function bench.plan(jsonb) from public`
	hookJS     = `export default function (event) { return { claims: { ...event.claims, plan: 'free' } }; }`
	hookSecret = "v1,whsec_dGhpcyBpcyBhIHNlY3JldCBvZiBhIHJlY2VpdmVyIQ=="
)

// hookRow is a transport beside the same server without a hook.
type hookRow struct {
	compared

	added time.Duration // to the median
}

// hooks measures what a hook that is asked for every token costs a refresh, by transport: all clients at once, and
// one alone, whose median says what is added.
func (b *bench) hooks(h *house.House, people []*person) ([]hookRow, error) {
	if _, err := h.Store.Exec(b.ctx, hookSQL); err != nil {
		return nil, err
	}
	receiver, stop, err := serve(b.ctx, http.HandlerFunc(addPlan))
	if err != nil {
		return nil, err
	}
	defer stop()
	folder, err := os.MkdirTemp("", "postern-bench-scripts-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(folder) }()
	if err := os.WriteFile(filepath.Join(folder, "plan.js"), []byte(hookJS), 0o600); err != nil {
		return nil, err
	}
	var rows []hookRow
	for _, transport := range []struct{ name, uri string }{
		{"an HTTP hook on loopback", receiver},
		{"a function in the database", "pg-functions://postgres/bench/plan"},
		{"a JavaScript hook", "js:plan.js"},
	} {
		found, err := b.hook(transport.name, map[string]string{
			"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_ENABLED": "true", "AUTH_HOOK_CUSTOM_ACCESS_TOKEN_URI": transport.uri,
			"AUTH_HOOK_CUSTOM_ACCESS_TOKEN_SECRETS": hookSecret, "AUTH_HOOKS_SCRIPTS_DIR": folder,
		}, people)
		if err != nil {
			return nil, err
		}
		rows = append(rows, found...)
	}
	return rows, nil
}

// hook measures one transport.
func (b *bench) hook(name string, settings map[string]string, people []*person) ([]hookRow, error) {
	with, err := b.open(settings)
	if err != nil {
		return nil, err
	}
	defer with.close()
	var rows []hookRow
	for _, clients := range []int{b.clients, 1} {
		plain, own := b.beside(
			job{"refresh without a hook", clients, b.refreshing(b.url+"/token", people)},
			job{fmt.Sprintf("refresh with %s, %d at once", name, clients), clients, b.refreshing(with.url+"/token", people)})
		rows = append(rows, hookRow{compared{own, plain.name, plain.rate}, own.p50 - plain.p50})
	}
	return rows, nil
}

// addPlan is a receiver that does as little as one can. It does not verify: that is not our work.
func addPlan(w http.ResponseWriter, r *http.Request) {
	var question struct {
		Claims map[string]any `json:"claims"`
	}
	if err := json.NewDecoder(r.Body).Decode(&question); err != nil {
		http.Error(w, "bad", http.StatusBadRequest)
		return
	}
	question.Claims["plan"] = "free"
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(question)
}

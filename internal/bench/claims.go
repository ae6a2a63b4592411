package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"postern/house"
	"postern/store"
)

// claimsSQL are the tables that the claims of the benchmark read.
const claimsSQL = `
	create table organisations (id int primary key, name text not null, settings jsonb not null);
	create table profiles (user_id uuid primary key references auth.users, organisation_id int not null references organisations);
	create table projects (id int primary key, name text not null);
	create table memberships (
		user_id uuid references auth.users, project_id int references projects, role text not null, primary key (user_id, project_id));
	insert into organisations select n, 'Organisation ' || n, '{"plan": "pro"}' from generate_series(1, 10) n;
	insert into projects select n, 'Project ' || n from generate_series(1, 20) n;
	insert into profiles select id, 1 + abs(hashtext(id::text)) % 10 from auth.users;
	insert into memberships select u.id, p.id, case when p.id = 1 then 'admin' else 'reader' end from auth.users u, projects p where p.id <= 5;
	analyze`

// fiveClaims are what an application may want to know: two paths, a list, a filter, a computation.
const fiveClaims = `{
	"organisation-id": {"path": "profile.organisation.id", "required": true},
	"plan": "profile.organisation.settings.plan",
	"project-ids": "memberships[].project.id",
	"admin-of": "memberships[role = 'admin'][].project_id",
	"projects": "$count(memberships)"
}`

// bombs are expressions that take all they may, for each token: the meter ends them.
var bombs = []string{
	"$count([1..9999].[1..9999])",
	"$reduce([1..9999], function($a, $b) { $a & $a }, 'x')",
	"$sum($map([1..9999], function($v) { $sum($map([1..9999], function($w) { $v * $w })) }))",
	"$string($map([1..9999], function($v) { [1..9999] }))",
	"$length($join($map([1..9999], function($v) { $join($map([1..99], function($w) { email })) })))",
}

// compared is a measurement beside what it is held against.
type compared struct {
	with measured
	name string
	rate float64
}

// claims measures what custom claims cost a token: asked of the database, and of a GraphQL server, which
// here gives the same answers out of the same process. Then it lets claims that take all they may be
// computed all the time, and looks what becomes of a server whose claims are none of them.
func (b *bench) claims(h *house.House, people []*person) ([]compared, error) {
	if _, err := h.Store.Exec(b.ctx, claimsSQL); err != nil {
		return nil, err
	}
	graph, stop, err := serve(b.ctx, answering(h.Store))
	if err != nil {
		return nil, err
	}
	defer stop()
	var rows []compared
	for name, settings := range map[string]map[string]string{
		"built-in source": {"AUTH_JWT_CUSTOM_CLAIMS": fiveClaims},
		"over HTTP":       {"AUTH_JWT_CUSTOM_CLAIMS": fiveClaims, "HASURA_GRAPHQL_GRAPHQL_URL": graph + "/v1/graphql", "AUTH_HASURA_METADATA": "off"},
	} {
		with, err := b.open(settings)
		if err != nil {
			return nil, err
		}
		for _, j := range []struct {
			name string
			ask  func(url string) func(int) error
		}{
			{"refresh", func(url string) func(int) error { return b.refreshing(url+"/token", people) }},
			{"sign-in", func(url string) func(int) error {
				return func(i int) error { return b.signInAt(url, people[i%len(people)]) }
			}},
		} {
			plain, own := b.beside(
				job{j.name + " without claims", b.clients, j.ask(b.url)},
				job{fmt.Sprintf("%s with five claims, %s", j.name, name), b.clients, j.ask(with.url)})
			rows = append(rows, compared{own, plain.name, plain.rate})
		}
		with.close()
	}
	bombed, err := b.bombed(people)
	return append(rows, bombed...), err
}

// bombed offers 500 refreshes a second to a server while another in the same process computes bombs.
func (b *bench) bombed(people []*person) ([]compared, error) {
	progress("refresh while bombs go off")
	definitions := map[string]string{}
	for i, bomb := range bombs {
		definitions[fmt.Sprintf("bomb-%d", i)] = bomb
	}
	text, err := json.Marshal(definitions)
	if err != nil {
		return nil, err
	}
	with, err := b.open(map[string]string{"AUTH_JWT_CUSTOM_CLAIMS": string(text), "AUTH_CLAIMS_INVALID": "warn"})
	if err != nil {
		return nil, err
	}
	defer with.close()
	half := len(people) / 2
	done := make(chan measured, 1)
	go func() {
		t := b.loop(job{"token with five bombs", 64, b.refreshing(with.url+"/token", people[:half])}, b.length)
		done <- t.summary("token with five bombs")
	}()
	refreshes := b.offer("refresh while bombs go off", 500, b.refreshing(b.url+"/token", people[half:]))
	return []compared{{refreshes, "500/s offered", 500}, {with: <-done, name: "–"}}, nil
}

func (b *bench) signInAt(url string, p *person) error {
	_, err := b.post(url+"/signin/email-password", map[string]string{"email": p.email, "password": password})
	return err
}

// answering is a GraphQL server that answers as the database does.
func answering(db *store.DB) http.Handler {
	source := db.Graph(store.GraphSettings{}, time.Now)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in struct {
			Query     string
			Variables map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			http.Error(w, "bad", http.StatusBadRequest)
			return
		}
		data, err := source.Query(r.Context(), in.Query, in.Variables)
		if err != nil {
			http.Error(w, strings.ReplaceAll(err.Error(), "\n", " "), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]json.RawMessage{"data": data})
	})
}

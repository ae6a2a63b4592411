package graph_test

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// withScripts are the settings of a house in which scripts have a say.
func withScripts(more ...string) map[string]string {
	m := map[string]string{
		"AUTH_MANAGEMENT_CLIENT_ID": "deployer", "AUTH_MANAGEMENT_CLIENT_SECRET": "bf3c1a0e5d9247f68ab1c04e7d3952f6",
		"AUTH_SERVER_URL": "https://auth.example.com/v1",
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

// get asks with the admin secret and gives the data; anything but success ends the test.
func get(t testing.TB, h *testhouse.House, query string, variables map[string]any) map[string]any {
	t.Helper()
	a := ask(t, h, bySecret(), query, variables)
	if len(a.Errors) > 0 {
		t.Fatalf("%s: %+v", query, a.Errors)
	}
	var data map[string]any
	if err := json.Unmarshal(a.Data, &data); err != nil {
		t.Fatal(err)
	}
	return data
}

// at follows names and indexes into JSON.
func at(t testing.TB, v any, path ...any) any {
	t.Helper()
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			list, _ := v.([]any)
			if p >= len(list) {
				t.Fatalf("no item %d in %v", p, v)
			}
			v = list[p]
		}
	}
	return v
}

// audited gives the audit rows from a word on, as "event detail".
func audited(t testing.TB, h *testhouse.House, prefix string) []string {
	t.Helper()
	rows, err := h.Store.Pool().Query(t.Context(), `select event || ' ' || coalesce(detail::text, '') from auth.audit_entries where event like $1 || '%' order by at, id`, prefix)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			t.Fatal(err)
		}
		list = append(list, line)
	}
	return list
}

const scriptFields = `{id name triggerId script dependencies enabled secrets{name createdAt updatedAt} createdAt updatedAt}`

// TestScriptsLiveAndDie goes through all that an operator does with a script, and counts the audit rows.
func TestScriptsLiveAndDie(t *testing.T) {
	t.Parallel()
	h := open(t, withScripts())
	made := get(t, h, `mutation($i: CreateHookInput!){createHook(input:$i){hookScript`+scriptFields+`}}`, map[string]any{"i": map[string]any{
		"name": "First", "triggerId": "credentials-exchange", "script": "module.exports = x", "dependencies": []any{map[string]any{"name": "lodash", "value": "4.17.21"}},
	}})
	id, _ := at(t, made, "createHook", "hookScript", "id").(string)
	if id == "" || at(t, made, "createHook", "hookScript", "dependencies", "lodash") != "4.17.21" || at(t, made, "createHook", "hookScript", "enabled") != false {
		t.Fatalf("%v", made)
	}
	in := func(more ...any) map[string]any {
		m := map[string]any{"id": id}
		for i := 0; i+1 < len(more); i += 2 {
			name, _ := more[i].(string)
			m[name] = more[i+1]
		}
		return map[string]any{"i": m}
	}
	changed := get(t, h, `mutation($i: UpdateHookInput!){updateHook(input:$i){hookScript`+scriptFields+`}}`, in("enabled", true, "name", "Second", "dependencies", []any{}))
	if s := at(t, changed, "updateHook", "hookScript"); at(t, s, "enabled") != true || at(t, s, "name") != "Second" || at(t, s, "script") != "module.exports = x" {
		t.Errorf("%v", changed)
	}
	secrets := []any{map[string]any{"name": "A", "value": "canary-one"}, map[string]any{"name": "B", "value": "canary-two"}}
	get(t, h, `mutation($i: SetHookSecretsInput!){setHookSecrets(input:$i){hookScript{secrets{name}}}}`, in("secrets", secrets))
	set := get(t, h, `mutation($i: SetHookSecretsInput!){setHookSecrets(input:$i){hookScript{secrets{name}}}}`, in("secrets", secrets[:1]))
	if list, _ := at(t, set, "setHookSecrets", "hookScript", "secrets").([]any); len(list) != 2 {
		t.Errorf("%v", set)
	}
	gone := get(t, h, `mutation($i: RemoveHookSecretsInput!){removeHookSecrets(input:$i){hookScript{secrets{name}}}}`, in("names", []any{"B"}))
	if list, _ := at(t, gone, "removeHookSecrets", "hookScript", "secrets").([]any); len(list) != 1 {
		t.Errorf("%v", gone)
	}
	all := get(t, h, `{hookScripts(where:{triggerId:"credentials-exchange",enabled:true},first:1){totalCount nodes`+scriptFields+` edges{cursor node{id}} pageInfo{hasNextPage}} hookScript(id:"`+id+`")`+scriptFields+`}`, nil)
	if at(t, all, "hookScripts", "totalCount") != 1.0 || at(t, all, "hookScripts", "nodes", 0, "id") != id || at(t, all, "hookScript", "secrets", 0, "name") != "A" {
		t.Errorf("%v", all)
	}
	get(t, h, `mutation($i: DeleteHookInput!){deleteHook(input:$i){id}}`, in())
	if none := get(t, h, `{hookScript(id:"`+id+`"){id}}`, nil); none["hookScript"] != nil {
		t.Errorf("%v", none)
	}
	rows := audited(t, h, "hook-script.")
	if len(rows) != 6 {
		t.Errorf("%d audit rows: %q", len(rows), rows)
	}
	for _, row := range rows {
		if !strings.Contains(row, id) || !strings.Contains(row, `"by": "operator"`) || strings.Contains(row, "canary") {
			t.Error(row)
		}
	}
	if strings.Contains(h.Log.String(), "canary") {
		t.Error("a secret is in the log")
	}
}

// TestScriptsRefuse holds that what is refused leaves nothing, and names the field.
func TestScriptsRefuse(t *testing.T) {
	t.Parallel()
	h := open(t, withScripts())
	s := get(t, h, `mutation{createHook(input:{name:"a",triggerId:"credentials-exchange",script:"x"}){hookScript{id}}}`, nil)
	id, _ := at(t, s, "createHook", "hookScript", "id").(string)
	before := len(audited(t, h, ""))
	for query, want := range map[string]string{
		`mutation{createHook(input:{name:"A",triggerId:"credentials-exchange",script:"x"}){hookScript{id}}}`:                                    "script-name-taken",
		`mutation{createHook(input:{name:"-",triggerId:"credentials-exchange",script:"x"}){hookScript{id}}}`:                                    "input.name must",
		`mutation{createHook(input:{name:"b",triggerId:"post-login",script:"x"}){hookScript{id}}}`:                                              "input.triggerId must",
		`mutation{createHook(input:{name:"b",triggerId:"credentials-exchange",script:""}){hookScript{id}}}`:                                     "input.script must",
		`mutation{createHook(input:{name:"b",triggerId:"credentials-exchange",script:"x",dependencies:[{name:"",value:""}]}){hookScript{id}}}`:  "input.dependencies must",
		`mutation{updateHook(input:{id:"nobody",name:"c"}){hookScript{id}}}`:                                                                    "script-unknown",
		`mutation{deleteHook(input:{id:"nobody"}){id}}`:                                                                                         "script-unknown",
		`mutation{setHookSecrets(input:{id:"nobody",secrets:[{name:"A",value:"1"}]}){hookScript{id}}}`:                                          "script-unknown",
		`mutation{setHookSecrets(input:{id:"` + id + `",secrets:[{name:"A",value:"1"},{name:"A",value:"2"}]}){hookScript{id}}}`:                 "input.secrets must have each name once",
		`mutation{setHookSecrets(input:{id:"` + id + `",secrets:[]}){hookScript{id}}}`:                                                          "input.secrets must",
		`mutation{setHookSecrets(input:{id:"` + id + `",secrets:[{name:"A",value:"` + strings.Repeat("canary", 1000) + `"}]}){hookScript{id}}}`: "input.secrets must",
		`mutation{removeHookSecrets(input:{id:"` + id + `",names:[]}){hookScript{id}}}`:                                                         "input.secrets must",
		`{hookScripts(first:101){totalCount}}`:                                                                                                  "first must",
		`{hookScripts(where:{triggerId:"x"}){totalCount}}`:                                                                                      "where.triggerId must",
		`{hookScripts(after:"x"){totalCount}}`:                                                                                                  "after must",
	} {
		a := ask(t, h, bySecret(), query, nil)
		if a.code() != want && !strings.HasPrefix(a.said(), want) || strings.Contains(a.said(), "canary") {
			t.Errorf("%s: %q %q, want %q", query, a.code(), a.said(), want)
		}
	}
	if after := len(audited(t, h, "")); after != before {
		t.Errorf("%d audit rows more", after-before)
	}
	off := open(t, nil)
	if a := ask(t, off, bySecret(), `mutation{createHook(input:{name:"a",triggerId:"credentials-exchange",script:"x",enabled:true}){hookScript{id}}}`, nil); a.code() != "endpoint-disabled" {
		t.Errorf("without scripts: %+v", a)
	}
}

// TestMachineClientsLiveAndDie makes a client, gets tokens by each of its secrets, and ends it.
func TestMachineClientsLiveAndDie(t *testing.T) {
	t.Parallel()
	h := open(t, withScripts())
	made := get(t, h, `mutation{createMachineClient(input:{name:"CI",scopes:["read:hooks"],metadata:[{name:"team",value:"a"}]}){clientSecret machineClient{id name audiences scopes metadata fromSettings createdAt updatedAt}}}`, nil)
	id, _ := at(t, made, "createMachineClient", "machineClient", "id").(string)
	secret, _ := at(t, made, "createMachineClient", "clientSecret").(string)
	first := grant(t, h, id, secret)
	if first == "" {
		t.Fatalf("no token by %v", made)
	}
	if got := hooksStatus(t, h, first); got != 200 {
		t.Errorf("the token opens %d", got)
	}
	rotated := get(t, h, `mutation{rotateMachineClientSecret(input:{id:"`+id+`"}){clientSecret machineClient{id}}}`, nil)
	other, _ := at(t, rotated, "rotateMachineClientSecret", "clientSecret").(string)
	if other == "" || other == secret || grant(t, h, id, secret) != "" {
		t.Error("the former secret works")
	}
	if got := hooksStatus(t, h, first); got != 401 {
		t.Errorf("the token of the former secret opens %d", got)
	}
	second := grant(t, h, id, other)
	get(t, h, `mutation{updateMachineClient(input:{id:"`+id+`",name:"CD",scopes:["update:hooks"]}){machineClient{name scopes}}}`, nil)
	if got := hooksStatus(t, h, second); got != 403 {
		t.Errorf("a token whose scope is gone opens %d", got)
	}
	all := get(t, h, `{machineClients(first:5){totalCount nodes{id name fromSettings} edges{cursor}}}`, nil)
	if at(t, all, "machineClients", "totalCount") != 2.0 || at(t, all, "machineClients", "nodes", 0, "name") != "CD" || at(t, all, "machineClients", "nodes", 1, "fromSettings") != true {
		t.Errorf("%v", all)
	}
	get(t, h, `mutation{deleteMachineClient(input:{id:"`+id+`"}){id}}`, nil)
	if got := hooksStatus(t, h, second); got != 401 {
		t.Errorf("the token of a client that is gone opens %d", got)
	}
	rows := audited(t, h, "machine-client.")
	if len(rows) != 8 { // with that of the settings, those of two tokens, and that of the secret that was good no longer
		t.Errorf("%d audit rows: %q", len(rows), rows)
	}
	for _, s := range []string{secret, other} {
		if strings.Contains(strings.Join(rows, "\n")+h.Log.String(), s) {
			t.Error("a secret is in the audit log or the log")
		}
	}
	before := len(rows)
	for query, want := range map[string]string{
		`mutation{deleteMachineClient(input:{id:"deployer"}){id}}`:                                               "input.id must not be the client",
		`mutation{updateMachineClient(input:{id:"deployer",name:"x"}){machineClient{id}}}`:                       "input.id must not be the client",
		`mutation{rotateMachineClientSecret(input:{id:"deployer"}){clientSecret}}`:                               "input.id must not be the client",
		`mutation{deleteMachineClient(input:{id:"` + id + `"}){id}}`:                                             "There is no such thing",
		`mutation{updateMachineClient(input:{id:"` + id + `"}){machineClient{id}}}`:                              "input must say",
		`mutation{createMachineClient(input:{name:"",scopes:[]}){clientSecret}}`:                                 "input.name must",
		`mutation{createMachineClient(input:{name:"a",scopes:["a b"]}){clientSecret}}`:                           "input.scopes must",
		`mutation{createMachineClient(input:{name:"a",scopes:[],audiences:["x"]}){clientSecret}}`:                "input.audiences must",
		`mutation{createMachineClient(input:{name:"a",scopes:[],metadata:[{name:"",value:"1"}]}){clientSecret}}`: "input.metadata must",
	} {
		if a := ask(t, h, bySecret(), query, nil); !strings.HasPrefix(a.said(), want) {
			t.Errorf("%s: %+v", query, a.Errors)
		}
	}
	if after := len(audited(t, h, "machine-client.")); after != before {
		t.Errorf("%d audit rows more", after-before)
	}
}

// call calls the handler of a house and gives status and body.
func call(t testing.TB, h *testhouse.House, method, path, body string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// grant gets a token for a machine client; empty when it is refused.
func grant(t testing.TB, h *testhouse.House, id, secret string) string {
	t.Helper()
	_, body := call(t, h, "POST", "/oauth/token", `{"grant_type":"client_credentials","client_id":"`+id+`","client_secret":"`+secret+`","audience":"https://auth.example.com/api/v2/"}`)
	var out struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatalf("%q: %v", body, err)
	}
	return out.Token
}

// hooksStatus is what the management API answers to a machine that lists scripts.
func hooksStatus(t testing.TB, h *testhouse.House, token string) int {
	t.Helper()
	status, _ := call(t, h, "GET", "/api/v2/hooks", "", "Authorization", "Bearer "+token)
	return status
}

package auth0_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/flow"
)

// TestHooksLiveAndDie goes through all that a client does with a hook.
func TestHooksLiveAndDie(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	made := d.api(t, "POST", "hooks", newHook("My Hook 1", "dependencies", object{"lodash": "4.17.21"}))
	id := made.id(t)
	want := `{"id":"` + id + `","name":"My Hook 1","script":"` + scriptText + `","dependencies":{"lodash":"4.17.21"},"triggerId":"credentials-exchange","enabled":false}` + "\n"
	if diff := cmp.Diff(want, made.body); diff != "" {
		t.Errorf("created (-want +got):\n%s", diff)
	}
	if got := d.api(t, "GET", "hooks/"+id, nil); got.body != made.body || got.header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Errorf("read: %s", got.body)
	}
	d.api(t, "PATCH", "hooks/"+id, object{"enabled": "true", "dependencies": object{}}).is(t, 200, `"dependencies":{},"triggerId":"credentials-exchange","enabled":true`)
	d.api(t, "PATCH", "hooks/"+id, object{"script": "x", "name": "other"}).is(t, 200, `"name":"other","script":"x"`)

	d.api(t, "GET", "hooks/"+id+"/secrets", nil).is(t, 200, "{}\n")
	d.api(t, "POST", "hooks/"+id+"/secrets", object{"A": "1", "B": "2"}).is(t, 201, "{}\n")
	d.api(t, "PATCH", "hooks/"+id+"/secrets", object{"A": "_VALUE_NOT_SHOWN_"}).is(t, 201, "{}\n")
	d.api(t, "GET", "hooks/"+id+"/secrets", nil).is(t, 200, `{"A":"_VALUE_NOT_SHOWN_","B":"_VALUE_NOT_SHOWN_"}`)
	d.api(t, "DELETE", "hooks/"+id+"/secrets", []string{"B", "NONE"}).is(t, 204, "")
	s, err := d.Store.EnabledScript(t.Context(), "credentials-exchange")
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := flow.OpenScriptSecrets(d.Kit.Keys, s)
	if diff := cmp.Diff(map[string]string{"A": "_VALUE_NOT_SHOWN_"}, secrets); err != nil || diff != "" {
		t.Errorf("error %v, secrets (-want +got):\n%s", err, diff)
	}

	d.api(t, "DELETE", "hooks/"+id, "{}").is(t, 204, "") // older clients send a body along
	const gone = `{"statusCode":404,"error":"Not Found","message":"Error: Hook does not exist","errorCode":"HookDoesNotExist"}`
	for _, ask := range []func() answer{
		func() answer { return d.api(t, "GET", "hooks/"+id, nil) },
		func() answer { return d.api(t, "DELETE", "hooks/"+id, nil) },
		func() answer { return d.api(t, "PATCH", "hooks/"+id, object{"name": "x"}) },
		func() answer { return d.api(t, "GET", "hooks/"+id+"/secrets", nil) },
		func() answer { return d.api(t, "POST", "hooks/"+id+"/secrets", object{"A": "1"}) },
		func() answer { return d.api(t, "PATCH", "hooks/"+id+"/secrets", object{"A": "1"}) },
		func() answer { return d.api(t, "DELETE", "hooks/"+id+"/secrets", []string{"A"}) },
	} {
		ask().is(t, 404, gone)
	}
	var notes []string
	rows, err := d.Store.Query(t.Context(), `select event from auth.audit_entries where detail ->> 'script' = $1 and detail ->> 'client' = $2 order by id`, id, clientID)
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		var event string
		if err := rows.Scan(&event); err != nil {
			t.Fatal(err)
		}
		notes = append(notes, strings.TrimPrefix(event, "hook-script."))
	}
	if diff := cmp.Diff([]string{"created", "changed", "changed", "secrets.added", "secrets.changed", "secrets.deleted", "deleted"}, notes); diff != "" || rows.Err() != nil {
		t.Errorf("error %v, notes (-want +got):\n%s", rows.Err(), diff)
	}
}

func TestHooksAreListed(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	d.api(t, "GET", "hooks", nil).is(t, 200, "[]\n")
	var ids []string
	for i := range 3 {
		ids = append(ids, d.api(t, "POST", "hooks", newHook(fmt.Sprint("hook ", i), "enabled", i == 1)).id(t))
	}
	d.api(t, "POST", "hooks", newHook("else", "triggerId", "send-phone-message", "enabled", true)).id(t)
	only := func(list ...string) string { return `[{"id":"` + strings.Join(list, `"},{"id":"`) + `"}]` }
	for query, want := range map[string]string{
		"fields=id&triggerId=credentials-exchange":                                        only(ids...),
		"fields=id&include_fields=true&enabled=true&triggerId=credentials-exchange":       only(ids[1]),
		"fields=id&enabled=false":                                                         only(ids[0], ids[2]),
		"fields=id&per_page=2":                                                            only(ids[0], ids[1]),
		"fields=id&per_page=2&page=1&triggerId=credentials-exchange":                      only(ids[2]),
		"fields=id&per_page=2&page=9":                                                     "[]",
		"per_page=0":                                                                      "[]",
		"fields=id,name&page=0":                                                           `[{"id":"` + ids[0] + `","name":"hook 0"},`,
		"fields=script,dependencies,triggerId,enabled,name&include_fields=false":          only(ids[0])[:10],
		"page=0&per_page=50&include_totals=true&fields=name&triggerId=send-phone-message": `{"total":1,"start":0,"limit":50,"hooks":[{"name":"else"}]}`,
		"page=2&per_page=3&include_totals=true":                                           `{"total":4,"start":6,"limit":3,"hooks":[]}`,
		"include_totals=true&fields=name&enabled=true":                                    `{"total":2,"start":0,"limit":2,"hooks":[{"name":"hook 1"},{"name":"else"}]}`,
		"include_totals=false&fields=name&enabled=true":                                   `[{"name":"hook 1"},{"name":"else"}]`,
	} {
		if got := d.api(t, "GET", "hooks?"+query, nil); got.status != 200 || !strings.HasPrefix(got.body, want) {
			t.Errorf("%s: %d %s, want %s", query, got.status, got.body, want)
		}
	}
	d.api(t, "GET", "hooks/"+ids[0]+"?fields=enabled,name&include_fields=true", nil).is(t, 200, `{"name":"hook 0","enabled":false}`)
	for query, property := range map[string]string{
		"page=-1": "page", "per_page=101": "per_page", "per_page=x": "per_page", "include_totals=1": "include_totals", "enabled=yes": "enabled", "fields=id,secret": "fields",
		"triggerId=login": "triggerId", "include_fields=maybe": "include_fields", "q=x": "q", "page=1&page=2": "page", "page=99999999999999999999": "page",
	} {
		d.api(t, "GET", "hooks?"+query, nil).is(t, 400, `"errorCode":"invalid_query_string"`)
		d.api(t, "GET", "hooks?"+query, nil).is(t, 400, `on property `+property)
	}
}

// TestHooksOneEnabled enables hooks of one trigger from all sides: every request succeeds, and one hook
// stays enabled.
func TestHooksOneEnabled(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	first := d.api(t, "POST", "hooks", newHook("first", "enabled", true)).id(t)
	second := d.api(t, "POST", "hooks", newHook("second", "enabled", true)).id(t)
	d.api(t, "GET", "hooks/"+first, nil).is(t, 200, `"enabled":false`)
	d.api(t, "GET", "hooks/"+second, nil).is(t, 200, `"enabled":true`)
	var all sync.WaitGroup
	for i := range 12 {
		all.Go(func() {
			d.api(t, "PATCH", "hooks/"+[]string{first, second}[i%2], object{"enabled": true}).is(t, 200, `"enabled":true`)
		})
		all.Go(func() {
			d.api(t, "POST", "hooks", newHook(fmt.Sprint("h", i), "enabled", true)).is(t, 201, `"enabled":true`)
		})
	}
	all.Wait()
	d.api(t, "GET", "hooks?enabled=true&include_totals=true&fields=enabled", nil).is(t, 200, `{"total":1,`)
}

func TestHooksHaveOneNameEach(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	d.api(t, "POST", "hooks", newHook("My Hook")).id(t)
	other := d.api(t, "POST", "hooks", newHook("hook1")).id(t)
	const taken = `{"statusCode":409,"error":"Conflict","message":"A hook with the same name already exists"}`
	d.api(t, "POST", "hooks", newHook("my-hook")).is(t, 409, taken)
	d.api(t, "POST", "hooks", newHook("MY HOOK", "triggerId", "send-phone-message")).is(t, 409, taken)
	d.api(t, "PATCH", "hooks/"+other, object{"name": "my-Hook"}).is(t, 409, taken)
	d.api(t, "PATCH", "hooks/"+other, object{"name": "HOOK1"}).is(t, 200, `"name":"HOOK1"`)
	d.api(t, "POST", "hooks", newHook("hook-1")).id(t) // letters and digits are not taken apart
}

func TestHooksThatAreNone(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	id := d.api(t, "POST", "hooks", newHook("good")).id(t)
	without := func(name string) object { h := newHook("x"); delete(h, name); return h }
	many := object{}
	for i := range 21 {
		many[fmt.Sprint("S", i)] = "v"
	}
	for _, c := range []struct {
		method, path string
		body         any
		property     string
	}{
		{"POST", "hooks", without("name"), "name"},
		{"POST", "hooks", without("script"), "script"},
		{"POST", "hooks", without("triggerId"), "triggerId"},
		{"POST", "hooks", newHook(""), "name"},
		{"POST", "hooks", newHook("-a"), "name"},
		{"POST", "hooks", newHook("a "), "name"},
		{"POST", "hooks", newHook("a\n"), "name"},
		{"POST", "hooks", newHook("ä"), "name"},
		{"POST", "hooks", newHook(strings.Repeat("a", 256)), "name"},
		{"POST", "hooks", newHook("x", "name", 5), "name"},
		{"POST", "hooks", newHook("x", "script", ""), "script"},
		{"POST", "hooks", newHook("x", "script", "a\x00b"), "script"},
		{"POST", "hooks", newHook("x", "script", strings.Repeat("a", 100<<10+1)), "script"},
		{"POST", "hooks", newHook("x", "triggerId", "post-login"), "triggerId"},
		{"POST", "hooks", newHook("x", "enabled", "yes"), "enabled"},
		{"POST", "hooks", newHook("x", "enabled", 1), "enabled"},
		{"POST", "hooks", newHook("x", "enabled", nil), "enabled"},
		{"POST", "hooks", newHook("x", "dependencies", object{"a": 1}), "dependencies"},
		{"POST", "hooks", newHook("x", "dependencies", []string{"a"}), "dependencies"},
		{"POST", "hooks", newHook("x", "dependencies", object{"a\x00": "1"}), "dependencies"},
		{"POST", "hooks", newHook("x", "id", "01M7ZYJR7YR8F804MPC5VN9P6E"), "id"},
		{"POST", "hooks", newHook("x", "secrets", object{}), "secrets"},
		{"POST", "hooks", `[]`, "body"},
		{"POST", "hooks", `null`, "body"},
		{"POST", "hooks", ``, "body"},
		{"POST", "hooks", `{"name":"a","name":"b"}`, "body"},
		{"POST", "hooks", strings.Repeat(`[`, 100_000), "body"},
		{"POST", "hooks", strings.Repeat(" ", 10<<20), "body"},
		{"PATCH", "hooks/" + id, object{}, "body"},
		{"PATCH", "hooks/" + id, object{"triggerId": "send-phone-message"}, "triggerId"},
		{"PATCH", "hooks/" + id, object{"name": "-"}, "name"},
		{"PATCH", "hooks/" + id, object{"script": ""}, "script"},
		{"POST", "hooks/" + id + "/secrets", object{}, "secrets"},
		{"POST", "hooks/" + id + "/secrets", many, "secrets"},
		{"POST", "hooks/" + id + "/secrets", object{"A": 1}, "body"},
		{"POST", "hooks/" + id + "/secrets", object{"": "1"}, "secrets"},
		{"POST", "hooks/" + id + "/secrets", object{"A\x00": "1"}, "secrets"},
		{"POST", "hooks/" + id + "/secrets", object{"A": strings.Repeat("v", 5000)}, "secrets"},
		{"PATCH", "hooks/" + id + "/secrets", `[]`, "body"},
		{"DELETE", "hooks/" + id + "/secrets", `[]`, "body"},
		{"DELETE", "hooks/" + id + "/secrets", `{}`, "body"},
		{"DELETE", "hooks/" + id + "/secrets", `[1]`, "body"},
		{"DELETE", "hooks/" + id + "/secrets", `["a\u0000"]`, "secrets"},
	} {
		got := d.api(t, c.method, c.path, c.body)
		if !strings.Contains(got.body, `"message":"Payload validation error: '`) || !strings.Contains(got.body, `' on property `+c.property+`"`) {
			t.Errorf("%s %s %.100v: %s", c.method, c.path, c.body, got.body)
		}
		got.is(t, 400, `"errorCode":"invalid_body"`)
	}
	for _, path := range []string{"hooks/a_b", "hooks/a%20b/secrets", "hooks/" + strings.Repeat("a", 101)} {
		d.api(t, "GET", path, nil).is(t, 400, `"message":"Path validation error: '`)
	}
	d.send(t, "POST", "/api/v2/hooks", `name=x`, "Authorization", "Bearer "+d.token, "Content-Type", "application/x-www-form-urlencoded").is(t, 400, "on property Content-Type")
	if log := d.Log.Errors(); log != "" {
		t.Error(log)
	}
}

// TestHookSecretsAreLimited holds 20 secrets, also when many bring some at once.
func TestHookSecretsAreLimited(t *testing.T) {
	t.Parallel()
	d := open(t, settings())
	id := d.api(t, "POST", "hooks", newHook("x")).id(t)
	var all sync.WaitGroup
	for i := range 25 {
		all.Go(func() {
			got := d.api(t, "POST", "hooks/"+id+"/secrets", object{fmt.Sprint("S", i): "v"})
			if got.status != http.StatusCreated && !strings.Contains(got.body, "20 secrets at most") {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
	all.Wait()
	names := d.api(t, "GET", "hooks/"+id+"/secrets", nil).object(t)
	if len(names) != 20 {
		t.Errorf("%d secrets", len(names))
	}
	for name := range names {
		d.api(t, "POST", "hooks/"+id+"/secrets", object{name: "again"}).is(t, 409, `{"statusCode":409,"error":"Conflict","message":"A secret with the same name already exists"}`)
		break
	}
	d.api(t, "PATCH", "hooks/"+id+"/secrets", object{"NONE": "v"}).is(t, 404, `"statusCode":404,"error":"Not Found"`)
}

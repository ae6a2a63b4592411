package gotrue_test

import (
	"encoding/json"
	"net/url"
	"testing"
)

// TestOperatorsReadTheAuditLog lists it by pages, and by each column.
func TestOperatorsReadTheAuditLog(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	d.confirmed(t, newAddress())
	d.ok(t, "PUT", "/user", `{"password":"a second long one"}`, "Authorization", bearer(s))
	read := func(query string) (list []map[string]any, a answer) {
		t.Helper()
		a = d.admin(t, "GET", "/admin/audit"+query, "")
		if err := json.Unmarshal([]byte(a.body), &list); err != nil || a.status != 200 {
			t.Fatalf("%s: %d %s", query, a.status, a.body)
		}
		return list, a
	}
	all, _ := read("")
	if len(all) < 5 || all[0]["payload"].(map[string]any)["action"] != "user_updated_password" || all[0]["created_at"] == nil || all[0]["id"] == "" {
		t.Errorf("%v", all)
	}
	mine, _ := read("?query=author:" + url.QueryEscape(email))
	for _, e := range mine {
		if p := e["payload"].(map[string]any); p["actor_username"] != email || p["actor_id"] != userIn(s)["id"] {
			t.Errorf("%v", e)
		}
	}
	if len(mine) == 0 || len(mine) >= len(all) {
		t.Errorf("%d of %d", len(mine), len(all))
	}
	for query, want := range map[string]string{"action:sign": "user_signedup", "action:login": "login", "type:team": "user_signedup"} {
		list, _ := read("?query=" + query)
		if len(list) != 2 {
			t.Errorf("%s: %v", query, list)
		}
		for _, e := range list {
			if e["payload"].(map[string]any)["action"] != want {
				t.Errorf("%s: %v", query, e)
			}
		}
	}
	for _, query := range []string{"action:nothing of the kind", "author:nobody@example.com"} {
		if list, _ := read("?query=" + url.QueryEscape(query)); len(list) != 0 {
			t.Errorf("%s: %v", query, list)
		}
	}
	page, a := read("?page=2&per_page=2")
	if len(page) != 2 || page[0]["id"] != all[2]["id"] || a.header.Get("X-Total-Count") == "" || a.header.Get("Link") == "" {
		t.Errorf("%v %v", page, a.header)
	}
	for _, query := range []string{"?query=colour:red", "?query=author:ann", "?query=author:a%40%00b", "?query=author:%ff@x", "?page=0", "?page=1000000", "?per_page=100000"} {
		d.admin(t, "GET", "/admin/audit"+query, "").refused(t, 400, "validation_failed")
	}
	d.ask(t, "GET", "/admin/audit", "", "Authorization", bearer(s)).refused(t, 403, "not_admin")
}

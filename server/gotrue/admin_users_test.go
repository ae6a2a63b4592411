package gotrue_test

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

// users are those of a list.
func (a answer) users(t testing.TB) []map[string]any {
	t.Helper()
	var v struct {
		Users []map[string]any `json:"users"`
	}
	if err := json.Unmarshal([]byte(a.body), &v); err != nil || a.status != 200 {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
	return v.Users
}

// TestOperatorsMakeUsers who sign in at once, as programs do that fill a database.
func TestOperatorsMakeUsers(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email, id := newAddress(), tokens.NewUUID()
	u := d.made(t, `{"id":"`+id+`","email":"`+strings.ToUpper(email)+`","password":"`+password+`","email_confirm":true,"phone":"4915112345678",
		"user_metadata":{"name":"Ann","app_metadata":{"plan":"stolen"}},"app_metadata":{"plan":"pro","provider":"moon"},"aud":"authenticated","role":"authenticated","unknown":null}`)
	if u["id"] != id || u["email"] != email || u["phone"] != "4915112345678" || u["email_confirmed_at"] == nil || u["phone_confirmed_at"] != nil || u["is_anonymous"] != false {
		t.Errorf("%v", u)
	}
	want := map[string]any{"plan": "pro", "provider": "email", "providers": []any{"email", "phone"}}
	if diff := cmp.Diff(want, u["app_metadata"]); diff != "" {
		t.Errorf("app_metadata (-want +got):\n%s", diff)
	}
	if u["user_metadata"].(map[string]any)["name"] != "Ann" || u["user_metadata"].(map[string]any)["app_metadata"] != nil {
		t.Errorf("%v", u["user_metadata"])
	}
	s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
	if diff := cmp.Diff(d.ok(t, "GET", "/user", "", "Authorization", bearer(s))["id"], d.ok(t, "GET", "/admin/users/"+id, "", "Authorization", serviceKey())["id"]); diff != "" {
		t.Error(diff)
	}

	hashed := newAddress()
	d.made(t, `{"email":"`+hashed+`","password_hash":"$2y$10$SXEz2HeT8PUIGQXo9yeUIem8KzNxgG0d7o/.eGj2rj8KbRgAuRVlq","email_confirm":true}`)
	if a := d.ask(t, "POST", "/token?grant_type=password", credentials(hashed, "wrong")); a.code(t) != "invalid_credentials" {
		t.Errorf("%+v", a)
	}
	banned := newAddress()
	if u := d.made(t, `{"email":"`+banned+`","password":"`+password+`","email_confirm":true,"ban_duration":"24h"}`); u["banned_until"] == nil {
		t.Errorf("%v", u)
	}
	if a := d.ask(t, "POST", "/token?grant_type=password", credentials(banned, password)); a.code(t) != "user_banned" {
		t.Errorf("%+v", a)
	}
	waiting := newAddress()
	d.made(t, `{"email":"`+waiting+`","password":"`+password+`"}`)
	if a := d.ask(t, "POST", "/token?grant_type=password", credentials(waiting, password)); a.code(t) != "email_not_confirmed" {
		t.Errorf("%+v", a)
	}
	for body, want := range map[string]string{
		`{}`: "400 validation_failed", `{"email":"nobody"}`: "400 validation_failed", `{"email":"` + email + `"}`: "422 email_exists", `{"phone":"+4915112345678"}`: "422 phone_exists",
		`{"email":"a@example.com","phone":"12"}`: "400 validation_failed", `{"email":"a@example.com","id":"00000000-0000-0000-0000-000000000000"}`: "400 validation_failed",
		`{"email":"a@example.com","id":"` + id + `"}`: "400 validation_failed", `{"email":"a@example.com","role":"service_role"}`: "400 validation_failed",
		`{"email":"a@example.com","aud":"others"}`: "400 validation_failed", `{"email":"a@example.com","ban_duration":"a day"}`: "400 validation_failed",
		`{"email":"a@example.com","ban_duration":"-1h"}`: "400 validation_failed", `{"email":"a@example.com","password":"x","password_hash":"y"}`: "400 validation_failed",
		`{"email":"a@example.com","password_hash":"not a hash"}`: "400 validation_failed", `{"email":"a@example.com","password":"123"}`: "422 weak_password",
		`{"email":"a@example.com","user_metadata":[1]}`: "400 bad_json", `{"email":"a@example.com","app_metadata":"x"}`: "400 bad_json",
		`{"email":"a@example.com","user_metadata":{"x":"` + strings.Repeat("x", 70<<10) + `"}}`: "400 validation_failed",
		`{"email":"a@example.com","user_metadata":{"x":"` + strings.Repeat("x", 2<<20) + `"}}`:  "413 request_entity_too_large",
	} {
		if a := d.admin(t, "POST", "/admin/users", body); fmt.Sprint(a.status, " ", a.code(t)) != want {
			t.Errorf("%.100s: %d %s, want %s", body, a.status, a.body, want)
		}
	}
}

// TestTrap15ATakenAddressInAnUpdate is a refusal, and no fault of the server.
func TestTrap15ATakenAddressInAnUpdate(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	taken := newAddress()
	d.made(t, `{"email":"`+taken+`","phone":"4915112345678"}`)
	id := d.made(t, `{"email":"`+newAddress()+`"}`)["id"].(string)
	for body, code := range map[string]string{`{"email":"` + taken + `"}`: "email_exists", `{"phone":"4915112345678"}`: "phone_exists"} {
		if a := d.admin(t, "PUT", "/admin/users/"+id, body); a.status != 422 || a.code(t) != code {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
}

// TestOperatorsChangeUsers holds that what is given is changed and nothing else.
func TestOperatorsChangeUsers(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	email := newAddress()
	s := d.confirmed(t, email)
	id := s["user"].(map[string]any)["id"].(string)
	path := "/admin/users/" + id
	put := func(body string) map[string]any {
		t.Helper()
		return d.ok(t, "PUT", path, body, "Authorization", serviceKey())
	}
	put(`{"user_metadata":{"a":1,"b":2},"app_metadata":{"plan":"pro","seats":3}}`)
	u := put(`{"user_metadata":{"b":null,"c":3,"app_metadata":{"plan":"stolen"}},"app_metadata":{"seats":null,"providers":["moon"]},"email_confirm":false}`)
	if diff := cmp.Diff(map[string]any{"plan": "pro", "provider": "email", "providers": []any{"email"}}, u["app_metadata"]); diff != "" {
		t.Errorf("app_metadata (-want +got):\n%s", diff)
	}
	if m := u["user_metadata"].(map[string]any); m["a"] != 1.0 || m["b"] != nil || m["c"] != 3.0 || m["app_metadata"] != nil || u["email_confirmed_at"] == nil {
		t.Errorf("%v", u)
	}
	if diff := cmp.Diff(u["user_metadata"], put(``)["user_metadata"]); diff != "" {
		t.Errorf("nothing to change (-want +got):\n%s", diff)
	}

	t.Run("a ban, and its end", func(t *testing.T) {
		put(`{"ban_duration":"1h30m"}`)
		if a := d.ask(t, "GET", "/user", "", "Authorization", bearer(s)); a.status != 403 {
			t.Errorf("%+v", a)
		}
		if u := put(`{"ban_duration":"none"}`); u["banned_until"] != nil {
			t.Errorf("%v", u)
		}
	})
	t.Run("another password ends what the old one opened, and is told", func(t *testing.T) {
		s := d.ok(t, "POST", "/token?grant_type=password", credentials(email, password))
		if a := d.admin(t, "PUT", path, `{"password":"123"}`); a.code(t) != "weak_password" {
			t.Errorf("%+v", a)
		}
		before := len(d.Mail.To(email))
		put(`{"password":"another good password"}`)
		if a := d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+s["refresh_token"].(string)+`"}`); a.status != 400 {
			t.Errorf("%+v", a)
		}
		if a := d.ask(t, "POST", "/token?grant_type=password", credentials(email, password)); a.code(t) != "invalid_credentials" {
			t.Errorf("%+v", a)
		}
		d.ok(t, "POST", "/token?grant_type=password", credentials(email, "another good password"))
		d.Mail.Wait(t, email, before+1)
		if n := d.holds(t, `select count(*)::text from auth.audit_entries where user_id = $1 and event = 'user.updated' and detail->'changed' ? 'password' and detail->>'by' = 'operator'`, id); n != "1" {
			t.Errorf("%s entries", n)
		}
		if log := d.Log.String(); strings.Contains(log, "another good password") {
			t.Error("the password is in the log")
		}
	})
	t.Run("another address is not confirmed by being given", func(t *testing.T) {
		other := newAddress()
		if u := put(`{"email":"` + other + `"}`); u["email"] != other || u["email_confirmed_at"] != nil {
			t.Errorf("%v", u)
		}
		if u := put(`{"email_confirm":true}`); u["email_confirmed_at"] == nil {
			t.Errorf("%v", u)
		}
	})
	for body, want := range map[string]string{
		`{"password_hash":"x"}`: "400 validation_failed", `{"role":"postgres"}`: "400 validation_failed", `{"email":"x"}`: "400 validation_failed", `{"ban_duration":"1y"}`: "400 validation_failed", `{"user_metadata":1}`: "400 bad_json", `[]`: "400 bad_json",
	} {
		if a := d.admin(t, "PUT", path, body); fmt.Sprint(a.status, " ", a.code(t)) != want {
			t.Errorf("%s: %d %s, want %s", body, a.status, a.body, want)
		}
	}
	for path, want := range map[string]string{"/admin/users/" + tokens.NewUUID(): "404 user_not_found", "/admin/users/7": "404 validation_failed"} {
		for _, method := range []string{"GET", "PUT", "DELETE"} {
			if a := d.admin(t, method, path, `{"email_confirm":true}`); fmt.Sprint(a.status, " ", a.code(t)) != want {
				t.Errorf("%s %s: %d %s", method, path, a.status, a.body)
			}
		}
	}
}

// TestPasswordsOfOthers are not for everybody who is an operator, and can be left to the users alone.
func TestPasswordsOfOthers(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"AUTH_ADMIN_ROLE": "operator", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	id := d.made(t, `{"email":"`+newAddress()+`","email_confirm":true}`)["id"].(string)
	chief := newAddress()
	chiefID := d.ok(t, "POST", "/signup", credentials(chief, password))["user"].(map[string]any)["id"].(string)
	d.exec(t, `insert into auth.user_roles (user_id, role) values ($1, 'operator')`, chiefID)
	s := d.ok(t, "POST", "/token?grant_type=password", credentials(chief, password))
	if a := d.ask(t, "PUT", "/admin/users/"+id, `{"password":"a good password"}`, "Authorization", bearer(s)); a.status != 403 || a.code(t) != "not_admin" {
		t.Errorf("%+v", a)
	}
	if a := d.ask(t, "PUT", "/admin/users/"+id, `{"user_metadata":{"a":1}}`, "Authorization", bearer(s)); a.status != 200 {
		t.Errorf("%+v", a)
	}
	off := open(t, map[string]string{"AUTH_ADMIN_PASSWORDS": "false"})
	id = off.made(t, `{"email":"`+newAddress()+`"}`)["id"].(string)
	if a := off.admin(t, "PUT", "/admin/users/"+id, `{"password":"a good password"}`); a.status != 404 || a.code(t) != "feature_disabled" {
		t.Errorf("%+v", a)
	}
}

// TestTrap14AddressesOfTheDeletedAreFree, whichever way they were deleted.
func TestTrap14AddressesOfTheDeletedAreFree(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	for _, body := range []string{``, `{"should_soft_delete":false}`, `{"should_soft_delete":true}`} {
		email := newAddress()
		s := d.confirmed(t, email)
		path := "/admin/users/" + s["user"].(map[string]any)["id"].(string)
		if out := d.ok(t, "DELETE", path, body, "Authorization", serviceKey()); len(out) != 0 {
			t.Errorf("%v", out)
		}
		if a := d.ask(t, "GET", "/user", "", "Authorization", bearer(s)); a.status != 403 {
			t.Errorf("%+v", a)
		}
		a := d.admin(t, "GET", path, "")
		if soft := strings.Contains(body, "true"); soft {
			if u := a.said(t); a.status != 200 || u["deleted_at"] == nil || u["email"] != "" {
				t.Errorf("%+v", a)
			}
			d.ok(t, "DELETE", path, body, "Authorization", serviceKey()) // is no error
		} else if a.code(t) != "user_not_found" {
			t.Errorf("%+v", a)
		}
		d.made(t, `{"email":"`+email+`"}`)
	}
}

// TestOperatorsListUsers holds pages, and the headers that clients find them by.
func TestOperatorsListUsers(t *testing.T) {
	t.Parallel()
	d := open(t, nil)
	var ids []string
	for i := range 5 {
		ids = append(ids, d.made(t, fmt.Sprintf(`{"email":"u%d@example.com","user_metadata":{"full_name":"Ann 100%%_%d"},"app_metadata":{"n":1}}`, i, i))["id"].(string))
	}
	for query, want := range map[string]struct {
		first, count int
		link         string
	}{
		"":                                {4, 5, `</auth/v1/admin/users?page=1>; rel="last"`},
		"?page=&per_page=":                {4, 5, `</auth/v1/admin/users?page=1&per_page=>; rel="last"`},
		"?per_page=2":                     {4, 2, `</auth/v1/admin/users?page=2&per_page=2>; rel="next", </auth/v1/admin/users?page=3&per_page=2>; rel="last"`},
		"?page=2&per_page=2":              {2, 2, `</auth/v1/admin/users?page=3&per_page=2>; rel="next", </auth/v1/admin/users?page=3&per_page=2>; rel="last"`},
		"?page=3&per_page=2":              {0, 1, `</auth/v1/admin/users?page=3&per_page=2>; rel="last"`},
		"?page=9&per_page=2":              {0, 0, `</auth/v1/admin/users?page=3&per_page=2>; rel="last"`},
		"?sort=created_at+asc&per_page=1": {0, 1, `</auth/v1/admin/users?page=2&per_page=1&sort=created_at+asc>; rel="next", </auth/v1/admin/users?page=5&per_page=1&sort=created_at+asc>; rel="last"`},
	} {
		a := d.admin(t, "GET", "/admin/users"+query, "")
		users := a.users(t)
		if len(users) != want.count || want.count > 0 && users[0]["id"] != ids[want.first] || a.header.Get("Link") != want.link || a.header.Get("X-Total-Count") != "5" {
			t.Errorf("%s: %d users, %v", query, len(users), a.header)
		}
		for _, u := range users {
			if u["identities"] != nil || u["app_metadata"].(map[string]any)["provider"] != "email" {
				t.Errorf("%v", u)
			}
		}
	}
	for filter, count := range map[string]int{"u3@": 1, "example.com": 5, "100%25_2": 1, "ANN": 5, "%25_4": 1, "nobody": 0, "u_": 0, "a,b%3Dc": 0} {
		a := d.admin(t, "GET", "/admin/users?per_page=1&filter="+filter, "")
		if got := a.header.Get("X-Total-Count"); got != strconv.Itoa(count) {
			t.Errorf("%s: %s, want %d", filter, got, count)
		}
		if parts := strings.Split(a.header.Get("Link"), ","); count > 1 && len(parts) != 2 || !strings.Contains(parts[0], "?page=") {
			t.Errorf("%s: %v", filter, parts)
		}
	}
	for _, query := range []string{"?page=0", "?page=x", "?per_page=-1", "?per_page=100000", "?page=99999999999999999999", "?sort=email", "?filter=" + strings.Repeat("x", 200)} {
		if a := d.admin(t, "GET", "/admin/users"+query, ""); a.status != 400 || a.code(t) != "validation_failed" {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}

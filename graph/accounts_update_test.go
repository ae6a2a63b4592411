package graph_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/testhouse"
	"postern/tokens"
)

const updateUser = `mutation($input: UpdateUserInput!) { updateUser(input: $input) { user {
	id email emailVerified newEmail phoneNumber phoneNumberVerified displayName avatarUrl locale defaultRole roles metadata disabled bannedUntil deletedAt updatedAt hasPassword passwordMustChange } } }`

// updated changes a user, and fails the test when that is refused.
func updated(t testing.TB, h *testhouse.House, input map[string]any) account {
	t.Helper()
	got := do(t, h, updateUser, input)
	var out struct{ UpdateUser struct{ User account } }
	if len(got.Errors) > 0 || json.Unmarshal(got.Data, &out) != nil {
		t.Fatalf("%v: %s %+v", input, got.Data, got.Errors)
	}
	return out.UpdateUser.User
}

// visitor is a user who has signed in.
type visitor struct{ ID, Access, Refresh string }

// visit makes a user who may sign in by password, and signs them in.
func visit(t testing.TB, h *testhouse.House, email string, more map[string]any) visitor {
	t.Helper()
	input := map[string]any{"email": email, "emailVerified": true, "password": goodPassword}
	maps.Copy(input, more)
	u := made(t, h, input)
	_, body := post(t, h, "/signin/email-password", `{"email":"`+email+`","password":"`+goodPassword+`"}`)
	var out struct {
		Session struct{ AccessToken, RefreshToken string }
	}
	if err := json.Unmarshal([]byte(body), &out); err != nil || out.Session.AccessToken == "" {
		t.Fatal(body)
	}
	return visitor{u.ID, out.Session.AccessToken, out.Session.RefreshToken}
}

// refresh refreshes a session, and gives the status and what to refresh with next.
func (v *visitor) refresh(t testing.TB, h *testhouse.House) int {
	t.Helper()
	status, body := post(t, h, "/token", `{"refreshToken":"`+v.Refresh+`"}`)
	var out struct{ AccessToken, RefreshToken string }
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatal(body)
	}
	if out.RefreshToken != "" {
		v.Refresh, v.Access = out.RefreshToken, out.AccessToken
	}
	return status
}

// openDoors is a house where operators' passwords are as good as any.
func openDoors(t testing.TB, more map[string]string) *testhouse.House {
	t.Helper()
	settings := map[string]string{"AUTH_ADMIN_PASSWORD_MUST_CHANGE": "false", "AUTH_LOCALE_ALLOWED_LOCALES": "en,de"}
	maps.Copy(settings, more)
	return open(t, settings)
}

// TestUpdateUserFields: each field alone changes that field alone, and the audit log says which.
func TestUpdateUserFields(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	u := made(t, h, map[string]any{"email": "ada@example.com", "emailVerified": true, "phoneNumber": "+442071838750", "metadata": map[string]any{"a": 1, "b": map[string]any{"c": 1, "d": 2}}})
	until := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	for _, step := range []struct {
		input   map[string]any
		changed string
		want    string
	}{
		{map[string]any{"displayName": "Ada"}, `["displayName"]`, "Ada"},
		{map[string]any{"avatarUrl": ""}, `["avatarUrl"]`, ""},
		{map[string]any{"locale": "de"}, `["locale"]`, "de"},
		{map[string]any{"emailVerified": false}, `["emailVerified"]`, ""},
		{map[string]any{"email": "ADA@example.com"}, `["email"]`, "ADA@example.com"},
		{map[string]any{"emailVerified": true}, `["emailVerified"]`, ""},
		{map[string]any{"email": "countess@example.com"}, `["email", "emailVerified"]`, "countess@example.com"},
		{map[string]any{"email": "ada@example.com", "emailVerified": true}, `["email", "emailVerified"]`, "ada@example.com"},
		{map[string]any{"phoneNumberVerified": true}, `["phoneNumberVerified"]`, ""},
		{map[string]any{"phoneNumber": "+442071838751"}, `["phoneNumber", "phoneNumberVerified"]`, "+442071838751"},
		{map[string]any{"phoneNumber": nil}, `["phoneNumber"]`, ""},
		{map[string]any{"metadataPatch": map[string]any{"a": nil, "b": map[string]any{"e": 3}, "f": 4}}, `["metadata"]`, "map[b:map[e:3] f:4]"},
		{map[string]any{"metadata": map[string]any{"g": 5}}, `["metadata"]`, "map[g:5]"},
		{map[string]any{"metadata": nil}, `["metadata"]`, ""},
		{map[string]any{"metadataPatch": map[string]any{"h": 6}}, `["metadata"]`, "map[h:6]"},
		{map[string]any{"roles": []string{"user", "me", "auditor"}}, `["roles"]`, "[me user auditor]"},
		{map[string]any{"defaultRole": "me"}, `["defaultRole"]`, ""},
		{map[string]any{"roles": []string{"auditor"}, "defaultRole": "auditor"}, `["defaultRole", "roles"]`, "[auditor]"},
		{map[string]any{"disabled": true}, `["disabled"]`, ""},
		{map[string]any{"disabled": false, "bannedUntil": until}, `["disabled", "bannedUntil"]`, until},
		{map[string]any{"bannedUntil": nil}, `["bannedUntil"]`, ""},
		{map[string]any{"displayName": "Ada"}, `[]`, ""},
	} {
		step.input["id"] = u.ID
		got := updated(t, h, step.input)
		all := fmt.Sprintf("%+v", got)
		if got.BannedUntil != nil {
			all += *got.BannedUntil
		}
		if !strings.Contains(all, step.want) {
			t.Errorf("%v: %s", step.input, all)
		}
		var changed string
		if err := h.Store.Pool().QueryRow(t.Context(), `select coalesce(detail->>'changed', 'null') from auth.audit_entries where event = 'user.updated' and user_id = $1 order by at desc, id desc limit 1`, u.ID).Scan(&changed); err != nil {
			t.Fatal(err)
		}
		if changed != step.changed {
			t.Errorf("%v: the audit log says %s, want %s", step.input, changed, step.changed)
		}
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where event = 'user.updated'`); n != 22 {
		t.Errorf("%d rows in the audit log, want 22", n)
	}
	mails := map[string]int{}
	for _, m := range h.Mail.WaitAll(t, 4) {
		mails[strings.ToLower(m.To)+" "+m.Headers.Get("X-Email-Template")]++
	}
	if want := map[string]int{"ada@example.com email-changed": 1, "countess@example.com email-changed": 1, "ada@example.com phone-changed": 2}; !maps.Equal(mails, want) {
		t.Errorf("got %v, want %v", mails, want)
	}
	if n := count(t, h, `select count(*) from auth.audit_entries where detail::text like '%example.com%' or detail::text like '%4420%'`); n != 0 {
		t.Errorf("%d rows have an address or a number", n)
	}
}

// TestUpdateUserRefusals: each names what is wrong and changes nothing.
func TestUpdateUserRefusals(t *testing.T) {
	t.Parallel()
	h := openDoors(t, map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true"})
	made(t, h, map[string]any{"email": "taken@example.com", "phoneNumber": "+442071838750"})
	u := made(t, h, map[string]any{"email": "ada@example.com", "metadata": map[string]any{"a": 1}})
	listed := made(t, h, map[string]any{"email": "list@example.com"})
	exec(t, h, `update auth.users set metadata = '[1]' where id = $1`, listed.ID)
	guest := made(t, h, map[string]any{"phoneNumber": "+442071838755"})
	exec(t, h, `update auth.users set is_anonymous = true, phone_number = null where id = $1`, guest.ID)
	gone := made(t, h, map[string]any{"email": "gone@example.com"})
	exec(t, h, `update auth.users set deleted_at = now(), email = null where id = $1`, gone.ID)
	snapshot := `select md5(string_agg(u::text, '' order by id) || (select count(*) from auth.audit_entries) || (select count(*) from auth.user_roles))::text from auth.users u`
	var before, after string
	if err := h.Store.Pool().QueryRow(t.Context(), snapshot).Scan(&before); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		input      map[string]any
		code, said string
	}{
		"nobody":                    {map[string]any{"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "locale": "de"}, "not-found", ""},
		"somebody deleted":          {map[string]any{"id": gone.ID, "disabled": false}, "bad-request", "input.id "},
		"nothing":                   {map[string]any{}, "bad-request", "input must say"},
		"only a condition":          {map[string]any{"ifUpdatedAt": "2026-01-01T00:00:00Z"}, "bad-request", "input must say"},
		"another moment":            {map[string]any{"ifUpdatedAt": "2026-01-01T00:00:00Z", "locale": "de"}, "conflict", ""},
		"a null name":               {map[string]any{"displayName": nil}, "bad-request", "input.displayName must not be null"},
		"a null picture":            {map[string]any{"avatarUrl": nil}, "bad-request", "input.avatarUrl must not be null"},
		"a null locale":             {map[string]any{"locale": nil}, "bad-request", "input.locale must not be null"},
		"null roles":                {map[string]any{"roles": nil}, "bad-request", "input.roles must not be null"},
		"no role":                   {map[string]any{"roles": []string{}}, "bad-request", "input.roles "},
		"a null default role":       {map[string]any{"defaultRole": nil}, "bad-request", "input.defaultRole must not be null"},
		"a null lock":               {map[string]any{"disabled": nil}, "bad-request", "input.disabled must not be null"},
		"a null proof":              {map[string]any{"emailVerified": nil}, "bad-request", "input.emailVerified must not be null"},
		"a null proof of a number":  {map[string]any{"phoneNumberVerified": nil}, "bad-request", "input.phoneNumberVerified must not be null"},
		"a null patch":              {map[string]any{"metadataPatch": nil}, "bad-request", "input.metadataPatch must not be null"},
		"two kinds of metadata":     {map[string]any{"metadata": map[string]any{}, "metadataPatch": map[string]any{}}, "bad-request", "input.metadataPatch "},
		"metadata of a list":        {map[string]any{"metadata": []int{}}, "bad-request", "input.metadata "},
		"a patch of a text":         {map[string]any{"metadataPatch": "x"}, "bad-request", "input.metadataPatch "},
		"a patch of a list":         {map[string]any{"id": listed.ID, "metadataPatch": map[string]any{"a": 1}}, "bad-request", "input.metadataPatch needs"},
		"metadata that is not kept": {map[string]any{"metadata": map[string]any{"a": "\x00"}}, "bad-request", "input "},
		"a taken address":           {map[string]any{"email": "Taken@example.com"}, "email-taken", ""},
		"a taken number":            {map[string]any{"phoneNumber": "+442071838750"}, "phone-taken", ""},
		"no address":                {map[string]any{"email": "x"}, "bad-request", "input.email "},
		"a proved nothing":          {map[string]any{"email": nil, "emailVerified": true}, "bad-request", "input.emailVerified "},
		"a proved no number":        {map[string]any{"phoneNumberVerified": true}, "bad-request", "input.phoneNumberVerified "},
		"a role of nobody":          {map[string]any{"roles": []string{"user", "emperor"}}, "bad-request", "input.roles "},
		"a default role of nobody":  {map[string]any{"defaultRole": "emperor"}, "bad-request", "input.roles "},
		"the address of a guest":    {map[string]any{"id": guest.ID, "email": "guest@example.com"}, "bad-request", "input.email "},
		"the number of a guest":     {map[string]any{"id": guest.ID, "phoneNumber": "+442071838756"}, "bad-request", "input.phoneNumber "},
		"a ban of no time":          {map[string]any{"bannedUntil": "infinity"}, "bad-request", "input.bannedUntil "},
	} {
		input := map[string]any{"id": u.ID}
		maps.Copy(input, tt.input)
		if got := do(t, h, updateUser, input); got.code() != tt.code || !strings.HasPrefix(got.said(), tt.said) {
			t.Errorf("%s: %q %q", name, got.code(), got.said())
		}
	}
	if err := h.Store.Pool().QueryRow(t.Context(), snapshot).Scan(&after); err != nil {
		t.Fatal(err)
	}
	if before != after {
		t.Error("something was changed, or told")
	}
	if broken := h.Log.Errors(); broken != "" {
		t.Error(broken)
	}
}

// TestUpdateUserEndsSessions: whoever is locked or loses a role is out at once, and nobody else.
func TestUpdateUserEndsSessions(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	hour := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for name, tt := range map[string]struct {
		input map[string]any
		ends  bool
	}{
		"disabled":   {map[string]any{"disabled": true}, true},
		"banned":     {map[string]any{"bannedUntil": hour}, true},
		"a past ban": {map[string]any{"bannedUntil": "2020-01-01T00:00:00Z"}, false},
		"fewer":      {map[string]any{"roles": []string{"user"}}, true},
		"others":     {map[string]any{"roles": []string{"me", "auditor"}, "defaultRole": "me"}, true},
		"more":       {map[string]any{"roles": []string{"user", "me", "operator", "auditor"}}, false},
		"a name":     {map[string]any{"displayName": "x"}, false},
		"an address": {map[string]any{"email": "new@example.com", "emailVerified": true}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := visit(t, h, strings.ReplaceAll(name, " ", "-")+"@example.com", map[string]any{"roles": []string{"user", "me", "operator"}})
			other := visit(t, h, strings.ReplaceAll(name, " ", "-")+"2@example.com", nil)
			tt.input["id"] = v.ID
			updated(t, h, tt.input)
			if status := v.refresh(t, h); (status != http.StatusOK) != tt.ends {
				t.Errorf("a refresh gives %d", status)
			}
			resp, _ := h.Do(t, http.MethodGet, "/user", "", "Authorization", "Bearer "+v.Access)
			defer resp.Body.Close()
			if (resp.StatusCode != http.StatusOK) != tt.ends {
				t.Errorf("GET user gives %d", resp.StatusCode)
			}
			if status := other.refresh(t, h); status != http.StatusOK {
				t.Errorf("somebody else's refresh gives %d", status)
			}
		})
	}
}

// TestUpdateUserEndsSessionsOfTheLocked: who was locked in SQL, which ends no session, loses them with the next change.
func TestUpdateUserEndsSessionsOfTheLocked(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	for set, input := range map[string]map[string]any{
		`disabled = true`:                          {"bannedUntil": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)},
		`banned_until = now() + interval '1 hour'`: {"disabled": true},
		`disabled = true, display_name = 'y'`:      {"displayName": "x"},
	} {
		v := visit(t, h, tokens.NewUUID()+"@example.com", nil)
		exec(t, h, `update auth.users set `+set+` where id = $1`, v.ID)
		input["id"] = v.ID
		updated(t, h, input)
		if n := count(t, h, `select count(*) from auth.refresh_tokens where user_id = $1`, v.ID); n != 0 {
			t.Errorf("%s, then %v: %d sessions", set, input, n)
		}
	}
}

// TestAnotherAddressEndsWhatTheOldOneWasSent: a link that waits in the old mailbox opens nothing.
func TestAnotherAddressEndsWhatTheOldOneWasSent(t *testing.T) {
	t.Parallel()
	h := openDoors(t, map[string]string{"AUTH_EMAIL_PASSWORDLESS_ENABLED": "true"})
	u := made(t, h, map[string]any{"email": "old@example.com", "emailVerified": true})
	if status, body := post(t, h, "/user/password/reset", `{"email":"old@example.com"}`); status != http.StatusOK {
		t.Fatal(body)
	}
	h.Mail.Wait(t, "old@example.com", 1)
	updated(t, h, map[string]any{"id": u.ID, "email": "new@example.com"})
	if n := count(t, h, `select count(*) from auth.tickets where user_id = $1`, u.ID); n != 0 {
		t.Errorf("%d tickets are left", n)
	}
}

// TestChangesAtOnce: of many changes of one user none is lost, and a condition holds for one.
func TestChangesAtOnce(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	u := made(t, h, map[string]any{"email": "ada@example.com"})
	const many = 4
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			if got := do(t, h, updateUser, map[string]any{"id": u.ID, "metadataPatch": map[string]any{fmt.Sprint("k", i): i}}); got.code() != "" {
				t.Errorf("%+v", got)
			}
		})
	}
	all.Wait()
	now := updated(t, h, map[string]any{"id": u.ID, "locale": "de"})
	if m, ok := now.Metadata.(map[string]any); !ok || len(m) != many {
		t.Errorf("%v", now.Metadata)
	}
	codes := make([]string, many)
	for i := range codes {
		all.Go(func() {
			codes[i] = do(t, h, updateUser, map[string]any{"id": u.ID, "ifUpdatedAt": now.UpdatedAt, "displayName": fmt.Sprint("n", i)}).code()
		})
	}
	all.Wait()
	kept := 0
	for _, c := range codes {
		if c == "" {
			kept++
		} else if c != "conflict" {
			t.Error(c)
		}
	}
	if kept != 1 {
		t.Errorf("%d of %d changes were kept: %v", kept, many, codes)
	}
}

// TestChangesWhileSigningIn: locking somebody who signs in over and over leaves them without a session.
func TestChangesWhileSigningIn(t *testing.T) {
	t.Parallel()
	h := openDoors(t, nil)
	v := visit(t, h, "ada@example.com", nil)
	var all sync.WaitGroup
	for range 3 {
		all.Go(func() {
			for range 5 {
				if status, no := signIn(t, h, "ada@example.com", goodPassword); status != http.StatusOK && status != http.StatusUnauthorized {
					t.Errorf("%d %s", status, no)
				}
			}
		})
	}
	all.Go(func() {
		for range 5 {
			v.refresh(t, h)
		}
	})
	all.Go(func() { updated(t, h, map[string]any{"id": v.ID, "disabled": true}) })
	all.Wait()
	if n := count(t, h, `select count(*) from auth.refresh_tokens where user_id = $1`, v.ID); n != 0 {
		t.Errorf("%d sessions are left", n)
	}
}

package hasura_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/tokens"
)

// listens waits until a house is told of changes.
func (d doorway) listens(t testing.TB, n int) {
	t.Helper()
	d.eventually(t, fmt.Sprintf("%d listeners", n), func() bool { return len(d.listeners(t)) >= n })
}

func (d doorway) listeners(t testing.TB) []int {
	t.Helper()
	return value[[]int](t, d, `select coalesce(array_agg(pid), '{}') from pg_stat_activity
		where datname = current_database() and application_name = 'postern listener' and query = 'listen postern_users' and state = 'idle'`)
}

func (d doorway) eventually(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// TestI12WebhookForgetsAtOnce changes rows behind the servers' backs. Their clock stands still, so what they
// remember ends by being told alone, on every replica.
func TestI12WebhookForgetsAtOnce(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t)
	other := doorway{d.Beside(t, stopped(clock))}
	d.listens(t, 2)
	d.sql(t, `insert into auth.roles (role) values ('editor')`)
	const byID = ` where id = $1`
	for name, c := range map[string]struct {
		sql       string
		role      string
		id        string // of the refusal
		pat       string // of the refusal of a personal access token; empty when it stays good
		of        string // what $1 is: user, session
		nowIsRole string // instead of a refusal
	}{
		"locked":              {sql: `update auth.users set disabled = true` + byID, id: "disabled-user", pat: "disabled-user"},
		"deleted":             {sql: `delete from auth.users` + byID, id: "unauthorized", pat: "invalid-pat"},
		"session deleted":     {sql: `delete from auth.refresh_tokens` + byID, of: "session", id: "unauthorized"},
		"everything ended":    {sql: `delete from auth.refresh_tokens where user_id = $1`, id: "unauthorized", pat: "invalid-pat"},
		"role taken away":     {sql: `delete from auth.user_roles where user_id = $1 and role = 'editor'`, role: "editor", id: "role-not-allowed", pat: "role-not-allowed"},
		"role replaced":       {sql: `update auth.user_roles set role = 'anonymous' where user_id = $1 and role = 'editor'`, role: "editor", id: "role-not-allowed", pat: "role-not-allowed"},
		"default role":        {sql: `update auth.users set default_role = 'me'` + byID, nowIsRole: "me"},
		"address changed":     {sql: `update auth.users set email = 'x' || email::text` + byID, nowIsRole: "user"},
		"made a guest":        {sql: `update auth.users set is_anonymous = true` + byID, nowIsRole: "user", pat: "forbidden-anonymous"},
		"locked and unlocked": {sql: `with x as (update auth.users set disabled = true` + byID + ` returning 1) select * from x`, id: "disabled-user", pat: "disabled-user"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := d.person(t)
			d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'editor')`, p.User.ID)
			_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
			var role []with
			want := variables(p.User.ID, "user")
			if c.role != "" {
				role, want["x-hasura-role"] = []with{asRole(c.role)}, c.role
			}
			for _, h := range []doorway{d, other} {
				h.hook(t, append(role, bearer(p.AccessToken))...).speaksOf(t, want)
				h.hook(t, append(role, bearer(pat))...).speaksOf(t, want)
			}
			subject := p.User.ID
			if c.of == "session" {
				subject = p.RefreshTokenID
			}
			d.sql(t, c.sql, subject)
			for _, h := range []doorway{d, other} {
				h.eventually(t, name, func() bool {
					a := h.hook(t, append(role, bearer(p.AccessToken))...)
					if c.nowIsRole != "" {
						v := a.variables(t)
						return v["x-hasura-role"] == c.nowIsRole && (name != "made a guest" || v["x-hasura-user-is-anonymous"] == "true")
					}
					return a.status == 401 && a.refusal(t).Error == c.id
				})
				if c.pat == "" {
					h.hook(t, append(role, bearer(pat))...).is(t, 200, "")
					continue
				}
				h.eventually(t, name+", personal", func() bool {
					a := h.hook(t, append(role, bearer(pat))...)
					return a.status == 401 && a.refusal(t).Error == c.pat
				})
			}
			if name == "locked and unlocked" {
				d.sql(t, `update auth.users set disabled = false`+byID, p.User.ID)
				other.hook(t, bearer(p.AccessToken)).speaksOf(t, want) // nobody stays locked out by what was remembered
			}
		})
	}
}

// TestT10WebhookAfterWhatPeopleDo is the same for what the flows write.
func TestT10WebhookAfterWhatPeopleDo(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t)
	other := doorway{d.Beside(t, stopped(clock))}
	d.listens(t, 2)
	for name, do := range map[string]func(t *testing.T, p person, patID string){
		"sign out": func(t *testing.T, p person, _ string) {
			d.ask(t, "POST", "/signout", fields{"refreshToken": p.RefreshToken}).ok(t)
		},
		"sign out everywhere": func(t *testing.T, p person, _ string) {
			d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t)
		},
		"end the session": func(t *testing.T, p person, _ string) {
			d.ask(t, "DELETE", "/user/sessions/"+p.RefreshTokenID, nil, bearer(p.AccessToken)).ok(t)
		},
		"a new password elsewhere": func(t *testing.T, p person, _ string) {
			in := d.signIn(t, p.email, p.password)
			d.ask(t, "POST", "/user/password", fields{"newPassword": "another password"}, bearer(in.AccessToken)).ok(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := d.person(t)
			patID, _ := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
			other.hook(t, bearer(p.AccessToken)).speaksOf(t, variables(p.User.ID, "user"))
			do(t, p, patID)
			other.eventually(t, name, func() bool { return other.hook(t, bearer(p.AccessToken)).status == 401 })
		})
	}
	p := d.person(t)
	id, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	other.hook(t, bearer(pat)).speaksOf(t, variables(p.User.ID, "user"))
	d.ask(t, "DELETE", "/pat/"+id, nil, bearer(p.AccessToken)).ok(t)
	other.eventually(t, "a personal access token revoked", func() bool { return other.hook(t, bearer(pat)).status == 401 })
	other.hook(t, bearer(p.AccessToken)).speaksOf(t, variables(p.User.ID, "user"))
}

// TestI12WebhookForgetsWithinFiveSeconds is what holds when the database tells of nothing.
func TestI12WebhookForgetsWithinFiveSeconds(t *testing.T) {
	t.Parallel()
	d, clock := hookDoor(t)
	d.listens(t, 1)
	p, q := d.person(t), d.person(t)
	d.sql(t, `alter table auth.users disable trigger postern_tell_of_change`)
	for _, s := range []person{p, q} {
		d.hook(t, bearer(s.AccessToken)).speaksOf(t, variables(s.User.ID, "user"))
	}
	d.sql(t, `update auth.users set disabled = true where id = $1`, p.User.ID)
	clock.Advance(5*time.Second - time.Nanosecond)
	d.hook(t, bearer(p.AccessToken)).speaksOf(t, variables(p.User.ID, "user")) // untold, it cannot know yet
	clock.Advance(time.Nanosecond)
	d.hook(t, bearer(p.AccessToken)).refused(t, 401, "disabled-user", "")
	d.hook(t, bearer(q.AccessToken)).speaksOf(t, variables(q.User.ID, "user"))

	// What happened while the connection was gone is not remembered past its return.
	d.sql(t, `update auth.users set disabled = true where id = $1`, q.User.ID)
	d.hook(t, bearer(q.AccessToken)).speaksOf(t, variables(q.User.ID, "user"))
	before := d.listeners(t)
	d.sql(t, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern listener' and datname = current_database()`)
	d.eventually(t, "the listener's return", func() bool {
		now := d.listeners(t)
		return len(now) == 1 && !slices.Equal(now, before)
	})
	d.eventually(t, "the end of what was remembered", func() bool { return d.hook(t, bearer(q.AccessToken)).status == 401 })
	d.eventually(t, "a word in the log", func() bool { return strings.Contains(d.Log.String(), "tells of changes again") })
	// And it listens again.
	d.sql(t, `alter table auth.users enable trigger postern_tell_of_change`)
	r := d.person(t)
	d.hook(t, bearer(r.AccessToken)).speaksOf(t, variables(r.User.ID, "user"))
	d.sql(t, `update auth.users set disabled = true where id = $1`, r.User.ID)
	d.eventually(t, "being told", func() bool { return d.hook(t, bearer(r.AccessToken)).status == 401 })
}

// TestT14WebhookConfusesNobody asks in parallel for many users, tokens and roles: what is remembered of one
// is never said of another.
func TestT14WebhookConfusesNobody(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t)
	type card struct {
		token, role string
		want        map[string]string // nil: refused
	}
	var cards []card
	for i := range 8 {
		p := d.person(t)
		_, pat := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
		for _, role := range []string{"", "user", "me", "anonymous"} {
			fresh := d.accessToken(t, func(a *tokens.Access) { a.Extra = map[string]string{"i": strconv.Itoa(i)} }, p.wireSession)
			want := map[string]map[string]string{}
			for _, token := range []string{p.AccessToken, pat, fresh} {
				var v map[string]string
				if role != "anonymous" {
					v = variables(p.User.ID, map[bool]string{true: "user", false: role}[role == ""])
					if token == fresh {
						v["x-hasura-i"] = strconv.Itoa(i)
					}
				}
				want[token] = v
				cards = append(cards, card{token, role, v})
			}
			// The same letters, cut elsewhere.
			cards = append(cards, card{p.AccessToken + role, "x", nil}, card{strings.TrimSuffix(p.AccessToken, p.AccessToken[len(p.AccessToken)-1:]), p.AccessToken[len(p.AccessToken)-1:] + role, nil})
		}
	}
	var wg sync.WaitGroup
	for n := range 64 {
		wg.Go(func() {
			for i := range cards {
				c := cards[(i*7+n*13)%len(cards)]
				more := []with{bearer(c.token)}
				if c.role != "" {
					more = append(more, asRole(c.role))
				}
				a := d.hook(t, more...)
				if c.want == nil {
					if a.status != 401 {
						t.Errorf("%s of a token that is none, or a role that is not theirs", a)
					}
					continue
				}
				var got map[string]string
				if err := json.Unmarshal([]byte(a.body), &got); err != nil || a.status != 200 {
					t.Errorf("%s: %v", a, err)
					continue
				}
				delete(got, "Cache-Control")
				delete(got, "Expires")
				if diff := cmp.Diff(c.want, got); diff != "" {
					t.Errorf("somebody else's answer:\n%s", diff)
				}
			}
		})
	}
	wg.Wait()
}

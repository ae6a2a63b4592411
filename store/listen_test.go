package store_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/auth"
	"postern/internal/testpg"
	"postern/store"
)

const (
	ada  = "aaaaaaaa-0000-4000-8000-000000000001"
	bob  = "bbbbbbbb-0000-4000-8000-000000000002"
	adas = "aaaaaaaa-0000-4000-8000-00000000000a" // a session
)

// told runs statements, and then gives what was told meanwhile, sorted.
func told(t *testing.T, listener, conn *pgx.Conn, do func()) []string {
	t.Helper()
	do()
	run(t, conn, `select pg_notify('postern_users', 'end')`)
	var users []string
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		n, err := listener.WaitForNotification(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if n.Payload == "end" {
			slices.Sort(users)
			return users
		}
		users = append(users, n.Payload)
	}
}

// people are two users with a session and a personal access token each.
func people(t *testing.T, conn *pgx.Conn) {
	t.Helper()
	run(t, conn, `insert into auth.users (id, locale, email) values ($1, 'en', 'ada@example.com'), ($2, 'en', 'bob@example.com')`, ada, bob)
	run(t, conn, `insert into auth.user_roles (user_id, role) select u.id, r.role from auth.users u, auth.roles r where r.role in ('user', 'me')`)
	run(t, conn, `insert into auth.refresh_tokens (id, user_id, type, refresh_token_hash, expires_at) values
		($1, $2, 'regular', 'a', now() + interval '1 day'), (gen_random_uuid(), $2, 'pat', 'b', now() + interval '1 day'),
		(gen_random_uuid(), $3, 'regular', 'c', now() + interval '1 day'), (gen_random_uuid(), $3, 'pat', 'd', now() - interval '1 day')`, adas, ada, bob)
}

func TestChangesAreTold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		sql  string
		want []string
	}{
		"locked":                        {`update auth.users set disabled = true where id = '` + ada + `'`, []string{ada}},
		"locked, by name of all":        {`update auth.users set disabled = true`, []string{ada, bob}},
		"default role":                  {`update auth.users set default_role = 'me' where id = '` + bob + `'`, []string{bob}},
		"a guest no longer":             {`update auth.users set is_anonymous = not is_anonymous where id = '` + bob + `'`, []string{bob}},
		"address no longer confirmed":   {`update auth.users set email_verified = true where id = '` + bob + `'`, []string{bob}},
		"another address":               {`update auth.users set email = 'B@example.com' where id = '` + bob + `'`, []string{bob}},
		"another id":                    {`update auth.users set id = 'cccccccc-0000-4000-8000-000000000003' where id = '` + bob + `'`, []string{bob}},
		"gone":                          {`delete from auth.users where id = '` + ada + `'`, []string{ada}},
		"all gone":                      {`delete from auth.users`, []string{ada, bob}},
		"a role taken away":             {`delete from auth.user_roles where user_id = '` + ada + `' and role = 'me'`, []string{ada}},
		"roles taken away":              {`delete from auth.user_roles`, []string{ada, bob}},
		"a role renamed":                {`update auth.roles set role = 'self' where role = 'me'`, []string{ada, bob}},
		"a session ended":               {`delete from auth.refresh_tokens where id = '` + adas + `'`, []string{ada}},
		"all of one user":               {`delete from auth.refresh_tokens where user_id = '` + ada + `'`, []string{ada}},
		"all of all":                    {`delete from auth.refresh_tokens`, []string{ada, bob}},
		"in another schema's function":  {`do $$ begin perform set_config('search_path', '', true); update auth.users set disabled = true where id = '` + ada + `'; end $$`, []string{ada}},
		"nothing changed":               {`update auth.users set disabled = disabled, default_role = default_role, email = email`, nil},
		"something else changed":        {`update auth.users set last_seen = now(), display_name = 'x', metadata = '{}', password_hash = 'x', ticket = 'x', active_mfa_type = 'totp'`, nil},
		"nothing ended":                 {`delete from auth.refresh_tokens where false`, nil},
		"a role given":                  {`insert into auth.user_roles (user_id, role) select id, 'anonymous' from auth.users`, nil},
		"a refresh as Hasura Auth does": {`update auth.refresh_tokens set refresh_token_hash = 'x' || refresh_token_hash, expires_at = now() + interval '2 days'`, nil},
		"undone":                        {`do $$ begin update auth.users set disabled = true; raise exception 'no'; exception when others then null; end $$`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := testpg.New(t)
			conn, listener := dial(t, url), dial(t, url)
			people(t, conn)
			run(t, listener, `listen postern_users`)
			got := told(t, listener, conn, func() { run(t, conn, c.sql) })
			if diff := cmp.Diff(c.want, slices.Compact(got)); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
}

// What happens most tells nothing, for to tell costs: commits that do take turns.
func TestHotPathsTellNothing(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn, listener := dial(t, url), dial(t, url)
	people(t, conn)
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	run(t, listener, `listen postern_users`)
	now := time.Now()
	got := told(t, listener, conn, func() {
		err := db.OpenSession(t.Context(), store.NewSession{
			Session:     auth.Session{ID: "dddddddd-0000-4000-8000-000000000004", UserID: ada, CreatedAt: now, ExpiresAt: now.Add(time.Hour), AAL: 1},
			RefreshHash: "e", Alive: store.Alive{Now: now}, Entry: store.Entry{Event: "session.started", UserID: ada, At: now},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = db.Rotate(t.Context(), store.Rotation{Hash: "e", NextHash: "f", ExpiresAt: now.Add(2 * time.Hour), Alive: store.Alive{Now: now.Add(2 * time.Minute)}})
		if err != nil {
			t.Fatal(err)
		}
	})
	if len(got) > 0 {
		t.Errorf("a sign-in and a refresh told of %v", got)
	}
}

// A role that may do nothing but lock users, such as Hasura's, can do so: the triggers are no obstacle.
func TestAnybodyWhoMayChangeTells(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn, listener := dial(t, url), dial(t, url)
	people(t, conn)
	limited, role := limitedRole(t, url)
	run(t, conn, `grant usage on schema auth to "`+role+`"`)
	run(t, conn, `grant select, update, delete on auth.users, auth.user_roles, auth.refresh_tokens to "`+role+`"`)
	run(t, conn, `revoke execute on all functions in schema auth from public`)
	run(t, listener, `listen postern_users`)
	other := dial(t, limited)
	got := told(t, listener, conn, func() {
		run(t, other, `update auth.users set disabled = true where id = $1`, ada)
		run(t, other, `delete from auth.user_roles where user_id = $1`, bob)
		run(t, other, `delete from auth.refresh_tokens where user_id = $1`, bob)
	})
	if diff := cmp.Diff([]string{ada, bob, bob}, got); diff != "" {
		t.Error(diff)
	}
}

// A listener hears, and after its connection broke it is told that it may have missed something, and hears
// again.
func TestListenComesBack(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn := dial(t, url)
	people(t, conn)
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	heard := make(chan string, 100)
	var lost sync.WaitGroup
	lost.Add(1)
	var once sync.Once
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		db.Listen(ctx, store.Listener{
			Changed: func(id string) { heard <- id },
			Began:   func() { heard <- "began" },
			Lost:    func(error, time.Duration) { once.Do(lost.Done) },
		})
	}()
	expect := func(want string) {
		t.Helper()
		select {
		case got := <-heard:
			if got != want {
				t.Fatalf("heard %q, want %q", got, want)
			}
		case <-time.After(20 * time.Second):
			t.Fatalf("never heard %q", want)
		}
	}
	expect("began")
	run(t, conn, `update auth.users set disabled = true where id = $1`, ada)
	expect(ada)
	run(t, conn, `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'postern listener' and datname = current_database()`)
	lost.Wait()
	expect("began")
	run(t, conn, `delete from auth.users where id = $1`, bob)
	// The roles, sessions and the user himself, each in a statement of its own, and once for them all.
	expect(bob)
	stop()
	<-ended
	if n := read(t, conn, `select count(*)::text from pg_stat_activity where application_name = 'postern listener' and datname = current_database()`); n[0] != "0" {
		// The server may take a moment to notice.
		t.Logf("%s listeners are still connected", n[0])
	}
}

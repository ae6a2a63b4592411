package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

func text(s string) *string { return &s }

func state(s store.UserState) *store.UserState { return &s }

// userFilters are all kinds of filters, over the users that seedUsers makes.
func userFilters() map[string]store.UserFilter {
	day := func(month time.Month, d int) *time.Time {
		t := time.Date(2026, month, d, 0, 0, 0, 0, time.UTC)
		return &t
	}
	return map[string]store.UserFilter{
		"all":                       {},
		"ids":                       {IDs: []string{"00000000-0000-4000-8000-000000000007", "00000000-0000-4000-8000-000000000008"}},
		"e-mail":                    {Email: &store.TextFilter{Equals: text("User7.x@Example.com")}},
		"e-mail begins":             {Email: &store.TextFilter{StartsWith: text("User77")}},
		"e-mail begins, many":       {Email: &store.TextFilter{StartsWith: text("u")}},
		"e-mail begins, nobody's":   {Email: &store.TextFilter{StartsWith: text("zzz")}},
		"phone number":              {PhoneNumber: &store.TextFilter{Equals: text("+491510000007")}},
		"phone number begins":       {PhoneNumber: &store.TextFilter{StartsWith: text("+4915100000")}},
		"name":                      {DisplayName: &store.TextFilter{Equals: text("ADA of 16")}},
		"name begins":               {DisplayName: &store.TextFilter{StartsWith: text("grace of 7")}},
		"name begins, many":         {DisplayName: &store.TextFilter{StartsWith: text("g")}},
		"role of all":               {Role: text("user")},
		"role of few":               {Role: text("editor")},
		"role of a handful":         {Role: text("admin")},
		"role of nobody":            {Role: text("nobody")},
		"default role of all":       {DefaultRole: text("user")},
		"default role of few":       {DefaultRole: text("editor")},
		"provider of many":          {Provider: text("google")},
		"provider of few":           {Provider: text("apple")},
		"active":                    {State: state(store.UserIsActive)},
		"disabled":                  {State: state(store.UserIsDisabled)},
		"banned":                    {State: state(store.UserIsBanned)},
		"deleted":                   {State: state(store.UserIsDeleted)},
		"unverified":                {State: state(store.UserIsUnverified)},
		"anonymous":                 {State: state(store.UserIsAnonymous)},
		"metadata of one":           {Metadata: json.RawMessage(`{"n": 7}`)},
		"metadata of some":          {Metadata: json.RawMessage(`{"org": "org-7"}`)},
		"metadata of many":          {Metadata: json.RawMessage(`{"plan": "free"}`)},
		"metadata of nobody":        {Metadata: json.RawMessage(`{"plan": "none"}`)},
		"created in a week":         {CreatedAt: &store.TimeRange{From: day(3, 1), Before: day(3, 8)}},
		"changed in a week":         {UpdatedAt: &store.TimeRange{From: day(3, 1), Before: day(3, 8)}},
		"changed at no time":        {UpdatedAt: &store.TimeRange{Before: day(1, 1)}},
		"seen in a week":            {LastSeen: &store.TimeRange{From: day(3, 1), Before: day(3, 8)}},
		"role and state and week":   {Role: text("editor"), State: state(store.UserIsActive), CreatedAt: &store.TimeRange{From: day(3, 1)}},
		"beginning and metadata":    {DisplayName: &store.TextFilter{StartsWith: text("a")}, Metadata: json.RawMessage(`{"plan": "pro"}`)},
		"provider, verified, plan":  {Provider: text("google"), State: state(store.UserIsActive), Metadata: json.RawMessage(`{"plan": "free"}`)},
		"disabled with that number": {State: state(store.UserIsDisabled), PhoneNumber: &store.TextFilter{StartsWith: text("+49")}},
	}
}

// userOrders are all orders, both ways.
func userOrders() []store.UserOrder {
	var all []store.UserOrder
	for _, by := range []store.UserOrderField{store.UsersByCreatedAt, store.UsersByEmail, store.UsersByDisplayName, store.UsersByLastSeen} {
		all = append(all, store.UserOrder{By: by}, store.UserOrder{By: by, Descending: true})
	}
	return all
}

// seedUsersSQL makes users of all kinds, one every five minutes from the beginning of 2026 on. Those of a
// kind are spread, but for the first, who are administrators.
const seedUsersSQL = `
	with made as (
		insert into auth.users (id, created_at, updated_at, last_seen, disabled, banned_until, deleted_at, display_name, avatar_url, locale, email, email_verified,
			phone_number, default_role, is_anonymous, password_hash, metadata)
		select ('00000000-0000-4000-8000-' || lpad(i::text, 12, '0'))::uuid, t, t + interval '1 hour', case when i % 10 > 0 then t + (i * 7919 % 100000) * interval '1 minute' end,
			i % 100 = 1, case when i % 500 = 2 then timestamptz '2099-06-01' when i % 500 = 3 then timestamptz '2026-01-01' end, case when i % 200 = 3 then t + interval '1 day' end,
			case when i % 20 = 4 then 'Anonymous User' else (array['Ada','Alan','Grace','Edsger','barbara','Donald','Frances','John','Margaret','Linus','Karen','Tim','Radia','Vint','Hedy','Ken'])[1 + i % 16] || ' of ' || i end,
			'https://www.gravatar.com/avatar/' || md5(i::text) || '?r=g&default=blank', 'en',
			case when i % 20 <> 4 and i % 33 <> 5 then case when i % 2 = 0 then 'user' else 'User' end || i || '.x@example.com' end, i % 20 <> 4 and i % 5 > 0,
			case when i % 5 = 2 then '+49' || (1510000000 + i) end, case when i % 1000 = 7 then 'editor' else 'user' end, i % 20 = 4,
			'$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$' || md5(i::text) || md5(i::text),
			case when i % 4 > 0 then jsonb_build_object('plan', (array['free','free','free','pro','team'])[1 + i % 5], 'org', 'org-' || (i % 2000), 'n', i, 'address', jsonb_build_object('city', 'c' || i % 300)) end
		from (select i, timestamptz '2026-01-01Z' + i * interval '5 minutes' as t from generate_series(0, $1::int - 1) i) s
		returning id, created_at, right(id::text, 12)::int as i
	), roles as (
		insert into auth.user_roles (user_id, role, created_at)
		select id, r, created_at from made, unnest(array['user', 'me'] || case when i % 50 = 0 then array['editor'] else '{}' end || case when i < 20 then array['admin'] else '{}' end) r
	)
	insert into auth.user_providers (user_id, provider_id, provider_user_id, access_token)
	select id, case when i % 5 < 2 then 'google' when i % 500 = 4 then 'apple' else 'github' end, i, 'unset' from made where i % 5 < 2 or i % 7 = 0 or i % 500 = 4`

// seedUsers makes so many users.
func seedUsers(t testing.TB, conn *pgx.Conn, n int) {
	t.Helper()
	for _, sql := range []string{
		`insert into auth.roles (role) values ('editor'), ('admin') on conflict do nothing`,
		`insert into auth.providers (id) values ('github'), ('google'), ('apple') on conflict do nothing`,
	} {
		if _, err := conn.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := conn.Exec(t.Context(), seedUsersSQL, n); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(t.Context(), `vacuum analyze auth.users, auth.user_roles, auth.user_providers`); err != nil {
		t.Fatal(err)
	}
}

// BenchmarkFindUsers lists users by every filter in every order, among 100,000: the first page, one from
// the middle, and the last. It reports the time in the 95th percentile of all lists.
func BenchmarkFindUsers(b *testing.B) {
	users := 100_000
	if n, err := strconv.Atoi(os.Getenv("POSTERN_BENCH_USERS")); err == nil {
		users = n
	}
	url := testpg.New(b)
	conn, err := pgx.Connect(b.Context(), url)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = conn.Close(b.Context()) }()
	seedUsers(b, conn, users)
	db, err := store.Open(b.Context(), store.Settings{Connection: url})
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	filters := userFilters()
	names := make([]string, 0, len(filters))
	for name := range filters {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, o := range userOrders() {
		way := "asc"
		if o.Descending {
			way = "desc"
		}
		for _, name := range names {
			b.Run(fmt.Sprintf("%s %s/%s", strings.ToLower(string(o.By)), way, name), func(b *testing.B) {
				middle := store.Slice{Most: 50}
				if found, err := db.FindUsers(b.Context(), filters[name], o, store.Slice{Most: 100}, now); err != nil {
					b.Fatal(err)
				} else if len(found) > 60 {
					middle.After = found[60].Key(o)
				}
				slices3 := []store.Slice{{Most: 50}, middle, {Most: 50, Backward: true}}
				var took []time.Duration
				for b.Loop() {
					for _, s := range slices3 {
						began := time.Now()
						if _, err := db.FindUsers(b.Context(), filters[name], o, s, now); err != nil {
							b.Fatal(err)
						}
						took = append(took, time.Since(began))
					}
				}
				slices.Sort(took)
				b.ReportMetric(float64(took[len(took)*95/100].Microseconds())/1000, "p95-ms")
				b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
			})
		}
	}
}

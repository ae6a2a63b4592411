package store_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
	"postern/store"
)

// plainUser is a user as a test knows them, without any help of what it tests.
type plainUser struct {
	ID                               string
	CreatedAt, UpdatedAt             time.Time
	LastSeen, BannedUntil, DeletedAt *time.Time
	Disabled, EmailVerified, IsGuest bool
	Name, DefaultRole                string
	Email, Phone                     *string
	Metadata                         map[string]any
	Roles, Providers                 []string
}

func readPlainUsers(t testing.TB, conn *pgx.Conn) []plainUser {
	t.Helper()
	rows, err := conn.Query(t.Context(), `select id::text, created_at, updated_at, last_seen, banned_until, deleted_at, disabled, email_verified, is_anonymous as is_guest,
		display_name as name, default_role, email::text, phone_number as phone, metadata,
		array(select role from auth.user_roles where user_id = u.id) as roles, array(select provider_id from auth.user_providers where user_id = u.id) as providers from auth.users u`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowToStructByName[plainUser])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// passes tells whether a filter lets a user through.
func passes(t testing.TB, f store.UserFilter, u plainUser, now time.Time, lower func(string) string) bool {
	t.Helper()
	like := func(f *store.TextFilter, s *string) bool {
		if f == nil {
			return true
		}
		return s != nil && (f.Equals == nil || lower(*f.Equals) == lower(*s)) &&
			(f.StartsWith == nil || strings.HasPrefix(lower(*s), lower(*f.StartsWith)))
	}
	within := func(r *store.TimeRange, at *time.Time) bool {
		if r == nil {
			return true
		}
		return at != nil && (r.From == nil || !at.Before(*r.From)) && (r.Before == nil || at.Before(*r.Before))
	}
	banned := u.BannedUntil != nil && u.BannedUntil.After(now)
	inState := map[store.UserState]bool{
		store.UserIsActive: !u.Disabled && !banned && u.DeletedAt == nil, store.UserIsDisabled: u.Disabled, store.UserIsBanned: banned,
		store.UserIsDeleted: u.DeletedAt != nil, store.UserIsUnverified: u.Email != nil && !u.EmailVerified, store.UserIsAnonymous: u.IsGuest,
	}
	if len(f.Metadata) > 0 { // of the filters here, each is an object of plain members
		var want map[string]any
		if err := json.Unmarshal(f.Metadata, &want); err != nil {
			t.Fatal(err)
		}
		for name, value := range want {
			if u.Metadata[name] != value {
				return false
			}
		}
	}
	return (f.IDs == nil || slices.Contains(f.IDs, u.ID)) && like(f.Email, u.Email) && like(f.PhoneNumber, u.Phone) && like(f.DisplayName, &u.Name) &&
		(f.Role == nil || slices.Contains(u.Roles, *f.Role)) && (f.DefaultRole == nil || u.DefaultRole == *f.DefaultRole) &&
		(f.Provider == nil || slices.Contains(u.Providers, *f.Provider)) && (f.State == nil || inState[*f.State]) &&
		within(f.CreatedAt, &u.CreatedAt) && within(f.UpdatedAt, &u.UpdatedAt) && within(f.LastSeen, u.LastSeen)
}

// sorted gives the ids in an order.
func sorted(all []plainUser, o store.UserOrder, lower func(string) string) []string {
	key := func(u plainUser) string {
		switch o.By {
		case store.UsersByEmail:
			if u.Email == nil {
				return ""
			}
			return lower(*u.Email)
		case store.UsersByDisplayName:
			letters := []rune(lower(u.Name))
			return string(letters[:min(len(letters), 100)])
		case store.UsersByLastSeen:
			if u.LastSeen == nil {
				return ""
			}
			return u.LastSeen.UTC().Format("2006-01-02T15:04:05.000000")
		default:
			return u.CreatedAt.UTC().Format("2006-01-02T15:04:05.000000")
		}
	}
	slices.SortFunc(all, func(a, b plainUser) int {
		c := cmp.Or(cmp.Compare(key(a), key(b)), bytes.Compare([]byte(a.ID), []byte(b.ID)))
		if o.Descending {
			return -c
		}
		return c
	})
	ids := make([]string, len(all))
	for i, u := range all {
		ids[i] = u.ID
	}
	return ids
}

// walk turns all pages of a list, of so many users each, and gives their ids in the order of the list.
func walk(t testing.TB, db *store.DB, f store.UserFilter, o store.UserOrder, now time.Time, most int, backward bool) (ids []string) {
	t.Helper()
	s := store.Slice{Most: most, Backward: backward}
	for range 1000 {
		found, err := db.FindUsers(t.Context(), f, o, s, now)
		if err != nil {
			t.Fatal(err)
		}
		more := len(found) > most
		switch {
		case more && backward:
			found = found[1:]
		case more:
			found = found[:most]
		}
		var page []string
		for _, u := range found {
			page = append(page, u.ID)
		}
		if backward {
			ids = append(page, ids...)
		} else {
			ids = append(ids, page...)
		}
		if !more {
			return ids
		}
		if backward {
			s.Before = found[0].Key(o)
		} else {
			s.After = found[len(found)-1].Key(o)
		}
	}
	t.Fatal("the list has no end")
	return nil
}

// TestFindUsersFindsThemAll turns the pages of every filter in every order, forward and backward, and
// compares them with what plain code finds among the same users.
func TestFindUsersFindsThemAll(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	seedUsers(t, conn, 600)
	// Names and addresses that LIKE or a collation could take for more than they are, and equal keys.
	if _, err := conn.Exec(t.Context(), `update auth.users set display_name = (array['100% sure', '100 sure', 'a_b', 'axb', 'a\b', 'Ä', 'ä', 'z', 'Z', repeat('n', 150) || id, '', ' '])[1 + right(id::text, 3)::int % 12]
		where right(id::text, 12)::int between 300 and 400`); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	filters := userFilters()
	for i, prefix := range []string{"100%", "100%%", "a_", "a\\", "%", "_", "\\", "ä", "Z", strings.Repeat("n", 100), ""} {
		filters[fmt.Sprintf("begins %d", i)] = store.UserFilter{DisplayName: &store.TextFilter{StartsWith: text(prefix)}}
		filters[fmt.Sprintf("equals %d", i)] = store.UserFilter{DisplayName: &store.TextFilter{Equals: text(prefix)}}
	}
	filters["nobody's ids"] = store.UserFilter{IDs: []string{}}
	all := readPlainUsers(t, conn)
	// What is a capital letter, the locale of the database says.
	lower := strings.ToLower
	var onlyLatin bool
	if err := conn.QueryRow(t.Context(), `select lower('Ä') = 'Ä'`).Scan(&onlyLatin); err != nil {
		t.Fatal(err)
	}
	if onlyLatin {
		lower = func(s string) string {
			return strings.Map(func(r rune) rune {
				if 'A' <= r && r <= 'Z' {
					r += 'a' - 'A'
				}
				return r
			}, s)
		}
	}
	lists := 0
	for name, f := range filters {
		var through []plainUser
		for _, u := range all {
			if passes(t, f, u, now, lower) {
				through = append(through, u)
			}
		}
		if n, err := db.CountUsers(t.Context(), f, now); err != nil || n != int64(len(through)) {
			t.Errorf("%s: counted %d, want %d: %v", name, n, len(through), err)
		}
		if n, err := db.EstimateUsers(t.Context(), f, now); err != nil || n < 0 || n > 2000 {
			t.Errorf("%s: estimated %d: %v", name, n, err)
		}
		for _, o := range userOrders() {
			want := sorted(slices.Clone(through), o, lower)
			for _, backward := range []bool{false, true} {
				got := walk(t, db, f, o, now, 97, backward)
				if !slices.Equal(got, want) {
					t.Fatalf("%s, by %v, backward %t: %d users, want %d:\n%s\nwant\n%s", name, o, backward, len(got), len(want), got, want)
				}
				lists++
			}
		}
	}
	t.Logf("%d lists", lists)
}

// TestListsOfUsersMoveOn turns pages while users come, go and change what they are sorted by: whoever stays
// where they are is seen once.
func TestListsOfUsersMoveOn(t *testing.T) {
	t.Parallel()
	url := testpg.New(t)
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	seedUsers(t, conn, 200)
	db, err := store.Open(t.Context(), store.Settings{Connection: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	now := time.Now()
	for _, o := range userOrders() {
		for _, backward := range []bool{false, true} {
			seen := map[string]int{}
			s := store.Slice{Most: 10, Backward: backward}
			for turn := 0; ; turn++ {
				found, err := db.FindUsers(t.Context(), store.UserFilter{}, o, s, now)
				if err != nil {
					t.Fatal(err)
				}
				more := len(found) > 10
				if more && backward {
					found = found[1:]
				} else if more {
					found = found[:10]
				}
				for _, u := range found {
					seen[u.ID]++
				}
				if !more {
					break
				}
				end := found[0]
				if s.Before = end.Key(o); !backward {
					end = found[9]
					s.Before, s.After = nil, end.Key(o)
				}
				// The user at the end of the page goes, or gets another key; others come in front and behind.
				sql := `delete from auth.users where id = $1`
				if turn%2 == 0 {
					sql = `update auth.users set display_name = 'moved', email = null, last_seen = now(), created_at = now() where id = $1`
				}
				if _, err := conn.Exec(t.Context(), sql, end.ID); err != nil {
					t.Fatal(err)
				}
				if _, err := conn.Exec(t.Context(), `insert into auth.users (locale, display_name, metadata) values ('en', 'A', '{"late": true}'), ('en', 'z', '{"late": true}')`); err != nil {
					t.Fatal(err)
				}
			}
			stay, err := db.FindUsers(t.Context(), store.UserFilter{}, o, store.Slice{Most: 1000}, now)
			if err != nil {
				t.Fatal(err)
			}
			for _, u := range stay {
				late := strings.Contains(string(u.Metadata), "late") || u.DisplayName == "moved"
				if n := seen[u.ID]; !late && n != 1 {
					t.Errorf("by %v, backward %t: %s was seen %d times", o, backward, u.DisplayName, n)
				}
			}
		}
	}
}

package graph_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"postern/internal/testhouse"
)

// usersQuery lists users.
const usersQuery = `query($where: UserFilter, $orderBy: UserOrder, $first: Int, $after: String, $last: Int, $before: String) {
	users(where: $where, orderBy: $orderBy, first: $first, after: $after, last: $last, before: $before) {
		edges { cursor node { id displayName } } nodes { id displayName email } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } totalCount } }`

// userList is what usersQuery answers.
type userList struct {
	Users struct {
		Edges []struct {
			Cursor string
			Node   struct{ ID, DisplayName string }
		}
		Nodes    []struct{ ID, DisplayName, Email string }
		PageInfo struct {
			HasNextPage, HasPreviousPage bool
			StartCursor, EndCursor       string
		}
		TotalCount int
	}
}

type vars = map[string]any

func names(l userList) string {
	var all []string
	for i, n := range l.Users.Nodes {
		all = append(all, n.DisplayName)
		if e := l.Users.Edges[i]; e.Node.ID != n.ID || e.Cursor == "" {
			return "edges and nodes differ"
		}
	}
	return strings.Join(all, " ")
}

// letters makes users named a to h, an hour apart, a the oldest.
func letters(t testing.TB, h *testhouse.House) {
	t.Helper()
	run(t, h, `insert into auth.users (locale, display_name, created_at, email, metadata)
		select 'en', chr(97 + i), '2026-01-01Z'::timestamptz + i * interval '1 hour', chr(97 + i) || '@example.com', jsonb_build_object('n', i, 'odd', i % 2 = 1) from generate_series(0, 7) i`)
}

func TestUsersPageByPage(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	letters(t, h)
	list := func(v vars) (l userList) {
		t.Helper()
		ask(t, h, bySecret(), usersQuery, v).into(t, &l)
		return l
	}
	byName := vars{"by": "DISPLAY_NAME"}
	if l := list(nil); names(l) != "h g f e d c b a" || l.Users.TotalCount != 8 || l.Users.PageInfo.HasNextPage || l.Users.PageInfo.HasPreviousPage {
		t.Errorf("the latest first: %s %+v", names(l), l.Users.PageInfo)
	}
	first := list(vars{"orderBy": byName, "first": 3})
	if names(first) != "a b c" || !first.Users.PageInfo.HasNextPage || first.Users.PageInfo.HasPreviousPage || first.Users.PageInfo.EndCursor != first.Users.Edges[2].Cursor || first.Users.PageInfo.StartCursor != first.Users.Edges[0].Cursor {
		t.Errorf("%s %+v", names(first), first.Users.PageInfo)
	}
	second := list(vars{"orderBy": byName, "first": 3, "after": first.Users.PageInfo.EndCursor})
	if names(second) != "d e f" || !second.Users.PageInfo.HasNextPage || !second.Users.PageInfo.HasPreviousPage || second.Users.TotalCount != 8 {
		t.Errorf("%s %+v", names(second), second.Users.PageInfo)
	}
	back := list(vars{"orderBy": byName, "last": 2, "before": second.Users.PageInfo.StartCursor})
	if names(back) != "b c" || !back.Users.PageInfo.HasNextPage || !back.Users.PageInfo.HasPreviousPage {
		t.Errorf("%s %+v", names(back), back.Users.PageInfo)
	}
	if l := list(vars{"orderBy": byName, "last": 2}); names(l) != "g h" || l.Users.PageInfo.HasNextPage || !l.Users.PageInfo.HasPreviousPage {
		t.Errorf("the last two: %s %+v", names(l), l.Users.PageInfo)
	}
	if l := list(vars{"orderBy": vars{"by": "EMAIL", "direction": "DESC"}, "first": 2}); names(l) != "h g" {
		t.Errorf("by address, the last first: %s", names(l))
	}
	if l := list(vars{"where": vars{"metadata": vars{"odd": true}, "createdAt": vars{"from": "2026-01-01T02:00:00Z", "before": "2026-01-01T07:00:00Z"}}}); names(l) != "f d" || l.Users.TotalCount != 2 {
		t.Errorf("by metadata and time: %s, %d", names(l), l.Users.TotalCount)
	}
	var estimated struct{ Users struct{ TotalCount int } }
	ask(t, h, bySecret(), `{ users(first: 1) { totalCount(mode: ESTIMATED) } }`, nil).into(t, &estimated)
	if n := estimated.Users.TotalCount; n < 1 || n > 1000 {
		t.Errorf("estimated %d", n)
	}
	for field, v := range map[string]vars{
		"first": {"first": 0}, "first ": {"first": 101}, "last": {"last": -1}, "last ": {"first": 1, "last": 1},
		"where.ids": {"where": vars{"ids": repeated("6ba7b810-9dad-41d1-80b4-00c04fd430c8", 101)}},
	} {
		if a := ask(t, h, bySecret(), usersQuery, v); a.code() != "bad-request" || !strings.HasPrefix(a.said(), strings.TrimSpace(field)+" ") {
			t.Errorf("%s: %s %q", field, a.code(), a.said())
		}
	}
}

func repeated(s string, n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

// hostileTexts are texts that mean something to SQL, LIKE, regular expressions, JSON paths, arrays or GraphQL.
var hostileTexts = []string{
	"'", "''", `"`, "`", `\`, `\\`, `\'`, "%", "%%", "_", "__", "a%", "_a", `\%`, `\_`, "[a-h]%", "a|b", "^a", "a$", ".*", "(a+)+$", "(?i)A", "*", "?", "~", "!~", "@>", "<@",
	"' or 1=1 --", "' or '1'='1", "'; drop table auth.users; --", "a'; select pg_sleep(9); --", `") or ("1"="1`, "$1", "$2", ":1", "?::text", "$$a$$", "$tag$a$tag$", "E'\\x61'", "U&'\\0061'",
	"a'||'b", "'||(select password_hash from auth.users limit 1)||'", "a/*", "*/a", "--", "#", ";", "a\n--\nb", "a\tb", "a\rb", "a\u0000b", "\u0000", "\ufeffa", "a\u200b", "ａ", "ⓐ", "а", "A\u030a", "İ", "ı", "ß", "ﬀ", "\U0001F600", "\u202ea", "\uffff",
	"null", "NULL", "true", "default", "current_user", "now()", "infinity", "-infinity", "NaN", "0", "-1", "1e999", "0x61", "{}", "{a}", `{"a"}`, "{a,b}", "[]", "[1]", "ARRAY['a']", "any(array['a'])", "(select 1)",
	"$.n", "$.*", "$[*] ? (@.n > 0)", "lax $", "strict $", "x-hasura-role", "{{a}}", "${a}", "#{a}", "<a>", "&lt;", "%00", "%27", "../a", "a,b", "a b", " a", "a ", "", strings.Repeat("a", 99), strings.Repeat("%", 99), strings.Repeat(`\`, 99), strings.Repeat("(", 99),
	strings.Repeat("a", 5000), strings.Repeat("ü", 101),
}

// TestH08NothingInAFilterIsMoreThanAText puts hostileTexts texts into every argument of the list of users that
// takes one. What comes back is what the text finds as a text, or a refusal that names the argument.
func TestH08NothingInAFilterIsMoreThanAText(t *testing.T) {
	t.Parallel()
	h := open(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "false"})
	letters(t, h)
	odd := []string{"100%", "a_c", `back\slash`, "it's", "a|b"}
	for _, name := range odd {
		run(t, h, `insert into auth.users (locale, display_name) values ('en', $1)`, name)
	}
	arguments := map[string]func(text string) vars{
		"email.equals":           func(s string) vars { return vars{"email": vars{"equals": s}} },
		"email.startsWith":       func(s string) vars { return vars{"email": vars{"startsWith": s}} },
		"phoneNumber.equals":     func(s string) vars { return vars{"phoneNumber": vars{"equals": s}} },
		"phoneNumber.startsWith": func(s string) vars { return vars{"phoneNumber": vars{"startsWith": s}} },
		"displayName.equals":     func(s string) vars { return vars{"displayName": vars{"equals": s}} },
		"displayName.startsWith": func(s string) vars { return vars{"displayName": vars{"startsWith": s}} },
		"role":                   func(s string) vars { return vars{"role": s} },
		"defaultRole":            func(s string) vars { return vars{"defaultRole": s} },
		"provider":               func(s string) vars { return vars{"provider": s} },
		"metadata":               func(s string) vars { return vars{"metadata": s} },
		"metadata of a member":   func(s string) vars { return vars{"metadata": vars{"n": s}} },
		"metadata by its name":   func(s string) vars { return vars{"metadata": vars{s: 1}} },
	}
	all := append([]string{"a", "b", "c", "d", "e", "f", "g", "h"}, odd...)
	tried := 0
	for name, filter := range arguments {
		for _, s := range hostileTexts {
			tried++
			a := ask(t, h, bySecret(), usersQuery, vars{"where": filter(s), "orderBy": vars{"by": "DISPLAY_NAME"}, "first": 100})
			if a.code() != "" {
				if a.code() != "bad-request" || !strings.HasPrefix(a.said(), "where") || len(s) > 3 && strings.Contains(a.said(), s) {
					t.Errorf("%s %.40q: %s %q", name, s, a.code(), a.said())
				}
				continue
			}
			var l userList
			a.into(t, &l)
			want := 0
			for _, n := range all {
				s := latin(s)
				switch {
				case name == "displayName.equals" && n == s, name == "displayName.startsWith" && strings.HasPrefix(n, s):
					want++
				case len(n) > 1 || strings.HasPrefix(name, "display"):
				case name == "email.equals" && n+"@example.com" == s, name == "email.startsWith" && strings.HasPrefix(n+"@example.com", s):
					want++
				}
			}
			if name == "email.startsWith" && s == "" {
				want = len(all)
			}
			if len(l.Users.Nodes) != want || l.Users.TotalCount != want {
				t.Errorf("%s %.40q finds %d of %d users, counts %d", name, s, len(l.Users.Nodes), want, l.Users.TotalCount)
			}
		}
	}
	if tried < 400 {
		t.Errorf("only %d were tried", tried)
	}
	// Values of the wrong kind never reach the database.
	for _, where := range []string{
		`{ids: ["1"]}`, `{ids: ["6ba7b810-9dad-41d1-80b4-00c04fd430c8' or true"]}`, `{ids: "x"}`, `{state: "ACTIVE"}`, `{state: ANY}`, `{createdAt: {from: "yesterday"}}`, `{createdAt: {from: "infinity"}}`,
		`{createdAt: {before: "2026-13-01T00:00:00Z"}}`, `{lastSeen: {from: 1}}`, `{email: "a"}`, `{email: {contains: "a"}}`, `{email: {_similar: "(a+)+"}}`, `{displayName: {_regex: "a"}}`, `{_or: [{}]}`, `{passwordHash: "x"}`, `{role: ["a"]}`, `{role: {}}`, `{state: {}}`, `{email: {equals: {}}}`, `{email: 1}`, `{createdAt: {from: {}}}`, `{ids: {}}`,
	} {
		a := ask(t, h, bySecret(), `{ users(where: `+where+`) { nodes { id } } }`, nil)
		if a.code() != "bad-request" {
			t.Errorf("%s: %s %q", where, a.code(), a.said())
		}
	}
	for _, orderBy := range []string{`{by: "CREATED_AT"}`, `{by: PASSWORD_HASH}`, `{by: created_at}`, `{by: CREATED_AT, direction: "DESC; --"}`, `{by: CREATED_AT, direction: RANDOM}`, `{by: {}}`, `{by: CREATED_AT, direction: {}}`, `{}`, `"id"`} {
		if a := ask(t, h, bySecret(), `{ users(orderBy: `+orderBy+`) { nodes { id } } }`, nil); a.code() != "bad-request" {
			t.Errorf("orderBy %s: %s %q", orderBy, a.code(), a.said())
		}
	}
	for name, metadata := range map[string]string{
		"numbers beyond all":  `{"n": 1e400000}`,
		"numbers below all":   `{"n": 1e-400000}`,
		"deep":                strings.Repeat(`[`, 9000) + strings.Repeat(`]`, 9000),
		"half of a surrogate": `{"n": "\ud800"}`,
		"null":                `{"n": null}`,
	} {
		body := `{"query": ` + quoted(usersQuery) + `, "variables": {"where": {"metadata": ` + metadata + `}}}`
		a := send(t, h, bySecret(), "POST", body)
		if code := a.code(); code != "" && code != "bad-request" {
			t.Errorf("metadata with %s: %s %q", name, a.code(), a.said())
		}
	}
	if errors := h.Log.Errors(); errors != "" {
		t.Errorf("the log has errors:\n%.2000s", errors)
	}
}

// latin makes small letters of those that every locale of a database knows.
func latin(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

func quoted(s string) string {
	b, _ := json.Marshal(s)
	return string(b)
}

// TestH08CursorsAreGoodForTheirListAlone presents cursors that were forged, cut, made for another filter,
// order or server.
func TestH08CursorsAreGoodForTheirListAlone(t *testing.T) {
	t.Parallel()
	h, other := open(t, nil), open(t, map[string]string{"AUTH_ENCRYPTION_KEY": strings.Repeat("fedcba9876543210", 4)})
	letters(t, h)
	letters(t, other)
	cursor := func(h *testhouse.House, v vars) string {
		var l userList
		ask(t, h, bySecret(), usersQuery, v).into(t, &l)
		return l.Users.Edges[2].Cursor
	}
	good := cursor(h, nil)
	bad := map[string]string{
		"empty": "", "made up": "eyJpZCI6MX0", "a number": "51", "an offset": "YXJyYXljb25uZWN0aW9uOjUx", "of another order": cursor(h, vars{"orderBy": vars{"by": "CREATED_AT"}}),
		"of another field": cursor(h, vars{"orderBy": vars{"by": "EMAIL", "direction": "DESC"}}), "of another filter": cursor(h, vars{"where": vars{"metadata": vars{}}}),
		"of another server": cursor(other, nil), "padded": good + "=", "with a blank": good + " ", "doubled": good + good, "SQL": "' or 1=1 --", "a NUL": "a\x00", "long": strings.Repeat("A", 100_000),
	}
	for i := range len(good) {
		bad[fmt.Sprintf("cut at %d", i)] = good[:i]
		flipped := []byte(good)
		flipped[i] ^= 1
		bad[fmt.Sprintf("flipped at %d", i)] = string(flipped)
	}
	for _, end := range []string{"after", "before"} {
		for name, c := range bad {
			a := ask(t, h, bySecret(), usersQuery, vars{end: c})
			if a.code() != "bad-request" || a.said() != end+" must be a cursor of this list, with the same filter and order" {
				t.Errorf("%s %s: %s %q", end, name, a.code(), a.said())
			}
		}
		if a := ask(t, h, bySecret(), usersQuery, vars{end: good}); a.code() != "" {
			t.Errorf("%s a good one: %s", end, a.said())
		}
	}
	if strings.Contains(good, "MjAyNi") { // 2026 in base64
		t.Error("the cursor shows its key")
	}
}

package graph_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"
)

// TestKeywordsAndCase uses names that SQL would read in another way.
func TestKeywordsAndCase(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 63)
	d := open(t, `create table public."select" ("from" int primary key, "Where" text, "user" uuid references auth.users (id), "order" text);
		create table public."Group" ("ID" int primary key, "selectFrom" int references public."select" ("from"), `+long+` text, "we""ird" text, "ä" text);
		create table public."no name" (id int primary key, s int references public."select"); create table public."x""y" (id int primary key);
		create table public.odd_key ("a b" int primary key, v int); create table public.follows (id int primary key, "k""ey" int references public.odd_key);
		create type public."Strange ""type""" as enum ('a''b', 'c"d'); create table public.typed (id int primary key, t public."Strange ""type""");
		insert into auth.users (id, locale) values ('`+ann+`', 'en');
		insert into public."select" values (1, 'w', '`+ann+`', 'o'); insert into public."Group" values (2, 1, 'long', 'hidden', 'hidden');
		insert into public.odd_key values (1, 5); insert into public.follows values (7, 1); insert into public.typed values (1, 'a''b'), (2, 'c"d')`, "")
	got := d.ask(t, `query ($id: uuid!) { user(id: $id) { selects(where: {from: {_eq: 1}}, order_by: {order: asc}) { from Where order user userByUser { id } Groups { ID `+long+` select { from } } } }
		Group_by_pk(ID: 2) { selectFrom } follows { odd_key { v follows { id } } } typed(where: {t: {_in: ["a'b"]}}) { t } }`, map[string]any{"id": ann})
	want := `{"user": {"selects": [{"from": 1, "Where": "w", "order": "o", "user": "` + ann + `", "userByUser": {"id": "` + ann + `"}, "Groups": [{"ID": 2, "` + long + `": "long", "select": {"from": 1}}]}]},
		"Group_by_pk": {"selectFrom": 1}, "follows": [{"odd_key": {"v": 5, "follows": [{"id": 7}]}}], "typed": [{"t": "a'b"}]}`
	if diff := cmp.Diff(decoded(t, want), decoded(t, got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	for _, query := range []string{`{ odd_key_by_pk(id: 1) { v } }`, `{ Group { we } }`} {
		if _, err := d.Query(t.Context(), query, nil); len(messages(err)) != 1 {
			t.Errorf("%s: %v", query, err)
		}
	}
}

// TestNamesStayNames makes columns with names of all sorts, which no query can name but every
// statement must: keys, what refers to them, and types.
func TestNamesStayNames(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abcXYZ019_ \"'\\$;-/*().,:=<>?@[]{}|&%#!~`\n\t\räßж中🙂\u202e\u00a0\u2028\u0301")
	name := func() string {
		var b strings.Builder
		for size := 1 + random.IntN(58); b.Len() < size; {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	const tables = 60
	q := func(parts ...string) string { return pgx.Identifier(parts).Sanitize() }
	text := func(s string) string { return `\"` + jsonText(strings.ReplaceAll(s, `"`, `""`)) + `\"` }
	var setup, relationships, query, want strings.Builder
	for i := range tables {
		one, two, far, mood := name()+"1", name()+"2", name()+"3", name()
		fmt.Fprintf(&setup, "create type public.%s as enum (%s, 'other');", q(fmt.Sprint(i, mood)), "'"+strings.ReplaceAll(mood, "'", "''")+"'")
		fmt.Fprintf(&setup, "create table public.v%d (%s int unique, %s text, v text, m public.%s, primary key (%s, %s)); insert into public.v%d values (1, 'x', 'value', %s);\n",
			i, q(one), q(two), q(fmt.Sprint(i, mood)), q(one), q(two), i, "'"+strings.ReplaceAll(mood, "'", "''")+"'")
		fmt.Fprintf(&setup, "create table public.t%d (id int primary key, %s int, %s text, foreign key (%s, %s) references public.v%d); insert into public.t%d values (1, 1, 'x');\n",
			i, q(far), q(two), q(far), q(two), i, i)
		fmt.Fprintf(&relationships, `%s"public.t%d.there": "public.t%d.%s = v%d.%s"`, strings.Repeat(",", min(i, 1)), i, i, text(far), i, text(one))
		fmt.Fprintf(&query, `t%d(order_by: {v%d: {v: asc}}, where: {there: {v: {_eq: "value"}}}) { there { v } v%d { v t%ds { id } t%ds_aggregate { aggregate { count } } } } v%d(where: {m: {_in: ["%s"]}}) { v m } `,
			i, i, i, i, i, i, jsonText(mood))
		fmt.Fprintf(&want, `%s"t%d": [{"there": {"v": "value"}, "v%d": {"v": "value", "t%ds": [{"id": 1}], "t%ds_aggregate": {"aggregate": {"count": 1}}}}], "v%d": [{"v": "value", "m": "%s"}]`,
			strings.Repeat(",", min(i, 1)), i, i, i, i, i, jsonText(mood))
	}
	d := open(t, setup.String(), "{"+relationships.String()+"}")
	problems, err := d.Problems(t.Context())
	if err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	got := d.ask(t, "{ "+query.String()+"}", nil)
	if diff := cmp.Diff(decoded(t, "{"+want.String()+"}"), decoded(t, got)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
}

func jsonText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r < ' ':
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

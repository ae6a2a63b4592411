package graph

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnglish(t *testing.T) {
	t.Parallel()
	words := newEnglish()
	for _, tt := range []struct{ singular, plural string }{
		{"user", "users"},
		{"organisation", "organisations"},
		{"company", "companies"},
		{"person", "people"},
		{"child", "children"},
		{"address", "addresses"},
		{"status", "statuses"},
		{"news", "news"},
		{"series", "series"},
		{"team_member", "team_members"},
		{"user_child", "user_children"},
		{"category", "categories"},
		{"key", "keys"},
		{"box", "boxes"},
		{"analysis", "analyses"},
		{"wife", "wives"},
		{"half", "halves"},
		{"day", "days"},
		{"quiz", "quizzes"},
		{"bus", "buses"},
		{"menu", "menus"},
		{"woman", "women"},
		{"human_foot", "human_feet"},
		{"index", "indices"},
		{"mouse", "mice"},
		{"leave", "leaves"},
		{"archive", "archives"},
		{"Person", "People"},
		{"process", "processes"},
		{"branch", "branches"},
		{"hero", "heroes"},
		{"photo", "photos"},
		{"datum", "data"},
		{"database", "databases"},
		{"house", "houses"},
		{"course", "courses"},
		{"license", "licenses"},
		{"movie", "movies"},
		{"cookie", "cookies"},
		{"case", "cases"},
		{"size", "sizes"},
		{"prize", "prizes"},
		{"page", "pages"},
		{"image", "images"},
		{"tax", "taxes"},
		{"brand", "brands"},
		{"response", "responses"},
		{"phase", "phases"},
		{"lease", "leases"},
		{"warehouse", "warehouses"},
		{"invoice", "invoices"},
	} {
		if got := words.plural(tt.singular); got != tt.plural {
			t.Errorf("plural of %s: %s, want %s", tt.singular, got, tt.plural)
		}
		if got := words.singular(tt.plural); got != tt.singular {
			t.Errorf("singular of %s: %s, want %s", tt.plural, got, tt.singular)
		}
		if got := words.plural(tt.plural); got != tt.plural {
			t.Errorf("plural of the plural %s: %s", tt.plural, got)
		}
		if got := words.singular(tt.singular); got != tt.singular {
			t.Errorf("singular of the singular %s: %s", tt.singular, got)
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"created_at": "createdAt", "createdAt": "createdAt", "Weird_name_": "weirdName", "id": "id", "": ""} {
		if got := lowerCamel(in); got != want {
			t.Errorf("lowerCamel(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{"organisation_id": "organisation", "ownerId": "owner", "id": "", "_id": "", "paid": "", "parent": ""} {
		if got := baseOfKey(in); got != want {
			t.Errorf("baseOfKey(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]bool{"a": true, "_a1": true, "": false, "1a": false, "__a": false, "a b": false, `a"`: false, "ä": false, "a\x00": false} {
		if got := isName(in); got != want {
			t.Errorf("isName(%q) = %t", in, got)
		}
	}
}

func TestRelationshipsRead(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{``, ""},
		{`{}`, ""},
		{`{"auth.users.profile": "public.profiles.user_id"}`, "auth.users.profile:  -> public.profiles.user_id"},
		{`{"profiles.org": "organisations.id", "b.c.d": "b.c.e"}`, "public.profiles.org:  -> public.organisations.id, b.c.d:  -> b.c.e"},
		{`{"public.orders.buyer": "public.orders.buyer_id = public.customers.id"}`, "public.orders.buyer: buyer_id -> public.customers.id"},
		{`{"\"my schema\".\"a.b\"\"c\".x": "\"my schema\".\"a.b\"\"c\".\"x y\""}`, `my schema.a.b"c.x:  -> my schema.a.b"c.x y`},
		{`[]`, `error: it must be a JSON object such as {"auth.users.profile": "public.profiles.user_id"}`},
		{`{"a": "b.c"}`, `error: "a" must be a table and a name for the relationship, such as auth.users.profile`},
		{`{"a.b": "c"}`, `error: "c" of public.a.b must be a column with its table, such as public.profiles.user_id`},
		{`{"a.b": 1}`, `error: the value of "a.b" must be a text such as "public.profiles.user_id"`},
		{`{"a.b-c": "x.y"}`, `error: "b-c" cannot be the name of a relationship: letters, digits and underscores make one`},
		{`{"a.b": "x.y", "public.a.b": "x.z"}`, `error: public.a.b is named twice`},
		{`{"a.b": "x.y = z.q"}`, `error: "x.y = z.q" of public.a.b must begin with a column of public.a`},
		{`{"a.b": "x.\"y"}`, `error: "x.\"y" of public.a.b must be a column with its table, such as public.profiles.user_id`},
		{`{"a.b": "a..y"}`, `error: "a..y" of public.a.b must be a column with its table, such as public.profiles.user_id`},
		{`{"a.b": "x.y"`, `error: it is not valid JSON`},
		{`{"a.b": "x.y"} x`, `error: something follows the JSON object`},
	} {
		var r Relationships
		var parts []string
		if err := r.UnmarshalText([]byte(tt.text)); err != nil {
			parts = append(parts, "error: "+err.Error())
		} else {
			for _, one := range r {
				parts = append(parts, one.String()+": "+one.From+" -> "+one.To.String())
			}
		}
		if diff := cmp.Diff(tt.want, strings.Join(parts, ", ")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.text, diff)
		}
	}
}

func TestJSONPaths(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"": "", "$": "", "$.a": "a", "a": "a", "a.b": "a|b", "$.a[0].b": "a|0|b", `$["a b"]['c"d']`: `a b|c"d`, "[3]": "3", `$["a\"]"]`: `a"]`, "$.a-b": "a-b",
		".": "error", "$..a": "error", "$.": "error", "a.": "error", "$[": "error", "$[]": "error", "$[-1]": "error", "$[a]": "error", `$["a]`: "error", `$["a"`: "error", "$a": "error", "a]b": "error", "$.a b": "error",
	} {
		steps, err := jsonPath(path)
		got := strings.Join(steps, "|")
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("jsonPath(%q) = %q (%v), want %q", path, got, err, want)
		}
	}
}

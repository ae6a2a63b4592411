package claims

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	tests := []struct {
		value any
		want  string
		err   error
	}{
		{"text", "text", nil},
		{"", "", nil},
		{"a\nb <&> \u2028 ü \"\\", "a\nb <&> \u2028 ü \"\\", nil},
		{"a\x00b", "", errNUL},
		{"a\xffb", "", errUTF8},
		{true, "true", nil},
		{false, "false", nil},
		{12.0, "12", nil},
		{1.5, "1.5", nil},
		{1e21, "1000000000000000000000", nil},
		{1e-7, "0.0000001", nil},
		{math.Inf(1), "", errNumber},
		{json.Number("12345678901234567890"), "12345678901234567890", nil},
		{json.Number("1.50"), "1.50", nil},
		{json.Number("1e21"), "1000000000000000000000", nil},
		{json.Number("-1.25E+1"), "-12.5", nil},
		{json.Number("-0.0e5"), "0", nil},
		{json.Number("12.5e-4"), "0.00125", nil},
		{json.Number("1e400000000"), "", errNumber},
		{json.Number("1e99999999999999999999"), "", errNumber},
		{[]any{}, "{}", nil},
		{[]any{[]any{}, []any{[]any{}}}, "{}", nil},
		{[]any{"a", "b"}, `{"a","b"}`, nil},
		{[]any{json.Number("1"), 2.0}, "{1,2}", nil},
		{[]any{true, nil}, "{true,NULL}", nil},
		{[]any{"NULL", nil, ""}, `{"NULL",NULL,""}`, nil},
		{[]any{`a"b\c`}, `{"a\"b\\c"}`, nil},
		{[]any{"a\nb\t<&>\u2028"}, "{\"a\nb\t<&>\u2028\"}", nil},
		{[]any{[]any{1.0, 2.0}, []any{3.0}}, "{1,2,3}", nil},
		{[]any{map[string]any{"k": "v<\u2028"}}, "{\"{\\\"k\\\":\\\"v<\u2028\\\"}\"}", nil},
		{[]any{"a\x00"}, "", errNUL},
		{map[string]any{"b": []any{1.0, nil}, "a": "<&>\u2028\n"}, "{\"a\":\"<&>\u2028\\n\",\"b\":[1,null]}", nil},
		{map[string]any{"a": "\x00"}, "", errNUL},
		{map[string]any{"\x00": "a"}, "", errNUL},
		{map[string]any{"n": json.Number("12345678901234567890")}, `{"n":12345678901234567890}`, nil},
	}
	for _, tt := range tests {
		got, err := encode(tt.value)
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%#v is %q and %v, want %q and %v", tt.value, got, err, tt.want, tt.err)
		}
	}
	if _, err := encode(struct{}{}); err == nil {
		t.Error("something that is no JSON was encoded")
	}
}

// TestPostgresReadsLiterals reads lists of hostile texts back through a cast, as Hasura does.
func TestPostgresReadsLiterals(t *testing.T) {
	t.Parallel()
	db, err := pgx.Connect(t.Context(), testpg.Empty(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close(t.Context()) }()
	random := rand.New(rand.NewPCG(1, 2))
	pieces := []string{`"`, `\`, ",", "{", "}", "\n", "\t", "\r", " ", "NULL", "null", "a", "é", "日", "\u2028", "<", "&", "'", "$1", "\x01", "\x7f", "😀", `\n`, `\u0041`, "[", "]", "(", ";"}
	text := func() string {
		var b strings.Builder
		for range random.IntN(8) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		return b.String()
	}
	for range 400 {
		var list []any
		var want []*string
		for range random.IntN(6) {
			switch random.IntN(6) {
			case 0:
				list, want = append(list, nil), append(want, nil)
			case 1:
				a, b := text(), text()
				list, want = append(list, []any{a, []any{b}}), append(want, &a, &b)
			case 2:
				inner := map[string]any{text(): text()}
				asText, err := encode(inner)
				if err != nil {
					t.Fatal(err)
				}
				list, want = append(list, inner), append(want, &asText)
			default:
				a := text()
				list, want = append(list, a), append(want, &a)
			}
		}
		back(t, db, list, "text[]", want)
	}
	for range 100 {
		var numbers, ids, wide []any
		var wantNumbers []*int32
		var wantIDs, wantWide []*string
		for range random.IntN(5) {
			n := int32(random.Uint32())
			numbers, wantNumbers = append(numbers, json.Number(strconv.Itoa(int(n)))), append(wantNumbers, &n)
			id := fmt.Sprintf("%08x-1234-4000-8000-%012x", random.Uint32(), random.Uint32())
			ids, wantIDs = append(ids, id), append(wantIDs, &id)
			digits := fmt.Sprintf("%d%d.%d", random.Uint64()|1<<62, random.Uint64(), random.Uint64()|1)
			wide, wantWide = append(wide, json.Number(digits)), append(wantWide, &digits)
		}
		back(t, db, numbers, "int[]", wantNumbers)
		back(t, db, ids, "uuid[]::text[]", wantIDs)
		back(t, db, wide, "numeric[]::text[]", wantWide)
	}
	object := map[string]any{"a": []any{json.Number("1e3"), nil, "x\ny\u2028"}}
	literal, err := encode(object)
	if err != nil {
		t.Fatal(err)
	}
	var value string
	if err := db.QueryRow(t.Context(), "select ($1::text::jsonb)->'a'->>2", literal).Scan(&value); err != nil || value != "x\ny\u2028" {
		t.Errorf("an object came back as %q: %v", value, err)
	}
}

// back casts the literal of a list.
func back[T any](t *testing.T, db *pgx.Conn, list []any, to string, want []*T) {
	t.Helper()
	literal, err := encode(append([]any{}, list...))
	if err != nil {
		t.Fatalf("%#v: %v", list, err)
	}
	var got []*T
	if err := db.QueryRow(t.Context(), "select $1::text::"+to, literal).Scan(&got); err != nil {
		t.Fatalf("%q as %s: %v", literal, to, err)
	}
	if diff := cmp.Diff(append([]*T{}, want...), append([]*T{}, got...)); diff != "" {
		t.Fatalf("%q as %s (-want +got):\n%s", literal, to, diff)
	}
}

// FuzzEncode reads the literals of lists back as Postgres does, and those of objects as JSON.
func FuzzEncode(f *testing.F) {
	for _, seed := range []string{`["a","b\"\\",null,[1,{"k":"v"}]]`, `{"a":[1e3,true]}`, `"\u0000"`, `[[],[[]]]`, `1e21`, `["NULL",""]`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		value, err := decode([]byte(text))
		if err != nil || value == nil {
			return
		}
		literal, err := encode(value)
		if err != nil {
			return
		}
		if strings.ContainsRune(literal, 0) || !utf8.ValidString(literal) {
			t.Fatalf("%q is no text for Postgres", literal)
		}
		switch v := value.(type) {
		case []any:
			got, ok := readArray(literal)
			if want := flatten(t, v); !ok || !cmp.Equal(want, got) {
				t.Fatalf("%s is %q, which reads as %q, want %q", text, literal, got, want)
			}
		case map[string]any:
			if !json.Valid([]byte(literal)) {
				t.Fatalf("%s is %q, which is no JSON", text, literal)
			}
		}
	})
}

// FuzzNumber holds that a number without its exponent is the same number.
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"1e21", "-1.25e+1", "0.0001E-10", "123", "-0e0", "1e-400", "12.50e1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, number string) {
		if !json.Valid([]byte(number)) || strings.Trim(number, "0123456789+-.eE") != "" {
			return
		}
		got, err := plain(number)
		if err != nil {
			return
		}
		want, ok := new(big.Rat).SetString(number)
		have, ok2 := new(big.Rat).SetString(got)
		if !ok || !ok2 || want.Cmp(have) != 0 || strings.ContainsAny(got, "eE") || !json.Valid([]byte(got)) {
			t.Fatalf("%s became %s", number, got)
		}
	})
}

func flatten(t *testing.T, list []any) []string {
	t.Helper()
	all := []string{}
	for _, item := range list {
		switch v := item.(type) {
		case []any:
			all = append(all, flatten(t, v)...)
		case nil:
			all = append(all, "(null)")
		default:
			text, err := encode(v)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, "="+text)
		}
	}
	return all
}

// readArray reads a literal by the rules of Postgres's manual (8.15.2, 8.15.6).
func readArray(literal string) (items []string, ok bool) {
	inner, ok := strings.CutPrefix(literal, "{")
	inner, ok2 := strings.CutSuffix(inner, "}")
	items = []string{}
	if !ok || !ok2 || inner == "" {
		return items, ok && ok2
	}
	for {
		if inner != "" && inner[0] == '"' {
			var b strings.Builder
			at := 1
			for ; at < len(inner) && inner[at] != '"'; at++ {
				if inner[at] == '\\' {
					at++
				}
				if at < len(inner) {
					b.WriteByte(inner[at])
				}
			}
			if at >= len(inner) {
				return nil, false
			}
			items, inner = append(items, "="+b.String()), inner[at+1:]
		} else {
			at := strings.IndexByte(inner, ',')
			if at < 0 {
				at = len(inner)
			}
			item := inner[:at]
			switch {
			case strings.EqualFold(item, "null"):
				item = "(null)"
			case item == "" || strings.ContainsAny(item, `"\{} `):
				return nil, false
			default:
				item = "=" + item
			}
			items, inner = append(items, item), inner[at:]
		}
		if inner == "" {
			return items, true
		}
		if inner[0] != ',' {
			return nil, false
		}
		inner = inner[1:]
	}
}

package config

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		text   string
		want   []variable
		faults []fault
	}{
		{"plain", "A=1\nB = two words \n", []variable{{"A", "1", 1}, {"B", "two words", 2}}, nil},
		{"export", "export A=1\n\texport\tB=2\nexport=3", []variable{{"A", "1", 1}, {"B", "2", 2}, {"export", "3", 3}}, nil},
		{"comments", "# A=0\n\n  # x\nA=1 # one\nB=a#b\nC= # none\nD=\"x\" # y\n", []variable{{"A", "1", 4}, {"B", "a#b", 5}, {"C", "", 6}, {"D", "x", 7}}, nil},
		{"single quotes", `A='a "b" \n #c $D'`, []variable{{"A", `a "b" \n #c $D`, 1}}, nil},
		{"double quotes", `A="a \"b\" \\ \n\t\r \$D \x 'c'"`, []variable{{"A", "a \"b\" \\ \n\t\r $D \\x 'c'", 1}}, nil},
		{"backslash before the letter n", `A="\\n"`, []variable{{"A", `\n`, 1}}, nil},
		{"more than one line", "A=\"-----BEGIN\nxyz\r\n-----END\"\nB=1", []variable{{"A", "-----BEGIN\nxyz\n-----END", 1}, {"B", "1", 4}}, nil},
		{"JSON bare and quoted", "A={\"type\":\"HS256\",\"key\":\"x\"}\nB='{\"a\": 1}'", []variable{{"A", `{"type":"HS256","key":"x"}`, 1}, {"B", `{"a": 1}`, 2}}, nil},
		{"Windows lines and byte order mark", "\ufeffA=1\r\nB='2'\r\n", []variable{{"A", "1", 1}, {"B", "2", 2}}, nil},
		{"equals signs", "A=b=c==\n", []variable{{"A", "b=c==", 1}}, nil},
		{"empty", "A=\nB=''\n", []variable{{"A", "", 1}, {"B", "", 2}}, nil},
		{"no equals sign", "A\nB=1\nA B=2", []variable{{"B", "1", 2}}, []fault{{1, `has no = after "A"`}, {3, `has no = after "A"`}}},
		{"no name", "=1\n1A=2\nA=1", []variable{{"A", "1", 3}}, []fault{
			{1, "does not begin with a name; a line is NAME=value, or # and a comment"},
			{2, "does not begin with a name; a line is NAME=value, or # and a comment"},
		}},
		{"never closed", "A=1\nB=\"x\nC=2", []variable{{"A", "1", 1}}, []fault{{2, `opens a " after B= that is never closed`}}},
		{"escaped quote at the end", `A="x\"`, nil, []fault{{1, `opens a " after A= that is never closed`}}},
		{"text after the quote", "A=\"x\ny\"z\nB=1", []variable{{"B", "1", 3}}, []fault{{2, `goes on after the closing " of A`}}},
		{"NUL", "A=x\x00y\n", nil, []fault{{1, "has a NUL byte in the value of A"}}},
		{"not UTF-8", "A=\xff\nB=1", []variable{{"B", "1", 2}}, []fault{{1, "has a value of A that is not UTF-8"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, faults := parseEnv(tt.text)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(variable{})); diff != "" {
				t.Errorf("variables (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.faults, faults, cmp.AllowUnexported(fault{})); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
		})
	}
}

func FuzzEnvFile(f *testing.F) {
	for _, seed := range []string{"A=1", "export A='b'\n", "A=\"x\\n\ny\" # c\r\n", "=", "A=\"", "\ufeffA=\x00\xff", "A='\nB=2"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		variables, faults := parseEnv(text)
		lines := strings.Count(text, "\n") + 1
		for _, v := range variables {
			if v.name == "" || v.line < 1 || v.line > lines || !utf8.ValidString(v.value) {
				t.Errorf("variable %+v of %d lines", v, lines)
			}
		}
		for _, x := range faults {
			if x.line < 1 || x.line > lines {
				t.Errorf("fault %+v of %d lines", x, lines)
			}
		}
		// Whatever was read can be written and read again.
		var b strings.Builder
		for _, v := range variables {
			b.WriteString(v.name + "=" + quoteEnv(v.value) + "\n")
		}
		again, faults := parseEnv(b.String())
		if len(faults) != 0 || len(again) != len(variables) {
			t.Fatalf("%q became %q, %v", text, b.String(), faults)
		}
		for i, v := range variables {
			if again[i].name != v.name || again[i].value != v.value {
				t.Errorf("%q became %q", v.value, again[i].value)
			}
		}
	})
}

func FuzzQuotedValueComesBack(f *testing.F) {
	for _, seed := range []string{"", " ", "a b", "'", `"`, "\\", "#", "$A", "a\nb", "\r", "é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if !utf8.ValidString(value) || strings.ContainsRune(value, 0) {
			return
		}
		got, faults := parseEnv("A=" + quoteEnv(value))
		if len(faults) != 0 || len(got) != 1 || got[0].value != value {
			t.Errorf("%q became %+v, %v", value, got, faults)
		}
	})
}

package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestBooleans(t *testing.T) {
	t.Parallel()
	for _, raw := range strings.Fields("1 t T TRUE true True tRuE yes YES Yes on ON") {
		if got, ok := parseBool(raw); !got || !ok {
			t.Errorf("%q is %t, %t, want true", raw, got, ok)
		}
	}
	for _, raw := range strings.Fields("0 f F FALSE false False fAlSe no NO No off OFF") {
		if got, ok := parseBool(raw); got || !ok {
			t.Errorf("%q is %t, %t, want false", raw, got, ok)
		}
	}
	for _, raw := range []string{"", "2", "y", "n", "tru", "enabled", " true"} {
		if _, ok := parseBool(raw); ok {
			t.Errorf("%q was taken", raw)
		}
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		raw  string
		unit time.Duration
		want time.Duration
		text string
	}{
		{"0", 0, 0, "0s"},
		{"900", time.Second, 15 * time.Minute, "15m"},
		{"2592000", time.Second, 720 * time.Hour, "720h"},
		{"60000", time.Millisecond, time.Minute, "1m"},
		{"1h30m", time.Second, 90 * time.Minute, "1h30m"},
		{"1h0m1s", 0, time.Hour + time.Second, "1h0m1s"},
		{"20m", 0, 20 * time.Minute, "20m"},
		{"10h", 0, 10 * time.Hour, "10h"},
		{"100ms", 0, 100 * time.Millisecond, "100ms"},
		{"-5", time.Second, -5 * time.Second, "-5s"},
	}
	for _, tt := range tests {
		got, problem := parseDuration(tt.raw, tt.unit)
		if got != tt.want || problem != "" || humane(got) != tt.text {
			t.Errorf("%q is %s (%s), %q; want %s", tt.raw, got, humane(got), problem, tt.text)
		}
	}
}

func TestSecretsAreTakenOutOfMessages(t *testing.T) {
	t.Parallel()
	secret := `{"type":"HS256","key":"hunter2 hunter2","signing_key":"BEGIN\nPRIVATE","issuer":"me and you"}`
	for message, want := range map[string]string{
		"bad: " + secret:                     "bad: ••••",
		`key "hunter2 hunter2" is too short`: `key "••••" is too short`,
		`signing_key "BEGIN\nPRIVATE" is no`: `signing_key "••••" is no`,
		`issuer "me and you" is odd`:         `issuer "me and you" is odd`,
	} {
		if got := conceal(message, secret); got != want {
			t.Errorf("%q became %q, want %q", message, got, want)
		}
	}
}

func FuzzDuration(f *testing.F) {
	for _, seed := range []string{"0", "900", "15m", "-1", "1h0m0s", "9223372036854775807", "1.5h", "x", "+5", "1e3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, unit := range []time.Duration{0, time.Millisecond, time.Second, time.Hour} {
			d, problem := parseDuration(raw, unit)
			if problem != "" {
				continue
			}
			again, problem := parseDuration(humane(d), 0)
			if problem != "" || again != d {
				t.Errorf("%q is %s, written as %q, read as %s %s", raw, d, humane(d), again, problem)
			}
		}
	})
}

func FuzzList(f *testing.F) {
	for _, seed := range []string{"", ",", "a", " a , b,,c ", "a\n,b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		list := splitList(raw)
		for _, item := range list {
			if item == "" || strings.TrimSpace(item) != item || strings.Contains(item, ",") {
				t.Errorf("%q has the entry %q", raw, item)
			}
		}
		if again := splitList(strings.Join(list, ",")); !slices.Equal(list, again) {
			t.Errorf("%q is %q, then %q", raw, list, again)
		}
	})
}

// FuzzValues gives every setting of a struct the same text: whatever it is, it is taken or
// refused in words, and a secret is not repeated.
func FuzzValues(f *testing.F) {
	for _, seed := range []string{"1", "true", "15m", "https://a.example", "a,b", "PLAIN", "postgres://a:b@c/d", `{"key":"12345678"}`, "\xff", "Yes"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		b, isBool := parseBool(raw)
		for _, s := range walk(&testConfig{}).settings {
			into := s.fields[0]
			before := reflect.New(into.Type()).Elem()
			before.Set(into)
			w := s.parse(raw, into)
			switch {
			case w != nil && w.what == "":
				t.Errorf("%s: %q is refused without a word", s.name(), raw)
			case w != nil && !reflect.DeepEqual(before.Interface(), into.Interface()):
				t.Errorf("%s: %q is refused and yet set", s.name(), raw)
			case w != nil && s.secret && len(raw) > 12 && strings.Contains(w.what, raw):
				t.Errorf("%s: %q is repeated in %q", s.name(), raw, w.what)
			case w == nil && s.isBool() && isBool && into.Bool() != b:
				t.Errorf("%s: %q is %t, want %t", s.name(), raw, into.Bool(), b)
			}
			_ = s.show(raw)
		}
	})
}

func TestQuotedValuesAreShortAndTellNoPassword(t *testing.T) {
	t.Parallel()
	got := []string{
		quoted("a\nb"), quoted(strings.Repeat("é", 60)), quoted("https://me:hush@h/p"), quoted("https://me:hu/sh@h/p"),
	}
	want := []string{
		`"a\nb"`, `"` + strings.Repeat("é", 48) + `…"`, `"https://me:xxxxx@h/p"`, "the value (a URL that may hold a password)",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("quoted (-want +got):\n%s", diff)
	}
}

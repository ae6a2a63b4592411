package jsonata_test

import (
	"testing"
	"time"

	"postern/claims/jsonata"
)

// FuzzParse: whatever is written, Parse and Fields come to an end, and what they say can be shown.
func FuzzParse(f *testing.F) {
	for _, c := range fieldCases() {
		f.Add(c[0])
	}
	for _, bomb := range bombs() {
		f.Add(bomb[2][:min(len(bomb[2]), 300)])
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := jsonata.Parse(text)
		if err != nil {
			if err.Error() == "" {
				t.Error("a refusal without words")
			}
			return
		}
		if fields, err := e.Fields(); err == nil {
			_ = fields.String()
		}
		if _, err := jsonata.Parse(e.Text()); err != nil && e.Text() != text {
			t.Errorf("%q is translated to %q, which is refused: %v", text, e.Text(), err)
		}
	})
}

// FuzzEvaluate: whatever is evaluated ends in time, twice the same, and gives plain JSON.
func FuzzEvaluate(f *testing.F) {
	for _, c := range fieldCases() {
		f.Add(c[0])
	}
	for _, bomb := range bombs() {
		f.Add(bomb[2][:min(len(bomb[2]), 300)])
	}
	document := decode(f, member)
	f.Fuzz(func(t *testing.T, text string) {
		e, err := jsonata.Parse(text)
		if err != nil {
			return
		}
		start := time.Now()
		value, found, err := e.Evaluate(t.Context(), document)
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("it takes %v", took)
		}
		_ = show(value, found, err)
		if err == nil && e.ListShaped() && found {
			if _, ok := value.([]any); !ok {
				t.Errorf("%T is no list", value)
			}
		}
	})
}

func BenchmarkEvaluate(b *testing.B) {
	document := decode(b, member)
	for _, text := range []string{
		"company.id", "profile.contributesTo[].project.id", "departments[?(@.role == 'member')].id",
		"$distinct(memberships[role='admin'].org_id)", "email.$substringBefore('@')", "memberships ~> $map(function($v){$v.org.id})",
		"metadata.plan = 'pro' ? 'true' : 'false'", "profile.*.id", "$contains(email, /@example\\.com$/)", "items{category: $sum(price)}",
	} {
		e, err := jsonata.Parse(text)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(text, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, _, err := e.Evaluate(b.Context(), document); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

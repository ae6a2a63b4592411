package sms_test

import (
	"regexp"
	"testing"

	"postern/sms"
)

var numbers = map[string]bool{
	"+15550100": true, "+4915112345678": true, "+123456789012345": true, "+2904123": true,
	"": false, "+": false, "+0": false, "15550100": false, "0015550100": false, "+015550100": false, "+1555010": true,
	"+155501": false, "+1234567890123456": false, "+1 555 0100": false, "+1-555-0100": false, "+1(555)0100": false,
	"+1555010a": false, "++15550100": false, "+15550100 ": false, " +15550100": false, "+15550100\n": false,
	"+１５５５０１００": false, "+155501\x0000": false, "tel:+15550100": false, "+15550100;ext=1": false,
}

func TestValidNumber(t *testing.T) {
	t.Parallel()
	for number, want := range numbers {
		if got := sms.ValidNumber(number); got != want {
			t.Errorf("%q is a number: %t, want %t", number, got, want)
		}
	}
	if got := sms.Masked("+4915112345678"); got != "+491********78" {
		t.Errorf("masked: %s", got)
	}
	if got := sms.Masked("482913"); got != "(no number)" {
		t.Errorf("masked: %s", got)
	}
}

// What counts as a number is what E.164 says, and can stand in a URL, a file's name and a log.
func FuzzValidNumber(f *testing.F) {
	for number := range numbers {
		f.Add(number)
	}
	e164 := regexp.MustCompile(`\A\+[1-9][0-9]{6,14}\z`)
	f.Fuzz(func(t *testing.T, s string) {
		if got, want := sms.ValidNumber(s), e164.MatchString(s); got != want {
			t.Errorf("%q is a number: %t, want %t", s, got, want)
		}
		if masked := sms.Masked(s); sms.ValidNumber(s) && (len(masked) != len(s) || masked == s) {
			t.Errorf("%q masked is %q", s, masked)
		}
	})
}

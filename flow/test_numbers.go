package flow

import (
	"fmt"
	"strings"
	"time"

	"postern/sms"
)

// testCodes are numbers with a fixed code each, to which nothing is sent.
type testCodes struct {
	codes map[string]string // by number, as sms.ValidNumber has it
	until time.Time         // zero is for ever
}

// wrongTestCodes is what is wrong with a setting. It repeats no code.
type wrongTestCodes struct{ env, problem string }

// Error names the setting.
func (w *wrongTestCodes) Error() string { return w.env + " " + w.problem }

func newTestCodes(s Settings) (t testCodes, wrong *wrongTestCodes) {
	if s.TestCodesUntil != "" {
		var err error
		if t.until, err = time.Parse(time.RFC3339, s.TestCodesUntil); err != nil {
			return t, &wrongTestCodes{"AUTH_SMS_TEST_OTP_VALID_UNTIL", "must be a time such as 2030-01-31T00:00:00Z"}
		}
	}
	t.codes = map[string]string{}
	for i, entry := range s.TestCodes {
		typed, code, _ := strings.Cut(entry, ":")
		number := "+" + strings.TrimPrefix(strings.ReplaceAll(typed, " ", ""), "+")
		problem := ""
		switch code = strings.TrimSpace(code); {
		case !sms.ValidNumber(number):
			problem = "does not begin with a number with the country's code and a colon"
		case len(code) < 6, onlyDigits(code) != code:
			problem = "has no code of 6 to 10 digits"
		case t.codes[number] != "":
			problem = "names a number a second time"
		}
		if problem != "" {
			return testCodes{}, &wrongTestCodes{"AUTH_SMS_TEST_OTP", fmt.Sprintf("has an entry, the one in place %d, that %s", i+1, problem)}
		}
		t.codes[number] = code
	}
	return t, nil
}

// live tells whether the codes are still good.
func (t testCodes) live(now time.Time) bool { return t.until.IsZero() || now.Before(t.until) }

// of is the fixed code of a number, if it has one now.
func (t testCodes) of(number string, now time.Time) (code string, fixed bool) {
	if !t.live(now) {
		return "", false
	}
	code, fixed = t.codes[number]
	return code, fixed
}

// IsForTests tells whether a number has a fixed code now, and is sent nothing.
func (p *Policy) IsForTests(typed string, now time.Time) bool {
	number, err := phoneNumber(typed)
	if err != nil {
		return false
	}
	_, fixed := p.testCodes.of(number, now)
	return fixed
}

// TestNumbers counts the numbers that have a fixed code now.
func (p *Policy) TestNumbers(now time.Time) int {
	if !p.testCodes.live(now) {
		return 0
	}
	return len(p.testCodes.codes)
}

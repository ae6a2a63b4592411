package flow

import (
	"math"
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/sms"
)

// defaults are the settings of codes as they are when nobody says anything.
func defaults() Settings {
	return Settings{CodeLength: 6, CodeFailures: 18, CodeFailureWindow: 7 * 24 * time.Hour, DefaultLocale: "en"}
}

// TestH15TheChanceToGuessACode plays a guesser who never rests, over every year that begins anywhere in
// a window, and holds what the settings promise against it.
func TestH15TheChanceToGuessACode(t *testing.T) {
	t.Parallel()
	for _, s := range []Settings{
		defaults(),
		{CodeLength: 10, CodeFailures: 1000, CodeFailureWindow: time.Hour},
		{CodeLength: 8, CodeFailures: 250, CodeFailureWindow: 24 * time.Hour},
		{CodeLength: 6, CodeFailures: 333, CodeFailureWindow: 366 * 24 * time.Hour},
	} {
		// The counter's windows: a window opens with a guess, lasts, and takes so many.
		const year = 366 * 24 * time.Hour
		var most float64
		for part := range 20 {
			begins := s.CodeFailureWindow * time.Duration(part) / 20 // of the year, after the window that it falls into
			guesses := float64(s.CodeFailures)                       // left for the end of that window
			for opens := s.CodeFailureWindow; opens < begins+year; opens += s.CodeFailureWindow {
				guesses += float64(s.CodeFailures)
			}
			most = math.Max(most, guesses)
		}
		chance := 1 - math.Pow(1-math.Pow10(-s.CodeLength), most)
		if promised := s.guessChance(); chance > promised || promised > maxGuessChance {
			t.Errorf("%d digits, %d in %s: %.3g when tried, %.3g promised, %g allowed", s.CodeLength, s.CodeFailures, s.CodeFailureWindow, chance, promised, maxGuessChance)
		}
	}
}

func TestSettingsThatLetCodesBeGuessedAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*Settings)
		ok     bool
	}{
		"as they are":                             {func(*Settings) {}, true},
		"one more":                                {func(s *Settings) { s.CodeFailures = 19 }, false},
		"every day":                               {func(s *Settings) { s.CodeFailureWindow = 24 * time.Hour }, false},
		"every day, with ten digits":              {func(s *Settings) { s.CodeFailureWindow = 24 * time.Hour; s.CodeLength = 10 }, true},
		"a thousand an hour, with ten digits":     {func(s *Settings) { s.CodeFailures, s.CodeFailureWindow, s.CodeLength = 1000, time.Hour, 10 }, true},
		"ten thousand an hour, with ten digits":   {func(s *Settings) { s.CodeFailures, s.CodeFailureWindow, s.CodeLength = 10_000, time.Hour, 10 }, false},
		"a hundred a year, with six digits":       {func(s *Settings) { s.CodeFailures, s.CodeFailureWindow = 100, 366*24*time.Hour }, true},
		"a thousand a year, with six digits":      {func(s *Settings) { s.CodeFailures, s.CodeFailureWindow = 1000, 366*24*time.Hour }, false},
		"no interval":                             {func(s *Settings) { s.CodeFailureWindow = 0 }, false},
		"an interval longer than a year, seldom":  {func(s *Settings) { s.CodeFailureWindow = 8784 * time.Hour }, true},
		"as many as an int holds":                 {func(s *Settings) { s.CodeFailures = math.MaxInt }, false},
		"seven digits let ten times as many fail": {func(s *Settings) { s.CodeFailures, s.CodeLength = 180, 7 }, true},
	} {
		s := defaults()
		c.change(&s)
		var told []string
		s.Check(func(env, problem string) { told = append(told, env+" "+problem) })
		if ok := len(told) == 0; ok != c.ok {
			t.Errorf("%s: %v", name, told)
		}
		if !c.ok && !strings.Contains(strings.Join(told, ""), "AUTH_OTP_LENGTH") {
			t.Errorf("%s: what would help is not said: %v", name, told)
		}
	}
}

func TestPhoneNumbers(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{
		"+41791234567": "+41791234567", "+41 79 123 45 67": "+41791234567", "0041 (79) 123-45.67": "+41791234567", "+1/202/555/0123": "+12025550123",
		"079 123 45 67": "", "": "", "+": "", "+0041791234567": "", "+41791234567x": "", "+4179123456789012": "", "112": "", "00": "", "+41 (0)79 123 45 67": "", "+41\u00a079\u00a0123\u00a045\u00a067": "+41791234567",
	} {
		got, err := phoneNumber(typed)
		if got != want || (err == nil) != (want != "") || err != nil && auth.CodeOf(err) != auth.CannotSendSMS {
			t.Errorf("%q is %q, %v; want %q", typed, got, err, want)
		}
	}
}

func FuzzPhoneNumber(f *testing.F) {
	for _, s := range []string{"+41791234567", "0041 79 123 45 67", "+1 (202) 555-0123", "tel:+1", "＋41", "\x00", "+41\n79"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		number, err := phoneNumber(typed)
		if err != nil {
			return
		}
		if again, err := phoneNumber(number); err != nil || again != number || !sms.ValidNumber(number) {
			t.Errorf("%q is %q, which is %q, %v", typed, number, again, err)
		}
	})
}

func FuzzTypedCode(f *testing.F) {
	for _, s := range []string{"123456", "123 456", "12-34-56", "", "١٢٣٤٥٦", "123456\n", "1e6", "0x1234"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, typed string) {
		digits := onlyDigits(typed)
		if digits == "" {
			return
		}
		if len(digits) < 4 || len(digits) > 10 || strings.Trim(digits, "0123456789") != "" || onlyDigits(digits) != digits {
			t.Errorf("%q is %q", typed, digits)
		}
	})
}

package tokens_test

import (
	"math"
	"strings"
	"testing"

	"postern/tokens"
)

func TestRecoveryCodes(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	letters := map[rune]int{}
	const n = 2000
	for range n {
		code := tokens.NewRecoveryCode()
		if !tokens.IsRecoveryCode(code) || seen[code] {
			t.Fatalf("%q is no recovery code, or came twice", code)
		}
		seen[code] = true
		for _, r := range strings.ReplaceAll(code, "-", "") {
			letters[r]++
		}
	}
	// 20 letters of 32 each: 100 bits. No letter is rarer or more frequent than chance has it.
	if len(letters) != 32 {
		t.Errorf("%d different letters, want 32", len(letters))
	}
	mean := float64(n*20) / 32
	for r, count := range letters {
		if math.Abs(float64(count)-mean) > 8*math.Sqrt(mean) {
			t.Errorf("%c came %d times, want about %.0f", r, count, mean)
		}
	}
}

// TestT21RecoveryCodesHaveOneForm: nothing but the code itself has its form.
func TestT21RecoveryCodesHaveOneForm(t *testing.T) {
	t.Parallel()
	code := tokens.NewRecoveryCode()
	for i := range code {
		if tokens.IsRecoveryCode(code[:i]) || tokens.IsRecoveryCode(code[i+1:]) || tokens.IsRecoveryCode(code[:i]+"\u200b"+code[i:]) || tokens.IsRecoveryCode(code[:i]+"l"+code[i+1:]) {
			t.Errorf("a variant of %q at %d has its form", code, i)
		}
	}
	for _, other := range []string{
		"", strings.ToUpper("k7mq2-x9d4e-hhv3p-u8wzn"), code + " ", " " + code, code + "\n", code + "=", code + "a", strings.ReplaceAll(code, "-", ""), strings.ReplaceAll(code, "-", " "),
		strings.ReplaceAll(code, "-", "–"), strings.Repeat("-", 23), strings.Repeat("a", 23), code + code, "123456",
	} {
		if tokens.IsRecoveryCode(other) {
			t.Errorf("%q has the form of a code", other)
		}
	}
}

// FuzzIsRecoveryCode: what has the form has 23 bytes, of which every sixth is a hyphen.
func FuzzIsRecoveryCode(f *testing.F) {
	f.Add("k7mq2-x9d4e-hhv3p-u8wzn")
	f.Add("K7MQ2-X9D4E-HHV3P-U8WZN")
	f.Fuzz(func(t *testing.T, s string) {
		if !tokens.IsRecoveryCode(s) {
			return
		}
		if len(s) != 23 || strings.Count(s, "-") != 3 || strings.ToLower(s) != s || strings.ContainsAny(s, "lo01 ") {
			t.Fatalf("%q has the form of a code", s)
		}
	})
}

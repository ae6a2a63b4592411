package totp_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"image/png"
	"regexp"
	"strings"
	"testing"
	"time"

	"postern/totp"
)

// rfcSecret is the key of RFC 6238, appendix B.
var rfcSecret = base32.StdEncoding.EncodeToString([]byte("12345678901234567890"))

func secret(t testing.TB, text string) totp.Secret {
	t.Helper()
	s, err := totp.ParseSecret(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestCodesOfTheRFC has the SHA-1 rows of RFC 6238, appendix B, cut to six digits.
func TestCodesOfTheRFC(t *testing.T) {
	t.Parallel()
	s := secret(t, rfcSecret)
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130",
	} {
		now := time.Unix(at, 0)
		if got, err := totp.At(s, totp.Step(now)); got != want || err != nil {
			t.Errorf("at %d: %s, %v, want %s", at, got, err, want)
		}
		if step, ok := totp.Check(s, want, now); !ok || step != at/30 {
			t.Errorf("at %d: step %d, %v", at, step, ok)
		}
	}
}

// TestLiveSteps holds the window to the second: a code lives from thirty seconds before its step to
// thirty after.
func TestLiveSteps(t *testing.T) {
	t.Parallel()
	s := secret(t, rfcSecret)
	const step = 40_000_000
	code, err := totp.At(s, step)
	if err != nil {
		t.Fatal(err)
	}
	begins := time.Unix(step*30, 0)
	for after, want := range map[time.Duration]bool{
		-31 * time.Second: false, -30*time.Second - time.Nanosecond: false, -30 * time.Second: true, 0: true,
		29 * time.Second: true, 60*time.Second - time.Nanosecond: true, 60 * time.Second: false, time.Hour: false,
	} {
		got, ok := totp.Check(s, code, begins.Add(after))
		if ok != want || ok && got != step {
			t.Errorf("%s after its step began: step %d, %v, want %v", after, got, ok, want)
		}
	}
	live := 0
	for i := int64(-100); i <= 100; i++ {
		near, err := totp.At(s, step+i)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := totp.Check(s, near, begins); ok {
			live++
		}
	}
	if live != totp.Live {
		t.Errorf("%d codes are right at one moment, want %d", live, totp.Live)
	}
}

// TestT42OnlySixDigitsAreACode has what other services took for the same code, once more.
func TestT42OnlySixDigitsAreACode(t *testing.T) {
	t.Parallel()
	s := secret(t, rfcSecret)
	now := time.Unix(1234567890, 0) // 005924
	for _, code := range []string{
		"", " ", "005924 ", " 005924", "005 924", "005924\n", "\t005924", "005924\x00", "5924", "05924", "0005924", "0059240", "-05924", "+05924", "5924.0",
		"00592４", "٠٠٥٩٢٤", "００５９２４", "0059\u200b24", "\ufeff005924", "0x1724", "5924e0", "00592O", "005\u2007924", "005924\u00a0", "005924005924", "005-924",
	} {
		if _, ok := totp.Check(s, code, now); ok || totp.Plausible(code) {
			t.Errorf("%q counts as the code", code)
		}
	}
	if _, ok := totp.Check(s, "005924", now); !ok {
		t.Error("the code itself does not count")
	}
	if _, ok := totp.Check(totp.Secret{}, "328482", now); ok {
		t.Error("there are codes without a secret")
	}
}

func TestClocksFarAway(t *testing.T) {
	t.Parallel()
	s := secret(t, rfcSecret)
	for _, at := range []int64{-1 << 40, -1, 0, 29, 1 << 40} {
		if step, ok := totp.Check(s, "000000", time.Unix(at, 0)); ok && step < 0 {
			t.Errorf("at %d: step %d", at, step)
		}
	}
	if _, err := totp.At(s, -1); err == nil {
		t.Error("there is a code before time began")
	}
}

func TestEnrol(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, account := range []string{
		"jane@example.com", strings.Repeat("a", 64) + "@" + strings.Repeat("b.", 90) + "example", "Jane: Doe", "", "\x00\x01", "日本語" + strings.Repeat("字", 400), "\xff\xfe", "a/b?c#d%20&e=f",
	} {
		e, err := totp.Settings{Issuer: "My App"}.Enrol(account)
		if err != nil {
			t.Fatalf("%q: %v", account, err)
		}
		text := e.Secret.Base32()
		if !regexp.MustCompile(`^[A-Z2-7]{52}$`).MatchString(text) || seen[text] {
			t.Errorf("%q: the secret is %q", account, text)
		}
		seen[text] = true
		raw, found := strings.CutPrefix(e.ImageURL, "data:image/png;base64,")
		file, err := base64.StdEncoding.DecodeString(raw)
		if err != nil || !found {
			t.Fatalf("%q: %.40s: %v", account, e.ImageURL, err)
		}
		picture, err := png.Decode(bytes.NewReader(file))
		if err != nil || picture.Bounds().Dx() != 200 || picture.Bounds().Dy() != 200 {
			t.Errorf("%q: no picture of 200 by 200: %v", account, err)
		}
		if s := fmt.Sprintf("%v %+v %#v %s", e.Secret, e.Secret, e.Secret, e.Secret); strings.Contains(s, text) {
			t.Errorf("a secret prints itself: %s", s)
		}
	}
}

func TestParseSecret(t *testing.T) {
	t.Parallel()
	for text, good := range map[string]bool{
		rfcSecret: true, strings.ToLower(rfcSecret): true, rfcSecret + "====": true,
		"JBSWY3DPEHPK3PXP": true, // ten bytes, as the Node generation made them
		"":                 false, "=": false, "JBSWY3DP": false, "JBSWY3DPEHPK3PX1": false, "JBSWY3DP\nEHPK3PXP": false, " JBSWY3DPEHPK3PXP": false, "JBSWY3DP EHPK3PXP": false,
		strings.Repeat("0123456789abcdef", 4): false,
	} {
		if _, err := totp.ParseSecret(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
	if code, err := totp.At(secret(t, "jbswy3dpehpk3pxp=="), 1); err != nil || code != "996554" {
		t.Errorf("the code of step 1 is %s, %v", code, err)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for issuer, good := range map[string]bool{
		"auth": true, "My App": true, "Büro": true, "a:b": false, "": false, " ": false, "a\nb": false, "\xff": false, strings.Repeat("x", 101): false,
	} {
		problems := 0
		totp.Settings{Issuer: issuer}.Check(func(string, string) { problems++ })
		if (problems == 0) != good {
			t.Errorf("%q: %d problems", issuer, problems)
		}
	}
}

func ExampleCheck() {
	s, err := totp.ParseSecret("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ")
	if err != nil {
		panic(err)
	}
	step, ok := totp.Check(s, "005924", time.Unix(1234567890, 0))
	fmt.Println(step, ok)
	// Output: 41152263 true
}

// FuzzCheck: whatever is typed, only six ASCII digits count, and only those of a live step.
func FuzzCheck(f *testing.F) {
	f.Add("005924", int64(1234567890))
	f.Add("005924 ", int64(1234567890))
	f.Add("００５９２４", int64(0))
	f.Fuzz(func(t *testing.T, code string, at int64) {
		s := secret(t, rfcSecret)
		now := time.Unix(at, 0)
		step, ok := totp.Check(s, code, now)
		if !ok {
			return
		}
		right, err := totp.At(s, step)
		if err != nil || right != code || step < totp.Step(now)-1 || step > totp.Step(now)+1 {
			t.Fatalf("%q at %d counts as step %d, whose code is %q", code, at, step, right)
		}
	})
}

// FuzzParseSecret: what is read can be written and read again, and makes codes.
func FuzzParseSecret(f *testing.F) {
	f.Add(rfcSecret)
	f.Add("jbswy3dpehpk3pxp====")
	f.Add("JBSWY3DP\nEHPK3PXP")
	f.Add("22222222222222222") // one letter more than ten bytes need
	f.Fuzz(func(t *testing.T, text string) {
		s, err := totp.ParseSecret(text)
		if err != nil {
			return
		}
		if _, err := totp.At(s, 1); err != nil {
			t.Fatalf("%q is read and makes no codes: %v", text, err)
		}
		if again := secret(t, s.Base32()); again != s {
			t.Fatalf("%q is read as %q, then as %q", text, s.Base32(), again.Base32())
		}
	})
}

// Package totp makes and checks the codes of authenticator apps (RFC 6238): SHA-1, six digits, steps
// of thirty seconds, as every app understands them and Hasura Auth uses them.
//
// It remembers nothing. That a code counts only once is for its caller to see to: Check says which
// step a code is of, and a step that was accepted must not be accepted again.
package totp

import (
	"bytes"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"
)

const (
	// Digits is how long a code is.
	Digits = 6
	// Period is how long a step lasts.
	Period = 30 * time.Second
	// Skew is how many steps before and after the present one are accepted, for clocks that differ.
	Skew = 1
	// Live is how many of the 10^Digits codes are right at any moment.
	Live = 2*Skew + 1

	secretBytes = 32 // 52 characters, as Hasura Auth's
	leastSecret = 10 // what older authenticator libraries made
	imageSize   = 200
)

// Settings say how authenticator apps name the codes.
type Settings struct {
	Issuer string `env:"AUTH_MFA_TOTP_ISSUER" default:"auth" doc:"What authenticator apps call this service beside the name of the user."`
}

// Check reports an issuer that apps would misread.
func (s Settings) Check(report func(env, problem string)) {
	if problem := s.Problem(); problem != "" {
		report("AUTH_MFA_TOTP_ISSUER", problem)
	}
}

// Problem is what apps would misread of the issuer; empty when nothing.
func (s Settings) Problem() string {
	switch {
	case strings.TrimSpace(s.Issuer) == "" || !printable(s.Issuer):
		return "must be a name that people can read"
	case strings.Contains(s.Issuer, ":"):
		return "must not have a colon: authenticator apps take what follows it for the user"
	case len(s.Issuer) > 100:
		return "must not be longer than 100 bytes"
	}
	return ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

// Secret is what an app and the server share. It never prints what it holds.
type Secret struct{ text string }

// String hides the secret from logs.
func (s Secret) String() string { return "(TOTP secret)" }

// GoString hides the secret from logs.
func (s Secret) GoString() string { return s.String() }

// Base32 is the secret as apps and Hasura Auth write it: base32 in capitals, without padding.
func (s Secret) Base32() string { return s.text }

var encoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// ParseSecret reads a secret that Base32 or Hasura Auth wrote.
func ParseSecret(text string) (Secret, error) {
	text = strings.ToUpper(strings.TrimRight(text, "="))
	raw, err := encoding.DecodeString(text)
	if err != nil || strings.ContainsAny(text, "\r\n") || !wholeBytes(len(text)) { // the decoder skips line ends, and lets letters hang over
		return Secret{}, errors.New("totp: the secret is not base32")
	}
	if len(raw) < leastSecret {
		return Secret{}, fmt.Errorf("totp: the secret has %d bytes, and fewer than %d can be guessed", len(raw), leastSecret)
	}
	return Secret{text}, nil
}

// wholeBytes tells whether so many letters of base32, without padding, are a number of bytes.
func wholeBytes(letters int) bool {
	return encoding.EncodedLen(encoding.DecodedLen(letters)) == letters
}

// Enrolment is what a user's app is given.
type Enrolment struct {
	Secret   Secret
	ImageURL string // the QR code to scan: a PNG in a data URL
	uri      Secret // what the code says
}

// URI is what the QR code says. It has the secret in it.
func (e Enrolment) URI() string { return e.uri.text }

// Enrol makes a secret for an account, which the app shows under its name.
func (s Settings) Enrol(account string) (Enrolment, error) {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails: the process ends instead
	key, err := totp.Generate(totp.GenerateOpts{
		Issuer: s.Issuer, AccountName: label(account), Secret: raw,
		Period: uint(Period / time.Second), Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1,
	})
	if err != nil {
		return Enrolment{}, fmt.Errorf("totp: %w", err)
	}
	picture, err := key.Image(imageSize, imageSize)
	if err != nil {
		return Enrolment{}, fmt.Errorf("totp: %w", err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return Enrolment{}, fmt.Errorf("totp: %w", err)
	}
	return Enrolment{
		Secret:   Secret{encoding.EncodeToString(raw)},
		ImageURL: "data:image/png;base64," + base64.StdEncoding.EncodeToString(file.Bytes()),
		uri:      Secret{key.URL()},
	}, nil
}

// label makes an account's name fit for an app: short enough for the picture, without the colon that
// would end the issuer, never empty.
func label(account string) string {
	account = strings.Map(func(r rune) rune {
		if r == ':' || unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(account, ""))
	const most = 254 // the longest address
	if len(account) > most {
		account = strings.ToValidUTF8(account[:most], "")
	}
	if strings.TrimSpace(account) == "" {
		return "user"
	}
	return account
}

// Plausible tells whether a text can be a code at all: exactly six ASCII digits.
func Plausible(code string) bool {
	if len(code) != Digits {
		return false
	}
	for i := range len(code) {
		if code[i] < '0' || code[i] > '9' {
			return false
		}
	}
	return true
}

// Check tells whether a code is right at a time, and of which step it is: the latest, should it be
// right in two. All live codes are looked at, however early one fits.
func Check(s Secret, code string, now time.Time) (step int64, ok bool) {
	if !Plausible(code) || s.text == "" {
		return 0, false
	}
	present := Step(now)
	for i := int64(-Skew); i <= Skew; i++ {
		if present+i < 0 {
			continue
		}
		right, err := At(s, present+i)
		if err == nil && subtle.ConstantTimeCompare([]byte(right), []byte(code)) == 1 {
			step, ok = present+i, true
		}
	}
	return step, ok
}

// Step is the step that a time lies in.
func Step(t time.Time) int64 { return t.Unix() / int64(Period/time.Second) }

// At is the code of a step.
func At(s Secret, step int64) (string, error) {
	if step < 0 {
		return "", errors.New("totp: before 1970 there are no codes")
	}
	code, err := hotp.GenerateCodeCustom(s.text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return "", fmt.Errorf("totp: %w", err)
	}
	return code, nil
}

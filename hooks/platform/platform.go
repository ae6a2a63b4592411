// Package platform has the words of the auth service of Hasura's platform, 0.15: the webhooks preSignupHook and
// preLoginHook, which see a request as the client sent it before anything of it is looked at.
package platform

import "strings"

// The hooks, as authorizationHooks in auth.yaml had their names.
const (
	PreSignup = "preSignupHook"
	PreLogin  = "preLoginHook"
)

// Names are those of the hooks.
func Names() []string { return []string{PreSignup, PreLogin} }

// The variables, which say where the hooks are.
const (
	preSignupURL = "AUTH_HOOK_PRE_SIGNUP_URL"
	preLoginURL  = "AUTH_HOOK_PRE_LOGIN_URL"
)

// words are the platform's for our ways to sign up and in. Those after the first three are ours: the platform
// did not have the ways. A provider that vouches for somebody goes by its own name.
var words = map[string]string{
	"password":  "email",
	"sms":       "mobile",
	"link":      "email-passwordless",
	"otp":       "email-passwordless",
	"anonymous": "anonymous",
	"webauthn":  "webauthn",
	"pat":       "pat",
}

// providerOf is what the platform calls the way that a request takes.
func providerOf(method, provider string) string {
	if provider != "" {
		return provider
	}
	if word, known := words[method]; known {
		return word
	}
	return method
}

// countryCodes are the first digits of telephone numbers that are calling codes of one or two digits; all others
// have three (ITU-T E.164).
const countryCodes = " 1 7 20 27 30 31 32 33 34 36 39 40 41 43 44 45 46 47 48 49 51 52 53 54 55 56 57 58 60 61 62 63 64 65 66 81 82 84 86 90 91 92 93 94 95 98 "

// split takes a number such as +41791234567 apart, as the platform's clients did.
func split(number string) (country, mobile string) {
	digits := strings.TrimPrefix(number, "+")
	for n := 1; n <= 2 && n < len(digits); n++ {
		if strings.Contains(countryCodes, " "+digits[:n]+" ") {
			return digits[:n], digits[n:]
		}
	}
	n := min(3, len(digits))
	return digits[:n], digits[n:]
}

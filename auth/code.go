package auth

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Code names one refusal. A Code is an error, so a flow may return it bare, or wrap it with what
// the log should know:
//
//	fmt.Errorf("%w: user %s is disabled", auth.UserDisabled, u.ID)
//
// Only the code crosses a door; the text around it stays in the log.
type Code string

// Error makes a Code an error.
func (c Code) Error() string { return string(c) }

// The refusals. Each door has a table from these to its own status and words, and a test that
// walks Codes to prove the table complete.
const (
	Internal             Code = "internal"             // our fault: the text is in the log
	BadRequest           Code = "bad-request"          // the request makes no sense; see Invalid for the field
	NotFound             Code = "not-found"            // no such route
	Unauthorized         Code = "unauthorized"         // no valid bearer token
	NotElevated          Code = "not-elevated"         // the token must be of a fresh proof
	TooManyRequests      Code = "too-many-requests"    // see TooSoon for when to come back
	Overloaded           Code = "overloaded"           // the queue for password hashing is full; see TooSoon
	NotReady             Code = "not-ready"            // starting, stopping, or without a database
	EndpointDisabled     Code = "endpoint-disabled"    // the operator did not turn this on
	SignUpDisabled       Code = "signup-disabled"      // the operator takes no new users
	InvalidCredentials   Code = "invalid-credentials"  // unknown address or wrong password: one answer for both
	EmailNotAllowed      Code = "email-not-allowed"    // the access lists refuse the address
	UserDisabled         Code = "user-disabled"        // an operator locked the user
	UserBanned           Code = "user-banned"          // the same, for a time
	UserUnverified       Code = "user-unverified"      // the e-mail address is not confirmed yet
	PasswordMustChange   Code = "password-must-change" // an operator chose it, and whoever has it is to choose another
	UserAnonymous        Code = "user-anonymous"       // a guest may not do this
	EmailTaken           Code = "email-taken"          // another user has the address
	EmailVerified        Code = "email-verified"       // there is nothing left to verify
	PasswordTooShort     Code = "password-too-short"   // see AUTH_PASSWORD_MIN_LENGTH
	PasswordTooLong      Code = "password-too-long"    // longer than the hash takes whole
	PasswordTooPlain     Code = "password-too-plain"   // without a character of a kind that it needs; see AUTH_PASSWORD_REQUIRED_CHARACTERS
	PasswordLeaked       Code = "password-leaked"      // known from a breach (Have I Been Pwned)
	SamePassword         Code = "same-password"        // the new password is the old one
	RedirectNotAllowed   Code = "redirect-not-allowed" // outside the allow-list
	RoleNotAllowed       Code = "role-not-allowed"     // outside the server's default roles
	DefaultRoleNotInList Code = "default-role-not-in-list"
	InvalidRefreshToken  Code = "invalid-refresh-token" // unknown, expired, ended or replayed: one answer for all
	InvalidTicket        Code = "invalid-ticket"        // unknown, expired or spent: one answer for all
	InvalidExchange      Code = "invalid-exchange"      // PKCE: unknown code or wrong verifier
	InvalidToken         Code = "invalid-token"         // an access token given to be checked is not good
	MailNotConfigured    Code = "mail-not-configured"   // the flow needs mail and there is no mail server
	PhoneTaken           Code = "phone-taken"           // another user has the number
	UserExists           Code = "user-exists"           // who asks to sign up has an account
	UserNotAnonymous     Code = "user-not-anonymous"    // only a guest may do this
	InvalidOTP           Code = "invalid-otp"           // a typed code is wrong, expired or used up: one answer for all
	TooManyOTPs          Code = "too-many-otps"         // too many wrong codes: ask for another, or use the link
	CannotSendSMS        Code = "cannot-send-sms"       // no message can be sent to the number
	SMSNotConfigured     Code = "sms-not-configured"    // the flow needs text messages and there is no gateway
	InvalidPAT           Code = "invalid-pat"           // unknown, expired or revoked personal access token
	FactorRequired       Code = "factor-required"       // the second factor must be proved where that cannot be asked
	FactorUnsupported    Code = "factor-unsupported"    // the user's second factor is of a kind that is not asked for here
	FactorNameTaken      Code = "factor-name-taken"     // another second factor of the user has the name
	FactorNotActive      Code = "factor-not-active"     // the user has no second factor
	FactorActive         Code = "factor-active"         // the user has a second factor already
	NoFactorSecret       Code = "no-factor-secret"      // nothing was enrolled that could be confirmed
	InvalidTOTP          Code = "invalid-totp"          // a wrong code, or one that was used already
	InvalidPasskey       Code = "invalid-passkey"       // a WebAuthn answer that does not verify, or to no challenge of ours
	NoPasskey            Code = "no-passkey"            // the user has no passkey
	InvalidState         Code = "invalid-state"         // who comes back from a provider did not start here, or too long ago
	ProviderRefused      Code = "provider-refused"      // the provider says no; see the redirect for its words
	ProviderExchange     Code = "provider-exchange"     // the provider did not take its own code
	ProviderProfile      Code = "provider-profile"      // the provider did not say who it is
	IdentityTaken        Code = "identity-taken"        // another user has the identity
	InvalidIDToken       Code = "invalid-id-token"      // an ID token of another issuer, audience or nonce, or expired
	LastWayIn            Code = "last-way-in"           // removing it would lock the user out
	CaptchaMissing       Code = "captcha-missing"       // the request must prove that a person sends it
	CaptchaFailed        Code = "captcha-failed"        // the captcha service says it is no person
	CaptchaUnavailable   Code = "captcha-unavailable"   // the captcha service does not answer
	ClaimMissing         Code = "claim-missing"         // a claim that every token must have has no value for the user
	ClaimsUnavailable    Code = "claims-unavailable"    // a claim that every token must have cannot be computed; see TooSoon
	HookDenied           Code = "hook-denied"           // an operator's own code says no; see hooks.Denied
	HookFailed           Code = "hook-failed"           // an operator's own code did not answer as it should
	ScriptUnknown        Code = "script-unknown"        // there is no such script of a hook
	ScriptNameTaken      Code = "script-name-taken"     // another script has the name
	ScriptSecretTaken    Code = "script-secret-taken"   // the script has a secret of the name
	ScriptSecretUnknown  Code = "script-secret-unknown" // the script has no secret of the name
	TooManyScriptSecrets Code = "too-many-script-secrets"
	InvalidClient        Code = "invalid-client"        // a machine's id or secret is wrong: one answer for both
	AudienceNotAllowed   Code = "audience-not-allowed"  // a machine asks for a token for somebody it may not speak to
	ScopeMissing         Code = "scope-missing"         // the machine's token does not allow this
	Forbidden            Code = "forbidden"             // an operator without the right to do this
	Conflict             Code = "conflict"              // what an operator changes is no longer what they read
	UserReferenced       Code = "user-referenced"       // a user cannot go while rows of an application refer to them; see Referenced
	DeletionTooSlow      Code = "deletion-too-slow"     // deleting a user took longer than a request may
	RoleExists           Code = "role-exists"           // there is a role of the name
	RoleInUse            Code = "role-in-use"           // a role cannot go while somebody has it or something needs it; see RoleUsed
	Impersonated         Code = "impersonated"          // an operator acts as the user, and this is the user's alone
	InvalidGrant         Code = "invalid-grant"         // a code or refresh token that is none of the client's, expired or spent: one answer for all
	InvalidScope         Code = "invalid-scope"         // a client asks for what it may not have, or there is not
	WrongResponseType    Code = "wrong-response-type"   // a client wants an answer of another kind than a code
	WrongGrantType       Code = "wrong-grant-type"      // a client comes with something else than a code or a refresh token
	OAuthRequestUnknown  Code = "oauth-request-unknown" // what a client asked is answered, expired or of another user: one answer for all
	ConsentUnknown       Code = "consent-unknown"       // the user has allowed the client nothing
)

// Codes lists every Code, for the tests that prove a table complete.
func Codes() []Code {
	return slices.Clone(codes)
}

var codes = []Code{
	Internal, BadRequest, NotFound, Unauthorized, NotElevated, TooManyRequests, Overloaded,
	NotReady, EndpointDisabled, SignUpDisabled, InvalidCredentials, EmailNotAllowed, UserDisabled, UserBanned,
	UserUnverified, PasswordMustChange, UserAnonymous, EmailTaken, EmailVerified, PasswordTooShort, PasswordTooLong,
	PasswordTooPlain, PasswordLeaked, SamePassword, RedirectNotAllowed, RoleNotAllowed, DefaultRoleNotInList, InvalidRefreshToken,
	InvalidTicket, InvalidExchange, InvalidToken, MailNotConfigured,
	PhoneTaken, UserExists, UserNotAnonymous, InvalidOTP, TooManyOTPs, CannotSendSMS, SMSNotConfigured, InvalidPAT, FactorRequired, FactorUnsupported, FactorNameTaken, FactorNotActive, FactorActive, NoFactorSecret, InvalidTOTP, InvalidPasskey, NoPasskey, InvalidState, ProviderRefused, ProviderExchange, ProviderProfile, IdentityTaken, InvalidIDToken, LastWayIn, CaptchaMissing, CaptchaFailed, CaptchaUnavailable, ClaimMissing, ClaimsUnavailable, HookDenied, HookFailed,
	ScriptUnknown, ScriptNameTaken, ScriptSecretTaken, ScriptSecretUnknown, TooManyScriptSecrets, InvalidClient, AudienceNotAllowed, ScopeMissing,
	Forbidden, Conflict, UserReferenced, DeletionTooSlow, RoleExists, RoleInUse, Impersonated,
	InvalidGrant, InvalidScope, WrongResponseType, WrongGrantType, OAuthRequestUnknown, ConsentUnknown,
}

// CodeOf finds the Code in err, or Internal when there is none. Of nil it is empty.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	var c Code
	if errors.As(err, &c) {
		return c
	}
	return Internal
}

// TooSoon refuses for now: the caller may try again after RetryAfter. It unwraps to
// TooManyRequests or Overloaded.
type TooSoon struct {
	Code       Code
	RetryAfter time.Duration
}

// Error names the code and the wait.
func (e TooSoon) Error() string { return fmt.Sprintf("%s: try again in %s", e.Code, e.RetryAfter) }

// Unwrap gives the code.
func (e TooSoon) Unwrap() error { return e.Code }

// Invalid is a BadRequest that names the field and says what would be right. Both reach the
// client, so neither may repeat the value that was sent.
type Invalid struct {
	Field   string // as the client wrote it: "options.redirectTo"
	Problem string // "must be a string of 3 to 50 characters"
}

// Error is what the client reads.
func (e Invalid) Error() string { return e.Field + " " + e.Problem }

// Unwrap gives BadRequest.
func (e Invalid) Unwrap() error { return BadRequest }

// WeakPassword refuses a new password, and says all that is wrong with it. It unwraps to the first reason.
type WeakPassword struct {
	Reasons []Code   // at least one: PasswordTooShort, PasswordTooPlain, PasswordLeaked
	Least   int      // how many characters it needs
	Kinds   []string // of characters, of each of which it needs one
}

// Error lists the reasons.
func (e WeakPassword) Error() string {
	words := make([]string, len(e.Reasons))
	for i, r := range e.Reasons {
		words[i] = string(r)
	}
	return strings.Join(words, ", ")
}

// Unwrap gives the first reason.
func (e WeakPassword) Unwrap() error { return e.Reasons[0] }

// Referenced refuses to delete a user whom rows of an application refer to. Operators read which.
type Referenced struct {
	Table      string // with its schema: "public.orders"
	Constraint string
}

// Error is what an operator reads.
func (r Referenced) Error() string {
	return "Rows of " + r.Table + " refer to the user, and its constraint " + r.Constraint + " keeps them: nothing was changed"
}

// Unwrap gives UserReferenced.
func (Referenced) Unwrap() error { return UserReferenced }

// RoleUsed refuses to delete a role. Operators read who has it, or what needs it.
type RoleUsed struct {
	By string // "3 users may take it"
}

// Error is what an operator reads.
func (r RoleUsed) Error() string { return "The role is in use: " + r.By + ". Nothing was changed" }

// Unwrap gives RoleInUse.
func (RoleUsed) Unwrap() error { return RoleInUse }

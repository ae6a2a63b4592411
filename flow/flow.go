// Package flow holds the verbs: one file for each thing a person does. A flow speaks plain structs;
// it has never heard of HTTP. Each reads in one order:
//
//	load    what is known
//	decide  what follows from it, in plain code
//	ask     whoever else has a say, while no transaction is open
//	commit  the change, guarded against what changed since it was loaded
//	speak   the answer
package flow

import (
	"fmt"
	"time"

	"postern/auth"
	"postern/claims"
	"postern/hooks"
	"postern/passkeys"
	"postern/passwords"
	"postern/providers"
	"postern/sms"
	"postern/store"
	"postern/tokens"
	"postern/totp"
)

// Settings are the policy that flows decide by.
type Settings struct {
	ServerURL            string        `env:"AUTH_SERVER_URL" format:"url" doc:"Public address of this service, its path prefix included; links in mails start with it."`
	ClientURL            string        `env:"AUTH_CLIENT_URL" format:"url" doc:"Address of the application; links lead there unless a request says otherwise."`
	AllowedRedirects     []string      `env:"AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS" doc:"Further addresses that links may lead to, with all that lies below them; * stands for one label or path segment, ** for any."`
	RefreshTokenLife     time.Duration `env:"AUTH_REFRESH_TOKEN_EXPIRES_IN" default:"2592000" gotrue:"315360000" unit:"s" min:"1s" doc:"How long a session lasts without a refresh."`
	RefreshWindow        time.Duration `env:"AUTH_REFRESH_TOKEN_REUSE_INTERVAL" default:"10s" min:"0s" max:"5m" doc:"How long the refresh token before the current one gets the same answer again, so that tabs and retries throw nobody out."`
	ReuseEnds            bool          `env:"AUTH_REFRESH_TOKEN_REUSE_ENDS_SESSION" default:"true" doc:"End a session of which two parties are seen to hold refresh tokens. Where it is false the older token is refused, and the session goes on for whoever has the newer one, be that its owner or a thief. Sessions of OAuth clients end all the same."`
	SessionIdle          time.Duration `env:"AUTH_SESSION_IDLE_TIMEOUT" default:"0s" min:"0s" doc:"How long a session may go without a refresh before it ends; 0 means as long as the refresh token lives. Clients refresh shortly before their access token expires, so it must be longer than AUTH_ACCESS_TOKEN_EXPIRES_IN."`
	SessionMaxLife       time.Duration `env:"AUTH_SESSION_MAX_LIFETIME" default:"0s" min:"0s" doc:"How long a session may last in all, however often it is refreshed; 0 means any time. A tighter limit holds for open sessions too."`
	SessionLimit         int           `env:"AUTH_SESSION_LIMIT" default:"0" min:"0" doc:"Most sessions a user has at once: a new one ends the oldest. 0 means any number."`
	SessionLimitByRole   []string      `env:"AUTH_SESSION_LIMIT_BY_ROLE" doc:"The same for users who may take a role, as role=number (admin=1,support=5), in the place of AUTH_SESSION_LIMIT; of several the strictest counts."`
	DisableSignUp        bool          `env:"AUTH_DISABLE_SIGNUP" default:"false" doc:"Take no new users."`
	DisableNewUsers      bool          `env:"AUTH_DISABLE_NEW_USERS" default:"false" doc:"Create new users locked, until an operator enables them."`
	DisableAutoSignUp    bool          `env:"AUTH_DISABLE_AUTO_SIGNUP" default:"false" doc:"Signing in creates no users; who is new must ask to sign up."`
	SignInByLink         bool          `env:"AUTH_EMAIL_PASSWORDLESS_ENABLED" default:"false" gotrue:"true" doc:"Let users sign in by a link in a mail."`
	SignInByEmailCode    bool          `env:"AUTH_OTP_EMAIL_ENABLED" default:"false" doc:"Let users sign in by a code in a mail."`
	SignInBySMS          bool          `env:"AUTH_SMS_PASSWORDLESS_ENABLED" default:"false" doc:"Let users sign in by a code in a text message."`
	Guests               bool          `env:"AUTH_ANONYMOUS_USERS_ENABLED" default:"false" doc:"Let people in as guests, who may sign up later and keep what they made."`
	Passkeys             bool          `env:"AUTH_WEBAUTHN_ENABLED" default:"false" doc:"Let users sign in by passkeys and security keys (WebAuthn)."`
	MostPasskeys         int           `env:"AUTH_WEBAUTHN_USER_LIMIT" default:"50" gotrue:"10" min:"1" max:"100" doc:"Most passkeys that one user may add."`
	MFA                  bool          `env:"AUTH_MFA_ENABLED" default:"false" gotrue:"true" doc:"Let users turn on a second factor (TOTP). Who has one proves it, or turns it off, whether or not."`
	KeyFactors           bool          `env:"AUTH_MFA_WEBAUTHN_ENABLED" default:"false" doc:"Let users have security keys and other authenticators (WebAuthn) as second factors, several of them; they are no passkeys, and nobody signs in by them alone. They are turned on at the API for clients of Supabase Auth. AUTH_WEBAUTHN_RP_ID and AUTH_WEBAUTHN_RP_ORIGINS say where they may be used. Who has one proves it, or turns it off, whether or not."`
	MFAPhone             bool          `env:"AUTH_MFA_PHONE_ENABLED" default:"false" doc:"Let users have a telephone as a second factor, which is sent codes in text messages: with clients of Supabase Auth, which alone ask for it. Who has one proves it, or turns it off, whether or not."`
	MFAPhoneEvery        time.Duration `env:"AUTH_MFA_PHONE_MAX_FREQUENCY" default:"1m" min:"0s" max:"1h" doc:"How long a user waits for another text message of a second factor; 0 means not at all, and the limits on text messages count all the same."`
	MFASignIns           string        `env:"AUTH_MFA_SIGN_INS" default:"all" oneof:"all password" doc:"Which sign-ins ask for a second factor that the user has turned on: all that proved only one, or, as in Hasura Auth, those by password alone."`
	RequireVerifiedEmail bool          `env:"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED" default:"true" doc:"Users must confirm their e-mail address before they can sign in."`
	DefaultRole          string        `env:"AUTH_USER_DEFAULT_ROLE" default:"user" doc:"Role of a new user."`
	AllowedRoles         []string      `env:"AUTH_USER_DEFAULT_ALLOWED_ROLES" default:"me" doc:"Roles that a new user may take; the default role is added."`
	DefaultLocale        string        `env:"AUTH_LOCALE_DEFAULT" default:"en" doc:"Locale of mails when a user has none that is allowed."`
	AllowedLocales       []string      `env:"AUTH_LOCALE_ALLOWED_LOCALES" default:"en" doc:"Locales that a user may choose; the default is added."`
	Gravatar             bool          `env:"AUTH_GRAVATAR_ENABLED" default:"true" doc:"Give new users their picture from Gravatar."`
	GravatarDefault      string        `env:"AUTH_GRAVATAR_DEFAULT" default:"blank" oneof:"blank identicon monsterid wavatar retro robohash mp 404" doc:"Picture for addresses that Gravatar does not know."`
	GravatarRating       string        `env:"AUTH_GRAVATAR_RATING" default:"g" oneof:"g pg r x" doc:"Strongest content rating of Gravatar pictures."`
	BlockedEmails        []string      `env:"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS" doc:"Addresses that may not sign up or in."`
	AllowedEmails        []string      `env:"AUTH_ACCESS_CONTROL_ALLOWED_EMAILS" doc:"Addresses that may sign up and in, even from a blocked domain; when this or the allowed domains are set, all others may not."`
	BlockedDomains       []string      `env:"AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS" doc:"Domains whose addresses may not sign up or in."`
	AllowedDomains       []string      `env:"AUTH_ACCESS_CONTROL_ALLOWED_EMAIL_DOMAINS" doc:"Domains whose addresses may sign up and in; when this or the allowed addresses are set, all others may not."`
	Elevation            string        `env:"AUTH_REQUIRE_ELEVATED_CLAIM" default:"disabled" oneof:"disabled recommended required" doc:"Whether changing credentials needs a fresh proof: never, for users who have a way to give one, or always."`
	MailsPerHour         int           `env:"AUTH_EMAIL_USER_HOURLY_LIMIT" default:"10" min:"1" doc:"Most mails of one kind that one user is sent in an hour, whoever asks for them."`
	MessagesPerHour      int           `env:"AUTH_SMS_USER_HOURLY_LIMIT" default:"10" min:"1" doc:"Most text messages that one user, and one number, is sent in an hour, whoever asks for them. A telephone that is a second factor is sent as many besides, for its user alone."`
	CodeLength           int           `env:"AUTH_OTP_LENGTH" default:"6" min:"6" max:"10" doc:"Digits of a code that is sent to be typed. A Twilio Verify service has a length of its own, which must not be shorter."`
	TextCodeLength       int           `env:"AUTH_SMS_OTP_LENGTH" default:"0" min:"0" max:"10" doc:"The same for a code in a text message, from 6 to 10; 0 is AUTH_OTP_LENGTH."`
	TextCodeLife         time.Duration `env:"AUTH_SMS_OTP_EXP" unit:"s" default:"300" min:"30s" max:"1h" doc:"How long a code in a text message is good for. Codes of a Twilio Verify service are good for ten minutes."`
	TestCodes            []string      `env:"AUTH_SMS_TEST_OTP" secret:"true" doc:"Numbers for tests with a fixed code each, as number:code (15550100:123456,15550101:654321): nothing is sent there but codes of second factors, and whoever knows the code signs in. A code has 6 to 10 digits. Never name a number of a person."`
	TestCodesUntil       string        `env:"AUTH_SMS_TEST_OTP_VALID_UNTIL" doc:"Until when those codes are good, such as 2030-01-31T00:00:00Z; empty means for ever."`
	CodeFailures         int           `env:"AUTH_OTP_USER_FAILURE_LIMIT" default:"18" min:"5" doc:"Wrong codes that may be typed for one user in the interval below, wherever they come from. Links in mails go on working when they are used up."`
	CodeFailureWindow    time.Duration `env:"AUTH_OTP_USER_FAILURE_INTERVAL" default:"168h" min:"1h" max:"8784h" doc:"Interval of the limit on wrong codes. Length, limit and interval together must keep the chance to guess a code of one user in a year below one in a thousand."`
}

// Check reports what the settings contradict.
func (s Settings) Check(report func(env, problem string)) {
	if _, err := newRedirects(s.ClientURL, s.AllowedRedirects); err != nil {
		report("AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS", err.Error())
	}
	if _, err := newSessionLimits(s); err != nil {
		report("AUTH_SESSION_LIMIT_BY_ROLE", err.Error())
	}
	if n := len(s.DefaultLocale); n < 2 || n > 3 {
		report("AUTH_LOCALE_DEFAULT", "must be a locale of 2 or 3 letters, such as en")
	}
	if n := s.TextCodeLength; n != 0 && n < 6 {
		report("AUTH_SMS_OTP_LENGTH", "must be from 6 to 10, or 0 for AUTH_OTP_LENGTH")
	}
	if _, wrong := newTestCodes(s); wrong != nil {
		report(wrong.env, wrong.problem)
	}
	if chance := s.guessChance(); chance > maxGuessChance {
		report("AUTH_OTP_USER_FAILURE_LIMIT", fmt.Sprintf("lets somebody guess a code of %d digits with a chance of %.2g for each user and year, more than %g: allow fewer wrong codes, in a longer AUTH_OTP_USER_FAILURE_INTERVAL, or set a greater AUTH_OTP_LENGTH",
			s.shortestCode(), chance, maxGuessChance))
	}
}

// Kit is what every flow may use.
type Kit struct {
	Store     *store.DB
	Signer    *tokens.Signer
	Keys      *tokens.Keyring
	Passwords *passwords.Hasher
	Passkeys  *passkeys.RP   // nil where no domain is known that they could belong to
	Claims    *claims.Mapper // nil means that there are none
	Hooks     *hooks.Hooks   // nil means that nobody else has a say
	Policy    *Policy
	Now       func() time.Time

	PasswordPolicy  *passwords.Policy
	TOTP            totp.Settings
	Pacer           *passwords.Pacer
	Answers         *Answers // about mails
	SMS             *sms.Gateway
	Providers       *providers.Table
	Refusals        *Answers // what a refused sign-in asks of the database, beside its hash
	Questions       *Answers // what it asks of hooks
	AccessTokenLife time.Duration
	MailReady       bool      // there is a mail server to send through
	SMSReady        bool      // there is a gateway to send text messages through
	Supabase        bool      // access tokens say what Supabase's say, too, and whoever gets one is told all that is known of the user
	Mails           Mails     // how mails with links are written
	Sending         *Sending  // what may be sent in all; nil where the door counts requests
	Door            string    // marks the states of people whom the door sends to providers; empty for one door, see DoorOf
	Callback        string    // where providers send people back to; empty means an address for each provider, below ServerURL
	HandBack        bool      // Hasura Auth may be started again on this database: nothing that it could not read is written
	HandBackSealed  bool      // and it reads TOTP secrets that are encrypted
	AdoptedUntil    time.Time // until when tickets of the Hasura Auth that was replaced may still live
}

// Policy is Settings made ready: lists as sets, the redirect allow-list compiled.
type Policy struct {
	Settings
	Failures store.Guard // how many attempts may fail, per client; Key is not used
	Lockout  store.Guard // how many attempts may fail, per account; Key is not used
	// ResetsProve has whoever opens the mail to reset a password confirm their address, who then need not
	// have done so before.
	ResetsProve bool
	// FactorLater has who has a second factor get a session at once, which is good for little until they prove it there.
	// Doors where it is not set ask for the second factor before there is a session, and take no such session.
	FactorLater bool
	// Reauthenticate has who changes their password give a fresh proof, unless they have signed in lately: the code that Reauthenticate
	// sends, or an elevated session.
	Reauthenticate bool
	// KnowsPassword has who changes their password type the current one, unless a mail or a text message let them in lately: AccountChange.Current, or
	// an elevated session.
	KnowsPassword bool
	// BothAddresses has a change of address confirmed at the current address, too.
	BothAddresses bool
	// GuestsLink has guests become users by linking an identity.
	GuestsLink bool
	// GuestsProve has guests become users by proving an address or a number that they asked for.
	GuestsProve bool
	// Intervals are between two messages that one person asks this door for.
	Intervals Intervals
	redirects redirects
	access    access
	limits    sessionLimits
	testCodes testCodes
}

// NewPolicy makes settings ready. The errors are those that Settings.Check reports.
func NewPolicy(s Settings, failures, lockout store.Guard) (*Policy, error) {
	r, err := newRedirects(s.ClientURL, s.AllowedRedirects)
	if err != nil {
		return nil, err
	}
	limits, err := newSessionLimits(s)
	if err != nil {
		return nil, err
	}
	codes, wrong := newTestCodes(s)
	if wrong != nil {
		return nil, wrong
	}
	s.AllowedRoles = with(s.AllowedRoles, s.DefaultRole)
	s.AllowedLocales = with(s.AllowedLocales, s.DefaultLocale)
	return &Policy{Settings: s, Failures: failures, Lockout: lockout, redirects: r, access: newAccess(s), limits: limits, testCodes: codes}, nil
}

// SignUp is the desk for people who come for the first time.
type SignUp struct{ Kit }

// SignIn is the desk for people who come back.
type SignIn struct{ Kit }

// Sessions is the desk where sessions go on and end.
type Sessions struct{ Kit }

// Account is the desk where signed-in users change what is theirs, and where those who cannot
// sign in ask for help.
type Account struct{ Kit }

// Links is the desk for whoever opens a link of a mail.
type Links struct{ Kit }

// with appends x to list unless it is there.
func with(list []string, x string) []string {
	for _, s := range list {
		if s == x {
			return list
		}
	}
	return append(append(make([]string, 0, len(list)+1), list...), x)
}

// entry begins a journal entry about a user.
func (k *Kit) entry(event, userID string, c auth.Client, now time.Time) store.Entry {
	return store.Entry{Event: event, UserID: userID, Client: c, At: now}
}

// Package auth holds the nouns of the house: what a user, a session and a grant are called, who
// may act, and why one may be refused. It is the ground floor: it imports the standard library
// alone and every other package may import it.
//
// A noun carries no secret. What must stay secret (hashes, seeds) lives in types of package store
// that never leave a flow, so that a noun may be logged, shown to a hook or sent to a client.
package auth

import (
	"encoding/json"
	"net/netip"
	"strings"
	"time"
)

// AppMetadata is the member of a user's metadata that is the application's alone: what clients give under the
// name does not count.
const AppMetadata = "app_metadata"

// User is a person, or a guest.
type User struct {
	ID                  string // UUID
	CreatedAt           time.Time
	UpdatedAt           time.Time
	LastSeen            time.Time // zero when the user has never signed in
	Disabled            bool
	BannedUntil         time.Time // locked until then; zero when never banned
	DeletedAt           time.Time // counts as deleted since then, though the row is there; zero when not
	DisplayName         string
	AvatarURL           string
	Locale              string // of mails and messages: "en"
	Email               string // empty for guests and users without an address
	EmailVerified       bool
	NewEmail            string // an address the user asked to change to and has not confirmed
	PhoneNumber         string // empty when there is none
	PhoneNumberVerified bool
	DefaultRole         string
	Roles               []string // as stored; AllowedRoles adds the default role
	IsAnonymous         bool
	ActiveMFAType       string          // "totp" where an authenticator app is a second factor; Hasura Auth knows "sms", too
	OtherFactors        []string        // kinds of the active second factors beside that
	Vouched             bool            // a provider knows the user, whose address nobody has confirmed
	Metadata            json.RawMessage // what the application stored; nil or JSON null when nothing
}

// Locked says why the user may not come in at a time; nil when they may. Whoever counts as deleted is
// disabled.
func (u User) Locked(now time.Time) error {
	switch {
	case u.Disabled, !u.DeletedAt.IsZero():
		return UserDisabled
	case u.BannedUntil.After(now):
		return UserBanned
	}
	return nil
}

// IsLocked tells whether the user may not come in at the moment.
func (u User) IsLocked(now time.Time) bool { return u.Locked(now) != nil }

// AllowedRoles lists the roles the user may take, the default role among them.
func (u User) AllowedRoles() []string {
	for _, r := range u.Roles {
		if r == u.DefaultRole {
			return u.Roles
		}
	}
	return append(append(make([]string, 0, len(u.Roles)+1), u.Roles...), u.DefaultRole)
}

// Session is one signed-in device. It is a row of auth.refresh_tokens; its ID never changes while
// its refresh token is exchanged for the next one again and again.
type Session struct {
	ID        string // UUID: refreshTokenId of one dialect, session_id of the other
	UserID    string
	CreatedAt time.Time
	ExpiresAt time.Time // moves forward with each refresh
	AAL       int       // authenticator assurance level, 1 or 2
	AMR       []Method  // how the user proved who they are, latest last
	FactorDue bool      // the user has a second factor and has not proved it: only doors that can ask for it take such a session
}

// Method is one proof of identity (RFC 8176 calls the list amr).
type Method struct {
	Method    string    `json:"method"` // "password", "magiclink", "totp", …
	Timestamp time.Time `json:"timestamp"`
}

// Grant is what a sign-in or a refresh ends in.
type Grant struct {
	User         User
	Session      Session
	AccessToken  string
	RefreshToken string
	ExpiresIn    time.Duration // life of the access token, counted from now
	Details      *Details      // nil where the dialect does not tell of them
}

// Admission is how a sign-in ends: in a session, or in the ticket of a second factor that is still
// due. Neither means that something else must happen first, such as confirming an address.
type Admission struct {
	Grant        *Grant
	FactorTicket string // "mfaTotp:<uuid>"
	// Weak says that the password that was proved would not be taken as a new one; nil when it would.
	Weak *WeakPassword
}

// Client says where a request comes from. Both fields are what the network and the peer claim;
// neither is proof of anything.
type Client struct {
	Address   netip.Addr // behind trusted proxies, the one they report
	UserAgent string
	Logging   AddressLogging // how much of the address the audit log gets
}

// AddressLogging says how much of an address is kept for people to read.
type AddressLogging string

// The ways to log an address.
const (
	LogNetwork AddressLogging = ""     // its network, see Prefix
	LogNone    AddressLogging = "none" // nothing
	LogAddress AddressLogging = "full" // all of it
)

// Logged is the address as the audit log keeps it.
func (c Client) Logged() string {
	a := c.Address.Unmap().WithZone("")
	switch {
	case c.Logging == LogNone || !a.IsValid():
		return ""
	case c.Logging == LogAddress:
		return a.String()
	}
	return c.Prefix()
}

// Prefix is the network the address belongs to: /24 for IPv4, /64 for IPv6. One household or one
// phone moves within it; an attacker elsewhere does not. Rate limits and the judgement of late
// refreshes look at it instead of the address.
func (c Client) Prefix() string {
	a := c.Address.Unmap().WithZone("")
	if !a.IsValid() {
		return ""
	}
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return ""
	}
	return p.String()
}

// Bucket names the client in rate limits: an IPv4 address, or the /64 of an IPv6 address, since
// whoever has one address of a /64 has them all.
func (c Client) Bucket() string {
	if a := c.Address.Unmap(); a.Is4() {
		return a.String()
	}
	return c.Prefix()
}

// Actor is who asks: the bearer of an access token, or an operator. It is passed to flows as a
// parameter, never hidden in a context.
type Actor struct {
	UserID    string // empty for an operator who is no user: one who has the admin secret
	SessionID string // empty in tokens that an older server issued
	Elevated  bool   // proved again lately, see AUTH_REQUIRE_ELEVATED_CLAIM
	FactorDue bool   // the session has not proved the second factor that its user has
	Rights    Rights // what the actor may do with other people's accounts
	// Impersonator is the operator who holds the token in the place of the user: their id, or "operator" for
	// one who is no user. Such an actor sees what the user sees, and changes nothing of the account.
	Impersonator string
	Issued, Ends time.Time // of the access token, to the second; zero where there is none
}

// Rights say what somebody may do as an operator, with the accounts of others and with the service.
type Rights int

// The rights, each with those before it.
const (
	NoRights     Rights = iota // those of every user: their own account
	ReadRights                 // see everything that an operator may see
	ChangeRights               // and change it
	AllRights                  // and make somebody more than an operator is: those of who came with the admin secret alone
)

// Purpose says what a one-time secret is for. A secret of one purpose is never accepted for
// another.
type Purpose string

// The purposes. The ones with a capital inside are also the prefix of the ticket as clients see
// it ("passwordReset:<uuid>"), as Hasura Auth writes it.
const (
	VerifyEmail        Purpose = "verifyEmail"
	ConfirmEmailChange Purpose = "emailConfirmChange"
	SignInByEmail      Purpose = "passwordlessEmail"
	ResetPassword      Purpose = "passwordReset"
	Invitation         Purpose = "invitation"       // an operator asks somebody in who has an account and never came
	SecondFactor       Purpose = "mfaTotp"          // the first factor is proved, the second is due
	FactorChallenge    Purpose = "factor-challenge" // a session is about to prove the second factor

	ExchangeCode      Purpose = "code" // a PKCE authorization code (RFC 7636)
	SignInByEmailCode Purpose = "email-code"
	SignInBySMS       Purpose = "sms-code"
	ChangePhone       Purpose = "phone-change"
	Reauthenticate    Purpose = "reauthentication" // of who is signed in, to change the password
	ElevateByEmail    Purpose = "elevate-email"
	ElevateBySMS      Purpose = "elevate-sms"
	PasskeySignUp     Purpose = "passkey-signup" // a WebAuthn challenge, as the next three
	PasskeySignIn     Purpose = "passkey-signin"
	PasskeyAdd        Purpose = "passkey-add"
	PasskeyElevate    Purpose = "passkey-elevate"
	ProviderState     Purpose = "provider-state"  // a person is at another provider and will come back
	ProviderLink      Purpose = "provider-link"   // the same, to link the identity to their account
	ProviderSetOut    Purpose = "provider-setout" // a browser will go to a provider to link an identity
	ProviderSignIn    Purpose = "provider-signin" // the person came back, and the application has a code to exchange
	OAuthRequest      Purpose = "oauth-request"   // a client of the OAuth server wants something of whoever is at the browser
	OAuthCode         Purpose = "oauth-grant"     // the user said yes, and the client has a code to exchange
)

// ofCodes ends the purposes of codes that come with a link and do what it does.
const ofCodes = "-code"

// Code is the purpose of the code that comes in one mail with a link of this purpose.
func (p Purpose) Code() Purpose { return p + ofCodes }

// Link is the purpose of the link that comes with a code of this purpose, if one does.
func (p Purpose) Link() (of Purpose, ok bool) {
	text, ok := strings.CutSuffix(string(p), ofCodes)
	return Purpose(text), ok
}

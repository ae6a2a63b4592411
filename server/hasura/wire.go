package hasura

import (
	"cmp"
	"encoding/json"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/tokens"
)

// session is a session as clients store it.
type session struct {
	AccessToken          string `json:"accessToken"`
	AccessTokenExpiresIn int    `json:"accessTokenExpiresIn"`
	RefreshToken         string `json:"refreshToken"`
	RefreshTokenID       string `json:"refreshTokenId"`
	User                 user   `json:"user"`
}

// sessionPayload leaves the member out when there is no session, as clients expect.
type sessionPayload struct {
	Session *session `json:"session,omitempty"`
}

// admissionPayload is how a sign-in ends: in a session, or in the ticket of the second factor.
type admissionPayload struct {
	Session *session `json:"session,omitempty"`
	MFA     *mfa     `json:"mfa,omitempty"`
}

type mfa struct {
	Ticket string `json:"ticket"`
}

func toAdmission(a auth.Admission) admissionPayload {
	out := admissionPayload{Session: toSession(a.Grant)}
	if a.FactorTicket != "" {
		out.MFA = &mfa{a.FactorTicket}
	}
	return out
}

type user struct {
	ID                  string          `json:"id"`
	CreatedAt           time.Time       `json:"createdAt"`
	DisplayName         string          `json:"displayName"`
	AvatarURL           string          `json:"avatarUrl"`
	Locale              string          `json:"locale"`
	Email               string          `json:"email,omitempty"`
	EmailVerified       bool            `json:"emailVerified"`
	PhoneNumber         string          `json:"phoneNumber,omitempty"`
	PhoneNumberVerified bool            `json:"phoneNumberVerified"`
	IsAnonymous         bool            `json:"isAnonymous"`
	DefaultRole         string          `json:"defaultRole"`
	Roles               []string        `json:"roles"`
	Metadata            json.RawMessage `json:"metadata"`
	ActiveMFAType       *string         `json:"activeMfaType"`
}

func toUser(u auth.User) user {
	out := user{
		ID: u.ID, CreatedAt: u.CreatedAt.UTC(), DisplayName: u.DisplayName, AvatarURL: u.AvatarURL, Locale: u.Locale,
		Email: u.Email, EmailVerified: u.EmailVerified, PhoneNumber: u.PhoneNumber, PhoneNumberVerified: u.PhoneNumberVerified,
		IsAnonymous: u.IsAnonymous, DefaultRole: u.DefaultRole, Roles: u.AllowedRoles(), Metadata: u.Metadata,
	}
	if len(out.Metadata) == 0 {
		out.Metadata = json.RawMessage("null")
	}
	if u.ActiveMFAType != "" {
		out.ActiveMFAType = &u.ActiveMFAType
	}
	return out
}

func toSession(g *auth.Grant) *session {
	if g == nil {
		return nil
	}
	return &session{
		AccessToken: g.AccessToken, AccessTokenExpiresIn: int(g.ExpiresIn / time.Second),
		RefreshToken: g.RefreshToken, RefreshTokenID: g.Session.ID, User: toUser(g.User),
	}
}

type signUpPasswordRequest struct {
	server.Verbatim `json:"-"`

	Email         string        `json:"email"`
	Password      string        `json:"password"`
	Options       signUpOptions `json:"options"`
	CodeChallenge *string       `json:"codeChallenge"`
}

// Check tells what is wrong with the request.
func (in *signUpPasswordRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), newPasswordIn("password", in.Password), in.Options.check("options."),
		challengeIn(in.CodeChallenge))
}

type signUpOptions struct {
	AllowedRoles []string        `json:"allowedRoles"`
	DefaultRole  *string         `json:"defaultRole"`
	DisplayName  *string         `json:"displayName"`
	Locale       *string         `json:"locale"`
	Metadata     json.RawMessage `json:"metadata"`
	RedirectTo   string          `json:"redirectTo"`
}

func (o *signUpOptions) check(at string) error {
	for _, r := range o.AllowedRoles {
		if r == "" || len(r) > maxRole {
			return auth.Invalid{Field: at + "allowedRoles", Problem: "must be a list of role names of 1 to 100 characters"}
		}
	}
	if len(o.AllowedRoles) > maxRoles {
		return auth.Invalid{Field: at + "allowedRoles", Problem: "must not list more than 100 roles"}
	}
	if o.DefaultRole != nil && (*o.DefaultRole == "" || len(*o.DefaultRole) > maxRole) {
		return auth.Invalid{Field: at + "defaultRole", Problem: "must be a role name of 1 to 100 characters"}
	}
	if o.DisplayName != nil && (utf8.RuneCountInString(*o.DisplayName) > 32 || !displayName.MatchString(*o.DisplayName)) {
		return auth.Invalid{Field: at + "displayName", Problem: "must be 1 to 32 letters, digits, blanks, symbols, commas, dots, apostrophes or hyphens"}
	}
	if o.Locale != nil && !locale.MatchString(*o.Locale) {
		return auth.Invalid{Field: at + "locale", Problem: "must be a locale of 2 or 3 letters"}
	}
	if len(o.Metadata) > 0 && jsontext.Value(o.Metadata).Kind() != '{' {
		return auth.Invalid{Field: at + "metadata", Problem: "must be an object"}
	}
	if len(o.Metadata) > maxMetadata {
		return auth.Invalid{Field: at + "metadata", Problem: "must not be longer than 32 KiB"}
	}
	return nil
}

func (o *signUpOptions) toFlow() flow.Options {
	return flow.Options{
		AllowedRoles: o.AllowedRoles, DefaultRole: text(o.DefaultRole), DisplayName: text(o.DisplayName),
		Locale: text(o.Locale), Metadata: o.Metadata, RedirectTo: o.RedirectTo,
	}
}

const (
	maxRole     = 100
	maxRoles    = 100
	maxMetadata = 32 << 10 // it comes back with every session
)

var (
	displayName = regexp.MustCompile(`^[\p{L}\p{N}\p{S} ,.'-]+$`)
	locale      = regexp.MustCompile(`^[A-Za-z]{2,3}$`)
	uuid        = regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$`)
)

// linkRequest asks for a mail with a link that signs in.
type linkRequest struct {
	server.Verbatim `json:"-"`

	Email         string        `json:"email"`
	Options       signUpOptions `json:"options"`
	CodeChallenge *string       `json:"codeChallenge"`
}

// Check tells what is wrong with the request.
func (in *linkRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), in.Options.check("options."), challengeIn(in.CodeChallenge))
}

type signInPasswordRequest struct {
	server.Verbatim `json:"-"`

	Email    string `json:"email"`
	Password string `json:"password"`
}

// Check tells what is wrong with the request.
func (in *signInPasswordRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), passwordIn("password", in.Password))
}

type refreshRequest struct {
	RefreshToken string `json:"refreshToken"`
}

// Check tells what is wrong with the request.
func (in *refreshRequest) Check() error {
	if !uuid.MatchString(in.RefreshToken) {
		return auth.Invalid{Field: "refreshToken", Problem: "must be a UUID in lower case"}
	}
	return nil
}

type verifyTokenRequest struct {
	Token string `json:"token"`
}

type signOutRequest struct {
	RefreshToken string `json:"refreshToken"`
	All          bool   `json:"all"`
}

type exchangeRequest struct {
	Code         string `json:"code"`
	CodeVerifier string `json:"codeVerifier"`
}

// Check tells what is wrong with the request.
func (in *exchangeRequest) Check() error {
	if in.Code == "" || len(in.Code) > 128 {
		return auth.Invalid{Field: "code", Problem: "must be the code of the redirect"}
	}
	if !tokens.ValidVerifier(in.CodeVerifier) {
		return auth.Invalid{Field: "codeVerifier", Problem: "must be 43 to 128 letters, digits, hyphens, dots, underscores or tildes (RFC 7636)"}
	}
	return nil
}

type changePasswordRequest struct {
	NewPassword string  `json:"newPassword"`
	Ticket      *string `json:"ticket"`
}

// Check tells what is wrong with the request.
func (in *changePasswordRequest) Check() error {
	if err := newPasswordIn("newPassword", in.NewPassword); err != nil {
		return err
	}
	if in.Ticket != nil && (!strings.HasPrefix(*in.Ticket, "passwordReset:") || len(*in.Ticket) > maxTicket) {
		return auth.Invalid{Field: "ticket", Problem: "must be the ticket of a password reset mail, such as passwordReset:<uuid>"}
	}
	return nil
}

const maxTicket = 128

// mailRequest asks for a mail to an address.
type mailRequest struct {
	Email         string          `json:"email"`
	Options       redirectOptions `json:"options"`
	CodeChallenge *string         `json:"codeChallenge"`
}

type redirectOptions struct {
	RedirectTo string `json:"redirectTo"`
}

// Check tells what is wrong with the request.
func (in *mailRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), challengeIn(in.CodeChallenge))
}

type changeEmailRequest struct {
	NewEmail      string          `json:"newEmail"`
	Options       redirectOptions `json:"options"`
	CodeChallenge *string         `json:"codeChallenge"`
}

// Check tells what is wrong with the request.
func (in *changeEmailRequest) Check() error {
	return cmp.Or(emailIn("newEmail", in.NewEmail), challengeIn(in.CodeChallenge))
}

func emailIn(field, s string) error {
	if !flow.ValidEmail(s) {
		return auth.Invalid{Field: field, Problem: "must be an e-mail address"}
	}
	return nil
}

// newPasswordIn refuses what no password can be; how long one must and may be is a matter of policy.
func newPasswordIn(field, s string) error {
	if s == "" {
		return auth.Invalid{Field: field, Problem: "must be a password"}
	}
	return nil
}

// passwordIn refuses what cannot be anybody's password.
func passwordIn(field, s string) error {
	if s == "" || len(s) > 1024 {
		return auth.Invalid{Field: field, Problem: "must be a password of 1 to 1024 bytes"}
	}
	return nil
}

func challengeIn(s *string) error {
	if s != nil && !tokens.ValidChallenge(*s) {
		return auth.Invalid{Field: "codeChallenge", Problem: "must be the base64url SHA-256 of the verifier, 43 characters (RFC 7636)"}
	}
	return nil
}

// text is the string behind an optional member.
func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

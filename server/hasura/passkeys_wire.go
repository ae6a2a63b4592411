package hasura

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/passkeys"
	"postern/server"
)

// creationOptions ask a browser for a new key. They are what SimpleWebAuthn takes: not wrapped in
// publicKey, and with the user's id as plain text.
type creationOptions struct {
	RP                     relyingParty            `json:"rp"`
	User                   passkeyUser             `json:"user"`
	Challenge              string                  `json:"challenge"`
	PubKeyCredParams       []credentialParameter   `json:"pubKeyCredParams"`
	Timeout                int64                   `json:"timeout"`
	ExcludeCredentials     []credentialDescriptor  `json:"excludeCredentials,omitempty"`
	AuthenticatorSelection authenticatorPreference `json:"authenticatorSelection"`
	Attestation            string                  `json:"attestation"`
}

type relyingParty struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

type passkeyUser struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	ID          string `json:"id"`
}

type credentialParameter struct {
	Type string `json:"type"`
	Alg  int    `json:"alg"`
}

type credentialDescriptor struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

type authenticatorPreference struct {
	RequireResidentKey bool   `json:"requireResidentKey"`
	ResidentKey        string `json:"residentKey"`
	UserVerification   string `json:"userVerification"`
}

const publicKey = "public-key"

func toCreationOptions(c flow.PasskeyCreation) creationOptions {
	out := creationOptions{
		RP:   relyingParty{c.RP.Name, c.RP.ID},
		User: passkeyUser{c.Name, c.Name, c.UserID}, Challenge: c.Challenge, Timeout: c.RP.Timeout.Milliseconds(),
		ExcludeCredentials:     descriptors(c.Exclude),
		AuthenticatorSelection: authenticatorPreference{ResidentKey: "preferred", UserVerification: "preferred"},
		Attestation:            "indirect",
	}
	for _, alg := range passkeys.Algorithms() {
		out.PubKeyCredParams = append(out.PubKeyCredParams, credentialParameter{publicKey, alg})
	}
	return out
}

func descriptors(ids []string) []credentialDescriptor {
	list := make([]credentialDescriptor, len(ids))
	for i, id := range ids {
		list[i] = credentialDescriptor{publicKey, id}
	}
	return list
}

// requestOptions ask a browser for a signature.
type requestOptions struct {
	Challenge        string                 `json:"challenge"`
	Timeout          int64                  `json:"timeout"`
	RPID             string                 `json:"rpId"`
	AllowCredentials []credentialDescriptor `json:"allowCredentials,omitempty"`
	UserVerification string                 `json:"userVerification"`
}

func toRequestOptions(r flow.PasskeyRequest) requestOptions {
	return requestOptions{
		Challenge: r.Challenge, Timeout: r.RP.Timeout.Milliseconds(), RPID: r.RP.ID,
		AllowCredentials: descriptors(r.Allow), UserVerification: "preferred",
	}
}

// credential is what both answers of an authenticator have. Browsers and their libraries send more
// with it, and will send more still, that nobody here needs.
type credential struct {
	ID                      string                    `json:"id"`
	Type                    string                    `json:"type"`
	RawID                   string                    `json:"rawId"`
	ClientExtensionResults  map[string]jsontext.Value `json:"clientExtensionResults"`
	AuthenticatorAttachment *string                   `json:"authenticatorAttachment"`
	Rest                    jsontext.Value            `json:",inline"`
}

func (c *credential) check() error {
	if err := cmp.Or(base64In("credential.id", c.ID, passkeys.MaxCredentialID), base64In("credential.rawId", c.RawID, passkeys.MaxCredentialID)); err != nil {
		return err
	}
	switch {
	case strings.TrimRight(c.ID, "=") != strings.TrimRight(c.RawID, "="):
		return auth.Invalid{Field: "credential.rawId", Problem: "must be the same as the id"}
	case c.Type != publicKey:
		return auth.Invalid{Field: "credential.type", Problem: "must be public-key"}
	case len(text(c.AuthenticatorAttachment)) > maxWord:
		return auth.Invalid{Field: "credential.authenticatorAttachment", Problem: "must be a word such as platform"}
	}
	return nil
}

const (
	maxWord       = 64
	maxTransports = 20
	maxNickname   = 100
)

// createdCredential is the answer to a wish for a new key.
type createdCredential struct {
	credential
	Response *createdResponse `json:"response"`
}

type createdResponse struct {
	ClientDataJSON     string         `json:"clientDataJSON"`
	AttestationObject  string         `json:"attestationObject"`
	Transports         []string       `json:"transports"`
	AuthenticatorData  string         `json:"authenticatorData"`
	PublicKey          string         `json:"publicKey"`
	PublicKeyAlgorithm int64          `json:"publicKeyAlgorithm"`
	Rest               jsontext.Value `json:",inline"`
}

func (c *createdCredential) check() error {
	if c == nil {
		return auth.Invalid{Field: "credential", Problem: "must be what the authenticator answered"}
	}
	if c.Response == nil {
		return auth.Invalid{Field: "credential.response", Problem: "must be an object"}
	}
	r := c.Response
	if err := cmp.Or(c.credential.check(),
		base64In("credential.response.clientDataJSON", r.ClientDataJSON, passkeys.MaxClientData),
		base64In("credential.response.attestationObject", r.AttestationObject, passkeys.MaxAttestation),
		// What the next two say is in the attestation object too, and counts there.
		maybeBase64In("credential.response.authenticatorData", r.AuthenticatorData, passkeys.MaxAuthenticatorData),
		maybeBase64In("credential.response.publicKey", r.PublicKey, passkeys.MaxAuthenticatorData)); err != nil {
		return err
	}
	for _, t := range r.Transports {
		if t == "" || len(t) > maxWord {
			return auth.Invalid{Field: "credential.response.transports", Problem: "must be a list of words such as usb"}
		}
	}
	if len(r.Transports) > maxTransports {
		return auth.Invalid{Field: "credential.response.transports", Problem: fmt.Sprintf("must not list more than %d", maxTransports)}
	}
	return nil
}

func (c *createdCredential) toRoom() passkeys.Created {
	return passkeys.Created{
		CredentialID: fromBase64(c.ID), ClientData: fromBase64(c.Response.ClientDataJSON), AttestationObject: fromBase64(c.Response.AttestationObject),
	}
}

// assertedCredential is the answer to a wish for a signature.
type assertedCredential struct {
	credential
	Response *assertedResponse `json:"response"`
}

type assertedResponse struct {
	ClientDataJSON    string         `json:"clientDataJSON"`
	AuthenticatorData string         `json:"authenticatorData"`
	Signature         string         `json:"signature"`
	UserHandle        string         `json:"userHandle"`
	Rest              jsontext.Value `json:",inline"`
}

func (c *assertedCredential) check() error {
	if c == nil {
		return auth.Invalid{Field: "credential", Problem: "must be what the authenticator answered"}
	}
	if c.Response == nil {
		return auth.Invalid{Field: "credential.response", Problem: "must be an object"}
	}
	r := c.Response
	if err := cmp.Or(c.credential.check(),
		base64In("credential.response.clientDataJSON", r.ClientDataJSON, passkeys.MaxClientData),
		base64In("credential.response.authenticatorData", r.AuthenticatorData, passkeys.MaxAuthenticatorData),
		base64In("credential.response.signature", r.Signature, passkeys.MaxSignature)); err != nil {
		return err
	}
	if len(r.UserHandle) > passkeys.MaxUserHandle {
		return auth.Invalid{Field: "credential.response.userHandle", Problem: fmt.Sprintf("must not be longer than %d bytes", passkeys.MaxUserHandle)}
	}
	return nil
}

func (c *assertedCredential) toRoom() passkeys.Asserted {
	return passkeys.Asserted{
		CredentialID: fromBase64(c.ID), ClientData: fromBase64(c.Response.ClientDataJSON),
		AuthenticatorData: fromBase64(c.Response.AuthenticatorData), Signature: fromBase64(c.Response.Signature), UserHandle: c.Response.UserHandle,
	}
}

// base64In refuses what is not the base64url of at most so many bytes. Padding is tolerated.
func base64In(field, s string, most int) error {
	if s == "" {
		return auth.Invalid{Field: field, Problem: "must be bytes in base64url"}
	}
	return maybeBase64In(field, s, most)
}

func maybeBase64In(field, s string, most int) error {
	if len(s) > base64.URLEncoding.EncodedLen(most) {
		return auth.Invalid{Field: field, Problem: fmt.Sprintf("must not stand for more than %d bytes", most)}
	}
	// The decoder skips line breaks, which no authenticator writes.
	if _, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "=")); err != nil || strings.ContainsAny(s, "\r\n") || s != "" && strings.TrimRight(s, "=") == "" {
		return auth.Invalid{Field: field, Problem: "must be bytes in base64url"}
	}
	return nil
}

// fromBase64 decodes what was checked before.
func fromBase64(s string) []byte {
	b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
	if err != nil {
		return nil
	}
	return b
}

// freeCredential are the members of a credential that may be null or hold anything: browsers write
// null where they have nothing to say.
var freeCredential = []string{"credential"}

type signUpPasskeyRequest struct {
	Email   string         `json:"email"`
	Options passkeyOptions `json:"options"`
}

// Check tells what is wrong with the request.
func (in *signUpPasskeyRequest) Check() error {
	return cmp.Or(emailIn("email", in.Email), in.Options.check("options."), nicknameIn("options.nickname", in.Options.Nickname))
}

// passkeyOptions are those of any sign-up, and the name of the key: hasura-auth-js puts it here.
type passkeyOptions struct {
	signUpOptions
	Nickname *string `json:"nickname"`
}

type signUpPasskeyAnswer struct {
	server.Verbatim `json:"-"`

	Credential    *createdCredential `json:"credential"`
	Options       passkeyOptions     `json:"options"`
	Nickname      *string            `json:"nickname"`
	CodeChallenge *string            `json:"codeChallenge"`
}

// Check tells what is wrong with the request.
func (in *signUpPasskeyAnswer) Check() error {
	return cmp.Or(in.Options.check("options."), nicknameIn("options.nickname", in.Options.Nickname), nicknameIn("nickname", in.Nickname),
		challengeIn(in.CodeChallenge), in.Credential.check())
}

type signInPasskeyRequest struct {
	Email *string `json:"email"`
}

// Check tells what is wrong with the request.
func (in *signInPasskeyRequest) Check() error {
	if in.Email == nil {
		return nil
	}
	return emailIn("email", *in.Email)
}

// passkeyAnswer is a signature. hasura-auth-js sends the address with it, which says nothing that the
// signature does not.
type passkeyAnswer struct {
	server.Verbatim `json:"-"`

	Email      *string             `json:"email"`
	Credential *assertedCredential `json:"credential"`
}

// Check tells what is wrong with the request.
func (in *passkeyAnswer) Check() error {
	if in.Email != nil {
		if err := emailIn("email", *in.Email); err != nil {
			return err
		}
	}
	return in.Credential.check()
}

type addPasskeyAnswer struct {
	Credential *createdCredential `json:"credential"`
	Nickname   *string            `json:"nickname"`
}

// Check tells what is wrong with the request.
func (in *addPasskeyAnswer) Check() error {
	return cmp.Or(nicknameIn("nickname", in.Nickname), in.Credential.check())
}

type renamePasskeyRequest struct {
	Nickname string `json:"nickname"`
}

// Check tells what is wrong with the request.
func (in *renamePasskeyRequest) Check() error {
	if in.Nickname == "" {
		return auth.Invalid{Field: "nickname", Problem: "must be a name"}
	}
	return nicknameIn("nickname", &in.Nickname)
}

func nicknameIn(field string, s *string) error {
	if s != nil && (utf8.RuneCountInString(*s) > maxNickname || strings.ContainsFunc(*s, isControl)) {
		return auth.Invalid{Field: field, Problem: fmt.Sprintf("must be a name of at most %d characters, on one line", maxNickname)}
	}
	return nil
}

// isControl tells what no name on one line has.
func isControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// addedPasskey names a new key.
type addedPasskey struct {
	ID       string `json:"id"`
	Nickname string `json:"nickname,omitempty"`
}

// securityKeys is a list that may grow members beside it.
type securityKeys struct {
	SecurityKeys []securityKey `json:"securityKeys"`
}

// securityKey is a passkey as its owner sees it. What is not known is left out.
type securityKey struct {
	ID             string     `json:"id"`
	Nickname       string     `json:"nickname,omitempty"`
	AddedAt        *time.Time `json:"addedAt,omitempty"`
	LastUsedAt     *time.Time `json:"lastUsedAt,omitempty"`
	AAGUID         string     `json:"aaguid,omitempty"`
	BackupEligible *bool      `json:"backupEligible,omitempty"`
	BackedUp       *bool      `json:"backedUp,omitempty"`
}

func toSecurityKeys(keys []auth.Passkey) securityKeys {
	out := securityKeys{make([]securityKey, len(keys))}
	for i, k := range keys {
		out.SecurityKeys[i] = securityKey{
			ID: k.ID, Nickname: k.Nickname, AddedAt: known(k.AddedAt), LastUsedAt: known(k.UsedAt), AAGUID: k.AAGUID,
			BackupEligible: k.BackupEligible, BackedUp: k.BackedUp,
		}
	}
	return out
}

// known is a time in UTC, or nil when nobody knows it.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

package server

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/passkeys"
)

// CreationOptions ask a browser for a new key, as WebAuthn writes them in JSON.
type CreationOptions struct {
	RP                     RelyingParty            `json:"rp"`
	User                   PasskeyUser             `json:"user"`
	Challenge              string                  `json:"challenge"`
	PubKeyCredParams       []CredentialParameter   `json:"pubKeyCredParams"`
	Timeout                int64                   `json:"timeout"`
	ExcludeCredentials     []CredentialDescriptor  `json:"excludeCredentials,omitempty"`
	AuthenticatorSelection AuthenticatorPreference `json:"authenticatorSelection"`
	Attestation            string                  `json:"attestation"`
}

// RelyingParty is the application that a key is for.
type RelyingParty struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// PasskeyUser is whom a key is for, as browsers show it. How the id is written depends on the dialect.
type PasskeyUser struct {
	Name        string `json:"name"`
	DisplayName string `json:"displayName"`
	ID          string `json:"id"`
}

// CredentialParameter is a kind of signature.
type CredentialParameter struct {
	Type string `json:"type"`
	Alg  int    `json:"alg"`
}

// CredentialDescriptor names a key.
type CredentialDescriptor struct {
	Type string `json:"type"`
	ID   string `json:"id"`
}

// AuthenticatorPreference says what kind of key is wanted.
type AuthenticatorPreference struct {
	RequireResidentKey bool   `json:"requireResidentKey"`
	ResidentKey        string `json:"residentKey"`
	UserVerification   string `json:"userVerification"`
}

const publicKey = "public-key"

// ToCreationOptions writes the wish for a new key. Doors say what they want of the authenticator, and how they write the id.
func ToCreationOptions(c flow.PasskeyCreation) CreationOptions {
	out := CreationOptions{
		RP:   RelyingParty{c.RP.Name, c.RP.ID},
		User: PasskeyUser{c.Name, c.Name, c.UserID}, Challenge: c.Challenge, Timeout: c.RP.Timeout.Milliseconds(),
		ExcludeCredentials:     descriptors(c.Exclude),
		AuthenticatorSelection: AuthenticatorPreference{UserVerification: "preferred"},
		Attestation:            "none",
	}
	for _, alg := range passkeys.Algorithms() {
		out.PubKeyCredParams = append(out.PubKeyCredParams, CredentialParameter{publicKey, alg})
	}
	return out
}

func descriptors(ids []string) []CredentialDescriptor {
	list := make([]CredentialDescriptor, len(ids))
	for i, id := range ids {
		list[i] = CredentialDescriptor{publicKey, id}
	}
	return list
}

// RequestOptions ask a browser for a signature, as WebAuthn writes them in JSON.
type RequestOptions struct {
	Challenge        string                 `json:"challenge"`
	Timeout          int64                  `json:"timeout"`
	RPID             string                 `json:"rpId"`
	AllowCredentials []CredentialDescriptor `json:"allowCredentials,omitempty"`
	UserVerification string                 `json:"userVerification"`
}

// ToRequestOptions writes the wish for a signature.
func ToRequestOptions(r flow.PasskeyRequest) RequestOptions {
	return RequestOptions{
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

func (c *credential) check(field string) error {
	if err := cmp.Or(base64In(field+".id", c.ID, passkeys.MaxCredentialID), base64In(field+".rawId", c.RawID, passkeys.MaxCredentialID)); err != nil {
		return err
	}
	switch {
	case strings.TrimRight(c.ID, "=") != strings.TrimRight(c.RawID, "="):
		return auth.Invalid{Field: field + ".rawId", Problem: "must be the same as the id"}
	case c.Type != publicKey:
		return auth.Invalid{Field: field + ".type", Problem: "must be public-key"}
	case c.AuthenticatorAttachment != nil && len(*c.AuthenticatorAttachment) > maxWord:
		return auth.Invalid{Field: field + ".authenticatorAttachment", Problem: "must be a word such as platform"}
	}
	return nil
}

const (
	maxWord       = 64
	maxTransports = 20
)

// CreatedCredential is the answer to a wish for a new key.
type CreatedCredential struct {
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

// Check tells what is wrong with it; field is what the member is called.
func (c *CreatedCredential) Check(field string) error {
	if c == nil {
		return auth.Invalid{Field: field, Problem: "must be what the authenticator answered"}
	}
	if c.Response == nil {
		return auth.Invalid{Field: field + ".response", Problem: "must be an object"}
	}
	r := c.Response
	if err := cmp.Or(c.check(field),
		base64In(field+".response.clientDataJSON", r.ClientDataJSON, passkeys.MaxClientData),
		base64In(field+".response.attestationObject", r.AttestationObject, passkeys.MaxAttestation),
		// What the next two say is in the attestation object too, and counts there.
		maybeBase64In(field+".response.authenticatorData", r.AuthenticatorData, passkeys.MaxAuthenticatorData),
		maybeBase64In(field+".response.publicKey", r.PublicKey, passkeys.MaxAuthenticatorData)); err != nil {
		return err
	}
	for _, t := range r.Transports {
		if t == "" || len(t) > maxWord {
			return auth.Invalid{Field: field + ".response.transports", Problem: "must be a list of words such as usb"}
		}
	}
	if len(r.Transports) > maxTransports {
		return auth.Invalid{Field: field + ".response.transports", Problem: fmt.Sprintf("must not list more than %d", maxTransports)}
	}
	return nil
}

// Answer is what the authenticator said, once Check has passed.
func (c *CreatedCredential) Answer() passkeys.Created {
	return passkeys.Created{
		CredentialID: fromBase64(c.ID), ClientData: fromBase64(c.Response.ClientDataJSON), AttestationObject: fromBase64(c.Response.AttestationObject),
	}
}

// AssertedCredential is the answer to a wish for a signature.
type AssertedCredential struct {
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

// Check tells what is wrong with it; field is what the member is called.
func (c *AssertedCredential) Check(field string) error {
	if c == nil {
		return auth.Invalid{Field: field, Problem: "must be what the authenticator answered"}
	}
	if c.Response == nil {
		return auth.Invalid{Field: field + ".response", Problem: "must be an object"}
	}
	r := c.Response
	if err := cmp.Or(c.check(field),
		base64In(field+".response.clientDataJSON", r.ClientDataJSON, passkeys.MaxClientData),
		base64In(field+".response.authenticatorData", r.AuthenticatorData, passkeys.MaxAuthenticatorData),
		base64In(field+".response.signature", r.Signature, passkeys.MaxSignature)); err != nil {
		return err
	}
	if len(r.UserHandle) > passkeys.MaxUserHandle {
		return auth.Invalid{Field: field + ".response.userHandle", Problem: fmt.Sprintf("must not be longer than %d bytes", passkeys.MaxUserHandle)}
	}
	return nil
}

// Answer is what the authenticator said, once Check has passed.
func (c *AssertedCredential) Answer() passkeys.Asserted {
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

// IsControl tells what no name on one line has.
func IsControl(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

package hasura

import (
	"cmp"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// maxNickname is how many characters the name of a passkey may have.
const maxNickname = 100

// toCreationOptions are what SimpleWebAuthn takes: with the user's id as plain text.
func toCreationOptions(c flow.PasskeyCreation) server.CreationOptions {
	out := server.ToCreationOptions(c)
	out.AuthenticatorSelection.ResidentKey, out.Attestation = "preferred", "indirect"
	return out
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

	Credential    *server.CreatedCredential `json:"credential"`
	Options       passkeyOptions            `json:"options"`
	Nickname      *string                   `json:"nickname"`
	CodeChallenge *string                   `json:"codeChallenge"`
}

// Check tells what is wrong with the request.
func (in *signUpPasskeyAnswer) Check() error {
	return cmp.Or(in.Options.check("options."), nicknameIn("options.nickname", in.Options.Nickname), nicknameIn("nickname", in.Nickname),
		challengeIn(in.CodeChallenge), in.Credential.Check("credential"))
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

	Email      *string                    `json:"email"`
	Credential *server.AssertedCredential `json:"credential"`
}

// Check tells what is wrong with the request.
func (in *passkeyAnswer) Check() error {
	if in.Email != nil {
		if err := emailIn("email", *in.Email); err != nil {
			return err
		}
	}
	return in.Credential.Check("credential")
}

type addPasskeyAnswer struct {
	Credential *server.CreatedCredential `json:"credential"`
	Nickname   *string                   `json:"nickname"`
}

// Check tells what is wrong with the request.
func (in *addPasskeyAnswer) Check() error {
	return cmp.Or(nicknameIn("nickname", in.Nickname), in.Credential.Check("credential"))
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
	if s != nil && (utf8.RuneCountInString(*s) > maxNickname || strings.ContainsFunc(*s, server.IsControl)) {
		return auth.Invalid{Field: field, Problem: fmt.Sprintf("must be a name of at most %d characters, on one line", maxNickname)}
	}
	return nil
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

package passkeys

import (
	"bytes"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"slices"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/protocol/webauthncose"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"postern/auth"
)

// Created is a client's answer to the wish for a new key, decoded from base64url.
type Created struct {
	CredentialID      []byte
	ClientData        []byte // JSON
	AttestationObject []byte // CBOR
}

// Asserted is a client's answer to the wish for a signature, decoded from base64url.
type Asserted struct {
	CredentialID      []byte
	ClientData        []byte // JSON
	AuthenticatorData []byte
	Signature         []byte
	UserHandle        string // as it was sent; see Names
}

// Name is what the authenticator calls the key, in base64url.
func (a Asserted) Name() string { return base64.RawURLEncoding.EncodeToString(a.CredentialID) }

// Challenge reads what challenge an answer is to. Whether it is one of ours, somebody else knows.
func Challenge(clientData []byte) (string, error) {
	var c struct {
		Challenge string `json:"challenge"`
	}
	if len(clientData) > MaxClientData {
		return "", refused("client data of %d bytes", len(clientData))
	}
	if err := json.Unmarshal(clientData, &c); err != nil {
		return "", refused("client data that is no JSON")
	}
	if raw, err := base64.RawURLEncoding.DecodeString(c.Challenge); err != nil || len(raw) != 32 {
		return "", refused("a challenge that is none of ours")
	}
	return c.Challenge, nil
}

// Names tells whether a user handle names the user. The id is handed out as the text of a UUID; what
// comes back depends on the client: that text, whether the client took it for UTF-8 or for base64url
// (which gives the same text again), or the base64url of its bytes. Authenticators that keep no user
// send none, which names everybody.
func Names(handle, userID string) bool {
	return handle == "" || handle == userID || handle == base64.RawURLEncoding.EncodeToString([]byte(userID))
}

// Registered is what a new key says of itself.
type Registered struct {
	Key          auth.Passkey
	UserVerified bool // the authenticator saw that it is this person: a PIN, a finger, a face
}

// Register judges the answer to a wish for a new key.
func (rp *RP) Register(in Created, challenge, userID string) (Registered, error) {
	if len(in.CredentialID) == 0 || len(in.CredentialID) > MaxCredentialID || len(in.ClientData) > MaxClientData || len(in.AttestationObject) > MaxAttestation {
		return Registered{}, refused("an answer that is too long")
	}
	id := base64.RawURLEncoding.EncodeToString(in.CredentialID)
	answer := protocol.CredentialCreationResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: id, Type: string(protocol.PublicKeyCredentialType)}, RawID: in.CredentialID,
		},
		AttestationResponse: protocol.AuthenticatorAttestationResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: in.ClientData}, AttestationObject: in.AttestationObject,
		},
	}
	parsed, err := answer.Parse()
	if err != nil {
		return Registered{}, refused("unreadable: %s", why(err))
	}
	object := parsed.Response.AttestationObject
	if err := bounded(object); err != nil {
		return Registered{}, err
	}
	if err := rp.fits(parsed.Response.CollectedClientData, challenge); err != nil {
		return Registered{}, err
	}
	user := owner{id: userID}
	made, err := rp.lib.CreateCredential(user, webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: rp.ID, UserID: user.WebAuthnID(),
		UserVerification: protocol.VerificationPreferred, CredParams: webauthn.CredentialParametersDefault(),
	}, parsed)
	if err != nil {
		return Registered{}, refused("%s", why(err))
	}
	if err := usable(made.PublicKey); err != nil {
		return Registered{}, err
	}
	flags := object.AuthData.Flags
	eligible, backedUp := flags.HasBackupEligible(), flags.HasBackupState()
	return Registered{
		Key: auth.Passkey{
			UserID: userID, CredentialID: id, PublicKey: made.PublicKey, Counter: int64(made.Authenticator.SignCount),
			AAGUID: model(made.Authenticator.AAGUID), BackupEligible: &eligible, BackedUp: &backedUp,
		},
		UserVerified: flags.HasUserVerified(),
	}, nil
}

// usable refuses keys that could never prove anything: without a statement nobody has looked at them
// yet, and a user must not learn at the next sign-in that theirs is none.
func usable(cose []byte) error {
	key, err := webauthncose.ParsePublicKey(cose)
	if err != nil {
		return refused("a public key that is none: %s", why(err))
	}
	rsa, ok := key.(webauthncose.RSAPublicKeyData)
	if !ok {
		return nil
	}
	// With an exponent of 1 anybody could sign.
	if e, err := webauthncose.ParseRSAPublicKeyDataExponent(&rsa); err != nil || e < 3 || e%2 == 0 || len(bytes.TrimLeft(rsa.Modulus, "\x00")) < minModulus {
		return refused("an RSA key of %d bytes and the exponent %d", len(rsa.Modulus), e)
	}
	return nil
}

// bounded refuses attestations that are small and yet cost much to judge: keys and certificates of
// many thousand bits.
func bounded(object protocol.AttestationObject) error {
	if n := len(object.AuthData.AttData.CredentialPublicKey); n > maxPublicKey {
		return refused("a public key of %d bytes", n)
	}
	statements := []map[string]any{object.AttStatement}
	if len(object.SubStatements) > maxCertificates {
		return refused("%d statements", len(object.SubStatements))
	}
	for _, s := range object.SubStatements {
		statements = append(statements, s.AttStatement)
	}
	for _, s := range statements {
		chain, _ := s["x5c"].([]any)
		if len(chain) > maxCertificates {
			return refused("%d certificates", len(chain))
		}
		for _, c := range chain {
			if der, ok := c.([]byte); ok && len(der) > maxCertificate {
				return refused("a certificate of %d bytes", len(der))
			}
		}
	}
	return nil
}

// Proof is what a signature proves.
type Proof struct {
	UserVerified   bool
	Counter        int64
	BackupEligible bool
	BackedUp       bool
}

// Cloned says that a key was used whose counter has not gone on: somebody else holds a copy of it,
// or an older answer of it.
type Cloned struct {
	Stored, Told int64
}

// Error is for the log.
func (e Cloned) Error() string {
	return refused("the counter went from %d to %d", e.Stored, e.Told).Error()
}

// Unwrap gives auth.InvalidPasskey.
func (e Cloned) Unwrap() error { return auth.InvalidPasskey }

// Verify judges the answer to a wish for a signature of a key.
func (rp *RP) Verify(in Asserted, challenge string, key auth.Passkey) (Proof, error) {
	if len(in.ClientData) > MaxClientData || len(in.AuthenticatorData) > MaxAuthenticatorData || len(in.Signature) > MaxSignature {
		return Proof{}, refused("an answer that is too long")
	}
	if !Names(in.UserHandle, key.UserID) {
		return Proof{}, refused("the key is of user %s, the handle names another", key.UserID)
	}
	answer := protocol.CredentialAssertionResponse{
		PublicKeyCredential: protocol.PublicKeyCredential{
			Credential: protocol.Credential{ID: in.Name(), Type: string(protocol.PublicKeyCredentialType)}, RawID: in.CredentialID,
		},
		AssertionResponse: protocol.AuthenticatorAssertionResponse{
			AuthenticatorResponse: protocol.AuthenticatorResponse{ClientDataJSON: in.ClientData},
			AuthenticatorData:     in.AuthenticatorData, Signature: in.Signature,
		},
	}
	parsed, err := answer.Parse()
	if err != nil {
		return Proof{}, refused("unreadable: %s", why(err))
	}
	if err := rp.fits(parsed.Response.CollectedClientData, challenge); err != nil {
		return Proof{}, err
	}
	flags := parsed.Response.AuthenticatorData.Flags
	stored := webauthn.Credential{
		ID: in.CredentialID, PublicKey: key.PublicKey,
		Authenticator: webauthn.Authenticator{SignCount: uint32(key.Counter)}, // #nosec G115 -- it came from 32 bits
	}
	stored.Flags.BackupEligible = flags.HasBackupEligible()
	if key.BackupEligible != nil {
		stored.Flags.BackupEligible = *key.BackupEligible // it never changes
	}
	user := owner{id: key.UserID, keys: []webauthn.Credential{stored}}
	used, err := rp.lib.ValidateLogin(user, webauthn.SessionData{
		Challenge: challenge, RelyingPartyID: rp.ID, UserID: user.WebAuthnID(), UserVerification: protocol.VerificationPreferred,
	}, parsed)
	if err != nil {
		return Proof{}, refused("%s", why(err))
	}
	told := int64(parsed.Response.AuthenticatorData.Counter)
	if used.Authenticator.CloneWarning {
		return Proof{}, Cloned{Stored: key.Counter, Told: told}
	}
	return Proof{
		UserVerified: flags.HasUserVerified(), Counter: told,
		BackupEligible: flags.HasBackupEligible(), BackedUp: flags.HasBackupState(),
	}, nil
}

// fits holds an answer to the challenge, and to the origins letter by letter: the library compares
// less of them.
func (rp *RP) fits(c protocol.CollectedClientData, challenge string) error {
	if subtle.ConstantTimeCompare([]byte(c.Challenge), []byte(challenge)) != 1 {
		return refused("another challenge")
	}
	if !slices.Contains(rp.origins, c.Origin) {
		return refused("from the origin %q", c.Origin)
	}
	return nil
}

// model is the AAGUID as text, or empty when it says nothing.
func model(aaguid []byte) string {
	id, err := uuid.FromBytes(aaguid)
	if err != nil || bytes.Equal(aaguid, uuid.Nil[:]) {
		return ""
	}
	return id.String()
}

// owner is a user as the library wants to see one.
type owner struct {
	id   string
	keys []webauthn.Credential
}

// WebAuthnID is the user handle.
func (o owner) WebAuthnID() []byte { return []byte(o.id) }

// WebAuthnName is not asked for.
func (o owner) WebAuthnName() string { return o.id }

// WebAuthnDisplayName is not asked for.
func (o owner) WebAuthnDisplayName() string { return o.id }

// WebAuthnCredentials are the keys that may sign.
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.keys }

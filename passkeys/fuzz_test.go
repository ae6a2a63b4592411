package passkeys_test

import (
	"testing"

	"postern/auth"
	"postern/internal/softkey"
	"postern/passkeys"
)

// FuzzRegister judges what strangers send as new keys. Whatever it is, nothing panics, and only what
// answers the challenge is taken.
func FuzzRegister(f *testing.F) {
	rp := open(f)
	challenge, options := wish(rp)
	for _, attestation := range []string{"none", "packed"} {
		d := softkey.New(origin)
		d.Attestation = attestation
		answer, err := d.Create(options)
		if err != nil {
			f.Fatal(err)
		}
		in := created(f, answer)
		f.Add(in.CredentialID, in.ClientData, in.AttestationObject)
	}
	f.Add([]byte{}, []byte(`{"challenge":"x"}`), softkey.Map(softkey.Text("fmt"), softkey.Text("none")))
	f.Fuzz(func(t *testing.T, id, clientData, object []byte) {
		made, err := rp.Register(passkeys.Created{CredentialID: id, ClientData: clientData, AttestationObject: object}, challenge, userID)
		if err == nil && (made.Key.CredentialID == "" || len(made.Key.PublicKey) == 0 || made.Key.UserID != userID) {
			t.Errorf("a key that is none: %+v", made)
		}
		if err != nil && auth.CodeOf(err) != auth.InvalidPasskey {
			t.Errorf("no refusal: %v", err)
		}
		if got, err := passkeys.Challenge(clientData); made.Key.CredentialID != "" && (err != nil || got != challenge) {
			t.Errorf("a key was made for the challenge %q, %v", got, err)
		}
	})
}

// FuzzVerify does the same for signatures: none is taken but the one that the key made.
func FuzzVerify(f *testing.F) {
	rp := open(f)
	d := softkey.New(origin)
	key := register(f, rp, d)
	challenge := passkeys.NewChallenge()
	answer, err := d.Sign(d.Keys[0], challenge)
	if err != nil {
		f.Fatal(err)
	}
	good := asserted(f, answer)
	f.Add(good.ClientData, good.AuthenticatorData, good.Signature, good.UserHandle)
	f.Add([]byte("{}"), []byte{}, []byte{}, "")
	f.Fuzz(func(t *testing.T, clientData, authData, signature []byte, handle string) {
		in := passkeys.Asserted{CredentialID: good.CredentialID, ClientData: clientData, AuthenticatorData: authData, Signature: signature, UserHandle: handle}
		_, err := rp.Verify(in, challenge, key)
		if err != nil && auth.CodeOf(err) != auth.InvalidPasskey {
			t.Errorf("no refusal: %v", err)
		}
		same := string(clientData) == string(good.ClientData) && string(authData) == string(good.AuthenticatorData)
		if err == nil && !same {
			t.Errorf("a forged answer was taken: %q %x", clientData, authData)
		}
	})
}

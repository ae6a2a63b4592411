package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
)

// What Hasura Auth seals (its TOTP secrets, from 0.43 on) is lower-case hex of a nonce, the AES-GCM
// ciphertext and its tag, under AUTH_ENCRYPTION_KEY itself and bound to nothing. It is read and, where
// Hasura Auth must be able to read it again, written in this form; everything else is sealed by Seal.

func (r *Keyring) addShared(master []byte) error {
	block, err := aes.NewCipher(master)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return err
	}
	r.shared = append(r.shared, aead)
	return nil
}

// CanShare tells whether AUTH_ENCRYPTION_KEY is set, so that Hasura Auth can read what SealShared
// writes.
func (r *Keyring) CanShare() bool { return r.shares }

// SealShared encrypts as Hasura Auth does.
func (r *Keyring) SealShared(plaintext []byte) (string, error) {
	if !r.CanShare() {
		return "", errors.New("AUTH_ENCRYPTION_KEY is not set, so Hasura Auth could not read what is sealed")
	}
	aead := r.shared[0]
	sealed := make([]byte, aead.NonceSize(), aead.NonceSize()+len(plaintext)+aead.Overhead())
	_, _ = rand.Read(sealed)
	return hex.EncodeToString(aead.Seal(sealed, sealed, plaintext, nil)), nil
}

// OpenShared decrypts what Hasura Auth or SealShared encrypted.
func (r *Keyring) OpenShared(text string) ([]byte, error) {
	sealed, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("what Hasura Auth sealed is hex, and this is not")
	}
	for _, aead := range r.shared {
		if len(sealed) < aead.NonceSize() {
			continue
		}
		if plaintext, err := aead.Open(nil, sealed[:aead.NonceSize()], sealed[aead.NonceSize():], nil); err == nil {
			return plaintext, nil
		}
	}
	return nil, errors.New("what Hasura Auth sealed does not open: its AUTH_ENCRYPTION_KEY is neither ours nor in AUTH_ENCRYPTION_KEY_PREVIOUS")
}

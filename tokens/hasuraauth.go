package tokens

import (
	"crypto/cipher"
	"crypto/rand"
	"encoding/hex"
	"errors"
)

// SealAsHasuraAuth encrypts in the way of Hasura Auth, which reads it back when it is started again on
// the same database: nonce, AES-GCM ciphertext and tag as lower-case hex, under AUTH_ENCRYPTION_KEY
// itself. It is false when there is no such key; one that is derived means nothing to Hasura Auth.
func (r *Keyring) SealAsHasuraAuth(plaintext []byte) (text string, ok bool) {
	k := r.keys[0].upstream
	if k == nil {
		return "", false
	}
	sealed := make([]byte, k.NonceSize(), k.NonceSize()+len(plaintext)+k.Overhead())
	_, _ = rand.Read(sealed)
	return hex.EncodeToString(k.Seal(sealed, sealed, plaintext, nil)), true
}

// OpenOfHasuraAuth decrypts what Hasura Auth or SealAsHasuraAuth wrote, under the current key or an
// older one.
func (r *Keyring) OpenOfHasuraAuth(text string) ([]byte, error) {
	sealed, err := hex.DecodeString(text)
	if err != nil {
		return nil, errors.New("not a value that Hasura Auth sealed")
	}
	for _, k := range r.keys {
		if plaintext, ok := openWith(k.upstream, sealed); ok {
			return plaintext, nil
		}
	}
	return nil, errors.New("a value that Hasura Auth sealed does not open: it was damaged, or its key is neither AUTH_ENCRYPTION_KEY nor in AUTH_ENCRYPTION_KEY_PREVIOUS")
}

func openWith(k cipher.AEAD, sealed []byte) ([]byte, bool) {
	if k == nil || len(sealed) < k.NonceSize() {
		return nil, false
	}
	plaintext, err := k.Open(nil, sealed[:k.NonceSize()], sealed[k.NonceSize():], nil)
	return plaintext, err == nil
}

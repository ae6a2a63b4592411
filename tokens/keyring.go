package tokens

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// derivedWord stands, in the list of previous keys, for the key that comes from the JWT secret. An
// installation that ran without a key of its own names it there when it gets one.
const derivedWord = "derived"

// Keyring seals what must be read back later, and holds the peppers of refresh tokens and of typed
// codes. The first key seals; the others only open. It is immutable and safe for concurrent use.
type Keyring struct {
	keys    []sealingKey
	peppers [][]byte
	codes   [][]byte      // peppers of typed codes
	clients [][]byte      // peppers of the secrets of machine clients
	chains  [][]byte      // keys of the audit log
	shared  []cipher.AEAD // of the keys that were given, as Hasura Auth uses them; see SealShared
	shares  bool          // the current key is among them
}

type sealingKey struct {
	id       byte // first byte of whatever it sealed
	aead     cipher.AEAD
	upstream cipher.AEAD // the key as Hasura Auth uses it; nil when it is derived
}

// NewKeyring reads the encryption key and its predecessors. An empty key is derived from the JWT
// secret, and derived is then true so that the caller can warn: whoever changes the JWT secret
// loses what was sealed.
func NewKeyring(encryptionKey string, previous []string, jwtSecret Secret) (ring *Keyring, derived bool, err error) {
	names := append([]string{encryptionKey}, previous...)
	if encryptionKey == "" {
		names[0], derived = derivedWord, true
	}
	ring = &Keyring{shares: !derived}
	for i, name := range names {
		master, err := masterKeyOr(name, jwtSecret)
		if err != nil {
			if i == 0 {
				return nil, derived, fmt.Errorf("AUTH_ENCRYPTION_KEY %w", err)
			}
			return nil, derived, fmt.Errorf("AUTH_ENCRYPTION_KEY_PREVIOUS, entry %d, %w", i, err)
		}
		if err := ring.add(master, name == derivedWord); err != nil {
			return nil, derived, err
		}
		if name == derivedWord {
			continue
		}
		if err := ring.addShared(master); err != nil {
			return nil, derived, err
		}
	}
	return ring, derived, nil
}

func masterKeyOr(name string, jwtSecret Secret) ([]byte, error) {
	if name != derivedWord {
		return masterKey(name)
	}
	if jwtSecret.IsZero() {
		return nil, errors.New("cannot be derived: HASURA_GRAPHQL_JWT_SECRET is not set")
	}
	return jwtSecret.derive("encryption key")
}

func masterKey(text string) ([]byte, error) {
	key, err := hex.DecodeString(text)
	if err != nil || len(key) != 32 {
		return nil, errors.New("must be 64 hexadecimal digits; make one with: openssl rand -hex 32")
	}
	return key, nil
}

func (r *Keyring) add(master []byte, derived bool) error {
	sealKey, err := hkdf.Key(sha256.New, master, nil, "postern seal 1", 33)
	if err != nil {
		return err
	}
	aead, err := newGCM(sealKey[:32])
	if err != nil {
		return err
	}
	var upstream cipher.AEAD
	if !derived {
		if upstream, err = newGCM(master); err != nil {
			return err
		}
	}
	pepper, err := hkdf.Key(sha256.New, master, nil, "postern refresh pepper 1", 32)
	if err != nil {
		return err
	}
	codePepper, err := hkdf.Key(sha256.New, master, nil, "postern code pepper 1", 32)
	if err != nil {
		return err
	}
	clientPepper, err := hkdf.Key(sha256.New, master, nil, "postern client secret pepper 1", 32)
	if err != nil {
		return err
	}
	chain, err := hkdf.Key(sha256.New, master, nil, "postern audit chain 1", 32)
	if err != nil {
		return err
	}
	r.clients = append(r.clients, clientPepper)
	r.chains = append(r.chains, chain)
	r.keys = append(r.keys, sealingKey{id: sealKey[32], aead: aead, upstream: upstream})
	r.peppers = append(r.peppers, pepper)
	r.codes = append(r.codes, codePepper)
	return nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// Seal encrypts with the current key. The purpose is not stored: Open must be given the same one,
// so a sealed value moved to another column, or to another user's row where the purpose names the
// user, does not open there.
func (r *Keyring) Seal(purpose string, plaintext []byte) ([]byte, error) {
	k := r.keys[0]
	sealed := make([]byte, 1+k.aead.NonceSize(), 1+k.aead.NonceSize()+len(plaintext)+k.aead.Overhead())
	sealed[0] = k.id
	_, _ = rand.Read(sealed[1:])
	return k.aead.Seal(sealed, sealed[1:], plaintext, []byte(purpose)), nil
}

// Open decrypts what Seal made under the same purpose, with the current key or an older one.
func (r *Keyring) Open(purpose string, sealed []byte) ([]byte, error) {
	for _, k := range r.keys {
		if len(sealed) < 1+k.aead.NonceSize() || sealed[0] != k.id {
			continue
		}
		nonce, box := sealed[1:1+k.aead.NonceSize()], sealed[1+k.aead.NonceSize():]
		if plaintext, err := k.aead.Open(nil, nonce, box, []byte(purpose)); err == nil {
			return plaintext, nil
		}
	}
	return nil, errors.New("sealed value does not open: it was damaged, made for another purpose, or its key is neither AUTH_ENCRYPTION_KEY nor in AUTH_ENCRYPTION_KEY_PREVIOUS")
}

// Peppers gives what refresh tokens are chained with, the current one first. The callers own
// neither the list nor its bytes.
func (r *Keyring) Peppers() [][]byte { return r.peppers }

// ChainKeys gives what the audit log is sealed with, the current one first. The callers own neither the
// list nor its bytes.
func (r *Keyring) ChainKeys() [][]byte { return r.chains }

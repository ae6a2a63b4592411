package passwords

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"

	"golang.org/x/crypto/scrypt"
)

// firebase is a hash as Firebase makes it: a key derived from the password encrypts a secret of the project. It comes
// with users who moved from there, and none is made here.
type firebase struct {
	exponent, rounds, lanes int // N is two to the exponent
	salt                    []byte
	signer, hash            []byte
}

var firebasePattern = regexp.MustCompile(`^\$fbscrypt\$v=1,n=([1-9]\d?),r=([1-9]\d{0,2}),p=([1-9]\d?)(?:,ss=([^,$]*))?,sk=([^,$]+)\$([^$]+)\$([^$]+)$`)

// parseFirebase reads the format of GoTrue: $fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=…$salt$hash.
func parseFirebase(stored string) (*firebase, error) {
	parts := firebasePattern.FindStringSubmatch(stored)
	if len(stored) > 1024 || parts == nil {
		return nil, errors.New("Firebase hash is not of the form $fbscrypt$v=1,n=,r=,p=,ss=,sk=$salt$hash")
	}
	var f firebase
	for i, field := range []*int{&f.exponent, &f.rounds, &f.lanes} {
		*field, _ = strconv.Atoi(parts[1+i]) // the pattern has digits there
	}
	var texts [4][]byte
	for i := range texts {
		var err error
		if texts[i], err = base64.StdEncoding.Strict().DecodeString(parts[4+i]); err != nil {
			return nil, errors.New("Firebase hash has a part that is not base64")
		}
	}
	f.salt, f.signer, f.hash = slices.Concat(texts[2], texts[0]), texts[1], texts[3]
	switch {
	case f.exponent > 30 || f.lanes > maxLanes || f.memory() > maxMemory<<10 || f.cost() > maxWork<<10:
		return nil, errors.New("Firebase hash has parameters beyond what one sign-in may cost")
	case len(texts[2]) == 0 || len(f.hash) < aes.BlockSize || len(f.hash) != len(f.signer):
		return nil, errors.New("Firebase hash must have a salt, and a signer key and a hash of one length, 16 bytes or more")
	}
	return &f, nil
}

// memory is what a comparison takes, in bytes.
func (f *firebase) memory() int64 { return 128 * int64(f.rounds) << f.exponent }

// cost is what a comparison goes over, in bytes.
func (f *firebase) cost() int64 { return f.memory() * int64(f.lanes) }

// kind is what the time depends on. It has nothing of the project's secret.
func (f *firebase) kind() string {
	return fmt.Sprintf("$fbscrypt$v=1,n=%d,r=%d,p=%d", f.exponent, f.rounds, f.lanes)
}

func (f *firebase) matches(password string) (bool, error) {
	key, err := scrypt.Key([]byte(password), f.salt, 1<<f.exponent, f.rounds, f.lanes, 32)
	if err != nil {
		return false, errors.New("Firebase hash cannot be compared")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return false, err
	}
	sealed := make([]byte, len(f.signer))
	cipher.NewCTR(block, make([]byte, aes.BlockSize)).XORKeyStream(sealed, f.signer)
	return subtle.ConstantTimeCompare(sealed, f.hash) == 1, nil
}

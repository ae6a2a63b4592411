package tokens

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"postern/auth"
)

func ringOf(t *testing.T, key string, previous ...string) *Keyring {
	t.Helper()
	ring, _, err := NewKeyring(key, previous, Secret{})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

func TestTypedCodes(t *testing.T) {
	t.Parallel()
	old, fresh := strings.Repeat("0a", 32), strings.Repeat("1b", 32)
	id := CodeID(auth.SignInByEmailCode, "somebody")
	hash := ringOf(t, old).HashCode(id, auth.SignInByEmailCode, "123456")
	for name, c := range map[string]struct {
		ring    *Keyring
		id      string
		purpose auth.Purpose
		code    string
		want    bool
	}{
		"the code":                    {ringOf(t, old), id, auth.SignInByEmailCode, "123456", true},
		"after the key was changed":   {ringOf(t, fresh, old), id, auth.SignInByEmailCode, "123456", true},
		"after the old key was taken": {ringOf(t, fresh), id, auth.SignInByEmailCode, "123456", false},
		"another code":                {ringOf(t, old), id, auth.SignInByEmailCode, "123457", false},
		"another account":             {ringOf(t, old), CodeID(auth.SignInByEmailCode, "somebody else"), auth.SignInByEmailCode, "123456", false},
		"another purpose":             {ringOf(t, old), id, auth.ElevateByEmail, "123456", false},
		"nothing":                     {ringOf(t, old), id, auth.SignInByEmailCode, "", false},
	} {
		if got := c.ring.IsCode(hash, c.id, c.purpose, c.code); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if id == CodeID(auth.SignInBySMS, "somebody") || !IsUUID(id) || id != CodeID(auth.SignInByEmailCode, "somebody") {
		t.Errorf("the ticket's id is %s", id)
	}
}

// TestADumpDoesNotTellACode tries every code against the hash without the key, in the ways in which
// one could have been kept.
func TestADumpDoesNotTellACode(t *testing.T) {
	t.Parallel()
	ring := ringOf(t, strings.Repeat("0a", 32))
	id := CodeID(auth.SignInByEmailCode, "somebody")
	hash := ring.HashCode(id, auth.SignInByEmailCode, "004217")
	without := &Keyring{codes: [][]byte{nil}}
	for n := range 1_000_000 {
		code := fmt.Sprintf("%06d", n)
		plain := sha256.Sum256([]byte(code))
		if bytes.Equal(hash, plain[:]) || without.IsCode(hash, id, auth.SignInByEmailCode, code) {
			t.Fatalf("found without the key: %s", code)
		}
	}
}

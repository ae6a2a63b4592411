package tokens

import (
	"crypto/rand"
	"strings"
)

const (
	// 32 letters and digits, five bits each, without those that people take for one another.
	recoveryAlphabet = "abcdefghijkmnpqrstuvwxyz23456789"
	recoveryGroups   = 4
	recoveryGroup    = 5
	recoveryLength   = recoveryGroups*recoveryGroup + recoveryGroups - 1
)

// NewRecoveryCode makes a code that stands in for a lost second factor: 100 random bits, to be kept
// on paper, such as "k7mq2-x9d4e-hhv3p-u8wzn".
func NewRecoveryCode() string {
	var random [recoveryGroups * recoveryGroup]byte
	_, _ = rand.Read(random[:]) // never fails: the process ends instead
	var code strings.Builder
	for i, b := range random {
		if i > 0 && i%recoveryGroup == 0 {
			code.WriteByte('-')
		}
		code.WriteByte(recoveryAlphabet[b%32])
	}
	return code.String()
}

// IsRecoveryCode tells whether a text has the form of a recovery code. There is one form: what is
// written otherwise is another code.
func IsRecoveryCode(s string) bool {
	if len(s) != recoveryLength {
		return false
	}
	for i := range len(s) {
		if i%(recoveryGroup+1) == recoveryGroup {
			if s[i] != '-' {
				return false
			}
		} else if strings.IndexByte(recoveryAlphabet, s[i]) < 0 {
			return false
		}
	}
	return true
}

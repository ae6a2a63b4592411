package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// NewUUID makes a random UUID (version 4), as lower-case text.
func NewUUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: the process ends instead
	return uuidText(b[:])
}

// uuidText writes the first 16 bytes of b as a version 4 UUID.
func uuidText(b []byte) string {
	var u [16]byte
	copy(u[:], b)
	u[6] = u[6]&0x0f | 0x40
	u[8] = u[8]&0x3f | 0x80
	var text [36]byte
	hex.Encode(text[0:8], u[0:4])
	hex.Encode(text[9:13], u[4:6])
	hex.Encode(text[14:18], u[6:8])
	hex.Encode(text[19:23], u[8:10])
	hex.Encode(text[24:36], u[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}

// IsUUID tells whether s is a UUID as lower-case text with dashes, of any version.
func IsUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case i == 8 || i == 13 || i == 18 || i == 23:
			if c != '-' {
				return false
			}
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f':
		default:
			return false
		}
	}
	return true
}

// crockford are the digits of a ULID: no I, L, O, U.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// NewULID makes an id of 26 upper-case letters and digits, so that ids in order are in the order of
// their milliseconds (48 bits of time, then 80 random ones).
func NewULID(now time.Time) string {
	var b [16]byte
	_, _ = rand.Read(b[6:])
	ms := now.UnixMilli()
	for i := range 6 {
		b[i] = byte(ms >> (40 - 8*i)) // #nosec G115 -- one byte of it is wanted
	}
	var text [26]byte
	bits, left, at := uint(0), 2, 0 // 130 bits of text over 128 of value: two zeroes come first
	for _, v := range b {
		bits, left = bits<<8|uint(v), left+8
		for left >= 5 {
			left -= 5
			text[at] = crockford[bits>>left&31]
			at++
		}
	}
	return string(text[:])
}

// NewCode makes a random decimal code of so many digits, every code equally likely.
func NewCode(digits int) string {
	code := make([]byte, 0, max(digits, 0))
	var b [16]byte
	for len(code) < digits {
		_, _ = rand.Read(b[:])
		for _, v := range b {
			// 250 is the largest multiple of ten in a byte: what lies above would favour 0 to 5.
			if v < 250 && len(code) < digits {
				code = append(code, '0'+v%10)
			}
		}
	}
	return string(code)
}

// HashSecret is what is kept of a one-time secret: its SHA-256. The secrets it is meant for are
// long and random; a short code needs an attempt limit beside it.
func HashSecret(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

package softkey

import (
	"encoding/binary"
	"slices"
)

// The parts of CBOR (RFC 8949) that WebAuthn uses. What they make may be nonsense, if a test wants it.

// Int is a whole number.
func Int(n int64) []byte {
	if n < 0 {
		return head(1, uint64(-1-n)) // #nosec G115 -- not negative
	}
	return head(0, uint64(n))
}

// Bytes is a byte string.
func Bytes(b []byte) []byte { return append(head(2, uint64(len(b))), b...) }

// Text is a text string.
func Text(s string) []byte { return append(head(3, uint64(len(s))), s...) }

// List is an array of what is encoded already.
func List(items ...[]byte) []byte {
	return append(head(4, uint64(len(items))), slices.Concat(items...)...)
}

// Map is a map of what is encoded already: key, value, key, value.
func Map(items ...[]byte) []byte {
	return append(head(5, uint64(len(items)/2)), slices.Concat(items...)...)
}

// Head is the beginning of an item, with a length that need not be true.
func Head(major byte, n uint64) []byte { return head(major, n) }

func head(major byte, n uint64) []byte {
	switch {
	case n < 24:
		return []byte{major<<5 | byte(n)}
	case n < 1<<8:
		return []byte{major<<5 | 24, byte(n)}
	case n < 1<<16:
		return binary.BigEndian.AppendUint16([]byte{major<<5 | 25}, uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32([]byte{major<<5 | 26}, uint32(n))
	}
	return binary.BigEndian.AppendUint64([]byte{major<<5 | 27}, n)
}

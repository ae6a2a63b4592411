package argon2

import (
	"bytes"
	"fmt"
	"testing"

	original "golang.org/x/crypto/argon2"
)

func TestSameAsTheOriginal(t *testing.T) {
	t.Parallel()
	for _, memory := range []uint32{8, 31, 64, 100, 1024, 4096} {
		for _, iterations := range []uint32{1, 2, 3} {
			for _, lanes := range []uint8{1, 2, 3, 4} {
				for _, keyLen := range []uint32{4, 16, 32, 64, 65, 100} {
					password := fmt.Appendf(nil, "%d %d %d", memory, iterations, lanes)
					salt := bytes.Repeat([]byte{byte(keyLen)}, 16)
					h := &Hasher{Memory: memory, Lanes: lanes}
					want := original.IDKey(password, salt, iterations, memory, lanes, keyLen)
					for _, run := range []string{"fresh", "kept"} { // the second hash finds the memory of the first
						if got := h.ID(password, salt, iterations, memory, lanes, keyLen); !bytes.Equal(got, want) {
							t.Fatalf("m=%d t=%d p=%d, key of %d, %s memory: got %x, want %x", memory, iterations, lanes, keyLen, run, got, want)
						}
					}
				}
			}
		}
	}
}

func TestGenericBlockIsTheSame(t *testing.T) {
	t.Parallel()
	for _, xor := range []bool{false, true} {
		var a, b, fast, slow block
		for i := range a {
			a[i], b[i] = uint64(i)*0x9e3779b97f4a7c15, uint64(i*i)<<33^0xdeadbeef
			fast[i], slow[i] = uint64(i), uint64(i)
		}
		processBlock(&fast, &a, &b, xor)
		processBlockGeneric(&slow, &a, &b, xor)
		if fast != slow {
			t.Errorf("xor %v: the two ways to compress differ", xor)
		}
	}
}

func BenchmarkID(b *testing.B) {
	salt := make([]byte, 16)
	b.Run("ours", func(b *testing.B) {
		h := &Hasher{Memory: 19456, Lanes: 1}
		b.ReportAllocs()
		for b.Loop() {
			h.ID([]byte("correct horse"), salt, 2, 19456, 1, 32)
		}
	})
	b.Run("original", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			original.IDKey([]byte("correct horse"), salt, 2, 19456, 1, 32)
		}
	})
}

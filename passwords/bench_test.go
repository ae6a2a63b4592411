package passwords

import (
	"testing"
	"time"
)

// BenchmarkVerify is the ceiling of sign-ins: nothing but hashing, on all processors.
func BenchmarkVerify(b *testing.B) {
	for _, kind := range []string{Argon2id, Bcrypt} {
		b.Run(kind, func(b *testing.B) {
			h := NewHasher(Settings{Hash: kind, Queue: 1024}, time.Now)
			stored := hashOf(b, h, "password")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, _, err := h.Verify(b.Context(), stored, "wrong"); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}

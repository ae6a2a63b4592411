package tokens

import "testing"

func BenchmarkSignAndVerify(b *testing.B) {
	for _, alg := range []string{"HS256", "RS256", "ES256", "EdDSA"} {
		text := secretText(b, alg, hsKey, "", "")
		if alg != "HS256" {
			public, private := pairOf(b, alg)
			text = secretText(b, alg, public, private, "")
		}
		s := newSigner(b, text)
		token := sign(b, s, access())
		b.Run(alg+"/sign", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				sign(b, s, access())
			}
		})
		b.Run(alg+"/verify", func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := s.Verify(token, noon); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

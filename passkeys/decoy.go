package passkeys

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// Decoys are the ids of keys that nobody has, for an address that nobody has, or whose owner has no
// key. The same address gets the same ones for as long as the pepper lives, so that asking twice
// tells nothing; who does not know the pepper cannot tell them from real ones.
func Decoys(pepper []byte, email string) []string {
	lengths := []int{16, 16, 16, 20, 20, 32, 32, 64} // of the ids that widespread authenticators make
	draw := stream(pepper, email, 0)
	n := 1
	if draw[0] < 48 { // about one in five has a second key
		n = 2
	}
	ids := make([]string, n)
	for i := range ids {
		length := lengths[int(draw[1+i])%len(lengths)]
		var id []byte
		for part := byte(0); len(id) < length; part++ {
			id = append(id, stream(pepper, email, 1+2*byte(i)+part)...)
		}
		ids[i] = base64.RawURLEncoding.EncodeToString(id[:length])
	}
	return ids
}

func stream(pepper []byte, email string, block byte) []byte {
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte("postern passkey decoy 1\n"))
	mac.Write([]byte{block})
	mac.Write([]byte(strings.ToLower(email)))
	return mac.Sum(nil)
}

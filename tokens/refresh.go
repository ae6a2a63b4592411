package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// NextRefresh gives the k-th successor of a refresh token: the same answer on every replica and at
// every repetition, so that a client that lost the answer gets it again. Without the pepper nobody
// can go from a token to its successor. The successor looks like a random UUID, as clients expect.
func NextRefresh(pepper []byte, token string, k int) string {
	mac := hmac.New(sha256.New, pepper)
	mac.Write([]byte(token))
	var branch [4]byte
	binary.BigEndian.PutUint32(branch[:], uint32(k)) //#nosec G115 -- a branch is a small count, never negative
	mac.Write(branch[:])
	return uuidText(mac.Sum(nil))
}

// HashRefresh is what the sessions table keeps of a refresh token, in the spelling Hasura Auth
// reads: \x and the SHA-256 of the text in lower-case hex.
func HashRefresh(token string) string {
	sum := sha256.Sum256([]byte(token))
	return `\x` + hex.EncodeToString(sum[:])
}

package tokens

import (
	"crypto/hmac"
	"crypto/sha256"

	"postern/auth"
)

// CodeID is the id of the ticket that holds the typed code of an account for a purpose. It is the
// same every time, so that there is never more than one: a newer code takes the place of the older.
func CodeID(p auth.Purpose, account string) string {
	h := sha256.New()
	for _, part := range []string{"postern typed code 1", string(p), account} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return uuidText(h.Sum(nil))
}

// HashCode is what is kept of a code that somebody is to type. A million codes are tried in a
// second, so a plain hash would hide nothing from whoever reads the database: this one needs a key
// that the database does not have. It holds for one ticket and one purpose.
func (r *Keyring) HashCode(ticketID string, p auth.Purpose, code string) []byte {
	return codeHash(r.codes[0], ticketID, p, code)
}

// IsCode tells whether this is the code that was hashed, with the current key or an older one.
func (r *Keyring) IsCode(hash []byte, ticketID string, p auth.Purpose, code string) bool {
	is := false
	for _, pepper := range r.codes {
		if hmac.Equal(hash, codeHash(pepper, ticketID, p, code)) {
			is = true
		}
	}
	return is
}

func codeHash(pepper []byte, ticketID string, p auth.Purpose, code string) []byte {
	h := hmac.New(sha256.New, pepper)
	for _, part := range []string{ticketID, string(p), code} {
		h.Write([]byte(part))
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}

// CodeHashes are what may be kept of a code, with the current key and the older ones.
func (r *Keyring) CodeHashes(ticketID string, p auth.Purpose, code string) [][]byte {
	list := make([][]byte, 0, len(r.codes))
	for _, pepper := range r.codes {
		list = append(list, codeHash(pepper, ticketID, p, code))
	}
	return list
}

package supabase

import (
	"slices"

	"postern/auth"
)

// methods are Supabase's words for ours in amr. The others are the same.
var methods = map[string]string{
	"link": "magiclink", "sms": "otp", "idtoken": "oauth", "webauthn": "passkey",
}

func methodOf(ours string) string {
	if theirs, ok := methods[ours]; ok {
		return theirs
	}
	return ours
}

// proof is one entry of amr.
type proof struct {
	Method    string `json:"method"`
	Timestamp int64  `json:"timestamp"`
}

// proofs are amr, the newest first.
func proofs(amr []auth.Method) []proof {
	list := make([]proof, 0, len(amr))
	for _, m := range slices.Backward(amr) {
		list = append(list, proof{methodOf(m.Method), m.Timestamp.Unix()})
	}
	return list
}

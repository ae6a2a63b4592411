package userobject

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"postern/auth"
)

// words are GoTrue's for ours in amr. The others are the same.
var words = map[string]string{
	"link": "magiclink", "sms": "otp", "idtoken": "oauth", "webauthn": "passkey",
}

// Method is what GoTrue calls a way to prove who one is.
func Method(ours string) string {
	if theirs, ok := words[ours]; ok {
		return theirs
	}
	return ours
}

// Proof is one entry of amr.
type Proof struct {
	Method    string `json:"method"`
	Timestamp int64  `json:"timestamp"`
}

// Proofs are amr, the newest first.
func Proofs(amr []auth.Method) []Proof {
	list := make([]Proof, 0, len(amr))
	for _, m := range slices.Backward(amr) {
		list = append(list, Proof{Method(m.Method), m.Timestamp.Unix()})
	}
	return list
}

// Claims are what Supabase's access tokens say beside what every token says.
func Claims(u auth.User, s auth.Session, d *auth.Details) map[string]any {
	o := Whole(u, d)
	if longer(o.UserMetadata, o.AppMetadata) {
		o.UserMetadata = map[string]any{}
	}
	if longer(o.AppMetadata) {
		maps.DeleteFunc(o.AppMetadata, func(name string, _ any) bool { return name != "provider" && name != "providers" })
	}
	return map[string]any{
		"role": o.Role, "email": o.Email, "phone": o.Phone, "app_metadata": o.AppMetadata, "user_metadata": o.UserMetadata,
		"aal": "aal" + strconv.Itoa(max(s.AAL, 1)), "amr": Proofs(s.AMR), "is_anonymous": o.IsAnonymous,
	}
}

// mostInToken is how many bytes of metadata a token says: more, and headers could not carry it.
const mostInToken = 6 << 10

func longer(objects ...map[string]any) bool {
	text, err := json.Marshal(objects)
	return err != nil || len(text) > mostInToken
}

// Whole is the user object of somebody of whom the details are known; nil means that there are none yet.
func Whole(u auth.User, known *auth.Details) User {
	var d auth.Details
	if known != nil {
		d = *known
	}
	o := Known(u, "")
	if o.LastSignIn = moment(d.SignedInAt); !u.UpdatedAt.IsZero() {
		o.UpdatedAt = u.UpdatedAt.UTC()
	}
	o.Identities, o.Factors = Identities(u, d), Factors(d)
	o.UserMetadata, o.AppMetadata = Split(u.Metadata)
	delete(o.AppMetadata, "provider")
	delete(o.AppMetadata, "providers")
	if providers := ProvidersOf(o.Identities); len(providers) > 0 {
		o.AppMetadata["provider"], o.AppMetadata["providers"] = providers[0], providers
	}
	if slices.ContainsFunc(o.Identities, func(i Identity) bool { return i.ID == u.ID }) {
		maps.Copy(o.UserMetadata, Claimed(u)) // over what users may have put there
	} else if len(o.Identities) > 0 {
		fill(o.UserMetadata, o.Identities[0].Data)
	}
	if o.EmailConfirmed != nil && !d.EmailConfirmedAt.IsZero() {
		o.EmailConfirmed = moment(d.EmailConfirmedAt)
	}
	if o.PhoneConfirmed != nil && !d.PhoneConfirmedAt.IsZero() {
		o.PhoneConfirmed = moment(d.PhoneConfirmedAt)
	}
	o.Confirmed = o.EmailConfirmed
	if p := o.PhoneConfirmed; p != nil && (o.Confirmed == nil || p.Before(*o.Confirmed)) {
		o.Confirmed = p
	}
	o.NewPhone, o.PhoneChangeSent = Bare(d.NewPhone), moment(d.NewPhoneAt)
	o.Email, o.DeletedAt = strings.ToLower(u.Email), moment(u.DeletedAt)
	return o
}

// fill adds members that are not there.
func fill(all, more map[string]any) {
	for name, value := range more {
		if _, there := all[name]; !there {
			all[name] = value
		}
	}
}

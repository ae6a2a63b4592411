package supabase

import (
	"maps"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/userobject"
)

// metadata is what every payload begins with. Its uuid is the same over retries.
type metadata struct {
	UUID    string    `json:"uuid"`
	Time    time.Time `json:"time"`
	Name    string    `json:"name"`
	Address string    `json:"ip_address,omitempty"`
}

func metadataOf(e hooks.Event, r row) metadata {
	m := metadata{UUID: e.ID, Time: e.At.UTC(), Name: r.metadata}
	if a := e.Client.Address; a != (netip.Addr{}) {
		m.Address = a.Unmap().WithZone("").String()
	}
	return m
}

type tokenPayload struct {
	Metadata metadata       `json:"metadata"`
	UserID   string         `json:"user_id"`
	Claims   map[string]any `json:"claims"`
	Method   string         `json:"authentication_method"`
}

func tokenMinting(m metadata, e hooks.TokenMinting) any {
	return tokenPayload{m, e.User.ID, claims(e), userobject.Method(e.Method)}
}

// claims are those of the token, and beside them what Supabase's tokens say.
func claims(e hooks.TokenMinting) map[string]any {
	u := e.User
	first := ""
	if len(e.AMR) > 0 {
		first = e.AMR[0].Method
	}
	all := map[string]any{
		"aud": userobject.Authenticated, "role": userobject.Authenticated, "email": strings.ToLower(u.Email), "phone": userobject.Bare(u.PhoneNumber),
		"app_metadata": userobject.AppMetadata(u, userobject.ProviderOf("", first)), "user_metadata": userobject.About(auth.User{Metadata: u.Metadata}),
		"aal": "aal" + strconv.Itoa(max(e.AAL, 1)), "amr": userobject.Proofs(e.AMR), "session_id": e.SessionID, "is_anonymous": u.IsAnonymous,
	}
	maps.Copy(all, e.Claims)
	if list, ok := all["aud"].([]any); ok && len(list) == 1 {
		all["aud"] = list[0]
	}
	return all
}

type userPayload struct {
	Metadata metadata        `json:"metadata"`
	User     userobject.User `json:"user"`
}

func userCreating(m metadata, e hooks.UserCreating) any {
	return userPayload{m, userobject.Coming(e.Current(), userobject.ProviderOf(e.Provider, e.Method))}
}

func userInserted(m metadata, e hooks.UserInserted) any {
	return userPayload{m, userobject.Known(e.User, userobject.ProviderOf("", e.Method))}
}

func userCreated(m metadata, e hooks.UserCreated) any {
	return userPayload{m, userobject.Known(e.User, userobject.ProviderOf(e.Provider, e.Method))}
}

type passwordPayload struct {
	Metadata metadata `json:"metadata"`
	UserID   string   `json:"user_id"`
	Valid    bool     `json:"valid"`
}

func passwordChecked(m metadata, e hooks.PasswordChecked) any {
	return passwordPayload{m, e.User.ID, e.Valid}
}

type factorPayload struct {
	Metadata metadata `json:"metadata"`
	UserID   string   `json:"user_id"`
	FactorID string   `json:"factor_id"`
	Type     string   `json:"factor_type"`
	Valid    bool     `json:"valid"`
}

// factorChecked tells of a code. Where a factor has no id of its own, the user has one of its kind at
// most, and their id stands for it.
func factorChecked(m metadata, e hooks.FactorChecked) any {
	id := e.FactorID
	if id == "" {
		id = e.User.ID
	}
	return factorPayload{m, e.User.ID, id, e.Type, e.Valid}
}

type unknownPayload struct {
	Metadata metadata `json:"metadata"`
	Email    string   `json:"email"`
	Password string   `json:"password"`
	UserID   string   `json:"user_id,omitempty"`
}

func passwordUnknown(m metadata, e hooks.PasswordUnknown) any {
	p := unknownPayload{Metadata: m, Email: strings.ToLower(e.Email), Password: e.Password.Reveal()}
	if e.User != nil {
		p.UserID = e.User.ID
	}
	return p
}

type smsPayload struct {
	Metadata metadata        `json:"metadata"`
	User     userobject.User `json:"user"`
	SMS      sms             `json:"sms"`
}

type sms struct {
	OTP   string `json:"otp"`
	Phone string `json:"phone"`
	Type  string `json:"sms_type,omitempty"`
}

func smsDue(m metadata, e hooks.SMSDue) any {
	s := sms{OTP: e.Code.Reveal(), Phone: userobject.Bare(e.Phone)}
	if e.Purpose == auth.ElevateBySMS || e.Purpose == auth.FactorChallenge {
		s.Type = "mfa"
	}
	return smsPayload{m, userobject.Known(e.User, ""), s}
}

type mailPayload struct {
	Metadata metadata        `json:"metadata"`
	User     userobject.User `json:"user"`
	Mail     mail            `json:"email_data"`
}

// mail is what is to be sent. All members are always there.
type mail struct {
	Token        string `json:"token"`
	TokenHash    string `json:"token_hash"`
	RedirectTo   string `json:"redirect_to"`
	Action       string `json:"email_action_type"`
	SiteURL      string `json:"site_url"`
	TokenNew     string `json:"token_new"`
	TokenHashNew string `json:"token_hash_new"`
	OldEmail     string `json:"old_email"`
	OldPhone     string `json:"old_phone"`
	Provider     string `json:"provider"`
	FactorType   string `json:"factor_type"`
}

package gotrue

import (
	"net/http"

	"postern/server"
)

// Offered says which ways in this server has, for pages that show them.
type Offered struct {
	Providers      map[string]bool // that may vouch for people
	Email          bool
	Phone          bool
	Guests         bool
	SMSProvider    string
	DisableSignUp  bool
	ConfirmsEmails bool // of new users, by a mail
	ConfirmsPhones bool
	Passkeys       bool
}

// peers are the providers that clients know, which are told of whether or not they are in use.
var peers = []string{
	"apple", "azure", "bitbucket", "discord", "facebook", "snapchat", "figma", "fly", "github", "gitlab", "google", "keycloak", "kakao",
	"linkedin", "linkedin_oidc", "notion", "spotify", "slack", "slack_oidc", "workos", "twitch", "twitter", "zoom",
}

type settings struct {
	External          map[string]bool `json:"external"`
	DisableSignUp     bool            `json:"disable_signup"`
	Autoconfirm       bool            `json:"autoconfirm"` // as older servers called the next
	MailerAutoconfirm bool            `json:"mailer_autoconfirm"`
	PhoneAutoconfirm  bool            `json:"phone_autoconfirm"`
	SMSProvider       string          `json:"sms_provider"`
	SAML              bool            `json:"saml_enabled"`
	SAMLNextKey       bool            `json:"saml_private_key_next_configured"`
	Passkeys          bool            `json:"passkeys_enabled"`
}

func (d *Door) settings(w http.ResponseWriter, _ *http.Request) error {
	o := d.Offered
	out := settings{
		External: map[string]bool{"anonymous_users": o.Guests, "email": o.Email, "phone": o.Phone}, DisableSignUp: o.DisableSignUp,
		Autoconfirm: !o.ConfirmsEmails, MailerAutoconfirm: !o.ConfirmsEmails, PhoneAutoconfirm: !o.ConfirmsPhones,
		SMSProvider: o.SMSProvider, Passkeys: o.Passkeys,
	}
	for _, name := range peers {
		out.External[name] = o.Providers[ourName(name)]
	}
	return server.JSON(w, http.StatusOK, out)
}

func (d *Door) health(w http.ResponseWriter, _ *http.Request) error {
	return server.JSON(w, http.StatusOK, map[string]string{
		"version": d.Health.Version, "name": "GoTrue", "description": "Postern, in the dialect of GoTrue",
	})
}

package supabase

import (
	"strings"

	"postern/auth"
	"postern/hooks"
	"postern/userobject"
)

// action is what one of our mails is with Supabase.
type action struct {
	word   string
	factor string
}

// actions are those by our templates. Those of ours that Supabase has no word for have one in its style.
var actions = map[string]action{
	"email-verify":           {word: "signup"},
	"email-confirm-change":   {word: "email_change"},
	"signin-passwordless":    {word: "magiclink"},
	"signin-otp":             {word: "magiclink"},
	"invitation":             {word: "invite"},
	"password-reset":         {word: "recovery"},
	"password-changed":       {word: "password_changed_notification"},
	"email-changed":          {word: "email_changed_notification"},
	"phone-changed":          {word: "phone_changed_notification"},
	"identity-linked":        {word: "identity_linked_notification"},
	"identity-unlinked":      {word: "identity_unlinked_notification"},
	"totp-enabled":           {word: "mfa_factor_enrolled_notification", factor: "totp"},
	"totp-disabled":          {word: "mfa_factor_unenrolled_notification", factor: "totp"},
	"phone-factor-enabled":   {word: "mfa_factor_enrolled_notification", factor: "phone"},
	"phone-factor-disabled":  {word: "mfa_factor_unenrolled_notification", factor: "phone"},
	"security-key-enabled":   {word: "mfa_factor_enrolled_notification", factor: "webauthn"},
	"security-key-disabled":  {word: "mfa_factor_unenrolled_notification", factor: "webauthn"},
	"passkey-added":          {word: "mfa_factor_enrolled_notification", factor: "webauthn"},
	"passkey-removed":        {word: "mfa_factor_unenrolled_notification", factor: "webauthn"},
	"recovery-code-used":     {word: "recovery_code_used_notification"},
	"recovery-codes-renewed": {word: "recovery_codes_renewed_notification"},
	"token-created":          {word: "token_created_notification"},
}

// actionOf is what a mail is with Supabase.
func actionOf(e hooks.MailDue) action {
	if e.Purpose == auth.ElevateByEmail || e.Purpose == auth.Reauthenticate {
		return action{word: "reauthentication"}
	}
	return actions[e.Template]
}

// mailDue tells of a mail. A change of address is confirmed at the new one alone, so the members for
// the current one stay empty.
func mailDue(site string) func(metadata, hooks.MailDue) any {
	return func(m metadata, e hooks.MailDue) any {
		site := site
		a := actionOf(e)
		u := userobject.Known(e.User, "")
		if a.word == "email_change" {
			u.NewEmail = e.To
		}
		factor := e.Detail["factorType"]
		if factor == "" {
			factor = a.factor
		}
		if base, _, ours := strings.Cut(e.Link.Reveal(), "/verify?"); ours { // of the door that was asked
			site = base
		}
		return mailPayload{m, u, mail{
			Token: e.Code.Reveal(), TokenHash: e.Ticket.Reveal(), RedirectTo: e.RedirectTo, Action: a.word, SiteURL: site,
			OldEmail: e.Detail["oldEmail"], OldPhone: userobject.Bare(e.Detail["oldPhone"]), Provider: e.Detail["provider"], FactorType: factor,
		}}
	}
}

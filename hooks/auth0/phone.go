package auth0

import (
	"context"
	"net/netip"

	"postern/auth"
	"postern/hooks"
)

// ofFactor tells whether a text message is one of second factors and fresh proofs.
func ofFactor(p auth.Purpose) bool { return p == auth.ElevateBySMS || p == auth.FactorChallenge }

// text is what a message says.
func (o Options) text(ctx context.Context, e hooks.SMSDue) (string, error) {
	if o.Text == nil {
		return plainText(e), nil
	}
	return o.Text(ctx, e)
}

// plainText is what a message says that has no template.
func plainText(e hooks.SMSDue) string { return "Your code is " + e.Code.Reveal() }

// phoneQuestion is what a script of SendPhoneMessage is told.
func phoneQuestion(e hooks.SMSDue, text string) map[string]any {
	address := ""
	if a := e.Client.Address; a != (netip.Addr{}) {
		address = a.Unmap().WithZone("").String()
	}
	theirs, apps := metadataOf(e.User.Metadata)
	return map[string]any{
		"recipient": e.Phone, "text": text,
		"context": map[string]any{
			"message_type": "sms", "action": "second-factor-authentication", "factor_type": "second", "language": e.User.Locale,
			"code": e.Code.Reveal(), "ip": address, "user_agent": e.Client.UserAgent,
			"user": map[string]any{
				"user_id": e.User.ID, "name": e.User.DisplayName, "email": e.User.Email, "app_metadata": apps, "user_metadata": theirs,
			},
		},
	}
}

// unsent is what an error of a script means for a message.
func unsent(t *thrown) error {
	if t.name != refusesText {
		return t.failure()
	}
	return &hooks.Denied{Status: 500, Code: "extensibility_error", Message: t.friendly, Reason: t.String()}
}

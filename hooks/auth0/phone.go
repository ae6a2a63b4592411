package auth0

import (
	"context"
	"net/netip"

	"postern/auth"
	"postern/hooks"
)

// ofFactor tells whether a text message is one of second factors and fresh proofs.
func ofFactor(p auth.Purpose) bool { return p == auth.ElevateBySMS }

// phoneQuestion is what a script of SendPhoneMessage is told.
func phoneQuestion(ctx context.Context, e hooks.SMSDue, o Options) (map[string]any, error) {
	text := "Your code is " + e.Code.Reveal()
	if o.Text != nil {
		var err error
		if text, err = o.Text(ctx, e); err != nil {
			return nil, err
		}
	}
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
	}, nil
}

// unsent is what an error of a script means for a message.
func unsent(t *thrown) error {
	if t.name != refusesText {
		return t.failure()
	}
	return &hooks.Denied{Status: 500, Code: "extensibility_error", Message: t.friendly, Reason: t.String()}
}

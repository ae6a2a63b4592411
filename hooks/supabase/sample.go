package supabase

import (
	"net/netip"
	"time"

	"postern/auth"
	"postern/hooks"
)

// samplePayload is what a receiver would be told of somebody made up.
func samplePayload(r row) any {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	event := hooks.Event{ID: "8ccaa7af-909f-44e7-84cb-67cdccb56be6", At: at, Client: auth.Client{Address: netip.MustParseAddr("203.0.113.7")}}
	who := auth.User{
		ID: "481e97c9-cae5-4f0b-b6f0-9c3d5a8a5b1e", CreatedAt: at.AddDate(0, -1, 0), LastSeen: at.AddDate(0, 0, -1), DisplayName: "Jane Doe",
		Locale: "en", Email: "jane@example.com", EmailVerified: true, PhoneNumber: "+15551234567", DefaultRole: "user", Roles: []string{"user", "me"},
		Metadata: []byte(`{"plan":"free"}`),
	}
	m := metadataOf(event, r)
	switch r.name {
	case CustomAccessToken:
		proved := []auth.Method{{Method: "password", Timestamp: at}}
		return tokenMinting(m, hooks.TokenMinting{
			Event: event, User: who, SessionID: "b2a3a9f4-6f5c-4ad4-9c4d-0a5c6d1f7e11", AAL: 1, AMR: proved, Method: "password",
			Claims: map[string]any{
				"iss": "hasura-auth", "sub": who.ID, "iat": at.Unix(), "exp": at.Add(15 * time.Minute).Unix(),
				"https://hasura.io/jwt/claims": map[string]any{
					"x-hasura-user-id": who.ID, "x-hasura-default-role": "user", "x-hasura-allowed-roles": []string{"user", "me"}, "x-hasura-user-is-anonymous": "false",
				},
			},
		})
	case BeforeUserCreated:
		return userCreating(m, hooks.UserCreating{Event: event, User: who, Method: "password"})
	case AfterUserCreated:
		return userCreated(m, hooks.UserCreated{Event: event, User: who, Method: "password"})
	case PasswordVerification:
		return passwordChecked(m, hooks.PasswordChecked{Event: event, User: who})
	case MFAVerification:
		return factorChecked(m, hooks.FactorChecked{Event: event, User: who, Type: "totp", Valid: true})
	case PasswordUnknown:
		return passwordUnknown(m, hooks.PasswordUnknown{Event: event, Email: who.Email, Password: "correct horse battery staple"})
	case SendSMS:
		return smsDue(m, hooks.SMSDue{Event: event, User: who, Phone: who.PhoneNumber, Code: "561166"})
	case SendEmail:
		return mailDue("https://auth.example.com/v1")(m, hooks.MailDue{Event: event, User: who, To: who.Email, Template: "email-verify", Ticket: "verifyEmail:0d5c3c2e-8f0a-4f59-9d0b-0f9c1c6b6a10", RedirectTo: "https://app.example.com"})
	}
	return nil
}

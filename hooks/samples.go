package hooks

import (
	"encoding/json"
	"net/netip"
	"time"

	"postern/auth"
)

// Samples are events of somebody made up, one of each kind.
type Samples struct {
	Requested          Requested
	UserCreating       UserCreating
	UserInserted       UserInserted
	UserConfirmed      UserConfirmed
	UserCreated        UserCreated
	PasswordUnknown    PasswordUnknown
	PasswordChecked    PasswordChecked
	FactorChecked      FactorChecked
	SessionOpening     SessionOpening
	TokenMinting       TokenMinting
	ClientTokenMinting ClientTokenMinting
	SMSDue             SMSDue
	MailDue            MailDue
	PasswordChanged    PasswordChanged
	UserModified       UserModified
	UserDeleted        UserDeleted
}

// SampleEvent is what samples for documentation have in common: they are the same every time.
func SampleEvent() Event {
	return Event{
		ID: "8ccaa7af-909f-44e7-84cb-67cdccb56be6", At: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Client: auth.Client{Address: netip.MustParseAddr("203.0.113.7")},
	}
}

// NewSamples makes events with an id and a time in common.
func NewSamples(e Event) Samples {
	who := auth.User{
		ID: "481e97c9-cae5-4f0b-b6f0-9c3d5a8a5b1e", CreatedAt: e.At.AddDate(0, -1, 0), LastSeen: e.At.AddDate(0, 0, -1), DisplayName: "Jane Doe",
		Locale: "en", Email: "jane@example.com", EmailVerified: true, PhoneNumber: "+15551234567", DefaultRole: "user", Roles: []string{"user", "me"},
		Metadata: json.RawMessage(`{"plan":"free"}`),
	}
	claims := map[string]any{
		"iss": "hasura-auth", "sub": who.ID, "iat": e.At.Unix(), "exp": e.At.Add(15 * time.Minute).Unix(),
		"https://hasura.io/jwt/claims": map[string]any{
			"x-hasura-user-id": who.ID, "x-hasura-default-role": "user", "x-hasura-allowed-roles": []string{"user", "me"}, "x-hasura-user-is-anonymous": "false",
		},
	}
	const password = "password"
	return Samples{
		Requested: Requested{
			Event: e, Method: password,
			Data: json.RawMessage(`{"email":"jane@example.com","password":"correct horse battery staple","options":{"displayName":"Jane Doe"}}`),
		},
		UserCreating:    UserCreating{Event: e, User: who, Method: password},
		UserInserted:    UserInserted{Event: e, User: who, Method: password},
		UserConfirmed:   UserConfirmed{Event: e, User: who, Method: "link"},
		UserCreated:     UserCreated{Event: e, User: who, Method: password},
		PasswordUnknown: PasswordUnknown{Event: e, Email: who.Email, Password: "correct horse battery staple"},
		PasswordChecked: PasswordChecked{Event: e, User: who},
		FactorChecked:   FactorChecked{Event: e, User: who, Type: "totp", Valid: true},
		SessionOpening:  SessionOpening{Event: e, User: who, Method: password},
		TokenMinting: TokenMinting{
			Event: e, User: who, SessionID: "b2a3a9f4-6f5c-4ad4-9c4d-0a5c6d1f7e11", AAL: 1,
			AMR: []auth.Method{{Method: password, Timestamp: e.At}}, Method: password, Claims: claims,
		},
		ClientTokenMinting: ClientTokenMinting{
			Event: e, ClientID: "robots", Audience: "https://api.example.com", Scope: []string{"read:things"}, Claims: map[string]any{},
		},
		SMSDue: SMSDue{Event: e, User: who, Phone: who.PhoneNumber, Code: "561166"},
		MailDue: MailDue{
			Event: e, User: who, To: who.Email, Template: "email-verify",
			Ticket: "verifyEmail:0d5c3c2e-8f0a-4f59-9d0b-0f9c1c6b6a10", RedirectTo: "https://app.example.com",
		},
		PasswordChanged: PasswordChanged{Event: e, User: who},
		UserModified:    UserModified{Event: e, User: who},
		UserDeleted:     UserDeleted{Event: e, User: who},
	}
}

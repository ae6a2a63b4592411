package graph

import (
	"context"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
)

// PendingSecrets lists the one-time secrets of a user that live.
func (u *user) PendingSecrets(ctx context.Context, of *wire.User, first int) ([]*wire.PendingSecret, error) {
	return listed(ctx, of, "pendingSecrets", first, u.Admin.PendingSecretsOfUsers, func(s flow.PendingSecret) *wire.PendingSecret {
		return &wire.PendingSecret{Kind: secretKind(auth.Purpose(s.Purpose)), SentTo: nullable(s.To), CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, AttemptsLeft: s.AttemptsLeft}
	})
}

// secretKind is what a purpose is called here.
func secretKind(p auth.Purpose) wire.PendingSecretKind {
	switch p {
	case auth.VerifyEmail:
		return wire.PendingSecretKindVerifyEmail
	case auth.ConfirmEmailChange:
		return wire.PendingSecretKindChangeEmail
	case auth.SignInByEmail:
		return wire.PendingSecretKindSignInLink
	case auth.ResetPassword:
		return wire.PendingSecretKindResetPassword
	case auth.Invitation:
		return wire.PendingSecretKindInvitation
	case auth.SecondFactor, auth.FactorChallenge:
		return wire.PendingSecretKindSecondFactor
	case auth.ExchangeCode, auth.ProviderSignIn:
		return wire.PendingSecretKindExchangeCode
	case auth.SignInByEmailCode:
		return wire.PendingSecretKindEmailCode
	case auth.SignInBySMS:
		return wire.PendingSecretKindSmsCode
	case auth.ChangePhone:
		return wire.PendingSecretKindChangePhone
	case auth.ElevateByEmail:
		return wire.PendingSecretKindElevateByEmail
	case auth.ElevateBySMS:
		return wire.PendingSecretKindElevateBySms
	case auth.Reauthenticate:
		return wire.PendingSecretKindReauthenticate
	case auth.PasskeySignUp, auth.PasskeySignIn, auth.PasskeyAdd, auth.PasskeyElevate:
		return wire.PendingSecretKindPasskeyChallenge
	case auth.OAuthRequest:
		return wire.PendingSecretKindOauthRequest
	case auth.OAuthCode:
		return wire.PendingSecretKindOauthCode
	case auth.ProviderState, auth.ProviderLink, auth.ProviderSetOut:
		return wire.PendingSecretKindProviderState
	}
	if link, typed := p.Link(); typed {
		return secretKind(link)
	}
	return wire.PendingSecretKindOther
}

// Mails lists the mails and text messages to a user.
func (u *user) Mails(ctx context.Context, of *wire.User, first int) ([]*wire.UserMessage, error) {
	return listed(ctx, of, "mails", first, u.Admin.MessagesOfUsers, func(m flow.Message) *wire.UserMessage {
		return &wire.UserMessage{
			ID: m.Key(), Kind: wire.MessageKind(strings.ToUpper(m.Kind)), Template: m.Template, SentTo: nullable(m.To), State: wire.MessageState(strings.ToUpper(m.State)),
			Attempts: m.Attempts, Error: nullable(m.Error), QueuedAt: m.QueuedAt, LastAttemptAt: m.LastAttemptAt, NextAttemptAt: m.NextAttemptAt, EndedAt: m.EndedAt, ExpiresAt: m.ExpiresAt,
		}
	})
}

// Events lists what happened to a user.
func (u *user) Events(ctx context.Context, of *wire.User, first int) ([]*wire.ServiceEvent, error) {
	return listed(ctx, of, "events", first, u.Service.EventsOfUsers, serviceEvent)
}

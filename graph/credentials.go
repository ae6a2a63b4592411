package graph

import (
	"context"

	"postern/auth"
	"postern/flow"
	"postern/graph/wire"
)

// SendPasswordReset mails a user the link to choose a new password.
func (m *mutation) SendPasswordReset(ctx context.Context, in wire.SendPasswordResetInput) (*wire.SendPasswordResetPayload, error) {
	return &wire.SendPasswordResetPayload{UserID: in.UserID}, m.sendMail(ctx, auth.ResetPassword, in.UserID, in.RedirectTo)
}

// SendSignInLink mails a user the link that signs in.
func (m *mutation) SendSignInLink(ctx context.Context, in wire.SendSignInLinkInput) (*wire.SendSignInLinkPayload, error) {
	return &wire.SendSignInLinkPayload{UserID: in.UserID}, m.sendMail(ctx, auth.SignInByEmail, in.UserID, in.RedirectTo)
}

// SendEmailVerification mails a user the link that confirms their address.
func (m *mutation) SendEmailVerification(ctx context.Context, in wire.SendEmailVerificationInput) (*wire.SendEmailVerificationPayload, error) {
	return &wire.SendEmailVerificationPayload{UserID: in.UserID}, m.sendMail(ctx, auth.VerifyEmail, in.UserID, in.RedirectTo)
}

// SendInvitation invites a user who has never come in.
func (m *mutation) SendInvitation(ctx context.Context, in wire.SendInvitationInput) (*wire.SendInvitationPayload, error) {
	return &wire.SendInvitationPayload{UserID: in.UserID}, m.sendMail(ctx, auth.Invitation, in.UserID, in.RedirectTo)
}

func (m *mutation) sendMail(ctx context.Context, purpose auth.Purpose, userID string, redirectTo *string) error {
	return m.Admin.SendMail(ctx, operator(ctx), flow.AdminMail{UserID: userID, Purpose: purpose, RedirectTo: given(redirectTo)})
}

// GenerateLink makes a link that signs a user in.
func (m *mutation) GenerateLink(ctx context.Context, in wire.GenerateLinkInput) (*wire.GenerateLinkPayload, error) {
	purpose := map[wire.LinkType]auth.Purpose{
		wire.LinkTypeSignIn: auth.SignInByEmail, wire.LinkTypeInvitation: auth.Invitation,
	}[in.Type]
	made, err := m.Admin.GenerateLink(ctx, operator(ctx), flow.AdminMail{UserID: in.UserID, Purpose: purpose, RedirectTo: given(in.RedirectTo)})
	return &wire.GenerateLinkPayload{UserID: in.UserID, URL: made.URL, ExpiresAt: made.ExpiresAt}, err
}

// EndSessions ends sessions.
func (m *mutation) EndSessions(ctx context.Context, in wire.EndSessionsInput) (*wire.EndSessionsPayload, error) {
	ended, err := m.Admin.EndSessions(ctx, operator(ctx), flow.SessionEnding{
		UserIDs: in.UserIds, SessionIDs: in.SessionIds, All: in.All, Before: in.Before, PATs: in.IncludePersonalAccessTokens,
	})
	return &wire.EndSessionsPayload{Ended: ended.Sessions, PersonalAccessTokensRevoked: ended.PATs, Users: ended.Users, More: ended.More}, err
}

// ResetFactors takes the second factors off a user.
func (m *mutation) ResetFactors(ctx context.Context, in wire.ResetFactorsInput) (*wire.ResetFactorsPayload, error) {
	gone, err := m.Admin.ResetFactors(ctx, operator(ctx), flow.FactorReset{UserID: in.UserID, Passkeys: in.IncludePasskeys, Lockout: in.AllowLockout})
	return &wire.ResetFactorsPayload{
		UserID: in.UserID, Totp: gone.TOTP, Phone: gone.Phone, SecurityKeys: gone.WebAuthn, RecoveryCodes: gone.RecoveryCodes, Passkeys: gone.Passkeys, SessionsEnded: gone.Sessions,
	}, err
}

// RemovePasskey takes a passkey off a user.
func (m *mutation) RemovePasskey(ctx context.Context, in wire.RemovePasskeyInput) (*wire.RemovePasskeyPayload, error) {
	err := m.Admin.RemovePasskey(ctx, operator(ctx), flow.Removal{UserID: in.UserID, ID: in.PasskeyID, Lockout: in.AllowLockout})
	return &wire.RemovePasskeyPayload{UserID: in.UserID, PasskeyID: in.PasskeyID}, err
}

// RevokePersonalAccessToken takes a personal access token off a user.
func (m *mutation) RevokePersonalAccessToken(ctx context.Context, in wire.RevokePersonalAccessTokenInput) (*wire.RevokePersonalAccessTokenPayload, error) {
	err := m.Admin.RevokePAT(ctx, operator(ctx), flow.Removal{UserID: in.UserID, ID: in.TokenID})
	return &wire.RevokePersonalAccessTokenPayload{UserID: in.UserID, TokenID: in.TokenID}, err
}

// UnlinkIdentity takes an identity off a user.
func (m *mutation) UnlinkIdentity(ctx context.Context, in wire.UnlinkIdentityInput) (*wire.UnlinkIdentityPayload, error) {
	err := m.Admin.UnlinkIdentity(ctx, operator(ctx), flow.Removal{UserID: in.UserID, ID: in.IdentityID, Lockout: in.AllowLockout})
	return &wire.UnlinkIdentityPayload{UserID: in.UserID, IdentityID: in.IdentityID}, err
}

// ImpersonateUser gives a token to see what a user sees.
func (m *mutation) ImpersonateUser(ctx context.Context, in wire.ImpersonateUserInput) (*wire.ImpersonateUserPayload, error) {
	i, err := m.Admin.Impersonate(ctx, operator(ctx), flow.Impersonation{UserID: in.UserID, Reason: in.Reason, Minutes: in.Minutes})
	return &wire.ImpersonateUserPayload{UserID: in.UserID, ImpersonationID: i.ID, AccessToken: i.AccessToken, ExpiresAt: i.ExpiresAt}, err
}

package auth0

import (
	"testing"

	"postern/auth"
)

// userCodes are those that only flows of users refuse with.
var userCodes = []auth.Code{
	auth.NotElevated, auth.EndpointDisabled, auth.SignUpDisabled, auth.InvalidCredentials, auth.EmailNotAllowed, auth.UserDisabled, auth.UserBanned, auth.UserUnverified, auth.PasswordMustChange,
	auth.UserAnonymous, auth.EmailTaken, auth.EmailVerified, auth.PasswordTooShort, auth.PasswordTooLong, auth.PasswordTooPlain, auth.PasswordLeaked, auth.SamePassword, auth.RedirectNotAllowed,
	auth.RoleNotAllowed, auth.DefaultRoleNotInList, auth.InvalidRefreshToken, auth.InvalidTicket, auth.InvalidExchange, auth.InvalidToken,
	auth.MailNotConfigured, auth.PhoneTaken, auth.UserExists, auth.UserNotAnonymous, auth.InvalidOTP, auth.TooManyOTPs, auth.CannotSendSMS,
	auth.SMSNotConfigured, auth.InvalidPAT, auth.FactorRequired, auth.FactorUnsupported, auth.FactorNameTaken, auth.FactorNotActive, auth.FactorActive, auth.NoFactorSecret, auth.InvalidTOTP,
	auth.InvalidPasskey, auth.NoPasskey, auth.InvalidState, auth.ProviderRefused, auth.ProviderExchange, auth.ProviderProfile, auth.IdentityTaken,
	auth.InvalidIDToken, auth.LastWayIn, auth.CaptchaMissing, auth.CaptchaFailed, auth.CaptchaUnavailable, auth.ClaimMissing, auth.ClaimsUnavailable,
	auth.Forbidden, auth.Conflict, auth.UserReferenced, auth.DeletionTooSlow, auth.RoleExists, auth.RoleInUse, auth.Impersonated,
	auth.InvalidGrant, auth.InvalidScope, auth.WrongResponseType, auth.WrongGrantType, auth.OAuthRequestUnknown, auth.ConsentUnknown,
}

// TestRefusalsAreComplete holds that each code has words, unless nothing here can come to it.
func TestRefusalsAreComplete(t *testing.T) {
	t.Parallel()
	users := map[auth.Code]bool{}
	for _, code := range userCodes {
		users[code] = true
	}
	for _, code := range auth.Codes() {
		no, ok := refusals[code]
		if ok == users[code] {
			t.Errorf("%s: has words %v, is of users alone %v", code, ok, users[code])
		}
		if ok && (no.status < 400 || no.status > 599 || no.message == "") {
			t.Errorf("%s: %+v", code, no)
		}
	}
	for code, no := range oauthRefusals {
		if _, known := refusals[code]; !known || no.status < 400 || no.Error == "" || no.Description == "" {
			t.Errorf("%s at the token endpoint: %+v", code, no)
		}
	}
}

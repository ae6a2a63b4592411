package platform

import (
	"errors"
	"net/http"
	"strings"

	"postern/auth"
	"postern/hooks"
	"postern/server"
)

// refusal is how this dialect says no. Codes after those of the platform's own are ours.
type refusal struct {
	status  int
	code    string
	message string
}

// refusals words every code. A test proves the table complete.
var refusals = map[auth.Code]refusal{
	auth.Internal:             {500, "unexpected-state", "Internal error"},
	auth.BadRequest:           {400, "invalid-args", "The request makes no sense"},
	auth.NotFound:             {404, "not-found", "There is nothing at this address"},
	auth.Unauthorized:         {401, "unauthorized", "Missing, invalid or expired auth token"},
	auth.NotElevated:          {403, "unauthorized", "A fresh login is needed for this"},
	auth.TooManyRequests:      {429, "too-many-requests", "Too many requests, try again later"},
	auth.Overloaded:           {503, "overloaded", "The server is busy, try again in a moment"},
	auth.NotReady:             {503, "overloaded", "The server is not ready"},
	auth.EndpointDisabled:     {400, "not-enabled", "The provider is not enabled, or not in this way"},
	auth.SignUpDisabled:       {400, "not-enabled", "New users are not taken"},
	auth.InvalidCredentials:   {400, "invalid-creds", "Incorrect email or password"},
	auth.EmailNotAllowed:      {400, "invalid-creds", "Incorrect email or password"},
	auth.UserDisabled:         {400, "not-active", "The account is deactivated"},
	auth.PasswordMustChange:   {400, "not-active", "The password must be changed first"},
	auth.UserBanned:           {400, "not-active", "The account is deactivated"},
	auth.UserUnverified:       {403, "not-verified", "The account is not verified yet"},
	auth.UserAnonymous:        {400, "not-active", "Guests may not do this"},
	auth.EmailTaken:           {400, "email-exists", "Another user has the email"},
	auth.EmailVerified:        {400, "invalid-args", "The email is verified already"},
	auth.PasswordTooShort:     {400, "invalid-password", "The password is too short"},
	auth.PasswordTooLong:      {400, "invalid-password", "The password is too long"},
	auth.PasswordTooPlain:     {400, "invalid-password", "The password has no character of a kind that it needs"},
	auth.SamePassword:         {400, "invalid-password", "The new password is the old one"},
	auth.PasswordLeaked:       {400, "invalid-password", "The password is known from a breach"},
	auth.RedirectNotAllowed:   {400, "invalid-args", "The address to go to is not allowed"},
	auth.RoleNotAllowed:       {400, "role-error", "The role is not allowed"},
	auth.DefaultRoleNotInList: {400, "role-error", "The default role is none of the roles"},
	auth.InvalidRefreshToken:  {401, "unauthorized", "Missing, invalid or expired auth token"},
	auth.InvalidTicket:        {400, "invalid-token", "Unknown, expired or used up"},
	auth.InvalidExchange:      {400, "invalid-token", "Unknown, expired or used up"},
	auth.InvalidToken:         {400, "invalid-token", "Unknown, expired or used up"},
	auth.MailNotConfigured:    {500, "unexpected-state", "notify: there is no mail server to send through"},
	auth.PhoneTaken:           {400, "user-exists", "Another user has the number"},
	auth.UserExists:           {400, "user-exists", "There is such a user"},
	auth.UserNotAnonymous:     {400, "user-exists", "There is such a user"},
	auth.InvalidOTP:           {400, "invalid-otp", "Wrong or expired code"},
	auth.TooManyOTPs:          {400, "invalid-otp", "Too many wrong codes, ask for another"},
	auth.CannotSendSMS:        {400, "invalid-mobile", "No message can be sent to the number"},
	auth.SMSNotConfigured:     {500, "unexpected-state", "notify: there is no gateway to send through"},
	auth.InvalidPAT:           {400, "invalid-creds", "Unknown, expired or revoked"},
	auth.FactorRequired:       {403, "second-factor-required", "The account has a second factor, which cannot be proved here"},
	auth.FactorUnsupported:    {403, "second-factor-required", "The account has a second factor, which cannot be proved here"},
	auth.FactorNameTaken:      {400, "invalid-args", "Another second factor has the name"},
	auth.FactorNotActive:      {400, "invalid-args", "The account has no second factor"},
	auth.FactorActive:         {400, "invalid-args", "The account has a second factor"},
	auth.NoFactorSecret:       {400, "invalid-args", "The account has no second factor"},
	auth.InvalidTOTP:          {400, "invalid-otp", "Wrong or used code"},
	auth.InvalidPasskey:       {400, "invalid-creds", "The passkey does not prove anything"},
	auth.NoPasskey:            {400, "invalid-creds", "The account has no passkey"},
	auth.InvalidState:         {400, "invalid-args", "Start again"},
	auth.ProviderRefused:      {400, "bad-token", "The provider refuses"},
	auth.ProviderExchange:     {400, "bad-token", "The provider refuses its code"},
	auth.ProviderProfile:      {400, "bad-token", "The provider does not say who it is"},
	auth.IdentityTaken:        {400, "user-exists", "Another user has the identity"},
	auth.InvalidIDToken:       {400, "bad-token", "The provider's token is refused"},
	auth.LastWayIn:            {400, "invalid-args", "It is the last way to sign in"},
	auth.CaptchaMissing:       {403, "captcha-missing", "A captcha response is missing"},
	auth.CaptchaFailed:        {403, "captcha-failed", "The captcha was not passed"},
	auth.CaptchaUnavailable:   {503, "captcha-unavailable", "The captcha cannot be checked at the moment"},
	auth.ClaimMissing:         {403, "not-verified", "Information that the account needs is missing"},
	auth.ClaimsUnavailable:    {503, "overloaded", "The data of the account cannot be read at the moment"},
	auth.HookDenied:           {403, "hook-rejected", "The request was denied"},
	// Nothing here comes to these.
	auth.ScriptUnknown:        {403, "unauthorized", "That is for machines, elsewhere"},
	auth.ScriptNameTaken:      {403, "unauthorized", "That is for machines, elsewhere"},
	auth.ScriptSecretTaken:    {403, "unauthorized", "That is for machines, elsewhere"},
	auth.ScriptSecretUnknown:  {403, "unauthorized", "That is for machines, elsewhere"},
	auth.TooManyScriptSecrets: {403, "unauthorized", "That is for machines, elsewhere"},
	auth.InvalidClient:        {403, "unauthorized", "That is for machines, elsewhere"},
	auth.AudienceNotAllowed:   {403, "unauthorized", "That is for machines, elsewhere"},
	auth.ScopeMissing:         {403, "unauthorized", "That is for machines, elsewhere"},
	auth.Impersonated:         {403, "unauthorized", "An operator acting as the user may not do this"},
	auth.Forbidden:            {403, "unauthorized", "That is for operators, elsewhere"},
	auth.Conflict:             {403, "unauthorized", "That is for operators, elsewhere"},
	auth.UserReferenced:       {403, "unauthorized", "That is for operators, elsewhere"},
	auth.DeletionTooSlow:      {403, "unauthorized", "That is for operators, elsewhere"},
	auth.RoleExists:           {403, "unauthorized", "That is for operators, elsewhere"},
	auth.RoleInUse:            {403, "unauthorized", "That is for operators, elsewhere"},
	auth.OAuthRequestUnknown:  {403, "unauthorized", "That is for clients, elsewhere"},
	auth.InvalidGrant:         {403, "unauthorized", "That is for clients, elsewhere"},
	auth.InvalidScope:         {403, "unauthorized", "That is for clients, elsewhere"},
	auth.WrongResponseType:    {403, "unauthorized", "That is for clients, elsewhere"},
	auth.WrongGrantType:       {403, "unauthorized", "That is for clients, elsewhere"},
	auth.ConsentUnknown:       {403, "unauthorized", "That is for clients, elsewhere"},

	auth.HookFailed: {500, "unexpected-state", "hook: it does not answer as it should"},
}

// fields are the codes of requests with a member that is wrong.
var fields = map[string]string{
	"provider": "invalid-provider", "data.email": "invalid-email", "data.password": "invalid-password",
	"data.mobile": "invalid-mobile", "data.country_code": "invalid-mobile", "mobile": "invalid-mobile", "country_code": "invalid-mobile",
	"data.otp": "invalid-otp", "Content-Type": "bad-headers",
}

// body is the one shape of every error on this door.
type body struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Refuse answers with a refusal in this dialect. A hook that says no speaks for itself.
func Refuse(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	no, known := refusals[code]
	if !known {
		no = refusals[auth.Internal]
	}
	var invalid auth.Invalid
	if code == auth.BadRequest && errors.As(err, &invalid) {
		no.message = invalid.Error()
		if word := fields[invalid.Field]; word != "" {
			no.code = word
		}
	}
	var failed *hooks.Failed
	if errors.As(err, &failed) {
		no.message = failed.Hook[strings.LastIndexByte(failed.Hook, '/')+1:] + ": it does not answer as it should"
	}
	var denied *hooks.Denied
	if errors.As(err, &denied) {
		no.status = denied.HTTPStatus()
		if len(denied.Body) > 0 {
			_ = server.Raw(w, no.status, denied.Body) // nobody is left to tell
			return
		}
		if words := denied.Words(); words != "" {
			no.message = words
		}
	}
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(no.status)
		return
	}
	_ = server.JSON(w, no.status, body{Code: no.code, Message: no.message}) // plain members cannot fail to encode
}

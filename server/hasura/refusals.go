package hasura

import (
	"errors"
	"net/http"

	"postern/auth"
	"postern/hooks"
	"postern/server"
)

// refusal is how this dialect says no.
type refusal struct {
	status    int
	id        string
	message   string
	sensitive bool   // tells something about an account: AUTH_CONCEAL_ERRORS hides it
	means     string // for whoever meets it, in docs/errors.md
}

// refusals words every code. A test proves the table complete.
var refusals = map[auth.Code]refusal{
	auth.Internal:             {500, "internal-server-error", "Internal server error", false, "Something broke on the server; its log has the reason under the request id."},
	auth.BadRequest:           {400, "invalid-request", "The request payload is incorrect", false, "The request makes no sense; the message names the member and says what would be right."},
	auth.NotFound:             {404, "not-found", "There is nothing at this address", false, "No such address, or not with this method."},
	auth.Unauthorized:         {401, "unauthorized", "Missing, invalid or expired access token", false, "The access token is missing, expired, of another server, or its session has ended. Refresh, then sign in again."},
	auth.NotElevated:          {403, "elevated-claim-required", "Elevated claim required", false, "The operator wants a fresh proof of identity for this (AUTH_REQUIRE_ELEVATED_CLAIM)."},
	auth.TooManyRequests:      {429, "too-many-requests", "Too many requests, try again later", false, "Wait for as long as Retry-After says."},
	auth.Overloaded:           {503, "overloaded", "The server is busy, try again in a moment", false, "More sign-ins than the server can hash, or its database does not answer. Wait for as long as Retry-After says."},
	auth.NotReady:             {503, "not-ready", "The server is not ready", false, "The server is starting or stopping; only /readyz says so."},
	auth.EndpointDisabled:     {409, "disabled-endpoint", "This endpoint is disabled", false, "The operator did not turn this on, or this version cannot do it for this user."},
	auth.SignUpDisabled:       {403, "signup-disabled", "Sign up is disabled.", true, "The operator takes no new users (AUTH_DISABLE_SIGNUP)."},
	auth.InvalidCredentials:   {401, "invalid-email-password", "Incorrect email or password", true, "Unknown address, no password, or the wrong one: one answer for all."},
	auth.EmailNotAllowed:      {401, "invalid-email-password", "Incorrect email or password", true, "The access lists keep this address out (AUTH_ACCESS_CONTROL_*)."},
	auth.UserDisabled:         {401, "disabled-user", "User is disabled", true, "An operator locked the account, or new users wait for one (AUTH_DISABLE_NEW_USERS)."},
	auth.UserBanned:           {401, "disabled-user", "User is disabled", true, "An operator locked the account for a time."},
	auth.UserUnverified:       {401, "unverified-user", "User is not verified.", true, "The address is not confirmed yet: open the link in the mail, or ask for another."},
	auth.PasswordMustChange:   {403, "password-must-change", "The password must be changed: use the link in the mail that was sent", true, "Somebody who runs the service chose the password. It opens nothing but the mail with a link to choose another one, which each sign-in with it sends (AUTH_ADMIN_PASSWORD_MUST_CHANGE)."},
	auth.UserAnonymous:        {403, "forbidden-anonymous", "Forbidden, user is anonymous.", true, "Guests may not do this."},
	auth.EmailTaken:           {409, "email-already-in-use", "Email already in use", true, "Another user has the address. AUTH_EMAIL_CONFLICT_ERROR chooses between this and user-already-exists."},
	auth.EmailVerified:        {400, "email-already-verified", "User's email is already verified", true, "There is nothing left to verify."},
	auth.PasswordTooShort:     {400, "password-too-short", "Password is too short", false, "See AUTH_PASSWORD_MIN_LENGTH."},
	auth.PasswordTooLong:      {400, "password-too-long", "Password is too long", false, "More than 1,024 bytes, or more than the 72 that bcrypt takes where it is in use."},
	auth.PasswordTooPlain:     {400, "password-too-plain", "Password has no character of a kind that it needs", false, "See AUTH_PASSWORD_REQUIRED_CHARACTERS."},
	auth.PasswordLeaked:       {400, "password-in-hibp-database", "Password is in HIBP database", false, "The password is known from a breach (AUTH_PASSWORD_HIBP_ENABLED)."},
	auth.SamePassword:         {400, "invalid-request", "The request payload is incorrect", false, "The new password is the old one. No request of this API is refused for it."},
	auth.RedirectNotAllowed:   {400, "redirectTo-not-allowed", `The value of "options.redirectTo" is not allowed.`, false, "Neither AUTH_CLIENT_URL nor AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS has this address."},
	auth.RoleNotAllowed:       {400, "role-not-allowed", "Role not allowed", true, "A role outside AUTH_USER_DEFAULT_ALLOWED_ROLES; in Hasura's webhook mode (401), one that the user does not have."},
	auth.DefaultRoleNotInList: {400, "default-role-must-be-in-allowed-roles", "Default role must be in allowed roles", false, "options.defaultRole is not one of options.allowedRoles."},
	auth.InvalidRefreshToken:  {401, "invalid-refresh-token", "Invalid or expired refresh token", true, "Unknown, expired or replaced, or its session has ended: one answer for all. Sign in again."},
	auth.InvalidTicket:        {401, "invalid-ticket", "Invalid ticket", true, "Unknown, expired or used up: one answer for all. Ask for another mail."},
	auth.InvalidExchange:      {400, "invalid-request", "The request payload is incorrect", false, "The code is unknown, expired or used up, or the verifier is not the one of its challenge."},
	auth.InvalidToken:         {400, "invalid-request", "The request payload is incorrect", false, "The token is not a valid access token of this server."},
	auth.MailNotConfigured:    {503, "mail-not-configured", "This needs e-mail, and the server has no mail server to send through", false, "Set AUTH_SMTP_HOST and AUTH_SMTP_SENDER."},
	auth.PhoneTaken:           {409, "user-already-exists", "User already exists", true, "Another user has the phone number."},
	auth.UserExists:           {409, "user-already-exists", "User already exists", true, "Who signs up has an account already: sign in instead."},
	auth.UserNotAnonymous:     {400, "user-not-anonymous", "Logged in user is not anonymous", false, "Only a guest may do this, and the user is none, or no longer."},
	auth.InvalidOTP:           {400, "invalid-otp", "Invalid or expired OTP", true, "The code is wrong, expired or used up, or of somebody else: one answer for all. Ask for another after a few tries."},
	auth.TooManyOTPs:          {400, "otp-too-many-attempts", "Too many incorrect attempts, please request a new OTP", true, "Too many wrong codes: ask for another, or open the link in the mail, which still works."},
	auth.CannotSendSMS:        {400, "cannot-send-sms", "Cannot send SMS, check your phone number is correct", false, "The number is none that messages can be sent to: it begins with + and the country's code (E.164)."},
	auth.SMSNotConfigured:     {503, "sms-not-configured", "This needs text messages, and the server has no gateway to send through", false, "Set AUTH_SMS_PROVIDER and what it needs."},
	auth.InvalidPAT:           {401, "invalid-pat", "Invalid or expired personal access token", true, "Unknown, expired or revoked: one answer for all. Create another."},
	auth.FactorRequired:       {401, "mfa-required", "A second factor is required", false, "Only in redirects: the parameter ticket is for /signin/mfa/totp, together with a code."},
	auth.FactorUnsupported:    {401, "mfa-unsupported", "The second factor of the user cannot be asked for here", true, "The user's second factors are telephones or security keys, which clients of Supabase Auth ask for. Codes of an authenticator app are asked for here."},
	auth.FactorNameTaken:      {409, "factor-name-taken", "Another second factor has the name", false, "Only with clients of Supabase Auth: no request here names a factor."},
	auth.FactorNotActive:      {401, "disabled-mfa-totp", "User does not have TOTP MFA enabled", true, "The user has no second factor."},
	auth.FactorActive:         {400, "totp-already-active", "TOTP MFA is already active", false, "The user has a second factor: deactivate it first."},
	auth.NoFactorSecret:       {400, "no-totp-secret", "User does not have a TOTP secret", true, "Nothing waits to be confirmed: ask for a secret first."},
	auth.InvalidTOTP:          {401, "invalid-totp", "Invalid TOTP code", true, "The code is wrong, or was used already: wait for the next one."},
	auth.InvalidPasskey:       {400, "invalid-request", "The request payload is incorrect", false, "The passkey's answer does not verify, or its challenge is unknown, expired or used: begin again."},
	auth.NoPasskey:            {400, "invalid-request", "The request payload is incorrect", true, "The user has no passkey."},
	auth.InvalidState:         {400, "invalid-state", "Invalid state", false, "Only in redirects: who comes back from the provider did not start here, in this browser and within ten minutes, or has been back already. Start again."},
	auth.ProviderRefused:      {400, "oauth-provider-error", "Provider returned an error", false, "Only in redirects: provider_error and provider_error_description have the provider's own words."},
	auth.ProviderExchange:     {400, "oauth-token-echange-failed", "Failed to exchange token", false, "The provider did not take its own code; its client id, secret and redirect URL must be right. The spelling of the id is Hasura Auth's."},
	auth.ProviderProfile:      {400, "oauth-profile-fetch-failed", "Failed to get user profile", false, "The provider did not say who signed in."},
	auth.IdentityTaken:        {400, "provider-account-already-linked", "This provider account is already linked to a user", false, "Unlink it there first."},
	auth.InvalidIDToken:       {400, "invalid-request", "The request payload is incorrect", false, "The ID token is not of the provider, not for this application, expired, or its nonce is not the request's."},
	auth.LastWayIn:            {409, "last-way-in", "This is the last way to sign in, and cannot be removed", false, "Set a password, or add another way to sign in, first."},
	auth.CaptchaMissing:       {403, "captcha-missing", "A captcha response is missing", false, "The request must carry the response of the captcha that the operator has set up."},
	auth.CaptchaFailed:        {403, "captcha-failed", "The captcha was not passed", false, "The captcha service refused the response: it is wrong, used or too old."},
	auth.CaptchaUnavailable:   {503, "captcha-unavailable", "The captcha cannot be checked at the moment", false, "The captcha service does not answer. Try again."},
	auth.ClaimMissing:         {403, "required-claim-missing", "You cannot sign in yet: information that your account needs is missing", false, "A claim that the operator made required (AUTH_JWT_CUSTOM_CLAIMS) has no value for this user."},
	auth.ClaimsUnavailable:    {503, "claims-unavailable", "The data of your account cannot be read at the moment, try again soon", false, "A claim that the operator made required cannot be computed: where its data comes from does not answer, or answers with errors; the log has the reason. Wait for as long as Retry-After says."},
	auth.HookDenied:           {403, "hook-denied", "The request was denied", false, "Code of the operator's own (a hook) refuses. Status and message are the hook's, where it gives them."},
	auth.HookFailed:           {500, "hook-failed", "The request could not be checked, try again later", false, "Code of the operator's own (a hook), which is asked before this is done, does not answer as it should; the log has the reason under the request id."},
	auth.Impersonated:         {403, "impersonated", "An operator acting as the user may not do this", false, "The access token was given to an operator to see what the user sees (its claim act says to whom). It changes nothing of the account."},
	// Those of the management door alone: nothing that is asked here comes to them, so nobody looks them up.
	auth.ScriptUnknown:        {404, "not-found", "There is nothing at this address", false, ""},
	auth.ScriptNameTaken:      {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.ScriptSecretTaken:    {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.ScriptSecretUnknown:  {404, "not-found", "There is nothing at this address", false, ""},
	auth.TooManyScriptSecrets: {400, "invalid-request", "The request payload is incorrect", false, ""},
	auth.InvalidClient:        {401, "unauthorized", "Missing, invalid or expired access token", false, ""},
	auth.AudienceNotAllowed:   {403, "unauthorized", "Missing, invalid or expired access token", false, ""},
	auth.ScopeMissing:         {403, "unauthorized", "Missing, invalid or expired access token", false, ""},
	auth.Forbidden:            {403, "unauthorized", "Missing, invalid or expired access token", false, ""},
	auth.Conflict:             {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.UserReferenced:       {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.DeletionTooSlow:      {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.RoleExists:           {409, "invalid-request", "The request payload is incorrect", false, ""},
	auth.RoleInUse:            {409, "invalid-request", "The request payload is incorrect", false, ""},
	// Those of /oauth2/*, which speaks the words of the standards: see flow.OAuthWords.
	auth.OAuthRequestUnknown: {400, "invalid-request", "The request of the client is unknown, expired or answered already", false, "What a client of the OAuth server asked was answered, waited for more than ten minutes, is shown to another user, or the client is gone: begin anew at the client."},
	auth.InvalidGrant:        {400, "invalid-request", "The request payload is incorrect", false, ""},
	auth.InvalidScope:        {400, "invalid-request", "The request payload is incorrect", false, ""},
	auth.WrongResponseType:   {400, "invalid-request", "The request payload is incorrect", false, ""},
	auth.WrongGrantType:      {400, "invalid-request", "The request payload is incorrect", false, ""},
	auth.ConsentUnknown:      {404, "not-found", "There is nothing at this address", false, ""},
}

// userAlreadyExists is the newer word for an address that another user has.
var userAlreadyExists = refusal{409, "user-already-exists", "User already exists", true, "The same, in the words of newer clients."}

// word finds the words for a code, as the settings have it.
func (s Settings) word(code auth.Code) refusal {
	no, ok := refusals[code]
	if !ok {
		no = refusals[auth.Internal]
	}
	if code == auth.EmailTaken && s.ConflictError == userAlreadyExists.id {
		no = userAlreadyExists
	}
	if s.Conceals(code) {
		no = refusals[auth.BadRequest]
	}
	return no
}

// Conceals tells whether a code is one that tells something about an account, where the operator wants no such
// thing told. Other doors hold to it in their own words.
func (s Settings) Conceals(code auth.Code) bool { return s.ConcealErrors && refusals[code].sensitive }

// words finds the words for an error. Those of a hook that says no are its own.
func (s Settings) words(err error) refusal {
	no := s.word(auth.CodeOf(err))
	var denied *hooks.Denied
	if errors.As(err, &denied) {
		no.status = denied.HTTPStatus()
		if words := denied.Words(); words != "" {
			no.message = words
		}
		if len(denied.Body) > 0 {
			no.id = denied.Code // where the body cannot be shown, it stands for it
		}
	}
	return no
}

// body is the one shape of every error on this door.
type body struct {
	Status  int    `json:"status"`
	Error   string `json:"error"`
	Message string `json:"message"`
}

// Refuse answers with a refusal in this dialect.
func (s Settings) Refuse(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	no := s.word(code)
	var invalid auth.Invalid
	if code == auth.BadRequest && errors.As(err, &invalid) {
		no.message = invalid.Error()
	}
	var denied *hooks.Denied
	if code == auth.HookDenied && errors.As(err, &denied) {
		no = s.words(err)
		if len(denied.Body) > 0 && r.Method != http.MethodHead {
			_ = server.Raw(w, no.status, denied.Body) // nobody is left to tell
			return
		}
	}
	if no.status == http.StatusUnauthorized && code == auth.Unauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(no.status)
		return
	}
	_ = server.JSON(w, no.status, body{no.status, no.id, no.message}) // three plain members cannot fail to encode
}

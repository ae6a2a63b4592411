package gotrue

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/hooks"
	"postern/server"
)

// refusal is how this dialect says no. As an error it is one of this door's own.
type refusal struct {
	status  int
	code    string
	message string
}

// Error is for the log.
func (r refusal) Error() string { return r.code }

// Unwrap gives a code, so that nobody takes the refusal for a fault of ours.
func (r refusal) Unwrap() error { return auth.BadRequest }

// refusals words every code. A test proves the table complete. The words that deployed applications compare are
// those of GoTrue.
var refusals = map[auth.Code]refusal{
	auth.Internal:             {500, "unexpected_failure", "Unexpected failure, please check server logs for more information"},
	auth.BadRequest:           {400, "validation_failed", "The request makes no sense"},
	auth.NotFound:             {404, "", "404 page not found"},
	auth.Unauthorized:         {403, "session_not_found", "Session from session_id claim in JWT does not exist"},
	auth.NotElevated:          {401, "insufficient_aal", "A fresh proof of who you are is required"},
	auth.TooManyRequests:      {429, "over_request_rate_limit", "Request rate limit reached"},
	auth.Overloaded:           {503, "unexpected_failure", "The server is busy, try again in a moment"},
	auth.NotReady:             {503, "unexpected_failure", "The server is not ready"},
	auth.EndpointDisabled:     {404, "feature_disabled", "This is not turned on"},
	auth.SignUpDisabled:       {422, "signup_disabled", "Signups not allowed for this instance"},
	auth.InvalidCredentials:   {400, "invalid_credentials", "Invalid login credentials"},
	auth.EmailNotAllowed:      {400, "email_address_not_authorized", "This email address cannot be used here"},
	auth.UserDisabled:         {403, "user_banned", "User is banned"},
	auth.UserBanned:           {403, "user_banned", "User is banned"},
	auth.UserUnverified:       {400, "email_not_confirmed", "Email not confirmed"},
	auth.PasswordMustChange:   {400, "weak_password", "The password must be changed: use the link in the email that was sent"},
	auth.UserAnonymous:        {422, "validation_failed", "Anonymous users cannot do this"},
	auth.EmailTaken:           {422, "email_exists", "A user with this email address has already been registered"},
	auth.EmailVerified:        {422, "email_exists", "The email address is confirmed already"},
	auth.PasswordTooShort:     {422, "weak_password", "Password is too short"},
	auth.PasswordTooLong:      {400, "validation_failed", "Password is too long"},
	auth.PasswordTooPlain:     {422, "weak_password", "Password has no character of a kind that it needs"},
	auth.PasswordLeaked:       {422, "weak_password", "Password is known to be weak and easy to guess, please choose a different one."},
	auth.SamePassword:         {422, "same_password", "New password should be different from the old password."},
	auth.RedirectNotAllowed:   {400, "validation_failed", "redirect_to is not allowed"},
	auth.RoleNotAllowed:       {403, "not_admin", "The role is not allowed"},
	auth.DefaultRoleNotInList: {400, "validation_failed", "The default role must be among the roles"},
	auth.InvalidRefreshToken:  {400, "refresh_token_not_found", "Invalid Refresh Token: Refresh Token Not Found"},
	auth.InvalidTicket:        {403, "otp_expired", "Email link is invalid or has expired"},
	auth.InvalidExchange:      {404, "flow_state_not_found", "invalid flow state, no valid flow state found"},
	auth.InvalidToken:         {403, "bad_jwt", "invalid JWT"},
	auth.MailNotConfigured:    {500, "unexpected_failure", "The server has no mail server to send through"},
	auth.PhoneTaken:           {422, "phone_exists", "A user with this phone number has already been registered"},
	auth.UserExists:           {422, "user_already_exists", "User already registered"},
	auth.UserNotAnonymous:     {422, "validation_failed", "The user is not anonymous"},
	auth.InvalidOTP:           {403, "otp_expired", "Token has expired or is invalid"},
	auth.TooManyOTPs:          {403, "otp_expired", "Token has expired or is invalid"},
	auth.CannotSendSMS:        {422, "sms_send_failed", "No message can be sent to this number"},
	auth.SMSNotConfigured:     {500, "unexpected_failure", "The server has no gateway for text messages"},
	auth.InvalidPAT:           {403, "bad_jwt", "invalid token"},
	auth.FactorRequired:       {403, "insufficient_aal", "A second factor is required"},
	auth.FactorUnsupported:    {403, "insufficient_aal", "A second factor is required"},
	auth.FactorNameTaken:      {422, "mfa_factor_name_conflict", "Another factor has the friendly name"},
	auth.FactorNotActive:      {404, "mfa_factor_not_found", "Factor not found"},
	auth.FactorActive:         {422, "too_many_enrolled_mfa_factors", "There is a factor of this kind already"},
	auth.NoFactorSecret:       {404, "mfa_factor_not_found", "Factor not found"},
	auth.InvalidTOTP:          {422, "mfa_verification_failed", "Invalid TOTP code entered"},
	auth.InvalidPasskey:       {400, "webauthn_verification_failed", "The passkey could not be verified"},
	auth.NoPasskey:            {404, "webauthn_credential_not_found", "There is no passkey"},
	auth.InvalidState:         {400, "bad_oauth_state", "OAuth state is invalid or has expired"},
	auth.ProviderRefused:      {400, "bad_oauth_callback", "The provider returned an error"},
	auth.ProviderExchange:     {500, "unexpected_failure", "Unable to exchange external code"},
	auth.ProviderProfile:      {500, "unexpected_failure", "Error getting user profile from external provider"},
	auth.IdentityTaken:        {422, "identity_already_exists", "Identity is already linked to another user"},
	auth.InvalidIDToken:       {400, "bad_jwt", "The ID token is not valid here"},
	auth.LastWayIn:            {422, "single_identity_not_deletable", "User must have at least 1 identity after unlinking"},
	auth.CaptchaMissing:       {400, "captcha_failed", "captcha protection: request disallowed (no captcha_token)"},
	auth.CaptchaFailed:        {400, "captcha_failed", "captcha protection: request disallowed"},
	auth.CaptchaUnavailable:   {500, "unexpected_failure", "captcha verification process failed"},
	auth.ClaimMissing:         {403, "unknown", "Information that the account needs is missing"},
	auth.ClaimsUnavailable:    {503, "unexpected_failure", "The data of the account cannot be read at the moment"},
	auth.HookDenied:           {403, "unknown", "The request was denied"},
	auth.HookFailed:           {500, "unexpected_failure", "A hook does not answer as it should"},
	auth.Impersonated:         {403, "not_admin", "An operator acting as the user may not do this"},
	auth.ScriptUnknown:        {404, "validation_failed", "Not found"},
	auth.ScriptNameTaken:      {409, "conflict", "The name is taken"},
	auth.ScriptSecretTaken:    {409, "conflict", "The name is taken"},
	auth.ScriptSecretUnknown:  {404, "validation_failed", "Not found"},
	auth.TooManyScriptSecrets: {400, "validation_failed", "There are too many"},
	auth.InvalidClient:        {400, "invalid_credentials", "Invalid client credentials"},
	auth.AudienceNotAllowed:   {403, "not_admin", "User not allowed"},
	auth.ScopeMissing:         {403, "not_admin", "User not allowed"},
	auth.Forbidden:            {403, "not_admin", "User not allowed"},
	auth.Conflict:             {409, "conflict", "It was changed meanwhile"},
	auth.UserReferenced:       {409, "conflict", "Rows of the application refer to the user"},
	auth.RoleExists:           {409, "conflict", "The role exists"},
	auth.RoleInUse:            {409, "conflict", "The role is in use"},
	auth.DeletionTooSlow:      {409, "conflict", "Deleting the user took too long"},
	auth.OAuthRequestUnknown:  {404, "oauth_authorization_not_found", "authorization not found"},
	auth.ConsentUnknown:       {404, "oauth_consent_not_found", "No grant found for this client"},
	auth.InvalidGrant:         {400, "validation_failed", "Invalid grant"},
	auth.InvalidScope:         {400, "validation_failed", "Invalid scope"},
	auth.WrongResponseType:    {400, "validation_failed", "response_type must be code"},
	auth.WrongGrantType:       {400, "invalid_credentials", "unsupported_grant_type"},
}

// wrongTypes are what is said of members of another type than they must have.
var wrongTypes = []string{"must be a string", "must be true or false", "must be a list", "must be an object", "must be a number", "must be another type"}

// words finds the words for an error: the door's own, a hook's, or those of the table.
func words(code auth.Code, err error) refusal {
	var own refusal
	if errors.As(err, &own) {
		return own
	}
	no, ok := refusals[code]
	if !ok {
		no = refusals[auth.Internal]
	}
	var invalid auth.Invalid
	if code == auth.BadRequest && errors.As(err, &invalid) {
		no.message = invalid.Error()
		switch {
		case strings.HasPrefix(invalid.Problem, "must not be longer than 1 MiB"):
			no.status, no.code = http.StatusRequestEntityTooLarge, "request_entity_too_large"
		case invalid.Field == "body", slices.Contains(wrongTypes, invalid.Problem):
			no.code = "bad_json"
		}
	}
	var many flow.TooManyMessages
	if errors.As(err, &many) {
		no = tooMany(many)
	}
	var denied *hooks.Denied
	if errors.As(err, &denied) {
		no.status, no.code, no.message = denied.HTTPStatus(), cmp.Or(denied.Code, no.code), cmp.Or(denied.Words(), no.message)
	}
	return no
}

// tooMany words that no message is sent for now. Clients show how long one person must wait.
func tooMany(e flow.TooManyMessages) refusal {
	no := refusal{http.StatusTooManyRequests, "over_email_send_rate_limit", "email rate limit exceeded"}
	if e.Texts {
		no.code, no.message = "over_sms_send_rate_limit", "sms rate limit exceeded"
	}
	if !e.OfAll {
		no.message = fmt.Sprintf("Something was sent a moment ago: ask again in %d seconds", int((e.RetryAfter+time.Second-1)/time.Second))
	}
	return no
}

// here says no in the words of one request, for codes that mean something else there. The reason stays for the log.
func here(err error, words map[auth.Code]refusal) error {
	if no, ok := words[auth.CodeOf(err)]; ok {
		return fmt.Errorf("%w: %w", no, err)
	}
	return err
}

const (
	versionHeader = "X-Supabase-Api-Version"
	newVersion    = "2024-01-01"
)

// speaksNew tells whether a client wants errors in the shape of 2024.
func speaksNew(r *http.Request) bool {
	asked, err := time.Parse(time.DateOnly, r.Header.Get(versionHeader))
	since, _ := time.Parse(time.DateOnly, newVersion)
	return err == nil && !asked.Before(since)
}

type newBody struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Weak    *weak  `json:"weak_password,omitempty"`
}

type oldBody struct {
	Code      int    `json:"code"`
	ErrorCode string `json:"error_code"`
	Message   string `json:"msg"`
	ErrorID   string `json:"error_id,omitempty"`
	Weak      *weak  `json:"weak_password,omitempty"`
}

type weak struct {
	Message string   `json:"message,omitempty"`
	Reasons []string `json:"reasons"`
}

// reasons are why a password is refused, in GoTrue's words.
var reasons = map[auth.Code]string{auth.PasswordTooShort: "length", auth.PasswordTooPlain: "characters", auth.PasswordLeaked: "pwned"}

// toWeak is what is wrong with a password: in a sentence for each reason, and in GoTrue's words for programs.
func toWeak(p *auth.WeakPassword) *weak {
	if p == nil {
		return nil
	}
	var sentences []string
	out := &weak{}
	for _, reason := range p.Reasons {
		sentence := refusals[reason].message
		if reason == auth.PasswordTooShort {
			sentence = fmt.Sprintf("Password should be at least %d characters.", p.Least)
		}
		if reason == auth.PasswordTooPlain {
			sentence = fmt.Sprintf("Password should contain at least one character of each: %s.", strings.Join(p.Kinds, ", "))
		}
		sentences, out.Reasons = append(sentences, sentence), append(out.Reasons, reasons[reason])
	}
	out.Message = strings.Join(sentences, " ")
	return out
}

// Refuse answers with a refusal, in the shape that the client asks for.
func Refuse(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	if code == auth.NotFound {
		http.Error(w, refusals[code].message, http.StatusNotFound)
		return
	}
	no := words(code, err)
	var why *weak
	var password auth.WeakPassword
	if errors.As(err, &password) {
		why = toWeak(&password)
		no.message, why.Message = why.Message, ""
	}
	w.Header().Set("X-Sb-Error-Code", no.code)
	if speaksNew(r) {
		w.Header().Set(versionHeader, newVersion)
		_ = server.JSON(w, no.status, newBody{Code: no.code, Message: no.message, Weak: why}) // nobody is left to tell
		return
	}
	out := oldBody{Code: no.status, ErrorCode: no.code, Message: no.message, Weak: why}
	if no.status >= http.StatusInternalServerError {
		out.ErrorID = w.Header().Get("X-Request-Id")
	}
	_ = server.JSON(w, no.status, out) // nobody is left to tell
}

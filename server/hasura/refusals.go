package hasura

import (
	"errors"
	"net/http"

	"postern/auth"
	"postern/server"
)

// refusal is how this dialect says no.
type refusal struct {
	status    int
	id        string
	message   string
	sensitive bool // tells something about an account: AUTH_CONCEAL_ERRORS hides it
}

// refusals words every code. A test proves the table complete.
var refusals = map[auth.Code]refusal{
	auth.Internal:             {500, "internal-server-error", "Internal server error", false},
	auth.BadRequest:           {400, "invalid-request", "The request payload is incorrect", false},
	auth.NotFound:             {404, "not-found", "There is nothing at this address", false},
	auth.Unauthorized:         {401, "unauthorized", "Missing, invalid or expired access token", false},
	auth.NotElevated:          {403, "elevated-claim-required", "Elevated claim required", false},
	auth.TooManyRequests:      {429, "too-many-requests", "Too many requests, try again later", false},
	auth.Overloaded:           {503, "overloaded", "The server is busy, try again in a moment", false},
	auth.NotReady:             {503, "not-ready", "The server is not ready", false},
	auth.EndpointDisabled:     {409, "disabled-endpoint", "This endpoint is disabled", false},
	auth.SignUpDisabled:       {403, "signup-disabled", "Sign up is disabled.", true},
	auth.InvalidCredentials:   {401, "invalid-email-password", "Incorrect email or password", true},
	auth.EmailNotAllowed:      {401, "invalid-email-password", "Incorrect email or password", true},
	auth.UserDisabled:         {401, "disabled-user", "User is disabled", true},
	auth.UserUnverified:       {401, "unverified-user", "User is not verified.", true},
	auth.UserAnonymous:        {403, "forbidden-anonymous", "Forbidden, user is anonymous.", true},
	auth.EmailTaken:           {409, "email-already-in-use", "Email already in use", true},
	auth.EmailVerified:        {400, "email-already-verified", "User's email is already verified", true},
	auth.PasswordTooShort:     {400, "password-too-short", "Password is too short", false},
	auth.PasswordTooLong:      {400, "password-too-long", "Password is too long", false},
	auth.PasswordLeaked:       {400, "password-in-hibp-database", "Password is in HIBP database", false},
	auth.RedirectNotAllowed:   {400, "redirectTo-not-allowed", `The value of "options.redirectTo" is not allowed.`, false},
	auth.RoleNotAllowed:       {400, "role-not-allowed", "Role not allowed", true},
	auth.DefaultRoleNotInList: {400, "default-role-must-be-in-allowed-roles", "Default role must be in allowed roles", false},
	auth.InvalidRefreshToken:  {401, "invalid-refresh-token", "Invalid or expired refresh token", true},
	auth.InvalidTicket:        {401, "invalid-ticket", "Invalid ticket", true},
	auth.InvalidExchange:      {400, "invalid-request", "The request payload is incorrect", false},
	auth.InvalidToken:         {400, "invalid-request", "The request payload is incorrect", false},
	auth.MailNotConfigured:    {503, "mail-not-configured", "This needs e-mail, and the server has no mail server to send through", false},
}

// userAlreadyExists is the newer word for an address that another user has.
var userAlreadyExists = refusal{409, "user-already-exists", "User already exists", true}

// word finds the words for a code, as the settings have it.
func (s Settings) word(code auth.Code) refusal {
	no, ok := refusals[code]
	if !ok {
		no = refusals[auth.Internal]
	}
	if code == auth.EmailTaken && s.ConflictError == userAlreadyExists.id {
		no = userAlreadyExists
	}
	if no.sensitive && s.ConcealErrors {
		no = refusals[auth.BadRequest]
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
	if no.status == http.StatusUnauthorized && code == auth.Unauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if r.Method == http.MethodHead {
		w.WriteHeader(no.status)
		return
	}
	_ = server.JSON(w, no.status, body{no.status, no.id, no.message}) // three plain members cannot fail to encode
}

package auth0

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/hooks"
)

// refusal is how this dialect says no.
type refusal struct {
	status    int
	errorCode string // empty where Auth0 has none
	message   string
}

// refusals words, for /api/v2, every code that the flows of this door can come to. A test proves that
// the others are those of users' flows.
var refusals = map[auth.Code]refusal{
	auth.Internal:             {500, "internal_error", "Internal error"},
	auth.BadRequest:           {400, "invalid_body", "Payload validation error: 'The request makes no sense'"},
	auth.NotFound:             {404, "", "Not Found"},
	auth.Unauthorized:         {401, "", "Invalid token"},
	auth.TooManyRequests:      {429, "too_many_requests", "Global limit has been reached"},
	auth.Overloaded:           {503, "unavailable", "The server is busy, try again in a moment"},
	auth.NotReady:             {503, "unavailable", "The server is not ready"},
	auth.HookDenied:           {403, "", "The request was denied"},
	auth.HookFailed:           {500, "internal_error", "The request could not be checked"},
	auth.ScriptUnknown:        {404, "HookDoesNotExist", "Error: Hook does not exist"},
	auth.ScriptNameTaken:      {409, "", "A hook with the same name already exists"},
	auth.ScriptSecretTaken:    {409, "", "A secret with the same name already exists"},
	auth.ScriptSecretUnknown:  {404, "", "Secret does not exist"},
	auth.TooManyScriptSecrets: {400, "invalid_body", "Payload validation error: 'A hook can have 20 secrets at most'"},
	auth.InvalidClient:        {401, "", "Unauthorized"},
	auth.AudienceNotAllowed:   {403, "", "Client is not authorized to access this audience"},
	auth.ScopeMissing:         {403, "insufficient_scope", "Insufficient scope"},
}

// envelope is the one shape of every error of /api/v2.
type envelope struct {
	StatusCode int    `json:"statusCode"`
	Error      string `json:"error"`
	Message    string `json:"message"`
	ErrorCode  string `json:"errorCode,omitempty"`
}

// Refuse answers with a refusal in this dialect: that of OAuth where tokens are asked for.
func Refuse(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	if r.URL.Path == TokenPath {
		refuseToken(w, r, code, err)
		return
	}
	no, ok := refusals[code]
	if !ok {
		no = refusals[auth.Internal]
	}
	var misfit misfit
	var missing flow.MissingScope
	switch {
	case errors.As(err, &misfit):
		no.errorCode, no.message = misfit.errorCode, misfit.Error()
	case code == auth.BadRequest:
		var invalid auth.Invalid
		if errors.As(err, &invalid) {
			no.message = bodyMisfit(invalid.Field, invalid.Problem).Error()
		}
	case errors.As(err, &missing):
		no.message = "Insufficient scope, expected any of: " + strings.Join(missing.AnyOf, ",")
	case errors.Is(err, errNoBearer):
		no.message = "Missing authentication"
	}
	if no.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	answer(w, r, no.status, envelope{no.status, http.StatusText(no.status), no.message, no.errorCode})
}

// oauthError is the shape of the errors of RFC 6749.
type oauthError struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
}

// oauthRefusals words the codes that the grant can come to; all others are a server_error.
var oauthRefusals = map[auth.Code]struct {
	status int
	oauthError
}{
	auth.BadRequest:         {400, oauthError{"invalid_request", "The request makes no sense"}},
	auth.NotFound:           {404, oauthError{"not_found", "Not Found"}},
	auth.InvalidClient:      {401, oauthError{"access_denied", "Unauthorized"}},
	auth.AudienceNotAllowed: {403, oauthError{"access_denied", "Client is not authorized to access this audience"}},
	auth.ScopeMissing:       {403, oauthError{"access_denied", "Client has not been granted these scopes"}},
	auth.TooManyRequests:    {429, oauthError{"too_many_requests", "Global limit has been reached"}},
	auth.Overloaded:         {503, oauthError{"temporarily_unavailable", "The server is busy, try again in a moment"}},
	auth.HookDenied:         {403, oauthError{"access_denied", "The request was denied"}},
	auth.HookFailed:         {500, oauthError{"server_error", "The request could not be checked"}},
}

func refuseToken(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	no, ok := oauthRefusals[code]
	if !ok {
		no.status, no.oauthError = http.StatusInternalServerError, oauthError{"server_error", "Internal error"}
	}
	var invalid auth.Invalid
	var denied *hooks.Denied
	switch {
	case errors.Is(err, errGrantType):
		no.oauthError = oauthError{"unsupported_grant_type", "Only client_credentials is granted here"}
	case errors.As(err, &invalid):
		no.Description = invalid.Error()
	case errors.As(err, &denied):
		no.status = denied.HTTPStatus()
		if oauthCodes[denied.Code] {
			no.Error = denied.Code
		}
		if words := denied.Words(); words != "" {
			no.Description = words
		}
	}
	if no.status == http.StatusUnauthorized && r.Header.Get("Authorization") != "" {
		w.Header().Set("WWW-Authenticate", `Basic realm="oauth"`)
	}
	answer(w, r, no.status, no.oauthError)
}

// oauthCodes are the errors that a hook may answer a grant with.
var oauthCodes = map[string]bool{"invalid_scope": true, "invalid_request": true, "server_error": true, "access_denied": true}

func answer(w http.ResponseWriter, r *http.Request, status int, body any) {
	if r.Method == http.MethodHead {
		w.WriteHeader(status)
		return
	}
	_ = write(w, status, body) // plain members cannot fail to encode
}

// write answers with JSON as Auth0 does, who names the charset.
func write(w http.ResponseWriter, status int, v any) error {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	h.Set("Content-Length", strconv.Itoa(text.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(text.Bytes()) // where the client went away, there is nobody to tell
	return nil
}

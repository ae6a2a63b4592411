package graph

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"postern/auth"
	"postern/graph/wire"
	"postern/hooks"
)

// refusals words every code that operators can meet; all others are words of users' flows, and read as
// what they are called. A test proves the list complete.
var refusals = map[auth.Code]string{
	auth.Internal:         "Internal error; the log has the reason under the request id",
	auth.BadRequest:       "The request makes no sense",
	auth.NotFound:         "There is no such thing",
	auth.Unauthorized:     "Neither the admin secret nor the access token of an operator",
	auth.Forbidden:        "The operator has no right to do this",
	auth.TooManyRequests:  "Too many requests",
	auth.Overloaded:       "The server is busy, try again in a moment",
	auth.NotReady:         "The server is not ready",
	auth.EndpointDisabled: "This is not turned on",
	auth.UserDisabled:     "The account is locked",
	auth.UserBanned:       "The account is banned for now",

	auth.UserUnverified:     "The user has not confirmed the address",
	auth.UserAnonymous:      "The user is a guest",
	auth.EmailVerified:      "The user has confirmed the address already",
	auth.EmailNotAllowed:    "The access lists keep the user's address out",
	auth.MailNotConfigured:  "There is no mail server to send through",
	auth.RedirectNotAllowed: "Links may not lead there: see AUTH_ACCESS_CONTROL_ALLOWED_REDIRECT_URLS",
	auth.FactorNotActive:    "The user has nothing of this",
	auth.LastWayIn:          "The user would have nothing left to sign in by; allowLockout goes on all the same",

	auth.ScriptUnknown:        "There is no such script",
	auth.ScriptNameTaken:      "Another script has the name",
	auth.TooManyScriptSecrets: "A script can have 20 secrets at most",
	auth.Conflict:             "It was changed since it was read: read it again",
	auth.RoleExists:           "There is a role of this name already",
	auth.DeletionTooSlow:      "Deleting the user takes too long, and nothing was changed: the tables that refer to users need an index on the column that does (see deletionReport)",
}

// statuses are those of requests that never came to be executed.
var statuses = map[auth.Code]int{
	auth.Internal:        http.StatusInternalServerError,
	auth.BadRequest:      http.StatusBadRequest,
	auth.NotFound:        http.StatusNotFound,
	auth.Unauthorized:    http.StatusUnauthorized,
	auth.UserDisabled:    http.StatusUnauthorized,
	auth.UserBanned:      http.StatusUnauthorized,
	auth.Forbidden:       http.StatusForbidden,
	auth.TooManyRequests: http.StatusTooManyRequests,
	auth.Overloaded:      http.StatusServiceUnavailable,
	auth.NotReady:        http.StatusServiceUnavailable,
}

// errMethod is a request that is no POST: operations in addresses end up in logs and histories.
var errMethod = fmt.Errorf("%w: not a POST", auth.BadRequest)

// words is what a refusal says.
func words(code auth.Code, err error) string {
	var invalid auth.Invalid
	var denied *hooks.Denied
	var referenced auth.Referenced
	var used auth.RoleUsed
	switch {
	case errors.As(err, &invalid):
		return invalid.Error()
	case errors.As(err, &referenced):
		return referenced.Error()
	case errors.As(err, &used):
		return used.Error()
	case errors.As(err, &denied) && denied.Words() != "":
		return denied.Words()
	case errors.Is(err, errMethod):
		return "Operations are sent by POST"
	}
	if text, ok := refusals[code]; ok {
		return text
	}
	return strings.ReplaceAll(string(code), "-", " ")
}

// Refuse answers a request that never came to be executed.
func Refuse(w http.ResponseWriter, r *http.Request, code auth.Code, err error) {
	status, ok := statuses[code]
	if !ok {
		status = http.StatusOK // as for every error that GraphQL speaks of itself
	}
	if errors.Is(err, errMethod) {
		status = http.StatusMethodNotAllowed
	}
	h := w.Header()
	h.Set("Content-Type", "application/json; charset=utf-8")
	if status == http.StatusUnauthorized {
		h.Set("WWW-Authenticate", "Bearer")
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead {
		return
	}
	_ = json.NewEncoder(w).Encode(graphql.Response{Errors: gqlerror.List{{Message: words(code, err), Extensions: map[string]any{"code": code}}}}) // whoever left reads nothing
}

// present words an error of a field. Only the code crosses; the text stays in the log.
func (d *Door) present(ctx context.Context, err error) *gqlerror.Error {
	own := &gqlerror.Error{}
	if !errors.As(err, &own) {
		own = gqlerror.WrapPath(graphql.GetPath(ctx), err)
	}
	cause := own.Unwrap()
	if cause == nil { // of the parser or the validator, who speak of the document alone
		return &gqlerror.Error{Message: own.Message, Path: own.Path, Locations: own.Locations, Extensions: map[string]any{"code": auth.BadRequest}}
	}
	code := auth.CodeOf(cause)
	if code == auth.Internal && ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		code = auth.BadRequest // nobody is left to read it
	}
	if code == auth.Internal && (errors.Is(cause, context.DeadlineExceeded) || d.Front.Transient != nil && d.Front.Transient(cause)) {
		code = auth.Overloaded
	}
	text := words(code, cause)
	var misread wire.Misread
	if errors.As(cause, &misread) {
		text = fieldOf(own.Path) + " " + misread.Error()
	}
	level := slog.LevelInfo
	if code == auth.Internal {
		level = slog.LevelError
	}
	d.Log.Log(ctx, level, "operators' API refuses", slog.String("request_id", asked(ctx).id), slog.String("path", own.Path.String()),
		slog.String("code", string(code)), slog.String("reason", cause.Error()))
	return &gqlerror.Error{Message: text, Path: own.Path, Locations: own.Locations, Extensions: map[string]any{"code": code}}
}

// fieldOf names a place in the arguments of a field: input.email.
func fieldOf(path ast.Path) string {
	if len(path) > 1 {
		path = path[1:]
	}
	return path.String()
}

// recovered makes an error of a panic, and leaves its stack in the log.
func (d *Door) recovered(ctx context.Context, p any) error {
	d.Log.ErrorContext(ctx, "panic", slog.String("request_id", asked(ctx).id), slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	return errors.New("a resolver panicked")
}

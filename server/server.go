// Package server holds what the REST doors share: how a handler answers, how bodies are read, who
// the client is, what one client may ask for in a minute, and health. A door (package server/hasura)
// decodes, calls one flow and encodes.
package server

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/limits"
	"postern/tokens"
)

// Settings are the server's own.
type Settings struct {
	Port            int           `env:"AUTH_PORT" default:"4000" min:"0" max:"65535" doc:"Port to listen on; 0 takes a free one."`
	Host            string        `env:"AUTH_LISTEN_ADDRESS" doc:"Address to listen on; empty means every address of the machine."`
	APIPrefix       string        `env:"AUTH_API_PREFIX" doc:"Path before every route, such as /v1, which the nhost clients expect."`
	TLSCertFile     string        `env:"AUTH_TLS_CERT_FILE" doc:"File with the certificate chain in PEM by which the whole server speaks TLS; AUTH_TLS_KEY_FILE belongs to it. Renewed files are taken up without a restart. Leave both out behind a proxy that ends TLS."`
	TLSKeyFile      string        `env:"AUTH_TLS_KEY_FILE" doc:"File with the private key of the certificate, in PEM."`
	TrustedProxies  []string      `env:"AUTH_TRUSTED_PROXIES" doc:"Networks (CIDR) or addresses of reverse proxies whose X-Forwarded-For is believed; the client address is taken from nowhere else."`
	AddressHeader   string        `env:"AUTH_CLIENT_ADDRESS_HEADER" default:"X-Forwarded-For" doc:"Header in which the proxies of AUTH_TRUSTED_PROXIES say who the client is, such as CF-Connecting-IP. Of several addresses in it the last counts that is not a proxy's. The proxies must set it themselves, or add to its end, whatever a client sends; no other header is looked at."`
	AuditAddress    string        `env:"AUTH_AUDIT_ADDRESS" default:"network" oneof:"network none full" doc:"How much of a client's address the audit log gets: its network (/24 of IPv4, /64 of IPv6), nothing, or all of it."`
	RequestTimeout  time.Duration `env:"AUTH_REQUEST_TIMEOUT" default:"30s" min:"1s" doc:"How long a request may take before it is given up."`
	ShutdownTimeout time.Duration `env:"AUTH_SHUTDOWN_TIMEOUT" default:"20s" min:"0s" doc:"How long requests and jobs under way may take to finish after a stop signal."`
	LogText         bool          `env:"AUTH_LOG_FORMAT_TEXT" default:"false" doc:"Write the log as text for people instead of JSON."`
	Debug           bool          `env:"AUTH_DEBUG" default:"false" doc:"Write debug lines to the log too."`
}

// Check reports what is wrong beyond a single value.
func (s Settings) Check(report func(env, problem string)) {
	if _, err := parseProxies(s.TrustedProxies); err != nil {
		report("AUTH_TRUSTED_PROXIES", err.Error())
	}
	if (s.TLSCertFile == "") != (s.TLSKeyFile == "") {
		report("AUTH_TLS_CERT_FILE", "and AUTH_TLS_KEY_FILE belong together: set both, or neither")
	}
	if !isHeader(s.AddressHeader) {
		report("AUTH_CLIENT_ADDRESS_HEADER", "must be the name of one header, such as X-Forwarded-For or CF-Connecting-IP")
	}
	if p := s.APIPrefix; p != "" && p != "/" && (!strings.HasPrefix(p, "/") || strings.ContainsAny(p, "?#{} ") || strings.Contains(p, "//")) {
		report("AUTH_API_PREFIX", "must be a path that starts with a slash, such as /v1")
	}
}

// Prefix is the API prefix without a slash at its end.
func (s Settings) Prefix() string { return strings.TrimRight(s.APIPrefix, "/") }

// TLS tells whether the server speaks TLS itself.
func (s Settings) TLS() bool { return s.TLSCertFile != "" && s.TLSKeyFile != "" }

// Scheme is that of the server's addresses, where no proxy is in between.
func (s Settings) Scheme() string {
	if s.TLS() {
		return "https"
	}
	return "http"
}

// A Handler answers a request or says why not. Whoever handles it logs the error, once, and words
// the refusal in the dialect of the door.
type Handler func(w http.ResponseWriter, r *http.Request) error

// Refuse answers with a refusal in a door's own words.
type Refuse func(w http.ResponseWriter, r *http.Request, code auth.Code, err error)

// Front is the wall around a door: what happens to every request before the door sees it.
type Front struct {
	Log     *slog.Logger
	Now     func() time.Time
	Limits  *limits.Memory
	Global  limits.Limit
	Proxies []netip.Prefix
	// AddressHeader is where proxies say who the client is; empty means X-Forwarded-For.
	AddressHeader string
	Logging       auth.AddressLogging // how much of clients' addresses the audit log gets
	// TrustsOrigin tells whether a web origin may send credentials. Every other origin may ask,
	// but without them.
	TrustsOrigin func(origin string) bool
	Closed       bool // to web pages of other origins: the door is for programs alone
	// Methods and Exposed are those that web pages of other origins may use and read, where a door has more than the
	// others.
	Methods, Exposed string
	Refuse           Refuse
	Timeout          time.Duration // for a request, database and all
	// Transient tells whether an error passes by itself, so that the client should ask again.
	Transient func(error) bool

	untrusted onceEvery
}

// Beside gives the wall of another door: the same in everything, limits that count together included, but that it
// refuses in its own words.
func (f *Front) Beside(refuse Refuse) *Front {
	return &Front{
		Log: f.Log, Now: f.Now, Limits: f.Limits, Global: f.Global, Proxies: f.Proxies, AddressHeader: f.AddressHeader, Logging: f.Logging, Timeout: f.Timeout,
		TrustsOrigin: f.TrustsOrigin, Transient: f.Transient, Refuse: refuse,
	}
}

// maxBody is how many bytes of a request are read: far more than any request of the API needs.
const maxBody = 1 << 20

// Wrap puts the wall around a handler.
func (f *Front) Wrap(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := f.Now()
		id := requestID(r)
		client := f.client(r)
		rec := &recorder{ResponseWriter: w, client: client}
		h := rec.Header()
		h.Set("X-Request-Id", id)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if p := recover(); p != nil {
				if err, ok := p.(error); ok && errors.Is(err, http.ErrAbortHandler) {
					panic(p) //nolint:forbidigo // net/http's own way to drop a connection: it must reach net/http
				}
				f.panicked(rec, r, p)
			}
			f.logRequest(r, rec, id, f.Now().Sub(start))
		}()
		f.pass(rec, r, inner)
	})
}

// pass lets a request through to the door, or stops it at the wall.
func (f *Front) pass(rec *recorder, r *http.Request, inner http.Handler) {
	if !f.Closed && f.cors(rec, r) {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), f.Timeout)
	defer cancel()
	inner.ServeHTTP(rec, r.WithContext(ctx))
}

// Handle makes a Handler an http.Handler: its error is noted for the log and refused in the door's
// words. Only the code crosses; the text stays in the log.
func (f *Front) Handle(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			f.refuse(w, r, err)
		}
	})
}

// Limited is Handle within the limit on requests of any kind.
func (f *Front) Limited(h Handler) http.Handler {
	return f.Handle(func(w http.ResponseWriter, r *http.Request) error {
		if wait, ok := f.Limits.Take("global", Client(w).Bucket(), f.Global, f.Now()); !ok {
			return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
		}
		return h(w, r)
	})
}

// Canonical passes requests on whose path is written in the one way that routes are: what has dot
// segments, empty segments or encoded slashes in it is nowhere, and nothing is redirected.
func Canonical(inner, nowhere http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := r.URL.Path
		if p == "" || path.Clean(p) != p && path.Clean(p)+"/" != p || r.URL.RawPath != "" || strings.ContainsAny(p, "\\;\x00") {
			nowhere.ServeHTTP(w, r)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func (f *Front) refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := auth.CodeOf(err)
	switch {
	case code != auth.Internal:
	case errors.Is(err, context.Canceled) && r.Context().Err() != nil:
		code = auth.BadRequest // nobody is left to read it
	case errors.Is(err, context.DeadlineExceeded) || f.Transient != nil && f.Transient(err):
		code = auth.Overloaded
		w.Header().Set("Retry-After", "1")
	}
	if rec := recorderOf(w); rec != nil {
		rec.err = err
		if rec.status != 0 {
			return // the answer has begun
		}
	}
	var wait auth.TooSoon
	if errors.As(err, &wait) {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int((wait.RetryAfter+time.Second-1)/time.Second))))
	}
	f.Refuse(w, r, code, err)
}

func (f *Front) panicked(rec *recorder, r *http.Request, p any) {
	f.Log.ErrorContext(r.Context(), "panic", slog.String("request_id", rec.Header().Get("X-Request-Id")),
		slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
	f.refuse(rec, r, errPanic)
}

var (
	errPanic    = errors.New("the handler panicked")
	errTooLarge = auth.Invalid{Field: "body", Problem: "must not be longer than 1 MiB"}
)

// logRequest writes the one line that a request leaves. It holds no query, no header and no body.
func (f *Front) logRequest(r *http.Request, rec *recorder, id string, took time.Duration) {
	level := slog.LevelInfo
	if rec.hushed && rec.err == nil {
		level = slog.LevelDebug
	}
	if !f.Log.Enabled(r.Context(), level) {
		return
	}
	attrs := []slog.Attr{
		slog.String("method", clip(r.Method, 16)), slog.String("path", clip(r.URL.Path, 256)), slog.Int("status", rec.statusOr200()),
		slog.Duration("took", took), slog.String("request_id", id), slog.String("client", rec.client.Address.String()),
	}
	if rec.err != nil {
		code := auth.CodeOf(rec.err)
		attrs = append(attrs, slog.String("code", string(code)), slog.String("reason", rec.err.Error()))
		if code == auth.Internal && rec.statusOr200() >= 500 {
			level = slog.LevelError
		}
	}
	f.Log.LogAttrs(r.Context(), level, "request", attrs...)
}

// requestID is the caller's request id, when it is one that may stand in a log, or a new one.
func requestID(r *http.Request) string {
	id := r.Header.Get("X-Request-Id")
	if id == "" || len(id) > 64 {
		return tokens.NewUUID()
	}
	for _, c := range id {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' && c != '_' && c != '.' {
			return tokens.NewUUID()
		}
	}
	return id
}

// clip shortens a text from outside for the log.
func clip(s string, n int) string {
	if len(s) > n {
		return strings.ToValidUTF8(s[:n], "") + "…"
	}
	return strings.ToValidUTF8(s, "�")
}

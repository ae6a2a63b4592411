// Package auth0 is the door for programs written for Auth0's Management API: its part about hooks, and
// the tokens that it needs. docs/openapi/management.yaml is the contract.
package auth0

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/limits"
	"postern/server"
)

// Door is the dialect over the flows.
type Door struct {
	Front    *server.Front
	Machines *flow.Machines
	Scripts  *flow.Scripts
	Limits   limits.Settings
}

// TokenPath is where machines get their tokens.
const TokenPath = "/oauth/token"

// API is what all other paths of the door begin with.
const API = "/api/v2/"

// Has tells whether a path is one of this door's. No path of users is.
func Has(path string) bool {
	return path == TokenPath || path+"/" == API || strings.HasPrefix(path, API)
}

// AsksForToken tells whether a request to TokenPath is a machine's: the OAuth server of another door may be at the same path. The body can be
// read as before.
func AsksForToken(r *http.Request) bool {
	read, err := io.ReadAll(io.LimitReader(r.Body, maxPeek))
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(read), r.Body), r.Body}
	if err != nil {
		return false
	}
	get, err := parameters(r.Header, read)
	return err == nil && get["grant_type"] == machineGrant
}

const (
	machineGrant = "client_credentials"
	maxPeek      = 64 << 10 // beyond what a machine sends
)

// Hides tells whether paths of the door would hide some that begin with a prefix.
func Hides(prefix string) bool { return Has(prefix+"/token") || Has(prefix+"/") }

// Routes gives the door's handler.
func (d *Door) Routes() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST "+TokenPath, d.Front.Handle(d.token))
	for _, r := range d.routes() {
		mux.Handle(r.method+" "+API+r.path, d.Front.Handle(d.known(r.handle)))
	}
	mux.Handle(API, d.Front.Handle(d.known(elsewhere)))
	mux.Handle("/", d.Front.Handle(nowhere))
	return d.Front.Wrap(d.counted(server.Canonical(mux, d.Front.Handle(nowhere))))
}

func nowhere(http.ResponseWriter, *http.Request) error { return auth.NotFound }

// handler answers a machine that has shown its token.
type handler func(w http.ResponseWriter, r *http.Request, by flow.By) error

// route is one line of the door's table.
type route struct {
	method, path string // below API
	handle       handler
}

func (d *Door) routes() []route {
	// The desk asks the same; asked here, it comes before anything is read of what is sent.
	needs := func(h handler, may func(flow.By) error) handler {
		return func(w http.ResponseWriter, r *http.Request, by flow.By) error {
			if err := may(by); err != nil {
				return err
			}
			return h(w, r, by)
		}
	}
	return []route{
		{"GET", "hooks", needs(d.list, flow.By.MayRead)},
		{"POST", "hooks", needs(d.create, flow.By.MayCreate)},
		{"GET", "hooks/{id}", needs(d.get, flow.By.MayRead)},
		{"PATCH", "hooks/{id}", needs(d.change, flow.By.MayChange)},
		{"POST", "hooks/{id}/secrets", needs(d.addSecrets, flow.By.MayAddSecrets)},
		{"PATCH", "hooks/{id}/secrets", needs(d.changeSecrets, flow.By.MayChange)},
		{"DELETE", "hooks/{id}", needs(d.remove, flow.By.MayDelete)},
		{"GET", "hooks/{id}/secrets", needs(d.secrets, flow.By.MayRead)},
		{"DELETE", "hooks/{id}/secrets", needs(d.dropSecrets, flow.By.MayDelete)},
		{"GET", "clients", noClients},
	}
}

// known lets machines pass that show a good token, as often as they may ask. Whoever shows none is
// counted by address.
func (d *Door) known(h handler) server.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		client := server.Client(w)
		m, err := d.bearer(r)
		if err != nil {
			if code := auth.CodeOf(err); code == auth.Unauthorized {
				if late := d.take(w, "global", client.Bucket(), d.Front.Global); late != nil {
					return late
				}
			}
			return err
		}
		if err := d.take(w, "management", m.ClientID, d.Limits.Management()); err != nil {
			return err
		}
		return h(w, r, flow.By{Machine: &m, Client: client})
	}
}

// errNoBearer is a request that shows no token at all.
var errNoBearer = errors.Join(auth.Unauthorized, errors.New("no bearer token"))

func (d *Door) bearer(r *http.Request) (flow.Machine, error) {
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(kind, "Bearer") || token == "" || len(r.Header.Values("Authorization")) > 1 {
		return flow.Machine{}, errNoBearer
	}
	return d.Machines.Bearer(r.Context(), token)
}

// take takes a place of a limit, and tells how many are left.
func (d *Door) take(w http.ResponseWriter, bucket, key string, limit limits.Limit) error {
	now := d.Front.Now()
	wait, ok := d.Front.Limits.Take(bucket, key, limit, now)
	if !limit.Unlimited() {
		reset := now.Add(limit.Interval)
		if !ok {
			reset = now.Add(wait)
		}
		tellLimit(w, limit.Burst, d.Front.Limits.Left(bucket, key, limit, now), reset)
	}
	if !ok {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	return nil
}

// counted has every answer say what is left of the limit: SDKs wait by it.
func (d *Door) counted(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now, limit := d.Front.Now(), d.Front.Global
		if limit.Unlimited() {
			tellLimit(w, d.Limits.ManagementBurst, d.Limits.ManagementBurst, now.Add(d.Limits.ManagementInterval))
		} else {
			tellLimit(w, limit.Burst, d.Front.Limits.Left("global", server.Client(w).Bucket(), limit, now), now.Add(limit.Interval))
		}
		inner.ServeHTTP(w, r)
	})
}

func tellLimit(w http.ResponseWriter, limit, left int, reset time.Time) {
	h := w.Header()
	h.Set("X-RateLimit-Limit", strconv.Itoa(limit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(left))
	h.Set("X-RateLimit-Reset", strconv.FormatInt(reset.Add(time.Second-1).Unix(), 10))
}

// resource is what a path below API is about, in the words of scopes.
var resource = regexp.MustCompile(`^[a-z][a-z-]{0,63}$`)

// elsewhere refuses what Auth0's API has and this one has not, as if the token did not allow it: tools
// that go through everything take that for a part that is closed to them, and go on.
func elsewhere(_ http.ResponseWriter, r *http.Request, _ flow.By) error {
	name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, API), "/")
	if !resource.MatchString(name) {
		return auth.NotFound
	}
	verb := "update"
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		verb = "read"
	case http.MethodPost:
		verb = "create"
	case http.MethodDelete:
		verb = "delete"
	}
	return flow.MissingScope{AnyOf: []string{verb + ":" + strings.ReplaceAll(name, "-", "_")}}
}

// noClients answers the Deploy CLI, whose dry run asks for clients whatever it is about. A whole export
// asks for the global one and ends where there is none; it goes on where it may not know.
func noClients(w http.ResponseWriter, r *http.Request, _ flow.By) error {
	if r.URL.Query().Get("is_global") == "true" {
		return flow.MissingScope{AnyOf: []string{"read:clients"}}
	}
	p, err := pageOf(r.URL.Query())
	if err != nil {
		return err
	}
	if !p.totals {
		return write(w, http.StatusOK, []struct{}{})
	}
	return write(w, http.StatusOK, struct {
		Total   int        `json:"total"`
		Start   int        `json:"start"`
		Limit   int        `json:"limit"`
		Clients []struct{} `json:"clients"`
	}{0, p.start(), p.limit(0), []struct{}{}})
}

package auth0

import (
	"context"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// grantAsked is a request for a token: JSON from older clients, a form from newer ones.
type grantAsked struct {
	grantType, clientID, secret, audience, scope string
}

// errGrantType is a grant of another kind than machines get.
var errGrantType = errors.Join(auth.BadRequest, errors.New("another grant than client_credentials"))

// granted is the answer, as RFC 6749 has it.
type granted struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
}

func (d *Door) token(w http.ResponseWriter, r *http.Request) error {
	client := server.Client(w)
	if err := d.take(w, "global", client.Bucket(), d.Front.Global); err != nil {
		return err
	}
	in, err := readGrant(r)
	if err != nil {
		return err
	}
	// Whoever has guessed too often from one place is not even listened to there; others are.
	guesser := client.Bucket() + " " + in.clientID
	if wait, spent := d.Front.Limits.Spent("client secrets", guesser, d.Limits.BruteForce(), d.Front.Now()); spent {
		return auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: wait}
	}
	grant, err := d.Machines.Grant(r.Context(), flow.ClientCredentials{
		ClientID: in.clientID, Secret: in.secret, Audience: in.audience, Scopes: strings.Fields(in.scope), Client: client,
	})
	if auth.CodeOf(err) == auth.InvalidClient {
		return errors.Join(err, d.guessed(r.Context(), err, guesser, client))
	}
	if err != nil {
		return err
	}
	w.Header().Set("Pragma", "no-cache")
	return write(w, http.StatusOK, granted{grant.Token, "Bearer", int(grant.Life.Seconds()), strings.Join(grant.Scopes, " ")})
}

// guessed counts a wrong secret, and leaves an entry of it in the audit log. Whoever tries one client after another leaves no
// more entries than whoever tries one.
func (d *Door) guessed(ctx context.Context, refused error, guesser string, c auth.Client) error {
	now := d.Front.Now()
	_, counted := d.Front.Limits.Take("client secrets", guesser, d.Limits.BruteForce(), now)
	if !counted {
		return nil
	}
	if _, ok := d.Front.Limits.Take("client secret entries", c.Bucket(), d.Limits.Entries(), now); !ok {
		return nil
	}
	return d.Machines.NoteRefused(ctx, refused, c)
}

func readGrant(r *http.Request) (in grantAsked, err error) {
	body, err := server.ReadBody(r)
	if err != nil {
		return in, err
	}
	get, err := parameters(r.Header, body)
	if err != nil {
		return in, err
	}
	in = grantAsked{get["grant_type"], get["client_id"], get["client_secret"], get["audience"], get["scope"]}
	if in.grantType != machineGrant {
		return in, errGrantType
	}
	if id, secret, ok := server.Basic(r.Header); ok {
		if in.secret != "" || in.clientID != "" && in.clientID != id {
			return in, auth.Invalid{Field: "Authorization", Problem: "must not come with another way to show the client"}
		}
		in.clientID, in.secret = id, secret
	}
	if get["client_assertion"] != "" {
		return in, auth.Invalid{Field: "client_assertion", Problem: "is not taken here; send client_id and client_secret"}
	}
	return in, nil
}

// parameters reads the parameters of a grant. None may be there twice.
func parameters(h http.Header, body []byte) (map[string]string, error) {
	media, _, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	get := map[string]string{}
	switch media {
	case "application/x-www-form-urlencoded":
		return server.Once("body", string(body))
	case "application/json":
		var members map[string]jsontext.Value
		if err := json.Unmarshal(body, &members); err != nil {
			return nil, auth.Invalid{Field: "body", Problem: "must be a JSON object whose members are there once"}
		}
		for name, value := range members {
			var text string
			if value.Kind() == '"' && json.Unmarshal(value, &text) == nil {
				get[name] = text
			}
		}
	default:
		return nil, auth.Invalid{Field: "Content-Type", Problem: "must be application/json or application/x-www-form-urlencoded"}
	}
	return get, nil
}

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
	clientID, secret, audience, scope string
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
	ctx := r.Context()
	var grant flow.MachineGrant
	err = server.Guards{Front: d.Front, Limits: d.Limits}.AsClient(client, in.clientID, func() (err error) {
		grant, err = d.Machines.Grant(ctx, flow.ClientCredentials{
			ClientID: in.clientID, Secret: in.secret, Audience: in.audience, Scopes: strings.Fields(in.scope), Client: client,
		})
		return err
	})
	if auth.CodeOf(err) == auth.InvalidClient {
		return errors.Join(err, d.noteGuess(ctx, err, client))
	}
	if err != nil {
		return err
	}
	w.Header().Set("Pragma", "no-cache")
	return write(w, http.StatusOK, granted{grant.Token, "Bearer", int(grant.Life.Seconds()), strings.Join(grant.Scopes, " ")})
}

// noteGuess leaves an entry of a wrong secret in the audit log. Whoever tries one client after another leaves no more entries than
// whoever tries one.
func (d *Door) noteGuess(ctx context.Context, refused error, c auth.Client) error {
	if _, ok := d.Front.Limits.Take("client secret entries", c.Bucket(), d.Limits.Entries(), d.Front.Now()); !ok {
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
	if get["grant_type"] != machineGrant {
		return in, errGrantType
	}
	shown, err := server.FormCredentials(r.Header, get)
	if err != nil {
		return in, err
	}
	if get["client_assertion"] != "" {
		return in, auth.Invalid{Field: "client_assertion", Problem: "is not taken here; send client_id and client_secret"}
	}
	return grantAsked{shown.ClientID, shown.Secret, get["audience"], get["scope"]}, nil
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

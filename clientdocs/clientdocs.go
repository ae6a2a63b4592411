// Package clientdocs reads the documents by which clients of the OAuth server say themselves what they are: the id of such a client is
// the address of its document (OAuth Client ID Metadata Document, draft-ietf-oauth-client-id-metadata-document).
package clientdocs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// MaxBytes and MaxTime bound what a document may cost.
const (
	MaxBytes = 5 << 10
	MaxTime  = 5 * time.Second
)

// maxAddress is how long the address of a document may be.
const maxAddress = 2048

// Document is what a client says of itself. It always is a public client: whoever publishes what they are has no secret to share.
type Document struct {
	Name, URI, LogoURI string // may be empty
	RedirectURIs       []string
	GrantTypes         []string // empty for the usual ones
	Scopes             []string // empty for the usual ones
}

// Problem says what is wrong with a document or its address, in words for whoever made it.
type Problem struct{ words string }

// Error is the words.
func (p *Problem) Error() string { return "clientdocs: " + p.words }

// Refusal is the words, for those who do not know this package.
func (p *Problem) Refusal() string { return p.words }

func problem(format string, args ...any) error { return &Problem{fmt.Sprintf(format, args...)} }

// Reader reads documents.
type Reader struct {
	// Client asks, and judges where it may ask: the address is chosen by whoever wants to be a client. It follows no redirects, since
	// whoever may redirect there is not who the address names, and ends within MaxTime and MaxBytes.
	Client *http.Client
	// Insecure takes addresses that begin with http://, for development.
	Insecure bool
}

// IsAddress tells whether the id of a client is meant as the address of a document.
func IsAddress(id string) bool {
	return strings.HasPrefix(id, "https://") || strings.HasPrefix(id, "http://")
}

// check refuses addresses that could be written in more than one way, or that are a whole server: whoever has one page of it would be
// who the others are.
func (r *Reader) check(id string) error {
	u, err := url.Parse(id)
	switch {
	case err != nil || len(id) > maxAddress || strings.ContainsFunc(id, func(c rune) bool { return c <= ' ' || c >= 0x7f }):
		return problem("client_id must be an address of at most %d printable ASCII characters", maxAddress)
	case u.Scheme != "https" && (u.Scheme != "http" || !r.Insecure):
		return problem("client_id must begin with https://")
	case u.User != nil || strings.Contains(id, "#"):
		return problem("client_id must have no user, password or fragment in it")
	case u.Host != strings.ToLower(u.Host) || u.Hostname() == "" || strings.HasSuffix(u.Host, ":"):
		return problem("client_id must have its host in small letters")
	case u.Path == "" || u.Path == "/":
		return problem("client_id must have a path: the address of the document")
	}
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return problem("client_id must have no . or .. as a part of its path")
		}
	}
	return nil
}

// said is a document as it is published. Members that say nothing here are not read.
type said struct {
	ClientID     string          `json:"client_id"`
	Name         string          `json:"client_name"`
	URI          string          `json:"client_uri"`
	LogoURI      string          `json:"logo_uri"`
	RedirectURIs []string        `json:"redirect_uris"`
	GrantTypes   []string        `json:"grant_types"`
	Scope        string          `json:"scope"`
	AuthMethod   string          `json:"token_endpoint_auth_method"`
	Secret       json.RawMessage `json:"client_secret"`
	SecretEnds   json.RawMessage `json:"client_secret_expires_at"`
}

// Read asks for the document of a client. The error is a *Problem where whoever made it can mend it. What went wrong between here and
// there is for the log alone: nobody learns from it what can be reached from here.
func (r *Reader) Read(ctx context.Context, id string) (Document, error) {
	if err := r.check(id); err != nil {
		return Document{}, err
	}
	body, err := r.fetch(ctx, id)
	if err != nil {
		return Document{}, err
	}
	return parse(id, body)
}

func (r *Reader) fetch(ctx context.Context, id string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, MaxTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, id, nil)
	if err != nil {
		return nil, problem("client_id must be an address")
	}
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "Postern")
	answer, err := r.Client.Do(request)
	if err != nil {
		return nil, fmt.Errorf("clientdocs: %w", err)
	}
	defer func() { _ = answer.Body.Close() }()
	media, _, _ := mime.ParseMediaType(answer.Header.Get("Content-Type"))
	switch {
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return nil, problem("the document at client_id must be there, not where its address redirects to")
	case answer.StatusCode != http.StatusOK:
		return nil, problem("the document at client_id must be answered with the status 200, not %d", answer.StatusCode)
	case media != "application/json" && !strings.HasSuffix(media, "+json"):
		return nil, problem("the document at client_id must be of the type application/json")
	}
	body, err := io.ReadAll(io.LimitReader(answer.Body, MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("clientdocs: %w", err)
	}
	if len(body) > MaxBytes {
		return nil, problem("the document at client_id must not be longer than %d bytes", MaxBytes)
	}
	return body, nil
}

func parse(id string, body []byte) (Document, error) {
	var in said
	if err := json.Unmarshal(body, &in); err != nil {
		var kind *json.UnmarshalTypeError
		if errors.As(err, &kind) && kind.Field != "" {
			return Document{}, problem("%.100s in the document at client_id must not be a %s", kind.Field, kind.Value)
		}
		return Document{}, problem("the document at client_id must be a JSON object")
	}
	switch {
	case in.ClientID != id:
		return Document{}, problem("client_id in the document must be the address of the document, letter by letter")
	case in.Secret != nil || in.SecretEnds != nil:
		return Document{}, problem("the document at client_id must have no client_secret: everybody reads it")
	case in.AuthMethod != "" && in.AuthMethod != "none":
		return Document{}, problem("token_endpoint_auth_method in the document at client_id must be none")
	}
	return Document{
		Name: in.Name, URI: in.URI, LogoURI: in.LogoURI, RedirectURIs: in.RedirectURIs, GrantTypes: in.GrantTypes, Scopes: strings.Fields(in.Scope),
	}, nil
}

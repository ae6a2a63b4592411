// Package engine is Hasura's GraphQL engine as Postern sees it: a place to ask for claims, and
// metadata to which the tables of schema auth are added.
package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	graphql "github.com/hasura/go-graphql-client"
)

// longestQuery bounds a query whose caller set no deadline.
const longestQuery = 30 * time.Second

// Engine is a GraphQL engine of Hasura, or one that speaks as it does.
type Engine struct {
	settings Settings
	metadata string // address of the metadata API, or empty
	guard    *guard
	http     *http.Client
	queries  *graphql.Client
}

// Open gives the engine of the settings and asks it nothing. The client carries the requests, if it
// is not nil; redirects are never followed.
func Open(s Settings, client *http.Client) (*Engine, error) {
	for _, address := range []string{s.URL, s.MetadataURL} {
		if u, err := url.Parse(address); err != nil || address != "" && (u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return nil, errors.New("hasura: HASURA_GRAPHQL_GRAPHQL_URL and AUTH_HASURA_METADATA_URL must be addresses such as http://hasura:8080" + graphqlPath)
		}
	}
	if !s.Configured() {
		return nil, errors.New("hasura: HASURA_GRAPHQL_GRAPHQL_URL is not set")
	}
	if s.MetadataTimeout <= 0 {
		s.MetadataTimeout = time.Minute
	}
	if s.Source == "" {
		s.Source = "default"
	}
	g := &guard{base: newTransport(), secret: s.AdminSecret}
	if client != nil && client.Transport != nil {
		g.base = client.Transport
	}
	e := &Engine{settings: s, metadata: s.metadataURL(), guard: g, http: &http.Client{
		Transport:     g,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	// Neither retries, which ignore the deadline, nor debugging, which prints the admin secret.
	e.queries = graphql.NewClient(s.URL, e.http).WithRequestModifier(func(r *http.Request) {
		// A query changes nothing, so it may be sent again when the engine closed an idle connection
		// meanwhile. The header itself is not sent: it has no value.
		r.Header["X-Idempotency-Key"] = nil
	})
	return e, nil
}

// Query asks with the rights of an administrator and returns the content of "data". An answer with
// errors is a *Failure, also if it has data besides.
func (e *Engine) Query(ctx context.Context, query string, variables map[string]any) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, longestQuery)
	defer cancel()
	if strings.Contains(query, "__schema") || strings.Contains(query, "__type(") {
		ctx = withLimit(ctx, maxSchema)
	}
	data, err := e.queries.ExecRaw(ctx, query, variables)
	if err != nil {
		return nil, e.explain(err)
	}
	if data = bytes.TrimSpace(data); len(data) == 0 || data[0] != '{' {
		return nil, e.guard.refuse("its answer has neither data nor errors")
	}
	return data, nil
}

// explain makes a Failure of an error of the client library.
func (e *Engine) explain(err error) error {
	var failure *Failure
	if errors.As(err, &failure) {
		return failure
	}
	var refused graphql.NetworkError // status 4xx, with JSON
	if errors.As(err, &refused) {
		return e.answered(refused.StatusCode(), []byte(refused.Body()))
	}
	var answered graphql.Errors
	if errors.As(err, &answered) && len(answered) > 0 && errors.Join(answered.Unwrap()...) == nil {
		return e.answeredErrors(answered)
	}
	return e.guard.refuse("its answer is no answer to a GraphQL query")
}

// answered reads the errors in the body of an answer with a status of 400 and more. Engines other
// than Hasura's give one to queries that do not fit their schema.
func (e *Engine) answered(status int, body []byte) *Failure {
	var answer struct {
		Errors graphql.Errors `json:"errors"`
	}
	if json.Unmarshal(body, &answer) != nil || len(answer.Errors) == 0 {
		return e.guard.refuse("it answers with status %d", status)
	}
	return e.answeredErrors(answer.Errors)
}

func (e *Engine) answeredErrors(list graphql.Errors) *Failure {
	f := &Failure{reason: "hasura: the engine answers with errors", unreachable: true}
	for i, one := range list {
		code, _ := one.Extensions["code"].(string)
		if code == "access-denied" {
			return e.guard.refuse("%s", e.guard.refusedSecret())
		}
		f.unreachable = f.unreachable && inTrouble(code)
		if i >= mostErrors {
			continue
		}
		text := cut(one.Message, e.settings.AdminSecret)
		if text == "" {
			text = "an error without words"
		}
		if path, ok := one.Extensions["path"].(string); ok && path != "" && path != "$" {
			text += fmt.Sprintf(" (at %s)", cut(path, e.settings.AdminSecret))
		}
		f.errors = append(f.errors, text)
	}
	return f
}

// inTrouble tells the codes that are no fault of the query: the engine has lost its database, say.
func inTrouble(code string) bool {
	switch code {
	case "unexpected", "postgres-error", "postgres-max-connections-error", "connection-error", "internal-error", "INTERNAL_SERVER_ERROR":
		return true
	}
	return false
}

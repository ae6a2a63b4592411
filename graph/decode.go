package graph

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/99designs/gqlgen/graphql"

	"postern/auth"
)

// maxBody is how long a request may be.
const maxBody = 256 << 10

// readParams reads a request: one operation as JSON. What is not right is named, and nothing of it is
// repeated.
func readParams(r *http.Request) (*graphql.RawParams, error) {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return nil, auth.Invalid{Field: "body", Problem: "must not be compressed"}
	}
	media, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	charset, said := params["charset"]
	if err != nil || media != "application/json" || said && !strings.EqualFold(charset, "utf-8") {
		return nil, auth.Invalid{Field: "Content-Type", Problem: "must be application/json"}
	}
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	switch {
	case err != nil:
		return nil, auth.Invalid{Field: "body", Problem: "broke off"}
	case len(raw) > maxBody:
		return nil, auth.Invalid{Field: "body", Problem: "must not be longer than 256 KiB"}
	case strings.HasPrefix(strings.TrimLeft(string(raw), " \t\r\n"), "["):
		return nil, auth.Invalid{Field: "body", Problem: "must be one operation: lists of operations are not taken"}
	}
	return decodeParams(raw)
}

func decodeParams(raw []byte) (*graphql.RawParams, error) {
	var in struct {
		Query         *string         `json:"query"`
		OperationName *string         `json:"operationName"`
		Variables     map[string]any  `json:"variables"`
		Extensions    json.RawMessage `json:"extensions"` // what clients send of themselves; nothing is taken from it
	}
	d := json.NewDecoder(strings.NewReader(string(raw)))
	d.UseNumber()
	if err := d.Decode(&in); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return nil, auth.Invalid{Field: wrong.Field, Problem: "has the wrong type: query and operationName are texts, variables is an object"}
		}
		return nil, auth.Invalid{Field: "body", Problem: "must be a JSON object with a query"}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, auth.Invalid{Field: "body", Problem: "must be one JSON object and nothing behind it"}
	}
	if in.Query == nil || strings.TrimSpace(*in.Query) == "" {
		return nil, auth.Invalid{Field: "query", Problem: "must be the text of an operation; stored operations are not taken"}
	}
	params := &graphql.RawParams{Query: *in.Query, Variables: in.Variables}
	if in.OperationName != nil {
		params.OperationName = *in.OperationName
	}
	return params, nil
}

// given is what is given of what may be left out; nothing is the zero value.
func given[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

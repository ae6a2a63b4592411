package engine

import (
	"context"
	"encoding/json"
	"errors"
)

// RemoteSchema is a GraphQL API that the engine serves beside its tables.
type RemoteSchema struct {
	Name      string
	URL       string // as the engine reaches it
	SecretEnv string // the variable of the engine that has our admin secret
	Namespace string // of its root fields
	Prefix    string // of its types
}

// JSON is the call of the metadata API that adds it.
func (r RemoteSchema) JSON() ([]byte, error) { return json.MarshalIndent(r.call(), "", "  ") }

func (r RemoteSchema) call() call {
	return call{Type: "add_remote_schema", Args: map[string]any{
		"name":    r.Name,
		"comment": "Postern's API for operators",
		"definition": map[string]any{
			"url":             r.URL,
			"timeout_seconds": 10,
			// What clients send says nothing; of whom the engine asks for, it tells by itself.
			"forward_client_headers": false,
			"headers":                []map[string]string{{"name": "X-Hasura-Admin-Secret", "value_from_env": r.SecretEnv}},
			"customization": map[string]any{
				"root_fields_namespace": r.Namespace,
				"type_names":            map[string]string{"prefix": r.Prefix},
			},
		},
	}}
}

// AddRemoteSchema has the engine serve an API. One of that name that is there already stays as it is, and
// added is false.
func (e *Engine) AddRemoteSchema(ctx context.Context, r RemoteSchema) (added bool, err error) {
	_, err = e.ask(ctx, r.call())
	var refused *Refusal
	if errors.As(err, &refused) && refused.there() {
		return false, nil
	}
	return err == nil, err
}

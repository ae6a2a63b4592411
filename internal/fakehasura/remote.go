package fakehasura

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
)

// remoteSchema is what add_remote_schema wants, as far as the fake knows it.
type remoteSchema struct {
	Name       string `json:"name"`
	Comment    string `json:"comment"`
	Definition struct {
		URL     string `json:"url"`
		Timeout int    `json:"timeout_seconds"`
		Forward bool   `json:"forward_client_headers"`
		Headers []struct {
			Name  string `json:"name"`
			Env   string `json:"value_from_env"`
			Value string `json:"value"`
		} `json:"headers"`
		Customization struct {
			Namespace string            `json:"root_fields_namespace"`
			Types     map[string]string `json:"type_names"`
		} `json:"customization"`
	} `json:"definition"`
}

// introspection is what the engine asks a remote schema that is added: everything, and nine levels of types.
const introspection = `query IntrospectionQuery{__schema{queryType{name}mutationType{name}subscriptionType{name}types{...FullType}directives{name description locations args{...InputValue}}}}
fragment FullType on __Type{kind name description fields(includeDeprecated:true){name description args{...InputValue}type{...TypeRef}isDeprecated deprecationReason}
inputFields{...InputValue}interfaces{...TypeRef}enumValues(includeDeprecated:true){name description isDeprecated deprecationReason}possibleTypes{...TypeRef}}
fragment InputValue on __InputValue{name description type{...TypeRef}defaultValue}
fragment TypeRef on __Type{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name ofType{kind name}}}}}}}}`

// addRemote adds a remote schema, which must answer and must not have names that are there already.
func (m *metadata) addRemote(raw json.RawMessage) (any, *problem) {
	var r remoteSchema
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(&r); err != nil || r.Name == "" || r.Definition.URL == "" {
		return nil, fail("parse-failed", "$.args", "no remote schema: %v", err)
	}
	remotes, _ := m.root["remote_schemas"].([]any)
	for _, other := range remotes {
		if other.(object)["name"] == r.Name {
			return nil, fail("already-exists", "$.args.name", "remote schema with name %q already exists", r.Name)
		}
	}
	headers, p := r.headers(m.env)
	if p != nil {
		return nil, p
	}
	text, err := r.ask(context.Background(), headers, introspection, nil)
	if err != nil {
		return nil, fail("remote-schema-error", "$.args.definition", "Error from remote server: %v", err)
	}
	var answer struct {
		Data struct {
			Schema struct {
				Types []struct{ Name string }
			} `json:"__schema"`
		}
	}
	if json.Unmarshal(text, &answer) != nil || len(answer.Data.Schema.Types) == 0 {
		return nil, fail("remote-schema-error", "$.args.definition", "introspection query failed: %.200s", text)
	}
	if c := r.Definition.Customization; c.Namespace == "" || c.Types["prefix"] == "" {
		return nil, fail("remote-schema-conflicts", "$.args", "its names may be those of tables")
	}
	var kept any
	_ = decode(raw, &kept) // it was read already
	m.root["remote_schemas"] = append(remotes, kept)
	return object{"message": "success"}, nil
}

// headers are those of the definition, from the engine's environment.
func (r remoteSchema) headers(env map[string]string) (http.Header, *problem) {
	h := http.Header{}
	for _, x := range r.Definition.Headers {
		value, ok := x.Value, true
		if x.Env != "" {
			value, ok = env[x.Env]
		}
		if !ok {
			return nil, fail("invalid-configuration", "$.args.definition.headers", "environment variable '%s' not set", x.Env)
		}
		h.Set(x.Name, value)
	}
	return h, nil
}

// ask asks the remote schema.
func (r remoteSchema) ask(ctx context.Context, h http.Header, query string, variables map[string]any) ([]byte, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables, "operationName": nil})
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.Definition.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header = h.Clone()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "hasura-graphql-engine/v2.48.1")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %.200s", response.StatusCode, text)
	}
	return text, err
}

// Env sets a variable of the engine's own environment.
func (e *Engine) Env(name, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	env := maps.Clone(e.metadata.env)
	if env == nil {
		env = map[string]string{}
	}
	env[name] = value
	e.metadata.env = env
}

// Remote asks a remote schema for somebody with a role, as the engine does once it has taken the namespace
// off: with the headers of the definition, and the session variables beside them.
func (e *Engine) Remote(t testing.TB, name, query string, session map[string]string) (string, error) {
	t.Helper()
	e.mu.Lock()
	known := e.metadata.clone()
	e.mu.Unlock()
	remotes, _ := known.root["remote_schemas"].([]any)
	for _, raw := range remotes {
		text, _ := json.Marshal(raw) // it came out of JSON
		var r remoteSchema
		if json.Unmarshal(text, &r) != nil || r.Name != name {
			continue
		}
		h := http.Header{}
		for variable, value := range session {
			h.Set(strings.ToLower(variable), value)
		}
		own, p := r.headers(known.env)
		if p != nil {
			t.Fatal(p.Error)
		}
		for variable := range own { // those of the definition win
			h.Set(variable, own.Get(variable))
		}
		answer, err := r.ask(t.Context(), h, query, nil)
		return string(answer), err
	}
	t.Fatalf("no remote schema %s", name)
	return "", nil
}

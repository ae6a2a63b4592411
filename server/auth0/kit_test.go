package auth0_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"

	"postern/house"
	"postern/internal/testhouse"
)

const (
	clientID     = "deployer"
	clientSecret = "bf3c1a0e5d9247f68ab1c04e7d3952f6"
	audience     = "https://auth.example.com/api/v2/"
	scriptText   = "function (user, context, callback) { callback(null, { user }); }" // no valid JavaScript, and saved all the same
)

// door is a house with the management API on.
type door struct {
	*testhouse.House
	token string
	on    bool
}

func settings(more ...string) map[string]string {
	m := map[string]string{
		"AUTH_MANAGEMENT_CLIENT_ID": clientID, "AUTH_MANAGEMENT_CLIENT_SECRET": clientSecret, "AUTH_SERVER_URL": "https://auth.example.com/v1",
	}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = more[i+1]
	}
	return m
}

func open(t *testing.T, more map[string]string, options ...func(*house.Options)) *door {
	t.Helper()
	d := &door{House: testhouse.Open(t, more, options...)}
	if got := d.grant(t, nil); got.status == http.StatusOK {
		d.token, _ = got.object(t)["access_token"].(string)
		d.on = true
	}
	return d
}

type answer struct {
	status int
	header http.Header
	body   string
}

func (a answer) object(t *testing.T) map[string]any {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal([]byte(a.body), &m); err != nil {
		t.Fatalf("%q: %v", a.body, err)
	}
	return m
}

func (a answer) id(t *testing.T) string {
	t.Helper()
	id, _ := a.object(t)["id"].(string)
	if a.status != http.StatusCreated || id == "" {
		t.Fatalf("%d %s", a.status, a.body)
	}
	return id
}

// is tells whether an answer has a status and, in its body, some words.
func (a answer) is(t *testing.T, status int, words string) {
	t.Helper()
	if a.status != status || !strings.Contains(a.body, words) {
		t.Errorf("%d %s, want %d with %s", a.status, a.body, status, words)
	}
	if a.header.Get("X-RateLimit-Limit") == "" || a.header.Get("X-RateLimit-Remaining") == "" || a.header.Get("X-RateLimit-Reset") == "" {
		t.Errorf("%d %s: no headers of limits", a.status, a.body)
	}
}

// send sends a request as it is. Where it is one of the document's paths, the answer is held to the
// document.
func (d *door) send(t *testing.T, method, path, body string, header ...string) answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	r.RemoteAddr = "192.0.2.1:1000"
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	d.Handler.ServeHTTP(w, r)
	d.judge(t, r, w)
	return answer{w.Code, w.Header(), w.Body.String()}
}

// judge holds an answer to docs/openapi/management.yaml.
func (d *door) judge(t *testing.T, r *http.Request, w *httptest.ResponseRecorder) {
	t.Helper()
	route, params, err := document.FindRoute(r)
	if err != nil || !strings.HasPrefix(r.URL.Path, "/oauth/") && !strings.HasPrefix(r.URL.Path, "/api/v2/") || !d.on {
		return
	}
	if w.Header().Get("Content-Type") == "" && w.Body.Len() == 0 && w.Code == http.StatusNoContent {
		return
	}
	in := &openapi3filter.RequestValidationInput{Request: r, PathParams: params, Route: route}
	err = openapi3filter.ValidateResponse(t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: w.Code, Header: w.Header(), Body: io.NopCloser(strings.NewReader(w.Body.String())),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		t.Errorf("%s %s: not as documented: %v", r.Method, r.URL.Path, err)
	}
}

var document routers.Router

func TestMain(m *testing.M) {
	doc, err := openapi3.NewLoader().LoadFromFile("../../docs/openapi/management.yaml")
	if err == nil {
		err = doc.Validate(context.Background())
	}
	if err == nil {
		document, err = legacy.NewRouter(doc)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// api asks the API with the token of the client, in JSON.
func (d *door) api(t *testing.T, method, path string, body any) answer {
	t.Helper()
	text := ""
	switch b := body.(type) {
	case nil:
	case string:
		text = b
	default:
		encoded, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		text = string(encoded)
	}
	return d.send(t, method, "/api/v2/"+path, text, "Authorization", "Bearer "+d.token, "Content-Type", "application/json")
}

type object = map[string]any

// grant asks for a token, with other members than usual where some are given.
func (d *door) grant(t *testing.T, other object) answer {
	t.Helper()
	body := object{"grant_type": "client_credentials", "client_id": clientID, "client_secret": clientSecret, "audience": audience}
	for k, v := range other {
		body[k] = v
	}
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return d.send(t, "POST", "/oauth/token", string(text), "Content-Type", "application/json")
}

func newHook(name string, more ...any) object {
	h := object{"name": name, "script": scriptText, "triggerId": "credentials-exchange"}
	for i := 0; i+1 < len(more); i += 2 {
		h[more[i].(string)] = more[i+1]
	}
	return h
}

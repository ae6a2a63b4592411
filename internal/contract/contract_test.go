package contract_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"postern/docs/openapi"
	"postern/internal/contract"
)

// told keeps what would have failed a test.
type told struct {
	mu    sync.Mutex
	lines []string
}

func (*told) Helper() {}

func (r *told) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

const (
	user = `{"id":"4b7c2f0e-5d1a-4f38-9a86-0e2d1c3b4a59","createdAt":"2026-01-31T09:15:04.5Z","displayName":"J","avatarUrl":"",
		"locale":"en","email":"j@example.com","emailVerified":true,"phoneNumberVerified":false,"isAnonymous":false,
		"defaultRole":"user","roles":["user"],"metadata":null,"activeMfaType":null}`
	session = `{"accessToken":"a.b.c","accessTokenExpiresIn":900,"refreshToken":"3f2b8c1e-7a64-4d0a-9c55-5e8f0b1d2a37",
		"refreshTokenId":"9c1d4f6a-0b3e-4c6e-8a0f-6d1f2e3c4b5a","user":` + user + `}`
	refresh = `{"refreshToken":"3f2b8c1e-7a64-4d0a-9c55-5e8f0b1d2a37"}`
	expired = `{"status":401,"error":"invalid-refresh-token","message":"Invalid or expired refresh token"}`
)

// answers is a door that says one thing.
func answers(status int, body string, headers ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "r1")
		w.Header().Set("Content-Type", "application/json")
		for i := 0; i+1 < len(headers); i += 2 {
			if headers[i+1] == "" {
				w.Header().Del(headers[i])
				continue
			}
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	})
}

func TestJudgesRequestsAndAnswers(t *testing.T) {
	t.Parallel()
	noStore := []string{"Cache-Control", "no-store"}
	tests := []struct {
		name     string
		method   string
		path     string
		send     string
		door     http.Handler
		badInput bool
		watched  bool
		want     string // in the failure, "" for none
	}{
		{name: "good", path: "/token", send: refresh, door: answers(200, session, noStore...)},
		{name: "good with a charset", path: "/token", send: refresh, door: answers(200, session, "Cache-Control", "no-store", "Content-Type", "application/json; charset=utf-8")},
		{name: "documented refusal", path: "/token", send: refresh, door: answers(401, expired)},
		{name: "no route", path: "/tokens", send: refresh, door: answers(200, session, noStore...), want: "no such route"},
		{name: "wrong verb", method: "GET", path: "/token", door: answers(200, session, noStore...), want: "no such route"},
		{name: "outside the mount point", path: "/../other", send: refresh, door: answers(200, session), want: "not below"},
		{name: "request without a required member", path: "/token", send: `{}`, door: answers(401, expired), want: "refreshToken"},
		{name: "request with an unknown member", path: "/token", send: `{"refreshToken":"3f2b8c1e-7a64-4d0a-9c55-5e8f0b1d2a37","x":1}`, door: answers(401, expired), want: "request is not valid"},
		{name: "request of the wrong type", path: "/token", send: `{"refreshToken":1}`, door: answers(401, expired), want: "request is not valid"},
		{name: "answer with an unknown member", path: "/token", send: refresh, door: answers(200, strings.Replace(session, "{", `{"passwordHash":"x",`, 1), noStore...), want: "passwordHash"},
		{name: "answer without a member", path: "/token", send: refresh, door: answers(200, strings.Replace(session, `"refreshTokenId"`, `"x"`, 1), noStore...), want: "refreshTokenId"},
		{name: "answer of the wrong type", path: "/token", send: refresh, door: answers(200, strings.Replace(session, "900", `"900"`, 1), noStore...), want: "accessTokenExpiresIn"},
		{name: "status that is not documented", path: "/token", send: refresh, door: answers(418, `{}`), want: "does not have this status"},
		{name: "words that drifted", path: "/token", send: refresh, door: answers(401, strings.Replace(expired, "Invalid or", "Bad or", 1)), want: "not as documented"},
		{name: "id with another status", path: "/token", send: refresh, door: answers(401, strings.Replace(expired, "401", "400", 1)), want: "not as documented"},
		{name: "refusal of another endpoint", path: "/token", send: refresh, door: answers(401, `{"status":401,"error":"invalid-ticket","message":"Invalid ticket"}`), want: "not as documented"},
		{name: "empty body where one belongs", path: "/token", send: refresh, door: answers(401, ""), want: "not as documented"},
		{name: "not JSON", path: "/token", send: refresh, door: answers(401, "no", "Content-Type", "text/plain"), want: "Content-Type"},
		{name: "no request id", path: "/token", send: refresh, door: answers(401, expired, "X-Request-Id", ""), want: "X-Request-Id"},
		{name: "session that may be cached", path: "/token", send: refresh, door: answers(200, session), want: "Cache-Control"},
		{name: "too many requests without a wait", path: "/token", send: refresh, door: answers(429, `{"status":429,"error":"too-many-requests","message":"m"}`), want: "Retry-After"},
		{name: "too many requests", path: "/token", send: refresh, door: answers(429, `{"status":429,"error":"too-many-requests","message":"m"}`, "Retry-After", "3")},
		{name: "head with headers", method: "HEAD", path: "/healthz", door: answers(200, "")},
		{name: "head without the request id", method: "HEAD", path: "/healthz", door: answers(200, "", "X-Request-Id", ""), want: "X-Request-Id"},
		{name: "no session is an empty object", path: "/signup/email-password", send: `{"email":"a@b.io","password":"correct horse"}`, door: answers(200, `{}`, noStore...)},
		{name: "no session is not null", path: "/signup/email-password", send: `{"email":"a@b.io","password":"correct horse"}`, door: answers(200, `{"session":null}`, noStore...), want: "session"},
		{name: "missing query member", method: "GET", path: "/signin/provider/github/callback?code=a", door: answers(400, `{"status":400,"error":"invalid-request","message":"state is missing"}`), want: "state"},
		{name: "redirect", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(302, "", "Location", "https://a", "Cache-Control", "no-store", "Referrer-Policy", "no-referrer", "Content-Type", "")},
		{name: "redirect with a body", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(302, "<a>", "Location", "https://a", "Cache-Control", "no-store", "Referrer-Policy", "no-referrer"), want: "a body where none belongs"},
		{name: "redirect to nowhere", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(302, "", "Cache-Control", "no-store", "Referrer-Policy", "no-referrer"), want: "Location"},
		{name: "page", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(200, "<form>", "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store", "Referrer-Policy", "no-referrer")},
		{name: "page that tells where it came from", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(200, "<form>", "Content-Type", "text/html; charset=utf-8", "Cache-Control", "no-store"), want: "Referrer-Policy"},
		{name: "plain text where a page belongs", method: "GET", path: "/verify?ticket=a&redirectTo=b", door: answers(200, "<form>", "Content-Type", "text/plain", "Cache-Control", "no-store", "Referrer-Policy", "no-referrer"), want: "Content-Type"},
		{name: "preflight", method: "OPTIONS", path: "/anything", door: answers(204, "")},

		{name: "bad input refused", badInput: true, path: "/token", send: `{`, door: answers(400, `{"status":400,"error":"invalid-request","message":"the body is not JSON"}`)},
		{name: "bad input refused in another shape", badInput: true, path: "/token", send: `{`, door: answers(400, `{"error":"x"}`), want: "not as documented"},
		{name: "bad input that breaks something", badInput: true, path: "/token", send: `{`, door: answers(500, `{"status":500,"error":"internal-server-error","message":"Internal server error"}`), want: "must be refused"},
		{name: "unknown path", badInput: true, path: "/nothing", door: answers(404, `{"status":404,"error":"not-found","message":"no"}`)},
		{name: "unknown path in plain text", badInput: true, path: "/nothing", door: answers(404, "404 page not found", "Content-Type", "text/plain"), want: "Content-Type"},
		{name: "watched: good", watched: true, path: "/token", send: refresh, door: answers(200, session, noStore...)},
		{name: "watched: bad and refused", watched: true, path: "/token", send: `{}`, door: answers(401, expired)},
		{name: "watched: bad and served", watched: true, path: "/token", send: `{}`, door: answers(200, session, noStore...), want: "the request is not valid"},
		{name: "watched: unknown path", watched: true, path: "/nothing", door: answers(404, `{"status":404,"error":"not-found","message":"no"}`)},
		{name: "watched: unknown path served", watched: true, path: "/nothing", door: answers(200, `"OK"`), want: "does not have this status"},
		{name: "unknown path served", badInput: true, path: "/nothing", door: answers(200, `"OK"`), want: "does not have this status"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var failures told
			c := load(t).For(&failures)
			client := c.Client(tt.door)
			if tt.badInput {
				client = c.BadInputClient(tt.door)
			}
			if tt.watched {
				srv := httptest.NewServer(tt.door)
				t.Cleanup(srv.Close)
				client = srv.Client()
				client.Transport = c.Watch(client.Transport)
				tt.path = srv.URL + "/v1" + tt.path
			}
			do(t, client, tt.method, tt.path, tt.send)
			got := strings.Join(failures.lines, "\n")
			if tt.want == "" && got != "" || tt.want != "" && !strings.Contains(got, tt.want) {
				t.Errorf("failures %q, want one about %q", got, tt.want)
			}
		})
	}
}

func TestCountsWhatWasExercised(t *testing.T) {
	t.Parallel()
	c := load(t)
	do(t, c.For(t).Client(answers(401, expired)), "POST", "/token", refresh)
	do(t, c.For(t).Client(answers(401, expired)), "POST", "/token", refresh)
	do(t, c.For(t).Client(answers(200, `"OK"`)), "GET", "/healthz", "")
	if got := c.Exercised("POST /token", 401); got != 2 {
		t.Errorf("counted %d, want 2", got)
	}
	if diff := cmp.Diff("GET /healthz: 200×1\nPOST /token: 401×2\n", c.String()); diff != "" {
		t.Errorf("table (-want +got):\n%s", diff)
	}
	missing := strings.Join(c.Missing(), "\n") + "\n"
	for _, want := range []string{"POST /token 200\n", "POST /token 503\n", "GET /user\n"} {
		if !strings.Contains(missing, want) {
			t.Errorf("%q is not said to be missing in:\n%s", want, missing)
		}
	}
	for _, seen := range []string{"POST /token 401\n", "GET /healthz 200\n", "GET /healthz\n"} {
		if strings.Contains(missing, seen) {
			t.Errorf("%q is said to be missing", seen)
		}
	}
	var failures told
	c.For(&failures).RequireAll(200, 400, 401, 403, 409, 429, 500)
	all := strings.Join(failures.lines, "\n")
	if !strings.Contains(all, "POST /token 503") || !strings.Contains(all, "GET /user") || strings.Contains(all, "POST /token 200") {
		t.Errorf("RequireAll told:\n%s", all)
	}
}

func TestTransportSendsWhatItGot(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b strings.Builder
		_ = r.Write(&b)
		if !strings.HasSuffix(b.String(), refresh) || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("the door got %q", b.String())
		}
		answers(200, session, "Cache-Control", "no-store").ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	client := &http.Client{Transport: load(t).For(t).Transport(srv.Client().Transport)}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/v1/token", strings.NewReader(refresh))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	var b strings.Builder
	if err := res.Write(&b); err != nil || !strings.HasSuffix(b.String(), session) {
		t.Errorf("the client got %q, %v", b.String(), err)
	}
}

func TestLoadRefusesWhatIsNoDocument(t *testing.T) {
	t.Parallel()
	for name, doc := range map[string]string{
		"not YAML":      "\t: [",
		"not a version": "openapi: 9\ninfo: {title: t, version: v}\npaths: {}",
		"no paths":      "openapi: 3.0.3\ninfo: {title: t, version: v}",
	} {
		if _, err := contract.Load([]byte(doc), ""); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestHasuraDocument holds the document to what every operation of the door has.
func TestHasuraDocument(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromData(openapi.Hasura())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for path, item := range doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			if op.OperationID == "" || op.Summary == "" || len(op.Tags) != 1 || doc.Tags.Get(op.Tags[0]) == nil {
				t.Errorf("%s: wants an operationId, a summary and one tag of the list", name)
			}
			if other, taken := ids[op.OperationID]; taken {
				t.Errorf("%s: has the operationId of %s", name, other)
			}
			ids[op.OperationID] = name
			for status, r := range op.Responses.Map() {
				checkResponse(t, name+" "+status, status, r.Value)
			}
			free := path == "/healthz" || path == "/readyz" || path == "/hasura/webhook" // all users come from one address there
			if (op.Responses.Status(http.StatusTooManyRequests) == nil) != free {
				t.Errorf("%s: everything is rate-limited except the probes and the engine's questions", name)
			}
		}
	}
	for name, s := range doc.Components.Schemas {
		if strings.HasPrefix(name, "Error") {
			if diff := cmp.Diff([]string{"status", "error", "message"}, s.Value.Required); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		}
	}
}

func checkResponse(t *testing.T, name, status string, r *openapi3.Response) {
	t.Helper()
	if r.Headers["X-Request-Id"] == nil {
		t.Errorf("%s: no X-Request-Id", name)
	}
	if status == "429" && (r.Headers["Retry-After"] == nil || !r.Headers["Retry-After"].Value.Required) {
		t.Errorf("%s: no Retry-After", name)
	}
	for kind, media := range r.Content {
		if status < "400" {
			continue
		}
		if kind != "application/json" {
			t.Errorf("%s: a refusal is JSON, not %s", name, kind)
		}
		for _, s := range refusals(media.Schema) {
			if s.Value.Properties["error_description"] != nil { // RFC 6749 has a shape of its own
				continue
			}
			if fmt.Sprint(s.Value.Properties["status"].Value.Enum) != "["+status+"]" {
				t.Errorf("%s: %s has another status", name, s.Ref)
			}
		}
	}
}

func refusals(s *openapi3.SchemaRef) openapi3.SchemaRefs {
	if len(s.Value.OneOf) > 0 {
		return s.Value.OneOf
	}
	return openapi3.SchemaRefs{s}
}

func load(t *testing.T) *contract.Contract {
	t.Helper()
	c, err := contract.Load(openapi.Hasura(), "/v1")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func do(t *testing.T, client *http.Client, method, path, body string) {
	t.Helper()
	if method == "" {
		method = http.MethodPost
	}
	url := "http://postern.test/v1" + path
	if strings.HasPrefix(path, "http") {
		url = path
	}
	if strings.HasPrefix(path, "/../") {
		url = "http://postern.test" + strings.TrimPrefix(path, "/..")
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := res.Body.Close(); err != nil {
		t.Fatal(err)
	}
}

package engine_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/engine"
)

const adminSecret = "admin-secret-canary"

// open gives an engine at the address.
func open(t *testing.T, url string) *engine.Engine {
	t.Helper()
	e, err := engine.Open(engine.Settings{URL: url, AdminSecret: adminSecret}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// serve answers every request with the handler, after reading what was asked, at its URL.
func serve(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // without it the server does not notice when the client goes
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/v1/graphql"
}

// serveRaw leaves everything to the handler.
func serveRaw(t *testing.T, answer http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(answer)
	t.Cleanup(s.Close)
	return s.URL + "/v1/graphql"
}

// says answers with a text.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// kind answers with a text of that content type.
func kind(contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Content-Type"] = []string{contentType}
		_, _ = io.WriteString(w, body)
	}
}

// floods writes a text again and again until the client has had enough, but no more than that often.
func floods(w io.Writer, text string, times int) {
	for range times {
		if _, err := io.WriteString(w, text); err != nil {
			return
		}
	}
}

const data = `{"data":{"user":{"id":"1"}}}`

func TestQueryReturnsTheData(t *testing.T) {
	t.Parallel()
	var got struct {
		Query     string
		Variables map[string]any
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s := r.Header.Get("X-Hasura-Admin-Secret"); s != adminSecret || r.Method != http.MethodPost || r.URL.Path != "/v1/graphql" {
			t.Errorf("asked %s %s with the secret %q", r.Method, r.URL, s)
		}
		for _, name := range []string{"X-Idempotency-Key", "Cookie", "X-Hasura-Role", "Authorization"} {
			if r.Header.Values(name) != nil {
				t.Errorf("header %s was sent", name)
			}
		}
		if err := json.NewDecoder(r.Body).Decode(&got); err != nil {
			t.Error(err)
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		_, _ = io.WriteString(w, ` {"data": {"user": {"n": 12345678901234567890.10, "n": null}} } `)
	}))
	t.Cleanup(s.Close)
	data, err := open(t, s.URL+"/v1/graphql").Query(t.Context(), "query ($id: uuid!) { user(id: $id) { n } }", map[string]any{"id": "<1>"})
	if err == nil {
		t.Fatalf("an answer with a name twice was taken: %s", data)
	}

	url := serve(t, says(200, ` {"data": {"user": {"n": 12345678901234567890.10}}, "errors": [] } `))
	data, err = open(t, url).Query(t.Context(), "query { user { n } }", nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := `{"user": {"n": 12345678901234567890.10}}`; string(data) != want {
		t.Errorf("data %s, want %s", data, want)
	}
	if diff := cmp.Diff(map[string]any{"id": "<1>"}, got.Variables); diff != "" || got.Query != "query ($id: uuid!) { user(id: $id) { n } }" {
		t.Errorf("asked %q, variables (-want +got):\n%s", got.Query, diff)
	}
}

func TestTroubleIsUnreachable(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error
	}{
		{"500", says(500, `{"errors":[{"message":"x"}]}`), "status 500"},
		{"502 of a proxy", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>")
		}, "status 502"},
		{"404", says(404, `{"path":"$","error":"resource does not exist","code":"not-found"}`), "status 404"},
		{"429", says(429, `{}`), "status 429"},
		{"204", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }, "status 204"},
		{"201", says(201, data), "status 201"},
		{"206", says(206, data), "status 206"},
		{"garbage", says(200, "\x00\x01garbage"), "is not"},
		{"nothing", says(200, ""), "is not"},
		{"half an answer", says(200, data[:20]), "is not"},
		{"an answer and more", says(200, data+"}"), "is not"},
		{"another kind of JSON", says(200, `[1,2]`), "no answer to a GraphQL query"},
		{"no data", says(200, `{}`), "neither data nor errors"},
		{"null for data", says(200, `{"data":null}`), "neither data nor errors"},
		{"data that is no object", says(200, `{"data":[1]}`), "neither data nor errors"},
		{"errors that are no list", says(200, `{"data":{},"errors":"no"}`), "no answer to a GraphQL query"},
		{"depth", says(200, `{"data":`+strings.Repeat("[", 20000)+strings.Repeat("]", 20000)+`}`), "is not"},
		{"a page", kind("text/html; charset=utf-8", "<html>"), "no JSON but text/html"},
		{"JSON that does not say so", kind("text/plain", data), "no JSON but text/plain"},
		{"no content type", kind("", data), "no JSON but of no stated kind"},
		{"a foolish content type", kind("application/json; charset", data), "no JSON"},
		{"100 MB", func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"data":{"a":"`)
			floods(w, strings.Repeat("a", 1<<20), 100)
			_, _ = io.WriteString(w, `"}}`)
		}, "larger than 1 MiB"},
		{"no end", func(w http.ResponseWriter, _ *http.Request) { floods(w, strings.Repeat(" ", 1<<16), 1<<30) }, "larger than 1 MiB"},
		{"a bomb", func(w http.ResponseWriter, _ *http.Request) {
			var bomb bytes.Buffer
			z := gzip.NewWriter(&bomb)
			floods(z, strings.Repeat(" ", 1<<20), 20)
			_ = z.Close()
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		}, "larger than 1 MiB"},
		{"compressed in a foreign way", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "br")
			_, _ = io.WriteString(w, "\x0b\x02\x80")
		}, "is not"},
		{"cut in the body", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, data)
		}, "no answer: unexpected EOF"},
		{"cut before the answer", func(w http.ResponseWriter, _ *http.Request) {
			if c, _, err := w.(http.Hijacker).Hijack(); err == nil {
				_ = c.Close()
			}
		}, "no answer: EOF"},
		{"huge headers", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Huge", strings.Repeat("x", 1<<20))
			_, _ = io.WriteString(w, data)
		}, "server response headers exceeded"},
		{"wrong secret, as queries hear it", says(200, `{"errors":[{"extensions":{"path":"$","code":"access-denied"},"message":"invalid \"x-hasura-admin-secret\"/\"x-hasura-access-key\""}]}`), "refuses HASURA_GRAPHQL_ADMIN_SECRET"},
		{"wrong secret, as others say it", says(401, `{"path":"$","error":"invalid","code":"access-denied"}`), "refuses HASURA_GRAPHQL_ADMIN_SECRET"},
		{"wrong secret with data", says(200, `{"data":{"a":1},"errors":[{"extensions":{"code":"access-denied"},"message":"x"}]}`), "refuses HASURA_GRAPHQL_ADMIN_SECRET"},
		{"the engine lost its database", says(200, `{"errors":[{"extensions":{"path":"$","code":"postgres-error"},"message":"connection error"}]}`), "connection error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data, err := open(t, serve(t, tt.answer)).Query(t.Context(), "query { user { id } }", nil)
			unreachable(t, err, tt.want)
			if data != nil {
				t.Errorf("data %.100s beside the error", data)
			}
		})
	}
}

// unreachable checks that an error is a failure to ask, with the words and without the secret.
func unreachable(t *testing.T, err error, words string) {
	t.Helper()
	var f *engine.Failure
	if !errors.As(err, &f) || !f.Unreachable() || !strings.Contains(f.Error(), words) {
		t.Fatalf("error %v, want an unreachable engine with %q", err, words)
	}
	if strings.Contains(err.Error(), adminSecret) || len(err.Error()) > 4000 {
		t.Errorf("the error holds the secret or is %d bytes long: %.500s", len(err.Error()), err)
	}
}

func TestErrorsOfTheEngine(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("é", 5000)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		want   []string
	}{
		{
			"a field that is not there",
			says(200, `{"errors":[{"extensions":{"path":"$.selectionSet.user.selectionSet.x","code":"validation-failed"},"message":"field 'x' not found in type: 'users'"}]}`),
			[]string{"field 'x' not found in type: 'users' (at $.selectionSet.user.selectionSet.x)"},
		},
		{"with data besides", says(200, `{"data":{"user":null},"errors":[{"message":"no"}]}`), []string{"no"}},
		{"with the status of other engines", says(422, `{"errors":[{"message":"Cannot query field"}],"data":null}`), []string{"Cannot query field"}},
		{"another JSON type", kind("application/graphql-response+json", `{"errors":[{"message":"no"}]}`), []string{"no"}},
		{"the secret sent back", says(200, `{"errors":[{"message":"you said admin-secret-canary","extensions":{"path":"$.admin-secret-canary","internal":5}}]}`), []string{"you said *** (at $.***)"}},
		{"lines and controls", says(200, `{"errors":[{"message":"a\nb\u001b[31m\u0000\u2028c\u202e"}]}`), []string{"a b[31m c"}},
		{"no words", says(200, `{"errors":[{}]}`), []string{"an error without words"}},
		{"long", says(200, `{"errors":[{"message":"`+long+`"}]}`), []string{strings.Repeat("é", 400) + "…"}},
		{"many", says(200, `{"errors":[`+strings.Repeat(`{"message":"x"},`, 1000)+`{"message":"y"}]}`), strings.Fields("x x x x x x x x")},
		{"one of them internal", says(200, `{"errors":[{"message":"x","extensions":{"code":"unexpected"}},{"message":"y"}]}`), []string{"x", "y"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			data, err := open(t, serve(t, tt.answer)).Query(t.Context(), "query { user { id } }", nil)
			var f *engine.Failure
			if !errors.As(err, &f) || f.Unreachable() || data != nil {
				t.Fatalf("data %s, error %v, want an answer with errors", data, err)
			}
			if diff := cmp.Diff(tt.want, f.GraphQLErrors()); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if strings.Contains(err.Error(), adminSecret) {
				t.Error("the error holds the secret")
			}
		})
	}
}

func TestASlowEngineKeepsToTheDeadline(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]string{"before the answer": "", "in the answer": `{"data":{"user":`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := serve(t, func(w http.ResponseWriter, r *http.Request) {
				if first != "" {
					_, _ = io.WriteString(w, first)
					w.(http.Flusher).Flush()
				}
				<-r.Context().Done() // for as long as somebody waits
			})
			ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
			defer cancel()
			_, err := open(t, url).Query(ctx, "query { user { id } }", nil)
			unreachable(t, err, "no answer in time")
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("error %v, want one that is the deadline's", err)
			}
		})
	}
}

func TestWhoeverAskedHasGone(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	url := serve(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	_, err := open(t, url).Query(ctx, "query { user { id } }", nil)
	unreachable(t, err, "no answer")
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that is the caller's", err)
	}
}

func TestTheSecretStaysHome(t *testing.T) {
	t.Parallel()
	for _, status := range []int{301, 302, 303, 307, 308} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			t.Parallel()
			var called atomic.Bool
			elsewhere := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				called.Store(true)
				_, _ = io.WriteString(w, data)
			})
			url := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", strings.Replace(elsewhere, "127.0.0.1", "localhost", 1))
				w.WriteHeader(status)
			})
			_, err := open(t, url).Query(t.Context(), "query { user { id } }", nil)
			unreachable(t, err, "redirects elsewhere")
			if called.Load() {
				t.Error("the redirect was followed")
			}
		})
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	_, err = open(t, "http://me:hunter2@"+address+"/v1/graphql?key=hunter3").Query(t.Context(), "query { user { id } }", nil)
	unreachable(t, err, "connection refused")
	if strings.Contains(err.Error(), "hunter") {
		t.Errorf("the error holds a password: %v", err)
	}
}

func TestAnUnknownCertificate(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(says(200, data))
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := open(t, s.URL+"/v1/graphql").Query(t.Context(), "query { user { id } }", nil)
	unreachable(t, err, "certificate")
}

func TestALargeSchemaIsRead(t *testing.T) {
	t.Parallel()
	big := `{"data":{"__schema":"` + strings.Repeat("a", 2<<20) + `"}}`
	e := open(t, serve(t, says(200, big)))
	if _, err := e.Query(t.Context(), "query { __schema { types { name } } }", nil); err != nil {
		t.Error(err)
	}
	if _, err := e.Query(t.Context(), "query { user { __typename } }", nil); err == nil {
		t.Error("an ordinary query may be as large as a schema")
	}
}

func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	var opened atomic.Int32
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, data)
	}))
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	t.Cleanup(s.Close)
	e := open(t, s.URL+"/v1/graphql")
	for range 5 {
		if _, err := e.Query(t.Context(), "query { user { id } }", nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for five queries, want 1", n)
	}
	// An engine that closes idle connections is asked over a new one.
	s.CloseClientConnections()
	if _, err := e.Query(t.Context(), "query { user { id } }", nil); err != nil {
		t.Errorf("after the engine closed the connection: %v", err)
	}
}

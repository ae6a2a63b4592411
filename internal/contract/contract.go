// Package contract holds a door to its OpenAPI document while tests talk to it: each request that
// is meant to be valid, and every answer, is validated; a route without an entry fails the test;
// and what was exercised is counted, so that a test can ask what never was.
//
//	c := contract.New(t, openapi.Hasura(), "/v1")
//	client := c.Client(handler)                 // good requests
//	client = c.BadInputClient(handler)          // hostile ones: only the answers are judged
//
// Several tests share one count with Load and For:
//
//	func TestMain(m *testing.M) { … all, err = contract.Load(openapi.Hasura(), "/v1") … }
//	func TestX(t *testing.T)    { client := all.For(t).Client(handler) … }
package contract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/legacy"
)

// Reporter is where failures go. A *testing.T is one.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// Contract is a document, the place its paths are mounted at, and a count of what was exercised.
// Make one with New or Load. It may be used from several goroutines.
type Contract struct {
	spec *spec
	to   Reporter
}

type spec struct {
	doc    *openapi3.T
	router routers.Router
	base   string

	mu   sync.Mutex
	seen map[string]map[int]int // operation ("POST /token") → status → how often
}

// New reads doc and reports to t. Base is the prefix that the paths of the document are mounted
// at: "/v1", or "" for none.
func New(t testing.TB, doc []byte, base string) *Contract {
	t.Helper()
	c, err := Load(doc, base)
	if err != nil {
		t.Fatalf("contract: %v", err)
	}
	return c.For(t)
}

// Load reads doc for many tests. Call For before using the result.
func Load(doc []byte, base string) (*Contract, error) {
	d, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		return nil, fmt.Errorf("read the document: %w", err)
	}
	if err := d.Validate(context.Background(), openapi3.EnableExamplesValidation()); err != nil {
		return nil, fmt.Errorf("the document is not valid: %w", err)
	}
	d.Servers = nil // base says where the paths are
	router, err := legacy.NewRouter(d)
	if err != nil {
		return nil, fmt.Errorf("read the paths: %w", err)
	}
	return &Contract{
		spec: &spec{doc: d, router: router, base: strings.TrimSuffix(base, "/"), seen: map[string]map[int]int{}},
	}, nil
}

// For gives a Contract that reports to r and counts together with c.
func (c *Contract) For(r Reporter) *Contract { return &Contract{spec: c.spec, to: r} }

// Client gives a client whose requests are served by h and validated together with their answers.
// It does not follow redirects. Any host will do: "http://postern.test/v1/user".
func (c *Contract) Client(h http.Handler) *http.Client {
	return client(c.Transport(handler{h}))
}

// BadInputClient gives a client whose requests are not judged, for tests of hostile input. The
// answers are: each must be one that the document has, and none may be a 500.
func (c *Contract) BadInputClient(h http.Handler) *http.Client {
	return client(c.BadInputTransport(handler{h}))
}

func client(rt http.RoundTripper) *http.Client {
	return &http.Client{
		Transport: rt,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// Transport validates what passes through next in both directions.
func (c *Contract) Transport(next http.RoundTripper) http.RoundTripper {
	return transport{contract: c, next: next, requests: valid}
}

// BadInputTransport validates the answers of next, and refuses a 500 among them.
func (c *Contract) BadInputTransport(next http.RoundTripper) http.RoundTripper {
	return transport{contract: c, next: next, requests: bad}
}

// Watch is for traffic that may be anything, such as that of programs that are not ours. Answers are
// validated as ever, and a request that the document refuses must not have been served.
func (c *Contract) Watch(next http.RoundTripper) http.RoundTripper {
	return transport{contract: c, next: next, requests: unknown}
}

type transport struct {
	contract *Contract
	next     http.RoundTripper
	requests expectation
}

// An expectation says what the requests of a transport are like.
type expectation int

const (
	valid   expectation = iota // as the document wants them
	bad                        // not, and on purpose
	unknown                    // nobody knows
)

// RoundTrip carries the request and judges it and its answer.
func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	t.contract.to.Helper()
	var sent []byte
	if req.Body != nil {
		var err error
		if sent, err = io.ReadAll(req.Body); err != nil {
			return nil, fmt.Errorf("contract: read the request: %w", err)
		}
		if err := req.Body.Close(); err != nil {
			return nil, fmt.Errorf("contract: close the request: %w", err)
		}
	}
	forward := req.Clone(req.Context())
	if req.Body != nil {
		forward.Body = io.NopCloser(bytes.NewReader(sent))
	}
	res, err := t.next.RoundTrip(forward)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, fmt.Errorf("contract: read the answer: %w", err)
	}
	if err := res.Body.Close(); err != nil {
		return nil, fmt.Errorf("contract: close the answer: %w", err)
	}
	res.Body = io.NopCloser(bytes.NewReader(got))
	for _, p := range t.contract.spec.judge(req, sent, res, got, t.requests) {
		t.contract.to.Errorf("contract: %s %s → %d: %v", req.Method, req.URL.Path, res.StatusCode, p)
	}
	return res, nil
}

// judge lists what is wrong with a request and its answer, and counts them.
func (s *spec) judge(req *http.Request, sent []byte, res *http.Response, got []byte, requests expectation) []error {
	if req.Method == http.MethodOptions {
		return nil // a CORS preflight is no operation
	}
	under, ok := strings.CutPrefix(req.URL.Path, s.base)
	if !ok || !strings.HasPrefix(under, "/") {
		return []error{fmt.Errorf("the path is not below %q", s.base)}
	}
	look := req.Clone(req.Context())
	look.Body = io.NopCloser(bytes.NewReader(sent))
	look.URL.Path, look.URL.RawPath, look.URL.Host, look.URL.Scheme = under, "", "", ""
	in := &openapi3filter.RequestValidationInput{
		Request: look,
		Options: &openapi3filter.Options{
			AuthenticationFunc:    openapi3filter.NoopAuthenticationFunc, // the door's own task
			IncludeResponseStatus: true,
			SkipSettingDefaults:   true,
			MultiError:            true,
		},
	}
	var problems []error
	var err error
	in.Route, in.PathParams, err = s.router.FindRoute(look)
	switch {
	case err != nil && requests == valid:
		return []error{errors.New("the document has no such route")}
	case err != nil:
		if in.Route, err = s.notFound(); err != nil {
			return []error{err}
		}
	default:
		s.count(req.Method+" "+in.Route.Path, res.StatusCode)
	}
	if requests == bad && res.StatusCode == http.StatusInternalServerError {
		problems = append(problems, errors.New("bad input must be refused, not break something"))
	}
	if requests == valid || requests == unknown && res.StatusCode < http.StatusBadRequest && in.Route.Path != "" {
		if err := openapi3filter.ValidateRequest(req.Context(), in); err != nil {
			problems = append(problems, fmt.Errorf("the request is not valid and is none of a bad-input client: %w", err))
		}
	}
	return append(problems, answer(req, in, res, got)...)
}

// ofHook tells whether an answer is the refusal of an operator's hook, which the document describes
// once for all endpoints.
func ofHook(res *http.Response, got []byte) bool {
	var no struct {
		Status         int
		Error, Message string
	}
	d := json.NewDecoder(bytes.NewReader(got))
	d.DisallowUnknownFields()
	if d.Decode(&no) != nil || res.StatusCode < http.StatusBadRequest || no.Status != res.StatusCode || no.Message == "" {
		return false
	}
	return no.Error == "hook-denied" || no.Error == "hook-failed" && no.Status == http.StatusInternalServerError
}

// answer lists what is wrong with an answer.
func answer(req *http.Request, in *openapi3filter.RequestValidationInput, res *http.Response, got []byte) []error {
	if ofHook(res, got) {
		return nil
	}
	documented := in.Route.Operation.Responses.Status(res.StatusCode)
	if documented == nil {
		return []error{fmt.Errorf("the document does not have this status; the body is %q", short(got))}
	}
	var problems []error
	if len(documented.Value.Content) == 0 && len(got) > 0 {
		problems = append(problems, fmt.Errorf("a body where none belongs: %q", short(got)))
	}
	check := req
	if req.Method == http.MethodHead { // the validator skips HEAD; its headers count all the same
		check = in.Request.Clone(req.Context())
		check.Method = http.MethodGet
	}
	judged := *in
	judged.Request = check
	options := *in.Options
	if kind := res.Header.Get("Content-Type"); strings.HasPrefix(kind, "text/") {
		if documented.Value.Content.Get(kind) == nil {
			problems = append(problems, fmt.Errorf("the document does not have Content-Type %q; the body is %q", kind, short(got)))
		}
		options.ExcludeResponseBody = true // text has no members to look at, and the validator cannot read HTML
	}
	err := openapi3filter.ValidateResponse(req.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: &judged,
		Status:                 res.StatusCode,
		Header:                 res.Header,
		Body:                   io.NopCloser(bytes.NewReader(got)),
		Options:                &options,
	})
	if err != nil {
		problems = append(problems, fmt.Errorf("the answer is not as documented: %w; the body is %q", err, short(got)))
	}
	return problems
}

// notFound is the route of everything that is not in the document: a 404 of the usual shape.
func (s *spec) notFound() (*routers.Route, error) {
	response := s.doc.Components.Responses["NotFound"]
	if response == nil {
		return nil, errors.New("the document has no such route, and no response NotFound to hold the answer to")
	}
	return &routers.Route{
		Spec: s.doc,
		Operation: &openapi3.Operation{
			Responses: openapi3.NewResponses(openapi3.WithStatus(http.StatusNotFound, response)),
		},
	}, nil
}

func (s *spec) count(operation string, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen[operation] == nil {
		s.seen[operation] = map[int]int{}
	}
	s.seen[operation][status]++
}

// Exercised says how often an operation ("POST /token") was answered with a status.
func (c *Contract) Exercised(operation string, status int) int {
	c.spec.mu.Lock()
	defer c.spec.mu.Unlock()
	return c.spec.seen[operation][status]
}

// Missing lists what the document promises and no test has seen, as "POST /token 401", sorted. An
// operation that was never called at all is listed once, without a status.
func (c *Contract) Missing() []string {
	c.spec.mu.Lock()
	defer c.spec.mu.Unlock()
	var missing []string
	for path, item := range c.spec.doc.Paths.Map() {
		for method, op := range item.Operations() {
			name := method + " " + path
			seen := c.spec.seen[name]
			if len(seen) == 0 {
				missing = append(missing, name)
				continue
			}
			for code := range op.Responses.Map() {
				if status, err := strconv.Atoi(code); err == nil && seen[status] == 0 {
					missing = append(missing, name+" "+code)
				}
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// RequireAll fails for each operation that was never called, and for each documented status that
// was never seen, except the statuses in but: those that a test of a door cannot bring about, such
// as 500.
func (c *Contract) RequireAll(but ...int) {
	c.to.Helper()
	for _, m := range c.Missing() {
		parts := strings.Fields(m)
		if status, err := strconv.Atoi(parts[len(parts)-1]); err == nil && slices.Contains(but, status) {
			continue
		}
		c.to.Errorf("contract: no test exercised %s", m)
	}
}

// String prints the count as a table, one operation a line.
func (c *Contract) String() string {
	c.spec.mu.Lock()
	defer c.spec.mu.Unlock()
	var b strings.Builder
	for _, op := range slices.Sorted(maps.Keys(c.spec.seen)) {
		fmt.Fprintf(&b, "%s:", op)
		for _, status := range slices.Sorted(maps.Keys(c.spec.seen[op])) {
			fmt.Fprintf(&b, " %d×%d", status, c.spec.seen[op][status])
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// handler makes a RoundTripper of a Handler: no sockets, the same request.
type handler struct{ http.Handler }

// RoundTrip serves the request. The peer is 192.0.2.1 unless the request says otherwise.
func (h handler) RoundTrip(req *http.Request) (*http.Response, error) {
	in := req.Clone(req.Context())
	in.RequestURI = req.URL.RequestURI()
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	in.URL.Scheme, in.URL.Host = "", ""
	if in.RemoteAddr == "" {
		in.RemoteAddr = "192.0.2.1:49152"
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, in)
	res := rec.Result()
	res.Request = req
	if req.Method == http.MethodHead { // net/http would not have sent it
		res.Body = http.NoBody
	}
	return res, nil
}

// short keeps failure messages readable.
func short(b []byte) string {
	const limit = 500
	if len(b) > limit {
		return string(b[:limit]) + "…"
	}
	return string(b)
}

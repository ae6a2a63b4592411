package hasura_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/house"
	"postern/internal/testhouse"
	"postern/tokens"
)

// stillClock is a clock that only a test moves: limits of time are then exact.
type stillClock struct {
	mu  sync.Mutex
	now time.Time
}

func newStillClock() *stillClock { return &stillClock{now: time.Now().UTC().Truncate(time.Second)} }

func (c *stillClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stillClock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// twins are two replicas on one database with one clock.
type twins struct {
	a, b  *testhouse.House
	clock *stillClock
}

// openTwins opens two replicas. Users need no verified address, links ask nobody to press a button,
// and X-Forwarded-For is believed, so that a test can come from wherever it likes.
func openTwins(t *testing.T, settings map[string]string) twins {
	t.Helper()
	clock := newStillClock()
	still := func(o *house.Options) { o.Now = clock.Now }
	env := map[string]string{
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_TRUSTED_PROXIES": "127.0.0.1", "AUTH_LINK_CONFIRMATION": "off",
	}
	for name, value := range settings {
		env[name] = value
	}
	a := testhouse.Open(t, env, still)
	return twins{a, a.Beside(t, still), clock}
}

// beside opens one more replica with settings that differ.
func (w twins) beside(t *testing.T, settings map[string]string) *testhouse.House {
	t.Helper()
	env := map[string]string{}
	for _, from := range []map[string]string{w.a.Env, settings} {
		for name, value := range from {
			env[name] = value
		}
	}
	like := &testhouse.House{Database: w.a.Database, Mail: w.a.Mail, Env: env}
	return like.Beside(t, func(o *house.Options) { o.Now = w.clock.Now })
}

// place is where a request comes from.
type place struct{ agent, address string }

func home() place      { return place{"Mozilla/5.0 (home)", "198.51.100.7"} }
func neighbour() place { return place{"Mozilla/5.0 (home)", "198.51.100.201"} } // the same /24
func away() place      { return place{"curl/8.5", "203.0.113.9"} }

// elsewhere gives a new place for each number.
func elsewhere(n int) place { return place{"curl/8.5", fmt.Sprintf("203.0.%d.9", n)} }

// reply is an answer of the API.
type reply struct {
	status  int
	header  http.Header
	body    string
	refusal string // the error id of a refusal
	session wireSession
}

// wireSession is a session as clients see it.
type wireSession struct {
	AccessToken          string
	AccessTokenExpiresIn int
	RefreshToken         string
	RefreshTokenID       string `json:"refreshTokenId"`
	User                 struct {
		ID    string
		Email string
	}
}

func (r reply) String() string { return strconv.Itoa(r.status) + " " + r.body }

// crowd is a client that keeps enough connections for a race: without them thousands of rounds use
// up the ports of the machine. It follows no redirect.
var crowd = sync.OnceValue(func() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
})

// send sends a request. It may be used from any goroutine.
func send(ctx context.Context, h *testhouse.House, method, path string, body any, from place, header ...string) (reply, error) {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		reader = strings.NewReader(string(raw))
	}
	req, err := http.NewRequestWithContext(ctx, method, h.URL+path, reader)
	if err != nil {
		return reply{}, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if from.agent != "" {
		req.Header.Set("User-Agent", from.agent)
	}
	if from.address != "" {
		req.Header.Set("X-Forwarded-For", from.address)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := crowd().Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{}, err
	}
	r := reply{status: resp.StatusCode, header: resp.Header, body: strings.TrimSpace(string(raw))}
	if r.status >= 400 {
		var no struct{ Error string }
		if err := json.Unmarshal(raw, &no); err == nil {
			r.refusal = no.Error
		}
		return r, nil
	}
	var wrapped struct{ Session *wireSession }
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Session != nil {
		r.session = *wrapped.Session
	} else if strings.HasPrefix(r.body, "{") {
		err = json.Unmarshal(raw, &r.session)
	}
	return r, err
}

// must sends a request from the test's own goroutine.
func must(t *testing.T, h *testhouse.House, method, path string, body any, from place, header ...string) reply {
	t.Helper()
	r, err := send(t.Context(), h, method, path, body, from, header...)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return r
}

type fields map[string]any

const rightPassword = "correct horse battery"

// newcomer signs a new user up from home and gives the first session.
func newcomer(t *testing.T, h *testhouse.House) wireSession {
	t.Helper()
	r := must(t, h, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}, home())
	if r.status != 200 || r.session.RefreshToken == "" {
		t.Fatalf("sign-up: %s", r)
	}
	return r.session
}

func newAddress() string { return tokens.NewUUID() + "@example.com" }

func refresh(t *testing.T, h *testhouse.House, token string, from place) reply {
	t.Helper()
	return must(t, h, "POST", "/token", fields{"refreshToken": token}, from)
}

// mustRefresh refreshes and gives the next token.
func mustRefresh(t *testing.T, h *testhouse.House, token string, from place) string {
	t.Helper()
	r := refresh(t, h, token, from)
	if r.status != 200 {
		t.Fatalf("refresh: %s", r)
	}
	return r.session.RefreshToken
}

func mustRefuse(t *testing.T, h *testhouse.House, token string, from place, status int, refusal string) {
	t.Helper()
	if r := refresh(t, h, token, from); r.status != status || r.refusal != refusal {
		t.Fatalf("refresh: %s, want %d %s", r, status, refusal)
	}
}

// mustBeOver checks that a session has ended on every replica: no token of it refreshes, and its
// access token no longer opens a door of ours.
func (w twins) mustBeOver(t *testing.T, s wireSession, token string) {
	t.Helper()
	for _, h := range []*testhouse.House{w.a, w.b} {
		mustRefuse(t, h, token, home(), 401, "invalid-refresh-token")
		if r := must(t, h, "GET", "/user", nil, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 401 {
			t.Fatalf("GET /user with a token of an ended session: %s", r)
		}
	}
	if n := scan[int](t, w.a, `select count(*) from auth.refresh_tokens where id = $1`, s.RefreshTokenID); n != 0 {
		t.Fatalf("%d rows of the ended session", n)
	}
	if n := scan[int](t, w.a, `select count(*) from auth.refresh_tripwires where session_id = $1`, s.RefreshTokenID); n != 0 {
		t.Fatalf("%d tripwires outlive the session", n)
	}
}

// mustBeReported checks that one audit row and one event tell of the end of a session.
func (w twins) mustBeReported(t *testing.T, s wireSession, event string, want int) {
	t.Helper()
	if n := scan[int](t, w.a, `select count(*) from auth.audit_entries where event = $1 and session_id = $2 and user_id = $3`, event, s.RefreshTokenID, s.User.ID); n != want {
		t.Errorf("%d audit rows %q of the session, want %d", n, event, want)
	}
	if n := scan[int](t, w.a, `select count(*) from auth.events where type = $1 and user_id = $3 and payload->>'sessionId' = $2`, event, s.RefreshTokenID, s.User.ID); n != want {
		t.Errorf("%d events %q of the session, want %d", n, event, want)
	}
}

// mustGoOn checks that a session lives with exactly this token as its one leaf.
func (w twins) mustGoOn(t *testing.T, s wireSession, token string) {
	t.Helper()
	if got := currentHash(t, w.a, s); got != tokens.HashRefresh(token) {
		t.Fatalf("the session's current token is another one: %q", got)
	}
}

func currentHash(t *testing.T, h *testhouse.House, s wireSession) string {
	t.Helper()
	return scan[string](t, h, `select coalesce(max(refresh_token_hash), '') from auth.refresh_tokens where id = $1`, s.RefreshTokenID)
}

// scan reads one value from the database.
func scan[T any](t *testing.T, h *testhouse.House, sql string, args ...any) T {
	t.Helper()
	var v T
	if err := h.Store.QueryRow(t.Context(), sql, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return v
}

// exec changes rows behind the server's back, and must find some.
func exec(t *testing.T, h *testhouse.House, sql string, args ...any) {
	t.Helper()
	tag, err := h.Store.Exec(t.Context(), sql, args...)
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if tag.RowsAffected() == 0 && !strings.HasPrefix(sql, "create") && !strings.HasPrefix(sql, "drop") {
		t.Fatalf("%s: no row", sql)
	}
}

// onEach runs a test twice: with the later requests at the replica that answered the first, and at
// the other.
func (w twins) onEach(t *testing.T, name string, f func(t *testing.T, first, then *testhouse.House)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Run("same replica", func(t *testing.T) { f(t, w.a, w.a) })
		t.Run("other replica", func(t *testing.T) { f(t, w.a, w.b) })
	})
}

// parallel runs f(0) to f(n-1) at once and waits for all.
func parallel[T any](n int, f func(i int) (T, error)) ([]T, error) {
	results, errs := make([]T, n), make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results[i], errs[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return results, nil
}

// rounds is how often a race is run: few in the ordinary tests, many when POSTERN_RACES says so.
func rounds(t *testing.T, few int) int {
	t.Helper()
	many := os.Getenv("POSTERN_RACES")
	if many == "" {
		if testing.Short() {
			return max(few/10, 1)
		}
		return few
	}
	n, err := strconv.Atoi(many)
	if err != nil {
		t.Fatalf("POSTERN_RACES must be a number: %v", err)
	}
	return n
}

// linkOf is the path and query of the link in the n-th mail to an address, below the API's prefix.
func linkOf(t *testing.T, h *testhouse.House, address string, n int) string {
	t.Helper()
	u, err := url.Parse(h.Mail.Wait(t, address, n)[n-1].Link)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(u.Path, "/v1") + "?" + u.RawQuery
}

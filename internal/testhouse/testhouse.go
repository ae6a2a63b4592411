// Package testhouse opens a whole Postern for a test: its own database, a mail server that keeps
// what it gets, the real handlers on a real port.
package testhouse

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/config"
	"postern/house"
	"postern/internal/fakesms"
	"postern/internal/testmail"
	"postern/internal/testpg"
	"postern/tokens"
)

// House is an open house.
type House struct {
	*house.House
	URL      string // of the API, its prefix included
	Database string
	Mail     *testmail.Server
	Phones   *fakesms.Phones // what the gateway "dev" got, which is the gateway unless a setting says otherwise
	Clock    *Clock
	Log      *Log
	Env      map[string]string
}

// Clock is the time of a house: the real one, moved by what a test adds.
type Clock struct {
	mu    sync.Mutex
	ahead time.Duration
}

// Now is the time in the house.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

// Advance lets time pass.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// Log keeps what the house wrote to its log.
type Log struct {
	mu   sync.Mutex
	text strings.Builder
}

// Write keeps one line.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

// String is all that was written.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// Errors are the lines about what broke.
func (l *Log) Errors() string {
	var b strings.Builder
	for line := range strings.Lines(l.String()) {
		if strings.Contains(line, `"level":"ERROR"`) || strings.Contains(line, `"status":500`) {
			b.WriteString(line)
		}
	}
	return b.String()
}

// Open opens a house with settings beside those that every test has. A setting with an empty value
// is left out.
func Open(t testing.TB, settings map[string]string, options ...func(*house.Options)) *House {
	t.Helper()
	return open(t, testpg.New(t), outside{testmail.New(t), &fakesms.Phones{}}, settings, options)
}

// Beside opens a second house on the same database and with the same settings: another replica.
func (h *House) Beside(t testing.TB, options ...func(*house.Options)) *House {
	t.Helper()
	return open(t, h.Database, outside{h.Mail, h.Phones}, h.Env, options)
}

// With opens a second house on the same database with other settings.
func (h *House) With(t testing.TB, settings map[string]string, options ...func(*house.Options)) *House {
	t.Helper()
	return open(t, h.Database, outside{h.Mail, h.Phones}, settings, options)
}

// OnClock makes a house live by a clock that others have too.
func OnClock(c *Clock) func(*house.Options) {
	return func(o *house.Options) { o.Now = c.Now }
}

// SMS blocks until n text messages came for the number, and returns them. It sees those of the
// gateway "dev".
func (h *House) SMS(t testing.TB, number string, n int) []fakesms.Message {
	t.Helper()
	return h.Phones.Wait(t, number, n)
}

// outside is what messages leave the house for. Replicas share it.
type outside struct {
	mail   *testmail.Server
	phones *fakesms.Phones
}

func open(t testing.TB, database string, out outside, settings map[string]string, options []func(*house.Options)) *House {
	t.Helper()
	if out.phones == nil {
		out.phones = &fakesms.Phones{}
	}
	env := map[string]string{
		"POSTGRES_CONNECTION":       database,
		"HASURA_GRAPHQL_JWT_SECRET": `{"type":"HS256","key":"` + strings.Repeat("test-key-", 8) + `"}`,
		"AUTH_ENCRYPTION_KEY":       strings.Repeat("0123456789abcdef", 4),
		"AUTH_API_PREFIX":           "/v1",
		"AUTH_PORT":                 "0",
		"AUTH_CLIENT_URL":           "https://app.example.com",
		"AUTH_SMTP_HOST":            out.mail.Host,
		"AUTH_SMTP_PORT":            strconv.Itoa(out.mail.Port),
		"AUTH_SMTP_SENDER":          "Postern <auth@example.com>",
		"AUTH_SMS_PROVIDER":         "dev",
		"AUTH_RATE_LIMIT_ENABLE":    "false",
		// A connection to a database that is new costs the server as much as dozens of requests.
		"AUTH_POSTGRES_MAX_CONNECTIONS": "5",
		// The cheapest hash: these tests are not about its strength.
		"AUTH_PASSWORD_ARGON2_MEMORY":     "1024",
		"AUTH_PASSWORD_ARGON2_ITERATIONS": "1",
	}
	for name, value := range settings {
		env[name] = value
		if value == "" {
			delete(env, name)
		}
	}
	return enter(t, database, out, env, settings, options)
}

// Alone opens a house that has these settings and no others.
func Alone(t testing.TB, settings func(database string, mail *testmail.Server) map[string]string, options ...func(*house.Options)) *House {
	t.Helper()
	database, out := testpg.New(t), outside{testmail.New(t), &fakesms.Phones{}}
	env := settings(database, out.mail)
	return enter(t, database, out, env, env, options)
}

func enter(t testing.TB, database string, out outside, env, settings map[string]string, options []func(*house.Options)) *House {
	t.Helper()
	c, report := config.Load(config.Source{Env: env})
	if err := report.Err(); err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.Server.Port = listener.Addr().(*net.TCPAddr).Port
	clock, log := &Clock{}, &Log{}
	// The program of a test runs scripts only where its TestMain is made for that: see package testworker.
	o := house.Options{Version: "test", Settings: report.Values, Now: clock.Now, ScriptProgram: "/no program for scripts", Log: slog.New(slog.NewJSONHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	o.CatchSMS = func(to, text string) { out.phones.Keep(fakesms.Message{Gateway: "dev", To: to, Text: text}) }
	for _, option := range options {
		option(&o)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	built, err := house.Build(ctx, c, o)
	if err != nil {
		stop()
		t.Fatal(err)
	}
	built.Start(ctx)
	done := make(chan error, 1)
	go func() { done <- built.Serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("the house did not close well: %v", err)
		}
		switch {
		case t.Failed() && testing.Verbose():
			t.Logf("log of the house:\n%s", log)
		case t.Failed() && log.Errors() != "":
			t.Logf("errors in the log of the house:\n%s", log.Errors())
		}
	})
	return &House{
		House: built, URL: c.Server.Scheme() + "://" + listener.Addr().String() + c.Server.Prefix(), Database: database,
		Mail: out.mail, Phones: out.phones, Clock: clock, Log: log, Env: settings,
	}
}

// Client is an HTTP client of the house that follows no redirect.
func (h *House) Client() *http.Client {
	return &http.Client{Timeout: 30 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Do sends a request with a JSON body ("" for none) and gives back status, headers and body.
func (h *House) Do(t testing.TB, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	return h.DoAt(t, method, h.URL+path, body, header...)
}

// DoAt is Do at an address that is not below the one of the first door.
func (h *House) DoAt(t testing.TB, method, address, body string, header ...string) (*http.Response, string) {
	t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, address, reader)
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := h.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(got)
}

// Verifier is a PKCE verifier with its challenge.
func Verifier() (verifier, challenge string) {
	verifier = tokens.NewUUID() + tokens.NewUUID()
	return verifier, tokens.ChallengeOf(verifier)
}

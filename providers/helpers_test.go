package providers_test

import (
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/internal/fakeprovider"
	"postern/providers"
)

const callbackURL = "https://auth.example.com/v1/signin/provider/x/callback"

// settings reads variables as the configuration does.
func settings(env map[string]string) providers.Settings {
	var s providers.Settings
	s.Declare(slices.Collect(maps.Keys(env)), func(tags reflect.StructTag, into any) {
		value := tags.Get("default")
		for name := range strings.FieldsSeq(tags.Get("env")) {
			if v := env[name]; v != "" {
				value = v
			}
		}
		switch p := into.(type) {
		case *string:
			*p = value
		case *bool:
			*p = value == "true"
		case *[]string:
			if value != "" {
				*p = strings.Split(value, ",")
			}
		}
	})
	return s
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Now()} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// open opens the table with some providers of the fake, and with more variables.
func open(t *testing.T, fake *fakeprovider.Server, env map[string]string) *providers.Table {
	t.Helper()
	return openWith(t, fake.Client(), env, time.Now)
}

func openWith(t *testing.T, client *http.Client, env map[string]string, now func() time.Time) *providers.Table {
	t.Helper()
	table, err := providers.Open(settings(env), client, now)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func find(t *testing.T, table *providers.Table, name string) providers.Provider {
	t.Helper()
	p, known, enabled := table.Find(name)
	if !known || !enabled {
		t.Fatalf("%s: known %v, enabled %v, want both", name, known, enabled)
	}
	return p
}

var start = providers.Start{
	CallbackURL: callbackURL, State: "the-state", Nonce: "the-nonce",
	Verifier: "a-verifier-that-is-long-enough-for-rfc-7636-0123456789",
}

// visit goes to the provider and comes back.
func visit(t *testing.T, fake *fakeprovider.Server, p providers.Provider, s providers.Start) (providers.Callback, fakeprovider.Back) {
	t.Helper()
	begun, err := p.Begin(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	back, err := fake.Visit(t.Context(), begun.URL)
	if err != nil {
		t.Fatal(err)
	}
	return providers.Callback{
		CallbackURL: s.CallbackURL, Values: back.Values(), Verifier: s.Verifier, Nonce: s.Nonce, Temporary: begun.Temporary,
	}, back
}

// signIn is the whole way.
func signIn(t *testing.T, fake *fakeprovider.Server, p providers.Provider) (providers.Profile, providers.Tokens, error) {
	t.Helper()
	c, _ := visit(t, fake, p, start)
	return p.Finish(t.Context(), c)
}

package httphook

import (
	"os"
	"testing"
	"time"

	"postern/hooks"
	"postern/webhooks"
)

// TestPublishedVerifier asks a receiver that verifies by the library of Standard Webhooks:
// conformance/standardwebhooks.test.mjs starts it, and judges.
func TestPublishedVerifier(t *testing.T) {
	t.Parallel()
	address := os.Getenv("POSTERN_WEBHOOK_RECEIVER")
	if address == "" {
		t.Skip("no receiver: conformance/run webhooks brings one")
	}
	keys, err := webhooks.ParseAll(os.Getenv("POSTERN_WEBHOOK_SECRETS"))
	if err != nil {
		t.Fatal(err)
	}
	u, err := ParseAddress(address, false)
	if err != nil {
		t.Fatal(err)
	}
	r, err := New(Options{URL: u, Keys: keys, Rules: Supabase(), Client: NewClient(), Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := r.Run(t.Context(), hooks.Call{ID: "0b6bd6a4-9e4e-4f0e-a1f1-7c5fd7d0e1aa", Body: []byte(`{"name":"Zoë","valid":true}`)})
	if err != nil || string(answer.Body) != `{"believed":true}` {
		t.Errorf("%s, %v", answer.Body, err)
	}
}

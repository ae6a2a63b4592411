package flow

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/claims"
)

// breaking is a source of claims that panics when it is asked for a user.
type breaking struct{ asked chan struct{} }

func (b breaking) Query(context.Context, string, map[string]any) (json.RawMessage, error) {
	close(b.asked)
	panic("out of range")
}

// TestAskingBegins puts the question when the slow work begins and not before, and outlives a source that
// panics where no server looks after it.
func TestAskingBegins(t *testing.T) {
	t.Parallel()
	source := breaking{make(chan struct{})}
	mapper, err := claims.Open(claims.Settings{Definitions: `{"plan":"metadata.plan"}`}, source, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	k := Kit{Claims: mapper, Policy: &Policy{}, Now: time.Now}
	a := k.asking(t.Context(), opening{user: auth.User{ID: "7d3f0f5a-0000-4000-8000-000000000001"}})
	defer a.cancel()
	select {
	case <-source.asked:
		t.Fatal("the source is asked before the work begins")
	default:
	}
	a.begin()
	if _, err := a.wait(); err == nil || !strings.Contains(err.Error(), "out of range") {
		t.Errorf("a source that panics: %v", err)
	}
}

// TestChanges has a claim read every field that taking an account away from its maker changes.
func TestChanges(t *testing.T) {
	t.Parallel()
	was := auth.User{Email: "a@example.com", NewEmail: "b@example.com", PhoneNumber: "+41791234567", PhoneNumberVerified: true, ActiveMFAType: "totp"}
	got := changes(was, disowned(was))
	for field, want := range map[string]any{
		"emailVerified": true, "newEmail": nil, "phoneNumber": nil, "phoneNumberVerified": false, "activeMfaType": nil,
	} {
		if value, there := got[field]; !there || value != want {
			t.Errorf("%s is %v, want %v", field, value, want)
		}
	}
	if len(got) != 5 {
		t.Errorf("changed are %v", got)
	}
}

package gotrue_test

import (
	"testing"
	"time"
)

// TestAReplayThatEndsNoSession has an operator keep sessions of which two parties hold tokens: what was replaced is refused at every
// door, and the newest token goes on.
func TestAReplayThatEndsNoSession(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"GOTRUE_SECURITY_REFRESH_TOKEN_ROTATION_ENABLED": "false", "AUTH_GOTRUE_API_ENABLED": "true"})
	first := d.confirmed(t, newAddress())
	second := d.refresh(t, first).said(t)
	if second["refresh_token"] == first["refresh_token"] {
		t.Error("the token did not rotate")
	}
	third := d.refresh(t, second).said(t)
	for range 2 {
		d.refresh(t, first).refused(t, 400, "refresh_token_already_used")
	}
	if a := d.byHasura(t, "POST", "/token", `{"refreshToken":"`+first["refresh_token"].(string)+`"}`); a.status != 401 {
		t.Errorf("by Hasura Auth: %+v", a)
	}
	if a := d.refresh(t, third); a.status != 200 {
		t.Errorf("the newest token: %+v", a)
	}
	if n := d.holds(t, `select count(*)::text from auth.audit_entries where event = 'session.replayed'`); n != "0" {
		t.Errorf("%s sessions ended", n)
	}
}

// TestTheReuseIntervalIsOfTheTokenBefore has an older token end the session however young it is: who has it would only have to wait for
// the owner's next refresh.
func TestTheReuseIntervalIsOfTheTokenBefore(t *testing.T) {
	t.Parallel()
	d := open(t, map[string]string{"GOTRUE_SECURITY_REFRESH_TOKEN_REUSE_INTERVAL": "60"})
	first := d.confirmed(t, newAddress())
	second := d.refresh(t, first).said(t)
	d.Clock.Advance(59 * time.Second)
	elsewhere := d.ask(t, "POST", "/token?grant_type=refresh_token", `{"refresh_token":"`+first["refresh_token"].(string)+`"}`, "User-Agent", "another")
	if again := elsewhere.said(t); again["refresh_token"] != second["refresh_token"] {
		t.Errorf("the token before, inside the interval: %+v", elsewhere)
	}
	third := d.refresh(t, second).said(t)
	d.refresh(t, first).refused(t, 400, "refresh_token_already_used")
	d.refresh(t, third).refused(t, 400, "refresh_token_not_found")
}

package hasura_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
	"postern/totp"
)

func decodePart(t testing.TB, part string) map[string]any {
	t.Helper()
	raw, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]any
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// badge has the token say something new, and lie about all that is ours.
func badge(_ context.Context, _ string, body map[string]any) (any, error) {
	claims, _ := body["claims"].(map[string]any)
	claims["badge"] = fmt.Sprint(body["method"])
	ours, _ := claims["https://hasura.io/jwt/claims"].(map[string]any)
	ours["x-hasura-badge"] = body["method"]
	for _, name := range []string{"iss", "sub", "exp", "iat", "session_id", "SUB", "jti", "nbf"} {
		claims[name] = "stolen"
	}
	for _, name := range []string{"x-hasura-user-id", "X-Hasura-User-Id", "x-hasura-allowed-roles", "x-hasura-default-role", "x-hasura-user-is-anonymous", "x-hasura-auth-elevated"} {
		ours[name] = "admin"
	}
	return fields{"claims": claims}, nil
}

// methods are what the hook of a token is told for each entrance; those of a redirect end in a refresh.
var methods = map[string]string{
	"link": "token_refresh", "link with PKCE": "link", "link that verifies an address": "token_refresh", "link of a reset": "token_refresh", "link of a change of address": "token_refresh",
	"mailed code": "otp", "texted code": "sms", "passkey": "webauthn", "second factor": "totp", "recovery code": "recovery-code",
	"provider": "token_refresh", "provider with PKCE": "oauth", "ID token": "idtoken",
	"elevation by mail": "otp", "elevation by text": "sms", "elevation by passkey": "webauthn", "elevation by app": "totp",
	"refresh": "token_refresh", "refresh of a guest": "token_refresh", "refresh with the token before": "token_refresh", "refresh from elsewhere": "token_refresh",
	"password": "password", "personal access token": "pat",
}

// TestTokenHookAtEveryEntrance takes every way to a token while the hook says no, fails, is too slow,
// and agrees. A refusal uses nothing up, and what is ours in a token stays.
func TestTokenHookAtEveryEntrance(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.asksOfTokens(t, h)
	d := openHooked(t, clock, unverified("AUTH_LINK_CONFIRMATION", "off"), h)
	list := entrances(t, d, clock)
	clock.Advance(totp.Period)

	for _, plight := range []struct {
		name            string
		says            func(context.Context, string, map[string]any) (any, error)
		times, status   int
		id, description string
	}{
		{"denied", denies, 7, 418, "hook-denied", "not today, says token"},
		{"failing", breaks, 7, 500, "hook-failed", failedWords},
		{"slow", sleeps, 1, 500, "hook-failed", failedWords},
	} {
		o.says(plight.says)
		for _, e := range list {
			t.Run(plight.name+"/"+e.name, func(t *testing.T) {
				before := d.state(t)
				for range plight.times {
					e.step(t).turnedAway(t, plight.status, plight.id, plight.description)
				}
				if e.keeps {
					d.sameState(t, before, "a refusal")
				}
			})
		}
	}
	o.says(badge)
	o.asked("token")
	for _, e := range list {
		t.Run("well/"+e.name, func(t *testing.T) {
			token := d.accessTokenOf(t, e.step(t))
			payload, claims := payloadOf(t, token), claimsOf(t, token)
			method := methods[e.name]
			if method == "" {
				t.Fatal("nobody has decided what the hook is told here")
			}
			if payload["badge"] != method || claims["x-hasura-badge"] != method {
				t.Errorf("the token says %v, want the badge %s", payload, method)
			}
			if want, elevated := e.first["x-hasura-auth-elevated"]; elevated && claims["x-hasura-auth-elevated"] != want {
				t.Errorf("the token says %v, want it elevated", claims)
			}
			calls := o.asked("token")
			last := calls[len(calls)-1]
			if last.body["user"] != payload["sub"] || last.body["session"] != payload["session_id"] || payload["sub"] == "stolen" || claims["x-hasura-user-id"] != payload["sub"] {
				t.Errorf("asked about %v, and the token says %v", last.body, payload)
			}
			shown, _ := last.body["claims"].(map[string]any)
			delete(payload, "badge")
			delete(claims, "x-hasura-badge")
			payload["https://hasura.io/jwt/claims"] = claims
			if diff := cmp.Diff(shown, payload); diff != "" {
				t.Errorf("beside the badges the token is another (-shown +signed):\n%s", diff)
			}
			if alg := d.ask(t, "POST", "/token/verify", fields{"token": token}); alg.status != 200 {
				t.Errorf("the token does not verify: %s", alg)
			}
		})
	}
}

// TestTokenHookThatCarriesOn gives the token without what the hook would have said.
func TestTokenHookThatCarriesOn(t *testing.T) {
	t.Parallel()
	clock, h := newStillClock(), hooks.New()
	err := h.TokenMinting.Bind(hooks.Binding[hooks.TokenMinting]{Name: "away", CarryOn: true, Ask: func(context.Context, hooks.TokenMinting) (func(*hooks.TokenMinting) error, error) {
		return func(e *hooks.TokenMinting) error {
			return e.Replace(map[string]any{"https://hasura.io/jwt/claims": map[string]any{"x-hasura-list": []any{"a"}}, "half": true})
		}, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := openHooked(t, clock, unverified(), h)
	if payload := payloadOf(t, d.person(t).AccessToken); payload["half"] != nil {
		t.Errorf("half an answer is in the token: %v", payload)
	}
	if log := d.Log.String(); !strings.Contains(log, `"hook":"away"`) || !strings.Contains(log, `"carried_on":true`) {
		t.Errorf("the log does not tell of the hook:\n%s", log)
	}
}

// TestTokenHooksInOrder has the second see what the first left, and neither what the other may not say.
func TestTokenHooksInOrder(t *testing.T) {
	t.Parallel()
	clock, h := newStillClock(), hooks.New()
	var seen []any
	for i, name := range []string{"first", "second"} {
		err := h.TokenMinting.Bind(hooks.Binding[hooks.TokenMinting]{Name: name, Order: i, Ask: func(_ context.Context, e hooks.TokenMinting) (func(*hooks.TokenMinting) error, error) {
			seen = append(seen, e.Claims["name"], e.Claims["sub"] == e.User.ID)
			return func(e *hooks.TokenMinting) error {
				return e.Replace(map[string]any{"name": name, "sub": "stolen"})
			}, nil
		}})
		if err != nil {
			t.Fatal(err)
		}
	}
	d := openHooked(t, clock, unverified(), h)
	d.signIn(t, d.signUp(t, nil), rightPassword)
	if diff := cmp.Diff([]any{nil, true, "first", true, nil, true, "first", true}, seen); diff != "" {
		t.Errorf("seen (-want +got):\n%s", diff)
	}
}

// TestTokenHookInParallel signs many in at once: everybody gets their own token.
func TestTokenHookInParallel(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.asksOfTokens(t, h)
	o.says(func(_ context.Context, _ string, body map[string]any) (any, error) {
		return fields{"claims": map[string]any{"for": body["user"], "in": body["session"]}}, nil
	})
	d := openHooked(t, clock, unverified(), h)
	var everybody sync.WaitGroup
	for range 12 {
		p := d.person(t)
		everybody.Go(func() {
			for range 3 {
				payload := payloadOf(t, d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).session(t).AccessToken)
				if payload["for"] != p.User.ID || payload["sub"] != p.User.ID || payload["in"] != payload["session_id"] {
					t.Errorf("the token of %s says %v", p.User.ID, payload)
				}
			}
		})
	}
	everybody.Wait()
}

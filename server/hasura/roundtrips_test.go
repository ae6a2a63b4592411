package hasura_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"postern/house"
	"postern/internal/testhouse"
	"postern/internal/testtrips"
)

// TestRoundTrips counts the round trips to the database that a request costs, and holds them to
// their budgets and to what docs/performance.md says. A batch that is sent at once counts once;
// begin and commit count; a statement is prepared once for each connection, which is not counted.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	options := []func(*house.Options){testtrips.Count, func(o *house.Options) { o.Now = clock.Now }}
	open := testhouse.Open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_LINK_CONFIRMATION": "off"}, options...)
	mails := testhouse.Open(t, map[string]string{"AUTH_LINK_CONFIRMATION": "off"}, options...)
	limited := testhouse.Open(t, map[string]string{
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_ANONYMOUS_USERS_ENABLED": "true",
		"AUTH_SESSION_LIMIT": "2", "AUTH_SESSION_IDLE_TIMEOUT": "1h", "AUTH_SESSION_MAX_LIFETIME": "24h",
	}, options...)

	ways := doorway{testhouse.Open(t, map[string]string{
		"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false", "AUTH_CLIENT_URL": clientURL,
		"AUTH_OTP_EMAIL_ENABLED": "true", "AUTH_WEBAUTHN_ENABLED": "true", "AUTH_MFA_ENABLED": "true", "AUTH_HASURA_WEBHOOK_ENABLED": "true",
	}, options...)}
	key := device()
	asking, joined := withHooks(t, options)

	// request is one request of a flow, from wherever it comes.
	type request struct {
		method, path string
		body         any
		bearer       string
		from         place
		status       int
	}
	link := func(t *testing.T, more fields) string {
		t.Helper()
		_, l := invite(t, mails, more)
		return l
	}
	for _, flow := range []struct {
		name   string
		budget int
		house  *testhouse.House
		// next prepares the n-th request of the flow; only that request is counted.
		next func(t *testing.T) request
	}{
		{"refresh", 1, open, func(t *testing.T) request {
			return request{method: "POST", path: "/token", body: fields{"refreshToken": newcomer(t, open).RefreshToken}}
		}},
		{"refresh with the token before", 4, open, func(t *testing.T) request {
			s := newcomer(t, open)
			mustRefresh(t, open, s.RefreshToken, home())
			return request{method: "POST", path: "/token", body: fields{"refreshToken": s.RefreshToken}}
		}},
		{"refresh that branches", 5, open, func(t *testing.T) request {
			s := newcomer(t, open)
			mustRefresh(t, open, s.RefreshToken, home())
			clock.Advance(afterWindow)
			return request{method: "POST", path: "/token", body: fields{"refreshToken": s.RefreshToken}, from: away()}
		}},
		{"refresh that ends a replayed session", 5, open, func(t *testing.T) request {
			s := newcomer(t, open)
			mustRefresh(t, open, mustRefresh(t, open, s.RefreshToken, home()), home())
			return request{method: "POST", path: "/token", body: fields{"refreshToken": s.RefreshToken}, status: 401}
		}},
		{"get user", 1, open, func(t *testing.T) request {
			return request{method: "GET", path: "/user", bearer: newcomer(t, open).AccessToken}
		}},
		{"verify an access token", 1, open, func(t *testing.T) request {
			return request{method: "POST", path: "/token/verify", bearer: newcomer(t, open).AccessToken}
		}},
		{"sign in with a password", 2, open, func(t *testing.T) request {
			return request{method: "POST", path: "/signin/email-password", body: fields{"email": newcomer(t, open).User.Email, "password": rightPassword}}
		}},
		{"sign in with a wrong password", 2, open, func(t *testing.T) request {
			return request{method: "POST", path: "/signin/email-password", body: fields{"email": newcomer(t, open).User.Email, "password": "wrong"}, status: 401}
		}},
		{"sign up, then confirm by mail", 6, mails, func(*testing.T) request {
			return request{method: "POST", path: "/signup/email-password", body: fields{"email": newAddress(), "password": rightPassword}}
		}},
		{"sign up and be in", 4, open, func(*testing.T) request {
			return request{method: "POST", path: "/signup/email-password", body: fields{"email": newAddress(), "password": rightPassword}}
		}},
		{"open a link", 6, mails, func(t *testing.T) request {
			return request{method: "GET", path: link(t, nil), status: 302}
		}},
		{"open a link for a code (PKCE)", 2, mails, func(t *testing.T) request {
			_, challenge := testhouse.Verifier()
			return request{method: "GET", path: link(t, fields{"codeChallenge": challenge}), status: 302}
		}},
		{"exchange a code (PKCE)", 6, mails, func(t *testing.T) request {
			verifier, challenge := testhouse.Verifier()
			code := codeOf(t, mails, link(t, fields{"codeChallenge": challenge}))
			return request{method: "POST", path: "/token/exchange", body: fields{"code": code, "codeVerifier": verifier}}
		}},
		{"ask for a reset mail", 6, open, func(t *testing.T) request {
			return request{method: "POST", path: "/user/password/reset", body: fields{"email": newcomer(t, open).User.Email}}
		}},
		{"change the password", 6, open, func(t *testing.T) request {
			return request{method: "POST", path: "/user/password", body: fields{"newPassword": "another password"}, bearer: newcomer(t, open).AccessToken}
		}},
		{"ask for a change of address", 8, open, func(t *testing.T) request {
			return request{method: "POST", path: "/user/email/change", body: fields{"newEmail": newAddress()}, bearer: newcomer(t, open).AccessToken}
		}},
		{"sign in where sessions are limited", 2, limited, func(t *testing.T) request {
			return request{method: "POST", path: "/signin/email-password", body: fields{"email": newcomer(t, limited).User.Email, "password": rightPassword}}
		}},
		{"refresh where sessions are limited", 1, limited, func(t *testing.T) request {
			return request{method: "POST", path: "/token", body: fields{"refreshToken": newcomer(t, limited).RefreshToken}}
		}},
		{"sign in as a guest", 4, limited, func(*testing.T) request {
			return request{method: "POST", path: "/signin/anonymous"}
		}},
		{"make a guest a user", 4, limited, func(t *testing.T) request {
			s := must(t, limited, "POST", "/signin/anonymous", nil, home()).session
			return request{method: "POST", path: "/user/deanonymize", body: fields{"signInMethod": "email-password", "email": newAddress(), "password": rightPassword}, bearer: s.AccessToken}
		}},
		{"create a personal access token", 6, open, func(t *testing.T) request {
			return request{method: "POST", path: "/pat", body: fields{"expiresAt": "2099-01-01T00:00:00Z"}, bearer: newcomer(t, open).AccessToken}
		}},
		{"sign in with a personal access token", 5, open, func(t *testing.T) request {
			r := must(t, open, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z"}, home(), "Authorization", "Bearer "+newcomer(t, open).AccessToken)
			var created struct{ PersonalAccessToken string }
			if err := json.Unmarshal([]byte(r.body), &created); err != nil {
				t.Fatal(err)
			}
			return request{method: "POST", path: "/signin/pat", body: fields{"personalAccessToken": created.PersonalAccessToken}}
		}},
		{"ask for a mailed code", 6, ways.House, func(t *testing.T) request {
			return request{method: "POST", path: askMail, body: fields{"email": newcomer(t, ways.House).User.Email}}
		}},
		{"sign in with a mailed code", 8, ways.House, func(t *testing.T) request {
			email := newcomer(t, ways.House).User.Email
			ways.ask(t, "POST", askMail, fields{"email": email}).ok(t)
			return request{method: "POST", path: typeMail, body: fields{"email": email, "otp": ways.mailedCode(t, email, 1)}}
		}},
		{"prove the second factor", 9, ways.House, func(t *testing.T) request {
			p := ways.person(t)
			app := ways.turnOn(t, p, clock)
			clock.Advance(time.Minute)
			return request{method: "POST", path: "/signin/mfa/totp", body: fields{"ticket": ways.halfway(t, p), "otp": app.code(t)}}
		}},
		{"ask for a passkey", 1, ways.House, func(*testing.T) request {
			return request{method: "POST", path: "/signin/webauthn"}
		}},
		{"sign in with a passkey", 6, ways.House, func(t *testing.T) request {
			ways.passkeyPerson(t, key)
			return request{method: "POST", path: "/signin/webauthn/verify", body: fields{"credential": ways.ask(t, "POST", "/signin/webauthn", nil).sign(t, key)}}
		}},
		{"list sessions", 2, open, func(t *testing.T) request {
			return request{method: "GET", path: "/user/sessions", bearer: newcomer(t, open).AccessToken}
		}},
		{"end a session", 2, open, func(t *testing.T) request {
			s := newcomer(t, open)
			return request{method: "DELETE", path: "/user/sessions/" + s.RefreshTokenID, bearer: s.AccessToken}
		}},
		{"sign out", 1, open, func(t *testing.T) request {
			return request{method: "POST", path: "/signout", body: fields{"refreshToken": newcomer(t, open).RefreshToken}}
		}},
		{"sign out everywhere", 1, open, func(t *testing.T) request {
			return request{method: "POST", path: "/signout", body: fields{"all": true}, bearer: newcomer(t, open).AccessToken}
		}},
		{"tell Hasura whose a request is", 1, ways.House, func(t *testing.T) request {
			return request{method: "GET", path: hookPath, bearer: newcomer(t, ways.House).AccessToken}
		}},
		{"the same of a personal access token", 1, ways.House, func(t *testing.T) request {
			_, secret := ways.createPAT(t, newcomer(t, ways.House).AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
			return request{method: "GET", path: hookPath, bearer: secret}
		}},
		{"refresh, asked of a hook", 2, asking, func(t *testing.T) request {
			return request{method: "POST", path: "/token", body: fields{"refreshToken": newcomer(t, asking).RefreshToken}}
		}},
		{"sign in with a password, asked of a hook", 2, asking, func(t *testing.T) request {
			return request{method: "POST", path: "/signin/email-password", body: fields{"email": newcomer(t, asking).User.Email, "password": rightPassword}}
		}},
		{"sign up where a hook is asked about new users", 5, asking, func(*testing.T) request {
			return request{method: "POST", path: "/signup/email-password", body: fields{"email": newAddress(), "password": rightPassword}}
		}},
		{"sign up where a function joins", 5, joined, func(*testing.T) request {
			return request{method: "POST", path: "/signup/email-password", body: fields{"email": newAddress(), "password": rightPassword}}
		}},
	} {
		// The clock is everybody's, so the flows take turns.
		t.Run(flow.name, func(t *testing.T) {
			var asked []string
			leastWrites := int64(1 << 40)
			for range 8 { // the first tries warm the connections
				in := flow.next(t)
				status, counted := serve(t, flow.house, in.method, in.path, in.body, in.bearer, in.from)
				if want := max(in.status, http.StatusOK); status != want {
					t.Fatalf("status %d, want %d", status, want)
				}
				asked = counted.Asked
				leastWrites = min(leastWrites, counted.Writes)
			}
			t.Logf("%-40s %d: %s", flow.name, len(asked), strings.Join(asked, " · "))
			if len(asked) != flow.budget {
				t.Errorf("%d round trips, the budget is %d", len(asked), flow.budget)
			}
			if leastWrites != int64(len(asked)) {
				t.Errorf("%d statements and batches took %d writes", len(asked), leastWrites)
			}
			if row := fmt.Sprintf("| %s | %d |", flow.name, len(asked)); !strings.Contains(performancePage(t), row) {
				t.Errorf("docs/performance.md lacks the row %q", row)
			}
		})
	}
}

// serve hands a request to the handlers with a context that counts.
func serve(t *testing.T, h *testhouse.House, method, path string, body any, bearer string, from place) (int, *testtrips.Trips) {
	t.Helper()
	ctx, counted := testtrips.Within(t.Context())
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	if body == nil {
		raw = nil
	}
	r := httptest.NewRequestWithContext(ctx, method, "/v1"+path, strings.NewReader(string(raw)))
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}
	r.RemoteAddr = "127.0.0.1:4000"
	if from.address != "" {
		r.RemoteAddr = from.address + ":4000"
	}
	r.Header.Set("User-Agent", from.agent)
	w := httptest.NewRecorder()
	h.Handler.ServeHTTP(w, r)
	return w.Code, counted
}

func performancePage(t *testing.T) string {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(page)
}

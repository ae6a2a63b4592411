package gotrue_test

import (
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"postern/internal/testhouse"
	"postern/internal/testtrips"
)

// TestRoundTrips holds what the requests of clients cost to their budgets, and to what docs/performance.md says.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "performance.md"))
	if err != nil {
		t.Fatal(err)
	}
	d := door{testhouse.Open(t, map[string]string{
		"AUTH_GOTRUE_API_ENABLED": "true", "AUTH_API_PREFIX": "/v1", "AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false",
	}, testtrips.Count)}
	for _, flow := range []struct {
		name   string
		budget int
		next   func() (method, path, body, bearer string)
	}{
		{"GoTrue: refresh", 1, func() (string, string, string, string) {
			s := d.ok(t, "POST", "/signup", credentials(newAddress(), password))
			return "POST", "/token?grant_type=refresh_token", `{"refresh_token":"` + s["refresh_token"].(string) + `"}`, ""
		}},
		{"GoTrue: sign in with a password", 2, func() (string, string, string, string) {
			email := newAddress()
			d.ok(t, "POST", "/signup", credentials(email, password))
			return "POST", "/token?grant_type=password", credentials(email, password), ""
		}},
		{"GoTrue: get user", 1, func() (string, string, string, string) {
			return "GET", "/user", "", bearer(d.ok(t, "POST", "/signup", credentials(newAddress(), password)))
		}},
	} {
		t.Run(flow.name, func(t *testing.T) {
			var asked []string
			writes := int64(1 << 40)
			for range 8 { // the first tries warm the connections
				method, path, body, token := flow.next()
				ctx, counted := testtrips.Within(t.Context())
				r := httptest.NewRequestWithContext(ctx, method, "/auth/v1"+path, strings.NewReader(body))
				r.Header.Set("Authorization", token)
				w := httptest.NewRecorder()
				d.Handler.ServeHTTP(w, r)
				if w.Code != 200 {
					t.Fatalf("%d %s", w.Code, w.Body)
				}
				asked, writes = counted.Asked, min(writes, counted.Writes)
			}
			if len(asked) != flow.budget || writes != int64(flow.budget) {
				t.Errorf("%d round trips and %d writes, the budget is %d: %s", len(asked), writes, flow.budget, strings.Join(asked, " · "))
			}
			if row := fmt.Sprintf("| %s | %d |", flow.name, len(asked)); !strings.Contains(string(page), row) {
				t.Errorf("docs/performance.md lacks the row %q", row)
			}
		})
	}
}

package main_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/claims"
	"postern/config"
	"postern/house"
	"postern/internal/testhouse"
)

// TestDocumentedClaims runs the examples of the pages about claims: their tables, their definitions,
// and what the token says then.
func TestDocumentedClaims(t *testing.T) {
	t.Parallel()
	for page, tablesFirst := range map[string]bool{"docs/claims.md": false, "docs/extending-users.md": true} {
		t.Run(page, func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			blocks := readExamples(string(text))
			h := testhouse.Open(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
			if tablesFirst {
				createTables(t, h, blocks)
				signUpJane(t, h)
			} else {
				signUpJane(t, h)
				createTables(t, h, blocks)
			}
			next := string(text)
			ran := 0
			for _, b := range blocks {
				var got string
				switch b.kind {
				case "claims":
					got = claimsOf(t, h, b.code)
				case "problems":
					got = problemsOf(t, h, b.code)
				default:
					continue
				}
				ran++
				if diff := cmp.Diff(b.output, got); diff != "" && !*update {
					t.Errorf("after\n%s(-page +got):\n%s", b.code, diff)
				}
				next = strings.Replace(next, b.whole, strings.TrimSuffix(b.whole, b.output+"```")+got+"```", 1)
			}
			if n := strings.Count(string(text), "<!-- claims -->") + strings.Count(string(text), "<!-- problems -->"); n == 0 || ran != n {
				t.Errorf("%d of %d examples ran", ran, n)
			}
			if *update {
				if err := os.WriteFile(page, []byte(next), 0o644); err != nil { // #nosec G306 -- a page of the repository
					t.Fatal(err)
				}
			}
		})
	}
}

// example is a block of a page that a comment marks, and what stands below it.
type example struct{ whole, kind, code, output string }

var exampleForm = regexp.MustCompile("(?s)<!-- (schema|claims|problems) -->\n\n```\\w+\n(.*?)```(?:\n\n```text\n(.*?)```)?")

func readExamples(page string) (list []example) {
	for _, m := range exampleForm.FindAllStringSubmatch(page, -1) {
		list = append(list, example{m[0], m[1], m[2], m[3]})
	}
	return list
}

func createTables(t *testing.T, h *testhouse.House, examples []example) {
	t.Helper()
	for _, e := range examples {
		if e.kind != "schema" {
			continue
		}
		conn, err := pgx.Connect(t.Context(), h.Database)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := conn.Exec(t.Context(), e.code); err != nil {
			t.Fatalf("%v, in\n%s", err, e.code)
		}
		_ = conn.Close(t.Context())
	}
}

func signUpJane(t *testing.T, h *testhouse.House) {
	t.Helper()
	body := strings.NewReader(`{"email": "jane@example.com", "password": "correct horse battery"}`)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, h.URL+"/signup/email-password", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("signing up: %s", res.Status)
	}
}

// configOf is the configuration of the house, with claims.
func configOf(h *testhouse.House, definitions string) *config.Config {
	env := maps.Clone(h.Env)
	env["AUTH_JWT_CUSTOM_CLAIMS"] = definitions
	c, _ := config.Load(config.Source{Env: env})
	return c
}

func claimsOf(t *testing.T, h *testhouse.House, definitions string) string {
	t.Helper()
	c := configOf(h, definitions)
	m, err := claims.Open(c.Claims, house.Source(c, h.Store, nil, time.Now), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if report, err := m.Check(t.Context()); err != nil || report.Err() != nil {
		t.Fatalf("%v, %v, of\n%s", err, report.Err(), definitions)
	}
	jane, err := h.Store.UserByEmail(t.Context(), "jane@example.com")
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.Of(t.Context(), jane.ID, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(got)) {
		fmt.Fprintf(&b, "%s: %s\n", name, got[name])
	}
	return b.String()
}

func problemsOf(t *testing.T, h *testhouse.House, definitions string) string {
	t.Helper()
	c := configOf(h, definitions)
	report, err := claims.Inspect(context.WithoutCancel(t.Context()), c.Claims, house.Source(c, h.Store, nil, time.Now), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if report.Err() == nil {
		t.Fatalf("nothing is wrong with\n%s", definitions)
	}
	return report.Err().Error() + "\n"
}

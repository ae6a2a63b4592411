package hasura

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"postern/auth"
)

var update = flag.Bool("update", false, "write the generated pages instead of comparing them")

// TestGeneratedErrorsPageIsUpToDate holds docs/errors.md to the table that the server answers from.
func TestGeneratedErrorsPageIsUpToDate(t *testing.T) {
	t.Parallel()
	const path = "../../docs/errors.md"
	want := errorsPage()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the table says; run make generate", path)
	}
}

func errorsPage() string {
	var b strings.Builder
	b.WriteString(`# Errors

<!-- Generated from the table in server/hasura by 'make generate'. -->

Every refusal of the Hasura Auth door has one shape:

` + "```json" + `
{"status": 401, "error": "invalid-email-password", "message": "Incorrect email or password"}
` + "```" + `

` + "`error`" + ` is for programs and stays as it is within a major version. Every answer has the header
` + "`X-Request-Id`" + `; the line with the same id in the server's log says why. The links of mails answer with a
redirect that has the same words in ` + "`error` and `errorDescription`" + `. Errors marked * tell something about
an account: with ` + "`AUTH_CONCEAL_ERRORS=true`" + ` they are answered as ` + "`invalid-request`" + `.

| error | status | message | what it means |
| --- | ---: | --- | --- |
`)
	rows := []string{row(userAlreadyExists)}
	for _, code := range auth.Codes() {
		if no := refusals[code]; no.means != "" {
			rows = append(rows, row(no))
		}
	}
	slices.Sort(rows)
	b.WriteString(strings.Join(rows, ""))
	return b.String()
}

func row(no refusal) string {
	star := ""
	if no.sensitive {
		star = " *"
	}
	return fmt.Sprintf("| `%s`%s | %d | %s | %s |\n", no.id, star, no.status, no.message, no.means)
}

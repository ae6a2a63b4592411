package auth0

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"
)

// TestDocumentHasTheRoutes holds docs/openapi/management.yaml to the table of routes.
func TestDocumentHasTheRoutes(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/openapi/management.yaml")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, path := range doc.Paths.InMatchingOrder() {
		for method, op := range doc.Paths.Value(path).Operations() {
			documented = append(documented, method+" "+path)
			if secured := op.Security != nil; secured != strings.HasPrefix(path, API) {
				t.Errorf("%s %s needs a token: %v", method, path, secured)
			}
		}
	}
	served := []string{"POST " + TokenPath}
	for _, r := range (&Door{}).routes() {
		served = append(served, r.method+" "+API+r.path)
	}
	slices.Sort(documented)
	slices.Sort(served)
	if diff := cmp.Diff(served, documented); diff != "" {
		t.Errorf("(-served +documented):\n%s", diff)
	}
}

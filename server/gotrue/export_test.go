package gotrue

import (
	"strings"

	"postern/flow"
)

// OperatorsRoutes lists the routes that are for operators, for the test that tries all of them.
func OperatorsRoutes() []string {
	var all []string
	for _, r := range (&Door{Policy: &flow.Policy{}}).routes() {
		if strings.HasPrefix(r.path, "/admin/") || r.path == "/invite" {
			all = append(all, r.method+" "+r.path)
		}
	}
	return all
}

package store_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"postern/internal/testpg"
)

// TestQueriesUseIndexes plans every statement with table scans forbidden. Where one is planned all
// the same, no index can answer the statement, and it becomes slower with every user.
func TestQueriesUseIndexes(t *testing.T) {
	t.Parallel()
	mayScan := map[string]string{
		"hashKindsSQL":           "asked once at the start",
		"sharesSealedSecretsSQL": "asked once at the start",
		"noteActiveSQL":          "once in ten minutes; an index on last_seen would cost every refresh",
		"auditPartitionsSQL":     "once in ten minutes, of the catalogue",
		"countScriptsSQL":        "an operator has a handful of scripts",
		"listScriptsSQL":         "an operator has a handful of scripts",
		"scriptSliceSQL":         "an operator has a handful of scripts",
		"conditionSQL":           "a dozen migrations are listed",
		"machineClientSliceSQL":  "an operator has a handful of machine clients",
	}
	conn, err := pgx.Connect(t.Context(), testpg.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close(t.Context()) })
	for _, set := range []string{"enable_seqscan = off", "plan_cache_mode = force_generic_plan"} {
		if _, err := conn.Exec(t.Context(), "set "+set); err != nil {
			t.Fatal(err)
		}
	}
	scans := regexp.MustCompile(`Seq Scan on (\w+)`)
	for name, sql := range readStatements(t) {
		verb, _, _ := strings.Cut(strings.TrimSpace(sql), " ")
		if !slices.Contains([]string{"select", "insert", "update", "delete", "with"}, strings.TrimSpace(verb)) {
			continue
		}
		prepared, err := conn.Prepare(t.Context(), name, sql)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		explain := fmt.Sprintf("explain execute %q", name)
		if n := len(prepared.ParamOIDs); n > 0 {
			explain += "(" + strings.TrimSuffix(strings.Repeat("null, ", n), ", ") + ")"
		}
		rows, err := conn.Query(t.Context(), explain, pgx.QueryExecModeSimpleProtocol)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		plan := strings.Join(lines, "\n")
		if found := scans.FindStringSubmatch(plan); found != nil && mayScan[name] == "" {
			t.Errorf("%s reads all of %s:\n%s", name, found[1], plan)
		}
	}
}

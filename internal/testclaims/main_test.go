// Package testclaims_test tries custom claims from the outside, as an operator meets them: the
// expressions that were found in use, definitions that are broken in every way that came to mind,
// sources that fail. What is expected was written down from the documentation of Hasura and of
// Hasura Auth, and not from the code.
package testclaims_test

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
)

// TestMain lets more tests run at once: many wait for sources that do not answer.
func TestMain(m *testing.M) {
	flag.Parse()
	if parallel := flag.Lookup("test.parallel"); parallel.Value.String() == strconv.Itoa(runtime.GOMAXPROCS(0)) {
		if err := parallel.Value.Set(strconv.Itoa(4 * runtime.GOMAXPROCS(0))); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

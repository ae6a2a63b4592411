package graph_test

import (
	"os"
	"testing"

	"postern/house"
	"postern/internal/testworker"
)

// scriptProgram runs the scripts of hooks; empty is the program of the tests.
var scriptProgram string

func TestMain(m *testing.M) { os.Exit(testworker.Main(m, &scriptProgram)) }

// inWorkers has scripts run by the program of the tests.
func inWorkers(o *house.Options) { o.ScriptProgram = scriptProgram }

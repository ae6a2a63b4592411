// Worker is a program that does nothing but run scripts. Tests with the race detector use it, since the
// detector needs more memory than a worker may have.
package main

import (
	"os"

	"postern/hooks/jshook"
)

func main() {
	code, _ := jshook.Main(os.Args[1:], os.Stdin, os.Stdout)
	os.Exit(code)
}

// Postern is a self-hosted auth service for people whose data lives in Postgres and is served by
// Hasura. This is the roof: it reads the configuration, builds the house and opens the doors.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/term"

	"postern/config"
	"postern/hooks/jshook"
)

// version is stamped by the linker: -ldflags "-X main.version=1.2.3".
var version = "unstamped"

func main() {
	if code, asked := jshook.Main(os.Args[1:], os.Stdin, os.Stdout); asked { // a process for scripts of hooks
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	a := &app{
		stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr,
		env:          config.Environment(os.Environ()),
		colour:       showsColour(os.Stdout),
		stderrColour: showsColour(os.Stderr),
	}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// showsColour says whether the stream is a terminal whose user did not ask for plain text
// (https://no-color.org).
func showsColour(f *os.File) bool {
	return term.IsTerminal(int(f.Fd())) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

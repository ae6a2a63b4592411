// Command serve runs the fake provider by itself, for browsers and clients that drive a built
// Postern. It prints the settings that Postern needs for it, as one JSON object on one line, and
// ends with its standard input.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"

	"postern/internal/fakeprovider"
)

func main() {
	address := flag.String("address", "127.0.0.1:0", "where to listen")
	flag.Parse()
	if err := run(*address); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address string) error {
	fake, err := fakeprovider.Start(address)
	if err != nil {
		return err
	}
	defer fake.Close()
	env := fake.Env("keycloak", "corp")
	maps.Copy(env, fake.GitHubEnv())
	out, err := json.Marshal(map[string]any{"url": fake.URL, "env": env})
	if err != nil {
		return err
	}
	if _, err := fmt.Println(string(out)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

package main

import (
	"fmt"
	"strings"

	"postern/tokens"
)

type keysCmds struct {
	Secret  secretCmd  `cmd:"" help:"Print a fresh HASURA_GRAPHQL_JWT_SECRET, and how to put it in place of an old one."`
	Project projectCmd `cmd:"" help:"Print the keys that clients of Supabase have, anon and service_role, signed with the configured secret."`
}

type secretCmd struct {
	Type string `default:"HS256" help:"Algorithm: HS256, HS384, HS512 (one shared key), or RS256, PS256, ES256, EdDSA and their like (a key pair)."`
	Raw  bool   `help:"Print the JSON alone, without the variable's name and quotes."`
}

const rotation = `
To put it in place of an old one:
  1. If AUTH_ENCRYPTION_KEY is not set, sessions hang on the old secret: everybody will have to sign in
     again, and secrets sealed under it can no longer be read. To avoid that, set AUTH_ENCRYPTION_KEY
     (openssl rand -hex 32) and AUTH_ENCRYPTION_KEY_PREVIOUS=derived while the old secret is still in place,
     restart, and wait until AUTH_REFRESH_TOKEN_EXPIRES_IN is over.
  2. Give the new value to Postern and to Hasura and restart both, one right after the other.
  3. Access tokens of the old secret are refused from then on. Clients refresh and go on.
`

// Run prints the secret to the standard output and advice to the standard error, so that the
// output can be appended to an env file.
func (c secretCmd) Run(a *app) error {
	text, err := tokens.GenerateSecret(c.Type)
	if err != nil {
		return usageError{err.Error()}
	}
	var secret tokens.Secret
	if err := secret.UnmarshalText([]byte(text)); err != nil {
		return fmt.Errorf("the fresh secret cannot be read back: %w", err)
	}
	forHasura, err := secret.ForHasura()
	if err != nil {
		return err
	}
	if c.Raw {
		_, err = fmt.Fprintln(a.stdout, text)
	} else {
		_, err = fmt.Fprintf(a.stdout, "HASURA_GRAPHQL_JWT_SECRET='%s'\n", text)
	}
	if err != nil {
		return err
	}
	if strings.HasPrefix(c.Type, "HS") {
		_, _ = fmt.Fprint(a.stderr, "\nHasura gets the same value. Keep it secret.\n")
	} else {
		_, _ = fmt.Fprintf(a.stderr, "\nThis is for Postern alone; keep it secret. Hasura gets the public half:\nHASURA_GRAPHQL_JWT_SECRET='%s'\n", forHasura)
	}
	_, _ = fmt.Fprint(a.stderr, rotation)
	return nil
}

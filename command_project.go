package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"postern/tokens"
)

// projectCmd makes what clients of Supabase call the keys of a project.
type projectCmd struct {
	Expires string `default:"10y" placeholder:"WHEN" help:"When they end: after some years, days or hours (10y, 90d, 12h), or at the beginning of a day (2036-01-31)."`
}

const aboutProjectKeys = `
ANON_KEY says that nobody is signed in. Applications have it, and anybody may read it.
SERVICE_ROLE_KEY is for servers alone: who has it may read, change and delete every user here, and whatever
else goes by the role (row-level security lets service_role past). It cannot be withdrawn but by another
HASURA_GRAPHQL_JWT_SECRET. Keep it out of browsers, apps and repositories.
`

// Run prints the keys to the standard output, as an app's env file has them, and the warning to the standard error.
func (c projectCmd) Run(a *app) error {
	conf, err := a.config()
	if err != nil {
		return err
	}
	switch secret := conf.Tokens.JWTSecret; {
	case secret.IsZero():
		return stepError{errors.New("HASURA_GRAPHQL_JWT_SECRET is not set, and it is what signs the keys"), "print a fresh one with 'postern keys secret'"}
	case secret.IsSample():
		return stepError{errors.New("HASURA_GRAPHQL_JWT_SECRET is a sample that anybody can read in documentation, so anybody could make these keys"), "print a fresh one with 'postern keys secret'"}
	}
	ends, err := readEnd(c.Expires)
	if err != nil {
		return usageError{err.Error()}
	}
	text, err := projectKeys(conf.Tokens, time.Now(), ends)
	if err != nil {
		return usageError{err.Error()}
	}
	if _, err := fmt.Fprint(a.stdout, text); err != nil {
		return err
	}
	_, _ = fmt.Fprint(a.stderr, aboutProjectKeys)
	return nil
}

// projectKeys are both keys, as lines of an env file.
func projectKeys(s tokens.Settings, now time.Time, ends func(time.Time) time.Time) (string, error) {
	signer, err := s.NewSigner()
	if err != nil {
		return "", err
	}
	anon, err := signer.SignProject(tokens.AnonRole, now, ends(now))
	if err != nil {
		return "", err
	}
	service, err := signer.SignProject(tokens.ServiceRole, now, ends(now))
	return "ANON_KEY=" + anon + "\nSERVICE_ROLE_KEY=" + service + "\n", err
}

// tenYears is how long such keys live with Supabase.
func tenYears(now time.Time) time.Time { return now.AddDate(10, 0, 0) }

// readEnd reads when something ends that begins now.
func readEnd(text string) (func(now time.Time) time.Time, error) {
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return func(time.Time) time.Time { return day }, nil
	}
	wrong := fmt.Errorf("--expires must be a number of years, days or hours, such as 10y, 90d or 12h, or a day to come, such as 2036-01-31; it is %q", text)
	if len(text) < 2 {
		return nil, wrong
	}
	n, err := strconv.ParseUint(text[:len(text)-1], 10, 16)
	if err != nil || n == 0 {
		return nil, wrong
	}
	switch many := int(n); text[len(text)-1] {
	case 'y':
		return func(now time.Time) time.Time { return now.AddDate(many, 0, 0) }, nil
	case 'd':
		return func(now time.Time) time.Time { return now.AddDate(0, 0, many) }, nil
	case 'h':
		return func(now time.Time) time.Time { return now.Add(time.Duration(many) * time.Hour) }, nil
	}
	return nil, wrong
}

package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

type hooksSampleCmd struct {
	Name     string `arg:"" help:"The hook, such as send_sms."`
	Language string `placeholder:"LANGUAGE" help:"Print a receiver to begin with instead: js, sql, go, or script for JavaScript that runs here."`
}

// Run prints a payload or a starter.
func (cmd hooksSampleCmd) Run(a *app) error {
	c, _ := a.load(nil)
	h, err := hookNamed(c, cmd.Name)
	if err != nil {
		return err
	}
	if cmd.Language == "" {
		_, err := fmt.Fprintf(a.stdout, "%s\n", strings.TrimSpace(string(h.Sample())))
		return err
	}
	var starters map[string]string
	if h.Starters != nil {
		starters = h.Starters()
	}
	text, there := starters[cmd.Language]
	if !there {
		known := slices.Sorted(maps.Keys(starters))
		if len(known) == 0 {
			return stepError{errors.New("there is no receiver to begin with for " + h.Name), "'postern hooks sample " + h.Name + "' prints what it is told"}
		}
		return stepError{fmt.Errorf("there is no receiver of %s in %s", h.Name, cmd.Language), "take one of " + strings.Join(known, ", ")}
	}
	_, err = fmt.Fprintf(a.stdout, "%s\n", strings.TrimSpace(text))
	return err
}

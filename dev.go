package main

import (
	"context"
	"errors"
)

type devCmd struct {
	Data string `default:".postern" type:"path" placeholder:"DIR" help:"Folder for the database, keys and mails."`
}

// Run starts the development machine.
func (devCmd) Run(_ context.Context, _ *app) error {
	return errors.New("dev is not wired yet")
}

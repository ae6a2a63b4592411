package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime"
	"time"

	"postern/config"
	"postern/house"
)

type serveCmd struct{}

// Help is printed with the flags.
func (serveCmd) Help() string {
	return "Every setting is a flag too: --port 4000 is AUTH_PORT=4000. docs/configuration.md lists them, and so does 'postern config show'."
}

// Run starts the server.
func (serveCmd) Run(ctx context.Context, a *app) error {
	c, report := a.load(nil)
	c.Require(report)
	if !report.OK() {
		return a.refuse(a.withSchema(ctx, c, report))
	}
	log := newLog(a.stderr, c)
	for _, w := range report.Warnings {
		log.WarnContext(ctx, w.String())
	}
	h, err := house.Build(ctx, c, house.Options{Version: version, Log: log, Now: time.Now, Settings: report.Values})
	if err != nil {
		return a.notBuilt(err)
	}
	return open(ctx, h, log, nil)
}

// notBuilt says why there is no house: of claims that cannot work, all that is wrong with them.
func (a *app) notBuilt(err error) error {
	var wrong *house.ClaimsError
	if errors.As(err, &wrong) {
		return a.refuseClaims(reportOf(wrong.Report))
	}
	return err
}

// open opens the doors and keeps them open until the context ends. opened is called once requests
// are taken.
func open(ctx context.Context, h *house.House, log *slog.Logger, opened func(address net.Addr)) error {
	l, err := h.Listen(ctx)
	if err != nil {
		_ = h.Close(ctx) // why it could not open is what counts
		return err
	}
	// Hashing steps back behind other threads, but Go's scheduler knows no priorities: it needs
	// threads beside those that hash.
	runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + h.Kit.Passwords.Threads())
	h.Start(ctx)
	log.InfoContext(ctx, "open", slog.String("address", l.Addr().String()), slog.String("version", version))
	if opened != nil {
		opened(l.Addr())
	}
	return h.Serve(ctx, l)
}

// newLog writes to w in the format that the settings ask for.
func newLog(w io.Writer, c *config.Config) *slog.Logger {
	o := &slog.HandlerOptions{Level: slog.LevelInfo}
	if c.Server.Debug {
		o.Level, o.AddSource = slog.LevelDebug, true
	}
	if c.Server.LogText {
		return slog.New(slog.NewTextHandler(w, o))
	}
	return slog.New(slog.NewJSONHandler(w, o))
}

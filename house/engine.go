package house

import (
	"context"
	"log/slog"
	"sync/atomic"

	"postern/config"
	"postern/engine"
	"postern/store"
)

// metadata makes the tables of schema auth known to Hasura's engine.
type metadata struct {
	engine  *engine.Engine // nil where there is none
	store   *store.DB
	log     *slog.Logger
	settled atomic.Bool
}

// Engine is Hasura's engine, or nil where the settings have none. Nobody asks it yet.
func Engine(c *config.Config) (*engine.Engine, error) {
	if !c.Engine.Configured() {
		return nil, nil //nolint:nilnil // most houses have none
	}
	return engine.Open(c.Engine, nil)
}

// atStart settles the metadata if the engine answers soon. The error is for nobody: keep goes on.
func (m *metadata) atStart(ctx context.Context) error {
	if m.engine == nil {
		return nil
	}
	tables, err := m.tables(ctx)
	if err != nil {
		return err
	}
	outcome, err := m.engine.Settle(ctx, tables)
	if err == nil {
		m.settled.Store(true)
		m.told(ctx, outcome, nil)
	}
	return err
}

// keep settles the metadata as soon as the engine answers.
func (m *metadata) keep(ctx context.Context) {
	if m.engine != nil && !m.settled.Load() {
		m.engine.Keep(ctx, m.tables, m.told)
	}
}

func (m *metadata) tables(ctx context.Context) (engine.Tables, error) {
	tables, err := m.store.AuthColumns(ctx)
	return engine.Tables(tables), err
}

// told logs what became of the metadata.
func (m *metadata) told(ctx context.Context, o engine.Outcome, err error) {
	for _, s := range o.Added {
		m.log.InfoContext(ctx, "added to Hasura's metadata", slog.String("step", s.Text))
	}
	for _, s := range o.Missing {
		m.log.WarnContext(ctx, "missing in Hasura's metadata; 'postern hasura apply' would add it", slog.String("step", s.Text))
	}
	for _, s := range o.Different {
		m.log.WarnContext(ctx, "other than expected in Hasura's metadata, and left as it is", slog.String("step", s.Text))
	}
	if err != nil {
		m.log.WarnContext(ctx, "Hasura's metadata could not be settled; trying again", slog.String("reason", err.Error()))
	}
}

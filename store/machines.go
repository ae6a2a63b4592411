package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// MachineClient is a program that gets tokens for itself.
type MachineClient struct {
	ID         string
	Name       string
	SecretHash []byte   // by tokens.Keyring.HashClientSecret
	Audiences  []string // whom its tokens may be for
	Scopes     []string // what its tokens may say
	Metadata   map[string]string
	// FromSettings is the one that the settings name: they alone say what it is.
	FromSettings         bool
	CreatedAt, UpdatedAt time.Time
}

// MachineClient finds a machine client.
func (db *DB) MachineClient(ctx context.Context, id string) (MachineClient, error) {
	return one[MachineClient](ctx, db, machineClientSQL, id)
}

const (
	machineClientColumns = `select id, name, secret_hash, audiences, scopes, metadata, from_settings, created_at, updated_at from auth.machine_clients`
	machineClientSQL     = machineClientColumns + ` where id = $1`
)

// EnsureMachineClient makes the client that the settings name what they say it is, and removes one that
// they named before. Many servers may do so at once; a note is written where something changes. It must
// run in a transaction.
func (db *DB) EnsureMachineClient(ctx context.Context, c MachineClient, n Note) error {
	if _, err := db.Exec(ctx, `lock table auth.machine_clients in share row exclusive mode`); err != nil {
		return err
	}
	b := &pgx.Batch{}
	b.Queue(dropFormerClientSQL, c.ID)
	b.Queue(ensureClientSQL, c.ID, c.Name, c.SecretHash, c.Audiences, c.Scopes, orEmpty(c.Metadata), n.At)
	counts, err := changed(ctx, db, b)
	if err != nil || counts[0]+counts[1] == 0 {
		return err
	}
	return db.AddNote(ctx, n)
}

const (
	dropFormerClientSQL = `delete from auth.machine_clients where from_settings and id <> $1`
	ensureClientSQL     = `insert into auth.machine_clients as c (id, name, secret_hash, audiences, scopes, metadata, from_settings, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, true, $7, $7)
		on conflict (id) do update set name = excluded.name, secret_hash = excluded.secret_hash, audiences = excluded.audiences,
			scopes = excluded.scopes, metadata = excluded.metadata, from_settings = true, updated_at = excluded.updated_at
		where (c.name, c.secret_hash, c.audiences, c.scopes, c.metadata, c.from_settings)
			is distinct from (excluded.name, excluded.secret_hash, excluded.audiences, excluded.scopes, excluded.metadata, true)`
)

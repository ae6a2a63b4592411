package store

import (
	"context"
	"fmt"

	"postern/auth"
)

// MachineClientSlice lists a part of the machine clients in the order of their ids.
func (db *DB) MachineClientSlice(ctx context.Context, s Slice) ([]MachineClient, error) {
	return byID[MachineClient](ctx, db, machineClientSliceSQL, s)
}

const machineClientSliceSQL = machineClientColumns + ` where ($1::text is null or id > $1) and ($2::text is null or id < $2)
	order by case when $3 then id end desc, id limit $4`

// CountMachineClients tells how many machine clients there are.
func (db *DB) CountMachineClients(ctx context.Context) (int, error) {
	row, err := one[struct{ Count int }](ctx, db, `select count(*)::int as count from auth.machine_clients`)
	return row.Count, err
}

// AddMachineClient writes a new machine client, no more than there may be. It must run in a transaction.
func (db *DB) AddMachineClient(ctx context.Context, c MachineClient, most int, n Note) error {
	if _, err := db.Exec(ctx, `lock table auth.machine_clients in share row exclusive mode`); err != nil {
		return err
	}
	switch count, err := db.CountMachineClients(ctx); {
	case err != nil:
		return err
	case count >= most:
		return auth.Invalid{Field: "input", Problem: fmt.Sprintf("is one machine client too many: there may be %d", most)}
	}
	_, err := db.changeNoted(ctx, n, addClientSQL, c.ID, c.Name, c.SecretHash, c.Audiences, c.Scopes, orEmpty(c.Metadata), n.At)
	return err
}

// MachineClientChange is what becomes different in a machine client; nil stays as it is.
type MachineClientChange struct {
	Name       *string
	SecretHash []byte
	Audiences  []string          // as a whole
	Scopes     []string          // as a whole
	Metadata   map[string]string // as a whole
}

// ChangeMachineClient changes a machine client that the settings do not name, and gives it as it is then.
// It must run in a transaction.
func (db *DB) ChangeMachineClient(ctx context.Context, id string, c MachineClientChange, n Note) (MachineClient, error) {
	var metadata any
	if c.Metadata != nil {
		metadata = c.Metadata
	}
	rows, err := db.changeNoted(ctx, n, changeClientSQL, id, c.Name, c.SecretHash, c.Audiences, c.Scopes, metadata, n.At)
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	if err != nil {
		return MachineClient{}, err
	}
	return db.MachineClient(ctx, id)
}

// DeleteMachineClient removes a machine client that the settings do not name. It must run in a transaction.
func (db *DB) DeleteMachineClient(ctx context.Context, id string, n Note) error {
	rows, err := db.changeNoted(ctx, n, `delete from auth.machine_clients where id = $1 and not from_settings`, id)
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}

const (
	addClientSQL = `insert into auth.machine_clients (id, name, secret_hash, audiences, scopes, metadata, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $7)`
	changeClientSQL = `update auth.machine_clients set name = coalesce($2, name), secret_hash = coalesce($3, secret_hash),
		audiences = coalesce($4, audiences), scopes = coalesce($5, scopes), metadata = coalesce($6, metadata), updated_at = $7
		where id = $1 and not from_settings`
)

package store

import (
	"context"
	"fmt"

	"postern/auth"
)

// ScriptSecrets lists the names of a script's secrets. Without such a script it is ErrNotFound.
func (db *DB) ScriptSecrets(ctx context.Context, id string) ([]string, error) {
	row, err := one[struct{ Names []string }](ctx, db, scriptSecretsSQL, id)
	return row.Names, err
}

const scriptSecretsSQL = `select array(select x.name from auth.hook_script_secrets x where x.script_id = s.id order by x.name) as names
	from auth.hook_scripts s where s.id = $1`

// A SealedSecret is a secret of a script under its name.
type SealedSecret struct {
	Name   string
	Sealed []byte
}

// AddScriptSecrets writes new secrets of a script, as many as it may have, and none when a name is
// taken. It must run in a transaction.
func (db *DB) AddScriptSecrets(ctx context.Context, id string, secrets []SealedSecret, most int, n Note) error {
	have, err := db.heldSecrets(ctx, id)
	if err != nil {
		return err
	}
	names, sealed := spreadSecrets(secrets)
	for _, name := range names {
		if have[name] {
			return fmt.Errorf("%w: %s of script %s", auth.ScriptSecretTaken, name, id)
		}
	}
	if len(have)+len(names) > most {
		return fmt.Errorf("%w: %d and %d more", auth.TooManyScriptSecrets, len(have), len(names))
	}
	_, err = db.changeNoted(ctx, n, addSecretsSQL, id, names, sealed, n.At)
	return err
}

// ChangeScriptSecrets gives secrets of a script other values, and none when one does not exist. It must
// run in a transaction.
func (db *DB) ChangeScriptSecrets(ctx context.Context, id string, secrets []SealedSecret, n Note) error {
	have, err := db.heldSecrets(ctx, id)
	if err != nil {
		return err
	}
	names, sealed := spreadSecrets(secrets)
	for _, name := range names {
		if !have[name] {
			return fmt.Errorf("%w: %s of script %s", auth.ScriptSecretUnknown, name, id)
		}
	}
	_, err = db.changeNoted(ctx, n, changeSecretsSQL, id, names, sealed, n.At)
	return err
}

// SetScriptSecrets writes secrets of a script, in the place of those that it has under their names, and no
// more than it may have. It must run in a transaction.
func (db *DB) SetScriptSecrets(ctx context.Context, id string, secrets []SealedSecret, most int, n Note) error {
	have, err := db.heldSecrets(ctx, id)
	if err != nil {
		return err
	}
	names, sealed := spreadSecrets(secrets)
	for _, name := range names {
		have[name] = true
	}
	if len(have) > most {
		return fmt.Errorf("%w: %d", auth.TooManyScriptSecrets, len(have))
	}
	_, err = db.changeNoted(ctx, n, setSecretsSQL, id, names, sealed, n.At)
	return err
}

// DropScriptSecrets removes secrets of a script. A name that it does not have is no error. It must run
// in a transaction.
func (db *DB) DropScriptSecrets(ctx context.Context, id string, names []string, n Note) error {
	if _, err := db.heldSecrets(ctx, id); err != nil {
		return err
	}
	_, err := db.changeNoted(ctx, n, dropSecretsSQL, id, names)
	return err
}

// heldSecrets reads which secrets a script has and holds it, so that nobody changes them meanwhile.
func (db *DB) heldSecrets(ctx context.Context, id string) (map[string]bool, error) {
	switch tag, err := db.Exec(ctx, holdScriptSQL, id); {
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	case tag.RowsAffected() == 0:
		return nil, ErrNotFound
	}
	names, err := db.ScriptSecrets(ctx, id)
	have := map[string]bool{}
	for _, name := range names {
		have[name] = true
	}
	return have, err
}

const (
	holdScriptSQL = `select from auth.hook_scripts where id = $1 for no key update`
	addSecretsSQL = `insert into auth.hook_script_secrets (script_id, name, sealed, created_at, updated_at)
		select $1::text, x.name, x.sealed, $4::timestamptz, $4::timestamptz from unnest($2::text[], $3::bytea[]) as x(name, sealed)`
	setSecretsSQL    = addSecretsSQL + ` on conflict (script_id, name) do update set sealed = excluded.sealed, updated_at = excluded.updated_at`
	changeSecretsSQL = `update auth.hook_script_secrets s set sealed = x.sealed, updated_at = $4
		from unnest($2::text[], $3::bytea[]) as x(name, sealed) where s.script_id = $1 and s.name = x.name`
	dropSecretsSQL = `delete from auth.hook_script_secrets where script_id = $1 and name = any($2::text[])`
)

func spreadSecrets(secrets []SealedSecret) (names []string, sealed [][]byte) {
	for _, s := range secrets {
		names, sealed = append(names, s.Name), append(sealed, s.Sealed)
	}
	return names, sealed
}

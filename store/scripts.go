package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// HookScript is a hook that arrived through an API: code that is asked at a trigger.
type HookScript struct {
	ID           string // a ULID
	Name         string
	Slug         string // the name as names are compared
	Trigger      string
	Source       string // as it was sent, never looked at before it runs
	Dependencies map[string]string
	Enabled      bool
	Secrets      map[string][]byte // by name, sealed under HookSecretSeal; only EnabledScript reads them
}

// HookSecretSeal is the purpose under which a secret of a script is sealed: it opens in no other row.
func HookSecretSeal(scriptID, name string) string {
	return "hook script secret " + scriptID + " " + name
}

const scriptColumns = ` s.id, s.name, s.slug, s.trigger, s.script as source, s.dependencies, s.enabled`

// EnabledScript finds the script that has a say at a trigger, with its secrets, in one round trip.
// There is at most one; ErrNotFound is none.
func (db *DB) EnabledScript(ctx context.Context, trigger string) (HookScript, error) {
	return one[HookScript](ctx, db, enabledScriptSQL, trigger)
}

const enabledScriptSQL = `select` + scriptColumns + `,
		coalesce((select jsonb_object_agg(x.name, encode(x.sealed, 'base64')) from auth.hook_script_secrets x where x.script_id = s.id), '{}') as secrets
	from auth.hook_scripts s where s.trigger = $1 and s.enabled`

// Script finds a script, without its secrets.
func (db *DB) Script(ctx context.Context, id string) (HookScript, error) {
	return one[HookScript](ctx, db, scriptSQL, id)
}

const scriptSQL = `select` + scriptColumns + `, null::jsonb as secrets from auth.hook_scripts s where s.id = $1`

// ScriptFilter says which scripts to list.
type ScriptFilter struct {
	Trigger string // empty for all
	Enabled *bool  // nil for both
	Skip    int
	Most    *int // nil for all
}

// Scripts lists scripts in the order of their creation, without their secrets, and tells how many there
// are, the skipped ones included.
func (db *DB) Scripts(ctx context.Context, f ScriptFilter) (list []HookScript, total int, err error) {
	b := &pgx.Batch{}
	b.Queue(countScriptsSQL, f.Trigger, f.Enabled).QueryRow(func(row pgx.Row) error { return row.Scan(&total) })
	b.Queue(listScriptsSQL, f.Trigger, f.Enabled, f.Skip, f.Most).Query(func(rows pgx.Rows) (err error) {
		list, err = pgx.CollectRows(rows, pgx.RowToStructByName[HookScript])
		return err
	})
	if err := db.SendBatch(ctx, b).Close(); err != nil {
		return nil, 0, fmt.Errorf("store: %w", err)
	}
	return list, total, nil
}

const (
	countScriptsSQL = `select count(*)::int from auth.hook_scripts s where ($1 = '' or s.trigger = $1) and ($2::boolean is null or s.enabled = $2)`
	listScriptsSQL  = `select` + scriptColumns + `, null::jsonb as secrets from auth.hook_scripts s
		where ($1 = '' or s.trigger = $1) and ($2::boolean is null or s.enabled = $2) order by s.created_at, s.id offset $3 limit $4::int`
)

// holdScripts lets those who change which scripts there are do so one after the other. Those who only
// read pass.
func (db *DB) holdScripts(ctx context.Context) error {
	_, err := db.Exec(ctx, `lock table auth.hook_scripts in share row exclusive mode`)
	return err
}

// AddScript writes a script. One that is enabled takes the place of the one that was, for its trigger.
// It must run in a transaction.
func (db *DB) AddScript(ctx context.Context, s HookScript, n Note) error {
	if err := db.holdScripts(ctx); err != nil {
		return err
	}
	b := &pgx.Batch{}
	if s.Enabled {
		b.Queue(disableSiblingsSQL, s.Trigger, s.ID, n.At)
	}
	b.Queue(addScriptSQL, s.ID, s.Name, s.Slug, s.Trigger, s.Source, orEmpty(s.Dependencies), s.Enabled, n.At)
	queueNote(b, n)
	_, err := changed(ctx, db, b)
	return err
}

// ScriptChange is what becomes different in a script; nil stays as it is.
type ScriptChange struct {
	Name, Slug, Source *string
	Enabled            *bool
	Dependencies       map[string]string // as a whole
}

// ChangeScript changes a script and gives it as it is then. One that becomes enabled takes the place of
// the one that was, for its trigger. It must run in a transaction.
func (db *DB) ChangeScript(ctx context.Context, id string, c ScriptChange, n Note) (HookScript, error) {
	if err := db.holdScripts(ctx); err != nil {
		return HookScript{}, err
	}
	s, err := db.Script(ctx, id)
	if err != nil {
		return s, err
	}
	b := &pgx.Batch{}
	if c.Enabled != nil && *c.Enabled {
		b.Queue(disableSiblingsSQL, s.Trigger, id, n.At)
	}
	var deps any
	if c.Dependencies != nil {
		deps = c.Dependencies
	}
	b.Queue(changeScriptSQL, id, c.Name, c.Slug, c.Source, c.Enabled, deps, n.At)
	queueNote(b, n)
	if _, err := changed(ctx, db, b); err != nil {
		return s, err
	}
	return db.Script(ctx, id)
}

// DeleteScript removes a script and its secrets. It must run in a transaction.
func (db *DB) DeleteScript(ctx context.Context, id string, n Note) error {
	rows, err := db.changeNoted(ctx, n, deleteScriptSQL, id)
	if err == nil && rows == 0 {
		return ErrNotFound
	}
	return err
}

const (
	disableSiblingsSQL = `update auth.hook_scripts set enabled = false, updated_at = $3 where trigger = $1 and enabled and id <> $2`
	addScriptSQL       = `insert into auth.hook_scripts (id, name, slug, trigger, script, dependencies, enabled, created_at, updated_at)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $8)`
	changeScriptSQL = `update auth.hook_scripts set name = coalesce($2, name), slug = coalesce($3, slug), script = coalesce($4, script),
		enabled = coalesce($5, enabled), dependencies = coalesce($6, dependencies), updated_at = $7 where id = $1`
	deleteScriptSQL = `delete from auth.hook_scripts where id = $1`
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

// orEmpty is a map that is written as an object even where there are none.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

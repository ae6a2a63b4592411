package store

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"
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
	Secrets      map[string][]byte // by name, sealed under HookSecretSeal; EnabledScript and SecretScript read them alone
	Held         []HeldSecret      // which secrets there are; EnabledScript does not tell
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// HeldSecret says that a script has a secret.
type HeldSecret struct {
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// HookSecretSeal is the purpose under which a secret of a script is sealed: it opens in no other row.
func HookSecretSeal(scriptID, name string) string {
	return "hook script secret " + scriptID + " " + name
}

const scriptColumns = ` s.id, s.name, s.slug, s.trigger, s.script as source, s.dependencies, s.enabled, s.created_at, s.updated_at,`

// What is read of secrets: which there are, or what they are.
const (
	heldSecrets = ` coalesce((select jsonb_agg(jsonb_build_object('name', x.name, 'created_at', x.created_at, 'updated_at', x.updated_at) order by x.name)
		from auth.hook_script_secrets x where x.script_id = s.id), '[]') as held, null::jsonb as secrets`
	sealedSecrets = ` coalesce((select jsonb_object_agg(x.name, encode(x.sealed, 'base64')) from auth.hook_script_secrets x where x.script_id = s.id), '{}') as secrets,
		null::jsonb as held`
)

// EnabledScript finds the script that has a say at a trigger, with its secrets, in one round trip.
// There is at most one; ErrNotFound is none.
func (db *DB) EnabledScript(ctx context.Context, trigger string) (HookScript, error) {
	return one[HookScript](ctx, db, enabledScriptSQL, trigger)
}

// SecretScript finds a script with its secrets, whether it has a say or not.
func (db *DB) SecretScript(ctx context.Context, id string) (HookScript, error) {
	return one[HookScript](ctx, db, secretScriptSQL, id)
}

const (
	enabledScriptSQL = `select` + scriptColumns + sealedSecrets + ` from auth.hook_scripts s where s.trigger = $1 and s.enabled`
	secretScriptSQL  = `select` + scriptColumns + sealedSecrets + ` from auth.hook_scripts s where s.id = $1`
)

// Script finds a script, without its secrets.
func (db *DB) Script(ctx context.Context, id string) (HookScript, error) {
	return one[HookScript](ctx, db, scriptSQL, id)
}

const scriptSQL = `select` + scriptColumns + heldSecrets + ` from auth.hook_scripts s where s.id = $1`

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
	listScriptsSQL  = `select` + scriptColumns + heldSecrets + ` from auth.hook_scripts s
		where ($1 = '' or s.trigger = $1) and ($2::boolean is null or s.enabled = $2) order by s.created_at, s.id offset $3 limit $4::int`
)

// CountScripts tells how many scripts there are.
func (db *DB) CountScripts(ctx context.Context, f ScriptFilter) (int, error) {
	row, err := one[struct{ Count int }](ctx, db, countScriptsSQL, f.Trigger, f.Enabled)
	return row.Count, err
}

// ScriptSlice lists a part of the scripts in the order of their creation, which is that of their ids,
// without their secrets.
func (db *DB) ScriptSlice(ctx context.Context, f ScriptFilter, s Slice) ([]HookScript, error) {
	return byID[HookScript](ctx, db, scriptSliceSQL, s, f.Trigger, f.Enabled)
}

const scriptSliceSQL = `select` + scriptColumns + heldSecrets + ` from auth.hook_scripts s
	where ($1 = '' or s.trigger = $1) and ($2::boolean is null or s.enabled = $2)
		and ($3::text is null or s.id > $3) and ($4::text is null or s.id < $4)
	order by case when $5 then s.id end desc, s.id limit $6`

// byID reads a slice of a list in the order of ids. The statement takes, behind the arguments, the ids
// that the slice lies between, whether it is read from its end, and how many it may give.
func byID[T any](ctx context.Context, db *DB, sql string, s Slice, arguments ...any) ([]T, error) {
	for _, place := range [][]string{s.After, s.Before} {
		var id *string
		if len(place) > 0 {
			id = &place[0]
		}
		arguments = append(arguments, id)
	}
	rows, err := db.Query(ctx, sql, append(arguments, s.Backward, s.Most+1)...)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, pgx.RowToStructByName[T])
	if s.Backward {
		slices.Reverse(found)
	}
	return found, err
}

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

// orEmpty is a map that is written as an object even where there are none.
func orEmpty(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

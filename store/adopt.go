package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Adoption says how a database came to Postern. Postern made it when From is empty.
type Adoption struct {
	From        string    `json:"from"`    // FromNode or FromGo
	Version     int64     `json:"version"` // the migration of Hasura Auth that was found
	Committed   bool      `json:"committed"`
	AdoptedAt   time.Time `json:"adoptedAt"`
	CommittedAt time.Time `json:"committedAt,omitzero"`
}

// The two generations of Hasura Auth, by the language of their servers.
const (
	FromNode = "hasura-auth-node"
	FromGo   = "hasura-auth-go"
)

// MayHandBack reports that Hasura Auth may be started again on this database. While that is so,
// nothing may be written that only Postern could read: passwords stay bcrypt.
func (a Adoption) MayHandBack() bool { return a.From != "" && !a.Committed }

// AdoptionState reads how the database came to Postern. It changes once in the life of a database,
// when an operator commits to the adoption. A database that is not migrated yet is an error.
func AdoptionState(ctx context.Context, databaseURL string) (Adoption, error) {
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return Adoption{}, err
	}
	defer closeConn(ctx, conn)
	return readAdoption(ctx, conn)
}

// Adoption reads how the database came to Postern; see AdoptionState.
func (db *DB) Adoption(ctx context.Context) (Adoption, error) {
	return readAdoption(ctx, db)
}

func readAdoption(ctx context.Context, q rowQuerier) (Adoption, error) {
	var a Adoption
	var value []byte
	err := q.QueryRow(ctx, `select value from auth.postern_state where key = 'adoption'`).Scan(&value)
	switch {
	case errors.Is(err, pgx.ErrNoRows):
		return a, nil
	case isMissing(err):
		return a, errors.New("store: the database is not migrated yet; run postern migrate")
	case err != nil:
		return a, explain(err)
	}
	if err := json.Unmarshal(value, &a); err != nil {
		return a, fmt.Errorf("store: auth.postern_state holds an adoption that cannot be read: %w", err)
	}
	return a, nil
}

// rowQuerier is the part of a connection, a pool or a transaction that reads one row.
type rowQuerier interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// PlanAdoption recognises what the database holds and says what adopting it would change. It
// changes nothing and waits for nobody. A database that cannot be adopted is no error: the plan
// says why.
func PlanAdoption(ctx context.Context, databaseURL string) (Plan, error) {
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return Plan{}, err
	}
	defer closeConn(ctx, conn)
	if err := settle(ctx, conn); err != nil {
		return Plan{}, fmt.Errorf("store: %w", err)
	}
	return plan(ctx, conn, true)
}

// Adopt takes over a database of Hasura Auth and applies our migrations to it. With commit it gives
// up the way back: the schema becomes the one a fresh database has, and from then on what only
// Postern can read may be written. Committing may follow an adoption at any time. The plan it
// returns is the one it carried out, or the one that says why it did not.
func Adopt(ctx context.Context, databaseURL string, commit bool) (Plan, error) {
	m, err := openMigrator(ctx, databaseURL)
	if err != nil {
		return Plan{}, err
	}
	defer m.close(ctx)
	if err := m.lock(ctx); err != nil {
		return Plan{}, err
	}
	p, err := plan(ctx, m.held.Conn(), true)
	if err != nil {
		return p, err
	}
	if p.found.kind == kindEmpty {
		return p, errors.New("store: the database holds nothing to adopt; postern migrate makes a new one")
	}
	if err := m.carryOut(ctx, p, commit); err != nil {
		return p, err
	}
	p.Adoption, err = readAdoption(ctx, m.held)
	return p, err
}

// carryOut makes the database ours, whatever the plan found.
func (m *migrator) carryOut(ctx context.Context, p Plan, commit bool) error {
	if err := p.refusal(commit); err != nil {
		return err
	}
	if err := m.prepare(ctx); err != nil {
		return err
	}
	if p.found.kind == kindHasuraAuth {
		if err := m.takeOver(ctx, p.found, commit); err != nil {
			return err
		}
	}
	if err := m.up(ctx, lastMigration); err != nil {
		return err
	}
	if commit && p.found.kind == kindPostern && p.found.adoption.MayHandBack() {
		return m.commit(ctx, p.found)
	}
	return nil
}

// takeOver records a schema that Hasura Auth made as ours. All of it happens, or nothing.
func (m *migrator) takeOver(ctx context.Context, f finding, commit bool) error {
	if err := m.up(ctx, stateMigration); err != nil {
		return err
	}
	return m.inTx(ctx, func(tx pgx.Tx) error {
		if commit {
			if err := modernise(ctx, tx, f); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(ctx, renewLeakedIDsSQL); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, `insert into auth.postern_migrations (version_id, is_applied) values ($1, true)`, baselineMigration)
		if err != nil {
			return err
		}
		_, err = tx.Exec(ctx, `
			insert into auth.postern_state (key, value, updated_at)
			values ('adoption', jsonb_build_object('from', $1::text, 'version', $2::bigint, 'committed', false,
			                                       'adoptedAt', now()), now())`,
			f.generation, f.version)
		if err != nil || !commit {
			return err
		}
		_, err = tx.Exec(ctx, commitAdoptionSQL)
		return err
	})
}

// commit gives up the way back of a database adopted earlier.
func (m *migrator) commit(ctx context.Context, f finding) error {
	return m.inTx(ctx, func(tx pgx.Tx) error {
		if err := modernise(ctx, tx, f); err != nil {
			return err
		}
		_, err := tx.Exec(ctx, commitAdoptionSQL)
		return err
	})
}

const commitAdoptionSQL = `
	update auth.postern_state
	set value = value || jsonb_build_object('committed', true, 'committedAt', now()), updated_at = now()
	where key = 'adoption'`

// modernise takes the steps of Hasura Auth that the database has not taken and looks whether the
// outcome is what we need.
func modernise(ctx context.Context, tx pgx.Tx, f finding) error {
	for _, step := range f.steps() {
		if _, err := tx.Exec(ctx, step.sql); err != nil {
			return fmt.Errorf("step %d of Hasura Auth, %s: %w", step.version, step.does, err)
		}
	}
	problems, err := checkSchema(ctx, tx)
	if err != nil {
		return err
	}
	if len(problems) > 0 {
		return fmt.Errorf("the schema is not one of Hasura Auth: %w", problems)
	}
	return nil
}

func (m *migrator) inTx(ctx context.Context, f func(pgx.Tx) error) error {
	err := patiently(ctx, func() error { return pgx.BeginFunc(ctx, m.pool, f) })
	if err != nil {
		return explain(err)
	}
	return nil
}

// Until Hasura Auth's migration 15 the key of a refresh token was the token itself, and that
// migration kept the old keys. The key is public (it is in access tokens, and Hasura may show it),
// so such a session gets a new one. Its token stays good: it is found by its hash.
const (
	leakedIDs         = `refresh_token_hash = '\x' || encode(sha256(id::text::bytea), 'hex')`
	renewLeakedIDsSQL = `update auth.refresh_tokens set id = gen_random_uuid() where ` + leakedIDs
)

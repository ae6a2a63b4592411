package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"postern/auth"
)

// DeletionReport counts what goes with a user.
type DeletionReport struct {
	Sessions, PersonalAccessTokens, Identities, Passkeys, Factors, RecoveryCodes, PendingSecrets, Roles int
	References                                                                                          []Reference `db:"-"` // of the application's tables
}

// Blocked tells whether something keeps the user from being deleted hard.
func (r DeletionReport) Blocked() bool {
	return slices.ContainsFunc(r.References, func(ref Reference) bool { return ref.Action == Refuses && (ref.Rows == nil || *ref.Rows > 0) })
}

// Reference is a foreign key of a table of the application to users.
type Reference struct {
	Schema, Table, Constraint string
	Columns                   []string
	Of                        []string // the columns of auth.users that they refer to
	Action                    string   // what becomes of a row when its user goes
	Rows                      *int64   `db:"-"` // that refer to the user; nil when they could not be counted, or not in time
}

// What becomes of rows that refer to a user who goes.
const (
	Goes     = "DELETED"
	Emptied  = "EMPTIED"   // the columns become null
	Defaults = "DEFAULTED" // the columns get their defaults
	Refuses  = "REFUSES"   // the user cannot go
)

// DeletionReport counts what goes with a user. What refers to rows that go with them, in turn, is not counted.
// Counting in the application's tables, which may lack an
// index, takes no longer than most; each has its share of that.
func (db *DB) DeletionReport(ctx context.Context, id string, most time.Duration) (DeletionReport, error) {
	r, err := one[DeletionReport](ctx, db, deletionReportSQL, id)
	if err != nil {
		return r, err
	}
	rows, err := db.Query(ctx, referencesSQL)
	if err != nil {
		return r, refusal(err)
	}
	if r.References, err = pgx.CollectRows(rows, pgx.RowToStructByName[Reference]); err != nil {
		return r, refusal(err)
	}
	for i := range r.References {
		if err := db.countReferring(ctx, id, &r.References[i], most/time.Duration(len(r.References))); err != nil {
			return r, err
		}
	}
	return r, nil
}

const (
	deletionReportSQL = `select
		(select count(*)::int from auth.refresh_tokens where user_id = $1 and type in ('regular', 'oauth')) as sessions,
		(select count(*)::int from auth.refresh_tokens where user_id = $1 and type = 'pat') as personal_access_tokens,
		(select count(*)::int from auth.user_providers where user_id = $1) as identities,
		(select count(*)::int from auth.user_security_keys where user_id = $1) as passkeys,
		(select count(*)::int from auth.factors where user_id = $1) as factors,
		(select count(*)::int from auth.recovery_codes where user_id = $1 and used_at is null) as recovery_codes,
		(select count(*)::int from auth.tickets where user_id = $1) as pending_secrets,
		(select count(*)::int from auth.user_roles where user_id = $1) as roles`
	// Those of the tables above go as the report says.
	referencesSQL = `select n.nspname::text as schema, t.relname::text as table, c.conname::text as constraint,
			array(select a.attname::text from unnest(c.conkey) with ordinality k (num, place) join pg_catalog.pg_attribute a on a.attrelid = c.conrelid and a.attnum = k.num order by k.place) as columns,
			array(select a.attname::text from unnest(c.confkey) with ordinality k (num, place) join pg_catalog.pg_attribute a on a.attrelid = c.confrelid and a.attnum = k.num order by k.place) as of,
			case c.confdeltype when 'c' then '` + Goes + `' when 'n' then '` + Emptied + `' when 'd' then '` + Defaults + `' else '` + Refuses + `' end as action
		from pg_catalog.pg_constraint c join pg_catalog.pg_class t on t.oid = c.conrelid join pg_catalog.pg_namespace n on n.oid = t.relnamespace
		where c.contype = 'f' and c.conparentid = 0 and c.confrelid = 'auth.users'::regclass
			and not (n.nspname = 'auth' and t.relname in ('refresh_tokens', 'user_providers', 'user_security_keys', 'factors', 'recovery_codes', 'tickets', 'user_roles', 'impersonations', 'oauth_consents'))
		order by 1, 2, 3`
)

// countReferring counts the rows of one foreign key that refer to a user, if it may and in time. With policies
// on rows it would count what is shown to us; then it counts nothing.
func (db *DB) countReferring(ctx context.Context, id string, r *Reference, most time.Duration) error {
	on := make([]string, len(r.Columns))
	for i := range r.Columns {
		on[i] = "t." + pgx.Identifier{r.Columns[i]}.Sanitize() + " = u." + pgx.Identifier{r.Of[i]}.Sanitize()
	}
	sql := "select count(*) from " + pgx.Identifier{r.Schema, r.Table}.Sanitize() + " t join auth.users u on " + strings.Join(on, " and ") + " where u.id = $1::text::uuid"
	var n int64
	err := db.InTx(ctx, func(tx *DB) error {
		if err := tx.Within(ctx, most); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "set local row_security = off"); err != nil {
			return err
		}
		return tx.QueryRow(ctx, sql, pgx.QueryExecModeExec, id).Scan(&n)
	})
	switch {
	case err == nil:
		r.Rows = &n
	case !IsTimedOut(err) && sqlState(err) != "42501" && sqlState(err) != "42P01": // not allowed; dropped since it was listed
		return refusal(err)
	}
	return nil
}

// Within bounds how long each statement of the transaction may take, waiting for others included.
func (db *DB) Within(ctx context.Context, most time.Duration) error {
	_, err := db.Exec(ctx, withinSQL, strconv.FormatInt(max(most.Milliseconds(), 1), 10))
	return refusal(err)
}

const withinSQL = `select set_config('statement_timeout', $1, true)`

// IsTimedOut tells whether an error is that of a statement that took longer than it may.
func IsTimedOut(err error) bool { return sqlState(err) == "57014" }

// Refers tells whether an error is that of rows that refer to a user, and whose they are.
func Refers(err error, to *auth.Referenced) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code != "23503" && pg.Code != "23001" {
		return false
	}
	*to = auth.Referenced{Table: pg.SchemaName + "." + pg.TableName, Constraint: pg.ConstraintName}
	return true
}

// DeleteUser deletes a user, and all that goes with them. Whoever is gone is ErrChanged. It must run in a
// transaction.
func (db *DB) DeleteUser(ctx context.Context, id string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(deleteUserSQL, id)
	b.Queue(dropActedSQL, id)
	b.Queue(dropMessagesSQL, id)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 1)
}

// dropMessagesSQL forgets the mails and texts of a user, who is named in them: those that wait, those that were given
// up and those that are sent. What is on its way at this moment arrives.
const dropMessagesSQL = `delete from postern_river.river_job where args @> jsonb_build_object('userId', $1::uuid::text)
	and kind in ('postern_mail', 'postern_sms') and state <> 'running'`

const deleteUserSQL = `delete from auth.users where id = $1`

// EraseUser leaves of a user the row and its id: nothing personal, and nothing that anybody could come in by.
// Whoever is gone or erased is ErrChanged. It must run in a transaction.
func (db *DB) EraseUser(ctx context.Context, id string, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(eraseUserSQL, id, e.At)
	for _, sql := range []string{dropIdentitiesSQL, dropPasskeysSQL, dropFactorsSQL, dropRecoveryCodesSQL, endEverythingSQL, dropTicketsSQL, dropRolesSQL, dropImpersonationsSQL, dropConsentsSQL, dropMessagesSQL} {
		b.Queue(sql, id)
	}
	queueEntry(b, e)
	if err := guardedBatch(ctx, db, b, 1); err != nil {
		return fmt.Errorf("store: erasing a user: %w", err)
	}
	return nil
}

const eraseUserSQL = `update auth.users set deleted_at = $2, disabled = true, banned_until = null, last_seen = null, last_sign_in_at = null,
		display_name = '', avatar_url = '', metadata = null, email = null, email_verified = false, new_email = null,
		phone_number = null, phone_number_verified = false, password_hash = null, password_must_change = false,
		totp_secret = null, active_mfa_type = null, ticket = null, ticket_expires_at = $2, otp_hash = null, otp_hash_expires_at = $2,
		otp_method_last_used = null, webauthn_current_challenge = null
	where id = $1 and deleted_at is null`

package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// Supabase is the database of a Supabase Auth, or a GoTrue, whose users are read. It is read alone, and as it was at one
// moment.
type Supabase struct {
	conn   *pgx.Conn
	tx     pgx.Tx
	schema string
	tables map[string]map[string]bool // columns that the role may see, by table
}

// SupabaseUser is a user as it is stored there, with what belongs to them. Columns that a version does not have are
// empty.
type SupabaseUser struct {
	ID               string          `json:"id"`
	Email            string          `json:"email"`
	Phone            string          `json:"phone"`
	Role             string          `json:"role"`
	PasswordHash     string          `json:"encrypted_password"`
	EmailConfirmedAt When            `json:"email_confirmed_at"`
	ConfirmedAt      When            `json:"confirmed_at"` // of the address, in versions that knew no other
	PhoneConfirmedAt When            `json:"phone_confirmed_at"`
	LastSignInAt     When            `json:"last_sign_in_at"`
	CreatedAt        When            `json:"created_at"`
	UpdatedAt        When            `json:"updated_at"`
	BannedUntil      When            `json:"banned_until"`
	DeletedAt        When            `json:"deleted_at"`
	AppMetadata      json.RawMessage `json:"raw_app_meta_data"`
	UserMetadata     json.RawMessage `json:"raw_user_meta_data"`
	IsAnonymous      bool            `json:"is_anonymous"`
	IsSSO            bool            `json:"is_sso_user"`

	Identities []SupabaseIdentity `json:"-"`
	Factors    []SupabaseFactor   `json:"-"`
	Unread     error              `json:"-"` // why the rest could not be read
}

// SupabaseIdentity is a way by which the user came to be known there.
type SupabaseIdentity struct {
	ID           string          `json:"id"` // before 2023 the provider's subject, which has a column of its own since
	Subject      string          `json:"provider_id"`
	Provider     string          `json:"provider"`
	Data         json.RawMessage `json:"identity_data"`
	LastSignInAt When            `json:"last_sign_in_at"`
	CreatedAt    When            `json:"created_at"`
	UpdatedAt    When            `json:"updated_at"`
}

// SupabaseFactor is something the user proves themselves with once more there.
type SupabaseFactor struct {
	ID               string `json:"id"`
	Name             string `json:"friendly_name"`
	Kind             string `json:"factor_type"`
	Status           string `json:"status"`
	Secret           string `json:"secret"`
	Phone            string `json:"phone"`
	CreatedAt        When   `json:"created_at"`
	UpdatedAt        When   `json:"updated_at"`
	LastChallengedAt When   `json:"last_challenged_at"`
}

// When is a time as JSON of Postgres has it. What never comes is the last day that can be written.
type When struct{ time.Time }

// UnmarshalJSON reads the time.
func (w *When) UnmarshalJSON(text []byte) error {
	var s *string
	if err := json.Unmarshal(text, &s); err != nil {
		return errors.New("a time is none")
	}
	switch {
	case s == nil || *s == "-infinity":
		return nil
	case *s == "infinity":
		w.Time = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
		return nil
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.Parse(layout, *s); err == nil {
			w.Time = t.UTC()
			return nil
		}
	}
	return fmt.Errorf("a time cannot be read: %.40q", *s)
}

// OpenSupabase looks whether there is a Supabase Auth, and begins to read it.
func OpenSupabase(ctx context.Context, databaseURL, schema string) (*Supabase, error) {
	conn, err := connect(ctx, databaseURL)
	if err != nil {
		return nil, err
	}
	s := &Supabase{conn: conn, schema: schema, tables: map[string]map[string]bool{}}
	if err := s.begin(ctx); err != nil {
		s.Close(ctx)
		return nil, err
	}
	return s, nil
}

// begin starts to look at one moment. Poolers that share sessions are let be: there is one transaction, and nothing is
// prepared.
func (s *Supabase) begin(ctx context.Context) (err error) {
	if s.tx, err = s.conn.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	if _, err := s.tx.Exec(ctx, `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0; set local time zone 'UTC'; set local search_path = ''`); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	rows, _ := s.tx.Query(ctx, `select table_name::text, column_name::text from information_schema.columns
		where table_schema = $1 and table_name in ('users', 'identities', 'mfa_factors')`, pgx.QueryExecModeSimpleProtocol, s.schema)
	var table, column string
	_, err = pgx.ForEachRow(rows, []any{&table, &column}, func() error {
		if s.tables[table] == nil {
			s.tables[table] = map[string]bool{}
		}
		s.tables[table][column] = true
		return nil
	})
	switch users := s.tables["users"]; {
	case err != nil:
		return fmt.Errorf("store: %w", err)
	case !users["id"] || !users["encrypted_password"] || !users["raw_user_meta_data"]:
		return fmt.Errorf("store: schema %q has no table users of Supabase Auth that the role may read", s.schema)
	case s.tables["identities"] == nil:
		return fmt.Errorf("store: schema %q has no table identities, or the role may not read it: start a GoTrue of 2022 or later on the database once, which makes it", s.schema)
	}
	return nil
}

// Close ends the reading.
func (s *Supabase) Close(ctx context.Context) { closeConn(ctx, s.conn) }

// Count is how many users there are.
func (s *Supabase) Count(ctx context.Context) (n int, err error) {
	if err = s.tx.QueryRow(ctx, `select count(*) from `+s.table("users"), pgx.QueryExecModeSimpleProtocol).Scan(&n); err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	return n, nil
}

func (s *Supabase) table(name string) string { return pgx.Identifier{s.schema, name}.Sanitize() }

// Users reads the next users after an id; an empty one is before all.
func (s *Supabase) Users(ctx context.Context, after string, most int) ([]SupabaseUser, error) {
	factors := `select null::uuid as user_id, null::jsonb as list where false`
	if s.tables["mfa_factors"] != nil {
		factors = s.ofPage("mfa_factors")
	}
	// The page is joined as a whole: an older version has no index on the users of identities.
	rows, err := s.tx.Query(ctx, `with page as materialized (select u.* from `+s.table("users")+` u where $1 = '' or u.id > nullif($1, '')::uuid order by u.id limit $2)
		select to_jsonb(u), u.id::text, coalesce(i.list, '[]'), coalesce(f.list, '[]')
		from page u left join (`+s.ofPage("identities")+`) i on i.user_id = u.id left join (`+factors+`) f on f.user_id = u.id order by u.id`,
		pgx.QueryExecModeSimpleProtocol, after, most)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	users, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (u SupabaseUser, err error) {
		var id string
		var user, identities, factors []byte
		if err := row.Scan(&user, &id, &identities, &factors); err != nil {
			return u, err
		}
		u.Unread = errors.Join(json.Unmarshal(user, &u), json.Unmarshal(identities, &u.Identities), json.Unmarshal(factors, &u.Factors))
		u.ID = id
		return u, nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	return users, nil
}

// ofPage gathers what belongs to the users of the page.
func (s *Supabase) ofPage(table string) string {
	return `select t.user_id, jsonb_agg(to_jsonb(t) order by t.created_at, t.id) as list from ` + s.table(table) + ` t where t.user_id in (select id from page) group by t.user_id`
}

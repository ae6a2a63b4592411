package store

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// A Plan says what a database holds, what adopting it would change, and what is lost by going back
// to Hasura Auth. It prints itself.
type Plan struct {
	Database string
	Found    string   // what was recognised, in words
	Adoption Adoption // as it is now; zero before the adoption
	Problems []string // why it cannot be adopted as it is
	Next     []string // what to do next
	Changes  []string // what an adoption that can be undone would change
	Commit   []string // what committing would change on top
	Losses   []Loss   // what handing the database back to Hasura Auth loses
	Notes    []string

	// NeedsCommit says that the schema is too old to be handed back, so that only an adoption for
	// good is possible.
	NeedsCommit bool

	found finding
}

// A Loss is something that Hasura Auth could not use.
type Loss struct {
	What  string
	Count int64 // how many there are now; negative when they cannot be counted
}

// Adoptable reports that Adopt would succeed, as far as can be known beforehand.
func (p Plan) Adoptable() bool { return len(p.Problems) == 0 && p.found.kind == kindHasuraAuth }

// String is the plan as an operator reads it.
func (p Plan) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Database %s: %s.\n", p.Database, p.Found)
	section := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		fmt.Fprintf(&b, "\n%s\n", title)
		for _, l := range lines {
			fmt.Fprintf(&b, "  - %s\n", l)
		}
	}
	section("It cannot be adopted as it is:", p.Problems)
	section("Adopting it would:", p.Changes)
	section("Committing (postern adopt --commit) would:", p.Commit)
	losses := make([]string, len(p.Losses))
	for i, l := range p.Losses {
		losses[i] = l.What
		if l.Count >= 0 {
			losses[i] += fmt.Sprintf(" (now: %d)", l.Count)
		}
	}
	section("Going back to Hasura Auth would lose:", losses)
	section("Note:", p.Notes)
	section("Next:", p.Next)
	return b.String()
}

// refusal is the error for an adoption that is not possible, nil when it is.
func (p Plan) refusal(commit bool) error {
	next := strings.Join(p.Next, "; ")
	switch {
	case len(p.Problems) > 0:
		return fmt.Errorf("store: %s: %w; next: %s", p.Found, problems(p.Problems), next)
	case p.NeedsCommit && !commit:
		return fmt.Errorf("store: %s is older than migration %d, so once adopted it could not be handed back; next: %s", p.Found, oldestHandBack, next)
	}
	return nil
}

const (
	sayCheck   = "postern adopt --check shows what was found and what would change"
	sayAdopt   = "postern migrate, or postern serve, adopts the database in place; the way back stays open"
	sayCommit  = "postern adopt --commit adopts for good, without a way back to Hasura Auth"
	sayMigrate = "postern migrate makes the schema"
)

// plan finds out and judges, and describes in full when somebody wants to read it. It reads in one
// transaction, so that all it says is of one moment.
func plan(ctx context.Context, conn *pgx.Conn, full bool) (Plan, error) {
	var p Plan
	read := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	err := pgx.BeginTxFunc(ctx, conn, read, func(tx pgx.Tx) error {
		if err := tx.QueryRow(ctx, `select current_database()`).Scan(&p.Database); err != nil {
			return fmt.Errorf("store: %w", err)
		}
		var err error
		if p.found, err = find(ctx, tx); err != nil {
			return err
		}
		p.Adoption = p.found.adoption
		if err := p.judge(ctx, tx); err != nil || !full || len(p.Problems) > 0 {
			return err
		}
		return p.describe(ctx, tx)
	})
	return p, err
}

// judge says in words what was found, whether it can be ours, and what to do next.
func (p *Plan) judge(ctx context.Context, tx pgx.Tx) error {
	switch p.found.kind {
	case kindEmpty:
		p.Found, p.Next = "nothing yet", []string{sayMigrate}
	case kindForeign:
		p.Found, p.Problems = "not a database of Hasura Auth", []string{p.found.why}
		p.Next = []string{"give Postern a database of its own and import the users into it (docs/adoption.md)"}
	case kindPostern:
		p.judgeOurs()
	case kindHasuraAuth:
		return p.judgeHasuraAuth(ctx, tx)
	}
	return nil
}

// judgeOurs judges a database that Postern made, or adopted before.
func (p *Plan) judgeOurs() {
	f := p.found
	switch a := f.adoption; {
	case a.From == "":
		p.Found = "made by Postern, there is nothing to adopt"
	case a.Committed:
		p.Found = "adopted for good from " + f.name(a.Version)
	default:
		p.Found = "adopted from " + f.name(a.Version) + "; the way back is open"
		p.Next = []string{"postern adopt --commit gives up the way back, when you are sure", "or stop Postern and start Hasura Auth again"}
		if f.dirty {
			p.Problems, p.Next = dirtyProblem(f), dirtyNext()
		}
	}
}

// judgeHasuraAuth judges a database that only Hasura Auth knows.
func (p *Plan) judgeHasuraAuth(ctx context.Context, tx pgx.Tx) error {
	f := p.found
	p.Found = f.name(f.version)
	switch {
	case f.dirty:
		p.Problems, p.Next = dirtyProblem(f), dirtyNext()
		return nil
	case f.version < 1:
		p.Problems = []string{"Hasura Auth made its table of migrations and applied none"}
		p.Next = []string{"let Hasura Auth finish its first start, or, when nothing in schema auth is needed, drop schema auth cascade and run postern migrate"}
		return nil
	case f.generation == FromNode && f.version > newestNode:
		p.Problems = []string{fmt.Sprintf("the Node generation ended with migration %d", newestNode)}
		p.Next = []string{"start Hasura Auth 0.42 on it once, which hands it to the Go generation", sayCheck}
		return nil
	case f.version < oldestHandBack:
		p.NeedsCommit = true
		p.Next = []string{sayCheck, sayCommit, "or start Hasura Auth 0.42 on it once, which brings it to migration 18, and adopt it then with the way back open"}
	default:
		wrong, err := checkSchema(ctx, tx)
		if err != nil {
			return err
		}
		p.Problems = wrong
		p.Next = []string{sayAdopt, sayCommit}
	}
	if err := p.checkRights(ctx, tx); err != nil {
		return err
	}
	if err := p.checkNames(ctx, tx); err != nil {
		return err
	}
	if len(p.Problems) > 0 {
		p.Next = []string{"repair what was said", sayCheck}
	}
	return nil
}

// describe adds what would change, what going back loses, and what to know.
func (p *Plan) describe(ctx context.Context, tx pgx.Tx) error {
	f := p.found
	ours := f.kind == kindPostern
	if f.kind == kindEmpty || ours && !f.adoption.MayHandBack() {
		return nil
	}
	p.Commit = f.commitChanges()
	if !p.NeedsCommit { // else nobody goes back
		p.Losses = losses()
	}
	if ours {
		if err := p.countLosses(ctx, tx); err != nil {
			return err
		}
	} else if err := p.planChanges(ctx, tx); err != nil {
		return err
	}
	return p.note(ctx, tx)
}

func dirtyProblem(f finding) []string {
	return []string{fmt.Sprintf("auth.schema_migrations is dirty: migration %d of Hasura Auth broke off half way", f.version)}
}

func dirtyNext() []string {
	return []string{
		"finish or undo that migration by hand and set auth.schema_migrations.dirty to false, as Hasura Auth itself would demand",
		sayCheck,
	}
}

// name is the finding in words.
func (f finding) name(version int64) string {
	generation := "Go"
	if f.generation == FromNode {
		generation = "Node"
	}
	return fmt.Sprintf("Hasura Auth (%s generation) at migration %d", generation, version)
}

func (f finding) commitChanges() []string {
	var changes []string
	for _, s := range f.steps() {
		changes = append(changes, s.does)
	}
	return append(changes, "let Postern write what only it can read: stronger password hashes, sealed TOTP secrets")
}

// checkRights looks whether our role may change what must be changed.
func (p *Plan) checkRights(ctx context.Context, tx pgx.Tx) error {
	var role string
	var mayCreate bool
	var others []string
	err := tx.QueryRow(ctx, `
		select current_user, has_schema_privilege('auth', 'CREATE'),
		       coalesce((select array_agg(format('auth.%s belongs to %s', relname, pg_get_userbyid(relowner)) order by relname)
		        from pg_class where relnamespace = 'auth'::regnamespace and relkind in ('r', 'p')
		        and relname in ('users', 'user_providers', 'user_security_keys', 'refresh_tokens') and not pg_has_role(relowner, 'USAGE')), '{}')`).
		Scan(&role, &mayCreate, &others)
	if err != nil {
		return explain(err)
	}
	if !mayCreate {
		p.Problems = append(p.Problems, fmt.Sprintf("role %s may not create tables in schema auth; its owner can allow it: grant create, usage on schema auth to %s",
			role, pgx.Identifier{role}.Sanitize()))
	}
	if len(others) > 0 {
		p.Problems = append(p.Problems, fmt.Sprintf("role %s does not own the tables it must alter (%s); use the role that ran Hasura Auth's migrations, in POSTGRES_MIGRATIONS_CONNECTION",
			role, strings.Join(others, ", ")))
	}
	return nil
}

// checkNames looks whether somebody took a name that we need.
func (p *Plan) checkNames(ctx context.Context, tx pgx.Tx) error {
	rows, _ := tx.Query(ctx, `
		select 'auth.' || relname from pg_class where relnamespace = 'auth'::regnamespace
		and relname in ('refresh_tripwires', 'tickets', 'security_counters', 'audit_entries', 'audit_entries_default',
		                'event_heads', 'events', 'event_endpoints', 'event_lanes', 'event_letters', 'factors', 'factor_keys', 'recovery_codes',
		                'hook_scripts', 'hook_script_secrets', 'machine_clients', 'oauth_clients', 'oauth_sessions', 'oauth_consents', 'deleted_users', 'impersonations',
		                'audit_pending', 'audit_seals', 'audit_head', 'audit_counts', 'active_users', 'active_counts')
		union all
		select 'auth.' || relname || '.' || attname from pg_attribute join pg_class on pg_class.oid = attrelid
		where relnamespace = 'auth'::regnamespace and not attisdropped and (
			relname = 'refresh_tokens' and attname in ('aal', 'amr', 'factor_id', 'user_agent', 'address_prefix', 'rotated_at', 'ends_at', 'factor_due')
			or relname = 'user_security_keys' and attname in ('added_at', 'used_at', 'aaguid', 'backup_eligible', 'backed_up')
			or relname = 'user_providers' and attname in ('profile', 'email', 'email_verified', 'signed_in_at')
			or relname = 'users' and attname in ('banned_until', 'deleted_at', 'password_must_change', 'other_factors'))
		union all
		select 'auth.' || proname || '()' from pg_proc where pronamespace = 'auth'::regnamespace
		and proname in ('postern_tell_of_user', 'postern_tell_of_users', 'postern_bury_users', 'postern_await_seal', 'postern_note_factors')
		order by 1`)
	taken, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return explain(err)
	}
	if len(taken) > 0 {
		p.Problems = append(p.Problems, "Postern needs names that somebody has taken; rename or move them: "+strings.Join(taken, ", "))
	}
	return nil
}

// planChanges says what the adoption does, with the count of what it touches.
func (p *Plan) planChanges(ctx context.Context, tx pgx.Tx) error {
	p.Changes = []string{
		"add the tables auth.tickets, auth.refresh_tripwires, auth.security_counters, auth.audit_entries, auth.audit_pending, auth.audit_seals, auth.audit_head, auth.audit_counts, auth.active_users, auth.active_counts, auth.event_heads, auth.events, auth.event_endpoints, auth.event_lanes, auth.event_letters, auth.factors, auth.factor_keys, auth.recovery_codes, auth.hook_scripts, auth.hook_script_secrets, auth.machine_clients, auth.oauth_clients, auth.oauth_sessions, auth.oauth_consents, auth.deleted_users, auth.impersonations, auth.postern_state and auth.postern_migrations; and the type oauth to auth.refresh_token_types",
		"add columns to auth.refresh_tokens, each empty or with a default: aal, amr, factor_id, user_agent, address_prefix, rotated_at, ends_at, factor_due; with two indexes there, and one on the tickets of auth.users",
		"add columns to auth.user_security_keys (added_at, used_at, aaguid, backup_eligible, backed_up) and to auth.user_providers (profile, email, email_verified, signed_in_at), each empty, and an index on the user of each",
		"add columns to auth.users, each empty or with a default: banned_until, deleted_at, password_must_change, other_factors; with ten indexes there and one on auth.user_roles, to find users by",
		"add schema " + jobSchema + " for background work",
		"add triggers to auth.users, auth.user_roles and auth.refresh_tokens that tell running servers (pg_notify) whose roles, sessions or account ended, and one to auth.users that keeps the ids of deleted users in auth.deleted_users; they change no row of Hasura Auth",
		"leave every table, column, constraint and row of Hasura Auth as it is, its record of migrations too",
	}
	leave := len(p.Changes) - 1
	if p.found.version < 15 {
		p.Changes[leave] = "leave Hasura Auth's record of migrations as it is"
		p.Changes = append(p.Changes, "give every session a new id, since its id is its secret token; no token becomes invalid")
		return nil
	}
	var leaked int64
	err := tx.QueryRow(ctx, `select count(*) from auth.refresh_tokens where `+leakedIDs).Scan(&leaked)
	if err != nil {
		return explain(err)
	}
	if leaked > 0 {
		p.Changes[leave] = "leave every table, column and constraint of Hasura Auth as it is, its record of migrations too"
		p.Changes = append(p.Changes, fmt.Sprintf("give sessions from before migration 15 a new id, since their id is their secret token; no token becomes invalid (now: %d)", leaked))
	}
	return nil
}

// note adds what an operator should know and need not act on.
func (p *Plan) note(ctx context.Context, tx pgx.Tx) error {
	f := p.found
	if f.version > newestKnown {
		p.Notes = append(p.Notes, fmt.Sprintf("migration %d is newer than any this Postern knows; the schema was checked by its columns and constraints", f.version))
	}
	if f.version >= oldestHandBack && f.version < 17 {
		p.Notes = append(p.Notes, "until you commit, a user cannot link two accounts of one provider (Hasura Auth's migration 17 allows it)")
	}
	if f.version >= oldestHandBack && f.version < 19 {
		p.Notes = append(p.Notes, "until you commit, locales have two letters (Hasura Auth's migration 19 allows three)")
	}
	rows, _ := tx.Query(ctx, localeViewsSQL)
	views, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		return explain(err)
	}
	if len(views) > 0 && f.version < 19 {
		slices.Sort(views)
		p.Notes = append(p.Notes, "auth.users.locale keeps two letters even after committing, because a view stands on it: "+strings.Join(slices.Compact(views), ", "))
	}
	var sealed int64
	err = tx.QueryRow(ctx, `select count(*) from auth.users where totp_secret ~ '^([0-9a-f]{2}){29,}$'`).Scan(&sealed)
	if err != nil {
		return explain(err)
	}
	if sealed > 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("%d TOTP secrets are encrypted: give Postern the AUTH_ENCRYPTION_KEY that Hasura Auth had", sealed))
	}
	var oauth2 bool
	if err := tx.QueryRow(ctx, `select to_regclass('auth.oauth2_clients') is not null`).Scan(&oauth2); err != nil {
		return explain(err)
	}
	if oauth2 {
		p.Notes = append(p.Notes, "the tables of Hasura Auth's OAuth2 provider stay, and are not served")
	}
	return nil
}

// What handing back loses, in the order of losses.
func losses() []Loss {
	return []Loss{
		{What: "links and codes in mails that Postern sent and nobody has opened yet"},
		{What: "mails and messages that are queued and not sent yet"},
		{What: "passwords that are not hashed with bcrypt; their owners must reset them"},
		{What: "bans with an end, and deletions that keep the row: Hasura Auth lets these users in, unless they are disabled too"},
		{What: "what sessions owe that have proved one of two factors: Hasura Auth refreshes them as whole ones, unless they are deleted first (docs/adoption.md)"},
		{What: "second factors other than TOTP, as telephones and security keys: Hasura Auth lets their users in without"},
		{What: "the end of passwords over 72 bytes: Hasura Auth compares the first 72", Count: -1},
		{What: "OAuth clients that were made, changed or deleted here", Count: -1},
		{What: "what users gave to OAuth clients: Hasura Auth takes none of their tokens", Count: -1},
	}
}

// countLosses counts them in a database that is ours.
func (p *Plan) countLosses(ctx context.Context, tx pgx.Tx) error {
	var complete bool
	err := tx.QueryRow(ctx, `select to_regclass('auth.tickets') is not null and to_regclass('postern_river.river_job') is not null`).
		Scan(&complete)
	if err != nil {
		return explain(err)
	}
	if !complete {
		for i := range p.Losses {
			p.Losses[i].Count = -1
		}
		p.Notes = append(p.Notes, "the migrations broke off after the adoption; postern migrate finishes them")
		return nil
	}
	for i, sql := range []string{
		`select count(*) from auth.tickets where expires_at > now()`,
		`select count(*) from postern_river.river_job where state not in ('completed', 'cancelled', 'discarded')`,
		`select count(*) from auth.users where password_hash !~ '^\$2[aby]\$' and password_hash <> ''`,
		// By way of JSON, since the columns may not be there yet.
		`select count(*) from auth.users u where not disabled
			and ((to_jsonb(u) ->> 'banned_until')::timestamptz > now() or to_jsonb(u) ->> 'deleted_at' is not null)`,
		`select count(*) from auth.refresh_tokens t where coalesce((to_jsonb(t) ->> 'factor_due')::boolean, false) and expires_at > now()`,
		`select count(*) from auth.factors where kind <> 'totp' and status = 'active'`,
	} {
		if err := tx.QueryRow(ctx, sql).Scan(&p.Losses[i].Count); err != nil {
			return explain(err)
		}
	}
	return nil
}

package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// Factor is a second factor with its secret, if it has one. It never leaves a flow.
type Factor struct {
	ID       string    // empty when Hasura Auth enrolled it and no code was accepted since
	Kind     string    // auth.TOTPFactor and so on
	Name     string    // that the user gave it; may be empty
	Phone    string    // the number of an auth.PhoneFactor
	Sealed   []byte    // the secret, sealed by us; empty when Shared has it
	Shared   string    // auth.users.totp_secret: the secret as Hasura Auth keeps it
	LastStep int64     // the latest step whose code was accepted; 0 when none was
	Since    time.Time // when it was enrolled, or began to be
}

// ActiveFactor finds the authenticator app that a user has turned on. A user without one is ErrNotFound.
func (db *DB) ActiveFactor(ctx context.Context, userID string) (Factor, error) {
	return one[Factor](ctx, db, activeFactorSQL, userID)
}

// What the user's row says counts: operators turn a lost factor off there.
const activeFactorSQL = `select coalesce(f.id::text, '') as id, 'totp' as kind, coalesce(f.name, '') as name, '' as phone, coalesce(f.secret, '') as sealed, coalesce(u.totp_secret, '') as shared,
		coalesce(f.last_step, 0) as last_step, coalesce(f.created_at, u.created_at) as since
	from auth.users u left join auth.factors f on f.user_id = u.id and f.kind = 'totp' and f.status = 'active'
	where u.id = $1 and u.active_mfa_type = 'totp'`

// PendingFactor finds the authenticator app that a user began to enrol after a time and has not confirmed.
func (db *DB) PendingFactor(ctx context.Context, userID string, after time.Time) (Factor, error) {
	return one[Factor](ctx, db, pendingFactorSQL, userID, after)
}

const pendingFactorSQL = `select f.id::text as id, f.kind, coalesce(f.name, '') as name, '' as phone, coalesce(f.secret, '') as sealed, '' as shared, 0::bigint as last_step, f.created_at as since
	from auth.factors f where f.user_id = $1 and f.kind = 'totp' and f.status = 'pending' and f.created_at > $2`

// StageFactor writes a factor that proves nothing yet, in the place of one of the kind that was never confirmed. An
// active one stays as it is. It is for kinds of which a user has one, and must run in a transaction.
//
// Another factor of the user may have the name: ErrNameTaken.
func (db *DB) StageFactor(ctx context.Context, f Factor, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, e.UserID, e.At)
	b.Queue(keepSessionSQL, e.UserID, nullable(e.SessionID))
	b.Queue(stageFactorSQL, f.ID, e.UserID, bytesOrNull(f.Sealed), e.At, nullable(f.Name), f.Kind, nullable(f.Phone))
	queueEntry(b, e)
	return refusing(ctx, db, b, ErrChanged, ErrChanged, ErrNameTaken)
}

const (
	stageFactorSQL = `insert into auth.factors (id, user_id, kind, status, secret, created_at, name, phone_number)
		select $1::uuid, $2::uuid, $6::text, 'pending', $3::bytea, $4::timestamptz, $5::text, $7::text
		where not exists (select from auth.factors o where o.user_id = $2 and o.name = $5 and not (o.kind = $6 and o.status = 'pending'))
		on conflict (user_id, kind, status) where kind in ('totp', 'phone') do update
		set id = excluded.id, name = excluded.name, secret = excluded.secret, created_at = excluded.created_at, phone_number = excluded.phone_number`
)

// Activation turns a staged factor on.
type Activation struct {
	Kind      string
	PendingID string
	Step      int64  // of the code that confirmed an authenticator app: it counts no second time
	Shared    string // the secret for auth.users, where Hasura Auth must be able to read it; else empty
	Replaces  bool   // another authenticator app is active, and was proved
	Entry     Entry  // its SessionID lives on
}

// ActivateFactor turns a staged factor on, an authenticator app in the place of the one before, and ends the user's other
// sessions. The one that lives on has proved it by its first answer. Recovery codes are a matter of the factors: where the user had
// none, those that were left from one that is gone go as well. What else was begun to be enrolled goes, too: whoever began it may not be
// who has the factor. One that was enrolled or activated meanwhile is ErrChanged; when the session is over, it is
// ErrNotFound. It must run in a transaction.
func (db *DB) ActivateFactor(ctx context.Context, userID string, a Activation) error {
	proved, err := json.Marshal([]auth.Method{{Method: auth.ProofOf(a.Kind), Timestamp: a.Entry.At}})
	if err != nil {
		return err
	}
	was := ""
	if a.Replaces {
		was = auth.TOTPFactor
	}
	app, session := a.Kind == auth.TOTPFactor, nullable(a.Entry.SessionID)
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, userID, a.Entry.At)
	b.Queue(keepSessionSQL, userID, session)
	b.Queue(dropStrayCodesSQL, userID)
	if app {
		b.Queue(turnFactorOnSQL, userID, nullable(was), nullable(a.Shared))
		b.Queue(dropActiveAppSQL, userID)
	}
	b.Queue(activateFactorSQL, a.PendingID, userID, a.Kind, nullableStep(a.Step), a.Entry.At, app && a.Shared == "")
	must := b.Len()
	b.Queue(dropPendingFactorsSQL, userID)
	b.Queue(endOtherSessionsSQL, userID, session)
	b.Queue(noteFactorSQL, session, proved, auth.ProofOf(a.Kind))
	queueEntry(b, a.Entry)
	counts, err := changed(ctx, db, b)
	if err != nil {
		return err
	}
	switch {
	case counts[0] == 0 || counts[1] == 0:
		return ErrNotFound
	case counts[must-1] == 0 || app && counts[3] == 0:
		return ErrChanged
	}
	return nil
}

func nullableStep(step int64) *int64 {
	if step == 0 {
		return nil
	}
	return &step
}

const (
	turnFactorOnSQL = `update auth.users set active_mfa_type = 'totp', totp_secret = $3::text
		where id = $1 and active_mfa_type is not distinct from $2::text`
	dropActiveAppSQL = `delete from auth.factors where user_id = $1 and kind = 'totp' and status = 'active'`
	// The secret of an authenticator app goes where Hasura Auth has it from now on.
	activateFactorSQL = `update auth.factors f set status = 'active', last_step = $4, confirmed_at = $5, secret = case when $3 <> 'totp' or $6::boolean then secret end
		where id = $1 and user_id = $2 and kind = $3 and status = 'pending'
			and (kind not in ('totp', 'phone') or not exists (select from auth.factors o where o.user_id = f.user_id and o.kind = f.kind and o.status = 'active'))`
	dropPendingFactorsSQL = `delete from auth.factors where user_id = $1 and status = 'pending'`
	dropStrayCodesSQL     = `delete from auth.recovery_codes c using auth.users u where c.user_id = $1 and u.id = c.user_id and not` + hasFactor
	// The level stays: a token from before the factor must not refresh into one that claims it.
	noteFactorSQL = `update auth.refresh_tokens
		set amr = jsonb_path_query_array(coalesce(amr, '[]'), '$[*] ? (@.method != $word)', jsonb_build_object('word', $3::text)) || $2::jsonb where id = $1 and type = 'regular'`
)

// DeactivateFactor turns a factor of the user off and ends the user's other sessions. The one that lives
// on loses what the factor had proved, and owes what is left unless it has proved that, too. Recovery codes go with the last
// factor. One that is not there any more is ErrChanged. It must run in a transaction.
func (db *DB) DeactivateFactor(ctx context.Context, userID string, f auth.Factor, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, userID, e.At)
	b.Queue(keepSessionSQL, userID, nullable(e.SessionID))
	queueDrop(b, userID, f)
	b.Queue(dropStrayCodesSQL, userID)
	b.Queue(dropFactorTicketsSQL, userID)
	b.Queue(endOtherSessionsSQL, userID, nullable(e.SessionID))
	b.Queue(lowerSessionSQL, userID, auth.ProofOf(f.Kind))
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 3)
}

// queueDrop takes one factor off a user; the first of its statements must find it. What was begun to be enrolled in the place of one of
// which there is one of a kind goes with it.
func queueDrop(b *pgx.Batch, userID string, f auth.Factor) {
	switch f.Kind {
	case auth.TOTPFactor:
		b.Queue(turnFactorOffSQL, userID)
		b.Queue(dropFactorsOfSQL, userID, f.Kind)
	case auth.PhoneFactor:
		b.Queue(dropFactorsOfSQL, userID, f.Kind)
	default:
		b.Queue(dropFactorSQL, userID, f.ID)
	}
}

// isFactorProof is the condition, in a path of JSON, that an entry of amr is of a second factor: what auth.ProvesFactor says.
const isFactorProof = `(@.method == "totp" || @.method == "mfa/phone" || @.method == "mfa/webauthn" || @.method == "recovery-code")`

const (
	turnFactorOffSQL     = `update auth.users set active_mfa_type = null, totp_secret = null where id = $1 and active_mfa_type = 'totp'`
	dropFactorsOfSQL     = `delete from auth.factors where user_id = $1 and kind = $2`
	dropFactorSQL        = `delete from auth.factors where user_id = $1 and id = $2::uuid`
	dropFactorTicketsSQL = `delete from auth.tickets where user_id = $1 and purpose in ('mfaTotp', 'factor-challenge')`
	// A recovery code stands in for any factor that is left, and for none that is gone.
	lowerSessionSQL = `update auth.refresh_tokens t set amr = k.amr, aal = case when k.proved then t.aal else 1 end, factor_due = t.factor_due or k.owes and not k.proved
		from (
			select o.id, left_over.amr, u.owes, left_over.amr @? '$[*] ? ` + isFactorProof + `' as proved
			from auth.refresh_tokens o
			join (select u.id,` + hasFactor + ` as owes from auth.users u where u.id = $1) u on u.id = o.user_id
			cross join lateral (select jsonb_path_query_array(o.amr, '$[*] ? (@.method != $word && ($owes == true || @.method != "recovery-code"))',
				jsonb_build_object('word', $2::text, 'owes', u.owes)) as amr) left_over
			where o.user_id = $1 and o.type = 'regular' and o.amr @? '$[*] ? ` + isFactorProof + `'
		) k where t.id = k.id`
)

// AcceptStep takes the code of a step as used, in one statement, if no code of it or of a later one was:
// steps never go backwards. The factor must still be the one whose secret was compared. A secret that
// Hasura Auth keeps is sealed for good when sealed has it. It must run in the transaction of what the
// code is for, as its first statement; a code that comes second is ErrChanged.
func (db *DB) AcceptStep(ctx context.Context, userID string, f Factor, step int64, sealed []byte, now time.Time) error {
	b := &pgx.Batch{}
	b.Queue(holdAppSQL, userID, now)
	b.Queue(acceptStepSQL, f.ID, userID, step, bytesOrNull(sealed), now, f.Shared)
	if sealed != nil {
		b.Queue(unshareSecretSQL, userID)
	}
	return guardedBatch(ctx, db, b, b.Len())
}

const (
	// Whoever changes a factor, or uses it, holds the user first.
	holdAppSQL    = `select from auth.users where id = $1 and` + isOpen + `$2) and active_mfa_type = 'totp' for no key update`
	holdFactorSQL = `select from auth.users u where id = $1 and` + isOpen + `$2) and` + hasFactor + ` for no key update`
	acceptStepSQL = `insert into auth.factors as f (id, user_id, kind, status, secret, last_step, created_at, confirmed_at)
		select $1::uuid, u.id, 'totp', 'active', $4::bytea, $3::bigint, $5::timestamptz, $5::timestamptz
		from auth.users u where u.id = $2 and coalesce(u.totp_secret, '') = $6
		on conflict (user_id, kind, status) where kind in ('totp', 'phone') do update set last_step = excluded.last_step, secret = coalesce(excluded.secret, f.secret)
		where f.id = excluded.id and (f.last_step is null or f.last_step < excluded.last_step)`
	unshareSecretSQL = `update auth.users set totp_secret = null where id = $1`
)

// HoldPhoneFactor keeps a user from being changed who has a telephone as a second factor, of an id and a number: otherwise it is
// ErrChanged. It must run in the transaction of what the code that was sent there is for, as its first statement.
func (db *DB) HoldPhoneFactor(ctx context.Context, userID, id, number string, now time.Time) error {
	b := &pgx.Batch{}
	b.Queue(holdEnabledUserSQL, userID, now)
	b.Queue(holdPhoneFactorSQL, userID, id, number)
	return guardedBatch(ctx, db, b, 2)
}

const holdPhoneFactorSQL = `select from auth.factors where user_id = $1 and id = $2 and kind = 'phone' and status = 'active' and phone_number = $3 for key share`

// UseRecoveryCode takes a recovery code as used, in one statement. It must run in the transaction of
// what the code is for, as its first statement; one that is unknown or used is ErrChanged.
func (db *DB) UseRecoveryCode(ctx context.Context, userID string, hash []byte, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdFactorSQL, userID, e.At)
	b.Queue(useRecoveryCodeSQL, userID, hash, e.At)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const useRecoveryCodeSQL = `update auth.recovery_codes set used_at = $3 where user_id = $1 and code_hash = $2 and used_at is null`

// KnowsRecoveryCode tells whether a recovery code could be used, without using it.
func (db *DB) KnowsRecoveryCode(ctx context.Context, userID string, hash []byte) (knows bool, err error) {
	err = db.QueryRow(ctx, knowsRecoveryCodeSQL, userID, hash).Scan(&knows)
	return knows, err
}

const knowsRecoveryCodeSQL = `select exists (select from auth.recovery_codes where user_id = $1 and code_hash = $2 and used_at is null)`

// RenewRecoveryCodes writes new recovery codes in the place of all others. It must run in a
// transaction.
func (db *DB) RenewRecoveryCodes(ctx context.Context, userID string, ids []string, hashes [][]byte, e Entry) error {
	b := &pgx.Batch{}
	b.Queue(holdFactorSQL, userID, e.At)
	b.Queue(keepSessionSQL, userID, nullable(e.SessionID))
	b.Queue(dropRecoveryCodesSQL, userID)
	b.Queue(addRecoveryCodesSQL, ids, userID, hashes, e.At)
	queueEntry(b, e)
	return guardedBatch(ctx, db, b, 2)
}

const addRecoveryCodesSQL = `insert into auth.recovery_codes (id, user_id, code_hash, created_at)
	select c.id, $2::uuid, c.hash, $4::timestamptz from unnest($1::uuid[], $3::bytea[]) as c(id, hash)`

// RecoveryCodesLeft counts the recovery codes that a user has not used.
func (db *DB) RecoveryCodesLeft(ctx context.Context, userID string) (left int, err error) {
	err = db.QueryRow(ctx, recoveryCodesLeftSQL, userID).Scan(&left)
	return left, err
}

const recoveryCodesLeftSQL = `select count(*) from auth.recovery_codes where user_id = $1 and used_at is null`

// SharesSealedSecrets tells whether the Hasura Auth that may come back reads TOTP secrets that are
// encrypted: those of 0.43 and later, which encrypted what they found or know of three-letter locales.
// An older one reads plain secrets alone, and a newer one both.
func (db *DB) SharesSealedSecrets(ctx context.Context, a Adoption) (bool, error) {
	if a.Version >= 19 {
		return true, nil
	}
	var sealed bool
	err := db.QueryRow(ctx, sharesSealedSecretsSQL).Scan(&sealed)
	return sealed, err
}

const sharesSealedSecretsSQL = `select exists (select from auth.users where totp_secret ~ '^([0-9a-f]{2}){29,}$')`

func bytesOrNull(b []byte) any {
	if len(b) == 0 {
		return nil
	}
	return b
}

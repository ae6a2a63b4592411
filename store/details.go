package store

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"postern/auth"
)

// detailsRow is how Postgres gives auth.Details: the lists as JSON, in one row.
type detailsRow struct {
	Identities, Factors                            json.RawMessage
	EmailConfirmedAt, PhoneConfirmedAt, SignedInAt *time.Time
	NewPhone                                       *string
	NewPhoneAt                                     *time.Time
}

func (r detailsRow) details() (d auth.Details, err error) {
	at := func(t *time.Time) time.Time {
		if t == nil {
			return time.Time{}
		}
		return *t
	}
	d.EmailConfirmedAt, d.PhoneConfirmedAt, d.SignedInAt = at(r.EmailConfirmedAt), at(r.PhoneConfirmedAt), at(r.SignedInAt)
	if r.NewPhone != nil {
		d.NewPhone, d.NewPhoneAt = *r.NewPhone, at(r.NewPhoneAt)
	}
	return d, errors.Join(json.Unmarshal(r.Identities, &d.Identities), json.Unmarshal(r.Factors, &d.Factors))
}

// DetailsOf reads what is known of a user beside their row. A user who is gone is ErrNotFound.
func (db *DB) DetailsOf(ctx context.Context, userID string) (auth.Details, error) {
	row, err := one[detailsRow](ctx, db, detailsOfUserSQL, userID)
	if err != nil {
		return auth.Details{}, err
	}
	return row.details()
}

// WholeOfActor is UserOfActor, with what is known of the user beside their row, in the same round trip.
func (db *DB) WholeOfActor(ctx context.Context, a auth.Actor, alive Alive) (u auth.User, d auth.Details, err error) {
	b := &pgx.Batch{}
	b.Queue(userOfActorSQL, alive.Now, alive.UsedAfter, alive.OpenedAfter, a.UserID, nullable(a.SessionID))
	b.Queue(detailsOfUserSQL, a.UserID)
	results := db.SendBatch(ctx, b)
	defer func() { err = errors.Join(err, results.Close()) }()
	rows, err := results.Query()
	if err != nil {
		return u, d, refusal(err)
	}
	if u, err = collected[auth.User](rows); err != nil {
		return u, d, err
	}
	d, err = readDetails(results)
	return u, d, err
}

// readDetails takes the next result of a batch for details. Of nobody there are none.
func readDetails(results pgx.BatchResults) (auth.Details, error) {
	rows, err := results.Query()
	if err != nil {
		return auth.Details{}, refusal(err)
	}
	row, err := collected[detailsRow](rows)
	switch {
	case errors.Is(err, ErrNotFound):
		return auth.Details{}, nil
	case err != nil:
		return auth.Details{}, err
	}
	return row.details()
}

// The members of the lists are those of auth.Identity and auth.Factor, and their times without a zone would
// not be read. What is infinite was written by hand, and tells nothing.
const detailsColumns = `
	(select coalesce(json_agg(json_build_object('ID', i.id, 'Provider', i.provider_id, 'ProviderUserID', i.provider_user_id, 'Email', coalesce(i.email, ''),
			'EmailVerified', coalesce(i.email_verified, false), 'DisplayName', coalesce(i.profile->>'name', ''), 'Profile', i.profile,
			'CreatedAt', i.created_at, 'UpdatedAt', i.updated_at, 'SignedInAt', coalesce(i.signed_in_at, '0001-01-01Z'::timestamptz)) order by i.created_at, i.id), '[]')
		from auth.user_providers i where i.user_id = u.id) as identities,
	(select coalesce(json_agg(json_build_object('ID', f.id, 'Kind', f.kind, 'Name', coalesce(f.name, ''), 'PhoneNumber', coalesce(f.phone_number, ''),
			'CreatedAt', f.created_at, 'ConfirmedAt', coalesce(f.confirmed_at, '0001-01-01Z'::timestamptz)) order by f.created_at, f.id), '[]')
		from (
			select id, kind, name, phone_number, created_at, confirmed_at from auth.factors where user_id = u.id and (status = 'pending' or kind <> 'totp' or u.active_mfa_type is not null)
			union all select u.id, 'totp', null, null, u.created_at, u.created_at where u.active_mfa_type = 'totp' -- that Hasura Auth enrolled: it has no row
				and not exists (select from auth.factors where user_id = u.id and kind = 'totp' and status = 'active')
		) f) as factors,
	nullif(nullif(u.email_confirmed_at, 'infinity'), '-infinity') as email_confirmed_at,
	nullif(nullif(u.phone_confirmed_at, 'infinity'), '-infinity') as phone_confirmed_at,
	nullif(nullif(u.last_sign_in_at, 'infinity'), '-infinity') as signed_in_at,
	(select t.phone_number from auth.tickets t where t.user_id = u.id and t.purpose = 'phone-change' order by t.created_at desc limit 1) as new_phone,
	(select max(t.created_at) from auth.tickets t where t.user_id = u.id and t.purpose = 'phone-change') as new_phone_at`

const (
	detailsOfUserSQL  = `select` + detailsColumns + ` from auth.users u where u.id = $1`
	detailsOfEmailSQL = `select` + detailsColumns + ` from auth.users u where u.email = $1::text::public.citext`
	detailsOfPhoneSQL = `select` + detailsColumns + ` from auth.users u where u.phone_number = $1`
	detailsOfTokenSQL = `select` + detailsColumns + ` from auth.users u where u.id = (select t.user_id from auth.refresh_tokens t where t.refresh_token_hash = $1 and t.type = 'regular' limit 1)`
)

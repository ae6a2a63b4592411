package store

import (
	"context"
	"fmt"
)

// WaysIn is what a user could sign in by. Whether the operator lets them is not in it.
type WaysIn struct {
	Password      bool
	Email         string
	EmailVerified bool
	Phone         string   // a verified number
	Identities    []string // the provider of each
	Passkeys      int
}

// WaysIn reads what a user could sign in by. In a transaction it holds the user, so that nobody takes
// another way in away before it ends.
func (db *DB) WaysIn(ctx context.Context, userID string) (WaysIn, error) {
	if _, err := db.Exec(ctx, holdUserSQL, userID); err != nil {
		return WaysIn{}, fmt.Errorf("store: %w", err)
	}
	return one[WaysIn](ctx, db, waysInSQL, userID)
}

const waysInSQL = `select coalesce(u.password_hash, '') <> '' as password, coalesce(u.email::text, '') as email, u.email_verified,
		coalesce(case when u.phone_number_verified then u.phone_number end, '') as phone,
		array(select p.provider_id from auth.user_providers p where p.user_id = u.id) as identities,
		(select count(*)::int from auth.user_security_keys s where s.user_id = u.id) as passkeys
	from auth.users u where u.id = $1`

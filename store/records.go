package store

import (
	"context"

	"postern/auth"
)

// UserRecord is a user as operators see them.
type UserRecord struct {
	auth.User
	HasPassword        bool
	PasswordMustChange bool // before anything else, at the next sign-in by password
}

// recordColumns are the columns of a UserRecord, for every statement that names the table u.
const recordColumns = userColumns + `, coalesce(u.password_hash, '') <> '' as has_password, u.password_must_change`

// UserRecord finds a user for an operator.
func (db *DB) UserRecord(ctx context.Context, id string) (UserRecord, error) {
	return one[UserRecord](ctx, db, userRecordSQL, id)
}

const userRecordSQL = `select` + recordColumns + ` from auth.users u where u.id = $1`

package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// Field is a field of a change: given or left out, and if given a value or null.
type Field[T any] struct {
	Given, Null bool
	Value       T
}

// UserChange is what an operator changes of a user. What is left out stays as it is. Null takes away an
// address, a number, a ban and the metadata; nothing else can be null.
type UserChange struct {
	ID          string
	IfUpdatedAt time.Time // the user must not have changed since; zero when that does not matter

	Email               Field[string]
	EmailVerified       Field[bool]
	PhoneNumber         Field[string]
	PhoneNumberVerified Field[bool]
	DisplayName         Field[string]
	AvatarURL           Field[string]
	Locale              Field[string]
	DefaultRole         Field[string]
	Roles               Field[[]string] // all of them
	Metadata            Field[json.RawMessage]
	MetadataPatch       Field[json.RawMessage] // members that take the place of those of their names; null removes one
	AppMetadataPatch    Field[json.RawMessage] // the same of what belongs to the application alone
	Disabled            Field[bool]
	BannedUntil         Field[time.Time]
	Password            Field[string]
}

// changeTries is how often a change is looked at again that met another one of the same user.
const changeTries = 5

// UpdateUser changes a user. Whoever is locked when it is done, or loses a role, loses their sessions with it:
// they may have been locked in SQL before, which ends none.
func (f *Admin) UpdateUser(ctx context.Context, by Operator, in UserChange) (store.UserRecord, error) {
	if err := by.mayChange(); err != nil {
		return store.UserRecord{}, err
	}
	if err := in.checkNulls(); err != nil {
		return store.UserRecord{}, err
	}
	hash, err := f.chosenPassword(ctx, by, in)
	if err != nil {
		return store.UserRecord{}, err
	}
	for range changeTries {
		changed, err := f.updateOnce(ctx, by, in, hash)
		var met again
		if !errors.As(err, &met) {
			return changed, unkept(err)
		}
	}
	return store.UserRecord{}, auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}
}

func (f *Admin) updateOnce(ctx context.Context, by Operator, in UserChange, hash string) (changed store.UserRecord, err error) {
	now := f.Now()
	was, err := f.Store.UserRecord(ctx, in.ID)
	if err != nil {
		return changed, unknown(err, in.ID)
	}
	if err := in.meets(was); err != nil {
		return changed, err
	}
	is, err := f.changed(in, was.User)
	if err != nil {
		return changed, err
	}
	if is, err = f.modifying(ctx, by, is, now); err != nil {
		return changed, err
	}
	d := difference(was.User, is, now)
	if hash != "" {
		if was.IsAnonymous {
			return changed, auth.Invalid{Field: "password", Problem: "cannot be given to a guest, who signs up to have one"}
		}
		d.password, d.fields = true, append(d.fields, "password")
	}
	if err := by.mayGrant(d.added); err != nil {
		return changed, err
	}
	if d.reaches(was.User, now) {
		if err := by.mayReach(was.User); err != nil {
			return changed, err
		}
	}
	told := hooks.PasswordChanged{Event: event(by.Client, now), User: is}
	err = f.inTx(ctx, func(tx *store.DB) error {
		held, err := tx.HoldUserRecord(ctx, in.ID)
		if err != nil {
			return unknown(err, in.ID)
		}
		if err := in.meets(held); err != nil {
			return err
		}
		if !sameButSeen(held.User, was.User) {
			return again{store.ErrChanged}
		}
		if err := f.rolesThere(ctx, tx, is, d); err != nil {
			return err
		}
		c := store.UserChange{User: is, Banned: in.BannedUntil.Given, WithRoles: d.roles, DropTickets: d.email || d.phone || d.password, EndSessions: d.endsSessions(), PasswordHash: hash, LockoutKey: f.lockoutKey(passwordAccount(is))}
		if err := tx.ChangeUser(ctx, c, f.entry(by, "user.updated", is.ID, d.detail())); err != nil {
			return err
		}
		if d.password {
			if err := f.tellOfChosen(ctx, tx, told); err != nil {
				return err
			}
		}
		if err := f.tellOfAddresses(ctx, tx, by, was.User, is, d); err != nil {
			return err
		}
		changed, err = tx.UserRecord(ctx, is.ID)
		return err
	})
	if err == nil && d.password {
		f.passwordChanged(ctx, told)
	}
	return changed, err
}

// unknown is what it means to operators that there is no user.
func unknown(err error, id string) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: user %s", auth.NotFound, id)
	}
	return err
}

// meets refuses a change of somebody who is deleted, or not as the operator knows them.
func (in UserChange) meets(u store.UserRecord) error {
	switch {
	case !u.DeletedAt.IsZero():
		return auth.Invalid{Field: "id", Problem: "must be that of a user who is not deleted"}
	case !in.IfUpdatedAt.IsZero() && !u.UpdatedAt.Equal(in.IfUpdatedAt):
		return fmt.Errorf("%w: user %s", auth.Conflict, u.ID)
	}
	return nil
}

// sameButSeen tells whether two looks at a user show the same, but for when they were last seen.
func sameButSeen(a, b auth.User) bool {
	a.LastSeen, a.UpdatedAt = b.LastSeen, b.UpdatedAt
	return reflect.DeepEqual(a, b)
}

// modifying has hooks asked about a user whom an operator changes, and gives the user as they want them.
func (f *Admin) modifying(ctx context.Context, by Operator, u auth.User, now time.Time) (auth.User, error) {
	if f.Hooks == nil || !f.Hooks.UserModified.Bound() {
		return u, nil
	}
	e := hooks.UserModified{Event: event(by.Client, now), User: u}
	if err := f.Hooks.UserModified.Ask(ctx, &e); err != nil {
		return u, err
	}
	metadata, _, err := e.Metadata(u.Metadata)
	u.Metadata = metadata
	return u, err
}

// rolesThere refuses roles that do not exist, and keeps those that do.
func (f *Admin) rolesThere(ctx context.Context, tx *store.DB, is auth.User, d userDifference) error {
	if !d.roles {
		return nil
	}
	missing, err := tx.HoldRoles(ctx, is.AllowedRoles())
	if err == nil && len(missing) > 0 {
		err = noSuchRole("roles", missing)
	}
	return err
}

// tellOfAddresses tells the user of another address or number, as when they change it themselves.
func (f *Admin) tellOfAddresses(ctx context.Context, tx *store.DB, by Operator, was, is auth.User, d userDifference) error {
	if d.email {
		n := notice{template: "email-changed", to: was.Email, user: is, client: by.Client, detail: map[string]string{"oldEmail": was.Email}}
		if err := f.notify(ctx, tx, n); err != nil {
			return err
		}
	}
	if d.phone && was.PhoneNumber != "" {
		n := notice{template: "phone-changed", to: is.Email, user: is, client: by.Client, detail: map[string]string{"oldPhone": was.PhoneNumber}}
		return f.notify(ctx, tx, n)
	}
	return nil
}

// userDifference are what a change comes to.
type userDifference struct {
	fields       []string // that have another value
	email, phone bool     // another one, or none any more
	roles        bool
	added, taken []string // roles
	locked       bool     // they may not come in
	password     bool     // another one
	is           auth.User
}

// difference compares a user before and after.
func difference(was, is auth.User, now time.Time) userDifference {
	d := userDifference{email: !strings.EqualFold(was.Email, is.Email), phone: was.PhoneNumber != is.PhoneNumber, is: is}
	d.locked = is.IsLocked(now)
	d.added, d.taken = without(is.AllowedRoles(), was.AllowedRoles()), without(was.AllowedRoles(), is.AllowedRoles())
	d.roles = was.DefaultRole != is.DefaultRole || len(d.added)+len(d.taken) > 0 || len(without(is.Roles, was.Roles))+len(without(was.Roles, is.Roles)) > 0
	for _, f := range []struct {
		name    string
		changed bool
	}{
		{"email", was.Email != is.Email},
		{"emailVerified", was.EmailVerified != is.EmailVerified},
		{"phoneNumber", d.phone},
		{"phoneNumberVerified", was.PhoneNumberVerified != is.PhoneNumberVerified},
		{"displayName", was.DisplayName != is.DisplayName},
		{"avatarUrl", was.AvatarURL != is.AvatarURL},
		{"locale", was.Locale != is.Locale},
		{"defaultRole", was.DefaultRole != is.DefaultRole},
		{"roles", len(d.added)+len(d.taken) > 0},
		{"metadata", !slices.Equal(was.Metadata, is.Metadata)},
		{"disabled", was.Disabled != is.Disabled},
		{"bannedUntil", !was.BannedUntil.Equal(is.BannedUntil)},
	} {
		if f.changed {
			d.fields = append(d.fields, f.name)
		}
	}
	return d
}

// without are the members of a that b does not have.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}

// endsSessions tells whether the user's sessions end: what they were opened with is no longer so, or nobody may
// use them.
func (d userDifference) endsSessions() bool { return d.locked || d.password || len(d.taken) > 0 }

// reaches tells whether a change opens or closes a way in, or lifts a lock: by it somebody else might come in.
func (d userDifference) reaches(was auth.User, now time.Time) bool {
	return slices.ContainsFunc(d.fields, func(name string) bool {
		return slices.Contains([]string{emailField, "emailVerified", phoneField, "phoneNumberVerified", "password"}, name)
	}) || was.Disabled && !d.is.Disabled || was.BannedUntil.After(now) && d.is.BannedUntil.Before(was.BannedUntil)
}

// detail is what the audit log says of a change: which fields, and of what is about rights, how. What is
// personal is not in it.
func (d userDifference) detail() map[string]any {
	detail := map[string]any{"changed": append([]string{}, d.fields...)}
	if len(d.added) > 0 {
		detail["rolesAdded"] = d.added
	}
	if len(d.taken) > 0 {
		detail["rolesTaken"] = d.taken
	}
	if slices.Contains(d.fields, "disabled") {
		detail["disabled"] = d.is.Disabled
	}
	if slices.Contains(d.fields, "bannedUntil") && !d.is.BannedUntil.IsZero() {
		detail["bannedUntil"] = d.is.BannedUntil
	}
	if d.endsSessions() {
		detail["sessionsEnded"] = true
	}
	return detail
}

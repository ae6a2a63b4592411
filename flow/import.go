package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/store"
	"postern/tokens"
)

// Import is the desk for users who come from another system, with their passwords and ids.
type Import struct {
	Store       *store.DB
	Keys        *tokens.Keyring
	DefaultRole string   // of those who are no guests
	Roles       []string // that they may take
	Locale      string
	Now         func() time.Time
}

// NewImport opens the desk. Users get the roles that those who sign up get.
func NewImport(db *store.DB, keys *tokens.Keyring, s Settings, now func() time.Time) *Import {
	return &Import{Store: db, Keys: keys, DefaultRole: s.DefaultRole, Roles: with(s.AllowedRoles, s.DefaultRole), Locale: s.DefaultLocale, Now: now}
}

// ImportReport tells what an import did, or would do.
type ImportReport struct {
	Users      int // that were looked at
	New        int // that were written, or would be
	Here       int // that were here already, and stay as they are
	Passwords  int
	Factors    int
	Identities int
	Guests     int
	Deleted    int
	Refused    []ImportNote // who cannot come, and why
	Notes      []ImportNote // of whom something is left behind
}

// ImportNote is a word about one user.
type ImportNote struct{ ID, Email, Text string }

// importedFrom is where users came from, in the audit log.
const importedFrom = "supabase"

// Supabase brings users of a Supabase Auth, or looks what would become of them. Who is here already stays as they are,
// so it can be done again. A user comes with all that is theirs, or not at all.
func (f *Import) Supabase(ctx context.Context, users []store.SupabaseUser, commit bool, report *ImportReport) error {
	report.Users += len(users)
	coming := make([]newcomerFrom, 0, len(users))
	for _, u := range users {
		c, err := f.arriving(u)
		if err != nil {
			report.refuse(u, err.Error())
			continue
		}
		coming = append(coming, c)
	}
	coming, err := f.free(ctx, coming, report)
	if err != nil || len(coming) == 0 {
		return err
	}
	if !commit {
		for _, c := range coming {
			report.count(c)
		}
		return nil
	}
	if f.write(ctx, coming...) == nil {
		for _, c := range coming {
			report.count(c)
		}
		return nil
	}
	for _, c := range coming { // one of them is in the way of the others
		if err := f.write(ctx, c); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			report.refuse(c.was, "the database does not take them: "+err.Error())
			continue
		}
		report.count(c)
	}
	return nil
}

// newcomerFrom is a user from elsewhere, as they were and as they will be.
type newcomerFrom struct {
	was   store.SupabaseUser
	is    store.ImportedUser
	notes []string
}

func (f *Import) write(ctx context.Context, coming ...newcomerFrom) error {
	users := make([]store.ImportedUser, len(coming))
	for i, c := range coming {
		users[i] = c.is
	}
	return f.Store.InTx(ctx, func(tx *store.DB) error { return tx.ImportUsers(ctx, importedFrom, users, f.Now()) })
}

// free leaves those in whose way nothing is.
func (f *Import) free(ctx context.Context, coming []newcomerFrom, report *ImportReport) ([]newcomerFrom, error) {
	users := make([]store.ImportedUser, len(coming))
	for i, c := range coming {
		users[i] = c.is
	}
	list, err := f.Store.ImportConflicts(ctx, users)
	if err != nil {
		return nil, err
	}
	conflicts := map[string]store.ImportConflict{}
	for _, c := range list {
		conflicts[c.ID] = c
	}
	left := make([]newcomerFrom, 0, len(coming))
	for _, c := range coming {
		switch in := conflicts[c.is.ID]; {
		case in.Here:
			report.Here++
		case in.Buried:
			report.refuse(c.was, "a user of this id was deleted here")
		case in.Email:
			report.refuse(c.was, "another user here has the address")
		case in.Phone:
			report.refuse(c.was, "another user here has the telephone number")
		case in.Identity:
			report.refuse(c.was, "another user here has an account of theirs at a provider")
		default:
			left = append(left, c)
		}
	}
	return left, nil
}

func (r *ImportReport) refuse(u store.SupabaseUser, why string) {
	r.Refused = append(r.Refused, ImportNote{u.ID, u.Email, why})
}

func (r *ImportReport) count(c newcomerFrom) {
	r.New++
	r.Factors += len(c.is.Factors)
	r.Identities += len(c.is.Identities)
	for field, is := range map[*int]bool{&r.Passwords: c.is.PasswordHash != nil, &r.Guests: c.is.IsAnonymous, &r.Deleted: c.is.DeletedAt != nil} {
		if is {
			*field++
		}
	}
	for _, n := range c.notes {
		r.Notes = append(r.Notes, ImportNote{c.was.ID, c.was.Email, n})
	}
}

// Ready refuses databases to which nobody may come with what another server could not read.
func (f *Import) Ready(ctx context.Context, commit bool) error {
	adoption, err := f.Store.Adoption(ctx)
	switch {
	case err != nil:
		return err
	case adoption.MayHandBack():
		return errors.New("this database may be handed back to Hasura Auth, which could not read the users: run 'postern adopt --commit' first")
	case !commit:
		return nil
	}
	return f.Store.EnsureRoles(ctx, append([]string{GuestRole}, f.Roles...))
}

// errSealedThere says what to do about what another server encrypted.
func errSealedThere(what string) error {
	return fmt.Errorf("%s is encrypted there (GOTRUE_SECURITY_DB_ENCRYPTION_ENCRYPT): no import can read it; the user can move one sign-in at a time, by the hook password_unknown", what)
}

// roles are those of a newcomer.
func (f *Import) roles(guest bool) (role string, all []string) {
	if guest {
		return GuestRole, []string{GuestRole}
	}
	return f.DefaultRole, f.Roles
}

// someTime is a time that may be unknown.
func someTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// some is a text that may be missing.
func some(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

var errNoSAML = errors.New("signs in by SAML, which is not there")

// erased is somebody who was deleted there and whose row stayed: of such users only that is kept here, too.
func (f *Import) erased(u store.SupabaseUser) newcomerFrom {
	role, all := f.roles(u.IsAnonymous)
	return newcomerFrom{was: u, is: store.ImportedUser{
		ID: u.ID, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.DeletedAt.Time, DeletedAt: &u.DeletedAt.Time, Disabled: true, Locale: f.Locale,
		DefaultRole: role, Roles: all, IsAnonymous: u.IsAnonymous, Identities: []store.ImportedIdentity{}, Factors: []store.ImportedFactor{},
	}}
}

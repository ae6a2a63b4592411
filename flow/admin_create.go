package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/passwords"
	"postern/store"
	"postern/tokens"
)

// UserCreation is a user whom an operator makes. The limits of sign-ups, the access lists among them, do
// not bind operators.
type UserCreation struct {
	ID                  string // empty draws one
	Email               string
	EmailVerified       bool
	PhoneNumber         string
	PhoneNumberVerified bool
	DisplayName         *string // nil is the address, or the number
	AvatarURL           *string // nil is Gravatar's, where that is on
	Locale              *string // nil is the default
	DefaultRole         *string // nil is that of new users
	Roles               []string
	RolesGiven          bool // otherwise they are those of new users
	Metadata            json.RawMessage
	Disabled            bool
	BannedUntil         time.Time // zero for no ban

	// What lets them in, one at most. Without any they come in by a link, a code or a provider.
	Password     *string
	PasswordHash *string // of a password that they have elsewhere
	Invited      bool    // they are mailed a link
	RedirectTo   string  // where that leads
}

// CreateUser makes a user. Operators' code that may refuse a new user is asked of those who are invited,
// as with GoTrue: of others nobody wants to come in yet.
func (f *Admin) CreateUser(ctx context.Context, by Operator, in UserCreation) (made store.UserRecord, err error) {
	if err := by.mayChange(); err != nil {
		return made, err
	}
	now := f.Now()
	user, err := f.drafted(in, now)
	if err != nil {
		return made, err
	}
	if err := by.mayGrant(user.AllowedRoles()); err != nil {
		return made, err
	}
	redirectTo, err := f.invitable(in)
	if err != nil {
		return made, err
	}
	hash, err := f.firstPassword(ctx, in)
	if err != nil {
		return made, err
	}
	b := birth{user: user, method: "link", client: by.Client, now: now}
	if in.Invited {
		if user, err = f.creating(ctx, b); err != nil {
			return made, err
		}
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		e := f.entry(by, "user.created", user.ID, map[string]any{"method": byOperator, "invited": in.Invited})
		u := store.NewUser{User: user, PasswordHash: hash, PasswordMustChange: in.Password != nil && f.Settings.MustChange}
		if err := f.addDrafted(ctx, tx, u, e); err != nil {
			return err
		}
		if in.Invited {
			l := link{user: user, to: user.Email, purpose: auth.Invitation, redirectTo: redirectTo, client: by.Client, now: now}
			if err := f.sendLink(ctx, tx, l); err != nil {
				return err
			}
		}
		made, err = tx.UserRecord(ctx, user.ID)
		return err
	})
	if err != nil {
		return made, unkept(err)
	}
	if in.Invited {
		b.user = made.User
		err = f.created(ctx, b)
	}
	return made, err
}

// addDrafted writes a user whose id nobody had before, and whose roles exist.
func (f *Admin) addDrafted(ctx context.Context, tx *store.DB, u store.NewUser, e store.Entry) error {
	missing, err := tx.HoldRoles(ctx, append([]string{u.DefaultRole}, u.Roles...))
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return noSuchRole(rolesField, missing)
	}
	if err := f.add(ctx, tx, u, e); err != nil {
		return err
	}
	buried, err := tx.IsBuried(ctx, u.ID) // after the row is there: whoever deletes the owner of the id was waited for
	if err == nil && buried {
		err = store.ErrIDTaken
	}
	return err
}

// drafted is the user that an operator describes, if there can be one.
func (f *Admin) drafted(in UserCreation, now time.Time) (auth.User, error) {
	u := auth.User{
		ID: in.ID, CreatedAt: now, Disabled: in.Disabled, BannedUntil: in.BannedUntil, EmailVerified: in.EmailVerified, PhoneNumberVerified: in.PhoneNumberVerified,
		Locale: f.Policy.DefaultLocale, DefaultRole: f.Policy.DefaultRole, Roles: f.Policy.AllowedRoles,
	}
	switch {
	case in.ID == "":
		u.ID = tokens.NewUUID()
	case !tokens.IsUUID(in.ID) || strings.Trim(in.ID, "0-") == "":
		return u, auth.Invalid{Field: "id", Problem: "must be a UUID, and not that of all zeros"}
	}
	if err := f.addressed(in, &u); err != nil {
		return u, err
	}
	if err := f.described(in, &u); err != nil {
		return u, err
	}
	return u, f.rolled(in, &u)
}

// addressed sets what the user is reached by.
func (f *Admin) addressed(in UserCreation, u *auth.User) (err error) {
	switch {
	case in.Email == "" && in.PhoneNumber == "":
		return auth.Invalid{Field: "input", Problem: "must have an email or a phoneNumber"}
	case in.Email == "" && in.EmailVerified:
		return auth.Invalid{Field: "emailVerified", Problem: "cannot be true without an email"}
	case in.PhoneNumber == "" && in.PhoneNumberVerified:
		return auth.Invalid{Field: "phoneNumberVerified", Problem: "cannot be true without a phoneNumber"}
	}
	if in.Email != "" {
		if u.Email, err = givenEmail(in.Email); err != nil {
			return err
		}
		u.DisplayName, u.AvatarURL = u.Email, f.Policy.gravatar(u.Email)
	}
	if in.PhoneNumber != "" {
		if u.PhoneNumber, err = givenPhone(in.PhoneNumber); err != nil {
			return err
		}
		if u.Email == "" {
			u.DisplayName = u.PhoneNumber
		}
	}
	return nil
}

// described sets what the user is shown by, and what the application stores.
func (f *Admin) described(in UserCreation, u *auth.User) (err error) {
	if in.DisplayName != nil {
		if u.DisplayName, err = givenName(*in.DisplayName); err != nil {
			return err
		}
	}
	if in.AvatarURL != nil {
		if u.AvatarURL, err = givenPicture(*in.AvatarURL); err != nil {
			return err
		}
	}
	if in.Locale != nil {
		if u.Locale, err = f.Policy.givenLocale(*in.Locale); err != nil {
			return err
		}
	}
	object, err := givenMetadata(metadataField, in.Metadata)
	if err == nil && object != nil {
		u.Metadata = in.Metadata
	}
	return err
}

// rolled sets the roles. The default role is one of them.
func (f *Admin) rolled(in UserCreation, u *auth.User) (err error) {
	if in.DefaultRole != nil {
		if !isRole(*in.DefaultRole) {
			return auth.Invalid{Field: roleField, Problem: fmt.Sprintf("must be a role of 1 to %d characters", mostRole)}
		}
		u.DefaultRole = *in.DefaultRole
	}
	if !in.RolesGiven {
		u.Roles = with(u.Roles, u.DefaultRole)
		return nil
	}
	if u.Roles, err = givenRoles(in.Roles); err == nil {
		err = defaultAmong(*u)
	}
	return err
}

// defaultAmong refuses a default role that is not among the roles: users may take it all the same, so a
// list without it would not say what they may.
func defaultAmong(u auth.User) error {
	for _, r := range u.Roles {
		if r == u.DefaultRole {
			return nil
		}
	}
	return auth.Invalid{Field: rolesField, Problem: fmt.Sprintf("must have the default role among them, which is %q", u.DefaultRole)}
}

// invitable tells where an invitation leads, if one can be sent.
func (f *Admin) invitable(in UserCreation) (redirectTo string, err error) {
	switch {
	case !in.Invited:
		return "", nil
	case in.Email == "":
		return "", auth.Invalid{Field: "invitation", Problem: "needs an email to go to"}
	case in.EmailVerified:
		return "", auth.Invalid{Field: "emailVerified", Problem: "cannot be true beside an invitation, which asks the owner of the address"}
	case in.PhoneNumber != "":
		return "", auth.Invalid{Field: phoneField, Problem: "cannot be given beside an invitation: it would be another way in before the address is proved"}
	case in.Disabled:
		return "", auth.Invalid{Field: "disabled", Problem: "cannot be true beside an invitation, which nobody could accept"}
	case !f.MailReady:
		return "", auth.MailNotConfigured
	}
	return f.Policy.Redirect(in.RedirectTo)
}

// firstPassword is the hash of the password that the user begins with; empty when they have none.
func (f *Admin) firstPassword(ctx context.Context, in UserCreation) (string, error) {
	field := "password"
	if in.PasswordHash != nil {
		field = "passwordHash"
	}
	switch {
	case in.Password == nil && in.PasswordHash == nil:
		return "", nil
	case in.Password != nil && in.PasswordHash != nil, in.Invited:
		return "", auth.Invalid{Field: field, Problem: "cannot be given beside another of password, passwordHash and invitation"}
	case in.Email == "":
		return "", auth.Invalid{Field: field, Problem: "needs an email, which a password is used with"}
	case in.PasswordHash != nil:
		return *in.PasswordHash, f.imported(ctx, *in.PasswordHash)
	case f.Settings.MustChange && !f.MailReady:
		return "", auth.Invalid{Field: field, Problem: "must be changed at first use, by a mail that this server cannot send: set up a mail server, or AUTH_ADMIN_PASSWORD_MUST_CHANGE=false"}
	}
	if err := f.PasswordPolicy.Check(ctx, *in.Password); err != nil {
		return "", err
	}
	return f.Passwords.Hash(ctx, *in.Password)
}

// imported checks a hash from elsewhere. What it costs to compare is measured before the user is there, so
// that a refused sign-in does not tell them from nobody.
func (f *Admin) imported(ctx context.Context, hash string) error {
	if passwords.Check(hash) != nil {
		return auth.Invalid{Field: "passwordHash", Problem: "must be " + passwords.Kinds}
	}
	if f.HandBack && !passwords.IsBcrypt(hash) {
		return auth.Invalid{Field: "passwordHash", Problem: "must be of bcrypt while Hasura Auth may be started again on this database (postern adopt --commit ends that)"}
	}
	return f.Passwords.Learn(ctx, hash)
}

// unkept words what the database could not keep of what an operator gave.
func unkept(err error) error {
	switch {
	case errors.Is(err, store.ErrIDTaken):
		return auth.Invalid{Field: "id", Problem: "must be one that no user has or had"}
	case store.IsBadValue(err):
		return fmt.Errorf("%w: %w", auth.Invalid{Field: "input", Problem: "has a value that Postgres does not keep, such as the character U+0000 or a number that is too large"}, err)
	}
	return err
}

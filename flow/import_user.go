package flow

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/passwords"
	"postern/sms"
	"postern/store"
	"postern/tokens"
	"postern/totp"
	"postern/userobject"
)

// arriving is a user of a Supabase Auth as they will be here, or why they cannot be.
func (f *Import) arriving(u store.SupabaseUser) (newcomerFrom, error) {
	switch {
	case u.Unread != nil:
		return newcomerFrom{}, fmt.Errorf("cannot be read: %w", u.Unread)
	case strings.Trim(u.ID, "0-") == "":
		return newcomerFrom{}, errors.New("has the id of nobody")
	case u.IsSSO:
		return newcomerFrom{}, errNoSAML
	}
	if u.CreatedAt.IsZero() {
		u.CreatedAt.Time = f.Now()
	}
	if u.UpdatedAt.IsZero() {
		u.UpdatedAt = u.CreatedAt
	}
	if !u.DeletedAt.IsZero() {
		return f.erased(u), nil
	}
	c := newcomerFrom{was: u}
	role, all := f.roles(u.IsAnonymous)
	c.is = store.ImportedUser{
		ID: u.ID, CreatedAt: u.CreatedAt.Time, UpdatedAt: u.UpdatedAt.Time, LastSeen: someTime(u.LastSignInAt.Time), BannedUntil: someTime(u.BannedUntil.Time),
		Locale: f.Locale, DefaultRole: role, Roles: all, IsAnonymous: u.IsAnonymous,
	}
	for _, step := range []func() error{c.reached, c.passworded, c.described, c.known, func() error { return c.secured(f.Keys) }} {
		if err := step(); err != nil {
			return c, err
		}
	}
	if u.Role != "" && u.Role != userobject.Authenticated {
		c.notes = append(c.notes, fmt.Sprintf("the role %q is not kept: give them one of yours", u.Role))
	}
	return c, nil
}

// reached sets address and number.
func (c *newcomerFrom) reached() error {
	u := c.was
	if u.Email != "" {
		email := strings.ToLower(u.Email)
		if !ValidEmail(email) {
			return errors.New("has an address that is none")
		}
		c.is.Email, c.is.EmailConfirmedAt = &email, someTime(u.EmailConfirmedAt.Time)
		if u.EmailConfirmedAt.IsZero() && u.PhoneConfirmedAt.IsZero() { // a version that knew one confirmation alone
			c.is.EmailConfirmedAt = someTime(u.ConfirmedAt.Time)
		}
	}
	if u.Phone != "" {
		number := "+" + userobject.Bare(u.Phone)
		if !sms.ValidNumber(number) {
			return errors.New("has a telephone number that is none")
		}
		c.is.Phone, c.is.PhoneConfirmedAt = &number, someTime(u.PhoneConfirmedAt.Time)
	}
	return nil
}

// sealed tells whether something was encrypted by the other server.
func sealedThere(s string) bool { return strings.HasPrefix(s, "{") }

func (c *newcomerFrom) passworded() error {
	hash := c.was.PasswordHash
	switch {
	case hash == "":
		return nil
	case sealedThere(hash):
		return errSealedThere("the password hash")
	}
	if err := passwords.Check(hash); err != nil {
		return fmt.Errorf("the password %w", err)
	}
	c.is.PasswordHash = &hash
	return nil
}

// described sets what the user and the application say of the user. What only the application may say comes from its own
// column alone: a member of that name among what the user said is dropped, for it would pass for the other.
func (c *newcomerFrom) described() error {
	users, err := objectOf(c.was.UserMetadata)
	if err != nil {
		return fmt.Errorf("raw_user_meta_data %w", err)
	}
	apps, err := objectOf(c.was.AppMetadata)
	if err != nil {
		return fmt.Errorf("raw_app_meta_data %w", err)
	}
	if _, there := users[auth.AppMetadata]; there {
		c.notes = append(c.notes, "the member app_metadata of the user's own data is left out")
	}
	for _, derived := range []string{auth.AppMetadata, "email_verified", "phone_verified"} {
		delete(users, derived)
	}
	for name, value := range map[string]string{"sub": c.was.ID, "email": strings.ToLower(c.was.Email), "phone": userobject.Bare(c.was.Phone)} {
		if text, ok := users[name].(string); ok && strings.EqualFold(text, value) {
			delete(users, name)
		}
	}
	delete(apps, "provider")
	delete(apps, "providers")
	c.is.DisplayName, c.is.AvatarURL = shownAs(users, c.was), pictured(users)
	all := userobject.Join(users, apps)
	if len(all) == 0 {
		return nil
	}
	c.is.Metadata, err = json.Marshal(all)
	return err
}

// shownAs is the name that a user is shown by.
func shownAs(said map[string]any, u store.SupabaseUser) string {
	for _, member := range []string{"full_name", "name", "display_name"} {
		if text, ok := said[member].(string); ok && text != "" {
			if name, err := givenName(text); err == nil {
				return name
			}
		}
	}
	if u.Email != "" {
		return strings.ToLower(u.Email)
	}
	if u.Phone != "" {
		return "+" + userobject.Bare(u.Phone)
	}
	return ""
}

func pictured(said map[string]any) string {
	for _, member := range []string{"avatar_url", "picture"} {
		if text, ok := said[member].(string); ok && text != "" {
			if address, err := givenPicture(text); err == nil {
				return address
			}
		}
	}
	return ""
}

// objectOf reads a JSON object, whose numbers stay as they are; nothing is an empty one.
func objectOf(text json.RawMessage) (map[string]any, error) {
	object := map[string]any{}
	if len(text) == 0 || string(text) == "null" {
		return object, nil
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if d.Decode(&object) != nil || object == nil {
		return nil, errors.New("is no object")
	}
	return object, nil
}

// known sets the accounts at providers. An address or a number of one's own has no row here. Which of both came first is
// told by when they began: the oldest is where the user came from.
func (c *newcomerFrom) known() error {
	c.is.Identities = []store.ImportedIdentity{}
	own := slices.ContainsFunc(c.was.Identities, func(i store.SupabaseIdentity) bool { return i.Provider == userobject.Email })
	for _, i := range c.was.Identities {
		switch {
		case i.Provider == userobject.Email, i.Provider == userobject.Phone:
			continue
		case strings.HasPrefix(i.Provider, "sso:"):
			return errNoSAML
		}
		one, err := identityOf(i, c.was)
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.is.Identities, func(had store.ImportedIdentity) bool {
			return had.Provider == one.Provider && had.Subject == one.Subject
		}) {
			continue // one account, known there by the provider's older and newer way in
		}
		switch born := c.is.CreatedAt; {
		case own && !one.CreatedAt.After(born):
			one.CreatedAt = born.Add(time.Microsecond)
		case !own && len(c.is.Identities) == 0 && one.CreatedAt.After(born):
			one.CreatedAt = born
		}
		c.is.Identities = append(c.is.Identities, one)
	}
	return nil
}

// providerNames are the providers that have another name here: of both ways in that these two had, the one that is left.
var providerNames = map[string]string{"linkedin_oidc": "linkedin", "slack_oidc": "slack"}

func identityOf(i store.SupabaseIdentity, u store.SupabaseUser) (one store.ImportedIdentity, err error) {
	said, err := objectOf(i.Data)
	if err != nil {
		return one, fmt.Errorf("identity_data of the account at %s %w", i.Provider, err)
	}
	one = store.ImportedIdentity{
		ID: i.ID, Provider: cmp.Or(providerNames[i.Provider], i.Provider), Subject: i.Subject, Profile: i.Data, CreatedAt: i.CreatedAt.Time, UpdatedAt: i.UpdatedAt.Time, SignedInAt: someTime(i.LastSignInAt.Time),
	}
	if i.Subject == "" { // an older version, in which the one was the other
		one.ID, one.Subject = tokens.NewUUID(), i.ID
	}
	if i.Provider == "" || one.Subject == "" || !tokens.IsUUID(one.ID) {
		return one, errors.New("has an account at a provider without a name, or without an id there")
	}
	if one.CreatedAt.IsZero() {
		one.CreatedAt = u.CreatedAt.Time
	}
	if one.UpdatedAt.IsZero() {
		one.UpdatedAt = one.CreatedAt
	}
	if email, ok := said["email"].(string); ok && ValidEmail(strings.ToLower(email)) {
		one.Email = some(strings.ToLower(email))
		one.EmailVerified, _ = said["email_verified"].(bool)
	}
	return one, nil
}

// secured sets the second factors. Nobody comes who had one and would have none here: their password alone would let them in. Of several
// authenticator apps the one that was used last stays, and of several telephones.
func (c *newcomerFrom) secured(keys *tokens.Keyring) error {
	c.is.Factors = []store.ImportedFactor{}
	app, apps := c.usedLast(auth.TOTPFactor)
	phone, phones := c.usedLast(auth.PhoneFactor)
	_, left := c.usedLast("")
	switch {
	case apps+phones == 0 && left > 0:
		return errors.New("has a security key and no other second factor: it cannot be moved, and without it the account would be open to whoever has the password")
	case left > 0:
		c.notes = append(c.notes, "security keys are left behind; the other second factors stay")
	}
	for kind, several := range map[string]struct {
		n    int
		kept store.SupabaseFactor
	}{"authenticator apps": {apps, app}, "telephones as second factors": {phones, phone}} {
		if several.n > 1 {
			c.notes = append(c.notes, fmt.Sprintf("of %d %s only %q, which was used last, is kept", several.n, kind, several.kept.Name))
		}
	}
	if apps > 0 {
		if err := c.withApp(app, keys); err != nil {
			return err
		}
	}
	if phones == 0 {
		return nil
	}
	number := "+" + userobject.Bare(phone.Phone)
	if !sms.ValidNumber(number) {
		return errors.New("has a second factor whose telephone number is none")
	}
	c.is.Factors = append(c.is.Factors, store.ImportedFactor{ID: phone.ID, Kind: auth.PhoneFactor, Name: some(phone.Name), Phone: &number, CreatedAt: phone.CreatedAt.Time})
	return nil
}

// usedLast is the verified factor of a kind that was used last, and how many there are; of kinds that cannot be moved where it is empty.
func (c *newcomerFrom) usedLast(kind string) (last store.SupabaseFactor, n int) {
	lately := func(f store.SupabaseFactor) time.Time {
		if f.LastChallengedAt.IsZero() {
			return f.CreatedAt.Time
		}
		return f.LastChallengedAt.Time
	}
	for _, f := range c.was.Factors {
		is := f.Kind
		if is != auth.TOTPFactor && is != auth.PhoneFactor {
			is = ""
		}
		if f.Status != "verified" || is != kind {
			continue
		}
		if n++; n == 1 || lately(f).After(lately(last)) {
			last = f
		}
	}
	return last, n
}

func (c *newcomerFrom) withApp(app store.SupabaseFactor, keys *tokens.Keyring) error {
	if sealedThere(app.Secret) {
		return errSealedThere("the secret of the authenticator app")
	}
	secret, err := totp.ParseSecret(app.Secret)
	if err != nil {
		return fmt.Errorf("has an authenticator app whose secret cannot be read: %w", err)
	}
	sealed, err := keys.Seal(factorSeal(c.is.ID), []byte(secret.Base32()))
	if err != nil {
		return err
	}
	c.is.Factors = append(c.is.Factors, store.ImportedFactor{ID: app.ID, Kind: auth.TOTPFactor, Name: some(app.Name), Sealed: sealed, CreatedAt: app.CreatedAt.Time})
	return nil
}

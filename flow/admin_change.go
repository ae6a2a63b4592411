package flow

import (
	"encoding/json"
	"fmt"
	"strings"

	"postern/auth"
)

// changed is a user as an operator wants them, if they can be so.
func (f *Admin) changed(in UserChange, u auth.User) (auth.User, error) {
	for _, set := range []func(UserChange, *auth.User) error{f.setEmail, f.setPhone, f.setProfile, f.setRoles, f.setMetadata} {
		if err := set(in, &u); err != nil {
			return u, err
		}
	}
	if in.Disabled.Given {
		u.Disabled = in.Disabled.Value
	}
	if in.BannedUntil.Given {
		u.BannedUntil = in.BannedUntil.Value
	}
	return u, nil
}

// checkNulls refuses a change of nothing, and null where something must be.
func (in UserChange) checkNulls() error {
	given := in.Email.Given || in.PhoneNumber.Given || in.Metadata.Given || in.BannedUntil.Given
	for _, f := range []struct {
		name        string
		given, null bool
	}{
		{"emailVerified", in.EmailVerified.Given, in.EmailVerified.Null},
		{"phoneNumberVerified", in.PhoneNumberVerified.Given, in.PhoneNumberVerified.Null},
		{"displayName", in.DisplayName.Given, in.DisplayName.Null},
		{"avatarUrl", in.AvatarURL.Given, in.AvatarURL.Null},
		{"locale", in.Locale.Given, in.Locale.Null},
		{"defaultRole", in.DefaultRole.Given, in.DefaultRole.Null},
		{"roles", in.Roles.Given, in.Roles.Null},
		{"metadataPatch", in.MetadataPatch.Given, in.MetadataPatch.Null},
		{"appMetadataPatch", in.AppMetadataPatch.Given, in.AppMetadataPatch.Null},
		{"password", in.Password.Given, in.Password.Null},
		{"disabled", in.Disabled.Given, in.Disabled.Null},
	} {
		if f.null {
			return auth.Invalid{Field: f.name, Problem: "must not be null; left out, it stays as it is"}
		}
		given = given || f.given
	}
	if !given {
		return auth.Invalid{Field: "input", Problem: "must say what to change"}
	}
	return nil
}

// setEmail sets the address. Another one counts as not proved unless the operator says so, and ends the wait
// for the one that the user asked for.
func (f *Admin) setEmail(in UserChange, u *auth.User) (err error) {
	if u.IsAnonymous && (in.Email.Given || in.EmailVerified.Given) {
		return auth.Invalid{Field: "email", Problem: "cannot be given to a guest, who signs up to have one"}
	}
	was := u.Email
	switch {
	case in.Email.Null:
		u.Email = ""
	case in.Email.Given:
		if u.Email, err = givenEmail(in.Email.Value); err != nil {
			return err
		}
	}
	if !strings.EqualFold(was, u.Email) {
		u.EmailVerified, u.NewEmail = false, ""
	}
	if in.EmailVerified.Given {
		u.EmailVerified = in.EmailVerified.Value
	}
	if u.EmailVerified && u.Email == "" {
		return auth.Invalid{Field: "emailVerified", Problem: "cannot be true without an email"}
	}
	u.Vouched = u.Vouched && !u.EmailVerified
	return nil
}

// setPhone sets the number. Another one counts as not proved unless the operator says so.
func (f *Admin) setPhone(in UserChange, u *auth.User) (err error) {
	if u.IsAnonymous && (in.PhoneNumber.Given || in.PhoneNumberVerified.Given) {
		return auth.Invalid{Field: "phoneNumber", Problem: "cannot be given to a guest, who signs up to have one"}
	}
	was := u.PhoneNumber
	switch {
	case in.PhoneNumber.Null:
		u.PhoneNumber = ""
	case in.PhoneNumber.Given:
		if u.PhoneNumber, err = givenPhone(in.PhoneNumber.Value); err != nil {
			return err
		}
	}
	if was != u.PhoneNumber {
		u.PhoneNumberVerified = false
	}
	if in.PhoneNumberVerified.Given {
		u.PhoneNumberVerified = in.PhoneNumberVerified.Value
	}
	if u.PhoneNumberVerified && u.PhoneNumber == "" {
		return auth.Invalid{Field: "phoneNumberVerified", Problem: "cannot be true without a phoneNumber"}
	}
	return nil
}

// setProfile sets what the user is shown by.
func (f *Admin) setProfile(in UserChange, u *auth.User) (err error) {
	if in.DisplayName.Given {
		if u.DisplayName, err = givenName(in.DisplayName.Value); err != nil {
			return err
		}
	}
	if in.AvatarURL.Given {
		if u.AvatarURL, err = givenPicture(in.AvatarURL.Value); err != nil {
			return err
		}
	}
	if in.Locale.Given {
		u.Locale, err = f.Policy.givenLocale(in.Locale.Value)
	}
	return err
}

// setRoles sets the roles, of which the default role must be one.
func (f *Admin) setRoles(in UserChange, u *auth.User) (err error) {
	if in.DefaultRole.Given {
		if u.DefaultRole = in.DefaultRole.Value; !isRole(u.DefaultRole) {
			return auth.Invalid{Field: roleField, Problem: fmt.Sprintf("must be a role of 1 to %d characters", mostRole)}
		}
	}
	if in.Roles.Given {
		if u.Roles, err = givenRoles(in.Roles.Value); err != nil {
			return err
		}
	}
	if !in.Roles.Given && !in.DefaultRole.Given {
		return nil
	}
	return defaultAmong(*u)
}

// setMetadata puts other metadata in the place of what there is, or members into it.
func (f *Admin) setMetadata(in UserChange, u *auth.User) error {
	if in.Metadata.Given && in.MetadataPatch.Given {
		return auth.Invalid{Field: "metadataPatch", Problem: "cannot be given beside metadata"}
	}
	if in.Metadata.Given {
		object, err := givenMetadata(metadataField, in.Metadata.Value)
		if u.Metadata = in.Metadata.Value; object == nil {
			u.Metadata = nil
		}
		return err
	}
	if in.MetadataPatch.Given {
		patch, err := givenMetadata("metadataPatch", in.MetadataPatch.Value)
		if err != nil {
			return err
		}
		if u.Metadata, err = patched(u.Metadata, patch); err != nil {
			return err
		}
	}
	if !in.AppMetadataPatch.Given {
		return nil
	}
	patch, err := givenMetadata("appMetadataPatch", in.AppMetadataPatch.Value)
	if err != nil {
		return err
	}
	return setAppMetadata(u, patch)
}

// setAppMetadata puts members into what belongs to the application.
func setAppMetadata(u *auth.User, patch map[string]json.RawMessage) error {
	var all map[string]json.RawMessage
	_ = json.Unmarshal(u.Metadata, &all) // what is no object has no member
	apps := all[auth.AppMetadata]
	if json.Unmarshal(apps, &map[string]json.RawMessage{}) != nil {
		apps = nil
	}
	apps, err := patched(apps, patch)
	if err != nil {
		return err
	}
	u.Metadata, err = patched(u.Metadata, map[string]json.RawMessage{auth.AppMetadata: apps})
	return err
}

// patched puts members into an object, each in the place of the one of its name; null takes one out.
func patched(metadata json.RawMessage, patch map[string]json.RawMessage) (json.RawMessage, error) {
	var all map[string]json.RawMessage
	if len(metadata) > 0 && json.Unmarshal(metadata, &all) != nil {
		return nil, auth.Invalid{Field: "metadataPatch", Problem: "needs metadata that is an object, which the user does not have: give metadata"}
	}
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	for name, value := range patch {
		if string(value) == "null" {
			delete(all, name)
			continue
		}
		all[name] = value
	}
	text, err := json.Marshal(all)
	if err == nil && len(text) > mostMetadata {
		err = auth.Invalid{Field: "metadataPatch", Problem: fmt.Sprintf("must not make the metadata longer than %d KiB", mostMetadata>>10)}
	}
	return text, err
}

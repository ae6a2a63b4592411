package flow

import (
	"crypto/md5" // #nosec G501 -- Gravatar names pictures by MD5
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
)

// Options are what a person may say about themselves when they sign up.
type Options struct {
	AllowedRoles []string
	DefaultRole  string
	DisplayName  string
	Locale       string
	Metadata     json.RawMessage
	RedirectTo   string

	granted []string // roles that hooks give
}

// newcomer turns options into a user, or refuses them.
func (p *Policy) newcomer(id, email string, o Options, now time.Time) (auth.User, error) {
	u := auth.User{
		ID: id, CreatedAt: now, LastSeen: now, Disabled: p.DisableNewUsers, Email: email,
		DisplayName: o.DisplayName, Locale: p.locale(o.Locale), Metadata: fromClient(o.Metadata),
		DefaultRole: o.DefaultRole, Roles: o.AllowedRoles, AvatarURL: p.gravatar(email),
	}
	if u.DisplayName == "" {
		u.DisplayName = email
	}
	if u.DefaultRole == "" {
		u.DefaultRole = p.DefaultRole
	}
	if len(u.Roles) == 0 {
		u.Roles = p.AllowedRoles
	}
	for _, r := range u.Roles {
		if !slices.Contains(p.AllowedRoles, r) {
			return auth.User{}, fmt.Errorf("%w: %q", auth.RoleNotAllowed, r)
		}
	}
	if !slices.Contains(u.Roles, u.DefaultRole) {
		return auth.User{}, fmt.Errorf("%w: %q", auth.DefaultRoleNotInList, u.DefaultRole)
	}
	u.Roles = granted(u.Roles, o.granted)
	return u, nil
}

// fromClient is metadata that a client gave, without what is the application's to say.
func fromClient(metadata json.RawMessage) json.RawMessage {
	var all map[string]json.RawMessage
	if json.Unmarshal(metadata, &all) != nil {
		return metadata
	}
	if _, there := all[auth.AppMetadata]; !there {
		return metadata
	}
	delete(all, auth.AppMetadata)
	rest, err := json.Marshal(all)
	if err != nil {
		return nil
	}
	return rest
}

// locale is the one asked for, when it is allowed, else the default.
func (p *Policy) locale(asked string) string {
	if slices.Contains(p.AllowedLocales, asked) {
		return asked
	}
	return p.DefaultLocale
}

// gravatar is the address of the picture that people keep for their mail address.
func (p *Policy) gravatar(email string) string {
	if !p.Gravatar {
		return ""
	}
	sum := md5.Sum([]byte(strings.ToLower(email))) // #nosec G401 -- Gravatar's scheme; nothing secret hangs on it
	return "https://www.gravatar.com/avatar/" + hex.EncodeToString(sum[:]) + "?d=" + p.GravatarDefault + "&r=" + p.GravatarRating
}

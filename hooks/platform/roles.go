package platform

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"unicode/utf8"
)

// admin is the role to which Hasura denies nothing.
const admin = "admin"

// maxRoles is how many roles one answer may give, or one provider have.
const maxRoles = 100

const roleRule = "a role has 1 to 100 letters, digits and the signs _ - . : / and begins with a letter, a digit or _"

// role leaves the length out: a hundred times all letters there are would take 4 MB.
var role = regexp.MustCompile(`^[\p{L}\p{N}_][\p{L}\p{N}_.:/-]*$`)

func validRole(name string) bool {
	return utf8.RuneCountInString(name) <= 100 && role.MatchString(name)
}

var errNoList = errors.New("which is no list of texts")

// mayGive refuses roles that nobody can have, and such as are not to be had this way. It repeats only names
// that are plain.
func (s *Settings) mayGive(roles []string) error {
	if len(roles) > maxRoles {
		return fmt.Errorf("which has more than %d roles", maxRoles)
	}
	for _, name := range roles {
		switch {
		case !validRole(name):
			return errors.New("which has a role that nobody can have: " + roleRule)
		case len(s.AllowedRoles) > 0 && !slices.Contains(s.AllowedRoles, name):
			return fmt.Errorf("which has the role %s, and that is not in AUTH_HOOKS_PLATFORM_ALLOWED_ROLES", name)
		case len(s.AllowedRoles) == 0 && name == admin:
			return errors.New("which has the role admin, which AUTH_HOOKS_PLATFORM_ALLOWED_ROLES alone can allow")
		}
	}
	return nil
}

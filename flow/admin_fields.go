package flow

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"postern/auth"
)

// Bounds of what operators give a user.
const (
	mostText     = 256      // characters of a name
	mostAddress  = 2048     // bytes of the address of a picture
	mostRole     = 100      // bytes of a role
	mostRoles    = 100      // roles of one user
	mostMetadata = 64 << 10 // bytes; hooks may make it as long
)

// The fields of a user as operators name them.
const (
	emailField    = "email"
	phoneField    = "phoneNumber"
	rolesField    = "roles"
	roleField     = "defaultRole"
	metadataField = "metadata"
)

// givenEmail reads an address that an operator gives.
func givenEmail(s string) (string, error) {
	if !ValidEmail(s) {
		return "", auth.Invalid{Field: emailField, Problem: "must be an e-mail address"}
	}
	return s, nil
}

// givenPhone reads a telephone number that an operator gives, and writes it as numbers are kept.
func givenPhone(s string) (string, error) {
	number, err := phoneNumber(s)
	if err != nil {
		return "", auth.Invalid{Field: phoneField, Problem: "must be a telephone number with + and the code of its country, such as +442071838750"}
	}
	return number, nil
}

// givenName reads a name to show.
func givenName(s string) (string, error) {
	if !utf8.ValidString(s) || utf8.RuneCountInString(s) > mostText || strings.ContainsFunc(s, unicode.IsControl) {
		return "", auth.Invalid{Field: "displayName", Problem: fmt.Sprintf("must be at most %d characters without line breaks and other control characters", mostText)}
	}
	return s, nil
}

// givenPicture reads the address of a picture; empty is none.
func givenPicture(s string) (string, error) {
	u, err := url.Parse(s)
	if s != "" && (err != nil || len(s) > mostAddress || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.ContainsFunc(s, unicode.IsControl)) {
		return "", auth.Invalid{Field: "avatarUrl", Problem: fmt.Sprintf("must be an address with http or https of at most %d characters, or empty", mostAddress)}
	}
	return s, nil
}

// givenLocale reads a locale, which must be one of the settings'.
func (p *Policy) givenLocale(s string) (string, error) {
	if !slices.Contains(p.AllowedLocales, s) {
		return "", auth.Invalid{Field: "locale", Problem: "must be one of AUTH_LOCALE_ALLOWED_LOCALES: " + strings.Join(p.AllowedLocales, ", ")}
	}
	return s, nil
}

// givenRoles reads roles, each once and in order. Whether they exist is asked in the transaction that
// gives them.
func givenRoles(roles []string) ([]string, error) {
	if len(roles) > mostRoles {
		return nil, auth.Invalid{Field: rolesField, Problem: fmt.Sprintf("must not list more than %d roles", mostRoles)}
	}
	for _, r := range roles {
		if !isRole(r) {
			return nil, auth.Invalid{Field: rolesField, Problem: fmt.Sprintf("must be roles of 1 to %d characters", mostRole)}
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(roles))), nil
}

func isRole(r string) bool {
	return r != "" && len(r) <= mostRole && utf8.ValidString(r) && !strings.ContainsFunc(r, unicode.IsControl)
}

// givenMetadata reads an object, or nothing where it is null.
func givenMetadata(field string, m json.RawMessage) (map[string]json.RawMessage, error) {
	if len(m) == 0 {
		return nil, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(m, &object); err != nil {
		return nil, auth.Invalid{Field: field, Problem: "must be an object"}
	}
	if len(m) > mostMetadata {
		return nil, auth.Invalid{Field: field, Problem: fmt.Sprintf("must not be longer than %d KiB", mostMetadata>>10)}
	}
	return object, nil
}

// noSuchRole names the roles that do not exist.
func noSuchRole(field string, missing []string) error {
	return auth.Invalid{Field: field, Problem: fmt.Sprintf("must be roles that exist, and there is no %q", missing)}
}

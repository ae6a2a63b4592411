package graph

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// authTable says how Hasura Auth's metadata names one of its tables.
type authTable struct {
	plural, singular string
	columns          map[string]string // SQL name to GraphQL name, where they differ
	camel            bool              // the columns that columns leaves out are in camel case, too
	secret           []string          // columns that are never shown
	relations        []authRelation
}

// authRelation is a relation that Hasura Auth's metadata names. The foreign key is found by its
// column: the table's own for an object, that of another table for an array.
type authRelation struct {
	name, from, column string // from is empty for the table's own column
}

func camelColumns(names ...string) map[string]string {
	columns := make(map[string]string, len(names))
	for _, n := range names {
		columns[n] = lowerCamel(n)
	}
	return columns
}

// userColumns are the columns that Hasura Auth has names for. A column that somebody added to the
// table keeps its own.
func userColumns() map[string]string {
	columns := camelColumns("created_at", "updated_at", "last_seen", "display_name", "avatar_url", "phone_number", "password_hash",
		"email_verified", "phone_number_verified", "new_email", "otp_method_last_used", "otp_hash", "otp_hash_expires_at", "default_role",
		"is_anonymous", "totp_secret", "active_mfa_type", "ticket_expires_at")
	columns["webauthn_current_challenge"] = "currentChallenge"
	return columns
}

// authTables are the tables of schema auth that the graph shows: those that Hasura Auth tracks. What
// Postern added beside them is nobody else's business.
func authTables() map[string]authTable {
	return map[string]authTable{
		"users": {
			plural: "users", singular: "user", columns: userColumns(),
			secret: []string{"password_hash", "otp_hash", "totp_secret", "ticket"},
			relations: []authRelation{
				{"defaultRoleByRole", "", "default_role"},
				{"roles", "user_roles", "user_id"},
				{"userProviders", "user_providers", "user_id"},
				{"refreshTokens", "refresh_tokens", "user_id"},
				{"securityKeys", "user_security_keys", "user_id"},
			},
		},
		"roles": {
			plural: "authRoles", singular: "authRole",
			relations: []authRelation{{"userRoles", "user_roles", "role"}, {"usersByDefaultRole", "users", "default_role"}},
		},
		"user_roles": {
			plural: "authUserRoles", singular: "authUserRole", columns: camelColumns("created_at", "user_id"),
			relations: []authRelation{{"user", "", "user_id"}, {"roleByRole", "", "role"}},
		},
		"providers": {
			plural: "authProviders", singular: "authProvider",
			relations: []authRelation{{"userProviders", "user_providers", "provider_id"}},
		},
		"user_providers": {
			plural: "authUserProviders", singular: "authUserProvider",
			columns:   camelColumns("created_at", "updated_at", "user_id", "access_token", "refresh_token", "provider_id", "provider_user_id"),
			secret:    []string{"access_token", "refresh_token"},
			relations: []authRelation{{"user", "", "user_id"}, {"provider", "", "provider_id"}},
		},
		"refresh_tokens": {
			plural: "authRefreshTokens", singular: "authRefreshToken",
			columns:   camelColumns("refresh_token_hash", "created_at", "expires_at", "user_id"),
			secret:    []string{"refresh_token_hash"},
			relations: []authRelation{{"user", "", "user_id"}},
		},
		"refresh_token_types": {
			plural: "authRefreshTokenTypes", singular: "authRefreshTokenType",
			relations: []authRelation{{"refreshTokens", "refresh_tokens", "type"}},
		},
		"provider_requests": {plural: "authProviderRequests", singular: "authProviderRequest", secret: []string{"id", "options"}},
		"user_security_keys": {
			plural: "authUserSecurityKeys", singular: "authUserSecurityKey",
			columns:   camelColumns("user_id", "credential_id", "credential_public_key"),
			secret:    []string{"credential_public_key"},
			relations: []authRelation{{"user", "", "user_id"}},
		},
		"oauth2_clients": {
			plural: "authOauth2Clients", singular: "authOauth2Client", camel: true, secret: []string{"client_secret_hash"},
			relations: []authRelation{
				{"createdByUser", "", "created_by"},
				{"authRequests", "oauth2_auth_requests", "client_id"},
				{"oauth2RefreshTokens", "oauth2_refresh_tokens", "client_id"},
			},
		},
		"oauth2_auth_requests": {
			plural: "authOauth2AuthRequests", singular: "authOauth2AuthRequest", camel: true, secret: []string{"state", "nonce", "code_challenge"},
			relations: []authRelation{
				{"client", "", "client_id"},
				{"user", "", "user_id"},
				{"authorizationCodes", "oauth2_authorization_codes", "auth_request_id"},
				{"refreshTokens", "oauth2_refresh_tokens", "auth_request_id"},
			},
		},
		"oauth2_authorization_codes": {
			plural: "authOauth2AuthorizationCodes", singular: "authOauth2AuthorizationCode", camel: true, secret: []string{"code_hash"},
			relations: []authRelation{{"authRequest", "", "auth_request_id"}},
		},
		"oauth2_refresh_tokens": {
			plural: "authOauth2RefreshTokens", singular: "authOauth2RefreshToken", camel: true, secret: []string{"token_hash"},
			relations: []authRelation{{"authRequest", "", "auth_request_id"}, {"client", "", "client_id"}, {"user", "", "user_id"}},
		},
	}
}

// isName tells whether a text is a name in GraphQL that is not kept for introspection.
func isName(s string) bool {
	for i, r := range s {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != "" && !strings.HasPrefix(s, "__")
}

// lowerCamel turns created_at into createdAt, and leaves createdAt as it is.
func lowerCamel(s string) string {
	var b strings.Builder
	for i, word := range strings.FieldsFunc(s, func(r rune) bool { return r == '_' }) {
		first, size := utf8.DecodeRuneInString(word)
		if i == 0 {
			first = unicode.ToLower(first)
		} else {
			first = unicode.ToUpper(first)
		}
		b.WriteRune(first)
		b.WriteString(word[size:])
	}
	return b.String()
}

// baseOfKey takes the ending off a column that holds a key: organisation of organisation_id. It is
// empty when there is none.
func baseOfKey(column string) string {
	for _, ending := range []string{"_id", "Id", "_ID"} {
		if base, ok := strings.CutSuffix(column, ending); ok {
			return base
		}
	}
	return ""
}

// An ending is a rule of English: what matches becomes what stands in its place.
type ending struct {
	match *regexp.Regexp
	put   string
}

func endings(pairs ...string) []ending {
	var rules []ending
	for pair := range slices.Chunk(pairs, 2) {
		rules = append(rules, ending{regexp.MustCompile("(?i)" + pair[0] + "$"), pair[1]})
	}
	return rules
}

// english makes plurals and singulars as Hasura's console does: by the rules of Rails. A plural stays
// as it is when it is made a plural, and a singular when it is made one.
type english struct{ plurals, singulars []ending }

func newEnglish() english {
	const same = `((?:^|_)(?:equipment|information|rice|money|species|series|fish|sheep|deer|moose|news|advice|feedback|software|hardware|furniture|traffic|weather|evidence))`
	irregular := [][2]string{
		{"person", "people"},
		{"man", "men"},
		{"child", "children"},
		{"foot", "feet"},
		{"tooth", "teeth"},
		{"goose", "geese"},
		{"move", "moves"},
		{"criterion", "criteria"},
		{"phenomenon", "phenomena"},
		{"genus", "genera"},
	}
	plurals, singulars := []string{same, "$1"}, []string{same, "$1"}
	for _, i := range irregular {
		// The first letter stays as it is written; all irregular forms share it.
		plurals = append(plurals, "(^|_|wo)("+i[1][:1]+")"+i[1][1:], "${1}${2}"+i[1][1:], "(^|_|wo)("+i[0][:1]+")"+i[0][1:], "${1}${2}"+i[1][1:])
		singulars = append(singulars, "(^|_|wo)("+i[1][:1]+")"+i[1][1:], "${1}${2}"+i[0][1:])
	}
	plurals = append(plurals,
		`(quiz)zes`, "${1}zes", `(quiz)`, "${1}zes", `(ox)en`, "${1}en", `((?:^|_)ox)`, "${1}en",
		`([ml])ice`, "${1}ice", `([ml])ouse`, "${1}ice", `(matr|vert|ind)ices`, "${1}ices", `(matr|vert|ind)(?:ix|ex)`, "${1}ices",
		`(x|ch|ss|sh)es`, "${1}es", `(x|ch|ss|sh)`, "${1}es", `([^aeiouy]|qu)ies`, "${1}ies", `([^aeiouy]|qu)y`, "${1}ies",
		`([^f])ves`, "${1}ves", `(?:([^f])fe|([lr])f)`, "${1}${2}ves", `([^aeiou])ses`, "${1}ses", `(analy|ba|diagno|parenthe|progno|synop|the|cri|hypothe)sis`, "${1}ses",
		`([ti])a`, "${1}a", `([ti])um`, "${1}a", `(buffal|tomat|potat|her|ech)oes`, "${1}oes", `(buffal|tomat|potat|her|ech)o`, "${1}oes",
		`(bus|alias|status|campus|virus|bonus|focus|census|corpus|nexus|radius)es`, "${1}es", `(bus|alias|status|campus|virus|bonus|focus|census|corpus|nexus|radius)`, "${1}es", `(octop)i`, "${1}i", `(octop)us`, "${1}i",
		`(ax|test)is`, "${1}es", `s`, "s", `(.)`, "${1}s",
	)
	singulars = append(singulars,
		`(ss)`, "$1", `(bus|alias|status|campus|virus|bonus|focus|census|corpus|nexus|radius)(?:es)?`, "$1", `(quiz)zes`, "$1", `((?:^|_)ox)en`, "$1", `([ml])ice`, "${1}ouse",
		`(vert|ind)ices`, "${1}ex", `(matr)ices`, "${1}ix", `(x|ch|ss|sh)es`, "$1", `(m)ovies`, "${1}ovie", `(cook)ies`, "${1}ie", `([^aeiouy]|qu)ies`, "${1}y",
		`(hive|tive|curve|sleeve|leave|wave|move|save|drive|archive|slave|valve|nerve|serve|reserve|olive|groove)s`, "$1", `([lr])ves`, "${1}f", `([^fo])ves`, "${1}fe",
		`((?:^|_)analy|(?:^|_)ba|diagno|parenthe|progno|synop|(?:^|_)the|(?:^|_)cri|hypothe)ses`, "${1}sis", `(octop)i`, "${1}us", `(ax|test)es`, "${1}is",
		`(address|process|access|business|class|loss|boss|pass|success)es`, "$1", `([ti])a`, "${1}um", `(buffal|tomat|potat|her|ech)oes`, "${1}o", `(shoe)s`, "$1",
		`(sis|xis)`, "$1", `s`, "",
	)
	return english{endings(plurals...), endings(singulars...)}
}

func (e english) plural(word string) string   { return inflect(e.plurals, word) }
func (e english) singular(word string) string { return inflect(e.singulars, word) }

func inflect(rules []ending, word string) string {
	for _, r := range rules {
		if at := r.match.FindStringIndex(word); at != nil {
			return word[:at[0]] + r.match.ReplaceAllString(word[at[0]:], r.put)
		}
	}
	return word
}

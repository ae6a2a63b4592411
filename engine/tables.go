package engine

import (
	"slices"
	"strings"
)

// schema is the schema of the tables that the engine is told of.
const schema = "auth"

// Tables are the tables that schema auth has, and the columns of each. What is not there is not
// told to the engine.
type Tables map[string][]string

func (t Tables) has(table string, columns ...string) bool {
	_, found := t[table]
	for _, c := range columns {
		found = found && slices.Contains(t[table], c)
	}
	return found
}

// A known table is one that Hasura Auth makes known to the engine, under names that applications use
// in their queries. Tables of our own are not among them: nobody's queries know them, and what they
// hold is no business of an application.
type known struct {
	table, plural, singular string
	columns                 string // that have a name in camel case; * for all
}

// knownTables are in the order in which they are tracked.
var knownTables = []known{
	{"provider_requests", "authProviderRequests", "authProviderRequest", "id options"},
	{"refresh_token_types", "authRefreshTokenTypes", "authRefreshTokenType", "value comment"},
	{"refresh_tokens", "authRefreshTokens", "authRefreshToken", "refresh_token_hash created_at expires_at user_id"},
	{"roles", "authRoles", "authRole", "role"},
	{"user_providers", "authUserProviders", "authUserProvider", "created_at updated_at user_id access_token refresh_token provider_id provider_user_id"},
	{"user_roles", "authUserRoles", "authUserRole", "id created_at user_id role"},
	{"users", "users", "user", `id created_at updated_at last_seen disabled display_name avatar_url locale email phone_number
		password_hash email_verified phone_number_verified new_email otp_method_last_used otp_hash otp_hash_expires_at otp_attempts
		default_role is_anonymous totp_secret active_mfa_type ticket ticket_expires_at webauthn_current_challenge`},
	{"providers", "authProviders", "authProvider", "id"},
	{"user_security_keys", "authUserSecurityKeys", "authUserSecurityKey", "user_id credential_id credential_public_key"},
	{"oauth2_clients", "authOauth2Clients", "authOauth2Client", "*"},
	{"oauth2_auth_requests", "authOauth2AuthRequests", "authOauth2AuthRequest", "*"},
	{"oauth2_authorization_codes", "authOauth2AuthorizationCodes", "authOauth2AuthorizationCode", "*"},
	{"oauth2_refresh_tokens", "authOauth2RefreshTokens", "authOauth2RefreshToken", "*"},
}

// A relationship leads along a foreign key: of a column of the table itself to one object, or of a
// column of another table ("user_roles.user_id") to a list.
type relationship struct{ on, name, via string }

var knownRelationships = []relationship{
	{"users", "defaultRoleByRole", "default_role"},
	{"users", "roles", "user_roles.user_id"},
	{"users", "userProviders", "user_providers.user_id"},
	{"users", "refreshTokens", "refresh_tokens.user_id"},
	{"users", "securityKeys", "user_security_keys.user_id"},
	{"roles", "userRoles", "user_roles.role"},
	{"roles", "usersByDefaultRole", "users.default_role"},
	{"user_roles", "user", "user_id"},
	{"user_roles", "roleByRole", "role"},
	{"providers", "userProviders", "user_providers.provider_id"},
	{"user_providers", "user", "user_id"},
	{"user_providers", "provider", "provider_id"},
	{"refresh_tokens", "user", "user_id"},
	{"refresh_token_types", "refreshTokens", "refresh_tokens.type"},
	{"user_security_keys", "user", "user_id"},
	{"oauth2_clients", "createdByUser", "created_by"},
	{"oauth2_clients", "authRequests", "oauth2_auth_requests.client_id"},
	{"oauth2_clients", "oauth2RefreshTokens", "oauth2_refresh_tokens.client_id"},
	{"oauth2_auth_requests", "client", "client_id"},
	{"oauth2_auth_requests", "user", "user_id"},
	{"oauth2_auth_requests", "authorizationCodes", "oauth2_authorization_codes.auth_request_id"},
	{"oauth2_auth_requests", "refreshTokens", "oauth2_refresh_tokens.auth_request_id"},
	{"oauth2_authorization_codes", "authRequest", "auth_request_id"},
	{"oauth2_refresh_tokens", "authRequest", "auth_request_id"},
	{"oauth2_refresh_tokens", "client", "client_id"},
	{"oauth2_refresh_tokens", "user", "user_id"},
}

// far splits via into the other table and its column. The table is empty when the column is of the
// table itself.
func (r relationship) far() (table, column string) {
	table, column, ok := strings.Cut(r.via, ".")
	if !ok {
		return "", r.via
	}
	return table, column
}

// possible tells whether both ends are there.
func (r relationship) possible(t Tables) bool {
	if table, column := r.far(); table != "" {
		return t.has(r.on) && t.has(table, column)
	}
	return t.has(r.on, r.via)
}

// columnNames gives the names that columns of the table have in queries, where the two differ or
// Hasura Auth states them anyway.
func (k known) columnNames(t Tables) map[string]string {
	columns := strings.Fields(k.columns)
	if k.columns == "*" {
		columns = t[k.table]
	}
	names := map[string]string{}
	for _, c := range columns {
		switch {
		case !t.has(k.table, c):
		case c == "webauthn_current_challenge":
			names[c] = "currentChallenge"
		default:
			names[c] = camel(c)
		}
	}
	return names
}

// rootFields are the names of the fields of query_root and mutation_root.
func (k known) rootFields() map[string]string {
	plural, singular := upperFirst(k.plural), upperFirst(k.singular)
	return map[string]string{
		"select": k.plural, "select_by_pk": k.singular, "select_aggregate": k.plural + "Aggregate",
		"insert": "insert" + plural, "insert_one": "insert" + singular,
		"update": "update" + plural, "update_by_pk": "update" + singular,
		"delete": "delete" + plural, "delete_by_pk": "delete" + singular,
	}
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// camel writes created_at as createdAt.
func camel(s string) string {
	words := strings.Split(s, "_")
	for i, w := range words {
		if i > 0 && w != "" {
			words[i] = upperFirst(w)
		}
	}
	return strings.Join(words, "")
}

package auth

// How an OAuth client shows who it is, where it asks for tokens.
const (
	ClientSecretBasic = "client_secret_basic" // its secret, in the header Authorization
	ClientSecretPost  = "client_secret_post"  // its secret, in the body
	ClientSecretAny   = "client_secret"       // either of the two, as clients that Hasura Auth registered may
	NoClientSecret    = "none"                // nothing: it could keep no secret
)

// Where an OAuth client comes from.
const (
	ClientRegistered = "registered"        // an operator made it
	ClientDynamic    = "dynamic"           // it registered itself
	ClientByDocument = "metadata_document" // its id is an address, at which it says what it is
)

// The grants that OAuth clients may use.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
)

// The scopes that OAuth clients may have.
const (
	ScopeOpenID  = "openid"
	ScopeProfile = "profile"
	ScopeEmail   = "email"
	ScopePhone   = "phone"
	ScopeOffline = "offline_access"
	ScopeGraphQL = "graphql" // what Hasura lets the user do
)

// OAuthScopes lists the scopes that there are.
func OAuthScopes() []string {
	return []string{ScopeOpenID, ScopeProfile, ScopeEmail, ScopePhone, ScopeOffline, ScopeGraphQL}
}

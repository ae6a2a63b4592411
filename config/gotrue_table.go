package config

import "slices"

// gotrueTable is every variable of GoTrue, of today and of its oldest description, and what it is here. A test feeds them all.
func gotrueTable() []theirs {
	return slices.Concat(theirServer(), theirTokens(), theirSessions(), theirLimits(), theirMail(), theirSMS(), theirProviders(), theirFactors(), theirRest())
}

const jwtSecret = "HASURA_GRAPHQL_JWT_SECRET"

// theirServer are the listener, the application and the database.
func theirServer() []theirs {
	pool := "connections are opened and closed as they are needed; AUTH_POSTGRES_MAX_CONNECTIONS is the most there are"
	advice := "there is no adviser on connections"
	indexes := "the migrations make the indexes by which users are found"
	return []theirs{
		is("SITE_URL", "AUTH_CLIENT_URL", nil, ""),
		is("URI_ALLOW_LIST", "AUTH_GOTRUE_URI_ALLOW_LIST", nil, ""),
		is("DISABLE_SIGNUP", "AUTH_DISABLE_SIGNUP", nil, ""),
		vain("CORS_ALLOWED_HEADERS", "every header that a browser asks for is allowed"),

		is("API_HOST", "AUTH_LISTEN_ADDRESS", nil, ""),
		known("PORT", is("API_PORT", "AUTH_PORT", nil, "unset, it is 8081 where `"+jwtSecret+"` is not set")),
		known("API_EXTERNAL_URL", is("API_API_EXTERNAL_URL", "AUTH_GOTRUE_URL", nil, "and `AUTH_SERVER_URL`, where that and `"+jwtSecret+"` are not set")),
		vain("API_ENDPOINT", "it was for many instances in one process, which GoTrue gave up"),
		known("REQUEST_ID_HEADER", vain("API_REQUEST_ID_HEADER", "each request gets an id of its own, which the answer has as X-Request-Id")),
		is("API_MAX_REQUEST_DURATION", "AUTH_REQUEST_TIMEOUT", timeLimit, "0 does not turn the limit off"),
		vain("OPERATOR_TOKEN", "it was for many instances in one process, which GoTrue gave up"),
		vain("MULTI_INSTANCE_MODE", "GoTrue gave it up"),
		vain("INTERNAL_HTTP_TIMEOUT", "providers and gateways have time limits of their own"),

		judged("DB_DRIVER", only("is not the database there is", "postgres", "postgresql", "pgx"), "only Postgres; anything else is an error"),
		known("DATABASE_URL", is("DB_DATABASE_URL", "POSTGRES_CONNECTION", nil, "the bare name counts only beside a name with the prefix")),
		known("DB_NAMESPACE", judged("DB_DB_NAMESPACE", only("is not the schema there is: Postern's tables are in the schema auth, as those of Hasura Auth and Supabase are", "auth"), "only `auth`; anything else is an error")),
		is("DB_MAX_POOL_SIZE", "AUTH_POSTGRES_MAX_CONNECTIONS", nil, "0 is the default of Postern, not unlimited"),
		vain("DB_MAX_IDLE_POOL_SIZE", pool), vain("DB_CONN_PERCENTAGE", pool), vain("DB_CONN_MAX_LIFETIME", pool),
		vain("DB_CONN_MAX_IDLE_TIME", pool), vain("DB_HEALTH_CHECK_PERIOD", pool),
		vain("DB_MIGRATIONS_PATH", "the migrations are part of the program"),
		judged("DB_CLEANUP_ENABLED", unlessOn("what expired is always swept, every AUTH_SWEEP_INTERVAL"), "always on"),
		vain("DB_ADVISOR_ENABLED", advice), vain("DB_ADVISOR_SAMPLING_INTERVAL", advice), vain("DB_ADVISOR_OBSERVATION_INTERVAL", advice),
		vain("INDEX_WORKER_ENSURE_USER_SEARCH_INDEXES_EXIST", indexes), vain("INDEX_WORKER_MAX_USERS_THRESHOLD", indexes),
		absent("AUDIT_LOG_DISABLE_POSTGRES", "the audit log is always kept in the database"),
	}
}

// theirTokens are what signs tokens and seals secrets.
func theirTokens() []theirs {
	return []theirs{
		partOf("JWT_SECRET", jwtSecret, "the key of HS256; one of less than 32 bytes is told of at start"),
		partOf("JWT_KEYS", jwtSecret, "the key that signs; those that only verify are `AUTH_JWT_VERIFY_KEYS`, with `GOTRUE_JWT_SECRET` where HS256 is among the methods. AWS KMS is an error"),
		partOf("JWT_AUD", jwtSecret, "the member `audience`; unset, tokens say `authenticated`"),
		partOf("JWT_ISSUER", jwtSecret, "the member `issuer`; unset, tokens say `hasura-auth`"),
		partOf("JWT_KEY_ID", jwtSecret, "the member `kid`"),
		partOf("JWT_VALID_METHODS", jwtSecret, "an error where it leaves out the algorithm of the key that signs; keys that verify by one that it leaves out do not count"),
		is("JWT_EXP", "AUTH_ACCESS_TOKEN_EXPIRES_IN", unlessZero, ""),
		judged("JWT_DEFAULT_GROUP_NAME", unless("without effect: the role in the tokens of users is authenticated", "authenticated"), "the role is always `authenticated`"),
		vain("JWT_ADMIN_GROUP_NAME", "no command makes users with another role"),
		is("JWT_ADMIN_ROLES", "AUTH_JWT_ADMIN_ROLES", nil, ""),

		is("SECURITY_DB_ENCRYPTION_ENCRYPTION_KEY", "AUTH_ENCRYPTION_KEY", hexKey, "secrets are always sealed"),
		is("SECURITY_DB_ENCRYPTION_DECRYPTION_KEYS", "AUTH_ENCRYPTION_KEY_PREVIOUS", hexKeys, "their ids do not count"),
		vain("SECURITY_DB_ENCRYPTION_ENCRYPTION_KEY_ID", "what is sealed finds its key without an id"),
		judged("SECURITY_DB_ENCRYPTION_ENCRYPT", unlessOn("secrets at rest are always sealed"), "always on"),
	}
}

// theirSessions are sessions, passwords and the captcha.
func theirSessions() []theirs {
	kind := "there is one kind of refresh token, of which none is stored"
	bloom := "Have I Been Pwned is asked each time"
	captcha := "AUTH_CAPTCHA_PROVIDER"
	return []theirs{
		is("SESSIONS_TIMEBOX", "AUTH_SESSION_MAX_LIFETIME", seconds, ""),
		is("SESSIONS_INACTIVITY_TIMEOUT", "AUTH_SESSION_IDLE_TIMEOUT", seconds, "must be longer than an access token lives"),
		vain("SESSIONS_ALLOW_LOW_AAL", "a session of one factor of who has two is good for little until it is raised, and ends as others do (AUTH_SESSION_MAX_LIFETIME)"),
		is("SESSIONS_SINGLE_PER_USER", "AUTH_SESSION_LIMIT", whenOn("1"), "the older session ends at once, not at its next refresh"),
		vain("SESSIONS_TAGS", "no request of GoTrue's ever gave a session a tag"),
		is("SECURITY_REFRESH_TOKEN_ROTATION_ENABLED", "AUTH_REFRESH_TOKEN_REUSE_ENDS_SESSION", rotates, "tokens rotate all the same; off, an older token is refused and the session goes on, so that a theft is not ended where it is seen"),
		is("SECURITY_REFRESH_TOKEN_REUSE_INTERVAL", "AUTH_REFRESH_TOKEN_REUSE_INTERVAL", reuse, "of the token before the current one, which always gets an answer, and the same one for ten seconds at least. Older tokens never get one: when each of them was replaced is not kept, and whoever has one would only have to wait for the owner's next refresh"),
		vain("SECURITY_REFRESH_TOKEN_ALGORITHM_VERSION", kind), vain("SECURITY_REFRESH_TOKEN_UPGRADE_PERCENTAGE", kind),
		absent("SECURITY_REFRESH_TOKEN_ALLOW_REUSE", "a refresh token that was replaced long ago gets nobody in: it would be as good as a password that is never changed"),
		is("SECURITY_UPDATE_PASSWORD_REQUIRE_REAUTHENTICATION", "AUTH_GOTRUE_PASSWORD_REAUTHENTICATION", nil, ""),
		is("SECURITY_UPDATE_PASSWORD_REQUIRE_CURRENT_PASSWORD", "AUTH_GOTRUE_PASSWORD_REQUIRE_CURRENT", nil, ""),
		is("SECURITY_MANUAL_LINKING_ENABLED", "AUTH_GOTRUE_MANUAL_LINKING_ENABLED", nil, ""),
		absent("SECURITY_SB_FORWARDED_FOR_ENABLED", "the address of a client is what the proxies of AUTH_TRUSTED_PROXIES say, and nobody else"),

		is("PASSWORD_MIN_LENGTH", "AUTH_PASSWORD_MIN_LENGTH", atLeast(6), ""),
		is("PASSWORD_REQUIRED_CHARACTERS", "AUTH_PASSWORD_REQUIRED_CHARACTERS", nil, ""),
		is("PASSWORD_HIBP_ENABLED", "AUTH_PASSWORD_HIBP_ENABLED", nil, ""),
		is("PASSWORD_HIBP_FAIL_CLOSED", "AUTH_PASSWORD_HIBP_FAIL", either("closed", "open"), "unset, it is closed"),
		vain("PASSWORD_HIBP_USER_AGENT", "Have I Been Pwned is told Postern"),
		absent("PASSWORD_HIBP_BLOOM_ENABLED", bloom), vain("PASSWORD_HIBP_BLOOM_ITEMS", bloom), vain("PASSWORD_HIBP_BLOOM_FALSE_POSITIVES", bloom),

		partOf("SECURITY_CAPTCHA_ENABLED", captcha, "the other two count only where it is true"),
		partOf("SECURITY_CAPTCHA_PROVIDER", captcha, "unset, it is hcaptcha"),
		partOf("SECURITY_CAPTCHA_SECRET", "AUTH_CAPTCHA_SECRET", ""),
		is("SECURITY_CAPTCHA_TIMEOUT", "AUTH_CAPTCHA_TIMEOUT", seconds, ""),
	}
}

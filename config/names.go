package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"postern/spelling"
)

// prefixes begin the names that are meant for an auth service. A name with one of them that
// nobody knows is probably a typing mistake.
var prefixes = []string{"AUTH_", "HASURA_", "GOTRUE_", "POSTERN_"}

// capability is something that settings of Hasura Auth are for and that this version does not do.
type capability struct {
	what  string
	names string // separated by blanks
}

// waiting lists the capabilities to come. A name moves out of here when a room declares it.
var waiting = []capability{
	{"providers defined by a JSON object", "AUTH_PROVIDER_CUSTOM"},
	{"the test door /change-env", "AUTH_ENABLE_CHANGE_ENV"},
}

// past says what became of settings that an auth service once had.
var past = map[string]string{
	"AUTH_LOG_LEVEL":             "Hasura Auth dropped it with its Node generation; AUTH_DEBUG=true shows more",
	"AUTH_SHOW_LOG_QUERY_PARAMS": "Hasura Auth dropped it with its Node generation; Postern never logs query values, which may be secrets",
	"AUTH_HOST":                  "Hasura Auth dropped it in 0.6.1; Postern listens on every interface",
	"AUTH_SKIP_INIT":             "it never had an effect; AUTH_MIGRATE_AT_START=false leaves migrations out",
	"AUTH_SKIP_SERVE":            "it never had an effect; 'postern migrate' prepares the database and ends",
	"AUTH_NODE_SERVER_PATH":      "it was part of Hasura Auth's mixed builds; Postern is one binary",
	"AUTH_VERSION":               "it was part of Hasura Auth's mixed builds; 'postern version' says which this is",

	"AUTH_USER_SESSION_VARIABLE_FIELDS": "Hasura Auth replaced it with AUTH_JWT_CUSTOM_CLAIMS in 0.2.0",

	"AUTH_SIGNIN_PHONE_NUMBER_VERIFIED_REQUIRED": "it never had an effect",
	"AUTH_USER_ALLOWED_ROLES":                    "it is called AUTH_USER_DEFAULT_ALLOWED_ROLES now",
	"AUTH_ALLOWED_USER_ROLES":                    "it is called AUTH_USER_DEFAULT_ALLOWED_ROLES now",
	"AUTH_LOCAL_USERS":                           "Hasura Auth dropped it before its first version; users with passwords are always possible",
	"AUTH_LOCAL_USERS_ENABLE":                    "Hasura Auth dropped it before its first version; users with passwords are always possible",
	"AUTH_LOCAL_USERS_ENABLED":                   "Hasura Auth dropped it before its first version; users with passwords are always possible",
	"AUTH_ENABLE":                                "Hasura Auth dropped it before its first version; a running Postern is enabled",
	"AUTH_ENABLED":                               "Hasura Auth dropped it before its first version; a running Postern is enabled",

	"AUTH_RATE_LIMIT_MEMCACHE_SERVER": "Postern needs no memcached; limits that guard secrets are counted in Postgres, so replicas share them",
	"AUTH_RATE_LIMIT_MEMCACHE_PREFIX": "Postern needs no memcached, as with AUTH_RATE_LIMIT_MEMCACHE_SERVER",

	"AUTH_SMS_TWILIO_FROM":        "Hasura Auth dropped it after 0.8 for AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID",
	"AUTH_SMS_TEST_PHONE_NUMBERS": "Hasura Auth dropped it with its Node generation",

	"AUTH_PROVIDER_FACEBOOK_PROFILE_FIELDS":   "Hasura Auth dropped it after 0.15",
	"AUTH_PROVIDER_WORKOKS_DEFAULT_DOMAIN":    "a misspelt name of old; it is AUTH_PROVIDER_WORKOS_DEFAULT_DOMAIN",
	"AUTH_PROVIDER_WINDOWSLIVE_ENABLED":       "it is called AUTH_PROVIDER_WINDOWS_LIVE_ENABLED",
	"AUTH_PROVIDER_WINDOWSLIVE_CLIENT_ID":     "it is called AUTH_PROVIDER_WINDOWS_LIVE_CLIENT_ID",
	"AUTH_PROVIDER_WINDOWSLIVE_CLIENT_SECRET": "it is called AUTH_PROVIDER_WINDOWS_LIVE_CLIENT_SECRET",
	"AUTH_PROVIDER_WINDOWSLIVE_SCOPE":         "it is called AUTH_PROVIDER_WINDOWS_LIVE_SCOPE",

	"GOTRUE_HOOK_CUSTOM_SMS_PROVIDER_ENABLED": "it never had an effect; GOTRUE_HOOK_SEND_SMS_ENABLED is the hook",
	"GOTRUE_HOOK_CUSTOM_SMS_PROVIDER_URI":     "it never had an effect; GOTRUE_HOOK_SEND_SMS_URI is the hook",
	"GOTRUE_HOOK_CUSTOM_SMS_PROVIDER_SECRETS": "it never had an effect; GOTRUE_HOOK_SEND_SMS_SECRETS is the hook",

	"HASURA_ENDPOINT": "Hasura Auth dropped it before its first version; it is called HASURA_GRAPHQL_GRAPHQL_URL",
}

// deprecation is a setting that has a new name and means what it meant. The old name goes on
// working for two major versions, with a notice at every start.
type deprecation struct {
	old, name string
	dropped   string // the version that drops the old name, such as "3.0.0"
}

// deprecated lists the settings that were renamed. A name that a version drops moves to past.
var deprecated = []deprecation{}

// deprecations are those of the house.
func (*Config) deprecations() []deprecation { return deprecated }

// notice says what to do about an old name, which may stand there with the ending of a file.
func (d deprecation) notice(written string) string {
	name := d.name
	if written != d.old {
		name += fileSuffix
	}
	return fmt.Sprintf("deprecated: it is called %s now; version %s drops the old name", name, d.dropped)
}

// engineNames lists settings of Hasura's engine itself, without their prefix HASURA_GRAPHQL_. They are
// often in the same file and no business of ours.
const engineNames = `
ADMIN_INTERNAL_ERRORS ADMIN_SECRETS ASYNC_ACTIONS_FETCH_INTERVAL ASYNC_ACTIONS_FETCH_BATCH_SIZE
AUTH_HOOK AUTH_HOOK_MODE AUTH_HOOK_SEND_REQUEST_BODY CLI_ENVIRONMENT CLOSE_WEBSOCKETS_ON_METADATA_CHANGE
CONNECTION_COMPRESSION CONNECTIONS_PER_READ_REPLICA CONSOLE_ASSETS_DIR CORS_DOMAIN DEFAULT_NAMING_CONVENTION
DEV_MODE DISABLE_CORS DISABLE_EVENTING DISABLE_INTERACTIVITY DISABLE_NATIVE_QUERY_VALIDATION ENABLE_ALLOWLIST
ENABLE_APOLLO_FEDERATION ENABLE_CONSOLE ENABLED_APIS ENABLED_LOG_TYPES ENABLE_MAINTENANCE_MODE
ENABLE_METADATA_QUERY_LOGGING ENABLE_REMOTE_SCHEMA_PERMISSIONS ENABLE_TELEMETRY ENABLE_TRIGGERS_ERROR_LOG_LEVEL
ENDPOINT EVENTS_FETCH_BATCH_SIZE EVENTS_FETCH_INTERVAL EVENTS_HTTP_POOL_SIZE EXPERIMENTAL_FEATURES
GRACEFUL_SHUTDOWN_TIMEOUT INFER_FUNCTION_PERMISSIONS JWT_SECRETS LIVE_QUERIES_MULTIPLEXED_BATCH_SIZE
LIVE_QUERIES_MULTIPLEXED_REFETCH_INTERVAL LOG_HEADERS_FROM_ENV LOG_LEVEL MAX_CACHE_SIZE
METADATA_DATABASE_EXTENSIONS_SCHEMA METADATA_DATABASE_URL METADATA_DEFAULTS METADATA_DIR MIGRATIONS_DIR
MIGRATIONS_SERVER_TIMEOUT NO_OF_RETRIES OPTIMIZE_PERMISSION_FILTERS PG_CONNECTIONS PG_CONN_LIFETIME
PG_POOL_TIMEOUT PG_STRIPES PG_TIMEOUT QUERY_PLAN_CACHE_SIZE READ_REPLICA_URLS REMOTE_SCHEMA_PRIORITIZE_DATA
RATE_LIMIT_REDIS_URL REDIS_URL SCHEMA_SYNC_POLL_INTERVAL SERVER_HOST SERVER_PORT STREAMING_QUERIES_MULTIPLEXED_BATCH_SIZE
STREAMING_QUERIES_MULTIPLEXED_REFETCH_INTERVAL STRINGIFY_NUMERIC_TYPES TX_ISOLATION UNAUTHORIZED_ROLE
USE_PREPARED_STATEMENTS V1_BOOLEAN_NULL_COLLAPSE WEBSOCKET_CONNECTION_INIT_TIMEOUT WEBSOCKET_KEEPALIVE WS_READ_COOKIE
`

// verdict is what there is to say about a name that is no setting. At most one field is filled.
type verdict struct {
	capability string // what the name is for, when that is still to come
	notice     string
}

// strangers are the names that are not settings of this version and yet known.
func strangers() map[string]verdict {
	names := map[string]verdict{}
	for _, c := range waiting {
		for name := range strings.FieldsSeq(c.names) {
			names[name] = verdict{capability: c.what}
		}
	}
	for name, became := range past {
		names[name] = verdict{notice: "without effect: " + became}
	}
	for name := range strings.FieldsSeq(engineNames) {
		names["HASURA_GRAPHQL_"+name] = verdict{}
	}
	return names
}

// known is strangers, made once for each tree.
func (t *tree) known() map[string]verdict {
	if t.others == nil {
		t.others = strangers()
	}
	return t.others
}

// judge says what there is to say about a variable by its name alone.
func judge(t *tree, name string) verdict {
	base, isFile := strings.CutSuffix(name, fileSuffix)
	s := t.byName[base]
	if d, old := t.old[name]; old {
		return verdict{notice: d.notice(name)}
	}
	if d, old := t.old[base]; old && isFile && s.secret {
		return verdict{notice: d.notice(name)}
	}
	if t.byName[name] != nil || !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return verdict{}
	}
	switch {
	case isFile && s != nil && s.secret:
		return verdict{}
	case isFile && s != nil:
		return verdict{notice: fmt.Sprintf("without effect: only secrets are read from files, and %s is none", base)}
	}
	known := t.known()
	if v, ok := known[name]; ok {
		return v
	}
	if v, ok := known[base]; ok && isFile {
		return v
	}
	candidates := slices.Collect(maps.Keys(known))
	for _, s := range t.settings {
		candidates = append(candidates, s.names...)
		if s.secret {
			for _, n := range s.names {
				candidates = append(candidates, n+fileSuffix)
			}
		}
	}
	if strings.HasPrefix(name, theirPrefix) {
		return judgeTheirs(name, candidates)
	}
	return verdict{notice: "without effect: there is no such setting" + suggestion(name, candidates, "")}
}

// asksForNothing says whether a setting only states that something is off, as it is.
func asksForNothing(name, value string) bool {
	if !isSwitch(name) {
		return false
	}
	on, ok := parseBool(value)
	return ok && !on
}

// isSwitch guesses from its name whether a setting that we do not have is true or false.
func isSwitch(name string) bool {
	return strings.HasSuffix(name, "_ENABLED") || strings.HasSuffix(name, "_ENABLE") ||
		strings.HasPrefix(name, "AUTH_ENABLE_") || strings.HasPrefix(name, "AUTH_DISABLE_") ||
		strings.HasSuffix(name, "_ALLOW_INSECURE_TRANSPORT")
}

// suggestion ends a sentence about an unknown name with the nearest known one, if one is near.
func suggestion(name string, known []string, prefix string) string {
	best := Nearest(name, known)
	if best == "" {
		return ""
	}
	return "; did you mean " + prefix + best + "?"
}

// Nearest is the known word that a mistyped one was probably meant to be, or nothing when none is
// near.
func Nearest(mistyped string, known []string) string {
	best, least := "", max(2, len(mistyped)/4)+1
	for _, candidate := range slices.Sorted(slices.Values(known)) {
		if d := spelling.Distance(mistyped, candidate); d < least {
			best, least = candidate, d
		}
	}
	return best
}

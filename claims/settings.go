package claims

import "time"

// Settings say which claims there are and where their values come from.
type Settings struct {
	Definitions   string        `env:"AUTH_JWT_CUSTOM_CLAIMS" doc:"Custom claims of access tokens, as a JSON object: the name of each (with or without x-hasura-) and a JSONata expression over the user, such as {\"organisation-id\": \"profile.organisation.id\"}. In place of the expression there may be an object with the members path, default, required (no token without it) and select (the GraphQL fields to read, by hand)."`
	Defaults      string        `env:"AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS" doc:"Values of claims whose expression gives none, or whose source fails, as a JSON object by name."`
	Source        string        `env:"AUTH_CLAIMS_SOURCE" default:"auto" oneof:"auto hasura database" doc:"What is asked for the data of claims: Hasura's GraphQL engine, or the database itself along its foreign keys. auto is hasura when its address is set."`
	Invalid       string        `env:"AUTH_CLAIMS_INVALID" default:"refuse" oneof:"refuse warn" doc:"What a claim that cannot work does to the start: refuse forbids it, warn logs it and leaves the claim out. A required claim that cannot work always forbids it, and so does a setting that cannot be read and speaks of required ones."`
	Timeout       time.Duration `env:"AUTH_CLAIMS_TIMEOUT" default:"2s" min:"50ms" max:"1m" doc:"How long the data of a token's claims may take, and then their evaluation. After that, required claims refuse the token and the others have their default."`
	Concurrency   int           `env:"AUTH_CLAIMS_CONCURRENCY" default:"64" min:"1" max:"10000" doc:"How many requests for claims may be under way at once. More wait, as long as AUTH_CLAIMS_TIMEOUT. Where the database itself is asked, half of AUTH_POSTGRES_MAX_CONNECTIONS bounds them, too."`
	MaxBytes      int           `env:"AUTH_CLAIMS_MAX_BYTES" default:"4096" min:"64" max:"1048576" doc:"How long all custom claims of a token may be together, names included: tokens travel in headers, which servers limit to 8 KiB or so."`
	SchemaRefresh time.Duration `env:"AUTH_CLAIMS_SCHEMA_REFRESH" default:"5m" min:"1s" max:"24h" doc:"How often the GraphQL schema is read again and the claims are checked against it."`
}

// The names of the settings that problems are reported under.
const (
	envDefinitions = "AUTH_JWT_CUSTOM_CLAIMS"
	envDefaults    = "AUTH_JWT_CUSTOM_CLAIMS_DEFAULTS"
)

// withDefaults fills what is not set, for callers that have no configuration.
func (s Settings) withDefaults() Settings {
	if s.Timeout <= 0 {
		s.Timeout = 2 * time.Second
	}
	if s.Concurrency <= 0 {
		s.Concurrency = 64
	}
	if s.MaxBytes <= 0 {
		s.MaxBytes = 4096
	}
	if s.SchemaRefresh <= 0 {
		s.SchemaRefresh = 5 * time.Minute
	}
	return s
}

// lenient tells whether only required claims forbid the start.
func (s Settings) lenient() bool { return s.Invalid == "warn" }

// Check reports the problems that can be seen without a source.
func (s Settings) Check(report func(env, problem string)) {
	for _, p := range s.read().problems {
		if p.Fatal {
			report(p.setting, p.text())
		}
	}
}

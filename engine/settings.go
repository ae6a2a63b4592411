package engine

import (
	"net/url"
	"strings"
	"time"
)

// What is done about the engine's metadata at start.
const (
	Apply = "apply"
	Check = "check"
	Off   = "off"
)

// Settings say where Hasura's GraphQL engine is, and what may be changed there.
type Settings struct {
	URL         string `env:"HASURA_GRAPHQL_GRAPHQL_URL" format:"url" doc:"Address of Hasura's GraphQL engine, such as http://hasura:8080/v1/graphql. Custom claims are asked for there, and the tables of schema auth are made known there. Empty means that there is none."`
	AdminSecret string `env:"HASURA_GRAPHQL_ADMIN_SECRET" secret:"true" doc:"Admin secret of the engine. It is sent to the two addresses of the engine alone, and never follows a redirect."`

	Metadata        string        `env:"AUTH_HASURA_METADATA" default:"apply" oneof:"apply check off" doc:"What to do at start about tables, names and relationships of schema auth that the engine does not know: apply adds what is missing and changes nothing that is there, check only logs it, off does not look."`
	MetadataURL     string        `env:"AUTH_HASURA_METADATA_URL" format:"url" doc:"Address of the engine's metadata API. Empty means HASURA_GRAPHQL_GRAPHQL_URL with its /v1/graphql replaced by /v1/metadata; an address without that has no metadata API that could be guessed."`
	MetadataTimeout time.Duration `env:"AUTH_HASURA_METADATA_TIMEOUT" default:"1m" min:"1s" max:"10m" doc:"How long one call to the metadata API may take. Large schemas need some seconds."`
	Source          string        `env:"AUTH_HASURA_SOURCE" default:"default" doc:"Name that the engine gives to the database that schema auth is in."`
}

// graphqlPath is where the engine answers queries; it is replaced by metadataPath to find the other
// address, as Hasura Auth does.
const (
	graphqlPath  = "/v1/graphql"
	metadataPath = "/v1/metadata"
)

// Configured tells whether there is an engine at all.
func (s Settings) Configured() bool { return s.URL != "" }

// metadataURL is the address of the metadata API, or nothing when none is set and none follows.
func (s Settings) metadataURL() string {
	if s.MetadataURL != "" {
		return s.MetadataURL
	}
	if !strings.Contains(s.URL, graphqlPath) {
		return ""
	}
	return strings.Replace(s.URL, graphqlPath, metadataPath, 1)
}

// Check reports settings that cannot work.
func (s Settings) Check(report func(env, problem string)) {
	httpOnly := func(env, address string) {
		if u, err := url.Parse(address); err == nil && address != "" && u.Scheme != "http" && u.Scheme != "https" {
			report(env, "must begin with http:// or https://")
		}
	}
	httpOnly("HASURA_GRAPHQL_GRAPHQL_URL", s.URL)
	httpOnly("AUTH_HASURA_METADATA_URL", s.MetadataURL)
	if strings.ContainsFunc(s.AdminSecret, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		report("HASURA_GRAPHQL_ADMIN_SECRET", "holds a line break or another control character, which no header can carry")
	}
}

// Weaknesses are sentences about settings that work less well than they look. Each begins with the
// name of a setting.
func (s Settings) Weaknesses() []string {
	var found []string
	switch {
	case s.URL == "":
		return nil
	case s.AdminSecret == "":
		found = append(found, "HASURA_GRAPHQL_ADMIN_SECRET is not set: the engine is asked without a secret, which works only while it has none itself, and then everybody is its administrator")
	}
	if s.Metadata != Off && s.metadataURL() == "" {
		found = append(found, "HASURA_GRAPHQL_GRAPHQL_URL does not hold "+graphqlPath+", so the address of the metadata API cannot be guessed and nothing is tracked: set AUTH_HASURA_METADATA_URL, or AUTH_HASURA_METADATA=off if the engine gets its metadata otherwise")
	}
	return found
}

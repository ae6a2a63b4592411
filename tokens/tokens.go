// Package tokens makes and reads what proves something: access tokens, signed states, refresh
// tokens, one-time codes and PKCE challenges. It also keeps the keys that seal what must be read
// back later.
//
// It knows nothing of users in a database. A caller says who the token is for and when it is; the
// package says whether a token that came back is one it made.
package tokens

import (
	"fmt"
	"slices"
	"time"
)

// Settings are the variables that say how tokens are signed and what seals secrets at rest.
type Settings struct {
	JWTSecret              Secret        `env:"HASURA_GRAPHQL_JWT_SECRET" secret:"true" doc:"The JSON object Hasura has under the same name: type, key, and for key pairs signing_key. Print a fresh one with: postern keys secret."`
	VerifyKeys             VerifyKeys    `env:"AUTH_JWT_VERIFY_KEYS" secret:"true" doc:"Keys that do not sign and whose tokens are good all the same, while one key takes the place of another: a JSON array of keys (JWK), of which the public ones are in /.well-known/jwks.json. Service keys that they signed are good, too. Hasura takes such tokens only where it fetches its keys from there (jwk_url)."`
	AccessTokenLife        time.Duration `env:"AUTH_ACCESS_TOKEN_EXPIRES_IN" unit:"s" default:"900" gotrue:"3600" doc:"How long an access token lives."`
	Dialects               []string      `env:"AUTH_JWT_DIALECTS" oneof:"hasura supabase" doc:"Whose claims access tokens have, whichever API gives them: those of Hasura, those of Supabase, or both (hasura,supabase), so that one token serves both engines. Unset, they have Hasura's, and at /auth/v1 Supabase's beside."`
	EncryptionKey          string        `env:"AUTH_ENCRYPTION_KEY" secret:"true" doc:"Seals what must be read back later: 64 hexadecimal digits. Unset, it is derived from the JWT secret."`
	OldAnonymousClaim      bool          `env:"AUTH_JWT_OLD_ANONYMOUS_CLAIM" default:"false" doc:"Write x-hasura-user-isAnonymous beside x-hasura-user-is-anonymous, as Hasura Auth spelt it before 0.6."`
	PreviousEncryptionKeys []string      `env:"AUTH_ENCRYPTION_KEY_PREVIOUS" secret:"true" doc:"Older encryption keys, latest first, which still open what they sealed. The word derived stands for the key that comes from the JWT secret."`
}

// SaysHasura tells whether access tokens have the claims of Hasura.
func (s Settings) SaysHasura() bool {
	return len(s.Dialects) == 0 || slices.Contains(s.Dialects, "hasura")
}

// SaysSupabase tells whether access tokens have the claims of Supabase at every door.
func (s Settings) SaysSupabase() bool { return slices.Contains(s.Dialects, "supabase") }

// NewSigner readies the secret for signing, in the words that the settings want.
func (s Settings) NewSigner() (*Signer, error) {
	return NewSigner(s.JWTSecret, WithOldSpelling(s.OldAnonymousClaim), WithoutHasura(!s.SaysHasura()), WithVerifyKeys(s.VerifyKeys))
}

// Check reports what a single field cannot know.
func (s Settings) Check(report func(env, problem string)) {
	if s.AccessTokenLife < time.Second {
		report("AUTH_ACCESS_TOKEN_EXPIRES_IN", "must be at least 1 second")
	}
	if s.OldAnonymousClaim && !s.SaysHasura() {
		report("AUTH_JWT_OLD_ANONYMOUS_CLAIM", "must be false where AUTH_JWT_DIALECTS is supabase: it is a claim of Hasura")
	}
	if s.EncryptionKey != "" {
		if _, err := masterKey(s.EncryptionKey); err != nil {
			report("AUTH_ENCRYPTION_KEY", err.Error())
		}
	}
	for i, k := range s.PreviousEncryptionKeys {
		if k == derivedWord {
			continue
		}
		if _, err := masterKey(k); err != nil {
			report("AUTH_ENCRYPTION_KEY_PREVIOUS", fmt.Sprintf("entry %d %s", i+1, err))
		}
	}
}

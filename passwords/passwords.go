// Package passwords hashes and compares passwords, says which new ones are good enough, and makes
// refusals take the same time whoever was refused.
//
// A password is the bytes the client sent: it is neither normalised nor trimmed nor cut. Hashes
// that Hasura Auth wrote were made of those bytes, so anything else would lock people out; a client
// that spells é in two ways has to decide for one.
package passwords

import "time"

// The kinds of hash new passwords get.
const (
	Argon2id = "argon2id"
	Bcrypt   = "bcrypt"
)

// MaxBytes is the longest password that is looked at. Longer ones are refused before any work.
const MaxBytes = 1024

// bcryptBytes is how much of a password bcrypt reads.
const bcryptBytes = 72

// Settings are the variables that say which passwords are taken and how they are kept.
type Settings struct {
	MinLength   int    `env:"AUTH_PASSWORD_MIN_LENGTH" default:"8" gotrue:"6" min:"1" max:"256" doc:"The least number of characters of a new password."`
	Characters  string `env:"AUTH_PASSWORD_REQUIRED_CHARACTERS" doc:"Kinds of characters of each of which a new password needs one, with colons between them: abcdefghijklmnopqrstuvwxyz:0123456789. \\: is a colon. A long password is worth more than a mixed one."`
	HIBP        bool   `env:"AUTH_PASSWORD_HIBP_ENABLED" default:"false" doc:"Whether new passwords are looked up among leaked ones (Have I Been Pwned). Only five digits of a hash leave the server."`
	HIBPFail    string `env:"AUTH_PASSWORD_HIBP_FAIL" default:"closed" oneof:"open closed" doc:"Whether a new password passes (open) or is refused (closed) while Have I Been Pwned does not answer."`
	HIBPURL     string `env:"AUTH_PASSWORD_HIBP_URL" default:"https://api.pwnedpasswords.com" format:"url" doc:"Where Have I Been Pwned, or a mirror of it, answers."`
	Hash        string `env:"AUTH_PASSWORD_HASH" default:"argon2id" oneof:"argon2id bcrypt" doc:"The hash of new passwords. Choose bcrypt where Hasura Auth may have to read them again; it takes 72 bytes at most."`
	Memory      int    `env:"AUTH_PASSWORD_ARGON2_MEMORY" default:"19456" min:"1024" max:"262144" doc:"Memory of one argon2id hash, in KiB."`
	Iterations  int    `env:"AUTH_PASSWORD_ARGON2_ITERATIONS" default:"2" min:"1" max:"16" doc:"How often an argon2id hash goes over its memory."`
	Parallelism int    `env:"AUTH_PASSWORD_ARGON2_PARALLELISM" default:"1" min:"1" max:"16" doc:"Lanes of an argon2id hash."`
	BcryptCost  int    `env:"AUTH_PASSWORD_BCRYPT_COST" default:"10" min:"4" max:"16" doc:"Cost of a bcrypt hash: one more doubles the time."`
	Concurrency int    `env:"AUTH_PASSWORD_HASH_CONCURRENCY" default:"0" min:"0" max:"1024" doc:"How many passwords are hashed at once; 0 for one per processor."`
	Queue       int    `env:"AUTH_PASSWORD_HASH_QUEUE" default:"64" min:"1" max:"65536" doc:"How many sign-ins may wait to be hashed; more are told to come back."`
}

// defaults fills in what a Settings that no configuration filled leaves at zero.
func (s Settings) defaults() Settings {
	if s.Hash == "" {
		s.Hash = Argon2id
	}
	for _, d := range []struct {
		field *int
		value int
	}{
		{&s.MinLength, 8},
		{&s.Memory, 19456},
		{&s.Iterations, 2},
		{&s.Parallelism, 1},
		{&s.BcryptCost, 10},
		{&s.Queue, 64},
	} {
		if *d.field <= 0 {
			*d.field = d.value
		}
	}
	if s.HIBPURL == "" {
		s.HIBPURL = "https://api.pwnedpasswords.com"
	}
	return s
}

// Check reports fields that do not go together.
func (s Settings) Check(report func(env, problem string)) {
	if s.Memory < 8*s.Parallelism {
		report("AUTH_PASSWORD_ARGON2_MEMORY", "must be at least 8 KiB for each lane of AUTH_PASSWORD_ARGON2_PARALLELISM")
	}
	if int64(s.Memory)*int64(s.Iterations) > maxWork {
		report("AUTH_PASSWORD_ARGON2_ITERATIONS", "times AUTH_PASSWORD_ARGON2_MEMORY is more than one password may cost (1 GiB)")
	}
}

// clock tells the time; durations are taken between two of its readings.
type clock func() time.Time

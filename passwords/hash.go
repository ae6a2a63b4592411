package passwords

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	xargon2 "golang.org/x/crypto/argon2"
	"golang.org/x/crypto/bcrypt"

	"postern/passwords/argon2"
)

// Bounds of what a stored hash may ask for. A hash comes out of the database, but it may have been
// imported: none may take the machine's memory or minutes of its time.
const (
	maxMemory     = 256 << 10 // KiB
	maxWork       = 1 << 20   // KiB gone over, memory times iterations
	maxLanes      = 16
	maxIterations = 64
	maxCost       = 16
)

// hash is a stored hash taken apart. Of its kinds one is set.
type hash struct {
	bcrypt []byte
	cost   int

	memory, iterations uint32
	lanes              uint8
	salt, key          []byte
	argon2i            bool // and not argon2id

	firebase *firebase
}

// parse reads a stored hash. Its errors never repeat it.
func parse(stored string) (hash, error) {
	switch {
	case strings.HasPrefix(stored, "$argon2id$"), strings.HasPrefix(stored, "$argon2i$"):
		return parseArgon2(stored)
	case strings.HasPrefix(stored, "$fbscrypt$"):
		f, err := parseFirebase(stored)
		return hash{firebase: f}, err
	case strings.HasPrefix(stored, "$2a$"), strings.HasPrefix(stored, "$2b$"), strings.HasPrefix(stored, "$2y$"):
		return parseBcrypt(stored)
	default:
		return hash{}, errors.New("hash is of an unknown kind")
	}
}

// Kinds names the kinds of hashes that can be compared, for people.
const Kinds = "a hash of bcrypt ($2a$, $2b$ or $2y$, with a cost of 4 to 16), of argon2id or argon2i ($argon2id$v=19$m=…,t=…,p=…$salt$key, with at most 256 MiB), or of Firebase's scrypt ($fbscrypt$v=1,n=…,r=…,p=…,ss=…,sk=…$salt$hash)"

// Check says why a stored hash cannot be compared, without repeating it.
func Check(stored string) error {
	_, err := parse(stored)
	return err
}

// IsBcrypt tells whether a stored hash is of bcrypt.
func IsBcrypt(stored string) bool {
	h, err := parse(stored)
	return err == nil && h.bcrypt != nil
}

func parseBcrypt(stored string) (hash, error) {
	if len(stored) != 60 || stored[6] != '$' {
		return hash{}, errors.New("bcrypt hash does not have its 60 characters")
	}
	if strings.ContainsFunc(stored[7:], func(c rune) bool {
		return c != '.' && c != '/' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z')
	}) {
		return hash{}, errors.New("bcrypt hash has characters outside its alphabet")
	}
	cost, err := strconv.ParseUint(stored[4:6], 10, 8)
	if err != nil || cost < uint64(bcrypt.MinCost) || cost > maxCost {
		return hash{}, fmt.Errorf("bcrypt hash has a cost outside %d to %d", bcrypt.MinCost, maxCost)
	}
	return hash{bcrypt: []byte(stored), cost: int(cost)}, nil
}

// parseArgon2 reads the PHC string format: $argon2id$v=19$m=19456,t=2,p=1$salt$key. What it cannot read it calls an
// argon2id hash, also where it is one of argon2i.
func parseArgon2(stored string) (hash, error) {
	parts := strings.Split(stored, "$")
	if len(stored) > 256 || len(parts) != 6 || parts[2] != "v=19" || strings.ContainsAny(stored, "\r\n") {
		return hash{}, errors.New("argon2id hash is not of the form $argon2id$v=19$m=,t=,p=$salt$key")
	}
	settings := strings.Split(parts[3], ",")
	if len(settings) != 3 {
		return hash{}, errors.New("argon2id hash must have the parameters m, t and p")
	}
	var numbers [3]uint64
	for i, name := range []string{"m=", "t=", "p="} {
		digits, ok := strings.CutPrefix(settings[i], name)
		n, err := strconv.ParseUint(digits, 10, 32)
		if !ok || err != nil || digits != strconv.FormatUint(n, 10) {
			return hash{}, errors.New("argon2id hash must have the parameters m, t and p as numbers")
		}
		numbers[i] = n
	}
	memory, iterations, lanes := numbers[0], numbers[1], numbers[2]
	if lanes < 1 || lanes > maxLanes || memory < 8*lanes || memory > maxMemory ||
		iterations < 1 || iterations > maxIterations || memory*iterations > maxWork {
		return hash{}, errors.New("argon2id hash has parameters beyond what one sign-in may cost")
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(parts[4])
	if err != nil || len(salt) < 8 || len(salt) > 64 {
		return hash{}, errors.New("argon2id hash must have a salt of 8 to 64 bytes")
	}
	key, err := base64.RawStdEncoding.Strict().DecodeString(parts[5])
	if err != nil || len(key) < 16 || len(key) > 64 {
		return hash{}, errors.New("argon2id hash must have a key of 16 to 64 bytes")
	}
	return hash{memory: uint32(memory), iterations: uint32(iterations), lanes: uint8(lanes), salt: salt, key: key, argon2i: parts[1] == "argon2i"}, nil
}

// kind is what the time of a comparison depends on: the algorithm and its parameters.
func (h hash) kind() string {
	if h.bcrypt != nil {
		return fmt.Sprintf("$2a$%02d", h.cost)
	}
	if h.firebase != nil {
		return h.firebase.kind()
	}
	name := "argon2id"
	if h.argon2i {
		name = "argon2i"
	}
	return fmt.Sprintf("$%s$v=19$m=%d,t=%d,p=%d", name, h.memory, h.iterations, h.lanes)
}

// matches compares, which takes the whole time of a hash whatever the outcome.
func (h hash) matches(password string, a *argon2.Hasher) (bool, error) {
	if h.bcrypt != nil {
		// Hasura Auth of the Node generation let bcrypt cut what it does not read.
		err := bcrypt.CompareHashAndPassword(h.bcrypt, []byte(password[:min(len(password), bcryptBytes)]))
		if err == nil || errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			return err == nil, nil
		}
		return false, errors.New("bcrypt hash is damaged")
	}
	if h.firebase != nil {
		return h.firebase.matches(password)
	}
	if h.argon2i { // of which there are few, and none is made here
		key := xargon2.Key([]byte(password), h.salt, h.iterations, h.memory, h.lanes, uint32(len(h.key))) //#nosec G115 -- parse allows 64 at most
		return subtle.ConstantTimeCompare(key, h.key) == 1, nil
	}
	key := a.ID([]byte(password), h.salt, h.iterations, h.memory, h.lanes, uint32(len(h.key))) //#nosec G115 -- parse allows 64 at most
	return subtle.ConstantTimeCompare(key, h.key) == 1, nil
}

// newHash hashes a password in the way of the settings.
func newHash(s Settings, password string, a *argon2.Hasher) (string, error) {
	if s.Hash == Bcrypt {
		stored, err := bcrypt.GenerateFromPassword([]byte(password), s.BcryptCost)
		return string(stored), err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	h := hash{memory: uint32(s.Memory), iterations: uint32(s.Iterations), lanes: uint8(s.Parallelism), salt: salt} //#nosec G115 -- the settings have these bounds
	h.key = a.ID([]byte(password), salt, h.iterations, h.memory, h.lanes, 32)
	b64 := base64.RawStdEncoding.EncodeToString
	return h.kind() + "$" + b64(h.salt) + "$" + b64(h.key), nil
}

// stale tells whether a hash whose password has just been seen should be made anew: another kind
// than the settings ask for, or weaker than they ask for.
func (h hash) stale(s Settings, password string) bool {
	if s.Hash == Bcrypt {
		// A password that bcrypt would not take whole keeps the hash it has.
		return len(password) <= bcryptBytes && (h.bcrypt == nil || h.cost < s.BcryptCost)
	}
	return h.bcrypt != nil || h.firebase != nil || h.argon2i || int64(h.memory) < int64(s.Memory) || len(h.key) < 32 ||
		int64(h.memory)*int64(h.iterations) < int64(s.Memory)*int64(s.Iterations)
}

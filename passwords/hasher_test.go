package passwords

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"

	"postern/auth"
)

// cheap hashes fast enough for tests.
var cheap = Settings{Memory: 64, Iterations: 1, BcryptCost: 4}

func cheapHasher(kind string) *Hasher {
	s := cheap
	s.Hash = kind
	return NewHasher(s, time.Now)
}

func hashOf(t testing.TB, h *Hasher, password string) string {
	t.Helper()
	stored, err := h.Hash(t.Context(), password)
	if err != nil {
		t.Fatalf("hash: %v", err)
	}
	return stored
}

func bcryptOf(t testing.TB, prefix, password string, cost int) string {
	t.Helper()
	stored, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		t.Fatal(err)
	}
	return prefix + string(stored[4:])
}

func TestH11PasswordsOfEveryLengthAndKind(t *testing.T) {
	t.Parallel()
	argon, bcrypt := cheapHasher(Argon2id), cheapHasher(Bcrypt)
	passwords := map[string]string{
		"empty": "", "blank": " ", "blanks around": "  secret  ", "NUL inside": "abc\x00def", "emoji joined": "👩‍👩‍👧‍👦🔑 correct horse",
		"NFC": "caf\u00e9 au lait", "NFD": "cafe\u0301 au lait", "NFKC": "ﬁle system", "e-mail": "ann@example.com", "invalid UTF-8": "pass\xff\xfeword",
	}
	for _, n := range []int{1, 7, 8, 14, 15, 64, 71, 72, 73, 100, 128, 255, 256, 257, 1023, 1024, 1025, 10_000, 1_000_000} {
		passwords[fmt.Sprintf("%d bytes", n)] = strings.Repeat("x", n-1) + "y"
		passwords[fmt.Sprintf("%d code points", n)] = strings.Repeat("é", n-1) + "ö"
	}
	for name, password := range passwords {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, c := range map[string]struct {
				hasher *Hasher
				most   int
			}{Argon2id: {argon, 1024}, Bcrypt: {bcrypt, 72}} {
				stored, err := c.hasher.Hash(t.Context(), password)
				if len(password) > c.most {
					if !errors.Is(err, auth.PasswordTooLong) {
						t.Errorf("%s: hashing gave %v, want password-too-long", kind, err)
					}
					continue
				}
				if err != nil {
					t.Fatalf("%s: %v", kind, err)
				}
				if ok, stale, err := c.hasher.Verify(t.Context(), stored, password); !ok || stale || err != nil {
					t.Errorf("%s: its own hash: ok %v, stale %v, %v", kind, ok, stale, err)
				}
				for _, wrong := range []string{password + "x", password + "\x00", "x" + password, strings.TrimSpace(password) + " "} {
					if wrong == password || len(wrong) > 1024 {
						continue
					}
					// Where the password ends is not marked to bcrypt but by a NUL.
					if kind == Bcrypt && (len(password) == 72 || strings.HasSuffix(wrong, "\x00")) {
						continue
					}
					if ok, _, err := c.hasher.Verify(t.Context(), stored, wrong); ok || err != nil {
						t.Errorf("%s: %q passes: %v", kind, wrong, err)
					}
				}
			}
			_, _, err := argon.Verify(t.Context(), "", password)
			if tooLong := errors.Is(err, auth.PasswordTooLong); tooLong != (len(password) > 1024) {
				t.Errorf("compared with nobody's: %v", err)
			}
		})
	}
}

func TestWeakness44PasswordsThatDifferAfterByte72AreDifferent(t *testing.T) {
	t.Parallel()
	first := strings.Repeat("p", 72)
	argon := cheapHasher(Argon2id)
	stored := hashOf(t, argon, first+"1")
	for password, want := range map[string]bool{first + "1": true, first + "2": false, first: false} {
		if ok, _, err := argon.Verify(t.Context(), stored, password); ok != want || err != nil {
			t.Errorf("%s: %v, %v", password[70:], ok, err)
		}
	}
	// An imported hash has only the first 72. It matches, and is then made anew of the whole.
	imported := bcryptOf(t, "$2a$", first, 4)
	ok, stale, err := argon.Verify(t.Context(), imported, first+"1")
	if !ok || !stale || err != nil {
		t.Fatalf("imported: ok %v, stale %v, %v", ok, stale, err)
	}
	if ok, _, err := argon.Verify(t.Context(), imported, first[1:]+"1"); ok || err != nil {
		t.Errorf("imported: another password passes, %v", err)
	}
}

func TestHashesThatOthersWroteAreRead(t *testing.T) {
	t.Parallel()
	argon := cheapHasher(Argon2id)
	for name, c := range map[string]struct{ stored, password string }{
		"argon2 reference implementation": {"$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc", "password"},
		"Hasura Auth":                     {bcryptOf(t, "$2a$", "password", 10), "password"},
		"pgcrypto, other libraries":       {bcryptOf(t, "$2b$", "password", 4), "password"},
		"PHP":                             {bcryptOf(t, "$2y$", "password", 4), "password"},
	} {
		if ok, _, err := argon.Verify(t.Context(), c.stored, c.password); !ok || err != nil {
			t.Errorf("%s: %v, %v", name, ok, err)
		}
		if ok, _, err := argon.Verify(t.Context(), c.stored, c.password+"x"); ok || err != nil {
			t.Errorf("%s: wrong password: %v, %v", name, ok, err)
		}
	}
}

func TestHashIsReadableByOthers(t *testing.T) {
	t.Parallel()
	stored := hashOf(t, NewHasher(Settings{}, time.Now), "password")
	if !strings.HasPrefix(stored, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("got %s, want the parameters OWASP recommends", stored)
	}
	if again := hashOf(t, NewHasher(Settings{}, time.Now), "password"); again == stored {
		t.Error("two hashes of one password are the same")
	}
	stored = hashOf(t, cheapHasher(Bcrypt), "password")
	if !strings.HasPrefix(stored, "$2a$04$") || bcrypt.CompareHashAndPassword([]byte(stored), []byte("password")) != nil {
		t.Errorf("Hasura Auth cannot read %s", stored)
	}
}

func phc(memory, iterations, lanes, salt, key int) string {
	b := func(n int) string { return base64.RawStdEncoding.EncodeToString(make([]byte, n)) }
	return fmt.Sprintf("$argon2id$v=19$m=%d,t=%d,p=%d$%s$%s", memory, iterations, lanes, b(salt), b(key))
}

func TestStaleHashesAreOfAnotherKindOrWeaker(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("l", 73)
	for name, c := range map[string]struct {
		stored, password  string
		inArgon, inBcrypt bool
	}{
		"as the settings say":   {phc(64, 2, 1, 16, 32), "p", false, true},
		"less memory":           {phc(32, 4, 1, 16, 32), "p", true, true},
		"fewer iterations":      {phc(64, 1, 1, 16, 32), "p", true, true},
		"more of both":          {phc(128, 3, 1, 16, 32), "p", false, true},
		"more memory, one pass": {phc(128, 1, 1, 16, 32), "p", false, true},
		"short key":             {phc(64, 2, 1, 16, 16), "p", true, true},
		"longer than 72":        {phc(64, 2, 1, 16, 32), long, false, false},
		"bcrypt":                {bcryptOf(t, "$2a$", "p", 5), "p", true, false},
		"bcrypt, lower cost":    {bcryptOf(t, "$2a$", "p", 4), "p", true, true},
		"bcrypt, higher cost":   {bcryptOf(t, "$2a$", "p", 6), "p", true, false},
		"bcrypt, cut password":  {bcryptOf(t, "$2a$", long[:72], 4), long, true, false},
	} {
		h, err := parse(c.stored)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got := h.stale(Settings{Hash: Argon2id, Memory: 64, Iterations: 2}, c.password); got != c.inArgon {
			t.Errorf("%s: stale for argon2id: %v", name, got)
		}
		if got := h.stale(Settings{Hash: Bcrypt, BcryptCost: 5}, c.password); got != c.inBcrypt {
			t.Errorf("%s: stale for bcrypt: %v", name, got)
		}
	}
}

func TestHostileHashesAreRefusedBeforeAnyWork(t *testing.T) {
	t.Parallel()
	h := cheapHasher(Argon2id)
	good := phc(64, 1, 1, 16, 32)
	fine := bcryptOf(t, "$2a$", "p", 4)
	for name, stored := range map[string]string{
		"memory of a terabyte":     phc(1<<30, 1, 1, 16, 32),
		"memory beyond 32 bits":    strings.Replace(good, "m=64", "m=4294967360", 1),
		"memory below eight lanes": phc(15, 1, 2, 16, 32),
		"no memory":                phc(0, 1, 1, 16, 32),
		"iterations for a day":     phc(64, 1<<30, 1, 16, 32),
		"much of both":             phc(256<<10, 5, 1, 16, 32),
		"no iterations":            phc(64, 0, 1, 16, 32),
		"no lanes":                 phc(64, 1, 0, 16, 32),
		"255 lanes":                phc(4096, 1, 255, 16, 32),
		"short salt":               phc(64, 1, 1, 7, 32),
		"long salt":                phc(64, 1, 1, 65, 32),
		"no key":                   phc(64, 1, 1, 16, 0),
		"key of a byte":            phc(64, 1, 1, 16, 1),
		"long key":                 phc(64, 1, 1, 16, 65),
		"negative":                 strings.Replace(good, "t=1", "t=-1", 1),
		"plus sign":                strings.Replace(good, "t=1", "t=+1", 1),
		"leading zero":             strings.Replace(good, "t=1", "t=01", 1),
		"other order":              strings.Replace(good, "m=64,t=1", "t=1,m=64", 1),
		"more parameters":          strings.Replace(good, "p=1", "p=1,keyid=AA", 1),
		"older version":            strings.Replace(good, "v=19", "v=16", 1),
		"no version":               strings.Replace(good, "$v=19", "", 1),
		"argon2d":                  strings.Replace(good, "argon2id", "argon2d", 1),
		"padded base64":            good + "=",
		"line break":               good + "\n",
		"part more":                good + "$AAAA",
		"megabytes":                good + strings.Repeat("A", 1<<20),
		"cost 31":                  strings.Replace(fine, "$04$", "$31$", 1),
		"cost 17":                  strings.Replace(fine, "$04$", "$17$", 1),
		"cost 3":                   strings.Replace(fine, "$04$", "$03$", 1),
		"cost of a sign":           strings.Replace(fine, "$04$", "$+4$", 1),
		"bcrypt cut":               fine[:59],
		"bcrypt and more":          fine + "a",
		"bcrypt of no alphabet":    fine[:30] + "!" + fine[31:],
		"2x":                       strings.Replace(fine, "$2a$", "$2x$", 1),
		"plain text":               "password",
		"md5crypt":                 "$1$salt$hash",
	} {
		ok, stale, err := h.Verify(t.Context(), stored, "p")
		if ok || stale || auth.CodeOf(err) != auth.Internal || err == nil {
			t.Errorf("%s: %v, %v, %v", name, ok, stale, err)
			continue
		}
		if strings.Contains(err.Error(), stored) {
			t.Errorf("%s: the error repeats the hash: %v", name, err)
		}
	}
}

func TestSettingsCheckRefusesWhatTheHasherWould(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		settings Settings
		want     string
	}{
		"defaults":        {Settings{}.defaults(), ""},
		"too little":      {Settings{Memory: 100, Iterations: 1, Parallelism: 16}, "AUTH_PASSWORD_ARGON2_MEMORY"},
		"too much of all": {Settings{Memory: 262144, Iterations: 5, Parallelism: 1}, "AUTH_PASSWORD_ARGON2_ITERATIONS"},
	} {
		got := ""
		c.settings.Check(func(env, _ string) { got += env })
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

// fill takes every place and every seat of the queue, and gives back what lets them go.
func fill(t *testing.T, g *gate) (empty func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	for range g.places {
		if err := g.enter(ctx); err != nil {
			t.Fatal(err)
		}
	}
	var waiting sync.WaitGroup
	for range g.queue {
		waiting.Go(func() { _ = g.enter(ctx) })
	}
	queued(g, g.queue)
	return func() {
		cancel()
		waiting.Wait()
		for range g.places {
			g.leave(time.Second)
		}
	}
}

// queued returns when so many wait.
func queued(g *gate, n int) {
	for {
		g.mu.Lock()
		waiting := g.waiting.Len()
		g.mu.Unlock()
		if waiting == n {
			return
		}
		yield()
	}
}

func TestFullQueueRefusesEverybodyAlike(t *testing.T) {
	t.Parallel()
	h := NewHasher(Settings{Memory: 64, Iterations: 1, Concurrency: 2, Queue: 3}, time.Now)
	known := hashOf(t, h, "right password")
	empty := fill(t, h.gate)
	var want auth.TooSoon
	for name, stored := range map[string]string{"known": known, "unknown, locked or without a password": ""} {
		_, _, err := h.Verify(t.Context(), stored, "wrong password")
		var got auth.TooSoon
		if !errors.As(err, &got) || got.Code != auth.Overloaded || got.RetryAfter < time.Second {
			t.Errorf("%s: %v, want overloaded with a time to come back", name, err)
		}
		if want == (auth.TooSoon{}) {
			want = got
		}
		if got != want {
			t.Errorf("%s: told %v, the other %v", name, got, want)
		}
	}
	if _, err := h.Hash(t.Context(), "new password"); !errors.Is(err, auth.Overloaded) {
		t.Errorf("hashing: %v", err)
	}
	begun := false
	if _, _, err := h.VerifyWhile(t.Context(), known, "right password", func() { begun = true }); begun || !errors.Is(err, auth.Overloaded) {
		t.Errorf("turned away: begun %t, %v", begun, err)
	}
	// What is refused without hashing does not wait either.
	if _, err := h.Hash(t.Context(), strings.Repeat("x", 1025)); !errors.Is(err, auth.PasswordTooLong) {
		t.Errorf("too long: %v", err)
	}
	empty()
	if ok, _, err := h.VerifyWhile(t.Context(), known, "right password", func() { begun = true }); !ok || !begun || err != nil {
		t.Errorf("after the flood: %v, begun %t, %v", ok, begun, err)
	}
	if h.gate.free != 2 || h.gate.waiting.Len() != 0 {
		t.Errorf("after the flood %d places are free and %d wait", h.gate.free, h.gate.waiting.Len())
	}
}

func TestGateServesInOrder(t *testing.T) {
	t.Parallel()
	g := newGate(1, 10)
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	order := make(chan int, 10)
	for i := range 10 {
		go func() {
			if g.enter(context.Background()) == nil {
				order <- i
				g.leave(0)
			}
		}()
		queued(g, i+1)
	}
	g.leave(0)
	for want := range 10 {
		if got := <-order; got != want {
			t.Fatalf("number %d came in as number %d", got, want)
		}
	}
}

func TestGateForgetsWhoGaveUp(t *testing.T) {
	t.Parallel()
	g := newGate(1, 2)
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	gaveUp, served := make(chan error), make(chan error)
	go func() { gaveUp <- g.enter(ctx) }()
	queued(g, 1)
	go func() { served <- g.enter(context.Background()) }()
	queued(g, 2)
	cancel()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("who gave up got %v", err)
	}
	g.leave(0)
	if err := <-served; err != nil {
		t.Errorf("who stayed got %v", err)
	}
	g.leave(0)
	if g.free != 1 {
		t.Errorf("%d places are free, want 1", g.free)
	}
}

func TestPlaceOfWhoGaveUpWhileLetInIsNotLost(t *testing.T) {
	t.Parallel()
	g := newGate(1, 2)
	if err := g.enter(t.Context()); err != nil {
		t.Fatal(err)
	}
	turn := make(chan struct{})
	place := g.waiting.PushBack(turn)
	g.leave(0) // lets the waiting one in
	g.giveUp(place, turn)
	if g.free != 1 || g.waiting.Len() != 0 {
		t.Errorf("%d places are free and %d wait, want 1 and 0", g.free, g.waiting.Len())
	}
}

func TestGateNeverLetsInMoreThanItsPlaces(t *testing.T) {
	t.Parallel()
	g := newGate(3, 1000)
	var mu sync.Mutex
	inside, most := 0, 0
	var all sync.WaitGroup
	for i := range 300 {
		all.Go(func() {
			ctx, cancel := context.WithCancel(context.Background())
			if i%7 == 0 {
				go cancel()
			}
			defer cancel()
			if g.enter(ctx) != nil {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			yield()
			mu.Lock()
			inside--
			mu.Unlock()
			g.leave(time.Millisecond)
		})
	}
	all.Wait()
	if most > 3 || g.free != 3 || g.waiting.Len() != 0 {
		t.Errorf("%d were inside at once; %d places are free, %d wait", most, g.free, g.waiting.Len())
	}
}

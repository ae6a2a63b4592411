package passwords

import (
	"strings"
	"testing"
)

func FuzzParse(f *testing.F) {
	f.Add(phc(64, 1, 1, 16, 32))
	f.Add("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$2a$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy")
	f.Add(firebaseHash)
	f.Add("$argon2i$v=19$m=64,t=1,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Fuzz(func(t *testing.T, stored string) {
		h, err := parse(stored)
		if err != nil {
			return
		}
		if !strings.HasPrefix(stored[4:], h.kind()[4:]) {
			t.Errorf("%q is of the kind %q", stored, h.kind())
		}
		if h.bcrypt != nil {
			if h.cost < 4 || h.cost > maxCost {
				t.Errorf("%q may cost %d", stored, h.cost)
			}
			return
		}
		if f := h.firebase; f != nil {
			if f.exponent < 1 || f.rounds < 1 || f.lanes < 1 || f.cost() > maxWork<<10 || len(f.signer) == 0 || len(f.hash) != len(f.signer) {
				t.Errorf("%q may cost %+v", stored, f)
			}
			return
		}
		if h.lanes == 0 || h.iterations == 0 || h.memory < 8*uint32(h.lanes) || uint64(h.memory)*uint64(h.iterations) > maxWork || len(h.key) < 16 || len(h.salt) < 8 {
			t.Errorf("%q may cost %+v", stored, h)
		}
	})
}

func FuzzListed(f *testing.F) {
	f.Add(leakedRest + ":5\r\n")
	f.Add(leakedRest + ":0\n" + strings.Repeat("A", 35) + ":7")
	f.Fuzz(func(t *testing.T, body string) {
		found, err := listed(strings.NewReader(body), leakedRest)
		if found && (err != nil || !strings.Contains(strings.ToUpper(body), leakedRest+":")) {
			t.Errorf("found in %q, %v", body, err)
		}
	})
}

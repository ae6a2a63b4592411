package passwords

import (
	"encoding/base64"
	"strings"
	"testing"
	"time"

	xargon2 "golang.org/x/crypto/argon2"
)

// firebaseHash is the example of Firebase's own documentation, of the password "user1password".
const firebaseHash = "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA==" +
	"$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ=="

// TestHashesFromElsewhere compares those of other systems, and has them made anew.
func TestHashesFromElsewhere(t *testing.T) {
	t.Parallel()
	key := xargon2.Key([]byte("user1password"), []byte("some salt"), 1, 64, 1, 32)
	for _, hasher := range []*Hasher{cheapHasher(Argon2id), cheapHasher(Bcrypt)} {
		for _, stored := range []string{firebaseHash, "$argon2i$v=19$m=64,t=1,p=1$" + base64.RawStdEncoding.EncodeToString([]byte("some salt")) + "$" + base64.RawStdEncoding.EncodeToString(key)} {
			if ok, stale, err := hasher.Verify(t.Context(), stored, "user1password"); !ok || !stale || err != nil {
				t.Errorf("%s: %t, stale %t, %v", stored, ok, stale, err)
			}
			for _, wrong := range []string{"", "user1Password", "user1password "} {
				if ok, _, err := hasher.Verify(t.Context(), stored, wrong); ok || err != nil {
					t.Errorf("%s takes %q: %v", stored, wrong, err)
				}
			}
			if err := NewPacer(hasher, time.Now).Calibrate(t.Context(), mustKind(t, stored)); err != nil {
				t.Error(err)
			}
		}
	}
}

func mustKind(t testing.TB, stored string) string {
	t.Helper()
	h, err := parse(stored)
	if err != nil {
		t.Fatal(err)
	}
	return h.kind()
}

// TestHashesThatCostTooMuch are not compared, and the errors tell nothing of them.
func TestHashesThatCostTooMuch(t *testing.T) {
	t.Parallel()
	for _, change := range [][2]string{
		{"n=14", "n=19"},
		{"n=14", "n=99"},
		{"r=8", "r=999"},
		{"p=1", "p=99"},
		{"n=14", "n=0"},
		{"n=14", "n=014"},
		{"v=1", "v=2"},
		{",sk=jx", ",sk=j"},
		{",sk=", ",sx="},
		{"$42xEC+ixf3L2lw==", "$"},
		{"$lSrf", "$l"},
		{"lQ==", "lR=="},
	} {
		stored := strings.Replace(firebaseHash, change[0], change[1], 1)
		if err := Check(stored); err == nil || strings.Contains(err.Error(), "jxsp") {
			t.Errorf("%v: %v", change, err)
		}
	}
}

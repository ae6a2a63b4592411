package flow

import (
	"testing"
	"time"

	"postern/auth"
	"postern/store"
)

func TestSessionLimitOfAUser(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		everybody int
		byRole    []string
		roles     []string
		want      int
	}{
		"no limit":                          {0, nil, nil, 0},
		"everybody's":                       {2, nil, nil, 2},
		"another role":                      {2, []string{"admin=1"}, nil, 2},
		"stricter":                          {2, []string{"admin=1"}, []string{"admin"}, 1},
		"wider":                             {2, []string{"support=5"}, []string{"support"}, 5},
		"the strictest of two":              {9, []string{"support=5", "admin=1"}, []string{"admin", "support"}, 1},
		"any number":                        {2, []string{"robot=0"}, []string{"robot"}, 0},
		"any number beside a number":        {2, []string{"robot=0", "admin=1"}, []string{"robot", "admin"}, 1},
		"the default role counts":           {0, []string{"user=3"}, nil, 3},
		"blanks":                            {0, []string{" user = 3 "}, nil, 3},
		"where there is none for everybody": {0, []string{"admin=1"}, []string{"admin"}, 1},
	} {
		s := Settings{SessionLimit: c.everybody, SessionLimitByRole: c.byRole}
		limits, err := newSessionLimits(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p := &Policy{Settings: s, limits: limits}
		if got := p.sessionLimit(auth.User{DefaultRole: "user", Roles: c.roles}); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
	for _, bad := range [][]string{{"admin"}, {"admin="}, {"=1"}, {"admin=-1"}, {"admin=1", "admin=2"}, {"admin=one"}, {"admin:1"}, {""}} {
		reported := map[string]bool{}
		Settings{ClientURL: "https://app.example.com", DefaultLocale: "en", SessionLimitByRole: bad}.Check(func(env, _ string) { reported[env] = true })
		if !reported["AUTH_SESSION_LIMIT_BY_ROLE"] {
			t.Errorf("%q: reported %v", bad, reported)
		}
	}
}

// TestSessionsEndByTheLimitsOfToday compares the judgement of a session that is held with the times
// that statements are given.
func TestSessionsEndByTheLimitsOfToday(t *testing.T) {
	t.Parallel()
	now := time.Date(2030, 1, 31, 12, 0, 0, 0, time.UTC)
	p := &Policy{Settings: Settings{RefreshTokenLife: 24 * time.Hour, SessionIdle: time.Hour, SessionMaxLife: 10 * time.Hour}}
	for name, c := range map[string]struct {
		rotated, opened, expires time.Duration // from now
		ends                     time.Duration // 0 for never
		over                     bool
	}{
		"fresh":                       {0, 0, time.Hour, 0, false},
		"idle for almost too long":    {-time.Hour + 1, -2 * time.Hour, time.Hour, 0, false},
		"idle":                        {-time.Hour, -2 * time.Hour, time.Hour, 0, true},
		"old for almost too long":     {0, -10*time.Hour + 1, time.Hour, 0, false},
		"old":                         {0, -10 * time.Hour, time.Hour, 0, true},
		"expired":                     {0, 0, 0, 0, true},
		"at its own end":              {0, 0, time.Hour, -1, true},
		"before its own end":          {0, 0, time.Hour, 1, false},
		"ends before its token would": {0, 0, time.Hour, time.Minute, false},
	} {
		rotated := now.Add(c.rotated)
		h := store.Held{RotatedAt: &rotated}
		h.SessionCreatedAt, h.SessionExpiresAt = now.Add(c.opened), now.Add(c.expires)
		if c.ends != 0 {
			ends := now.Add(c.ends)
			h.EndsAt = &ends
		}
		if got := p.isOver(h, now); got != c.over {
			t.Errorf("%s: over %v", name, got)
		}
		a := p.alive(now)
		if got := h.SessionExpiresAt.After(a.Now) && (h.EndsAt == nil || h.EndsAt.After(a.Now)) && h.RotatedAt.After(a.UsedAfter) && h.SessionCreatedAt.After(a.OpenedAfter); got == c.over {
			t.Errorf("%s: the statements say otherwise", name)
		}
	}
	if p.sessionLife() != time.Hour || (&Policy{Settings: Settings{RefreshTokenLife: time.Hour, SessionIdle: 24 * time.Hour}}).sessionLife() != time.Hour {
		t.Error("a session lives for the shorter of the two")
	}
	if (&Policy{}).alive(now) != (store.Alive{Now: now}) || !(&Policy{}).endOf(auth.Session{CreatedAt: now}).IsZero() {
		t.Error("there is a limit where there is none")
	}
}

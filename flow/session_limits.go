package flow

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
)

// sessionLimits say how many sessions a user may have; 0 means any number.
type sessionLimits struct {
	everybody int
	byRole    map[string]int
}

func newSessionLimits(s Settings) (sessionLimits, error) {
	l := sessionLimits{everybody: s.SessionLimit, byRole: make(map[string]int, len(s.SessionLimitByRole))}
	for _, pair := range s.SessionLimitByRole {
		role, number, _ := strings.Cut(pair, "=")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		role = strings.TrimSpace(role)
		if _, twice := l.byRole[role]; err != nil || n < 0 || role == "" || twice {
			return l, errors.New("must be a list of role=number, such as admin=1,support=5, each role once")
		}
		l.byRole[role] = n
	}
	return l, nil
}

// sessionLimit is how many sessions a user may have at once. The limit of a role takes the place of
// the one for everybody; of several roles the strictest counts.
func (p *Policy) sessionLimit(u auth.User) int {
	listed, strictest := false, 0
	for _, r := range u.AllowedRoles() {
		n, ok := p.limits.byRole[r]
		listed = listed || ok
		if n > 0 && (strictest == 0 || n < strictest) {
			strictest = n
		}
	}
	if listed {
		return strictest
	}
	return p.limits.everybody
}

// sessionLife is how long a session lasts from a refresh on.
func (p *Policy) sessionLife() time.Duration {
	if p.SessionIdle > 0 {
		return min(p.SessionIdle, p.RefreshTokenLife)
	}
	return p.RefreshTokenLife
}

// endOf is when a session must end however often it is refreshed; zero means never.
func (p *Policy) endOf(s auth.Session) time.Time {
	if p.SessionMaxLife == 0 {
		return time.Time{}
	}
	return s.CreatedAt.Add(p.SessionMaxLife)
}

// alive says which sessions are alive now. The limits are those of today: sessions that were opened
// under wider ones end by them too.
func (p *Policy) alive(now time.Time) store.Alive {
	a := store.Alive{Now: now}
	if p.SessionIdle > 0 {
		a.UsedAfter = now.Add(-p.SessionIdle)
	}
	if p.SessionMaxLife > 0 {
		a.OpenedAfter = now.Add(-p.SessionMaxLife)
	}
	return a
}

// isOver tells whether a session that is held is not alive any more.
func (p *Policy) isOver(h store.Held, now time.Time) bool {
	a := p.alive(now)
	switch {
	case !h.SessionExpiresAt.After(now), h.EndsAt != nil && !h.EndsAt.After(now):
		return true
	case !a.UsedAfter.IsZero() && h.RotatedAt != nil && !h.RotatedAt.After(a.UsedAfter):
		return true
	}
	return !a.OpenedAfter.IsZero() && !h.SessionCreatedAt.After(a.OpenedAfter)
}

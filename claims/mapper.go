package claims

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
)

// Mapper computes the custom claims of users. A nil Mapper has none. It is safe for concurrent use
// once its functions are set.
type Mapper struct {
	// Failed is told of each failure; nil tells nobody.
	Failed func(ctx context.Context, f Failure)

	settings Settings
	source   Source
	now      func() time.Time
	defs     *definitions
}

// Open reads the definitions. It asks nobody. The error lists all that forbids the start.
func Open(s Settings, source Source, now func() time.Time) (*Mapper, error) {
	m := &Mapper{settings: s, source: source, now: now, defs: s.read()}
	var wrong []string
	for _, p := range m.defs.problems {
		if p.Fatal {
			wrong = append(wrong, p.setting+": "+p.text())
		}
	}
	if len(wrong) > 0 {
		return nil, errors.New(strings.Join(wrong, "\n"))
	}
	if !m.None() && source == nil {
		return nil, errors.New("there are custom claims, and nothing that their data could come from")
	}
	return m, nil
}

// None tells that no claims are configured.
func (m *Mapper) None() bool { return m == nil || len(m.defs.list) == 0 }

// Of computes the claims of a user: full names and literals. known are fields of the user that the
// caller is about to change, and that count more than what the source says. An error wraps
// auth.ClaimMissing or auth.ClaimsUnavailable: a required claim has no value, or cannot be computed.
func (m *Mapper) Of(ctx context.Context, userID string, known map[string]any) (map[string]string, error) {
	if m.None() {
		return nil, nil
	}
	return m.without(ctx, userID, known)
}

// without gives the claims as they are when the source cannot be asked.
func (m *Mapper) without(_ context.Context, _ string, _ map[string]any) (map[string]string, error) {
	claims := map[string]string{}
	for _, def := range m.defs.list {
		switch {
		case def.required:
			return nil, fmt.Errorf("claim %s: %w", def.written, auth.TooSoon{Code: auth.ClaimsUnavailable, RetryAfter: time.Second})
		case def.fallback.ok:
			claims[def.name] = def.fallback.literal
		}
	}
	return claims, nil
}

// Ready says why a required claim cannot be computed now, or nothing.
func (m *Mapper) Ready() error { return nil }

// Keep checks the claims as soon as the source answers, and again whenever the schema may have
// changed, until the context ends.
func (m *Mapper) Keep(ctx context.Context) {
	if m.None() {
		return
	}
	<-ctx.Done()
}

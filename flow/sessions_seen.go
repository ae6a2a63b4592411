package flow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/store"
)

// maxListed is how many sessions a list shows, the latest used first.
const maxListed = 500

// SeenSession is a session as its user sees it.
type SeenSession struct {
	store.SeenSession
	Current bool // it is the one that asks
}

// OfActor lists the live sessions of the actor, the latest used first.
func (f *Sessions) OfActor(ctx context.Context, a auth.Actor) ([]SeenSession, error) {
	user, err := f.viewer(ctx, a)
	if err != nil {
		return nil, err
	}
	found, err := f.Store.SessionsOf(ctx, user.ID, f.Policy.alive(f.Now()), maxListed)
	if err != nil {
		return nil, err
	}
	list := make([]SeenSession, len(found))
	for i, s := range found {
		s.ExpiresAt = f.Policy.latestEnd(s)
		list[i] = SeenSession{SeenSession: s, Current: s.ID == a.SessionID}
	}
	return list, nil
}

// latestEnd is when a session ends unless it is refreshed, by the limits of today.
func (p *Policy) latestEnd(s store.SeenSession) time.Time {
	end := s.ExpiresAt
	for _, limit := range []struct {
		from time.Time
		life time.Duration
	}{{s.LastUsedAt, p.SessionIdle}, {s.CreatedAt, p.SessionMaxLife}} {
		if by := limit.from.Add(limit.life); limit.life > 0 && by.Before(end) {
			end = by
		}
	}
	return end
}

// EndOne ends one session of the actor, their own included: it refreshes no more, and its access token
// opens no door of ours. Of somebody else's session nobody learns that it is there.
func (f *Sessions) EndOne(ctx context.Context, a auth.Actor, id string, c auth.Client) error {
	if _, err := f.actor(ctx, a); err != nil {
		return err
	}
	now := f.Now()
	e := f.entry("session.ended", a.UserID, c, now)
	e.SessionID = id
	e.Detail = map[string]any{"reason": "user"}
	err := f.Store.EndOwnSession(ctx, a, id, f.Policy.alive(now), e)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("%w: no such session of user %s", auth.NotFound, a.UserID)
	}
	return err
}

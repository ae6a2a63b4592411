package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"postern/auth"
	"postern/claims"
	"postern/store"
	"postern/tokens"
)

// ClaimsPreview is what the token of a user would say.
type ClaimsPreview struct {
	claims.Explanation

	Problems, Warnings []claims.Problem // of a candidate, as a start would tell them
	Refused            bool             // the user would get no token
	Roles              []RoleView
}

// RoleView is what Hasura would see of a request with the token that takes a role.
type RoleView struct {
	Role      string
	Variables map[string]string // the session variables
}

// PreviewClaims says what the token of a user would say, and how that comes about. A definition is that of
// other claims than those in effect, in the form of AUTH_JWT_CUSTOM_CLAIMS: it is checked as at a start, and
// works in the same sandbox with the same limits. Whoever asks may see any row that claims can read, so it
// takes the right to change them.
func (f *Service) PreviewClaims(ctx context.Context, userID string, definition json.RawMessage, roles []string, by Operator) (p ClaimsPreview, err error) {
	if err := by.mayChange(); err != nil {
		return p, err
	}
	user, err := f.Store.UserOfActor(ctx, auth.Actor{UserID: userID}, store.Alive{})
	if errors.Is(err, store.ErrNotFound) {
		return p, fmt.Errorf("%w: user %s", auth.NotFound, userID)
	}
	if err != nil {
		return p, err
	}
	allowed := user.AllowedRoles()
	for _, r := range roles {
		if !slices.Contains(allowed, r) {
			return p, auth.Invalid{Field: "roles", Problem: "must be roles that the user may take"}
		}
	}
	if roles == nil {
		roles = allowed
	}
	mapper := f.Kit.Claims
	if definition != nil {
		if mapper, err = f.candidate(ctx, definition, &p); err != nil || mapper == nil {
			return p, err
		}
		e := f.entry(by, "claims.previewed", userID, nil)
		if err := f.Store.Tell(ctx, e); err != nil {
			return p, err
		}
	}
	if p.Explanation, err = mapper.Explain(ctx, userID); err != nil {
		return p, err
	}
	f.views(&p, user, roles)
	return p, nil
}

// ClaimsOfUsers says what the tokens of users would say with the claims in effect, by their ids. It takes one user
// at a time: for each the source of the data is asked anew, and may take its time. It leaves no entry, as nothing
// is tried and nothing changes.
func (f *Service) ClaimsOfUsers(ctx context.Context, by Operator, userIDs []string) (map[string]ClaimsPreview, error) {
	if err := by.mayChange(); err != nil {
		return nil, err
	}
	all := map[string]ClaimsPreview{}
	if len(userIDs) > 1 {
		return nil, auth.Invalid{Field: "claims", Problem: "must be asked of one user at a time"}
	}
	for _, id := range userIDs {
		p, err := f.PreviewClaims(ctx, id, nil, nil, by)
		if err != nil {
			return nil, err
		}
		all[id] = p
	}
	return all, nil
}

// candidate checks claims as a start does. Nil is a candidate that would forbid one: what is wrong is noted.
func (f *Service) candidate(ctx context.Context, definition json.RawMessage, p *ClaimsPreview) (*claims.Mapper, error) {
	if f.ClaimSource == nil {
		return nil, auth.Invalid{Field: "definition", Problem: "must wait until there is a source for the data of claims"}
	}
	s := f.ClaimSettings
	s.Definitions = string(definition)
	looking, cancel := context.WithTimeout(ctx, s.Timeout+time.Second)
	defer cancel()
	report, err := claims.Inspect(looking, s, f.ClaimSource, f.Now)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", auth.TooSoon{Code: auth.ClaimsUnavailable, RetryAfter: time.Second}, err)
	}
	p.Problems, p.Warnings = report.Problems, report.Warnings
	if report.Err() != nil {
		return nil, nil
	}
	mapper, err := claims.Open(s, f.ClaimSource, f.Now)
	if err != nil {
		return nil, auth.Invalid{Field: "definition", Problem: "must be claims as AUTH_JWT_CUSTOM_CLAIMS has them"}
	}
	return mapper, nil
}

// views says what Hasura would see for each role.
func (f *Service) views(p *ClaimsPreview, user auth.User, roles []string) {
	extra := map[string]string{}
	for _, c := range p.Claims {
		p.Refused = p.Refused || c.Refused != nil
		if c.Present {
			extra[c.Name] = c.Literal
		}
	}
	if p.Refused {
		return
	}
	said := f.Signer.SessionVariables(tokens.Access{UserID: user.ID, Roles: user.AllowedRoles(), DefaultRole: user.DefaultRole, IsAnonymous: user.IsAnonymous, Extra: extra})
	for _, r := range roles {
		v := RoleView{Role: r, Variables: map[string]string{"x-hasura-role": r}}
		maps.Copy(v.Variables, said)
		p.Roles = append(p.Roles, v)
	}
}

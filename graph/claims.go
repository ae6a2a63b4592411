package graph

import (
	"context"
	"encoding/json"
	"fmt"

	"postern/claims"
	"postern/flow"
	"postern/graph/wire"
)

// ClaimsPreview says what the token of a user would say.
func (q *query) ClaimsPreview(ctx context.Context, userID string, definition json.RawMessage, roles []string) (*wire.ClaimsPreview, error) {
	if string(definition) == "null" {
		definition = nil
	}
	p, err := q.Service.PreviewClaims(ctx, userID, definition, roles, operator(ctx))
	if err != nil {
		return nil, err
	}
	return claimsPreview(p), nil
}

// Claims says what the token of a user would say with the claims in effect.
func (u *user) Claims(ctx context.Context, of *wire.User) (*wire.ClaimsPreview, error) {
	found, err := wire.OfPage(of.Page, "claims", 0, func(ids []string) (map[string]flow.ClaimsPreview, error) {
		return u.Service.ClaimsOfUsers(ctx, operator(ctx), ids)
	})
	if err != nil {
		return nil, err
	}
	return claimsPreview(found[of.ID]), nil
}

func claimsPreview(p flow.ClaimsPreview) *wire.ClaimsPreview {
	out := &wire.ClaimsPreview{
		Problems: claimProblems(p.Problems), Warnings: claimProblems(p.Warnings), Query: nullable(p.Query), Milliseconds: milliseconds(p.Took),
		Error: nullable(p.Problem), Refused: p.Refused, Claims: []*wire.ClaimExplanation{}, Roles: []*wire.RoleClaims{},
	}
	for _, c := range p.Claims {
		out.Claims = append(out.Claims, claimExplanation(c))
	}
	for _, r := range p.Roles {
		out.Roles = append(out.Roles, &wire.RoleClaims{Role: r.Role, SessionVariables: jsonOf(r.Variables)})
	}
	return out
}

func claimProblems(list []claims.Problem) []*wire.ClaimProblem {
	out := make([]*wire.ClaimProblem, len(list))
	for i, p := range list {
		out[i] = &wire.ClaimProblem{Claim: nullable(p.Claim), Text: p.Text, Fatal: p.Fatal}
	}
	return out
}

func claimExplanation(c claims.Explained) *wire.ClaimExplanation {
	out := &wire.ClaimExplanation{
		Claim: c.Claim, Name: c.Name, Expression: c.Expression, Evaluated: nullable(c.Evaluated), Fields: c.Fields, Required: c.Required,
		State: string(c.State), Error: nullable(c.Reason), Refused: c.Refused != nil, Milliseconds: milliseconds(c.Took),
	}
	if out.Fields == nil {
		out.Fields = []string{}
	}
	if c.Raw != nil {
		raw, err := json.Marshal(c.Raw)
		if err != nil {
			raw, _ = json.Marshal(fmt.Sprint(c.Raw)) // a text always can be
		}
		out.Value = raw
	}
	if c.Present {
		out.Literal = &c.Literal
	}
	return out
}

package graph

import (
	"context"
	"strings"

	"postern/flow"
	"postern/graph/wire"
	"postern/store"
)

// Sessions lists the sessions of a user that live.
func (u *user) Sessions(ctx context.Context, of *wire.User, first int) ([]*wire.UserSession, error) {
	return listed(ctx, of, "sessions", first, u.Admin.SessionsOfUsers, func(s store.ListedSession) *wire.UserSession {
		return &wire.UserSession{
			ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: s.ExpiresAt, LastUsedAt: s.LastUsedAt, EndsAt: s.EndsAt, Aal: s.AAL, Amr: s.AMR,
			UserAgent: nullable(s.UserAgent), AddressPrefix: nullable(s.AddressPrefix), OauthClientID: nullable(s.ClientID),
		}
	})
}

// Identities lists the accounts elsewhere by which a user signs in.
func (u *user) Identities(ctx context.Context, of *wire.User, first int) ([]*wire.UserIdentity, error) {
	return listed(ctx, of, "identities", first, u.Admin.IdentitiesOfUsers, func(i store.ListedIdentity) *wire.UserIdentity {
		return &wire.UserIdentity{
			ID: i.ID, Provider: i.Provider, ProviderUserID: i.ProviderUserID, Email: nullable(i.Email), EmailVerified: i.EmailVerified,
			CreatedAt: i.CreatedAt, SignedInAt: i.SignedInAt,
		}
	})
}

// Factors lists the second factors of a user.
func (u *user) Factors(ctx context.Context, of *wire.User, first int) ([]*wire.UserFactor, error) {
	return listed(ctx, of, "factors", first, u.Admin.FactorsOfUsers, func(f store.ListedFactor) *wire.UserFactor {
		return &wire.UserFactor{ID: nullable(f.ID), Kind: f.Kind, Status: f.Status, Name: nullable(f.Name), CreatedAt: f.CreatedAt, ConfirmedAt: f.ConfirmedAt}
	})
}

// Passkeys lists the passkeys of a user.
func (u *user) Passkeys(ctx context.Context, of *wire.User, first int) ([]*wire.UserPasskey, error) {
	return listed(ctx, of, "passkeys", first, u.Admin.PasskeysOfUsers, func(k store.ListedPasskey) *wire.UserPasskey {
		return &wire.UserPasskey{
			ID: k.ID, Nickname: nullable(k.Nickname), AddedAt: k.AddedAt, UsedAt: k.UsedAt, Aaguid: nullable(k.AAGUID),
			Transports: strings.FieldsFunc(k.Transports, func(r rune) bool { return r == ',' || r == ' ' }), BackupEligible: k.BackupEligible, BackedUp: k.BackedUp,
		}
	})
}

// PersonalAccessTokens lists the personal access tokens of a user that live.
func (u *user) PersonalAccessTokens(ctx context.Context, of *wire.User, first int) ([]*wire.UserPersonalAccessToken, error) {
	return listed(ctx, of, "personalAccessTokens", first, u.Admin.PATsOfUsers, func(p store.ListedPAT) *wire.UserPersonalAccessToken {
		return &wire.UserPersonalAccessToken{ID: p.ID, CreatedAt: p.CreatedAt, ExpiresAt: p.ExpiresAt, LastUsedAt: p.LastUsedAt, Metadata: p.Metadata}
	})
}

// RecoveryCodesLeft counts the recovery codes that a user has not used.
func (u *user) RecoveryCodesLeft(ctx context.Context, of *wire.User) (int, error) {
	left, err := wire.OfPage(of.Page, "recoveryCodesLeft", 0, func(ids []string) (map[string]int, error) {
		return u.Admin.RecoveryCodesOfUsers(ctx, operator(ctx), ids)
	})
	return left[of.ID], err
}

// listed is a list of a user. The first who asks for it reads the same list of all users of the page; a query
// costs no statement for each of them, whether it comes by nodes or by edges.
func listed[T, W any](
	ctx context.Context, of *wire.User, field string, first int,
	load func(context.Context, flow.Operator, []string, int) (map[string][]T, error), encode func(T) *W,
) ([]*W, error) {
	found, err := wire.OfPage(of.Page, field, first, func(ids []string) (map[string][]T, error) { return load(ctx, operator(ctx), ids, first) })
	if err != nil {
		return nil, err
	}
	list := make([]*W, len(found[of.ID]))
	for i, item := range found[of.ID] {
		list[i] = encode(item)
	}
	return list, nil
}

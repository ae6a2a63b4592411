package flow

import (
	"context"

	"postern/store"
)

// The lists here are those of several users, by their ids: so many of each at most, the newest first. Each
// costs one statement, however many users there are.

// SessionsOfUsers lists sessions that live.
func (f *Admin) SessionsOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.ListedSession, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.SessionsOfUsers(ctx, userIDs, f.Policy.alive(f.Now()), most)
}

// IdentitiesOfUsers lists what users have linked.
func (f *Admin) IdentitiesOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.ListedIdentity, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.IdentitiesOfUsers(ctx, userIDs, most)
}

// FactorsOfUsers lists second factors, those that may still be confirmed among them.
func (f *Admin) FactorsOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.ListedFactor, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.FactorsOfUsers(ctx, userIDs, f.Now().Add(-stagedLife), most)
}

// PasskeysOfUsers lists passkeys.
func (f *Admin) PasskeysOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.ListedPasskey, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.PasskeysOfUsers(ctx, userIDs, most)
}

// PATsOfUsers lists personal access tokens that live.
func (f *Admin) PATsOfUsers(ctx context.Context, by Operator, userIDs []string, first int) (map[string][]store.ListedPAT, error) {
	most, err := by.mayList(first)
	if err != nil {
		return nil, err
	}
	return f.Store.PATsOfUsers(ctx, userIDs, f.Now(), most)
}

// RecoveryCodesOfUsers counts the recovery codes that each user has not used.
func (f *Admin) RecoveryCodesOfUsers(ctx context.Context, by Operator, userIDs []string) (map[string]int, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	return f.Store.RecoveryCodesOfUsers(ctx, userIDs)
}

// mayList refuses whoever may not see what operators see, and lists that are too long.
func (o Operator) mayList(first int) (most int, err error) {
	if err := o.mayRead(); err != nil {
		return 0, err
	}
	return pageSize("first", first)
}

package flow

import (
	"context"
	"encoding/json"
	"fmt"

	"postern/hooks"
	"postern/store"
)

// tellOfUser owes it to hooks, in the transaction that adds a user, to be told of them.
func (k *Kit) tellOfUser(ctx context.Context, tx *store.DB, u store.NewUser, e store.Entry) error {
	if k.Hooks == nil || !k.Hooks.UserCreated.Told() {
		return nil
	}
	created := hooks.UserCreated{Event: event(e.Client, e.At), User: u.User}
	created.Method, _ = e.Detail["method"].(string)
	created.Provider, _ = e.Detail["provider"].(string)
	return k.tellLater(ctx, tx, created.ID, k.Hooks.UserCreated.Name(), created)
}

// tellOfPassword owes it to hooks, in the transaction that changes a password, to be told of that.
func (k *Kit) tellOfPassword(ctx context.Context, tx *store.DB, e hooks.PasswordChanged) error {
	if k.Hooks == nil || !k.Hooks.PasswordChanged.Told() {
		return nil
	}
	return k.tellLater(ctx, tx, e.ID, k.Hooks.PasswordChanged.Name(), e)
}

func (k *Kit) tellLater(ctx context.Context, tx *store.DB, id, moment string, e any) error {
	plain, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	sealed, err := k.Keys.Seal(store.HookSeal, plain)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	return tx.Enqueue(ctx, store.HookJob{ID: id, Moment: moment, Sealed: sealed}, nil)
}

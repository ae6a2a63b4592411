package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
)

// PasswordSignIn is a person at the door with an address and a password.
type PasswordSignIn struct {
	Email    string
	Password string
	Client   auth.Client
}

// WithPassword signs a person in. A wrong password, an unknown address, an account without a
// password and a locked one are refused alike and after the same time; the state of an account is
// told only to whoever knows its password.
func (f *SignIn) WithPassword(ctx context.Context, in PasswordSignIn) (*auth.Grant, error) {
	start := f.Now()
	guards := f.passwordGuards(in.Email, in.Client)
	login, known, err := f.Store.LoginByEmail(ctx, in.Email, guards, start)
	if err != nil {
		return nil, f.refusePassword(ctx, start, err)
	}
	newHash, err := f.checkPassword(ctx, login, known, in.Password)
	if auth.CodeOf(err) == auth.InvalidCredentials {
		return nil, f.refusePassword(ctx, start, errors.Join(err, f.Store.CountFailure(ctx, guards, start)))
	}
	if err != nil {
		return nil, err
	}
	if err := f.Policy.gateMember(login.User); err != nil {
		return nil, err
	}
	if err := factorGate(login.User); err != nil {
		return nil, err
	}
	return f.open(ctx, f.Store, opening{
		user: login.User, method: "password", client: in.Client, guards: guards, clears: f.lockoutKey(in.Email),
		checkedHash: login.PasswordHash, newHash: newHash, now: f.Now(),
	})
}

// checkPassword compares the password with the stored hash. It gives a new hash when the stored one
// is of an older kind.
func (f *SignIn) checkPassword(ctx context.Context, login store.Login, known bool, password string) (newHash string, err error) {
	if !known || login.PasswordHash == "" {
		return "", fmt.Errorf("%w: no such user, or no password", auth.InvalidCredentials)
	}
	ok, stale, err := f.Passwords.Verify(ctx, login.PasswordHash, password)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", fmt.Errorf("%w: wrong password of user %s", auth.InvalidCredentials, login.ID)
	}
	if !stale {
		return "", nil
	}
	newHash, err = f.Passwords.Hash(ctx, password)
	if err != nil && auth.CodeOf(err) != auth.Internal {
		return "", nil //nolint:nilerr // too busy, or too long for the kind in use: the old hash serves on
	}
	return newHash, err
}

// refusePassword answers a refusal when its time has come, with the wait of a spent guard where
// there is one.
func (f *SignIn) refusePassword(ctx context.Context, start time.Time, refusal error) error {
	if err := f.Pacer.Refuse(ctx, start); err != nil {
		return err
	}
	var wait auth.TooSoon
	if errors.As(refusal, &wait) {
		return wait
	}
	return refusal
}

// passwordGuards count wrong passwords: for the client, whatever accounts it tries, and for the
// account, wherever the tries come from. An unknown address is counted like a known one.
func (k *Kit) passwordGuards(email string, c auth.Client) []store.Guard {
	client, account := k.Policy.Failures, k.Policy.Lockout
	var guards []store.Guard
	if client.Max > 0 && c.Bucket() != "" {
		client.Key = "password:client:" + c.Bucket()
		guards = append(guards, client)
	}
	if account.Max > 0 {
		account.Key = k.lockoutKey(email)
		guards = append(guards, account)
	}
	return guards
}

// lockoutKey names the counter of an account's wrong passwords, in whatever case the address is
// written.
func (k *Kit) lockoutKey(email string) string {
	return "password:account:" + strings.ToLower(email)
}

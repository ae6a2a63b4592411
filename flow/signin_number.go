package flow

import (
	"fmt"
	"slices"
	"time"

	"postern/auth"
	"postern/store"
)

// account names the account of an attempt in the counters of wrong passwords.
func (in PasswordSignIn) account() string {
	if in.PhoneNumber != "" {
		return accountOfPhone(in.PhoneNumber)
	}
	return in.Email
}

// passwordAccount names the account of a user in the counters of wrong passwords.
func passwordAccount(u auth.User) string {
	return PasswordSignIn{Email: u.Email, PhoneNumber: numberInstead(u)}.account()
}

// numberInstead is the number of a user who has no address.
func numberInstead(u auth.User) string {
	if u.Email != "" {
		return ""
	}
	return u.PhoneNumber
}

// alsoByEmail are the guards of an attempt by the number of somebody who has an address, too: what is guessed with either counts
// for both, so that a number is no second budget.
func (k *Kit) alsoByEmail(a attempt, u auth.User) []store.Guard {
	lockout := k.Policy.Lockout
	if a.PhoneNumber == "" || u.Email == "" || lockout.Max == 0 {
		return a.guards
	}
	lockout.Key = k.lockoutKey(u.Email)
	return append(slices.Clone(a.guards), lockout)
}

// gateAttempt is the gate for who signs in by a password: what they name themselves by must have been proved.
func (p *Policy) gateAttempt(a attempt, u auth.User, now time.Time) error {
	if a.PhoneNumber == "" {
		return p.gateByEmail(u, now)
	}
	if err := p.gateMember(u, now); err != nil {
		return err
	}
	if !u.PhoneNumberVerified {
		return fmt.Errorf("%w: the number of user %s", auth.UserUnverified, u.ID)
	}
	return nil
}

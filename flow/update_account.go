package flow

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"postern/auth"
	"postern/hooks"
	"postern/store"
)

// AccountChange is a user who changes several things of theirs at once. What is left out stays.
type AccountChange struct {
	Actor         auth.Actor
	NewEmail      string          // is mailed to, and becomes theirs when that is confirmed
	NewPhone      string          // is sent a code, and becomes theirs when that is typed: see SignIn.WithNewPhone
	Password      *string         // another one
	Current       string          // the one before, where that is asked for
	Nonce         string          // the code that Reauthenticate sent, where the password needs one
	Metadata      json.RawMessage // an object: its members are put in, and those that are null are taken out
	RedirectTo    string          // of the mail
	CodeChallenge string
	Client        auth.Client
}

// maxOwnMetadata is how much metadata users may give themselves: it comes back with every session.
const maxOwnMetadata = 64 << 10

// Update changes all of it, or nothing. Whoever has a second factor must have proved it in this session to change
// what they sign in by.
func (f *Account) Update(ctx context.Context, in AccountChange) (user auth.User, details auth.Details, refused error) {
	now := f.Now()
	user, err := f.changer(ctx, in)
	if err != nil {
		return user, auth.Details{}, err
	}
	metadata, err := newMetadata(in.Metadata)
	if err != nil {
		return user, auth.Details{}, err
	}
	moves := in.NewEmail != "" && in.NewEmail != user.Email
	var mail link
	if moves {
		asked := EmailChange{Actor: in.Actor, NewEmail: in.NewEmail, RedirectTo: in.RedirectTo, CodeChallenge: in.CodeChallenge, Client: in.Client}
		if mail, err = f.newAddress(ctx, asked, user); err != nil {
			return user, auth.Details{}, err
		}
	}
	text, err := f.newNumber(ctx, in, user, now)
	if err != nil {
		return user, auth.Details{}, err
	}
	nonce, err := f.reauthenticated(ctx, in, user, now)
	if err != nil {
		return user, auth.Details{}, err
	}
	hash, err := f.newPassword(ctx, in, user) // last: that it is the old one tells what that is
	if err != nil {
		return user, auth.Details{}, err
	}
	end, err := f.asksFor(ctx, moves, text, user)
	if err != nil {
		return user, auth.Details{}, err
	}
	defer end(&refused)
	changed := hooks.PasswordChanged{Event: event(in.Client, now), User: user}
	err = f.inTx(ctx, func(tx *store.DB) error {
		if metadata.put != nil {
			if err := tx.MergeMetadata(ctx, user.ID, in.Actor.SessionID, metadata.put, metadata.out, maxOwnMetadata, now); err != nil {
				return err
			}
		}
		if nonce != nil {
			if err := tx.TakeCode(ctx, *nonce, now); err != nil {
				return usedUp(err)
			}
		}
		if hash != "" {
			if err := f.setPassword(ctx, tx, hash, in.Actor.SessionID, in.Client, changed); err != nil {
				return err
			}
		}
		if moves {
			if err := f.askAddress(ctx, tx, in.Actor.SessionID, mail); err != nil {
				return err
			}
		}
		if text.phone == "" {
			return nil
		}
		return f.askNumber(ctx, tx, in.Actor.SessionID, text)
	})
	if errors.Is(err, store.ErrTooLong) {
		return user, auth.Details{}, auth.Invalid{Field: "data", Problem: "must not make the metadata longer than 64 KiB"}
	}
	if errors.Is(err, store.ErrChanged) {
		return user, auth.Details{}, fmt.Errorf("%w: the session or the user is gone", auth.Unauthorized)
	}
	if err != nil {
		return user, auth.Details{}, err
	}
	if hash != "" {
		f.passwordChanged(ctx, changed)
	}
	return f.Whole(ctx, in.Actor)
}

// asksFor takes the turns of the messages that a change has sent: of the user who asks, and of a number.
func (f *Account) asksFor(ctx context.Context, mails bool, text newCode, u auth.User) (end func(*error), err error) {
	var turns []turn
	if mails {
		turns = append(turns, turn{keys: []string{turnEmailChange + u.ID}})
	}
	if text.phone != "" {
		turns = append(turns, turn{keys: []string{turnPhoneChange + u.ID, turnPhoneChange + accountOfPhone(text.phone)}, texts: true})
	}
	return f.sends(ctx, turns...)
}

// changer is the user, if they may change what they ask to.
func (f *Account) changer(ctx context.Context, in AccountChange) (auth.User, error) {
	if in.Password == nil && in.NewEmail == "" && in.NewPhone == "" {
		return f.actor(ctx, in.Actor)
	}
	if f.Policy.GuestsProve {
		guest, err := f.proven(ctx, in.Actor)
		if err != nil || guest.IsAnonymous {
			return guest, errors.Join(err, f.Policy.mayProve(in, guest))
		}
	}
	return f.memberOfBoth(ctx, in.Actor, f.member)
}

// newNumber is the code that proves another number; none where none is wanted.
func (f *Account) newNumber(ctx context.Context, in AccountChange, u auth.User, now time.Time) (c newCode, err error) {
	if in.NewPhone == "" {
		return c, nil
	}
	if err := f.textsOn(auth.ChangePhone); err != nil {
		return c, err
	}
	number, err := f.freeNumber(ctx, in.NewPhone, u)
	switch {
	case err != nil:
		return c, err
	case number == u.PhoneNumber && u.PhoneNumberVerified:
		return c, nil
	case in.Actor.SessionID == "":
		return c, fmt.Errorf("%w: a number is asked for in a session", auth.Unauthorized)
	}
	c = newCode{
		purpose: auth.ChangePhone, user: u, account: accountOfPhone(number), phone: number, knows: codePayload{Session: in.Actor.SessionID}, client: in.Client, now: now,
	}
	return c, f.typedOut(ctx, c.account, now)
}

// newPassword is the hash of another password; empty where none is wanted.
func (f *Account) newPassword(ctx context.Context, in AccountChange, u auth.User) (string, error) {
	if in.Password == nil {
		return "", nil
	}
	if err := f.PasswordPolicy.Check(ctx, *in.Password); err != nil {
		return "", err
	}
	login, err := f.Store.LookUp(ctx, store.Lookup{Email: u.Email, Phone: numberInstead(u), Now: f.Now()})
	if err != nil {
		return "", err
	}
	if login.Known && login.ID == u.ID && login.PasswordHash != "" {
		// To hear that it is the old one is to have guessed that; a password that is changed clears the account's count.
		if err := f.Store.CountFailure(ctx, f.passwordGuards(passwordAccount(u), in.Client), f.Now()); err != nil {
			return "", err
		}
		if err := f.knowsCurrent(ctx, in, login, u); err != nil {
			return "", err
		}
		same, _, err := f.Passwords.Verify(ctx, login.PasswordHash, *in.Password)
		if err != nil && auth.CodeOf(err) != auth.Internal {
			return "", err
		}
		if same {
			return "", auth.SamePassword
		}
	} else if err := f.knowsNone(ctx, in, u); err != nil {
		return "", err
	}
	return f.Passwords.Hash(ctx, *in.Password)
}

// knowsNone refuses who has a password after all, though it is not found by their address or number: what cannot be compared is not known.
func (f *Account) knowsNone(ctx context.Context, in AccountChange, u auth.User) error {
	if !f.Policy.KnowsPassword {
		return nil
	}
	ways, err := f.Store.WaysIn(ctx, u.ID)
	if err != nil || !ways.Password {
		return err
	}
	if lately, err := f.openedByMessage(ctx, in.Actor, f.Now()); lately || err != nil {
		return err
	}
	return fmt.Errorf("%w: user %s has a password, and neither an address nor a number to find it by", auth.InvalidCredentials, u.ID)
}

// knowsCurrent refuses who changes a password without the current one, where the operator asks for it.
func (f *Account) knowsCurrent(ctx context.Context, in AccountChange, login store.LookedUp, u auth.User) error {
	if !f.Policy.KnowsPassword {
		return nil
	}
	if lately, err := f.openedByMessage(ctx, in.Actor, f.Now()); lately || err != nil {
		return err
	}
	if in.Current == "" {
		return fmt.Errorf("%w: user %s did not type the current password", auth.InvalidCredentials, u.ID)
	}
	ok, _, err := f.Passwords.Verify(ctx, login.PasswordHash, in.Current)
	if err == nil && !ok || auth.CodeOf(err) == auth.PasswordTooLong {
		err = fmt.Errorf("%w: wrong current password of user %s", auth.InvalidCredentials, u.ID)
	}
	return err
}

// metadataChange is what becomes of a user's metadata.
type metadataChange struct {
	put json.RawMessage // members that are put in; nil when nothing changes
	out []string        // members that are taken out
}

// newMetadata reads an object that a client gives: its members are put in, and those that are null are taken out.
func newMetadata(given json.RawMessage) (c metadataChange, err error) {
	if len(given) == 0 {
		return c, nil
	}
	var put map[string]json.RawMessage
	if err := json.Unmarshal(fromClient(given), &put); err != nil {
		return c, auth.Invalid{Field: "data", Problem: "must be an object"}
	}
	for name, value := range put {
		if bytes.Equal(value, []byte("null")) {
			c.out = append(c.out, name)
			delete(put, name)
		}
	}
	if c.put, err = json.Marshal(put); err != nil {
		return c, fmt.Errorf("flow: %w", err)
	}
	return c, nil
}

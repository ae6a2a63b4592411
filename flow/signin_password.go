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

// PasswordSignIn is a person at the door with an address, or a number in its place, and a password.
type PasswordSignIn struct {
	Email       string
	PhoneNumber string
	Password    string
	Said        Said
	Client      auth.Client
}

// attempt is a PasswordSignIn under way.
type attempt struct {
	PasswordSignIn
	guards  []store.Guard
	begun   time.Time
	looking time.Duration // at the database, so far
	counted bool          // as a wrong password, before anybody was asked about it
	heard   bool          // hooks were asked about the request
	userID  string        // whose address it is; empty when nobody's
}

// passwordTries is how often a sign-in is looked at again that met another one of the same person.
const passwordTries = 3

// WithPassword signs a person in. A wrong password, an unknown address, an account without a
// password and a locked one are refused alike and after the same time; the state of an account is
// told only to whoever knows its password. Where hooks know passwords of people who have none here,
// they are asked, and who is vouched for has the password from then on.
func (f *SignIn) WithPassword(ctx context.Context, in PasswordSignIn) (auth.Admission, error) {
	a := attempt{PasswordSignIn: in, begun: f.Now()}
	if in.PhoneNumber != "" {
		if !f.Policy.SignInBySMS {
			return auth.Admission{}, auth.EndpointDisabled
		}
		var err error
		if a.PhoneNumber, err = phoneNumber(in.PhoneNumber); err != nil {
			return auth.Admission{}, fmt.Errorf("%w: %w", auth.InvalidCredentials, err) // nobody's
		}
	}
	a.guards = f.passwordGuards(a.account(), in.Client)
	for range passwordTries {
		admission, err := f.withPassword(ctx, &a)
		var met again
		if !errors.As(err, &met) {
			if err == nil {
				admission.Weak = f.PasswordPolicy.Weakness(in.Password)
			}
			return admission, err
		}
	}
	return auth.Admission{}, auth.TooSoon{Code: auth.Overloaded, RetryAfter: time.Second}
}

func (f *SignIn) withPassword(ctx context.Context, tried *attempt) (auth.Admission, error) {
	a, looked := *tried, f.Now()
	found, err := f.Store.LookUp(ctx, store.Lookup{Email: a.Email, Phone: a.PhoneNumber, Guards: a.guards, Whole: f.Supabase, Now: looked})
	login, known := found.Login, found.Known
	a.looking = f.Now().Sub(looked)
	if auth.CodeOf(err) == auth.TooManyRequests {
		return auth.Admission{}, f.refuse(ctx, a.begun, err)
	}
	if err != nil {
		return auth.Admission{}, err
	}
	if err := f.heard(ctx, tried); err != nil {
		return auth.Admission{}, err
	}
	a.begun = tried.begun
	if known {
		a.userID = login.ID
		a.guards = f.alsoByEmail(a, login.User)
	}
	o := f.passwordOpening(a, login.User)
	o.checkedHash, o.details = login.PasswordHash, found.Details
	asked := f.asking(ctx, o)
	defer asked.cancel()
	newHash, err := f.checkPassword(ctx, login, known, a.Password, asked.begin)
	wrong := auth.CodeOf(err) == auth.InvalidCredentials
	switch {
	case known && login.PasswordHash != "":
		err = f.withCheckedPassword(ctx, &a, login.User, err)
	case wrong && a.PhoneNumber == "" && f.asksOfUnknown():
		return f.withUnknownPassword(ctx, a, login.User, known, err)
	}
	if wrong {
		return auth.Admission{}, f.refusePassword(ctx, a, err)
	}
	if err == nil {
		err = ctx.Err() // who hung up learns nothing of the account
	}
	if err != nil {
		return auth.Admission{}, err
	}
	if err := f.Policy.gateAttempt(a, login.User, f.Now()); err != nil {
		return auth.Admission{}, f.turnedAway(ctx, a.of(), err)
	}
	if login.PasswordMustChange {
		return auth.Admission{}, f.mustChange(ctx, login.User, a.Client)
	}
	if o, err = asked.wait(); err != nil {
		return auth.Admission{}, err
	}
	o.newHash, o.now = newHash, f.Now()
	if o, err = f.askSession(ctx, o, login.User); err != nil {
		return auth.Admission{}, err
	}
	return f.entered(ctx, a, func() (auth.Admission, error) { return f.enter(ctx, f.Store, o) })
}

// heard has hooks asked about the request, once, and never while the client or the account is locked out. A refusal
// is paced without the time that they took.
func (f *SignIn) heard(ctx context.Context, a *attempt) error {
	if a.heard {
		return nil
	}
	a.heard = true
	begun := f.Now()
	err := f.signInRequested(ctx, request{Said: a.Said, method: "password", client: a.Client})
	a.begun = a.begun.Add(f.Now().Sub(begun))
	return err
}

// withCheckedPassword has hooks asked about a password that was compared. A wrong one is counted before:
// however many guess at once, hooks hear of no more guesses than there may be. What they say against a right
// one comes when it would against a wrong one, since they may say the same.
func (f *SignIn) withCheckedPassword(ctx context.Context, a *attempt, user auth.User, check error) error {
	if f.Hooks == nil || !f.Hooks.PasswordChecked.Bound() {
		return check
	}
	if auth.CodeOf(check) == auth.InvalidCredentials {
		if err := f.countFirst(ctx, a); err != nil {
			return err
		}
	}
	err := f.passwordChecked(ctx, user, a.Client, check)
	if check == nil && auth.CodeOf(err) == auth.HookDenied {
		return f.refuse(ctx, a.begun, f.turnedAway(ctx, a.of(), err))
	}
	return err
}

// of is the attempt as the audit log has it.
func (a *attempt) of() attemptOf {
	return attemptOf{userID: a.userID, method: "password", client: a.Client}
}

// passwordOpening begins the session of a password sign-in.
func (f *SignIn) passwordOpening(a attempt, u auth.User) opening {
	return opening{user: u, method: "password", client: a.Client, guards: a.guards, clears: f.lockoutKey(a.account()), now: f.Now()}
}

// entered ends a sign-in by a right password. Where the guards were used up by others meanwhile, the
// answer must not be another than theirs.
func (f *SignIn) entered(ctx context.Context, a attempt, enter func() (auth.Admission, error)) (auth.Admission, error) {
	admission, err := enter()
	if auth.CodeOf(err) == auth.InvalidCredentials {
		return auth.Admission{}, f.refusePassword(ctx, a, err)
	}
	return admission, err
}

// checkPassword compares the password with the stored hash, and calls begun when it begins to. It gives
// a new hash when the stored one is of an older kind.
func (f *SignIn) checkPassword(ctx context.Context, login store.Login, known bool, password string, begun func()) (newHash string, err error) {
	// Nothing is hashed for an empty hash, but a full queue refuses those too.
	ok, stale, err := f.Passwords.VerifyWhile(ctx, login.PasswordHash, password, begun)
	switch {
	case auth.CodeOf(err) == auth.Internal && ctx.Err() == nil:
		return "", fmt.Errorf("%w: user %s: %w", auth.InvalidCredentials, login.ID, err) // a hash of a kind we do not know
	case err != nil:
		return "", err
	case !known || login.PasswordHash == "":
		return "", fmt.Errorf("%w: no such user, or no password", auth.InvalidCredentials)
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

// countTime bounds how long a wrong password may take to be counted after its client has gone.
const countTime = 5 * time.Second

// refusePassword counts a wrong password and answers when its time has come, with the wait of a
// spent guard where there is one. It is counted even when the client has hung up: the guess was
// made.
func (f *SignIn) refusePassword(ctx context.Context, a attempt, refusal error) error {
	before := f.Now()
	err := f.countRefused(ctx, a, refusal)
	var wait auth.TooSoon
	switch {
	case errors.As(err, &wait):
		refusal = wait
	case err != nil:
		return err // a guess that could not be counted gets no answer
	}
	f.Refusals.worked(before.Add(-a.looking), f.Now())
	return f.refuse(ctx, a.begun, refusal)
}

// countFirst counts a password as a wrong one before a hook is asked about it. An error is the answer.
func (f *SignIn) countFirst(ctx context.Context, a *attempt) error {
	looked := f.Now()
	err := f.countPassword(ctx, *a)
	a.looking += f.Now().Sub(looked)
	a.counted = err == nil || auth.CodeOf(err) == auth.TooManyRequests
	return err
}

// countPassword counts a password that is taken for wrong until somebody vouches for it.
func (f *SignIn) countPassword(ctx context.Context, a attempt) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTime)
	defer cancel()
	return f.Store.CountFailure(ctx, a.guards, f.Now())
}

// countRefused counts a wrong password and leaves an entry of it in the audit log, in one statement; one that was counted
// before a hook was asked leaves the entry alone.
func (f *SignIn) countRefused(ctx context.Context, a attempt, refusal error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), countTime)
	defer cancel()
	failure := f.failure(a.of(), refusal)
	if a.counted {
		return f.Store.AddFailure(ctx, failure)
	}
	return f.Store.CountFailedSignIn(ctx, a.guards, failure)
}

// refuse answers as long after begun as the slowest refusal takes: what it asks of the database and of
// hooks, and the hash.
func (f *SignIn) refuse(ctx context.Context, begun time.Time, refusal error) error {
	due := begun.Add(f.Refusals.target())
	if f.asksOfPasswords() {
		due = due.Add(f.Questions.target())
	}
	if err := f.Pacer.Refuse(ctx, due); err != nil {
		return err
	}
	return refusal
}

// passwordGuards count wrong passwords: for the client, whatever accounts it tries, and for the
// account, wherever the tries come from. An unknown address is counted like a known one.
func (k *Kit) passwordGuards(account string, c auth.Client) []store.Guard {
	client, lockout := k.Policy.Failures, k.Policy.Lockout
	var guards []store.Guard
	if client.Max > 0 && c.Bucket() != "" {
		client.Key = "password:client:" + c.Bucket()
		guards = append(guards, client)
	}
	if lockout.Max > 0 {
		lockout.Key = k.lockoutKey(account)
		guards = append(guards, lockout)
	}
	return guards
}

// lockoutKey names the counter of an account's wrong passwords, in whatever case the address is
// written.
func (k *Kit) lockoutKey(account string) string {
	return "password:account:" + strings.ToLower(account)
}

// mustChange refuses whoever has a password that an operator chose, and mails the user a link to choose
// another one. The password lets nobody in: an operator knows it.
func (f *SignIn) mustChange(ctx context.Context, u auth.User, c auth.Client) error {
	refusal := fmt.Errorf("%w: user %s", auth.PasswordMustChange, u.ID)
	redirectTo, err := f.Policy.Redirect("")
	if err != nil || !f.MailReady || u.Email == "" {
		return errors.Join(refusal, err)
	}
	err = f.inTx(ctx, func(tx *store.DB) error {
		return f.sendLink(ctx, tx, link{user: u, to: u.Email, purpose: auth.ResetPassword, redirectTo: redirectTo, client: c, now: f.Now()})
	})
	if err != nil {
		return err
	}
	return refusal
}

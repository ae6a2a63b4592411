package flow

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"postern/auth"
	"postern/store"
	"postern/tokens"
)

// CodeSignIn is a person who wants a code to sign in by: in a mail, or in a text message when there is
// a number.
type CodeSignIn struct {
	Email         string
	PhoneNumber   string
	Options       Options // of the user that a first sign-in creates; otherwise only RedirectTo counts
	CodeChallenge string  // of the link that comes in the same mail
	OnlyKnown     bool    // who is unknown gets no account, and is told so
	Said          Said
	Client        auth.Client
}

// turn is the message that is asked for.
func (in CodeSignIn) turn() turn {
	if in.PhoneNumber != "" {
		return textTo(turnConfirm, in.PhoneNumber)
	}
	return mailTo(turnEnter, in.Email)
}

// SendCode sends a code that signs in. Whoever is unknown gets an account, unless the operator wants
// sign-ups to be asked for as such. To somebody who is unknown then, or who may not sign in, nothing
// is sent, and the answer is the same, as it is to the codes that they guess.
func (f *SignIn) SendCode(ctx context.Context, in CodeSignIn) (refused error) {
	end, err := f.sends(ctx, in.turn())
	if err != nil {
		return err
	}
	defer end(&refused)
	ask, err := f.askCode(in)
	if err != nil {
		return err
	}
	ask.quiet, ask.says = f.Policy.DisableAutoSignUp, true
	user, err := f.ownerOf(ctx, ask)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return err
	}
	known := err == nil
	if err := f.codeRequested(ctx, &ask, f.makesUsers() && !known); err != nil {
		return err
	}
	switch {
	case known:
		return f.codeFor(ctx, ask, user)
	case in.OnlyKnown:
		return fmt.Errorf("%w: unknown address or number", auth.InvalidCredentials)
	case f.Policy.DisableAutoSignUp:
		return f.noCodeFor(ctx, ask, ask.account)
	case f.Policy.DisableSignUp:
		return auth.SignUpDisabled
	}
	err = f.addByCode(ctx, ask)
	if !isTaken(err) {
		return err
	}
	// Somebody signed up at this moment: it was this person, with another click.
	if user, err = f.ownerOf(ctx, ask); err != nil {
		return err
	}
	return f.codeFor(ctx, ask, user)
}

// ResendCode sends another code to somebody who is known. To somebody who is not, nothing is sent, and the answer is the same.
func (f *SignIn) ResendCode(ctx context.Context, in CodeSignIn) (refused error) {
	end, err := f.sends(ctx, in.turn())
	if err != nil {
		return err
	}
	defer end(&refused)
	ask, err := f.askCode(in)
	if err != nil {
		return err
	}
	ask.quiet = true
	user, err := f.ownerOf(ctx, ask)
	if errors.Is(err, store.ErrNotFound) {
		return f.noCodeFor(ctx, ask, ask.account)
	}
	if err != nil {
		return err
	}
	return f.codeFor(ctx, ask, user)
}

// SendCode creates a user and sends the code that signs in. To somebody who has an account already
// nothing is sent, and the answer is the same.
func (f *SignUp) SendCode(ctx context.Context, in CodeSignIn) error {
	ask, err := f.askCode(in)
	if err != nil {
		return err
	}
	if f.Policy.DisableSignUp {
		return auth.SignUpDisabled
	}
	ask.quiet = true
	if err := f.codeRequested(ctx, &ask, true); err != nil {
		return err
	}
	user, err := f.ownerOf(ctx, ask)
	if errors.Is(err, store.ErrNotFound) {
		if err = f.addByCode(ctx, ask); !isTaken(err) {
			return err
		}
		user, err = f.ownerOf(ctx, ask)
	}
	if err != nil {
		return err
	}
	return f.noCodeFor(ctx, ask, accountOf(user))
}

// codeRequested has hooks asked about a request for a code in a mail, as linkRequested does. About one in a text
// message they are asked when it is typed.
func (k *Kit) codeRequested(ctx context.Context, ask *askedCode, signsUp bool) error {
	if ask.number != "" {
		return nil
	}
	roles, err := k.eitherRequested(ctx, signsUp, request{Said: ask.Said, method: "otp", client: ask.Client})
	ask.newcomer.Roles = granted(ask.newcomer.Roles, roles)
	return err
}

func isTaken(err error) bool {
	code := auth.CodeOf(err)
	return code == auth.EmailTaken || code == auth.PhoneTaken
}

// askedCode is a CodeSignIn that was looked at: what it asks for is allowed.
type askedCode struct {
	CodeSignIn
	number     string    // the phone number as it is kept
	newcomer   auth.User // who they would be, if they are new
	account    string    // whose guesses are counted, if they are nobody
	redirectTo string
	quiet      bool // to those who are known, or to those who are not, nothing is sent
	says       bool // who asks would be the newcomer, if they were not known: whoever is known and says something else is somebody else
	start      time.Time
}

// askCode checks all that can be checked before anybody is looked up, so that the refusals are the
// same for everybody.
func (k *Kit) askCode(in CodeSignIn) (ask askedCode, err error) {
	ask = askedCode{CodeSignIn: in, account: accountOfEmail(in.Email), start: k.Now()}
	if in.PhoneNumber != "" {
		err = k.askTextedCode(&ask)
	} else {
		err = k.askMailedCode(&ask)
	}
	if err != nil {
		return ask, err
	}
	if ask.redirectTo, err = k.Policy.Redirect(in.Options.RedirectTo); err != nil {
		return ask, err
	}
	options := in.Options
	if options.DisplayName == "" {
		options.DisplayName = ask.number
	}
	ask.newcomer, err = k.Policy.newcomer(tokens.NewUUID(), in.Email, options, ask.start)
	ask.newcomer.PhoneNumber = ask.number
	return ask, err
}

func (k *Kit) askMailedCode(ask *askedCode) error {
	switch {
	case !k.Policy.SignInByEmailCode:
		return auth.EndpointDisabled
	case !k.MailReady:
		return auth.MailNotConfigured
	}
	return k.Policy.admit(ask.Email)
}

func (k *Kit) askTextedCode(ask *askedCode) (err error) {
	if err = k.textsOn(auth.SignInBySMS); err != nil {
		return err
	}
	ask.number, err = phoneNumber(ask.PhoneNumber)
	ask.account = accountOfPhone(ask.number)
	return err
}

// textsOn refuses where the operator has not turned text messages on, or nobody would send them.
func (k *Kit) textsOn(p auth.Purpose) error {
	switch {
	case !k.Policy.SignInBySMS:
		return auth.EndpointDisabled
	case !k.textsReady(p):
		return auth.SMSNotConfigured
	}
	return nil
}

// textsReady tells whether there is anybody to send text messages. There may be a hook that sends those for
// fresh proofs and second factors alone.
func (k *Kit) textsReady(p auth.Purpose) bool {
	return k.SMSReady || (p == auth.ElevateBySMS || p == auth.FactorChallenge) && k.takesTexts()
}

// ownerOf finds whose address or number it is.
func (k *Kit) ownerOf(ctx context.Context, ask askedCode) (auth.User, error) {
	if ask.number != "" {
		return k.Store.UserByPhone(ctx, ask.number, ask.PhoneNumber)
	}
	return k.Store.UserByEmail(ctx, ask.Email)
}

// code is the code for a user.
func (ask askedCode) code(user auth.User) newCode {
	if ask.number != "" {
		return newCode{purpose: auth.SignInBySMS, user: user, account: accountOf(user), phone: ask.number, client: ask.Client, now: ask.start}
	}
	return newCode{
		purpose: auth.SignInByEmailCode, user: user, account: accountOf(user), email: user.Email, client: ask.Client, now: ask.start,
		mailed: &link{user: user, to: user.Email, purpose: auth.SignInByEmail, redirectTo: ask.redirectTo, challenge: ask.CodeChallenge, client: ask.Client, now: ask.start},
	}
}

// codeFor sends a code to somebody who is known, if they may sign in with it. What state their
// account is in is told only to whoever types a right code.
func (k *Kit) codeFor(ctx context.Context, ask askedCode, user auth.User) error {
	if err := k.Policy.gateMember(user, k.Now()); err != nil && auth.CodeOf(err) != auth.UserUnverified {
		return k.noCodeFor(ctx, ask, accountOf(user))
	}
	return k.answeredCode(ctx, ask, ask.code(user))
}

// noCodeFor does what sending a code does, and sends none.
func (k *Kit) noCodeFor(ctx context.Context, ask askedCode, account string) error {
	decoy := ask.code(auth.User{Email: ask.Email})
	decoy.decoy, decoy.account = true, account
	return k.answeredCode(ctx, ask, decoy)
}

// answeredCode sends a code and answers when it is due. Whoever was sent too many is sent no more,
// and whoever asked learns nothing of it.
func (k *Kit) answeredCode(ctx context.Context, ask askedCode, c newCode) error {
	if c.phone != "" {
		// No link comes with a text message: once no more codes may be typed, it would be in vain.
		if err := k.typedOut(ctx, c.account, ask.start); err != nil {
			return k.settled(ctx, ask.start, err)
		}
	}
	err := k.inTxFor(ctx, ask.quiet, func(tx *store.DB) error {
		if ask.says && !c.decoy && k.Policy.waits(c.user, ask.start) {
			if err := tx.ContestUnless(ctx, c.user.ID, ask.newcomer.DisplayName, ask.newcomer.Metadata); err != nil {
				return err
			}
		}
		_, _, err := k.sendCode(ctx, tx, c)
		return err
	})
	if err != nil {
		return err
	}
	if c.decoy {
		return k.Answers.settle(ctx, ask.start, k.Now)
	}
	return k.answered(ctx, ask.start)
}

// addByCode creates the user and sends the code, or nothing of both.
func (k *Kit) addByCode(ctx context.Context, ask askedCode) error {
	method := "otp"
	if ask.number != "" {
		method = "sms"
	}
	b := birth{user: ask.newcomer, method: method, client: ask.Client, now: ask.start}
	var err error
	if b.user, err = k.creating(ctx, b); err != nil {
		return err
	}
	ask.newcomer = b.user
	err = k.inTxFor(ctx, ask.quiet, func(tx *store.DB) error {
		created := k.entry("user.created", ask.newcomer.ID, ask.Client, ask.start)
		created.Detail = map[string]any{"method": method}
		if err := k.add(ctx, tx, store.NewUser{User: ask.newcomer}, created); err != nil || ask.newcomer.Disabled {
			return err
		}
		_, _, err := k.sendCode(ctx, tx, ask.code(ask.newcomer))
		return err
	})
	if err == nil {
		err = k.created(ctx, b)
	}
	if err == nil && ask.newcomer.Disabled {
		return fmt.Errorf("%w: new users wait for an operator", auth.UserDisabled)
	}
	if err != nil {
		return err
	}
	return k.answered(ctx, ask.start)
}

// settled refuses when an answer is due, so that the time of a refusal tells nothing.
func (k *Kit) settled(ctx context.Context, start time.Time, refusal error) error {
	if err := k.Answers.settle(ctx, start, k.Now); err != nil {
		return err
	}
	return refusal
}

// TypedCode is a person who types the code of a mail, or of a text message when there is a number.
type TypedCode struct {
	Email       string
	PhoneNumber string
	Code        string
	Said        Said
	Client      auth.Client
}

// WithCode signs a person in by a code. A wrong code, an expired one, one that nobody was sent and one
// of an account that there is not are refused alike and after the same time.
func (f *SignIn) WithCode(ctx context.Context, in TypedCode) (auth.Admission, error) {
	start := f.Now()
	proof, err := f.proveByCode(ctx, in, start)
	switch auth.CodeOf(err) {
	case "":
	case auth.InvalidOTP, auth.TooManyOTPs, auth.TooManyRequests:
		if proof.tried.Live {
			f.Answers.worked(start, f.Now())
		}
		return auth.Admission{}, f.settled(ctx, start, err)
	default:
		return auth.Admission{}, err
	}
	user := proof.user
	err = f.Policy.gateMember(user, f.Now())
	if auth.CodeOf(err) == auth.UserUnverified && proof.number == "" { // the code proves the address
		err = nil
	}
	if err != nil {
		return auth.Admission{}, f.turnedAway(ctx, attemptOf{userID: user.ID, method: proof.method, client: in.Client}, err)
	}
	roles, err := f.typedRequested(ctx, in, proof)
	if err != nil {
		return auth.Admission{}, f.returnTry(ctx, proof.tried.TicketID, err)
	}
	proof.user.Roles = granted(user.Roles, roles)
	o, err := f.ask(ctx, opening{user: f.Policy.confirmed(proof, start), method: proof.method, client: in.Client, now: start}, user)
	if err != nil {
		return auth.Admission{}, f.returnTry(ctx, proof.tried.TicketID, err)
	}
	var admission auth.Admission
	err = f.inTx(ctx, func(tx *store.DB) error {
		if err := tx.TakeCode(ctx, proof.tried, start); err != nil {
			return err
		}
		if err := f.confirmByCode(ctx, tx, proof, in.Client, start); err != nil {
			return err
		}
		if err := f.grantRoles(ctx, tx, user, roles); err != nil {
			return err
		}
		admission, err = f.enter(ctx, tx, o)
		return err
	})
	return admission, usedUp(err)
}

// typedRequested has hooks asked about a sign-in by a code of a text message, or about the sign-up, when it is the
// first that proves anything of the user. That is known once the code is found right, so whoever guesses codes
// learns nothing by it, and hooks are not asked about guesses.
func (f *SignIn) typedRequested(ctx context.Context, in TypedCode, p codeProof) ([]string, error) {
	if p.number == "" {
		return nil, nil
	}
	signsUp := !p.user.EmailVerified && !p.user.PhoneNumberVerified
	return f.eitherRequested(ctx, signsUp, request{Said: in.Said, method: p.method, phone: p.number, client: in.Client})
}

// codeProof is who typed a right code, and what it proves.
type codeProof struct {
	tried  store.Tried
	user   auth.User
	method string // amr
	number string // as the user has it; empty when the code was mailed
}

// proveByCode finds whose code it should be and compares it.
func (f *SignIn) proveByCode(ctx context.Context, in TypedCode, now time.Time) (codeProof, error) {
	ask := askedCode{CodeSignIn: CodeSignIn{Email: in.Email, PhoneNumber: in.PhoneNumber}, account: accountOfEmail(in.Email)}
	typed := typedCode{purpose: auth.SignInByEmailCode, digits: in.Code, client: in.Client, now: now}
	method := "otp"
	if in.PhoneNumber != "" {
		if err := f.askTextedCode(&ask); err != nil {
			return codeProof{}, notSent(err)
		}
		typed.purpose, typed.phone, method = auth.SignInBySMS, ask.number, "sms"
	} else if !f.Policy.SignInByEmailCode {
		return codeProof{}, auth.EndpointDisabled
	}
	user, err := f.ownerOf(ctx, ask)
	switch {
	case err == nil:
		typed.account = accountOf(user)
	case errors.Is(err, store.ErrNotFound):
		typed.account = ask.account
	default:
		return codeProof{}, err
	}
	typed.method = method
	proof := codeProof{user: user, method: method, number: user.PhoneNumber}
	if in.PhoneNumber == "" {
		proof.number = ""
	}
	if proof.tried, err = f.tryCode(ctx, typed); err != nil {
		return proof, err
	}
	if in.PhoneNumber == "" && !strings.EqualFold(proof.tried.TicketEmail, user.Email) {
		return proof, fmt.Errorf("%w: it proves an address that user %s no longer has", auth.InvalidOTP, user.ID)
	}
	return proof, nil
}

// confirmByCode notes that the address or the number is the user's. Where others asked in by it who said something else, nobody
// knows which of them has it: then nothing of what they said stays, nor what they set up.
func (k *Kit) confirmByCode(ctx context.Context, tx *store.DB, p codeProof, c auth.Client, now time.Time) error {
	switch u := p.user; {
	case p.number == "":
		found := store.Found{User: u, TicketEmail: p.tried.TicketEmail, Contested: p.tried.Contested}
		return k.claim(ctx, tx, found, opening{client: c, now: now})
	case u.PhoneNumberVerified:
		return nil
	case p.tried.Contested && k.Policy.waitsForNumber(u, now):
		e := k.entry("user.disowned", u.ID, c, now)
		e.Detail = map[string]any{"method": "sms"}
		if err := tx.DisownByPhone(ctx, u.ID, p.number, e); err != nil {
			return err
		}
		return tx.ForgetSaid(ctx, u.ID)
	}
	return tx.ConfirmPhone(ctx, p.user.ID, p.number, k.entry("phone.confirmed", p.user.ID, c, now))
}

// confirmed is the user as confirmByCode leaves them.
func (p *Policy) confirmed(proof codeProof, now time.Time) auth.User {
	u := proof.user
	switch {
	case proof.number == "":
		return p.redeemed(store.Found{User: u, TicketPurpose: auth.SignInByEmail, Contested: proof.tried.Contested})
	case proof.tried.Contested && p.waitsForNumber(u, now):
		u.DisplayName, u.AvatarURL, u.NewEmail, u.Metadata = u.PhoneNumber, "", "", onlyApps(u.Metadata)
	}
	u.PhoneNumberVerified = true
	return u
}

// waitsForNumber tells whether a user has proved nothing yet, and comes in as soon as they prove the number.
func (p *Policy) waitsForNumber(u auth.User, now time.Time) bool {
	return u.PhoneNumber != "" && !u.PhoneNumberVerified && u.Email == "" && !u.Vouched && !u.HasFactor() && p.gateMember(u, now) == nil
}

// waits tells whether a user has proved nothing yet, and comes in as soon as they do.
func (p *Policy) waits(u auth.User, now time.Time) bool {
	return p.waitsFor(u, now) || p.waitsForNumber(u, now)
}

package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"postern/auth"
	"postern/providers"
	"postern/store"
	"postern/tokens"
)

// codeLife is how long a PKCE code is good for: the time of a redirect.
const codeLife = 5 * time.Minute

// Visit is somebody who opened the link of a mail.
type Visit struct {
	Ticket        string
	CodeChallenge string // of the link; the one that counts is stored with the ticket
	// For are the purposes that the link says it may be for; none means that it leaves that to the
	// ticket.
	For    []auth.Purpose
	Client auth.Client
}

// Visited says what opening the link led to: whoever opened it is signed in, or there is a code that
// the application exchanges.
type Visited struct {
	auth.Admission
	Purpose auth.Purpose
	Code    string
	Half    bool // of a change of address that the other address is yet to confirm: nobody is signed in
}

// PurposeOf reads what a ticket is for off its text.
func PurposeOf(ticket string) (auth.Purpose, bool) {
	prefix, _, ok := strings.Cut(ticket, ":")
	p := auth.Purpose(prefix)
	_, known := mailKinds[p]
	return p, ok && known
}

// Looked is a link that was looked at and may be opened.
type Looked struct {
	visit Visit
	found store.Found
}

// NeedsExchange tells whether opening the link gives a code, so that it may be opened any number of
// times without using the ticket up.
func (l Looked) NeedsExchange() bool { return l.HasChallenge() && !isHalf(l.found) }

// HasChallenge tells whether the link was asked for with PKCE.
func (l Looked) HasChallenge() bool { return l.found.TicketChallenge != "" }

// Look finds out whether a link may be opened. It changes nothing.
func (f *Links) Look(ctx context.Context, in Visit) (Looked, error) {
	purpose, ok := PurposeOf(in.Ticket)
	if !ok {
		return Looked{}, fmt.Errorf("%w: no purpose of that name", auth.InvalidTicket)
	}
	if len(in.For) > 0 && !slices.Contains(in.For, purpose) {
		return Looked{}, fmt.Errorf("%w: it is for %s, and the link says something else", auth.InvalidTicket, purpose)
	}
	found, err := f.findTicket(ctx, purpose, in.Ticket, f.Now())
	if err != nil {
		return Looked{}, err
	}
	if in.CodeChallenge != "" && in.CodeChallenge != found.TicketChallenge {
		return Looked{}, fmt.Errorf("%w: the link's challenge is not the ticket's", auth.InvalidTicket)
	}
	if err := f.Policy.gateHolder(found, f.Now()); err != nil {
		return Looked{in, found}, f.turnedAway(ctx, ofTicket(found, in.Client), err)
	}
	return Looked{in, found}, nil
}

// Open opens a link. With PKCE nothing changes but that there is one more code; without, the
// ticket is used up for what it is for, and whoever opened it is signed in.
func (f *Links) Open(ctx context.Context, l Looked) (Visited, error) {
	now, found := f.Now(), l.found
	if !l.NeedsExchange() {
		admission, err := f.redeem(ctx, found, l.visit.Ticket, l.visit.Client, now)
		return Visited{Purpose: found.TicketPurpose, Admission: admission, Half: isHalf(found)}, err
	}
	code := tokens.NewUUID()
	added, err := f.Store.AddTicket(ctx, store.Ticket{
		ID: tokens.NewUUID(), Purpose: auth.ExchangeCode, SecretHash: tokens.HashSecret(code), UserID: found.User.ID,
		ParentID: found.TicketID, Challenge: found.TicketChallenge, CreatedAt: now, ExpiresAt: now.Add(codeLife),
	}, maxCodes, now.Add(-codeLife))
	switch {
	case errors.Is(err, store.ErrChanged): // another code was redeemed at this moment, and used the ticket up
		return Visited{}, fmt.Errorf("%w: %w", auth.InvalidTicket, err)
	case err != nil:
		return Visited{}, err
	case !added:
		return Visited{}, auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: codeLife}
	}
	return Visited{Purpose: found.TicketPurpose, Code: code}, nil
}

// Redeem opens a link for somebody who needs no code to exchange, with PKCE or without: an application that has what
// the link had in it, and asks for the session itself.
// A link that was asked for with PKCE at another door is for whoever has the verifier alone.
func (f *Links) Redeem(ctx context.Context, l Looked) (Visited, error) {
	if l.NeedsExchange() && !isOpenByHash(l.found.TicketPayload) {
		return Visited{}, fmt.Errorf("%w: it needs the verifier", auth.InvalidTicket)
	}
	admission, err := f.redeem(ctx, l.found, l.visit.Ticket, l.visit.Client, f.Now())
	return Visited{Purpose: l.found.TicketPurpose, Admission: admission, Half: isHalf(l.found)}, err
}

// ofTicket is the attempt of whoever comes with a ticket.
func ofTicket(found store.Found, c auth.Client) attemptOf {
	a := attemptOf{userID: found.User.ID, method: "link", client: c}
	if found.TicketPurpose == auth.ProviderSignIn {
		a.method = "oauth"
	}
	return a
}

// maxCodes bounds the codes of one user that wait to be exchanged.
const maxCodes = 1000

// gateHolder is the gate for whoever holds a ticket: an address that the ticket proves need not be
// verified yet.
func (p *Policy) gateHolder(found store.Found, now time.Time) error {
	if found.TicketPurpose == auth.ProviderSignIn { // it proves no address
		return p.gateMember(found.User, now)
	}
	if err := stillProves(found); err != nil {
		return err
	}
	h, err := handed(found)
	if err != nil {
		return err
	}
	if h.Handed {
		return p.gateHanded(found, h, now)
	}
	err = p.gateMember(found.User, now)
	if auth.CodeOf(err) == auth.UserAnonymous && found.TicketPurpose == auth.ConfirmEmailChange && p.GuestsProve {
		err = nil
	}
	if auth.CodeOf(err) == auth.UserUnverified && p.proves(found.TicketPurpose) {
		err = nil
	}
	if err == nil && found.TicketPurpose == auth.ConfirmEmailChange {
		err = p.admit(newAddressOf(found)) // the lists may be others than when it was asked for
	}
	return err
}

// stillProves refuses a ticket that went to an address that is not the user's any more, however it
// came to be changed.
func stillProves(found store.Found) error {
	current := found.User.Email
	if found.TicketPurpose == auth.ConfirmEmailChange {
		known := payloadOf(found.TicketPayload)
		if !strings.EqualFold(newAddressOf(found), found.User.NewEmail) {
			return fmt.Errorf("%w: user %s asked for another address since", auth.InvalidTicket, found.User.ID)
		}
		if !known.Current {
			current = found.User.NewEmail
		}
	}
	if found.TicketEmail == "" || !strings.EqualFold(found.TicketEmail, current) {
		return fmt.Errorf("%w: it proves an address that user %s no longer has", auth.InvalidTicket, found.User.ID)
	}
	return nil
}

// proves tells whether opening a mail of the purpose verifies the address that it went to.
func (p *Policy) proves(what auth.Purpose) bool {
	return what == auth.VerifyEmail || what == auth.SignInByEmail || what == auth.Invitation || what == auth.ConfirmEmailChange ||
		what == auth.ResetPassword && p.ResetsProve
}

// redeem uses a ticket up, does what it is for and opens a session, all in one transaction. Of many
// who come at once, one wins.
func (k *Kit) redeem(ctx context.Context, found store.Found, text string, c auth.Client, now time.Time) (admission auth.Admission, err error) {
	method := "link"
	if found.TicketPurpose == auth.ProviderSignIn {
		method = "oauth"
	}
	return k.redeemBy(ctx, found, method, c, now, func(tx *store.DB) error { return tx.TakeTicket(ctx, found, text) })
}

// redeemBy is redeem of a ticket that take uses up.
func (k *Kit) redeemBy(ctx context.Context, found store.Found, method string, c auth.Client, now time.Time, take func(*store.DB) error) (admission auth.Admission, err error) {
	h, err := handed(found)
	if err != nil {
		return admission, err
	}
	if isHalf(found) {
		if err = k.proveHalf(ctx, found, c, now, take); errors.Is(err, store.ErrChanged) {
			err = fmt.Errorf("%w: used up or changed meanwhile", auth.InvalidTicket)
		}
		return admission, err
	}
	o := opening{user: k.Policy.redeemed(found), method: method, handed: h.Handed, client: c, now: now}
	if found.User.IsAnonymous && found.TicketPurpose == auth.ConfirmEmailChange {
		if o.user, err = k.outOfGuestProved(ctx, guestProof{guest: found.User, email: found.TicketEmail, method: method, client: c, now: now}); err != nil {
			return admission, err
		}
	}
	if o.handed { // it proves no address, and the session says how it began
		o.user, o.after = found.User, []auth.Method{{Method: byOperator, Timestamp: now}}
	}
	if o, err = k.ask(ctx, o, found.User); err != nil {
		return admission, err
	}
	err = k.inTx(ctx, func(tx *store.DB) error {
		if err := take(tx); err != nil {
			return err
		}
		if err := k.fulfil(ctx, tx, found, o); err != nil {
			return err
		}
		if k.Mails.Codes { // whoever is in needs no other mail to get in, and nobody else shall
			if err := tx.DropTickets(ctx, found.User.ID); err != nil {
				return err
			}
		}
		o.details = nil // which may be others now
		admission, err = k.enter(ctx, tx, o)
		return err
	})
	if errors.Is(err, store.ErrChanged) {
		return auth.Admission{}, fmt.Errorf("%w: used up or changed meanwhile", auth.InvalidTicket)
	}
	return admission, err
}

// fulfil does what a ticket is for, beside the session that it opens.
func (k *Kit) fulfil(ctx context.Context, tx *store.DB, found store.Found, o opening) error {
	user := found.User
	switch found.TicketPurpose {
	case auth.ExchangeCode, auth.ProviderSignIn: // the session is all there is to it
		return nil
	case auth.ResetPassword:
		if !k.Policy.ResetsProve {
			return nil
		}
		return k.claim(ctx, tx, found, o)
	case auth.VerifyEmail:
		if found.Contested {
			return k.claimContested(ctx, tx, found, o)
		}
		return k.confirmEmail(ctx, tx, user, found.TicketEmail, o.client, o.now)
	case auth.SignInByEmail, auth.Invitation:
		if o.handed { // it proves no address
			return nil
		}
		return k.claim(ctx, tx, found, o)
	case auth.ConfirmEmailChange:
		if user.IsAnonymous {
			return k.becomeProved(ctx, tx, o, payloadOf(found.TicketPayload).Session)
		}
		if err := tx.ChangeEmail(ctx, user.ID, newAddressOf(found), k.entry("email.changed", user.ID, o.client, o.now)); err != nil {
			return err
		}
		return k.notify(ctx, tx, notice{
			template: "email-changed", to: user.Email, user: o.user, client: o.client, detail: map[string]string{"oldEmail": user.Email},
		})
	default:
		return fmt.Errorf("%w: %s is nothing that a link or its code can do", auth.InvalidTicket, found.TicketPurpose)
	}
}

// claim gives an account to whoever reads the mails of its address.
func (k *Kit) claim(ctx context.Context, tx *store.DB, found store.Found, o opening) error {
	if found.Contested {
		return k.claimContested(ctx, tx, found, o)
	}
	e := k.entry("user.disowned", found.User.ID, o.client, o.now)
	e.Detail = map[string]any{"method": "email"}
	return k.claimBy(ctx, tx, found.User, found.TicketEmail, k.Policy.takesOver(found.TicketPurpose), e)
}

// takesOver tells whether whoever proves an address that nobody has confirmed gets the account without what its maker could get in by:
// where addresses must be confirmed, and wherever they reset the password. The maker's phone or passkey would outlive the reset, which is
// what somebody does who finds their address taken.
func (p *Policy) takesOver(what auth.Purpose) bool {
	return p.RequireVerifiedEmail || what == auth.ResetPassword
}

// redeemed is the user as redeeming a ticket leaves them.
func (p *Policy) redeemed(found store.Found) auth.User {
	u, what := found.User, found.TicketPurpose
	claims := what == auth.SignInByEmail || what == auth.Invitation || what == auth.ResetPassword && p.ResetsProve
	switch {
	case (claims || what == auth.VerifyEmail) && found.Contested && !u.EmailVerified && !u.HasFactor():
		u = disowned(u)
		u.DisplayName, u.AvatarURL, u.Metadata = u.Email, "", onlyApps(u.Metadata)
		return u
	case claims:
		return p.claimed(u, p.takesOver(what))
	}
	if found.TicketPurpose == auth.VerifyEmail {
		u.EmailVerified = true
	}
	if found.TicketPurpose == auth.ConfirmEmailChange {
		u.Email, u.NewEmail, u.EmailVerified = newAddressOf(found), "", true
	}
	return u
}

// confirmEmail notes that an address is the user's.
func (k *Kit) confirmEmail(ctx context.Context, tx *store.DB, u auth.User, email string, c auth.Client, now time.Time) error {
	if u.EmailVerified {
		return nil
	}
	return tx.ConfirmEmail(ctx, u.ID, email, k.entry("user.confirmed", u.ID, c, now))
}

// claimBy is confirmEmail for somebody who proves that an address is theirs in another way than by confirming it: by a mail that they
// sign in by, for one. Where addresses must be confirmed, an account with one that never was may have been made by anybody: whatever its
// maker could get in by goes first, if takesOver. Of that disowned is the entry that tells of it.
//
// A mail alone must not take a second factor away; nor may it confirm the address of an account with
// one, for a provider may have let its maker in, who enrolled the factor and would have the address of
// whoever reads the mail. Nothing changes there, and the factor is asked for.
func (k *Kit) claimBy(ctx context.Context, tx *store.DB, u auth.User, email string, takesOver bool, disowned store.Entry) error {
	switch {
	case u.EmailVerified, u.HasFactor():
		return nil
	case takesOver:
		other, err := tx.HasOtherWays(ctx, u.ID)
		if err != nil {
			return err
		}
		if other {
			return tx.Disown(ctx, u.ID, email, disowned)
		}
	}
	return k.confirmEmail(ctx, tx, u, email, disowned.Client, disowned.At)
}

// claimed is the user as claimBy leaves them. Who has no other way in has nothing that disowning
// takes.
func (p *Policy) claimed(u auth.User, takesOver bool) auth.User {
	switch {
	case u.EmailVerified, u.HasFactor():
	case takesOver:
		u = disowned(u)
	default:
		u.EmailVerified = true
	}
	return u
}

// disowned is a user whose account was taken away from whoever made it.
func disowned(u auth.User) auth.User {
	u.EmailVerified, u.Vouched = true, false
	u.NewEmail, u.PhoneNumber, u.PhoneNumberVerified, u.ActiveMFAType, u.OtherFactors = "", "", false, "", nil
	return u
}

// Exchange is an application that swaps the code of a redirect for a session (RFC 7636).
type Exchange struct {
	Code     string
	Verifier string
	Client   auth.Client
}

// Exchanged is what a code was good for.
type Exchanged struct {
	auth.Admission
	Tokens *providers.Tokens // what a provider that the person came from lets us do for them; nil when there are none
}

// Exchange redeems a code. The first that is redeemed uses up the ticket and all its other codes; a
// wrong verifier uses up nothing and is told nothing.
func (f *Links) Exchange(ctx context.Context, in Exchange) (Exchanged, error) {
	now := f.Now()
	found, err := f.Store.FindCode(ctx, tokens.HashSecret(in.Code), tokens.ChallengeOf(in.Verifier), now)
	if errors.Is(err, store.ErrNotFound) {
		return Exchanged{}, fmt.Errorf("%w: unknown, expired or used up, or not this verifier", auth.InvalidExchange)
	}
	if err != nil {
		return Exchanged{}, err
	}
	if found.TicketPurpose == auth.ProviderLink {
		return f.exchangeLink(ctx, found, in.Client, now)
	}
	var out Exchanged
	if err = f.Policy.gateHolder(found, f.Now()); err == nil {
		out.Admission, err = f.redeem(ctx, found, "", in.Client, now)
	} else {
		err = f.turnedAway(ctx, ofTicket(found, in.Client), err)
	}
	if auth.CodeOf(err) == auth.InvalidTicket { // of which whoever has a code knows nothing
		return Exchanged{}, fmt.Errorf("%w: %w", auth.InvalidExchange, err)
	}
	if err == nil && out.Grant != nil { // not before a second factor is proved
		out.Tokens, err = f.tokensIn(found)
	}
	return out, err
}

// tokensIn are the tokens of a provider that wait with a code.
func (k *Kit) tokensIn(found store.Found) (*providers.Tokens, error) {
	if found.TicketPurpose != auth.ProviderSignIn || len(found.TicketPayload) == 0 {
		return nil, nil
	}
	var kept waiting
	if err := k.openPayload(waitingSeal, found.TicketPayload, &kept); err != nil {
		return nil, err
	}
	return kept.Tokens, nil
}

// findTicket looks for a live ticket by the text that clients hold ("passwordReset:<uuid>").
func (k *Kit) findTicket(ctx context.Context, p auth.Purpose, text string, now time.Time) (store.Found, error) {
	found, err := k.Store.FindTicket(ctx, p, tokens.HashSecret(text), now)
	if errors.Is(err, store.ErrNotFound) && now.Before(k.AdoptedUntil) {
		found, err = k.Store.FindAdoptedTicket(ctx, p, text, now)
	}
	if errors.Is(err, store.ErrNotFound) {
		return found, fmt.Errorf("%w: unknown, expired or used up", auth.InvalidTicket)
	}
	return found, err
}

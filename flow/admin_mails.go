package flow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/auth"
	"postern/store"
)

// AdminMail is an operator who has a mail with a link sent to a user, or makes the link alone.
type AdminMail struct {
	UserID     string
	Purpose    auth.Purpose // ResetPassword, SignInByEmail, VerifyEmail or Invitation
	RedirectTo string       // empty for the application
}

// SendMail sends a user the mail that they could have asked for themselves, or invites who never came in.
// Nobody but its reader learns what is in it, and no user is sent more than their own requests would bring.
func (f *Admin) SendMail(ctx context.Context, by Operator, in AdminMail) error {
	l, err := f.adminLink(ctx, by, in)
	if err != nil {
		return err
	}
	if !f.MailReady {
		return auth.MailNotConfigured
	}
	return f.inTx(ctx, func(tx *store.DB) error {
		sent, err := f.sendLinkIf(ctx, tx, l)
		if err == nil && !sent {
			err = tooManyLinks(l)
		}
		if err != nil {
			return err
		}
		return tx.Tell(ctx, f.entry(by, "mail.sent", l.user.ID, map[string]any{"template": mailKinds[l.purpose].template}))
	})
}

// GeneratedLink is a link that an operator hands over. Whoever has it gets in as the user.
type GeneratedLink struct {
	URL       string
	ExpiresAt time.Time
}

// handedOver is what the ticket of a generated link remembers.
type handedOver struct {
	Handed bool     `json:"handed"`
	Except []string `json:"except"` // roles whose holders the link does not let in
}

// GenerateLink makes a link for a user whom mails do not reach. It lives as long as a mailed one, counts as
// one, and where the user has a second factor, that is asked for, whatever the setting for mailed links says.
//
// It went through no mailbox, so it proves no address: nothing is confirmed by it, and whoever made the
// account keeps their ways in. There is none to choose a password, which is the user's alone to know, and none
// for operators and who is admin to the engine: nobody becomes more by it than they are.
func (f *Admin) GenerateLink(ctx context.Context, by Operator, in AdminMail) (GeneratedLink, error) {
	if err := by.mayChange(); err != nil {
		return GeneratedLink{}, err
	}
	if !f.Settings.Links {
		return GeneratedLink{}, fmt.Errorf("%w: AUTH_ADMIN_LINKS is not set", auth.EndpointDisabled)
	}
	l, err := f.linkToHand(ctx, by, in)
	if err != nil {
		return GeneratedLink{}, err
	}
	payload, err := json.Marshal(handedOver{Handed: true, Except: f.untouchable()})
	if err != nil {
		return GeneratedLink{}, fmt.Errorf("flow: %w", err)
	}
	kind := mailKinds[l.purpose]
	made := GeneratedLink{ExpiresAt: l.now.Add(kind.life)}
	err = f.Store.InTx(ctx, func(tx *store.DB) error {
		if err := tx.HoldOrdinary(ctx, l.user.ID, f.untouchable(), l.now); err != nil {
			return err
		}
		ticket, added, err := f.linkTicket(ctx, tx, l, payload)
		if err == nil && !added {
			err = tooManyLinks(l)
		}
		if err != nil {
			return err
		}
		made.URL = f.linkURL(ticket, kind.linkType, l)
		return tx.Tell(ctx, f.entry(by, "link.generated", l.user.ID, map[string]any{
			"template": kind.template, "expiresAt": made.ExpiresAt.UTC().Format(time.RFC3339),
		}))
	})
	if errors.Is(err, store.ErrChanged) {
		return GeneratedLink{}, fmt.Errorf("%w: user %s is gone, or an operator since a moment ago", auth.Forbidden, l.user.ID)
	}
	if err != nil {
		return GeneratedLink{}, err
	}
	return made, nil
}

// linkToHand is adminLink for one that no mailbox is behind.
func (f *Admin) linkToHand(ctx context.Context, by Operator, in AdminMail) (link, error) {
	if in.Purpose != auth.SignInByEmail && in.Purpose != auth.Invitation {
		return link{}, auth.Invalid{Field: "input.type", Problem: "must be SIGN_IN or INVITATION"}
	}
	l, err := f.adminLink(ctx, by, in)
	if err != nil {
		return link{}, err
	}
	if err := f.Policy.gateMember(l.user, l.now); err != nil {
		return link{}, err
	}
	return l, f.mayTouch(l.user)
}

// handed is what the ticket of a link says that an operator generated; of any other nothing.
func handed(found store.Found) (h handedOver, err error) {
	if (found.TicketPurpose == auth.SignInByEmail || found.TicketPurpose == auth.Invitation) && len(found.TicketPayload) > 0 {
		if err = json.Unmarshal(found.TicketPayload, &h); err != nil {
			err = fmt.Errorf("flow: ticket %s: %w", found.TicketID, err)
		}
	}
	return h, err
}

// gateHanded is the gate for whoever opens a link that an operator generated: it proves no address, and does
// not let in who has become an operator meanwhile.
func (p *Policy) gateHanded(found store.Found, h handedOver, now time.Time) error {
	if slices.ContainsFunc(found.User.AllowedRoles(), func(r string) bool { return slices.Contains(h.Except, r) }) {
		return fmt.Errorf("%w: user %s has become an operator", auth.InvalidTicket, found.User.ID)
	}
	return p.gateMember(found.User, now)
}

func tooManyLinks(l link) error {
	return fmt.Errorf("%w: user %s, of %s", auth.TooSoon{Code: auth.TooManyRequests, RetryAfter: time.Hour}, l.user.ID, l.purpose)
}

// adminLink is the link that an operator wants for a user, if the user may have it.
func (f *Admin) adminLink(ctx context.Context, by Operator, in AdminMail) (link, error) {
	if err := by.mayChange(); err != nil {
		return link{}, err
	}
	redirectTo, err := f.Policy.Redirect(in.RedirectTo)
	if err != nil {
		return link{}, err
	}
	user, err := f.Store.UserRecord(ctx, in.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return link{}, fmt.Errorf("%w: user %s", auth.NotFound, in.UserID)
	}
	if err != nil {
		return link{}, err
	}
	now := f.Now()
	if err := f.mayHaveLink(user.User, in.Purpose, now); err != nil {
		return link{}, err
	}
	return link{user: user.User, to: user.Email, purpose: in.Purpose, redirectTo: redirectTo, client: by.Client, now: now}, nil
}

// mayHaveLink decides as the users' own requests do.
func (f *Admin) mayHaveLink(u auth.User, p auth.Purpose, now time.Time) error {
	gated := f.Policy.gateMember(u, now)
	switch {
	case u.Email == "":
		return auth.Invalid{Field: "input.userId", Problem: "must be of a user who has an e-mail address"}
	case p == auth.ResetPassword:
		return f.Policy.gateByEmail(u, now)
	case gated != nil && auth.CodeOf(gated) != auth.UserUnverified: // the link proves the address
		return gated
	case p == auth.VerifyEmail && u.EmailVerified:
		return fmt.Errorf("%w: user %s", auth.EmailVerified, u.ID)
	case p == auth.SignInByEmail && !f.Policy.SignInByLink:
		return fmt.Errorf("%w: AUTH_EMAIL_PASSWORDLESS_ENABLED is not set", auth.EndpointDisabled)
	case p == auth.Invitation && !u.LastSeen.IsZero():
		return auth.Invalid{Field: "input.userId", Problem: "must be of a user who has never come in"}
	}
	return nil
}

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
	"postern/tokens"
	"postern/userobject"
)

// opening is how a session comes to be.
type opening struct {
	user        auth.User
	method      string        // amr of the proof (RFC 8176)
	after       []auth.Method // the proofs before it
	aal         int           // authenticator assurance level of all proofs together; 0 means 1
	machine     bool          // a program signs in, which no second factor can be asked of
	handed      bool          // an operator handed the link over: a second factor is asked for whatever the setting
	elevated    bool          // the access token says that the proof is fresh
	beside      string        // the session that asks for this one, to be elevated: it lives on, whatever the limit
	provider    string        // that vouches for who signs up; empty when none does
	pat         string        // the personal access token that opens it
	ends        time.Time     // when it ends however often it is refreshed, if no limit ends it before; zero means never
	client      auth.Client
	claims      map[string]string // custom claims of the first access token, see ask; nil when they were not asked for
	others      map[string]any    // what hooks put into it besides
	session     auth.Session      // that hooks were asked about; without ID when none were
	confirms    bool              // an address or number for the first time
	metadata    json.RawMessage   // that hooks want the user to have; nil leaves theirs
	details     *auth.Details     // of the user; nil until they were looked for
	guards      []store.Guard
	clears      string
	checkedHash string
	newHash     string
	now         time.Time
}

// factorTicketLife is how long a user may take to type the code of the second factor.
const factorTicketLife = 5 * time.Minute

// factorTries is how many codes may be tried with one ticket.
const factorTries = 5

// enter ends every sign-in: in a session, or in the ticket of the second factor when the user has
// one and this proof was of one factor. db is the database, or the transaction that the sign-in
// belongs to.
func (k *Kit) enter(ctx context.Context, db *store.DB, o opening) (auth.Admission, error) {
	if k.Policy.wantsFactor(o) {
		return k.askFactor(ctx, db, o)
	}
	grant, err := k.open(ctx, db, o)
	return auth.Admission{Grant: grant}, err
}

// wantsFactor tells whether a second factor must be proved before there is a session.
func (p *Policy) wantsFactor(o opening) bool {
	return o.user.HasFactor() && p.asksFactor(o) && !p.FactorLater
}

// leavesFactor tells whether the session begins without the second factor, which stays due.
func (p *Policy) leavesFactor(o opening) bool {
	return o.user.HasFactor() && p.asksFactor(o) && p.FactorLater
}

// asksFactor tells whether users who have a second factor must prove it.
func (p *Policy) asksFactor(o opening) bool {
	return o.aal < 2 && !o.machine && (p.MFASignIns != "password" || o.method == "password" || o.handed)
}

// firstFactor is what the ticket of a second factor remembers of the first.
type firstFactor struct {
	Methods []auth.Method `json:"methods"`
}

// askFactor writes the ticket that the second factor is proved with: a code of an authenticator app, or a recovery code. Whoever has
// factors of other kinds alone signs in where those are asked for.
func (k *Kit) askFactor(ctx context.Context, db *store.DB, o opening) (auth.Admission, error) {
	if !o.user.HasFactorOf(auth.TOTPFactor) {
		return auth.Admission{}, fmt.Errorf("%w: user %s has others than an authenticator app", auth.FactorUnsupported, o.user.ID)
	}
	payload, err := json.Marshal(firstFactor{Methods: o.methods()})
	if err != nil {
		return auth.Admission{}, fmt.Errorf("flow: %w", err)
	}
	text := string(auth.SecondFactor) + ":" + tokens.NewUUID()
	err = db.AddFactorTicket(ctx, store.FactorTicket{
		Ticket: store.Ticket{
			ID: tokens.NewUUID(), Purpose: auth.SecondFactor, SecretHash: tokens.HashSecret(text), UserID: o.user.ID,
			Payload: payload, Attempts: factorTries, CreatedAt: o.now, ExpiresAt: o.now.Add(factorTicketLife),
		},
		CheckedHash: o.checkedHash, NewHash: o.newHash, Guards: o.guards, Clears: o.clears, Metadata: o.metadata,
	})
	return auth.Admission{FactorTicket: text}, o.refusal(err)
}

// methods lists all proofs, the latest last and each kind once: who proves themselves again and again
// leaves no list that grows.
func (o opening) methods() []auth.Method {
	before := slices.DeleteFunc(slices.Clone(o.after), func(m auth.Method) bool { return m.Method == o.method })
	return append(before, auth.Method{Method: o.method, Timestamp: o.now})
}

// refusal says what it means when nothing was written: the user was disabled, the password changed or
// the account locked between the check and now.
func (o opening) refusal(err error) error {
	if errors.Is(err, store.ErrChanged) {
		return fmt.Errorf("%w: user %s changed during the sign-in", auth.InvalidCredentials, o.user.ID)
	}
	return err
}

// open writes the session with its audit row and event, and signs the
// access token. Sign-ins come to it through enter.
func (k *Kit) open(ctx context.Context, db *store.DB, o opening) (*auth.Grant, error) {
	if (o.claims == nil && !k.Claims.None() && !k.Policy.leavesFactor(o)) || (o.session.ID == "" && k.asksOfSessions()) {
		return nil, errNotAsked
	}
	session, token := o.session, tokens.NewUUID()
	if session.ID == "" {
		session = k.newSession(o)
	}
	o, err := k.withDetails(ctx, db, o)
	if err != nil {
		return nil, err
	}
	ends := k.Policy.endOf(session)
	if ends.IsZero() || !o.ends.IsZero() && o.ends.Before(ends) {
		ends = o.ends
	}
	grant, err := k.grant(o.user, session, token, o.speech())
	if err != nil {
		return nil, err
	}
	entry := k.entry("session.started", o.user.ID, o.client, o.now)
	entry.SessionID = session.ID
	entry.Detail = map[string]any{"method": o.method}
	err = db.OpenSession(ctx, store.NewSession{
		Session: session, RefreshHash: tokens.HashRefresh(token), Client: o.client, Entry: entry,
		CheckedHash: o.checkedHash, NewHash: o.newHash, Guards: o.guards, Clears: o.clears, NoFactor: !o.user.HasFactor() && k.Policy.asksFactor(o),
		EndsAt: ends, Alive: k.Policy.alive(o.now), Limit: k.Policy.sessionLimit(o.user), Beside: o.beside, PAT: o.pat, Metadata: o.metadata,
	})
	return grant, o.refusal(err)
}

// newSession draws the session of a sign-in.
func (k *Kit) newSession(o opening) auth.Session {
	return auth.Session{
		ID: tokens.NewUUID(), UserID: o.user.ID, CreatedAt: o.now, ExpiresAt: o.now.Add(k.Policy.sessionLife()),
		AAL: max(o.aal, 1), AMR: o.methods(), FactorDue: k.Policy.leavesFactor(o),
	}
}

// speech is what an access token says beside user and session.
type speech struct {
	elevated bool
	claims   map[string]string
	others   map[string]any
	details  *auth.Details     // of the user, where the token tells of them
	actor    string            // the operator who acts in the place of the user; empty for none
	life     time.Duration     // of the token, where it is another than usual
	client   *tokens.ForClient // of the OAuth server, where the token is for one
	told     bool              // and says what the dialect's tokens of users say
	now      time.Time
}

func (o opening) speech() speech {
	return speech{elevated: o.elevated, claims: o.claims, others: o.others, details: o.details, now: o.now}
}

// access is what the access token of a session says.
func (k *Kit) access(u auth.User, s auth.Session, say speech) tokens.Access {
	life := k.AccessTokenLife
	if say.life > 0 {
		life = say.life
	}
	others, audience := say.others, ""
	if k.Supabase && (say.client == nil || say.told) {
		audience = userobject.Authenticated
		if others == nil {
			others = userobject.Claims(u, s, say.details)
		}
	}
	return tokens.Access{
		UserID: u.ID, Actor: say.actor, SessionID: s.ID, Roles: u.AllowedRoles(), DefaultRole: u.DefaultRole,
		IsAnonymous: u.IsAnonymous, Elevated: say.elevated, FactorDue: s.FactorDue, Extra: say.claims, Others: others, Audience: audience, Life: life,
		Client: say.client,
	}
}

// grant signs an access token for a session.
func (k *Kit) grant(u auth.User, s auth.Session, refreshToken string, say speech) (*auth.Grant, error) {
	access, err := k.Signer.Sign(k.access(u, s, say), say.now)
	if err != nil {
		return nil, fmt.Errorf("flow: %w", err)
	}
	return &auth.Grant{User: u, Session: s, AccessToken: access, RefreshToken: refreshToken, ExpiresIn: k.AccessTokenLife, Details: say.details}, nil
}

// withDetails looks for what the dialect tells of the user beside their row, unless that was done. A user who is
// not stored yet has none.
func (k *Kit) withDetails(ctx context.Context, db *store.DB, o opening) (opening, error) {
	if !k.Supabase {
		return o, nil
	}
	if o.details == nil {
		d, err := db.DetailsOf(ctx, o.user.ID)
		if errors.Is(err, store.ErrNotFound) {
			return o, nil
		}
		if err != nil {
			return o, err
		}
		o.details = &d
	}
	o.details.SignedInAt = o.now
	return o, nil
}

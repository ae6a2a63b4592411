// Package hooks has the moments at which operators' own code has a say: what it is told, what it may
// change, in which order several are asked, and what happens when one does not answer. It knows neither
// the words that others have for the moments (its closets named after dialects do) nor how a question
// travels (the closets named after transports do).
package hooks

import (
	"context"
	"time"
)

// Runner carries a question to whoever answers it. It never learns what the moment is. It returns soon
// after its context has ended, whatever the other side does.
type Runner interface {
	Run(ctx context.Context, c Call) (Answer, error)
}

// Call is a question, as bytes.
type Call struct {
	ID     string            // one per event, the same over retries
	Name   string            // of the binding, for logs
	Body   []byte            // JSON
	Header map[string]string // of the dialect; HTTP only
	At     time.Time         // when it was asked
}

// Answer is what came back.
type Answer struct {
	Status      int // of HTTP; 200 for others
	ContentType string
	Body        []byte
	Header      map[string]string
	Console     []string // what a script wrote, redacted
}

// Kind is what a binding is for, and decides when it is asked.
type Kind int

// The kinds, in the order in which they are asked: a vetoer judges what all mutators have left.
const (
	Mutator  Kind = iota // may change what is open to change
	Vetoer               // may refuse
	Observer             // is told; with CarryOn, whatever it says
)

// DefaultTimeout bounds a binding that names no timeout.
const DefaultTimeout = 5 * time.Second

// Binding has somebody asked at a moment.
type Binding[E any] struct {
	Name    string // for logs, unique among the bindings of an operator
	Kind    Kind
	Order   int           // breaks ties, the smallest first; then the order of binding
	CarryOn bool          // when the hook fails; otherwise what was asked about is refused
	Timeout time.Duration // of one event, retries and all; 0 means DefaultTimeout
	// Later has an observer told after the transaction, out of the queue, by Tell: nobody waits for it,
	// and it is told again when it could not be reached.
	Later bool
	// Partly leaves some events to others, at moments that have one owner: its Ask gives Declined for them.
	Partly bool

	// Ask puts the question and decodes the answer, whole, before it returns an effect. The effect says
	// what is to change, by the methods of the event; nil means nothing. A Denied refuses, any other
	// error is a failure of the hook.
	Ask func(ctx context.Context, e E) (effect func(*E) error, err error)
}

// Hooks are the moments. Those that nobody is bound to cost nothing.
type Hooks struct {
	SignUpRequested    Moment[Requested]
	SignInRequested    Moment[Requested]
	UserCreating       Moment[UserCreating]
	UserInserted       Join[UserInserted]
	UserConfirmed      Moment[UserConfirmed]
	UserCreated        Moment[UserCreated]
	PasswordChecked    Moment[PasswordChecked]
	PasswordUnknown    Moment[PasswordUnknown]
	FactorChecked      Moment[FactorChecked]
	SessionOpening     Moment[SessionOpening]
	TokenMinting       Moment[TokenMinting]
	ClientTokenMinting Moment[ClientTokenMinting]
	SMSDue             Moment[SMSDue]  // has one owner
	MailDue            Moment[MailDue] // has one owner
	PasswordChanged    Moment[PasswordChanged]
	UserModified       Moment[UserModified]
	UserDeleted        Moment[UserDeleted]

	// Failed is told of every hook that failed, also where that is carried on from. Set it before the
	// first event.
	Failed func(ctx context.Context, f Failure)
}

// Failure is a hook that did not answer as it should.
type Failure struct {
	Moment  string
	Hook    string // name of the binding
	EventID string
	Err     error
	Carried bool // what was asked about went on
}

// New gives moments that nobody is bound to.
func New() *Hooks {
	h := &Hooks{}
	h.SignUpRequested.at("sign-up requested", h)
	h.SignInRequested.at("sign-in requested", h)
	h.UserCreating.at("user creating", h)
	h.UserInserted.at("user inserted", h)
	h.UserConfirmed.at("user confirmed", h)
	h.UserCreated.at("user created", h)
	h.PasswordChecked.at("password checked", h)
	h.PasswordUnknown.at("password unknown", h)
	h.FactorChecked.at("factor checked", h)
	h.SessionOpening.at("session opening", h)
	h.TokenMinting.at("token minting", h)
	h.ClientTokenMinting.at("client token minting", h)
	h.SMSDue.at("SMS due", h)
	h.SMSDue.owned = true
	h.MailDue.at("mail due", h)
	h.MailDue.owned = true
	h.PasswordChanged.at("password changed", h)
	h.UserModified.at("user modified", h)
	h.UserDeleted.at("user deleted", h)
	return h
}

// failed tells of a failure.
func (h *Hooks) failed(ctx context.Context, f Failure) {
	if h != nil && h.Failed != nil {
		h.Failed(ctx, f)
	}
}

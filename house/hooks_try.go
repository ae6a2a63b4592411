package house

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"postern/hooks"
	"postern/hooks/jshook"
	"postern/hooks/pghook"
	"postern/store"
	"postern/tokens"
)

// Asked is one question that was put, and what came back.
type Asked struct {
	Call   hooks.Call
	Answer hooks.Answer
	Err    error
	Took   time.Duration
}

// Tried is what became of a hook that was tried.
type Tried struct {
	Hook      Hook
	Questions []Asked
	Outcomes  []hooks.Rehearsed
}

// Try puts a question to the receiver of a hook as a server would, and decodes the answer. Nothing is kept of
// it here: what a function in the database writes is rolled back. An empty payload is that of somebody made up.
func (a *Attendant) Try(ctx context.Context, h Hook, payload []byte) (Tried, error) {
	runner, err := a.runner(ctx, h)
	if err != nil {
		return Tried{}, err
	}
	if f, ok := runner.(*pghook.Runner); ok {
		runner = f.Dry()
	}
	return a.try(ctx, h, runner, payload)
}

// try asks somebody.
func (a *Attendant) try(ctx context.Context, h Hook, runner hooks.Runner, payload []byte) (Tried, error) {
	w := &watched{runner: runner, payload: payload, now: a.options.Now}
	moments := hooks.New()
	if err := h.Bind(moments, w); err != nil {
		return Tried{}, err
	}
	rehearsal, err := a.rehearsal()
	if err != nil {
		return Tried{}, err
	}
	tried := Tried{Hook: h}
	err = a.within(ctx, moments, &rehearsal, func() { tried.Outcomes = moments.Rehearse(ctx, rehearsal) })
	tried.Questions = w.asked
	return tried, err
}

// errRehearsed rolls a rehearsal back.
var errRehearsed = errors.New("rehearsed")

// within rehearses in a transaction that has the user, if a function joins it, and rolls it back.
func (a *Attendant) within(ctx context.Context, moments *hooks.Hooks, r *hooks.Rehearsal, rehearse func()) error {
	if !moments.UserInserted.Bound() {
		rehearse()
		return nil
	}
	db, err := store.Open(ctx, a.config.Store)
	if err != nil {
		return err
	}
	defer db.Close()
	who := &r.UserInserted.User
	who.ID = tokens.NewUUID()
	who.Email, who.PhoneNumber, who.Roles = "rehearsal-"+who.ID+"@example.invalid", "", []string{who.DefaultRole}
	err = db.InTx(ctx, func(tx *store.DB) error {
		entry := store.Entry{Event: "user.created", UserID: who.ID, At: r.UserInserted.At}
		if err := tx.AddUser(ctx, store.NewUser{User: *who}, entry); err != nil {
			return err
		}
		r.Tx = tx
		rehearse()
		return errRehearsed
	})
	if errors.Is(err, errRehearsed) {
		return nil
	}
	return err
}

// TryScript asks a script that no setting names, as Try asks a hook.
func (a *Attendant) TryScript(ctx context.Context, h Hook, s ScriptFile, payload []byte) (Tried, error) {
	if !slices.Contains(h.Transports, hooks.Script) {
		return Tried{}, fmt.Errorf("%s cannot be a script", h.Name)
	}
	h.Transport, h.Where, h.Signed = hooks.Script, "script "+s.Name, false
	runner, err := a.scriptRunner(h, s)
	if err != nil {
		return Tried{}, err
	}
	return a.try(ctx, h, runner, payload)
}

// scriptRunner makes the way to a script that is to be a hook.
func (a *Attendant) scriptRunner(h Hook, s ScriptFile) (*jshook.Runner, error) {
	script := jshook.Script{Source: s.Source, Secrets: s.Secrets}
	for _, d := range a.dialects {
		if d.Name == h.Dialect && d.script != nil {
			script = d.script(h.Name, s.Source, s.Secrets)
		}
	}
	a.making.Lock()
	defer a.making.Unlock()
	var err error
	if a.receivers.scripts == nil {
		if a.receivers.scripts, err = Scripts(a.config, a.options.ScriptProgram); err != nil {
			return nil, err
		}
	}
	return a.receivers.scripts.Runner(script)
}

// ScriptFile is a script to be tried.
type ScriptFile struct {
	Name, Source string
	Secrets      map[string]string
}

// rehearsal makes events of somebody made up, with claims as this server signs them.
func (a *Attendant) rehearsal() (hooks.Rehearsal, error) {
	now := a.options.Now()
	event := hooks.SampleEvent()
	event.ID, event.At = tokens.NewUUID(), now
	r := hooks.Rehearsal{Samples: hooks.NewSamples(event)}
	if a.config.Tokens.JWTSecret.IsZero() {
		return r, nil
	}
	signer, err := a.config.Tokens.NewSigner()
	if err != nil {
		return r, err
	}
	access := tokens.Access{
		UserID: r.TokenMinting.User.ID, SessionID: r.TokenMinting.SessionID, Roles: r.TokenMinting.User.AllowedRoles(),
		DefaultRole: r.TokenMinting.User.DefaultRole, Life: a.config.Tokens.AccessTokenLife,
	}
	r.Settle = func(claims map[string]any) (map[string]any, error) {
		settled, err := signer.Override(access, claims)
		if err != nil {
			return nil, err
		}
		return signer.Payload(settled, now)
	}
	r.TokenMinting.Claims, err = signer.Payload(access, now)
	return r, err
}

// watched is a runner that is looked at.
type watched struct {
	runner  hooks.Runner
	payload []byte // in the place of the question; empty for none
	now     func() time.Time
	asked   []Asked
}

// Run puts the question.
func (w *watched) Run(ctx context.Context, c hooks.Call) (hooks.Answer, error) {
	return w.watch(c, func(c hooks.Call) (hooks.Answer, error) { return w.runner.Run(ctx, c) })
}

// Join puts the question inside a transaction.
func (w *watched) Join(ctx context.Context, tx hooks.Transaction, c hooks.Call, limit time.Duration) (hooks.Answer, error) {
	joiner, ok := w.runner.(hooks.Joiner)
	if !ok {
		return hooks.Answer{}, hooks.NotThere{Why: "only a function in the database takes part in a transaction"}
	}
	return w.watch(c, func(c hooks.Call) (hooks.Answer, error) { return joiner.Join(ctx, tx, c, limit) })
}

func (w *watched) watch(c hooks.Call, ask func(hooks.Call) (hooks.Answer, error)) (hooks.Answer, error) {
	if len(w.payload) > 0 {
		c.Body = w.payload
	}
	began := w.now()
	answer, err := ask(c)
	w.asked = append(w.asked, Asked{Call: c, Answer: answer, Err: err, Took: w.now().Sub(began)})
	return answer, err
}

// Timeout is that of the runner; 0 when it has none of its own.
func (w *watched) Timeout() time.Duration {
	if r, ok := w.runner.(interface{ Timeout() time.Duration }); ok {
		return r.Timeout()
	}
	return 0
}

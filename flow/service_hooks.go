package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"postern/auth"
)

// HookInEffect is a hook with what the settings say of it.
type HookInEffect struct {
	Name, Dialect, Doc string
	Enabled            bool
	Setting            string // that says where it is; empty for none
	Transport, Address string // without secrets
	Signed             bool   // its questions are
	Moments            []HookMoment
}

// HookMoment is a moment at which a hook is asked.
type HookMoment struct {
	Moment string
	Kind   string // mutator, vetoer, observer or in-transaction
	Policy string // what a hook that fails does to what it was asked about: refuse or carry-on
	Within time.Duration
}

// InUse lists the hooks: those that are switched on, or all that there are.
func (f *Service) InUse(_ context.Context, all bool, by Operator) ([]HookInEffect, error) {
	if err := by.mayRead(); err != nil {
		return nil, err
	}
	var list []HookInEffect
	for _, h := range f.HooksKnown {
		if all || h.Enabled {
			list = append(list, h)
		}
	}
	return list, nil
}

// HookTrial says what to try: a hook of the settings, a script of the store, or a script that is only a
// candidate.
type HookTrial struct {
	Hook     string            // as lists name it, or with its dialect before a slash
	ScriptID string            // of a stored script
	Source   string            // of a candidate, for the hook
	Secrets  map[string]string // for either; a stored script gets made-up ones in the place of those left out
	Payload  json.RawMessage   // in the place of the sample; empty for none
}

// HookTried is what became of a trial.
type HookTried struct {
	Hook, Dialect, Address string
	Questions              []HookQuestion
	Outcomes               []HookOutcome
}

// HookQuestion is one question that was put, and what came back.
type HookQuestion struct {
	ID      string
	Body    json.RawMessage
	Status  int      // of the answer; 0 for none
	Answer  string   // its body
	Error   string   // why there is no answer
	Console []string // what a script wrote, without its secrets
	Took    time.Duration
}

// HookOutcome is what would have come of a moment.
type HookOutcome struct {
	Moment  string
	Refused bool
	Status  int    // that whoever is refused gets
	Message string // of who refuses
	Failure string // why the hook failed
	Effects []string
}

// ErrNoTrial says what cannot be tried as it was asked for.
type ErrNoTrial struct{ Field, Why string }

// Error says why.
func (e ErrNoTrial) Error() string { return e.Field + " " + e.Why }

// TestHook tries a hook in the sandbox that it has. Nothing that comes of it is kept, but that it was tried:
// that is written before, since a receiver may act on what it is asked.
//
// A stored script gets made-up secrets, unless some are given: whoever may write a script could have it
// answer with the real ones, in words that nobody tells from others.
func (f *Service) TestHook(ctx context.Context, t HookTrial, by Operator) (HookTried, error) {
	if err := by.mayChange(); err != nil {
		return HookTried{}, err
	}
	t, facts, err := f.trial(ctx, t)
	if err != nil {
		return HookTried{}, err
	}
	try, err := f.Try(ctx, t)
	var no ErrNoTrial
	if errors.As(err, &no) {
		return HookTried{}, auth.Invalid{Field: no.Field, Problem: no.Why}
	}
	if err != nil {
		return HookTried{}, err
	}
	if err := f.Store.AddNote(ctx, f.note(by, "hook-script.tested", facts)); err != nil {
		return HookTried{}, err
	}
	return try(ctx)
}

// trial finds what is to be tried, and what the audit log says of it.
func (f *Service) trial(ctx context.Context, t HookTrial) (HookTrial, map[string]any, error) {
	facts := map[string]any{"hook": t.Hook}
	switch given := t.ScriptID != ""; {
	case len(t.Secrets) > MaxScriptSecrets:
		return t, nil, auth.Invalid{Field: "secrets", Problem: fmt.Sprintf("must be %d at most", MaxScriptSecrets)}
	case given && (t.Hook != "" || t.Source != ""):
		return t, nil, auth.Invalid{Field: "scriptId", Problem: "must stand alone: a stored script has its own trigger and source"}
	case given && asID(t.ScriptID) != nil:
		return t, nil, asID(t.ScriptID)
	case given:
		s, err := f.Store.SecretScript(ctx, t.ScriptID)
		if err != nil {
			return t, nil, known(err, t.ScriptID)
		}
		secrets, err := OpenScriptSecrets(f.Keys, s)
		if err != nil {
			return t, nil, err
		}
		t.Secrets = MadeUp(secrets, t.Secrets)
		t.Hook, t.Source = "auth0/"+s.Trigger, s.Source
		facts = map[string]any{"script": s.ID}
	case t.Hook == "":
		return t, nil, auth.Invalid{Field: "hook", Problem: "must name a hook, or scriptId a script"}
	case t.Source != "":
		if err := checkSource(t.Source); err != nil {
			return t, nil, err
		}
		facts["candidate"] = true
	case t.Secrets != nil:
		return t, nil, auth.Invalid{Field: "secrets", Problem: "must come with script or scriptId, which they are for"}
	}
	if t.Source != "" {
		facts["sourceHash"] = hashOf([]byte(t.Source))
	}
	if len(t.Payload) > 0 {
		facts["payloadHash"] = hashOf(t.Payload)
	}
	return t, facts, nil
}

// hashOf is what tells two texts apart in the audit log, which keeps neither.
func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// MadeUp gives every secret of a script a value that is none, but for those whose values are given.
func MadeUp(secrets, given map[string]string) map[string]string {
	all := make(map[string]string, len(secrets)+len(given))
	for name := range secrets {
		all[name] = "made-up-" + name
	}
	maps.Copy(all, given)
	return all
}

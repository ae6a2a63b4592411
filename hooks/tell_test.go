package hooks_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/hooks"
)

// sends takes over what answer has no error for.
func sends(name string, partly bool, sent *[]string, answer func(hooks.SMSDue) error) hooks.Binding[hooks.SMSDue] {
	return hooks.Binding[hooks.SMSDue]{Name: name, Kind: hooks.Observer, Partly: partly, Ask: func(_ context.Context, e hooks.SMSDue) (func(*hooks.SMSDue) error, error) {
		err := answer(e)
		if err == nil {
			*sent = append(*sent, name)
		}
		return nil, err
	}}
}

func TestOwnersByPurpose(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	fresh := func(e hooks.SMSDue) error {
		switch e.Purpose {
		case auth.ElevateBySMS:
			return nil
		case auth.ChangePhone:
			return boom
		default:
			return hooks.Declined
		}
	}
	always := func(hooks.SMSDue) error { return nil }
	for name, tt := range map[string]struct {
		partly, whole bool
		purpose       auth.Purpose
		sent          string
		taken         bool
		failed        bool
	}{
		"nobody is bound":           {false, false, auth.ElevateBySMS, "", false, false},
		"what one wants":            {true, true, auth.ElevateBySMS, "partly", true, false},
		"what the other is left":    {true, true, auth.SignInBySMS, "whole", true, false},
		"what nobody is left":       {true, false, auth.SignInBySMS, "", false, false},
		"a failure is never passed": {true, true, auth.ChangePhone, "", true, true},
		"one who wants everything":  {false, true, auth.ElevateBySMS, "whole", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, sent := hooks.New(), []string{}
			if tt.whole { // bound first, and still asked last
				bind(t, &h.SMSDue, sends("whole", false, &sent, always))
			}
			if tt.partly {
				bind(t, &h.SMSDue, sends("partly", true, &sent, fresh))
			}
			taken, err := h.SMSDue.Take(t.Context(), &hooks.SMSDue{Purpose: tt.purpose})
			if taken != tt.taken || (err != nil) != tt.failed || strings.Join(sent, ",") != tt.sent {
				t.Errorf("taken %t by %q, %v", taken, sent, err)
			}
			if h.SMSDue.TakesAll() != tt.whole || h.SMSDue.Bound() != (tt.whole || tt.partly) {
				t.Error("it is not known who takes what")
			}
		})
	}
}

func TestBindingsThatContradictTheirMoment(t *testing.T) {
	t.Parallel()
	h, sent := hooks.New(), []string{}
	bind(t, &h.SMSDue, sends("one", true, &sent, func(hooks.SMSDue) error { return nil }))
	if err := h.SMSDue.Bind(sends("two", true, &sent, func(hooks.SMSDue) error { return nil })); err == nil || !strings.Contains(err.Error(), "one and two") {
		t.Errorf("two who want a part: %v", err)
	}
	later := hooks.Binding[hooks.UserCreated]{Name: "later", Later: true, Ask: func(context.Context, hooks.UserCreated) (func(*hooks.UserCreated) error, error) { return nil, nil }}
	for _, kind := range []hooks.Kind{hooks.Mutator, hooks.Vetoer} {
		later.Kind = kind
		if err := h.UserCreated.Bind(later); err == nil {
			t.Error("somebody with a say is told later")
		}
	}
	later.Kind, later.Later, later.Partly = hooks.Observer, false, true
	if err := h.UserCreated.Bind(later); err == nil {
		t.Error("somebody leaves a part to others where all are asked")
	}
}

func TestToldLater(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answer error
		again  bool
		logged bool
	}{
		"all is well":       {nil, false, false},
		"it refuses":        {&hooks.Denied{Message: "no"}, false, true},
		"it broke":          {hooks.Crashed{Why: "boom"}, false, true},
		"it talks nonsense": {hooks.BadAnswer{Why: "a list"}, false, true},
		"it is too slow":    {hooks.TimedOut{After: time.Second}, true, true},
		"it is not there":   {hooks.Unreachable{Why: "gone"}, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h, told, logged := hooks.New(), 0, 0
			h.Failed = func(_ context.Context, f hooks.Failure) {
				logged++
				if !f.Carried || f.EventID != "one" {
					t.Errorf("failure %+v", f)
				}
			}
			bind(t, &h.UserCreated, hooks.Binding[hooks.UserCreated]{
				Name: "later", Kind: hooks.Observer, Later: true,
				Ask: func(context.Context, hooks.UserCreated) (func(*hooks.UserCreated) error, error) {
					told++
					return nil, tt.answer
				},
			})
			e := hooks.UserCreated{Event: hooks.Event{ID: "one"}}
			if err := h.UserCreated.Ask(t.Context(), &e); err != nil || told != 0 || h.UserCreated.Bound() || !h.UserCreated.Told() {
				t.Errorf("it was asked within the request: %v", err)
			}
			if err := h.UserCreated.Tell(t.Context(), e); (err != nil) != tt.again || told != 1 || (logged == 1) != tt.logged {
				t.Errorf("%v, told %d times, logged %d times", err, told, logged)
			}
		})
	}
}

package hooks_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/hooks"
)

type creating = hooks.Binding[hooks.UserCreating]

func bind[E any, M interface{ Bind(hooks.Binding[E]) error }](t *testing.T, m M, bindings ...hooks.Binding[E]) {
	t.Helper()
	for _, b := range bindings {
		if err := m.Bind(b); err != nil {
			t.Fatal(err)
		}
	}
}

// says writes down who was asked about which metadata, and patches it.
func says(order *[]string, name string, kind hooks.Kind, rank int, patch map[string]any) creating {
	return creating{Name: name, Kind: kind, Order: rank, Ask: func(_ context.Context, e hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
		after, _, err := e.Metadata(e.User.Metadata)
		*order = append(*order, name+" "+string(after))
		if patch == nil {
			return nil, err
		}
		return func(e *hooks.UserCreating) error { return e.MergeMetadata(patch) }, err
	}}
}

func TestMutatorsComeFirstAndTheLaterWins(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	var asked []string
	bind(t, &h.UserCreating,
		says(&asked, "observer", hooks.Observer, 0, nil),
		says(&asked, "vetoer", hooks.Vetoer, 0, nil),
		says(&asked, "second", hooks.Mutator, 1, map[string]any{"a": 2, "c": 3, "providers": []string{"x"}}),
		says(&asked, "first", hooks.Mutator, 0, map[string]any{"a": 1, "b": nil}),
	)
	e := hooks.UserCreating{User: auth.User{Metadata: json.RawMessage(`{"kept":true,"b":1}`)}}
	if err := h.UserCreating.Ask(t.Context(), &e); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`first {"kept":true,"b":1}`, `second {"a":1,"b":null,"kept":true}`,
		`vetoer {"a":2,"b":null,"c":3,"kept":true}`, `observer {"a":2,"b":null,"c":3,"kept":true}`,
	}
	if diff := cmp.Diff(want, asked); diff != "" {
		t.Errorf("asked (-want +got):\n%s", diff)
	}
}

func TestFirstDenialStops(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	var asked []string
	no := says(&asked, "no", hooks.Vetoer, 0, nil)
	no.CarryOn = true // a refusal is no failure
	no.Ask = func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
		return nil, fmt.Errorf("said: %w", &hooks.Denied{Status: 418, Message: "short and stout"})
	}
	bind(t, &h.UserCreating, says(&asked, "later", hooks.Vetoer, 1, nil), no)
	h.Failed = func(context.Context, hooks.Failure) { t.Error("a denial is told as a failure") }
	err := h.UserCreating.Ask(t.Context(), &hooks.UserCreating{})
	var denied *hooks.Denied
	if !errors.As(err, &denied) || denied.Hook != "no" || denied.Status != 418 || auth.CodeOf(err) != auth.HookDenied {
		t.Errorf("got %v", err)
	}
	if len(asked) != 0 {
		t.Errorf("asked %v after the denial", asked)
	}
	if strings.Contains(err.Error(), "stout") {
		t.Error("the message is in the log's text")
	}
}

func TestFailureRefusesOrCarriesOn(t *testing.T) {
	t.Parallel()
	effect := func(err error) func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
		return func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
			return func(e *hooks.UserCreating) error {
				return errors.Join(e.MergeMetadata(map[string]any{"half": true}), err)
			}, nil
		}
	}
	tests := []struct {
		name string
		kind hooks.Kind
		ask  func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error)
	}{
		{"error", hooks.Mutator, func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
			return nil, hooks.Unreachable{Why: "refused"}
		}},
		{"an auth code in it", hooks.Vetoer, func(context.Context, hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
			return nil, auth.InvalidCredentials
		}},
		{"half an effect", hooks.Mutator, effect(errors.New("the other half is wrong"))},
		{"effect of a vetoer", hooks.Vetoer, effect(nil)},
		{"too slow", hooks.Vetoer, func(ctx context.Context, _ hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}},
	}
	for _, tt := range tests {
		for _, carryOn := range []bool{false, true} {
			t.Run(fmt.Sprint(tt.name, carryOn), func(t *testing.T) {
				t.Parallel()
				h := hooks.New()
				var told []hooks.Failure
				h.Failed = func(_ context.Context, f hooks.Failure) { told = append(told, f) }
				bind(t, &h.UserCreating, creating{Name: "broken", Kind: tt.kind, CarryOn: carryOn, Timeout: time.Millisecond, Ask: tt.ask})
				e := hooks.UserCreating{Event: hooks.Event{ID: "one"}}
				err := h.UserCreating.Ask(t.Context(), &e)
				if carryOn != (err == nil) || err != nil && auth.CodeOf(err) != auth.HookFailed {
					t.Errorf("got %v", err)
				}
				if _, changed, _ := e.Metadata(nil); changed {
					t.Error("half an effect was applied")
				}
				if len(told) != 1 || told[0].Hook != "broken" || told[0].EventID != "one" || told[0].Carried != carryOn || told[0].Err == nil {
					t.Errorf("told %+v", told)
				}
				if tt.name == "too slow" && !errors.As(told[0].Err, &hooks.TimedOut{}) {
					t.Errorf("told %v", told[0].Err)
				}
			})
		}
	}
}

func TestClientThatWentIsNotTheHooksFault(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	h.Failed = func(context.Context, hooks.Failure) { t.Error("told as a failure") }
	ctx, cancel := context.WithCancel(t.Context())
	bind(t, &h.UserCreating, creating{Name: "slow", CarryOn: true, Ask: func(ctx context.Context, _ hooks.UserCreating) (func(*hooks.UserCreating) error, error) {
		cancel()
		return nil, ctx.Err()
	}})
	if err := h.UserCreating.Ask(ctx, &hooks.UserCreating{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestBindRefusesWhatCannotWork(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	take := hooks.Binding[hooks.SMSDue]{Name: "one", Ask: func(context.Context, hooks.SMSDue) (func(*hooks.SMSDue) error, error) { return nil, nil }}
	if err := h.SMSDue.Bind(take); err != nil {
		t.Fatal(err)
	}
	take.Name = "two"
	if err := h.SMSDue.Bind(take); err == nil || !strings.Contains(err.Error(), "one and two") {
		t.Errorf("a second taker: %v", err)
	}
	for name, b := range map[string]creating{
		"nobody":  {Name: "x"},
		"no name": says(nil, "", hooks.Vetoer, 0, nil),
		"no kind": says(nil, "x", hooks.Kind(3), 0, nil),
	} {
		if err := h.UserCreating.Bind(b); err == nil {
			t.Errorf("%s: bound", name)
		}
	}
	if h.UserCreating.Bound() {
		t.Error("something is bound")
	}
}

func TestDeniedIsBoundedForClients(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]int{0: 500, 200: 500, 399: 500, 400: 400, 599: 599, 600: 500, -1: 500} {
		if got := (&hooks.Denied{Status: status}).HTTPStatus(); got != want {
			t.Errorf("%d: got %d, want %d", status, got, want)
		}
	}
	for message, want := range map[string]string{
		" plain ":               "plain",
		"two\r\nlines\x00\x1b[": "two  lines[",
		"\xff":                  "\uFFFD",
		"\u202Eabc":             "abc",
	} {
		if got := (&hooks.Denied{Message: message}).Words(); got != want {
			t.Errorf("%q: got %q, want %q", message, got, want)
		}
	}
	if got := (&hooks.Denied{Message: strings.Repeat("ä€", 1000)}).Words(); len(got) > 1000 || len(got) < 990 || !strings.HasPrefix(got, "ä€ä") {
		t.Errorf("a long message has %d bytes", len(got))
	}
}

func TestMetadataIsPatchedOrReplaced(t *testing.T) {
	t.Parallel()
	for _, before := range []string{``, `null`, `[1]`, `"x"`} {
		var e hooks.UserCreating
		if after, changed, err := e.Metadata(json.RawMessage(before)); changed || err != nil || string(after) != before {
			t.Errorf("untouched %q became %q, %v, %v", before, after, changed, err)
		}
		if err := e.MergeMetadata(map[string]any{"a": 1}); err != nil {
			t.Fatal(err)
		}
		if after, changed, err := e.Metadata(json.RawMessage(before)); !changed || err != nil || string(after) != `{"a":1}` {
			t.Errorf("%q became %q, %v, %v", before, after, changed, err)
		}
	}
	var e hooks.UserCreating
	if err := e.ReplaceMetadata(map[string]any{"new": 1, "provider": "mine"}); err != nil {
		t.Fatal(err)
	}
	if after, _, err := e.Metadata(json.RawMessage(`{"old":1,"provider":"google"}`)); err != nil || string(after) != `{"new":1,"provider":"google"}` {
		t.Errorf("got %s, %v", after, err)
	}
	if err := e.MergeMetadata(map[string]any{"long": strings.Repeat("x", 70_000)}); err == nil {
		t.Error("70 kB were taken")
	}
	if err := e.MergeMetadata(map[string]any{"bad": func() {}}); err == nil {
		t.Error("what is no JSON was taken")
	}
}

func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	e := hooks.PasswordUnknown{Password: "hunter2"}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{string(text), fmt.Sprint(e), fmt.Sprintf("%+v %#v %s %q", e, e, e.Password, e.Password)} {
		if strings.Contains(printed, "hunter2") {
			t.Errorf("the password is in %s", printed)
		}
	}
	if e.Password.Reveal() != "hunter2" {
		t.Error("the password is lost")
	}
}

func TestUnboundMomentCostsNothing(t *testing.T) {
	h := hooks.New()
	if n := testing.AllocsPerRun(100, func() {
		if h.TokenMinting.Bound() {
			t.Error("bound")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

package hooks_test

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/hooks"
)

func TestEveryMomentIsDescribed(t *testing.T) {
	t.Parallel()
	about := hooks.Moments()
	moments := 0
	for f := range reflect.TypeFor[hooks.Hooks]().Fields() {
		if f.Type.Kind() == reflect.Struct {
			moments++
		}
	}
	if len(about) != moments {
		t.Errorf("%d moments are listed, and there are %d", len(about), moments)
	}
	seen := map[string]bool{}
	for _, a := range about {
		if a.When == "" || seen[a.Name] {
			t.Errorf("%q is not described, or twice", a.Name)
		}
		seen[a.Name] = true
	}
}

// observes binds somebody who says nothing.
func observes[E any](name string) hooks.Binding[E] {
	return hooks.Binding[E]{Name: name, Kind: hooks.Observer, CarryOn: true, Ask: func(context.Context, E) (func(*E) error, error) { return nil, nil }}
}

func TestBoundIsListedInOrder(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	join := hooks.Joining[hooks.UserInserted]{Name: "rows", Join: func(context.Context, hooks.Transaction, time.Duration, hooks.UserInserted) error { return nil }}
	for _, err := range []error{
		h.PasswordChanged.Bind(observes[hooks.PasswordChanged]("last")),
		h.UserCreating.Bind(observes[hooks.UserCreating]("third")),
		h.UserCreating.Bind(says(nil, "second", hooks.Mutator, 0, nil)),
		h.UserInserted.Bind(join),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want := []hooks.Bound{
		{Moment: "user creating", Hook: "second", Timeout: hooks.DefaultTimeout},
		{Moment: "user creating", Hook: "third", Kind: hooks.Observer, CarryOn: true, Timeout: hooks.DefaultTimeout},
		{Moment: "user inserted", Hook: "rows", Joins: true, Timeout: hooks.DefaultTimeout},
		{Moment: "password changed", Hook: "last", Kind: hooks.Observer, CarryOn: true, Timeout: hooks.DefaultTimeout},
	}
	if diff := cmp.Diff(want, h.Bound()); diff != "" {
		t.Error(diff)
	}
}

// does binds somebody who changes an event.
func does[E any](effect func(*E) error) hooks.Binding[E] {
	return hooks.Binding[E]{Name: "x", Ask: func(context.Context, E) (func(*E) error, error) { return effect, nil }}
}

func TestRehearsalTellsEffects(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		bind func(h *hooks.Hooks) error
		want []string
	}{
		{"claims", func(h *hooks.Hooks) error {
			return h.TokenMinting.Bind(does(func(e *hooks.TokenMinting) error {
				return e.Replace(map[string]any{
					"badge": "gold", "sub": "somebody else", "iss": "hasura-auth",
					"https://hasura.io/jwt/claims": map[string]any{"x-hasura-org": "7"},
				})
			}))
		}, []string{
			`adds the claim badge: "gold"`,
			"leaves out the claim exp",
			"leaves out the claim https://hasura.io/jwt/claims x-hasura-allowed-roles",
			"leaves out the claim https://hasura.io/jwt/claims x-hasura-default-role",
			`adds the claim https://hasura.io/jwt/claims x-hasura-org: "7"`,
			"leaves out the claim https://hasura.io/jwt/claims x-hasura-user-id",
			"leaves out the claim https://hasura.io/jwt/claims x-hasura-user-is-anonymous",
			"leaves out the claim iat",
			"wants another claim sub, which is ours and stays",
		}},
		{"metadata", func(h *hooks.Hooks) error {
			return h.UserCreating.Bind(does(func(e *hooks.UserCreating) error {
				return e.ReplaceMetadata(map[string]any{"team": []string{"red"}})
			}))
		}, []string{"leaves out the member of the metadata plan", `adds the member of the metadata team: ["red"]`}},
		{"nothing", func(h *hooks.Hooks) error { return h.UserCreated.Bind(observes[hooks.UserCreated]("x")) }, nil},
	}
	for _, tt := range tests {
		h := hooks.New()
		if err := tt.bind(h); err != nil {
			t.Fatal(err)
		}
		r := hooks.Rehearsal{Samples: hooks.NewSamples(hooks.SampleEvent())}
		r.Settle = func(claims map[string]any) (map[string]any, error) {
			settled := maps.Clone(claims)
			settled["sub"] = r.TokenMinting.User.ID
			return settled, nil
		}
		got := h.Rehearse(t.Context(), r)
		if len(got) != 1 || got[0].Err != nil {
			t.Fatalf("%s: %v", tt.name, got)
		}
		if diff := cmp.Diff(tt.want, got[0].Effects); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestRehearsalTellsRefusals(t *testing.T) {
	t.Parallel()
	h := hooks.New()
	no := &hooks.Denied{Status: 403, Message: "No"}
	err := h.UserInserted.Bind(hooks.Joining[hooks.UserInserted]{Name: "rows", Join: func(context.Context, hooks.Transaction, time.Duration, hooks.UserInserted) error { return no }})
	if err != nil {
		t.Fatal(err)
	}
	got := h.Rehearse(t.Context(), hooks.Rehearsal{})
	var denied *hooks.Denied
	if len(got) != 1 || got[0].Moment != "user inserted" || !errors.As(got[0].Err, &denied) || denied.Hook != "rows" {
		t.Errorf("got %+v", got)
	}
}

package pghook_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5"

	"postern/hooks"
	"postern/hooks/pghook"
)

// transaction is one of Postgres, with the call that the server's own transactions have.
type transaction struct{ pgx.Tx }

func (tx transaction) CallFunction(ctx context.Context, schema, name string, argument []byte, limit time.Duration) ([]byte, error) {
	if _, err := tx.Exec(ctx, "select set_config('statement_timeout', $1, true)", strconv.FormatInt(limit.Milliseconds(), 10)); err != nil {
		return nil, err
	}
	var answer []byte
	err := tx.QueryRow(ctx, "select "+pgx.Identifier{schema, name}.Sanitize()+"($1)::text", string(argument)).Scan(&answer)
	return answer, err
}

func TestJoins(t *testing.T) {
	t.Parallel()
	_, address := open(t, nil)
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }()
	for name, want := range map[string]struct {
		answer hooks.Answer
		err    error
	}{
		"Quoted_1":     {hooks.Answer{Status: 200, ContentType: "application/json", Body: []byte(`{"quoted": true}`)}, nil},
		"nothing":      {hooks.Answer{Status: 204}, nil},
		"null_answer":  {hooks.Answer{Status: 204}, nil},
		"garbage":      {hooks.Answer{}, hooks.BadAnswer{Why: "it is no JSON"}},
		"large":        {hooks.Answer{}, hooks.TooLarge{Most: 200 << 10}},
		"says_no":      {hooks.Answer{}, hooks.Raised{State: "P0001", Message: "not you", Detail: "canary-detail", Hint: "ask again"}},
		"unique_email": {hooks.Answer{}, hooks.Raised{State: "23505", Message: `duplicate key value violates unique constraint "taken_email_key"`, Detail: "Key (email)=(canary@example.com) already exists.", Constraint: "taken_email_key"}},
		"sleeps":       {hooks.Answer{}, hooks.TimedOut{After: 300 * time.Millisecond}},
		"not_there":    {hooks.Answer{}, hooks.NotThere{Why: "there is no such function with one argument that takes JSON"}},
	} {
		tx, err := conn.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got, err := pghook.Join(t.Context(), transaction{tx}, pghook.Function{Schema: "hooks", Name: name}, hooks.Call{Body: []byte(`{"a":1}`)}, 300*time.Millisecond)
		if d := cmp.Diff(want.answer, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if d := cmp.Diff(want.err, err); d != "" {
			t.Errorf("%s (-want +got):\n%s", name, d)
		}
		if err := tx.Rollback(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	tx, err := conn.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	gone, leave := context.WithCancel(t.Context())
	leave()
	if _, err := pghook.Join(gone, transaction{tx}, pghook.Function{Schema: "hooks", Name: "fine"}, hooks.Call{Body: []byte("{}")}, time.Second); !errors.Is(err, context.Canceled) {
		t.Errorf("whoever asked has gone: %v", err)
	}
}

// Dialects tell exceptions apart by what they are for.
func TestWhatWasRaised(t *testing.T) {
	t.Parallel()
	for state, want := range map[string]struct {
		purpose, violation bool
		status             int
	}{
		"P0001": {purpose: true}, "23505": {violation: true}, "23514": {violation: true}, "PT402": {status: 402}, "PT599": {status: 599},
		"PT600": {}, "PT099": {}, "PT4x2": {}, "PT": {}, "22012": {}, "": {},
	} {
		e := hooks.Raised{State: state}
		if e.OnPurpose() != want.purpose || e.Violation() != want.violation || e.Status() != want.status {
			t.Errorf("%s: %t %t %d", state, e.OnPurpose(), e.Violation(), e.Status())
		}
		if !errors.As(e, new(hooks.Crashed)) {
			t.Errorf("%s is no crash", state)
		}
	}
}

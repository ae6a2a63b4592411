package supabase

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"postern/hooks"
)

// Bind has a receiver asked at the moment of its hook. site is where links in mails begin.
func Bind(h *hooks.Hooks, name string, runner hooks.Runner, site string) error {
	r, known := rowOf(name)
	if !known {
		return fmt.Errorf("supabase: there is no hook %s", name)
	}
	if r.waiting {
		return fmt.Errorf("supabase: nothing asks the hook %s yet", name)
	}
	c := call{r, runner}
	switch name {
	case CustomAccessToken:
		return bind(&h.TokenMinting, hooks.Mutator, c, tokenMinting, replaced)
	case BeforeUserCreated:
		return bind(&h.UserCreating, hooks.Vetoer, c, userCreating, nothing)
	case UserInserted:
		return joins(&h.UserInserted, c)
	case AfterUserCreated:
		return bind(&h.UserCreated, hooks.Observer, c, userCreated, nothing)
	case PasswordVerification:
		return bind(&h.PasswordChecked, hooks.Vetoer, c, passwordChecked, rejected[hooks.PasswordChecked](wrongPassword, false))
	case MFAVerification:
		return bind(&h.FactorChecked, hooks.Vetoer, c, factorChecked, rejected[hooks.FactorChecked](wrongFactor, true))
	case PasswordUnknown:
		return bind(&h.PasswordUnknown, hooks.Mutator, c, passwordUnknown, vouched)
	case SendSMS:
		return bind(&h.SMSDue, hooks.Observer, c, smsDue, nothing)
	default: // SendEmail
	}
	return bind(&h.MailDue, hooks.Observer, c, mailDue(site), nothing)
}

// What a hook says that refuses without a message.
var (
	wrongPassword = hooks.Denied{Status: 400, Code: "invalid_credentials", Message: "Further attempts to verify the password are refused"}
	wrongFactor   = hooks.Denied{Status: 403, Code: "mfa_verification_rejected", Message: "Further attempts to verify the second factor are refused"}
)

// call puts the questions of one hook.
type call struct {
	row    row
	runner hooks.Runner
}

// moment is where a binding goes.
type moment[E any] interface{ Bind(hooks.Binding[E]) error }

// event is any of the events of package hooks.
type event interface{ About() hooks.Event }

// bind has the receiver asked at a moment: encode says what it is told, decode what its answer does.
func bind[E event](m moment[E], kind hooks.Kind, c call, encode func(metadata, E) any, decode func(members) (func(*E) error, error)) error {
	return m.Bind(hooks.Binding[E]{
		Name: "supabase/" + c.row.name, Kind: kind, Timeout: c.timeout(),
		Ask: func(ctx context.Context, e E) (func(*E) error, error) {
			answer, err := c.ask(ctx, e.About(), encode(metadataOf(e.About(), c.row), e))
			if err != nil {
				return nil, err
			}
			return decode(answer)
		},
	})
}

// timeout is what the transport takes, where it has a limit of its own; 0 means that of the engine.
func (c call) timeout() time.Duration {
	if t, ok := c.runner.(interface{ Timeout() time.Duration }); ok {
		return t.Timeout()
	}
	return 0
}

// ask puts one question.
func (c call) ask(ctx context.Context, e hooks.Event, payload any) (members, error) {
	body, err := json.Marshal(payload)
	if err != nil {
		return nil, fmt.Errorf("supabase: %w", err)
	}
	answer, err := c.runner.Run(ctx, hooks.Call{ID: e.ID, Name: "supabase/" + c.row.name, Body: body, At: e.At})
	if err != nil {
		return nil, understood(err)
	}
	return read(answer)
}

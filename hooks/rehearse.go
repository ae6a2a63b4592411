package hooks

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"postern/auth"
)

// Rehearsal fires events of somebody made up. Nothing of what comes of them is kept.
type Rehearsal struct {
	Samples

	// Settle says what would be signed, as TokenMinting has it; nil takes every claim.
	Settle func(claims map[string]any) (map[string]any, error)
	// Tx is what functions take part in; whoever gives it rolls it back.
	Tx Transaction
}

// Rehearsed is what became of one event.
type Rehearsed struct {
	Moment  string
	Err     error    // a Denied, a Failed
	Effects []string // what would have changed, for people; none when nothing
}

// Rehearse fires every moment that somebody is bound to.
func (h *Hooks) Rehearse(ctx context.Context, r Rehearsal) []Rehearsed {
	s := &rehearsing{}
	fire(ctx, s, &h.SignUpRequested, r.Requested)
	fire(ctx, s, &h.SignInRequested, r.Requested)
	fire(ctx, s, &h.UserCreating, r.UserCreating)
	if j := &h.UserInserted; j.Bound() {
		s.all = append(s.all, Rehearsed{Moment: j.name, Err: j.In(ctx, r.Tx, r.UserInserted)})
	}
	fire(ctx, s, &h.UserConfirmed, r.UserConfirmed)
	fire(ctx, s, &h.UserCreated, r.UserCreated)
	fire(ctx, s, &h.PasswordUnknown, r.PasswordUnknown)
	fire(ctx, s, &h.PasswordChecked, r.PasswordChecked)
	fire(ctx, s, &h.FactorChecked, r.FactorChecked)
	fire(ctx, s, &h.SessionOpening, r.SessionOpening)
	r.TokenMinting.Settle = s.settling(r.Settle)
	fire(ctx, s, &h.TokenMinting, r.TokenMinting)
	fire(ctx, s, &h.ClientTokenMinting, r.ClientTokenMinting)
	if !h.SMSDue.TakesAll() {
		r.SMSDue.Purpose = auth.ElevateBySMS // whoever takes some, takes this
	}
	fire(ctx, s, &h.SMSDue, r.SMSDue)
	fire(ctx, s, &h.MailDue, r.MailDue)
	fire(ctx, s, &h.PasswordChanged, r.PasswordChanged)
	fire(ctx, s, &h.UserModified, r.UserModified)
	fire(ctx, s, &h.UserDeleted, r.UserDeleted)
	return s.all
}

// rehearsing is a rehearsal under way.
type rehearsing struct {
	all      []Rehearsed
	unheeded []string // claims that a hook wanted otherwise than they are
}

// fire has those asked who are bound to one moment.
func fire[E event](ctx context.Context, s *rehearsing, m *Moment[E], e E) {
	if !m.Bound() {
		return
	}
	after := e
	done := Rehearsed{Moment: m.name, Err: m.Ask(ctx, &after)}
	if done.Err == nil {
		done.Effects = s.effects(&e, &after)
	}
	s.all = append(s.all, done)
}

// settling notes which claims a hook could not have as it wanted them.
func (s *rehearsing) settling(settle func(map[string]any) (map[string]any, error)) func(map[string]any) (map[string]any, error) {
	if settle == nil {
		settle = func(claims map[string]any) (map[string]any, error) { return claims, nil }
	}
	return func(wanted map[string]any) (map[string]any, error) {
		settled, err := settle(wanted)
		if err != nil {
			return nil, err
		}
		for _, c := range compared(flat(wanted), flat(settled)) {
			s.unheeded = append(s.unheeded, c.name)
		}
		return settled, nil
	}
}

// effects are what asking about an event changed in it.
func (s *rehearsing) effects(before, after any) []string {
	switch a := after.(type) {
	case *Requested:
		return each("adds the role %s", a.Roles())
	case *PasswordUnknown:
		return vouching(a.Vouched())
	case *TokenMinting:
		b, _ := before.(*TokenMinting)
		all := changes("claim", flat(b.Claims), flat(a.Claims))
		return append(all, each("wants another claim %s, which is ours and stays", s.unheeded)...)
	case *ClientTokenMinting:
		b, _ := before.(*ClientTokenMinting)
		all := changes("claim", flat(b.Claims), flat(a.Claims))
		if !slices.Equal(a.Scope, b.Scope) {
			all = append(all, fmt.Sprintf("sets the scope to %q", strings.Join(a.Scope, " ")))
		}
		return all
	}
	return metadataChanges(after)
}

// metadataChanges are those of the user's metadata, at moments that have them.
func metadataChanges(event any) []string {
	e, ok := event.(interface {
		Metadata(before json.RawMessage) (json.RawMessage, bool, error)
	})
	user := reflect.ValueOf(event).Elem().FieldByName("User")
	if !ok || !user.IsValid() {
		return nil
	}
	was, _ := user.FieldByName("Metadata").Interface().(json.RawMessage)
	is, changed, err := e.Metadata(was)
	if err != nil || !changed {
		return nil
	}
	return changes("member of the metadata", object(was), object(is))
}

func vouching(v *Vouched) []string {
	if v == nil {
		return nil
	}
	all := []string{"vouches for the password: the user is made, and has it from now on"}
	if v.EmailVerified {
		all = append(all, "says that the address is verified")
	}
	if v.DisplayName != "" {
		all = append(all, fmt.Sprintf("says that the name is %q", v.DisplayName))
	}
	return append(all, changes("member of the metadata", nil, v.Metadata)...)
}

package flow

import (
	"fmt"

	"postern/auth"
)

// By is who comes to the desk of scripts.
type By struct {
	Machine  *Machine // nil for an operator
	Operator Operator
	Client   auth.Client
}

// OperatorBy is an operator at the desk of scripts.
func OperatorBy(o Operator) By { return By{Operator: o, Client: o.Client} }

// may refuses whoever has neither one of the scopes, as a machine, nor the right, as an operator.
func (b By) may(r auth.Rights, anyOf ...string) error {
	if b.Machine != nil {
		return b.Machine.May(anyOf...)
	}
	return b.Operator.may(r)
}

// The methods that begin with May say whether somebody may do what the desk does. It asks them itself; a
// door may ask before it reads what is sent. Auth0's own pages disagree which scope changes need.

// MayRead refuses whoever may not see scripts.
func (b By) MayRead() error { return b.may(auth.ReadRights, ReadHooks) }

// MayCreate refuses whoever may not bring scripts.
func (b By) MayCreate() error { return b.may(auth.ChangeRights, CreateHooks) }

// MayChange refuses whoever may not change scripts and their secrets.
func (b By) MayChange() error { return b.may(auth.ChangeRights, UpdateHooks, CreateHooks) }

// MayAddSecrets refuses whoever may not give scripts new secrets.
func (b By) MayAddSecrets() error { return b.may(auth.ChangeRights, CreateHooks, UpdateHooks) }

// MayDelete refuses whoever may not remove scripts and their secrets.
func (b By) MayDelete() error { return b.may(auth.ChangeRights, DeleteHooks) }

// asked refuses an operator's script where nobody would ask it.
func (f *Scripts) asked(by By) error {
	if by.Machine == nil && !f.Asked {
		return fmt.Errorf("%w: scripts have no say without AUTH_MANAGEMENT_CLIENT_ID", auth.EndpointDisabled)
	}
	return nil
}

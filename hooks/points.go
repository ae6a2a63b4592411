package hooks

import (
	"slices"
	"time"
)

// A Transport is a way in which a question travels.
type Transport string

// The transports.
const (
	HTTP     Transport = "http"     // posted to an address
	Function Transport = "function" // to a function in the database
	Script   Transport = "script"   // to JavaScript of the operator's
)

// Point is a hook as one dialect has it. Commands list and try it, and the documentation describes it, by
// what is here and by what its binding says: a dialect has to say nothing twice.
type Point struct {
	Name       string      // as settings and commands have it
	Doc        string      // what it is for, after its name: "may refuse a new user"
	Transports []Transport // that can carry it
	Settings   []string    // that say where it is, and the like; the first stands for all
	Own        bool        // the service whose words these are has no such hook
	Waiting    bool        // nothing asks it yet, so it cannot be bound

	// Sample is what it could be told of somebody made up: JSON.
	Sample func() []byte
	// Schema is a JSON Schema of what it is told. Nil means that there is none.
	Schema func() []byte
	// Starters are programs to begin with, by language: "js", "sql" and "go" for receivers, "script" for
	// JavaScript that runs here. Nil means that there are none.
	Starters func() map[string]string
	// Bind has somebody asked at the moments of the hook.
	Bind func(h *Hooks, r Runner) error
}

// Bound is somebody who is asked, as lists show them.
type Bound struct {
	Moment  string
	Hook    string // name of the binding
	Kind    Kind   // of those that are asked
	Joins   bool   // takes part in the transaction, and is not asked
	CarryOn bool   // when the hook fails
	Timeout time.Duration
}

// Bound lists everybody, in the order in which they would be asked.
func (h *Hooks) Bound() []Bound {
	var all []Bound
	for _, p := range h.places() {
		all = append(all, p.bound()...)
	}
	return all
}

// place is a moment of any event.
type place interface {
	called() string
	bound() []Bound
}

// places are all moments, in the order in which a person meets them.
func (h *Hooks) places() []place {
	return []place{
		&h.SignUpRequested, &h.SignInRequested, &h.UserCreating, &h.UserInserted, &h.UserConfirmed, &h.UserCreated,
		&h.PasswordUnknown, &h.PasswordChecked, &h.FactorChecked, &h.SessionOpening, &h.TokenMinting, &h.ClientTokenMinting,
		&h.SMSDue, &h.MailDue, &h.PasswordChanged, &h.UserModified, &h.UserDeleted,
	}
}

func (m *Moment[E]) called() string { return m.name }

func (m *Moment[E]) bound() []Bound {
	all := make([]Bound, 0, len(m.bindings)+len(m.later))
	for _, b := range slices.Concat(m.bindings, m.later) {
		all = append(all, Bound{Moment: m.name, Hook: b.Name, Kind: b.Kind, CarryOn: b.CarryOn || b.Later, Timeout: b.Timeout})
	}
	return all
}

func (j *Join[E]) called() string { return j.name }

func (j *Join[E]) bound() []Bound {
	all := make([]Bound, 0, len(j.bindings))
	for _, b := range j.bindings {
		all = append(all, Bound{Moment: j.name, Hook: b.Name, Joins: true, Timeout: b.Timeout})
	}
	return all
}

package auth0

import "strings"

// class is a class of errors that scripts of a trigger know without having made it.
type class struct {
	name     string
	friendly bool // has a second text, for the person
}

// The classes by which a script refuses.
const (
	refusesUser = "PreUserRegistrationError"
	refusesText = "SendPhoneMessageError"
)

// base is the class that those of all triggers extend.
const base = "class ExtensibilityUserError extends Error { constructor(message) { super(message); this.name = new.target.name; } } "

// prelude is what is put before a script, on its first line, so that the lines of its stacks stay right.
// The classes belong to the script: one that has a class of the same name is no JavaScript.
func (r row) prelude() string {
	var b strings.Builder
	b.WriteString(base)
	for _, c := range r.classes {
		b.WriteString("class " + c.name + " extends ExtensibilityUserError { ")
		if c.friendly {
			b.WriteString("constructor(message, friendlyMessage) { super(message); this.friendlyMessage = friendlyMessage; } ")
		}
		b.WriteString("} ")
	}
	return b.String()
}

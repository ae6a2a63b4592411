// Package auth0 has the words of Auth0's Hooks: the five places at which a script is asked, what it is told
// and what its answers mean. Where scripts are kept and how they run is for others.
package auth0

import (
	"context"
	"encoding/json"
	"time"

	"postern/hooks"
)

// The places, which are called triggers.
const (
	CredentialsExchange  = "credentials-exchange"
	PreUserRegistration  = "pre-user-registration"
	PostUserRegistration = "post-user-registration"
	PostChangePassword   = "post-change-password"
	SendPhoneMessage     = "send-phone-message"
)

// Script is what is asked at a trigger.
type Script struct {
	ID, Name, Trigger, Source string
	Dependencies              map[string]string // names of packages, and their versions, which do not count
	Secrets                   map[string]string
}

// Source gives the script that has a say at a trigger now, if there is one.
type Source func(ctx context.Context, trigger string) (s Script, enabled bool, err error)

// Program is a script with all that running it takes. It answers by calling back.
type Program struct {
	Script
	Prelude string // one line, before the source
	Member  string // of its last argument, that it finds in module too
	Linger  bool   // what it has begun goes on when it has answered
	// Args are the arguments of a call.
	Args func(c hooks.Call) ([]json.RawMessage, error)
}

// Options are what the dialect needs of the house.
type Options struct {
	Source Source
	Run    func(p Program) (hooks.Runner, error) // makes a program one that can be asked
	// Text is what a text message says; nil is a sentence in English.
	Text    func(ctx context.Context, e hooks.SMSDue) (string, error)
	Tenant  string        // whom scripts take us for
	Timeout time.Duration // of a script
}

// row is what is known of a trigger.
type row struct {
	trigger string
	doc     string
	params  []string // before the callback; the last is the context
	classes []class  // of errors, beside the one of all
	later   bool     // nobody waits for it
}

// rows are the triggers, in the order of the documentation.
var rows = []row{
	{CredentialsExchange, "says what the token of a machine grants and says, or refuses it", []string{"client", "scope", "audience", "context"}, []class{
		{"InvalidScopeError", false}, {"InvalidRequestError", false}, {"ServerError", false},
	}, false},
	{PreUserRegistration, "may refuse a new user, or give them metadata", []string{"user", "context"}, []class{{refusesUser, true}}, false},
	{PostUserRegistration, "is told of every new user, when they are there", []string{"user", "context"}, []class{{refusesUser, true}}, true},
	{PostChangePassword, "is told of every new password, when it is in force", []string{"user", "context"}, []class{{refusesUser, true}}, true},
	{SendPhoneMessage, "sends text messages with codes of second factors and fresh proofs, in the place of the gateway", []string{"recipient", "text", "context"}, []class{{refusesText, true}}, false},
}

// Triggers are the names of the places.
func Triggers() []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.trigger
	}
	return names
}

func rowOf(trigger string) (row, bool) {
	for _, r := range rows {
		if r.trigger == trigger {
			return r, true
		}
	}
	return row{}, false
}

package hooks

// About is what people are told of a moment.
type About struct {
	Name  string // as logs and lists have it
	When  string // it is, after "Fires"
	May   string // what a hook may do there beside refusing; empty when nothing
	Joins bool   // functions take part in the transaction there
	Owned bool   // has one taker at most
	Spent bool   // what was asked about has happened: a refusal undoes nothing
}

// Moments describes all moments, in the order in which a person meets them.
func Moments() []About {
	said := map[string]About{}
	for _, a := range []About{
		{Name: "sign-up requested", When: "when a sign-up was read, before anything is checked", May: "add roles"},
		{Name: "sign-in requested", When: "when a sign-in was read, before anything is checked"},
		{Name: "user creating", When: "when a new user has passed all checks and nothing is written", May: "change the user's metadata"},
		{Name: "user inserted", When: "when the user's row has been written, inside the transaction that did", Joins: true, May: "write rows of its own, kept or lost with the user"},
		{Name: "user confirmed", When: "when an address or number is about to be confirmed for the first time", May: "change the user's metadata"},
		{Name: "user created", When: "when a new user is there for good, within the request", Spent: true},
		{Name: "password unknown", When: "when somebody gives a password and has none here", May: "vouch for the password, whereupon the user is made and has it from now on"},
		{Name: "password checked", When: "when a password was compared with the one of a user who is there", May: "end the sessions of the user that it refuses"},
		{Name: "factor checked", When: "when a code of a second factor was compared", May: "end the sessions of the user that it refuses"},
		{Name: "session opening", When: "when credentials were accepted and nothing of the session is written", May: "change the user's metadata"},
		{Name: "token minting", When: "for every access token of a user, refreshes included", May: "change the claims that are not ours"},
		{Name: "client token minting", When: "for every access token of a machine client", May: "change the scope and add claims"},
		{Name: "SMS due", When: "when a text message with a code is to leave", Owned: true, May: "send it in the place of the gateway"},
		{Name: "mail due", When: "when a mail is to leave", Owned: true, May: "send it in the place of the mail server"},
		{Name: "password changed", When: "when a user has another password", Spent: true},
		{Name: "user modified", When: "when an operator is about to change a user", May: "change the user's metadata"},
		{Name: "user deleted", When: "when an operator is about to delete a user"},
	} {
		said[a.Name] = a
	}
	var all []About
	for _, p := range New().places() {
		a := said[p.called()]
		a.Name = p.called()
		all = append(all, a)
	}
	return all
}

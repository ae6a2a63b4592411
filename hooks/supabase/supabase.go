// Package supabase has the words of Supabase's Auth Hooks: which hooks there are and how they are set up, what
// receivers are told, and what their answers mean. How a question travels is for transports.
package supabase

import "strings"

// The hooks, as configuration has their names.
const (
	CustomAccessToken    = "custom_access_token"
	SendSMS              = "send_sms"
	SendEmail            = "send_email"
	MFAVerification      = "mfa_verification_attempt"
	PasswordVerification = "password_verification_attempt"
	BeforeUserCreated    = "before_user_created"
	AfterUserCreated     = "after_user_created"
	UserInserted         = "user_inserted"    // ours
	PasswordUnknown      = "password_unknown" // ours
)

// row is what is known of a hook.
type row struct {
	name     string
	metadata string // its name in payloads
	doc      string
	own      bool // Supabase does not have it
	waiting  bool // nothing asks it yet
	joins    bool // takes part in a transaction
}

// rows are the hooks, in the order of the documentation.
var rows = []row{
	{name: CustomAccessToken, metadata: "customize-access-token", doc: "says what an access token says: asked for every one, of sign-ins and refreshes"},
	{name: BeforeUserCreated, metadata: "before-user-created", doc: "may refuse a new user"},
	{name: UserInserted, metadata: "user-inserted", doc: "takes part in the transaction that writes a new user: what it writes is kept or lost with the user", own: true, joins: true},
	{name: AfterUserCreated, metadata: "after-user-created", doc: "is told of every new user, within the request"},
	{name: PasswordVerification, metadata: "password-verification", doc: "is told whether a password was right, and may refuse"},
	{name: MFAVerification, metadata: "mfa-verification", doc: "is told whether the code of a second factor was right, and may refuse"},
	{name: PasswordUnknown, metadata: "password-unknown", doc: "may vouch for the password of somebody who has none here, who then has it from now on: so users move from an older system, one sign-in at a time", own: true},
	{name: SendSMS, metadata: "send-sms", doc: "sends text messages in the place of the gateway"},
	{name: SendEmail, metadata: "send-email", doc: "sends mails in the place of the mail server"},
}

// Names are those of the hooks.
func Names() []string {
	names := make([]string, len(rows))
	for i, r := range rows {
		names[i] = r.name
	}
	return names
}

func rowOf(name string) (row, bool) {
	for _, r := range rows {
		if r.name == name {
			return r, true
		}
	}
	return row{}, false
}

// The prefixes of variables, ours first.
const (
	ours   = "AUTH_HOOK_"
	theirs = "GOTRUE_HOOK_"
)

// The endings of variables.
const (
	enabled = "ENABLED"
	uri     = "URI"
	secrets = "SECRETS"
)

var endings = []string{enabled, uri, secrets}

// variable is the first name of one of the hook's settings.
func (r row) variable(ending string) string { return ours + strings.ToUpper(r.name) + "_" + ending }

// variables are all names of one of the hook's settings.
func (r row) variables(ending string) []string {
	names := []string{r.variable(ending)}
	if !r.own {
		names = append(names, theirs+strings.ToUpper(r.name)+"_"+ending)
	}
	return names
}

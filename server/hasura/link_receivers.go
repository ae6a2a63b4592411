package hasura

import (
	"net/url"
	"regexp"
	"strings"

	"postern/auth"
	"postern/flow"
)

// actions are the words of receivers of Supabase's hook send_email for what a link is for. A link of one
// word is refused whose ticket is for something else.
var actions = map[string][]auth.Purpose{
	"signup":       {auth.VerifyEmail},
	"magiclink":    {auth.SignInByEmail},
	"invite":       {auth.Invitation},
	"recovery":     {auth.ResetPassword},
	"email_change": {auth.ConfirmEmailChange},
	"email":        {auth.VerifyEmail, auth.SignInByEmail, auth.Invitation},
}

// receiversLink reads a link as those receivers build it: token is the token_hash that they were told,
// and type the email_action_type. Where it leads, unless redirect_to says so, is the application.
func (d *Door) receiversLink(q url.Values) (in visitRequest, target string, err error) {
	in = visitRequest{Visit: flow.Visit{Ticket: q.Get("token"), CodeChallenge: q.Get("codeChallenge"), For: actions[q.Get("type")]}}
	switch {
	case q.Has("ticket"):
		return in, "", auth.Invalid{Field: "token", Problem: "must not stand beside ticket"}
	case in.Ticket == "" || len(in.Ticket) > maxTicket:
		return in, "", auth.Invalid{Field: "token", Problem: "must be the token_hash of a mail"}
	case in.For == nil:
		return in, "", auth.Invalid{Field: "type", Problem: "must be signup, magiclink, invite, recovery, email_change or email"}
	case q.Get("redirect_to") == "" && d.Policy.ClientURL == "":
		return in, "", auth.Invalid{Field: "redirect_to", Problem: "must be the address to go on to"}
	}
	return in, q.Get("redirect_to"), nil
}

// cutTarget cuts an address off a query that stands at its end as redirect_to and is not
// percent-encoded, as the receivers in Supabase's documentation put it there: what follows in the query
// is then the address's own. Of one that is encoded, nothing is cut.
func cutTarget(query string) (rest, target string) {
	rest, target, found := strings.Cut(query, "&redirect_to=")
	if !found || !plainAddress.MatchString(target) {
		return query, ""
	}
	q, err := url.ParseQuery(rest)
	if err != nil || !q.Has("token") || !q.Has("type") {
		return query, ""
	}
	return rest, target
}

var plainAddress = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]*://`)

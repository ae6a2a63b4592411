package gotrue

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// kinds are what links may be for, by GoTrue's word for it. The first is what a link says.
var kinds = []struct {
	word     string
	purposes []auth.Purpose
}{
	{"signup", []auth.Purpose{auth.VerifyEmail, auth.Invitation, auth.SignInByEmail}},
	{"invite", []auth.Purpose{auth.Invitation, auth.VerifyEmail}},
	{"magiclink", []auth.Purpose{auth.SignInByEmail, auth.ResetPassword}},
	{"recovery", []auth.Purpose{auth.ResetPassword, auth.SignInByEmail}},
	{typeEmailChange, []auth.Purpose{auth.ConfirmEmailChange}},
	{"email", []auth.Purpose{auth.VerifyEmail, auth.Invitation, auth.SignInByEmail, auth.ResetPassword}},
}

func purposesOf(word string) []auth.Purpose {
	for _, k := range kinds {
		if k.word == word {
			return k.purposes
		}
	}
	return nil
}

func wordOf(p auth.Purpose) string {
	for _, k := range kinds {
		if k.purposes[0] == p {
			return k.word
		}
	}
	return ""
}

// Address is where the link of a mail leads: /verify below the base, or the path that the operator says for such mails,
// as a browser at the base would follow it.
func Address(base string, s Settings) func(flow.MailedLink) string {
	paths := map[auth.Purpose]string{
		auth.Invitation: s.PathInvite, auth.VerifyEmail: s.PathConfirmation, auth.ConfirmEmailChange: s.PathEmailChange,
		auth.ResetPassword: s.PathRecovery, auth.SignInByEmail: s.PathRecovery, // GoTrue has one path for both
	}
	return func(l flow.MailedLink) string {
		at := base + "/verify"
		if path := paths[l.Purpose]; path != "" {
			at = followed(base, path)
		}
		return at + "?token=" + url.QueryEscape(l.Ticket) + "&type=" + wordOf(l.Purpose) + "&redirect_to=" + url.QueryEscape(l.RedirectTo)
	}
}

// followed is an address as a browser that is at the base follows it.
func followed(base, path string) string {
	from, err := url.Parse(base)
	if err != nil {
		return base
	}
	to, err := from.Parse(path)
	if err != nil {
		return base
	}
	return to.String()
}

// openLink is what the link of a mail opens. Without PKCE a browser gets a page with a button first, as at the door of
// Hasura Auth; the button posts here.
func (d *Door) openLink(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	token, kind := q.Get("token"), q.Get("type")
	switch {
	case token == "":
		return auth.Invalid{Field: "token", Problem: "is missing"}
	case kind == "":
		return auth.Invalid{Field: "type", Problem: "is missing"}
	case purposesOf(kind) == nil:
		return auth.Invalid{Field: "type", Problem: "must be signup, invite, magiclink, recovery, email_change or email"}
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	to, err := d.Policy.Redirect(d.redirectTo(r))
	if err != nil {
		return err
	}
	if r.Method == http.MethodHead { // it changes nothing
		w.WriteHeader(http.StatusOK)
		return nil
	}
	looked, err := d.look(w, r, token, kind)
	if err == nil && !looked.NeedsExchange() && r.Method != http.MethodPost && server.AsksFirst(d.LinkConfirmation, r) {
		purpose, _ := flow.PurposeOf(token)
		w.Header().Add("Vary", "Accept")
		return server.AskToConfirm(w, r, purpose, to)
	}
	var visited flow.Visited
	if err == nil {
		visited, err = d.Links.Open(r.Context(), looked)
	}
	if err != nil {
		return sendBack(w, to, err, looked.HasChallenge())
	}
	if visited.Half {
		if looked.HasChallenge() {
			to = withQuery(to, url.Values{"message": {halfway}})
		}
		return send(w, withFragment(to, url.Values{"message": {halfway}, "sb": {""}}))
	}
	if visited.Code != "" {
		return send(w, withQuery(to, url.Values{"code": {visited.Code}}))
	}
	if visited.Grant == nil {
		return sendBack(w, to, auth.FactorRequired, false)
	}
	s := d.toSession(visited.Grant)
	return send(w, withFragment(to, url.Values{
		"access_token": {s.AccessToken}, "expires_at": {strconv.FormatInt(s.ExpiresAt, 10)}, "expires_in": {strconv.Itoa(s.ExpiresIn)},
		"refresh_token": {s.RefreshToken}, "token_type": {s.TokenType}, "type": {wordOf(visited.Purpose)}, "sb": {""},
	}))
}

func (d *Door) look(w http.ResponseWriter, r *http.Request, token, kind string) (flow.Looked, error) {
	return d.Links.Look(r.Context(), flow.Visit{Ticket: token, For: purposesOf(kind), Client: server.Client(w)})
}

// redirected are the words of OAuth for the status of a refusal.
var redirected = map[int]string{400: "invalid_request", 401: "unauthorized_client", 403: "access_denied", 500: "server_error", 503: "temporarily_unavailable"}

// sendBack sends the browser on with a refusal, in the fragment; in the query, too, where that is where the application would have
// looked for its code.
func sendBack(w http.ResponseWriter, to string, err error, inQuery bool) error {
	server.Note(w, err)
	no := words(auth.CodeOf(err), err)
	v := url.Values{"error_code": {no.code}, "error_description": {no.message}, "sb": {""}}
	if word := redirected[no.status]; word != "" {
		v.Set("error", word)
	}
	if inQuery {
		q := maps.Clone(v)
		q.Del("sb")
		to = withQuery(to, q)
	}
	return send(w, withFragment(to, v))
}

func send(w http.ResponseWriter, to string) error {
	w.Header().Set("Location", to)
	w.WriteHeader(http.StatusSeeOther)
	return nil
}

// withQuery adds to the query of an address that was checked.
func withQuery(to string, more url.Values) string {
	to, fragment, hasFragment := strings.Cut(to, "#")
	sign := "?"
	if strings.Contains(to, "?") {
		sign = "&"
	}
	to += sign + more.Encode()
	if hasFragment {
		to += "#" + fragment
	}
	return to
}

// withFragment puts values behind the # of an address that was checked.
func withFragment(to string, values url.Values) string {
	to, _, _ = strings.Cut(to, "#")
	return to + "#" + values.Encode()
}

// halfway is what is said when one of two addresses confirmed a change.
const halfway = "This address has confirmed the change. Please confirm it by the mail to the other address, too."

type verifyRequest struct {
	Type      string  `json:"type"`
	Token     string  `json:"token"`
	TokenHash string  `json:"token_hash"`
	Email     address `json:"email"`
	Phone     string  `json:"phone"`
}

// Check tells what is wrong with the request.
func (in *verifyRequest) Check() error {
	switch {
	case in.Type == "":
		return auth.Invalid{Field: "type", Problem: "is missing"}
	case in.Type == typeSMS, in.Type == typePhoneChange:
		return in.checkText()
	case purposesOf(in.Type) == nil:
		return auth.Invalid{Field: "type", Problem: "must be signup, invite, magiclink, recovery, email_change, email, sms or phone_change"}
	case in.Token == "" && in.TokenHash == "":
		return auth.Invalid{Field: "token", Problem: "or token_hash is missing"}
	case in.TokenHash != "" && (in.Email != "" || in.Phone != "" || in.Token != ""):
		return auth.Invalid{Field: "token_hash", Problem: "must come alone, with type"}
	case in.Phone != "":
		return auth.Invalid{Field: "phone", Problem: "belongs to the types sms and phone_change"}
	case in.Email != "":
		return in.Email.check()
	}
	return nil
}

// verify takes a code that was typed, or what the link of a mail had in it.
func (d *Door) verify(w http.ResponseWriter, r *http.Request) error {
	if r.URL.Query().Has("token") {
		return d.openLink(w, r)
	}
	in, err := server.Decode[verifyRequest](r, body)
	if err != nil {
		return err
	}
	if in.Type == typeSMS || in.Type == typePhoneChange {
		return d.verifyText(w, r, in)
	}
	var visited flow.Visited
	if in.Email != "" {
		visited, err = d.Links.Type(r.Context(), flow.TypedVisit{Email: string(in.Email), Code: in.Token, For: purposesOf(in.Type), Client: server.Client(w)})
	} else {
		visited, err = d.redeem(w, r, in)
	}
	if err != nil {
		return err
	}
	if visited.Half {
		return server.JSON(w, http.StatusOK, map[string]string{"code": "200", "msg": halfway})
	}
	return d.admit(w, visited.Admission, func(s session) any { return typedSession{s, wordOf(visited.Purpose)} })
}

// redeem takes what the link of a mail had in it, which older clients send as the token. Whoever has it needs no
// exchange: it is the application itself.
func (d *Door) redeem(w http.ResponseWriter, r *http.Request, in verifyRequest) (flow.Visited, error) {
	token := in.TokenHash
	if token == "" {
		token = in.Token
	}
	looked, err := d.look(w, r, token, in.Type)
	if err != nil {
		return flow.Visited{}, err
	}
	return d.Links.Redeem(r.Context(), looked)
}

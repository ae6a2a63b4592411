package hasura

import (
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"postern/auth"
	"postern/flow"
	"postern/server"
)

// visit is what the link of a mail opens. A HEAD never changes anything. Without PKCE a browser
// gets a page with a button first, since mail scanners follow links but press no buttons.
func (d *Door) visit(w http.ResponseWriter, r *http.Request) error {
	in, err := d.visitIn(w, r)
	if err != nil {
		return err
	}
	header := w.Header()
	header.Set("Referrer-Policy", "no-referrer")
	header.Add("Vary", "Accept")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	if in.blocked != "" {
		return d.redirect(w, http.StatusFound, in.blocked, refused(d.word(auth.RedirectNotAllowed)))
	}
	looked, err := d.Links.Look(r.Context(), in.Visit)
	if err != nil {
		return d.redirectRefusal(w, http.StatusFound, in.redirectTo, err)
	}
	if !looked.NeedsExchange() && d.asksFirst(r) {
		purpose, _ := flow.PurposeOf(in.Ticket)
		return server.AskToConfirm(w, r, purpose, in.redirectTo)
	}
	return d.open(w, r, http.StatusFound, looked, in.redirectTo)
}

// confirmVisit is the button of the page.
func (d *Door) confirmVisit(w http.ResponseWriter, r *http.Request) error {
	in, err := d.visitIn(w, r)
	if err != nil {
		return err
	}
	w.Header().Set("Referrer-Policy", "no-referrer")
	if in.blocked != "" {
		return d.redirect(w, http.StatusSeeOther, in.blocked, refused(d.word(auth.RedirectNotAllowed)))
	}
	looked, err := d.Links.Look(r.Context(), in.Visit)
	if err != nil {
		return d.redirectRefusal(w, http.StatusSeeOther, in.redirectTo, err)
	}
	return d.open(w, r, http.StatusSeeOther, looked, in.redirectTo)
}

// open opens the link and sends the browser on.
func (d *Door) open(w http.ResponseWriter, r *http.Request, status int, looked flow.Looked, to string) error {
	visited, err := d.Links.Open(r.Context(), looked)
	if err != nil {
		return d.redirectRefusal(w, status, to, err)
	}
	if visited.Code != "" {
		return d.redirect(w, status, to, url.Values{"type": {string(visited.Purpose)}, "code": {visited.Code}})
	}
	if visited.Half { // nobody is signed in before the other address has confirmed it, too
		return d.redirect(w, status, to, url.Values{"type": {string(visited.Purpose)}})
	}
	q := d.admitted(visited.Admission)
	q.Set("type", string(visited.Purpose))
	return d.redirect(w, status, to, q)
}

// admitted is an admission in the query of a redirect. There a second factor cannot be asked for, so
// the application is told that one is due, and gets the ticket to ask with.
func (d *Door) admitted(a auth.Admission) url.Values {
	if a.FactorTicket != "" {
		q := refused(d.word(auth.FactorRequired))
		q.Set("ticket", a.FactorTicket)
		return q
	}
	return url.Values{"refreshToken": {a.Grant.RefreshToken}}
}

// visitRequest is the query of a link.
type visitRequest struct {
	flow.Visit
	redirectTo string
	blocked    string // where to go instead, when redirectTo is not allowed
}

func (d *Door) visitIn(w http.ResponseWriter, r *http.Request) (visitRequest, error) {
	raw, literal := cutTarget(r.URL.RawQuery)
	q, err := url.ParseQuery(raw)
	if err != nil {
		return visitRequest{}, auth.Invalid{Field: "query", Problem: "must be percent-encoded"}
	}
	if literal != "" {
		q["redirect_to"] = []string{literal}
	}
	for _, name := range []string{"ticket", "redirectTo", "type", "codeChallenge", "token", "redirect_to"} {
		if len(q[name]) > 1 {
			return visitRequest{}, auth.Invalid{Field: name, Problem: "must not appear twice"}
		}
		if strings.ContainsRune(q.Get(name), 0) {
			return visitRequest{}, auth.Invalid{Field: name, Problem: "must not hold a NUL character"}
		}
		if !utf8.ValidString(q.Get(name)) {
			return visitRequest{}, auth.Invalid{Field: name, Problem: "must be valid UTF-8"}
		}
	}
	in, target, err := d.linkOf(q)
	if err != nil {
		return in, err
	}
	in.Client = server.Client(w)
	in.redirectTo, err = d.Policy.Redirect(target)
	if err != nil {
		if d.Policy.ClientURL == "" {
			return in, err
		}
		in.blocked = d.Policy.ClientURL
	}
	return in, nil
}

// linkOf reads a link: as mails of ours have it, or as receivers of Supabase's hook send_email build it.
func (d *Door) linkOf(q url.Values) (in visitRequest, target string, err error) {
	if q.Has("token") {
		return d.receiversLink(q)
	}
	in = visitRequest{Visit: flow.Visit{Ticket: q.Get("ticket"), CodeChallenge: q.Get("codeChallenge")}}
	if in.Ticket == "" || len(in.Ticket) > maxTicket {
		return in, "", auth.Invalid{Field: "ticket", Problem: "must be the ticket of a mail, such as verifyEmail:<uuid>"}
	}
	if q.Get("redirectTo") == "" {
		return in, "", auth.Invalid{Field: "redirectTo", Problem: "must be the address to go on to"}
	}
	return in, q.Get("redirectTo"), nil
}

// asksFirst tells whether whoever opens the link gets the page with the button.
func (d *Door) asksFirst(r *http.Request) bool { return server.AsksFirst(d.LinkConfirmation, r) }

// redirectRefusal sends the browser on with the refusal in the address. What is no refusal but our
// own trouble is answered here instead: the link is still good and may be tried again.
func (d *Door) redirectRefusal(w http.ResponseWriter, status int, to string, err error) error {
	no := d.words(err)
	if no.status >= 500 || auth.CodeOf(err) == auth.TooManyRequests {
		return err
	}
	server.Note(w, err)
	return d.redirect(w, status, to, refused(no))
}

func refused(no refusal) url.Values {
	return url.Values{"error": {no.id}, "errorDescription": {no.message}}
}

// redirect sends the browser to an address with more in its query; what the query held stays.
func (d *Door) redirect(w http.ResponseWriter, status int, to string, more url.Values) error {
	u, err := url.Parse(to)
	if err != nil {
		return auth.RedirectNotAllowed
	}
	q := u.Query()
	for name, values := range more {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	w.Header().Set("Location", u.String())
	w.WriteHeader(status)
	return nil
}

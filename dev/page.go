package dev

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Handler shows the inbox below a prefix, such as "/dev/inbox", to this machine alone (see Guard).
// The port is the one that the server listens on.
//
//	GET    prefix            the page; JSON with "Accept: application/json"; ?to= filters
//	GET    prefix/{id}       one message, likewise
//	GET    prefix/{id}/html  the HTML of a mail, locked in
//	GET    prefix/events     server-sent events: one for each change
//	DELETE prefix            forgets all, or with ?to= those of one address
//	DELETE prefix/{id}       forgets one
func (in *Inbox) Handler(prefix string, port int) http.Handler {
	prefix = "/" + strings.Trim(prefix, "/")
	p := &pages{Inbox: in, prefix: prefix}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+prefix, p.list)
	mux.HandleFunc("GET "+prefix+"/{$}", p.list)
	mux.HandleFunc("GET "+prefix+"/events", p.events)
	mux.HandleFunc("GET "+prefix+"/{id}", p.show)
	mux.HandleFunc("GET "+prefix+"/{id}/html", p.html)
	mux.HandleFunc("DELETE "+prefix, p.clear)
	mux.HandleFunc("DELETE "+prefix+"/{id}", p.remove)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		refuse(w, http.StatusNotFound, "not-found", "There is no such page in the inbox.")
	})
	return Guard(port, mux)
}

type pages struct {
	*Inbox
	prefix string
}

func (p *pages) list(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	messages := p.Messages(to)
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, messages)
		return
	}
	p.render(w, view{To: to, Messages: messages})
}

func (p *pages) show(w http.ResponseWriter, r *http.Request) {
	m, ok := p.Message(r.PathValue("id"))
	if !ok && !wantsJSON(r) {
		http.Redirect(w, r, p.prefix, http.StatusSeeOther) // it was forgotten meanwhile
		return
	}
	if !ok {
		notHere(w)
		return
	}
	if wantsJSON(r) {
		writeJSON(w, http.StatusOK, m)
		return
	}
	to := r.URL.Query().Get("to")
	p.render(w, view{To: to, Messages: p.Messages(to), Open: &m})
}

// html serves what the mail's sender wrote. It may show pictures and be clicked on, and nothing
// else: no script, no form, no origin of ours.
func (p *pages) html(w http.ResponseWriter, r *http.Request) {
	m, ok := p.Message(r.PathValue("id"))
	if !ok || m.HTML == "" {
		notHere(w)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "+
		"img-src data: http: https:; style-src 'unsafe-inline'; font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'self'")
	_, _ = io.WriteString(w, openLinksOutside(m.HTML)) // #nosec G705 -- sandboxed by the policy above; the reader may be gone
}

var headTag = regexp.MustCompile(`(?i)<head(\s[^>]*)?>`)

// openLinksOutside makes links open a new page instead of the frame.
func openLinksOutside(page string) string {
	const base = `<base target="_blank">`
	if at := headTag.FindStringIndex(page); at != nil {
		return page[:at[1]] + base + page[at[1]:]
	}
	return base + page
}

// events tells of each change, so that a page can fetch itself again.
func (p *pages) events(w http.ResponseWriter, r *http.Request) {
	changed, stop := p.watch()
	defer stop()
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Time{}) // where there is none, none must go
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "retry: 1000\n\n")
	for control.Flush() == nil {
		select {
		case <-r.Context().Done():
			return
		case _, open := <-changed:
			if !open {
				return
			}
			_, _ = io.WriteString(w, "data: changed\n\n")
		case <-time.After(20 * time.Second):
			_, _ = io.WriteString(w, ": still here\n\n")
		}
	}
}

func (p *pages) clear(w http.ResponseWriter, r *http.Request) {
	p.answer(w, p.Clear(r.URL.Query().Get("to")))
}

func (p *pages) remove(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := p.Message(id); !ok {
		notHere(w)
		return
	}
	p.answer(w, p.forget(func(m Message) bool { return m.ID == id }))
}

func (p *pages) answer(w http.ResponseWriter, err error) {
	if err != nil {
		refuse(w, http.StatusInternalServerError, "internal-server-error", "The inbox could not be written: "+err.Error())
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func notHere(w http.ResponseWriter) {
	refuse(w, http.StatusNotFound, "not-found", "There is no such message in the inbox.")
}

// wantsJSON says whether a program asks rather than a person.
func wantsJSON(r *http.Request) bool {
	for _, accept := range r.Header.Values("Accept") {
		for part := range strings.SplitSeq(accept, ",") {
			if kind, _, err := mime.ParseMediaType(part); err == nil && kind == "application/json" {
				return true
			}
		}
	}
	return false
}

// view is what the page shows.
type view struct {
	Prefix   string
	Nonce    string
	To       string // the filter
	Messages []Message
	Open     *Message
}

//go:embed page.html
var pageSource string

// page is parsed once. A mistake in it would be seen by every test that shows it.
var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"address": addressOf,
	"ago":     func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"preview": preview,
	"place":   place,
	"query":   query,
}).Parse(pageSource))

func (p *pages) render(w http.ResponseWriter, v view) {
	v.Prefix, v.Nonce = p.prefix, rand.Text()
	var out bytes.Buffer
	if err := page.Execute(&out, v); err != nil {
		refuse(w, http.StatusInternalServerError, "internal-server-error", err.Error())
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
	w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'nonce-%[1]s'; script-src 'nonce-%[1]s'; "+
		"connect-src 'self'; frame-src 'self'; img-src data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'", v.Nonce))
	_, _ = out.WriteTo(w) // the reader may be gone
}

// addressOf shortens "Ada <ada@example.com>" to the address.
func addressOf(s string) string {
	if _, rest, ok := strings.Cut(s, "<"); ok {
		return strings.TrimSuffix(strings.TrimSpace(rest), ">")
	}
	return s
}

// preview is the beginning of a message on one line.
func preview(m Message) string {
	text := m.Text
	if text == "" {
		text, _ = readHTML(m.HTML)
	}
	words := strings.Fields(text)
	line := strings.Join(words[:min(len(words), 30)], " ")
	if runes := []rune(line); len(runes) > 140 {
		line = string(runes[:140]) + "…"
	}
	return line
}

// place is the part of a link that a person recognises.
func place(link string) string {
	u, err := url.Parse(link)
	if err != nil || u.Host == "" {
		return link
	}
	if u.Path == "/" {
		return u.Host
	}
	return u.Host + u.Path
}

// query keeps the filter in a link of the page.
func query(to string) template.URL {
	if to == "" {
		return ""
	}
	return template.URL("?to=" + url.QueryEscape(to)) // #nosec G203 -- escaped in this line
}

package dev

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
)

// PlaygroundPath is where one tries the operators' API out.
const PlaygroundPath = "/dev/graphql"

//go:embed playground.html
var playgroundSource string

var playground = template.Must(template.New("playground").Parse(playgroundSource))

// Playground is a page to read the schema of the operators' API in, and to try it out: for this machine
// alone (see Guard), since it holds the admin secret.
func Playground(port int, api, adminSecret string) http.Handler {
	return Guard(port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != PlaygroundPath || r.Method != http.MethodGet && r.Method != http.MethodHead {
			refuse(w, http.StatusNotFound, "not-found", "There is no such development page.")
			return
		}
		nonce := rand.Text()
		var out bytes.Buffer
		err := playground.Execute(&out, struct{ Nonce, API, Secret, Inbox string }{nonce, api, adminSecret, InboxPath})
		if err != nil {
			refuse(w, http.StatusInternalServerError, "internal-server-error", err.Error())
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(out.Len()))
		w.Header().Set("Content-Security-Policy", fmt.Sprintf("default-src 'none'; style-src 'nonce-%[1]s'; script-src 'nonce-%[1]s'; "+
			"connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'", nonce))
		_, _ = out.WriteTo(w) // the reader may be gone
	}))
}

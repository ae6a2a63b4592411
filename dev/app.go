package dev

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
)

// Where the development pages are.
const (
	InboxPath = "/dev/inbox"
	AppPath   = "/dev/app"
)

// App stands where the application will be: the links of mails lead to it until AUTH_CLIENT_URL
// says where the real one is. It shows what the application would get, and the call that makes a
// session of it.
func App(port int, api string) http.Handler {
	return Guard(port, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		v := appView{Type: q.Get("type"), Error: q.Get("error"), Description: q.Get("errorDescription")}
		switch {
		case q.Get("refreshToken") != "":
			v.Call = curl(api+"/token", map[string]string{"refreshToken": q.Get("refreshToken")})
		case q.Get("code") != "":
			v.Call = curl(api+"/token/exchange", map[string]string{"code": q.Get("code"), "codeVerifier": "the verifier of your challenge"})
		}
		var page bytes.Buffer
		if err := appPage.Execute(&page, v); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'")
		_, _ = w.Write(page.Bytes()) // a browser that went away is none of our business
	}))
}

type appView struct{ Type, Error, Description, Call string }

// curl is a call as one writes it in a shell. The values come from a URL, so they are encoded as
// JSON without any quote that a shell would end at.
func curl(url string, body map[string]string) string {
	b, err := json.Marshal(body)
	if err != nil {
		return ""
	}
	return "curl -s " + url + " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + string(bytes.ReplaceAll(b, []byte("'"), []byte(`'\''`))) + "'"
}

var appPage = template.Must(template.New("app").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Your application</title>
<style>
:root { color-scheme: light dark; --back: #f4f5f7; --card: #fff; --ink: #1c2330; --soft: #5c6675; --line: #e3e6ea; --code: #f0f2f5; }
@media (prefers-color-scheme: dark) { :root { --back: #12151b; --card: #1b2029; --ink: #eef1f5; --soft: #a3adba; --line: #2b323e; --code: #12151b; } }
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--back); color: var(--ink); font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { width: 100%; max-width: 640px; background: var(--card); border: 1px solid var(--line); border-radius: 14px; padding: 32px; }
h1 { margin: 0 0 8px; font-size: 1.35rem; }
p { margin: 0 0 16px; color: var(--soft); }
pre { margin: 0 0 16px; padding: 14px 16px; overflow-x: auto; background: var(--code); border: 1px solid var(--line); border-radius: 10px; font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font: 0.92em ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
a { color: inherit; }
</style>
</head>
<body>
<main>
{{if .Error}}<h1>The link did not work</h1>
<p><code>{{.Error}}</code>{{with .Description}}: {{.}}{{end}}</p>
{{else if .Call}}<h1>The link worked</h1>
<p>Your application would be here. It gets{{with .Type}} <code>type={{.}}</code> and{{end}} what this call makes a session of:</p>
<pre>{{.Call}}</pre>
{{else}}<h1>Your application would be here</h1>
{{end}}<p>Set <code>AUTH_CLIENT_URL</code> to its address, and links lead there. <a href="` + InboxPath + `">Back to the inbox</a></p>
</main>
</body>
</html>
`))

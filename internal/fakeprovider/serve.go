package fakeprovider

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// consent is a page that waits for the person to say yes or no.
type consent struct {
	shape    *shape
	params   url.Values
	callback string
}

// grant is what a person agreed to.
type grant struct {
	shape     *shape
	person    Person
	client    string
	callback  string
	challenge string
	nonce     string
	scope     string
}

// oops is a request that a provider would refuse.
type oops struct {
	code   string
	reason string
}

func wrong(code, format string, args ...any) *oops { return &oops{code, fmt.Sprintf(format, args...)} }

// serve answers at every address of every provider.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	host, path := "self", r.URL.Path
	if rest, ok := strings.CutPrefix(path, "/at/"); ok {
		h, p, _ := strings.Cut(rest, "/")
		host, path = h, "/"+p
	}
	s.mu.Lock()
	s.log = append(s.log, r.Method+" "+host+path+" "+r.Form.Encode())
	s.mu.Unlock()
	if host == "self" && path == "/consent" {
		s.decide(w, r)
		return
	}
	p, ok := s.find(host, path)
	if !ok {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	s.seen[p.role]++
	answer, scripted := s.answers[p.role]
	s.mu.Unlock()
	if scripted {
		s.script(w, r, answer)
		return
	}
	address := "https://" + host + path
	if host == "self" {
		address = s.URL + path
	}
	switch {
	case p.shape.name == "twitter":
		s.twitter(w, r, p, address)
	case p.role == Authorize:
		s.authorize(w, r, p.shape)
	case p.role == Token || p.role == Refresh:
		s.token(w, r, p)
	case p.role == Userinfo || p.role == Emails:
		s.about(w, r, p)
	case p.role == Keys:
		s.keys(w)
	case p.role == Discovery:
		s.discovery(w, p.shape)
	default:
		http.NotFound(w, r)
	}
}

// script answers what a test wants, after a while if it wants that.
func (s *Server) script(w http.ResponseWriter, r *http.Request, a Answer) {
	if a.Wait > 0 {
		timer := time.NewTimer(a.Wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	kind := "application/json"
	if a.Form {
		kind = "application/x-www-form-urlencoded"
	}
	w.Header().Set("Content-Type", kind)
	maps.Copy(w.Header(), a.Header)
	w.WriteHeader(max(a.Status, 200))
	_, _ = io.WriteString(w, a.Body)
}

// authorize shows the page on which people agree.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request, sh *shape) {
	q := r.URL.Query()
	if own := s.shapes[strings.TrimPrefix(q.Get("client_id"), "client-of-")]; own != nil && own.at[Authorize] == sh.at[Authorize] {
		sh = own // azure and entraid share their addresses
	}
	if problem := sh.refuses(r.Method, q); problem != nil {
		http.Error(w, sh.name+": "+problem.reason, http.StatusBadRequest)
		return
	}
	s.ask(w, &consent{shape: sh, params: q, callback: q.Get("redirect_uri")})
}

// refuses says what is wrong with a request to sign somebody in.
func (sh *shape) refuses(method string, q url.Values) *oops {
	for name, values := range q {
		if len(values) != 1 {
			return wrong("invalid_request", "%s stands %d times", name, len(values))
		}
	}
	scopes := strings.Fields(q.Get("scope"))
	if sh.comma {
		scopes = strings.Split(q.Get("scope"), ",")
	}
	callback, err := url.Parse(q.Get("redirect_uri"))
	switch {
	case method != http.MethodGet:
		return wrong("invalid_request", "asked by %s", method)
	case q.Get("client_id") != ClientID(sh.name):
		return wrong("unauthorized_client", "client_id is %q", q.Get("client_id"))
	case !strings.HasPrefix(q.Get("response_type"), "code"):
		return wrong("unsupported_response_type", "response_type is %q", q.Get("response_type"))
	case err != nil || !callback.IsAbs() || callback.Fragment != "":
		return wrong("invalid_request", "redirect_uri is %q", q.Get("redirect_uri"))
	case q.Get("state") == "":
		return wrong("invalid_request", "there is no state")
	case sh.scope != "" && !slices.Contains(scopes, sh.scope):
		return wrong("invalid_scope", "scope is %q, want %s among it", q.Get("scope"), sh.scope)
	case sh.pkce && (q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43):
		return wrong("invalid_request", "there is no PKCE challenge")
	case !sh.pkce && q.Has("code_challenge"):
		return wrong("invalid_request", "there is a PKCE challenge, which this provider does not take")
	case sh.issuer != "" && q.Get("nonce") == "":
		return wrong("invalid_request", "there is no nonce")
	case q.Has("client_secret") || q.Has("code_verifier"):
		return wrong("invalid_request", "there is a secret in the address")
	}
	for name, want := range sh.query {
		if q.Get(name) != want {
			return wrong("invalid_request", "%s is %q, want %q", name, q.Get(name), want)
		}
	}
	return nil
}

// ask shows a page with two buttons. A person in front of it may also say who they are.
func (s *Server) ask(w http.ResponseWriter, c *consent) {
	ticket := rand.Text()
	s.mu.Lock()
	s.pending[ticket] = c
	p := s.person
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	verified := ""
	if p.Verified == true {
		verified = " checked"
	}
	id, _ := p.ID.(string)
	fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>%[1]s (fake)</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:3rem auto;padding:0 1rem}label{display:block;margin:.5rem 0}input:not([type]){width:100%%;font:inherit}button{font:inherit;padding:.4rem 1rem;margin:1rem .5rem 0 0}</style>
<h1>%[1]s</h1><p>This is not %[1]s but a fake of it, for tests. <b>%[2]s</b> wants to know who you are.</p>
<form method="post" action="/consent"><input type="hidden" name="ticket" value="%[3]s">
<label>Id <input name="id" value="%[4]s"></label><label>E-mail <input name="email" value="%[5]s"></label><label>Name <input name="name" value="%[6]s"></label>
<label><input type="checkbox" name="verified" value="true"%[7]s> the address is verified</label><input type="hidden" name="filled" value="yes">
<button id="allow" name="decision" value="allow">Continue</button><button id="deny" name="decision" value="deny">Cancel</button></form></html>`,
		html.EscapeString(c.shape.name), html.EscapeString(ClientID(c.shape.name)), ticket,
		html.EscapeString(id), html.EscapeString(p.Email), html.EscapeString(p.Name), verified)
}

// decide takes the person's answer and sends the browser back.
func (s *Server) decide(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	c := s.pending[r.PostForm.Get("ticket")]
	delete(s.pending, r.PostForm.Get("ticket"))
	p := s.person
	s.mu.Unlock()
	if c == nil || r.Method != http.MethodPost {
		http.Error(w, "there is nothing to agree on", http.StatusBadRequest)
		return
	}
	if r.PostForm.Get("filled") != "" {
		if id, email := r.PostForm.Get("id"), r.PostForm.Get("email"); id != "" {
			p.ID, p.Email, p.Name = id, email, r.PostForm.Get("name")
			p.Verified = r.PostForm.Get("verified") == "true"
		}
	}
	if c.shape.name == "twitter" {
		s.decideTwitter(w, r, c, p)
		return
	}
	back := url.Values{"state": {c.params.Get("state")}}
	if r.PostForm.Get("decision") != "allow" {
		back.Set("error", "access_denied")
		back.Set("error_description", "The person said no.")
		s.sendBack(w, r, c, back)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = &grant{
		shape: c.shape, person: p, client: c.params.Get("client_id"), callback: c.callback,
		challenge: c.params.Get("code_challenge"), nonce: c.params.Get("nonce"), scope: c.params.Get("scope"),
	}
	s.mu.Unlock()
	back.Set("code", code)
	if c.shape.name == "google" || c.shape.name == "corp" {
		back.Set("iss", c.shape.issuer) // RFC 9207
	}
	if c.shape.name == "apple" && !p.Keep {
		user, err := json.Marshal(map[string]any{"name": map[string]string{"firstName": p.given(), "lastName": p.family()}, "email": p.Email})
		if err == nil {
			back.Set("user", string(user))
		}
	}
	s.sendBack(w, r, c, back)
}

// sendBack sends the browser to the callback: by a redirect, or with a form that sends itself.
func (s *Server) sendBack(w http.ResponseWriter, r *http.Request, c *consent, back url.Values) {
	if c.shape.posts {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprintf(w, `<!doctype html><html lang="en"><meta charset="utf-8"><title>back</title><form id="back" method="post" action="%s" data-form="%s">`,
			html.EscapeString(c.callback), html.EscapeString(back.Encode()))
		for name := range back {
			fmt.Fprintf(w, `<input type="hidden" name="%s" value="%s">`, html.EscapeString(name), html.EscapeString(back.Get(name)))
		}
		_, _ = io.WriteString(w, `<button>Back</button></form><script>document.getElementById("back").submit()</script></html>`)
		return
	}
	u, err := url.Parse(c.callback)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := u.Query()
	maps.Copy(q, back)
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

// token turns a code, or a refresh token, into tokens.
func (s *Server) token(w http.ResponseWriter, r *http.Request, p place) {
	g, problem := s.redeem(r, p)
	if problem != nil {
		status := http.StatusBadRequest
		if p.shape.form {
			status = http.StatusOK // GitHub's way
		}
		s.json(w, status, map[string]any{"error": problem.code, "error_description": problem.reason + " s3cret-in-an-error"})
		return
	}
	access, refresh := "access-"+rand.Text(), "refresh-"+rand.Text()
	s.mu.Lock()
	s.tokens[access] = g
	again := r.PostForm.Get("grant_type") == "refresh_token"
	if !again || !g.shape.keeps {
		if again {
			delete(s.renewals, r.PostForm.Get("refresh_token"))
		}
		s.renewals[refresh] = g
	}
	s.mu.Unlock()
	out := map[string]any{"access_token": access, "token_type": "bearer", "expires_in": 3600, "scope": g.scope}
	if !again || !g.shape.keeps {
		out["refresh_token"] = refresh
	}
	if g.shape.scopeSet {
		out["scope"] = strings.Fields(g.scope)
	}
	if g.shape.issuer != "" && !again {
		out["id_token"] = s.idToken(g)
	}
	if g.shape.form && !strings.Contains(r.Header.Get("Accept"), "application/json") {
		form := url.Values{}
		for name, v := range out {
			form.Set(name, fmt.Sprint(v))
		}
		w.Header().Set("Content-Type", "application/x-www-form-urlencoded")
		_, _ = io.WriteString(w, form.Encode())
		return
	}
	s.json(w, http.StatusOK, out)
}

// redeem checks a request for tokens. A code is gone whether it then succeeds or not.
func (s *Server) redeem(r *http.Request, p place) (*grant, *oops) {
	f := r.PostForm
	if r.Method != http.MethodPost || r.URL.RawQuery != "" {
		return nil, wrong("invalid_request", "%s with query %q", r.Method, r.URL.RawQuery)
	}
	s.mu.Lock()
	var g *grant
	switch grantType := f.Get("grant_type"); {
	case grantType == "authorization_code" && p.role == Token:
		g = s.codes[f.Get("code")]
		delete(s.codes, f.Get("code"))
	case grantType == "refresh_token" && (p.role == Refresh || p.shape.at[Refresh] == ""):
		g = s.renewals[f.Get("refresh_token")]
	}
	s.mu.Unlock()
	if g == nil || g.shape.at[p.role] != p.shape.at[p.role] {
		return nil, wrong("invalid_grant", "no such code or token")
	}
	if problem := s.client(r, g.shape); problem != nil {
		return nil, problem
	}
	if f.Get("grant_type") == "refresh_token" {
		return g, nil
	}
	if f.Get("redirect_uri") != g.callback {
		return nil, wrong("invalid_grant", "redirect_uri is %q, was %q", f.Get("redirect_uri"), g.callback)
	}
	sum := sha256.Sum256([]byte(f.Get("code_verifier")))
	switch {
	case g.challenge != "" && (len(f.Get("code_verifier")) < 43 || b64(sum[:]) != g.challenge):
		return nil, wrong("invalid_grant", "the verifier does not answer the challenge")
	case g.challenge == "" && f.Has("code_verifier"):
		return nil, wrong("invalid_grant", "there is a verifier, and was no challenge")
	}
	return g, nil
}

// client checks how the client proves itself: one way, and the right one.
func (s *Server) client(r *http.Request, sh *shape) *oops {
	id, secret, basic := r.BasicAuth()
	if basic {
		id, _ = url.QueryUnescape(id)
		secret, _ = url.QueryUnescape(secret)
	}
	inBody := r.PostForm.Has("client_secret")
	switch {
	case basic && inBody:
		return wrong("invalid_client", "proved twice")
	case basic != sh.basic:
		return wrong("invalid_client", "proved by HTTP Basic: %v, want %v", basic, sh.basic)
	case !basic:
		id, secret = r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	}
	if id != ClientID(sh.name) {
		return wrong("invalid_client", "client is %q", id)
	}
	if sh.name == "apple" {
		if err := s.checkAppleSecret(secret); err != nil {
			return wrong("invalid_client", "client secret: %v", err)
		}
		return nil
	}
	if secret != secretOf(sh.name) {
		return wrong("invalid_client", "the secret is another one")
	}
	return nil
}

// about tells about the person whose token it is.
func (s *Server) about(w http.ResponseWriter, r *http.Request, p place) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	s.mu.Lock()
	g := s.tokens[token]
	s.mu.Unlock()
	switch {
	case !ok || g == nil || g.shape != p.shape && g.shape.at[p.role] != p.shape.at[p.role]:
		s.json(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token"})
		return
	case r.URL.Query().Has("access_token"):
		s.json(w, http.StatusBadRequest, map[string]any{"error": "invalid_request"})
		return
	}
	for name, want := range g.shape.header {
		if r.Header.Get(name) != want {
			s.json(w, http.StatusBadRequest, map[string]any{"error": name + " is missing"})
			return
		}
	}
	if p.role == Emails {
		s.json(w, http.StatusOK, g.shape.emails(g.person))
		return
	}
	s.json(w, http.StatusOK, g.shape.user(g.person))
}

// discovery tells where things are.
func (s *Server) discovery(w http.ResponseWriter, sh *shape) {
	at := func(role Role) string {
		raw := sh.at[role]
		if rest, ok := strings.CutPrefix(raw, "self/"); ok {
			return s.URL + "/" + rest
		}
		if raw == "" {
			return ""
		}
		return "https://" + strings.ReplaceAll(raw, "{tenant}", "common")
	}
	issuer := strings.ReplaceAll(sh.issuer, "11111111-2222-3333-4444-555555555555", "{tenantid}")
	method := "client_secret_post"
	if sh.basic {
		method = "client_secret_basic"
	}
	alg := "RS256"
	if sh.ec {
		alg = "ES256"
	}
	s.json(w, http.StatusOK, map[string]any{
		"issuer": issuer, "authorization_endpoint": at(Authorize), "token_endpoint": at(Token), "userinfo_endpoint": at(Userinfo), "jwks_uri": at(Keys),
		"id_token_signing_alg_values_supported": []string{alg, "none", "HS256"}, "token_endpoint_auth_methods_supported": []string{method},
		"code_challenge_methods_supported": []string{"S256"},
	})
}

// json writes a value, without members that are Missing.
func (s *Server) json(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	text, err := json.Marshal(prune(v))
	if err == nil {
		_, _ = w.Write(text)
	}
}

// prune takes out what is Missing.
func prune(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := map[string]any{}
		for name, member := range v {
			if member != Missing {
				out[name] = prune(member)
			}
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, member := range v {
			out[i] = prune(member)
		}
		return out
	default:
		return v
	}
}

// browse is one step of a browser here.
func (s *Server) browse(ctx context.Context, method, address string, form url.Values) (page, location string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(form.Encode()))
	if err != nil {
		return "", "", err
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		return "", "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", "", err
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return "", "", fmt.Errorf("the provider answers %d: %s", resp.StatusCode, body)
	}
	return string(body), resp.Header.Get("Location"), nil
}

// between is the text after one mark and before another.
func between(text, before, after string) string {
	_, rest, found := strings.Cut(text, before)
	if !found {
		return ""
	}
	inner, _, _ := strings.Cut(rest, after)
	return inner
}

func unescape(text string) string { return html.UnescapeString(text) }

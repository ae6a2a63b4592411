package fakeprovider

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" //nolint:gosec // Twitter's
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"sort"
	"strconv"
	"strings"
)

// oneA is a token of OAuth 1.0a on its way: a request token, or an access token.
type oneA struct {
	secret   string
	callback string
	verifier string // once the person said yes
	person   Person
	access   bool
}

// twitter speaks OAuth 1.0a.
func (s *Server) twitter(w http.ResponseWriter, r *http.Request, p place, address string) {
	if p.role == Authorize {
		s.mu.Lock()
		request := s.requests[r.URL.Query().Get("oauth_token")]
		s.mu.Unlock()
		if request == nil || request.access {
			http.Error(w, "no such request token", http.StatusUnauthorized)
			return
		}
		s.ask(w, &consent{shape: p.shape, params: r.URL.Query(), callback: request.callback})
		return
	}
	params, known := s.signedBy(r, address)
	if params == nil {
		http.Error(w, `{"errors":[{"code":32,"message":"Could not authenticate you."}]}`, http.StatusUnauthorized)
		return
	}
	switch {
	case p.role == Temporary && r.Method == http.MethodPost && known == nil && params["oauth_callback"] != "":
		token, secret := rand.Text(), rand.Text()
		s.mu.Lock()
		s.requests[token] = &oneA{secret: secret, callback: params["oauth_callback"]}
		s.mu.Unlock()
		form(w, url.Values{"oauth_token": {token}, "oauth_token_secret": {secret}, "oauth_callback_confirmed": {"true"}})
	case p.role == Token && r.Method == http.MethodPost && known != nil && !known.access && known.verifier != "" && known.verifier == params["oauth_verifier"]:
		token, secret := "1001-"+rand.Text(), rand.Text()
		s.mu.Lock()
		_, still := s.requests[params["oauth_token"]]
		delete(s.requests, params["oauth_token"])
		s.requests[token] = &oneA{secret: secret, person: known.person, access: true}
		s.mu.Unlock()
		if !still {
			http.Error(w, "the request token was used", http.StatusUnauthorized)
			return
		}
		form(w, url.Values{"oauth_token": {token}, "oauth_token_secret": {secret}, "user_id": {"1001"}, "screen_name": {"ada"}})
	case p.role == Userinfo && r.Method == http.MethodGet && known != nil && known.access && r.URL.Query().Get("include_email") == "true":
		s.json(w, http.StatusOK, p.shape.user(known.person))
	default:
		http.Error(w, "not so", http.StatusUnauthorized)
	}
}

func form(w http.ResponseWriter, v url.Values) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8") // as Twitter says, though it is a form
	_, _ = io.WriteString(w, v.Encode())
}

// decideTwitter takes the person's answer.
func (s *Server) decideTwitter(w http.ResponseWriter, r *http.Request, c *consent, p Person) {
	token := c.params.Get("oauth_token")
	u, err := url.Parse(c.callback)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	q := u.Query()
	s.mu.Lock()
	if request := s.requests[token]; r.PostForm.Get("decision") == "allow" && request != nil {
		request.verifier, request.person = rand.Text(), p
		q.Set("oauth_token", token)
		q.Set("oauth_verifier", request.verifier)
	} else {
		delete(s.requests, token)
		q.Set("denied", token)
	}
	s.mu.Unlock()
	u.RawQuery = q.Encode()
	http.Redirect(w, r, u.String(), http.StatusFound)
}

// signedBy checks a signature by RFC 5849 and gives the protocol's parameters, and the token.
func (s *Server) signedBy(r *http.Request, address string) (map[string]string, *oneA) {
	rest, ok := strings.CutPrefix(r.Header.Get("Authorization"), "OAuth ")
	if !ok {
		return nil, nil
	}
	params := map[string]string{}
	for part := range strings.SplitSeq(rest, ",") {
		name, quoted, _ := strings.Cut(strings.TrimSpace(part), "=")
		value, err := url.PathUnescape(strings.Trim(quoted, `"`))
		if _, twice := params[name]; err != nil || twice {
			return nil, nil
		}
		params[name] = value
	}
	var token *oneA
	key := secretOf("twitter")
	tokenSecret := ""
	if params["oauth_token"] != "" {
		s.mu.Lock()
		if token = s.requests[params["oauth_token"]]; token != nil {
			snapshot := *token
			token = &snapshot
		}
		s.mu.Unlock()
		if token == nil {
			return nil, nil
		}
		tokenSecret = token.secret
	}
	at, err := strconv.ParseInt(params["oauth_timestamp"], 10, 64)
	now := s.Now().Unix()
	if err != nil || at < now-300 || at > now+300 || params["oauth_consumer_key"] != ClientID("twitter") || params["oauth_signature_method"] != "HMAC-SHA1" ||
		params["oauth_nonce"] == "" || (params["oauth_version"] != "" && params["oauth_version"] != "1.0") {
		return nil, nil
	}
	var list []string
	for name, value := range params {
		if name != "oauth_signature" {
			list = append(list, escaped(name)+"="+escaped(value))
		}
	}
	for _, more := range []url.Values{r.URL.Query(), r.PostForm} {
		for name, values := range more {
			for _, value := range values {
				list = append(list, escaped(name)+"="+escaped(value))
			}
		}
	}
	sort.Strings(list)
	base := r.Method + "&" + escaped(address) + "&" + escaped(strings.Join(list, "&"))
	mac := hmac.New(sha1.New, []byte(escaped(key)+"&"+escaped(tokenSecret)))
	mac.Write([]byte(base))
	if base64.StdEncoding.EncodeToString(mac.Sum(nil)) != params["oauth_signature"] {
		return nil, nil
	}
	return params, token
}

// escaped encodes as RFC 3986 wants it.
func escaped(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

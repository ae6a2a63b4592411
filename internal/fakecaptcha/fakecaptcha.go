// Package fakecaptcha is a captcha service for tests. It speaks the protocol of Cloudflare Turnstile
// and of hCaptcha, with tokens that are good once, and can misbehave as real services do.
package fakecaptcha

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Secret is the secret key of the fake's customer.
const Secret = "captcha-secret-canary"

// Server is the service.
type Server struct {
	URL string // of siteverify

	mu      sync.Mutex
	good    map[string]bool // tokens that were given out, true until asked about
	asked   []url.Values
	trouble http.HandlerFunc
	count   int
	again   string // the word for a token that was asked about before
}

// New starts a service that ends with the test. The provider is turnstile or hcaptcha.
func New(t testing.TB, provider string) *Server {
	t.Helper()
	s := &Server{good: map[string]bool{}, again: "timeout-or-duplicate"}
	path := "/turnstile/v0/siteverify"
	if provider == "hcaptcha" {
		path, s.again = "/siteverify", "already-seen-response"
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+path, s.verify)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	s.URL = server.URL + path
	return s
}

// Solve gives a token, as the widget on a page does when a person has solved the captcha.
func (s *Server) Solve() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.count++
	token := fmt.Sprintf("0.captcha-token-%d.%s", s.count, strings.Repeat("x", 300))
	s.good[token] = true
	return token
}

// Asked gives the forms of all questions so far.
func (s *Server) Asked() []url.Values {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

// Misbehave answers every question with a handler until it is called with nil.
func (s *Server) Misbehave(h http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble = h
}

func (s *Server) verify(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	err := r.ParseForm()
	s.asked = append(s.asked, r.PostForm)
	trouble := s.trouble
	s.mu.Unlock()
	if trouble != nil {
		trouble(w, r)
		return
	}
	var problem string
	switch {
	case err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || r.URL.RawQuery != "":
		problem = "bad-request"
	case r.PostForm.Get("secret") == "":
		problem = "missing-input-secret"
	case r.PostForm.Get("secret") != Secret:
		problem = "invalid-input-secret"
	case r.PostForm.Get("response") == "":
		problem = "missing-input-response"
	default:
		problem = s.use(r.PostForm.Get("response"))
	}
	answer := map[string]any{"success": problem == "", "error-codes": []string{}}
	if problem != "" {
		answer["error-codes"] = []string{problem}
	} else {
		answer["challenge_ts"], answer["hostname"], answer["action"], answer["cdata"] = "2026-01-01T00:00:00.000Z", "app.example.com", "", ""
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_ = json.NewEncoder(w).Encode(answer)
}

// use uses up a token, and says what is wrong with it.
func (s *Server) use(token string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	unused, known := s.good[token]
	switch {
	case !known:
		return "invalid-input-response"
	case !unused:
		return s.again
	}
	s.good[token] = false
	return ""
}

package fakesms

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"net/http"
	"regexp"
	"slices"
	"strings"
)

// magic are numbers for which Twilio fails, in its own test accounts too, and with what.
var magic = map[string]int{
	"+15005550001": 21211, // no number
	"+15005550002": 21612, // cannot be reached
	"+15005550003": 21408, // a country that the account does not send to
	"+15005550004": 21610, // said STOP
	"+15005550009": 21614, // a number that takes no messages
}

var e164 = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`)

// locales are some of those that Twilio Verify speaks. Bulgarian is none of them.
var locales = []string{"cs", "de", "en", "en-GB", "es", "fr", "pt", "pt-BR", "zh-CN"}

// verification is a code that Twilio Verify sent.
type verification struct {
	code          string
	sends, checks int
}

// refuse answers as Twilio does.
func refuse(w http.ResponseWriter, status, code int) {
	reply(w, status, map[string]any{
		"code": code, "status": status, "message": fmt.Sprintf("what Twilio says about %d", code),
		"more_info": fmt.Sprintf("https://www.twilio.com/docs/errors/%d", code),
	})
}

// account tells whether the request is one of the account's, in the right form.
func account(w http.ResponseWriter, r *http.Request) bool {
	if user, token, _ := r.BasicAuth(); user != Account || token != Token {
		refuse(w, http.StatusUnauthorized, 20003)
		return false
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/x-www-form-urlencoded") || r.ParseForm() != nil {
		refuse(w, http.StatusUnsupportedMediaType, 20415)
		return false
	}
	return true
}

// twilioMessage takes a message as Twilio Messaging does.
func (s *Server) twilioMessage(w http.ResponseWriter, r *http.Request) {
	if !account(w, r) {
		return
	}
	to, text := r.PostForm.Get("To"), r.PostForm.Get("Body")
	service, from := r.PostForm.Get("MessagingServiceSid"), r.PostForm.Get("From")
	switch {
	case r.PathValue("account") != Account:
		refuse(w, http.StatusNotFound, 20404)
	case !e164.MatchString(to):
		refuse(w, http.StatusBadRequest, 21211)
	case magic[to] != 0:
		refuse(w, http.StatusBadRequest, magic[to])
	case text == "":
		refuse(w, http.StatusBadRequest, 21602)
	case service == "" && from == "":
		refuse(w, http.StatusBadRequest, 21603)
	case service != "" && service != MessagingService:
		refuse(w, http.StatusBadRequest, 21701)
	default:
		s.Keep(Message{Gateway: "twilio", To: to, Text: text, Header: r.Header, Body: r.PostForm.Encode()})
		reply(w, http.StatusCreated, map[string]any{
			"sid": "SM00000000000000000000000000000004", "account_sid": Account, "to": to, "from": nil,
			"messaging_service_sid": service, "body": text, "status": "accepted", "error_code": nil, "error_message": nil,
		})
	}
}

// twilioStart makes a code and sends it, as Twilio Verify does; while it lives, the same again, five
// times at most.
func (s *Server) twilioStart(w http.ResponseWriter, r *http.Request) {
	if !account(w, r) {
		return
	}
	to, locale := r.PostForm.Get("To"), r.PostForm.Get("Locale")
	switch {
	case r.PathValue("service") != VerifyService, locale != "" && !slices.Contains(locales, locale):
		refuse(w, http.StatusNotFound, 20404)
		return
	case !e164.MatchString(to), magic[to] != 0, r.PostForm.Get("Channel") != "sms":
		refuse(w, http.StatusBadRequest, 60200)
		return
	}
	s.mu.Lock()
	v := s.codes[to]
	if v == nil {
		n, _ := rand.Int(rand.Reader, big.NewInt(1_000_000)) // it never fails: without randomness the program ends
		v = &verification{code: fmt.Sprintf("%06d", n)}
		s.codes[to] = v
	}
	v.sends++
	number, sends := v.code, v.sends
	s.mu.Unlock()
	if sends > 5 {
		refuse(w, http.StatusTooManyRequests, 60203)
		return
	}
	s.Keep(Message{Gateway: "verify", To: to, Text: "Your Example verification code is: " + number, Header: r.Header, Body: r.PostForm.Encode()})
	reply(w, http.StatusCreated, map[string]any{
		"sid": "VE00000000000000000000000000000005", "service_sid": VerifyService, "account_sid": Account,
		"to": to, "channel": "sms", "status": "pending", "valid": false,
	})
}

// twilioCheck holds a code against the one that was sent, five times at most.
func (s *Server) twilioCheck(w http.ResponseWriter, r *http.Request) {
	if !account(w, r) {
		return
	}
	to, guess := r.PostForm.Get("To"), r.PostForm.Get("Code")
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.codes[to]
	if v == nil || r.PathValue("service") != VerifyService {
		refuse(w, http.StatusNotFound, 20404)
		return
	}
	if len(guess) < 4 || len(guess) > 10 {
		refuse(w, http.StatusBadRequest, 60200)
		return
	}
	if v.checks++; v.checks > 5 {
		refuse(w, http.StatusTooManyRequests, 60202)
		return
	}
	status := "pending"
	if guess == v.code {
		status = "approved"
		delete(s.codes, to)
	}
	reply(w, http.StatusOK, map[string]any{
		"sid": "VE00000000000000000000000000000005", "service_sid": VerifyService, "account_sid": Account,
		"to": to, "channel": "sms", "status": status, "valid": status == "approved",
	})
}

// Expire makes Twilio Verify forget the code for a number, as it does after ten minutes.
func (s *Server) Expire(number string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.codes, number)
}

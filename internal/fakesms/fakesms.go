// Package fakesms is a gateway for text messages, for tests. It listens on this machine, speaks the
// protocols of Twilio Messaging, Twilio Verify, Modica and of a gateway of one's own, keeps every
// message it is given and can be told to misbehave in the ways that real ones do.
package fakesms

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// What the fake accounts are called.
const (
	Account          = "AC00000000000000000000000000000001"
	Token            = "twilio-token-of-a-test"
	MessagingService = "MG00000000000000000000000000000002"
	VerifyService    = "VA00000000000000000000000000000003"
	ModicaUser       = "modica-user-of-a-test"
	ModicaPassword   = "modica-password-of-a-test"
	Bearer           = "Bearer gateway-key-of-a-test"
	WebhookSecret    = "whsec_" + "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=" // 0123456789abcdef twice
)

// Server is a gateway in this process. It ends with its test.
type Server struct {
	Phones
	URL string

	over     chan struct{} // closed when the test ends
	mu       sync.Mutex
	requests []string // method and path
	faults   []Fault  // of the next requests, one each
	always   Fault    // of requests beyond those
	codes    map[string]*verification
}

// New starts a gateway on a free port of the loopback address.
func New(t testing.TB) *Server {
	t.Helper()
	s := &Server{over: make(chan struct{}), codes: map[string]*verification{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /2010-04-01/Accounts/{account}/Messages.json", s.twilioMessage)
	mux.HandleFunc("POST /v2/Services/{service}/Verifications", s.twilioStart)
	mux.HandleFunc("POST /v2/Services/{service}/VerificationCheck", s.twilioCheck)
	mux.HandleFunc("POST /rest/sms/v2/messages", s.modica)
	mux.HandleFunc("POST /gateway", s.generic)
	mux.HandleFunc("POST /messagebird/messages", s.messagebird)
	mux.HandleFunc("POST /textlocal/send", s.textlocal)
	mux.HandleFunc("POST /vonage/sms/json", s.vonage)
	mux.HandleFunc("POST /msg91/api/v2/sendsms", s.msg91)
	inner := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fault := s.note(r)
		if fault.before(s, w) {
			return
		}
		if fault.after() {
			mux.ServeHTTP(&deaf{header: http.Header{}}, r)
			fault.end(s, w)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	s.URL = inner.URL
	t.Cleanup(func() {
		close(s.over)
		inner.CloseClientConnections()
		inner.Close()
	})
	return s
}

// TwilioMessaging are the settings that make a house send through this server as Twilio Messaging.
func (s *Server) TwilioMessaging() map[string]string { return s.twilio(MessagingService) }

// TwilioVerify are the settings that let this server, as Twilio Verify, make and check the codes.
func (s *Server) TwilioVerify() map[string]string { return s.twilio(VerifyService) }

func (s *Server) twilio(service string) map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "twilio", "AUTH_SMS_TWILIO_URL": s.URL, "AUTH_SMS_TWILIO_ACCOUNT_SID": Account,
		"AUTH_SMS_TWILIO_AUTH_TOKEN": Token, "AUTH_SMS_TWILIO_MESSAGING_SERVICE_ID": service,
	})
}

// Modica are the settings that make a house send through this server as Modica.
func (s *Server) Modica() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "modica", "AUTH_SMS_MODICA_URL": s.URL + "/rest/sms/v2",
		"AUTH_SMS_MODICA_USERNAME": ModicaUser, "AUTH_SMS_MODICA_PASSWORD": ModicaPassword,
	})
}

// Generic are the settings that make a house send through this server as a gateway of one's own,
// with signed requests.
func (s *Server) Generic() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "generic", "AUTH_SMS_GENERIC_URL": s.URL + "/gateway",
		"AUTH_SMS_GENERIC_HEADERS": `{"Authorization": "` + Bearer + `"}`, "AUTH_SMS_GENERIC_SECRET": WebhookSecret,
	})
}

func (s *Server) with(settings map[string]string) map[string]string {
	all := map[string]string{"AUTH_SMS_PASSWORDLESS_ENABLED": "true"}
	maps.Copy(all, settings)
	return all
}

// Fail gives each of the next requests its fault, in order; None stands for good behaviour.
func (s *Server) Fail(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, faults...)
}

// FailAlways gives every request for which Fail named nothing this fault, until told otherwise.
func (s *Server) FailAlways(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.always = f
}

// Requests lists the requests so far, as "POST /path".
func (s *Server) Requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.requests...)
}

// note counts a request and finds its fault.
func (s *Server) note(r *http.Request) Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = append(s.requests, r.Method+" "+r.URL.Path)
	f := s.always
	if len(s.faults) > 0 {
		f, s.faults = s.faults[0], s.faults[1:]
	}
	return f
}

// modica takes a message as Modica's Mobile Gateway does.
func (s *Server) modica(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != ModicaUser || password != ModicaPassword {
		reply(w, http.StatusUnauthorized, map[string]any{"error": "unauthorised"})
		return
	}
	var in struct{ Destination, Content string }
	body, err := io.ReadAll(r.Body)
	if err != nil || r.Header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &in) != nil {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_json"})
		return
	}
	if !strings.HasPrefix(in.Destination, "+") || in.Content == "" {
		reply(w, http.StatusBadRequest, map[string]any{"error": "invalid_attrib"})
		return
	}
	s.Keep(Message{Gateway: "modica", To: in.Destination, Text: in.Content, Header: r.Header, Body: string(body)})
	reply(w, http.StatusAccepted, map[string]any{"id": "5f1c7d3e-1f0e-4f3f-9a42-0d9f2b1a7c11"})
}

// generic takes whatever is posted. Of JSON and forms it knows the fields to and body.
func (s *Server) generic(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != Bearer {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if r.Header.Get("Webhook-Signature") != "" && !genuine(r.Header, string(body)) {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	m := Message{Gateway: "generic", ID: r.Header.Get("Webhook-Id"), Header: r.Header, Body: string(body)}
	m.To, m.Text = fields(r.Header.Get("Content-Type"), body)
	s.Keep(m)
	w.WriteHeader(http.StatusNoContent)
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

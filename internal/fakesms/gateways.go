package fakesms

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
)

// What the gateways of the table know us by.
const (
	GatewayKey    = "key-of-the-gateway"
	GatewaySecret = "secret-of-the-gateway"
	GatewaySender = "Example"
)

// MessageBird are the settings that make MessageBird this server.
func (s *Server) MessageBird() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "messagebird", "AUTH_SMS_MESSAGEBIRD_ACCESS_KEY": GatewayKey, "AUTH_SMS_MESSAGEBIRD_ORIGINATOR": GatewaySender, "AUTH_SMS_MESSAGEBIRD_URL": s.URL + "/messagebird",
	})
}

// Textlocal are the settings that make Textlocal this server.
func (s *Server) Textlocal() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "textlocal", "AUTH_SMS_TEXTLOCAL_API_KEY": GatewayKey, "AUTH_SMS_TEXTLOCAL_SENDER": GatewaySender, "AUTH_SMS_TEXTLOCAL_URL": s.URL + "/textlocal",
	})
}

// Vonage are the settings that make Vonage this server.
func (s *Server) Vonage() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "vonage", "AUTH_SMS_VONAGE_API_KEY": GatewayKey, "AUTH_SMS_VONAGE_API_SECRET": GatewaySecret, "AUTH_SMS_VONAGE_FROM": GatewaySender, "AUTH_SMS_VONAGE_URL": s.URL + "/vonage",
	})
}

// MSG91 are the settings that make MSG91 this server.
func (s *Server) MSG91() map[string]string {
	return s.with(map[string]string{
		"AUTH_SMS_PROVIDER": "msg91", "AUTH_SMS_MSG91_AUTH_KEY": GatewayKey, "AUTH_SMS_MSG91_SENDER_ID": GatewaySender, "AUTH_SMS_MSG91_URL": s.URL + "/msg91",
	})
}

// isNumber is a number as the gateways of the table take it.
func isNumber(s string) bool { return len(s) >= 7 && strings.Trim(s, "0123456789") == "" }

func (s *Server) messagebird(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Header.Get("Authorization") != "AccessKey "+GatewayKey:
		reply(w, http.StatusUnauthorized, map[string]any{"errors": []map[string]any{{"code": 2, "description": "Request not allowed (incorrect access_key)"}}})
		return
	case !isNumber(r.PostFormValue("recipients")), r.PostFormValue("originator") == "", r.PostFormValue("body") == "":
		reply(w, http.StatusUnprocessableEntity, map[string]any{"errors": []map[string]any{{"code": 9, "description": "no (correct) recipients found"}}})
		return
	}
	s.Keep(Message{Gateway: "messagebird", To: "+" + r.PostFormValue("recipients"), Text: r.PostFormValue("body"), Header: r.Header})
	reply(w, http.StatusCreated, map[string]any{"id": "1", "recipients": map[string]any{"totalSentCount": 1}})
}

func (s *Server) textlocal(w http.ResponseWriter, r *http.Request) {
	no := func(code int) {
		reply(w, http.StatusOK, map[string]any{"status": "failure", "errors": []map[string]any{{"code": code, "message": "no"}}})
	}
	switch {
	case r.PostFormValue("apikey") != GatewayKey:
		no(3) // invalid login details
		return
	case !isNumber(r.PostFormValue("numbers")), strings.HasPrefix(r.PostFormValue("numbers"), "999"):
		no(32) // invalid number format
		return
	}
	s.Keep(Message{Gateway: "textlocal", To: "+" + r.PostFormValue("numbers"), Text: r.PostFormValue("message"), Header: r.Header})
	reply(w, http.StatusOK, map[string]any{"status": "success", "num_messages": 1})
}

func (s *Server) vonage(w http.ResponseWriter, r *http.Request) {
	no := func(status string) {
		reply(w, http.StatusOK, map[string]any{"message-count": "1", "messages": []map[string]any{{"status": status, "error-text": "no"}}})
	}
	switch {
	case r.PostFormValue("api_key") != GatewayKey || r.PostFormValue("api_secret") != GatewaySecret:
		no("4") // invalid credentials
		return
	case !isNumber(r.PostFormValue("to")), strings.HasPrefix(r.PostFormValue("to"), "999"):
		no("7") // number barred
		return
	}
	s.Keep(Message{Gateway: "vonage", To: "+" + r.PostFormValue("to"), Text: r.PostFormValue("text"), Header: r.Header})
	reply(w, http.StatusOK, map[string]any{"message-count": "1", "messages": []map[string]any{{"status": "0", "message-id": "1"}}})
}

func (s *Server) msg91(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Sender string
		SMS    []struct {
			Message string
			To      []string
		}
	}
	no := func() { reply(w, http.StatusOK, map[string]any{"type": "error", "message": "no"}) }
	body, err := io.ReadAll(r.Body)
	if r.Header.Get("Authkey") != GatewayKey || err != nil || json.Unmarshal(body, &in) != nil || len(in.SMS) != 1 || len(in.SMS[0].To) != 1 || !isNumber(in.SMS[0].To[0]) {
		no()
		return
	}
	s.Keep(Message{Gateway: "msg91", To: "+" + in.SMS[0].To[0], Text: in.SMS[0].Message, Header: r.Header, Body: string(body)})
	reply(w, http.StatusOK, map[string]any{"type": "success", "message": "3763646c3058373530393938"})
}

package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// The gateways of the table.
const (
	MessageBird = "messagebird"
	Textlocal   = "textlocal"
	Vonage      = "vonage"
	MSG91       = "msg91"
)

// row is a gateway that takes a message in one request. To add one, add its row here, its settings, and what it
// answers to the fake gateways of the tests.
type row struct {
	name    string
	base    string // of its own address
	path    string
	needs   func(Settings) map[string]string // by the name of the variable: what must be set
	address func(Settings) string            // instead of its own, when set
	request func(Settings, Message) (body, contentType string, header http.Header)
	refusal func(answer) *SendError // of an answer whose status says yes; nil took the message
}

// rows is the table.
func rows() []row {
	return []row{
		{
			name: MessageBird, base: "https://rest.messagebird.com", path: "/messages",
			needs: func(s Settings) map[string]string {
				return map[string]string{"AUTH_SMS_MESSAGEBIRD_ACCESS_KEY": s.MessageBirdKey, "AUTH_SMS_MESSAGEBIRD_ORIGINATOR": s.MessageBirdOriginator}
			},
			address: func(s Settings) string { return s.MessageBirdURL },
			request: func(s Settings, m Message) (string, string, http.Header) {
				form := url.Values{"originator": {s.MessageBirdOriginator}, "recipients": {bare(m.To)}, "body": {m.Text}, "type": {"sms"}, "datacoding": {"auto"}}
				return form.Encode(), formType, http.Header{"Authorization": {"AccessKey " + s.MessageBirdKey}}
			},
			refusal: func(answer) *SendError { return nil }, // it says no by the status
		},
		{
			name: Textlocal, base: "https://api.textlocal.in", path: "/send",
			needs: func(s Settings) map[string]string {
				return map[string]string{"AUTH_SMS_TEXTLOCAL_API_KEY": s.TextlocalKey, "AUTH_SMS_TEXTLOCAL_SENDER": s.TextlocalSender}
			},
			address: func(s Settings) string { return s.TextlocalURL },
			request: func(s Settings, m Message) (string, string, http.Header) {
				form := url.Values{"sender": {s.TextlocalSender}, "apikey": {s.TextlocalKey}, "message": {m.Text}, "numbers": {bare(m.To)}}
				if hasUnicode(m.Text) {
					form.Set("unicode", "true")
				}
				return form.Encode(), formType, nil
			},
			refusal: textlocalRefusal,
		},
		{
			name: Vonage, base: "https://rest.nexmo.com", path: "/sms/json",
			needs: func(s Settings) map[string]string {
				return map[string]string{"AUTH_SMS_VONAGE_API_KEY": s.VonageKey, "AUTH_SMS_VONAGE_API_SECRET": s.VonageSecret, "AUTH_SMS_VONAGE_FROM": s.VonageFrom}
			},
			address: func(s Settings) string { return s.VonageURL },
			request: func(s Settings, m Message) (string, string, http.Header) {
				form := url.Values{"from": {s.VonageFrom}, "to": {bare(m.To)}, "text": {m.Text}, "api_key": {s.VonageKey}, "api_secret": {s.VonageSecret}}
				if hasUnicode(m.Text) {
					form.Set("type", "unicode")
				}
				return form.Encode(), formType, nil
			},
			refusal: vonageRefusal,
		},
		{
			name: MSG91, base: "https://api.msg91.com", path: "/api/v2/sendsms",
			needs: func(s Settings) map[string]string {
				return map[string]string{"AUTH_SMS_MSG91_AUTH_KEY": s.MSG91Key, "AUTH_SMS_MSG91_SENDER_ID": s.MSG91Sender}
			},
			address: func(s Settings) string { return s.MSG91URL },
			request: msg91Request,
			refusal: msg91Refusal,
		},
	}
}

const formType = "application/x-www-form-urlencoded"

// bare is a number without its plus sign, as these gateways take it.
func bare(number string) string { return strings.TrimPrefix(number, "+") }

// hasUnicode tells whether a text needs more than the letters of GSM; whoever is in doubt pays for a longer message.
func hasUnicode(text string) bool {
	return strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

func rowOf(name string) (row, bool) {
	all := rows()
	i := slices.IndexFunc(all, func(r row) bool { return r.name == name })
	if i < 0 {
		return row{}, false
	}
	return all[i], true
}

// listed is a gateway of the table.
type listed struct {
	client
	row
	settings Settings
}

// Send hands the message over.
func (t *listed) Send(ctx context.Context, m Message) error {
	base := t.base
	if other := t.address(t.settings); other != "" {
		base = strings.TrimRight(other, "/")
	}
	body, contentType, header := t.request(t.settings, m)
	if header == nil {
		header = http.Header{}
	}
	header.Set("Accept", "application/json")
	a, err := t.do(ctx, post{gateway: t.name, url: base + t.path, contentType: contentType, body: body, header: header})
	switch {
	case err != nil:
		return err
	case !a.ok():
		return refused(t.name, a.status)
	}
	if no := t.refusal(a); no != nil {
		return no
	}
	return nil
}

// saidNo is an answer that says no in its body alone. The body's words are not repeated: they may have the number in them.
func saidNo(gateway string, code int, permanent bool) *SendError {
	return &SendError{Permanent: permanent, Code: code, Err: fmt.Errorf("%s took no message, error %d", gateway, code)}
}

func unreadable(gateway string) *SendError {
	return &SendError{Err: errors.New(gateway + " answered what cannot be read")}
}

// textlocalRefusal reads {"status":"failure","errors":[{"code":192}]}. What a number or a text does wrong stays wrong.
func textlocalRefusal(a answer) *SendError {
	var said struct {
		Status string
		Errors []struct{ Code int }
	}
	switch {
	case json.Unmarshal(a.body, &said) != nil:
		return unreadable(Textlocal)
	case said.Status == "success":
		return nil
	case len(said.Errors) == 0:
		return saidNo(Textlocal, 0, false)
	}
	code := said.Errors[0].Code
	return saidNo(Textlocal, code, slices.Contains([]int{5, 6, 32, 33, 44, 51, 80, 99, 191, 192, 204}, code))
}

// vonageRefusal reads {"messages":[{"status":"0"}]}: one entry for each part of a long message.
func vonageRefusal(a answer) *SendError {
	var said struct {
		Messages []struct {
			Status string `json:"status"`
		} `json:"messages"`
	}
	if json.Unmarshal(a.body, &said) != nil || len(said.Messages) == 0 {
		return unreadable(Vonage)
	}
	for i, m := range said.Messages {
		if m.Status == "0" {
			continue
		}
		code := 0
		_, _ = fmt.Sscanf(m.Status, "%d", &code)                                               // no number is error 0
		return saidNo(Vonage, code, i > 0 || slices.Contains([]int{2, 3, 6, 7, 22, 33}, code)) // a part that went out must not go out twice
	}
	return nil
}

func msg91Request(s Settings, m Message) (body, contentType string, header http.Header) {
	type part struct {
		Message string   `json:"message"`
		To      []string `json:"to"`
	}
	text := map[string]any{"sender": s.MSG91Sender, "route": "4", "country": "0", "sms": []part{{m.Text, []string{bare(m.To)}}}}
	if hasUnicode(m.Text) {
		text["unicode"] = "1"
	}
	if s.MSG91Template != "" {
		text["DLT_TE_ID"] = s.MSG91Template
	}
	raw, err := json.Marshal(text)
	if err != nil {
		raw = []byte("{}") // strings alone cannot fail
	}
	return string(raw), "application/json", http.Header{"Authkey": {s.MSG91Key}}
}

// msg91Refusal reads {"type":"error"}.
func msg91Refusal(a answer) *SendError {
	var said struct{ Type string }
	switch {
	case json.Unmarshal(a.body, &said) != nil:
		return unreadable(MSG91)
	case said.Type == "success":
		return nil
	}
	return saidNo(MSG91, 0, false)
}

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
)

// twilio is an account at Twilio.
type twilio struct {
	client
	base           string // instead of Twilio's own, when set
	account, token string
}

// twilioInVain are Twilio's numbers for mistakes that stay mistakes, whatever the status of the
// answer: numbers that are none or take no messages, countries that the account does not send to,
// people who said STOP, and numbers that were sent too much.
var twilioInVain = []int{
	21211, 21214, 21217, 21265, 21408, 21604, 21610, 21612, 21614, 21617, 21635, 30003, 30004, 30005, 30006,
	60200, 60203, 60205, 60220, 60410, 60605,
}

// form posts a form to a path below the base. An answer other than success is an error.
func (t *twilio) form(ctx context.Context, base, path string, form url.Values) (answer, error) {
	if t.base != "" {
		base = strings.TrimRight(t.base, "/")
	}
	a, err := t.do(ctx, post{
		gateway: "twilio", url: base + path, contentType: "application/x-www-form-urlencoded",
		body: form.Encode(), user: t.account, pass: t.token, header: http.Header{"Accept": {"application/json"}},
	})
	if err != nil || a.ok() {
		return a, err
	}
	e := refused("twilio", a.status)
	var said struct{ Code int }
	if json.Unmarshal(a.body, &said) == nil && said.Code != 0 {
		e.Code = said.Code
		e.Permanent = e.Permanent || slices.Contains(twilioInVain, said.Code)
		e.Err = fmt.Errorf("%w, error %d: see https://www.twilio.com/docs/errors/%d", e.Err, said.Code, said.Code)
	}
	return a, e
}

// twilioMessaging sends texts of ours.
type twilioMessaging struct {
	twilio
	sender string // a messaging service, a number or a name
}

// Send hands the message over.
func (t *twilioMessaging) Send(ctx context.Context, m Message) error {
	form := url.Values{"To": {m.To}, "Body": {m.Text}}
	if isMessagingService(t.sender) {
		form.Set("MessagingServiceSid", t.sender)
	} else {
		form.Set("From", t.sender)
	}
	_, err := t.form(ctx, "https://api.twilio.com", "/2010-04-01/Accounts/"+url.PathEscape(t.account)+"/Messages.json", form)
	return err
}

// twilioVerify lets Twilio make, send and check the codes.
type twilioVerify struct {
	twilio
	service string
}

const verifyBase = "https://verify.twilio.com"

func (t *twilioVerify) path(what string) string {
	return "/v2/Services/" + url.PathEscape(t.service) + "/" + what
}

// start sends a code. Twilio answers 404 to a locale that it does not speak, and then knows best
// which to use for the number's country.
func (t *twilioVerify) start(ctx context.Context, to, locale string) error {
	form := url.Values{"To": {to}, "Channel": {"sms"}}
	if locale != "" {
		form.Set("Locale", locale)
	}
	a, err := t.form(ctx, verifyBase, t.path("Verifications"), form)
	if a.status == http.StatusNotFound && locale != "" {
		form.Del("Locale")
		_, err = t.form(ctx, verifyBase, t.path("Verifications"), form)
	}
	return err
}

// Twilio's numbers for codes that are not right.
const (
	verifyBadParameter = 60200
	verifyTooManyTries = 60202
)

// check holds a code against the one that was sent. Twilio forgets a code that was used, has expired
// or was guessed at five times.
func (t *twilioVerify) check(ctx context.Context, to, code string) (bool, error) {
	a, err := t.form(ctx, verifyBase, t.path("VerificationCheck"), url.Values{"To": {to}, "Code": {code}})
	if a.status == http.StatusNotFound || codeOf(err) == verifyBadParameter || codeOf(err) == verifyTooManyTries {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	var said struct{ Status, To string }
	if err := json.Unmarshal(a.body, &said); err != nil {
		return false, &SendError{Status: a.status, Err: errors.New("twilio: the answer about a code is not JSON")}
	}
	return said.Status == "approved" && said.To == to, nil
}

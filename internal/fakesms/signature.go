package fakesms

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// genuine holds a request against WebhookSecret, as a receiver of Standard Webhooks does: one of the
// signatures must fit, and the time must be near. House clocks that a test moves are let pass.
func genuine(header http.Header, body string) bool {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(WebhookSecret, "whsec_"))
	id, timestamp := header.Get("Webhook-Id"), header.Get("Webhook-Timestamp")
	seconds, notTime := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || id == "" || notTime != nil || time.Since(time.Unix(seconds, 0)) > 5*time.Minute {
		return false
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + timestamp + "." + body))
	want := "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
	for signature := range strings.FieldsSeq(header.Get("Webhook-Signature")) {
		if hmac.Equal([]byte(signature), []byte(want)) {
			return true
		}
	}
	return false
}

// fields reads number and text out of a body that has them as to and body.
func fields(contentType string, body []byte) (to, text string) {
	if strings.HasPrefix(contentType, "application/x-www-form-urlencoded") {
		form, err := url.ParseQuery(string(body))
		if err != nil {
			return "", ""
		}
		return form.Get("to"), form.Get("body")
	}
	var in struct{ To, Body string }
	if json.Unmarshal(body, &in) != nil {
		return "", string(body)
	}
	return in.To, in.Body
}

package sms

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"testing"
	"time"
	"unicode/utf8"
)

// The vector that Standard Webhooks publishes.
func TestSignature(t *testing.T) {
	t.Parallel()
	secrets, err := parseSecrets("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
	if err != nil {
		t.Fatal(err)
	}
	header := http.Header{}
	sign(header, secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`)
	if got, want := header.Get("Webhook-Signature"), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Every spelling of a secret signs with the same bytes; what cannot sign is refused.
func TestSpellingsOfSecrets(t *testing.T) {
	t.Parallel()
	const raw = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	for _, text := range []string{raw, "whsec_" + raw, "v1,whsec_" + raw, "v1," + raw, " whsec_" + raw + "\n", "|" + raw} {
		keys, err := parseSecrets(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		header := http.Header{}
		sign(header, keys, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), `{"test": 2432232314}`)
		if got := header.Get("Webhook-Signature"); got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" {
			t.Errorf("%q signs %s", text, got)
		}
	}
	for _, text := range []string{"whsec_c2hvcnQ=", "c2hvcnQ=", "whsec_", "whsec_*", "whpk_" + "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "v2,whsec_" + raw} {
		if _, err := parseSecrets(text); err == nil {
			t.Errorf("%q is taken", text)
		}
	}
}

// Whatever a text says, it comes out of the body as it went in, and adds nothing beside it.
func FuzzBodyKeepsValuesInTheirPlace(f *testing.F) {
	for _, s := range []string{"482913", `"`, `\`, `","x":"y`, "&to=+1", "${to}", "</b>", "\x00", "\u2028", "\xff", "😀"} {
		f.Add(s)
	}
	bodies := map[syntax]*bodyTemplate{}
	for s, text := range map[syntax]string{
		asJSON: `{"a": "x${to}", "b": "${body}y"}`, asForm: `{"a": "x${to}", "b": "${body}y"}`, asXML: `<m><a>x${to}</a><b>${body}y</b></m>`,
	} {
		t, err := parseBody(text, s)
		if err != nil {
			f.Fatal(err)
		}
		bodies[s] = t
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !utf8.ValidString(text) { // Send refuses those
			return
		}
		const to = "+15550100"
		var object map[string]string
		body, err := bodies[asJSON].fill(to, text)
		if err != nil || json.Unmarshal([]byte(body), &object) != nil || len(object) != 2 || object["a"] != "x"+to || object["b"] != text+"y" {
			t.Errorf("JSON of %q: %s, %v", text, body, err)
		}
		body, err = bodies[asForm].fill(to, text)
		form, bad := url.ParseQuery(body)
		if err != nil || bad != nil || len(form) != 2 || form.Get("a") != "x"+to || form.Get("b") != text+"y" {
			t.Errorf("form of %q: %s, %v", text, body, err)
		}
		type message struct {
			A    string   `xml:"a"`
			B    string   `xml:"b"`
			Rest []string `xml:",any"`
		}
		var m message
		body, err = bodies[asXML].fill(to, text)
		if err != nil || xml.Unmarshal([]byte(body), &m) != nil || m.A != "x"+to || len(m.Rest) != 0 {
			t.Errorf("XML of %q: %s, %v", text, body, err)
		}
	})
}

// Templates come from the operator, who may err; they must not bring the server down.
func FuzzParseBody(f *testing.F) {
	for _, s := range []string{defaultBody, "${", "${}", "${to", "${to}${body}", "${ to }\n${ body }", "$${to}}${body}"} {
		for syn := range 4 {
			f.Add(s, syn)
		}
	}
	f.Fuzz(func(t *testing.T, text string, syn int) {
		s := syntax(uint(syn) % 4)
		b, err := parseBody(text, s)
		if err != nil {
			return
		}
		body, err := b.fill("+4915112345678", "482913")
		if err != nil {
			t.Errorf("a template that was taken cannot be filled: %q: %v", text, err)
		}
		if s == asJSON && !json.Valid([]byte(body)) {
			t.Errorf("not JSON: %s", body)
		}
	})
}

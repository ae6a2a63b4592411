package sms_test

import (
	"strings"
	"testing"

	"postern/internal/fakesms"
	"postern/sms"
)

// TestWordsOfTheOperator have a code in them, and cannot fail once the server has started.
func TestWordsOfTheOperator(t *testing.T) {
	t.Parallel()
	for template, want := range map[string]string{
		"{{ .Code }} is it":   "123456 is it",
		" Code: {{.Code}}.\n": "Code: 123456.",
		"":                    "none",
		"No code":             "wrong",
		"{{ .Code }":          "wrong",
		"{{ .Nothing }}":      "wrong",
		"{{ .Code }}" + strings.Repeat("x", 1600): "wrong",
	} {
		s := sms.Settings{Provider: sms.Dev, Template: template}
		wrong := ""
		s.Check(func(env, problem string) { wrong = env + " " + problem })
		g, err := sms.Open(s, sms.Options{})
		if (err != nil) != (want == "wrong") || (wrong != "") != (want == "wrong") {
			t.Errorf("%q: %v, %q", template, err, wrong)
		}
		if err != nil {
			continue
		}
		said, ok := g.Words("123456")
		if !ok {
			said = "none"
		}
		if said != want {
			t.Errorf("%q says %q, want %q", template, said, want)
		}
		if _, ok := g.Words(""); ok {
			t.Errorf("%q says something where the gateway makes the code", template)
		}
	}
}

// TestMSG91GetsItsTemplate where one is registered, and nothing of the kind where none is.
func TestMSG91GetsItsTemplate(t *testing.T) {
	t.Parallel()
	for _, id := range []string{"", "1107160000000000001"} {
		server := fakesms.New(t)
		s := sms.Settings{Provider: sms.MSG91, MSG91Key: fakesms.GatewayKey, MSG91Sender: fakesms.GatewaySender, MSG91URL: server.URL + "/msg91", MSG91Template: id}
		g, err := sms.Open(s, sms.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := g.Send(t.Context(), sms.Message{ID: "1", To: "+15550100", Text: "Your code is 123456"}); err != nil {
			t.Fatal(err)
		}
		if body := server.Wait(t, "+15550100", 1)[0].Body; strings.Contains(body, `"DLT_TE_ID":"`+id+`"`) != (id != "") || strings.Contains(body, "DLT_TE_ID") != (id != "") {
			t.Errorf("template %q: %s", id, body)
		}
	}
}

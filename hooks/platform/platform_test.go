package platform

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/go-cmp/cmp"

	"postern/hooks"
)

func TestNumbersAreTakenApart(t *testing.T) {
	t.Parallel()
	for number, want := range map[string][2]string{
		"+15551234567": {"1", "5551234567"}, "+41791234567": {"41", "791234567"}, "+918861503583": {"91", "8861503583"},
		"+79161234567": {"7", "9161234567"}, "+3725123456": {"372", "5123456"}, "+4": {"4", ""}, "": {"", ""}, "+999": {"999", ""},
	} {
		if country, mobile := split(number); country != want[0] || mobile != want[1] {
			t.Errorf("%s: %s and %s", number, country, mobile)
		}
	}
}

func TestPayloads(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		about hooks.Requested
		want  string
	}{
		"verbatim":          {hooks.Requested{Method: "password", Data: []byte(`{ "a":1.0,"a ":[ ] }`)}, `{"provider":"email","data":{ "a":1.0,"a ":[ ] }}`},
		"whole":             {hooks.Requested{Method: "sms", Phone: "+1555", Data: []byte(`{}`), Whole: []byte(`{"provider":"x","data":{},"more":1}`)}, `{"provider":"x","data":{},"more":1}`},
		"nothing said":      {hooks.Requested{Method: "anonymous"}, `{"provider":"anonymous","data":{}}`},
		"a number":          {hooks.Requested{Method: "sms", Phone: "+15551234567", Data: []byte("{\"otp\":\"1\"\n}")}, `{"provider":"mobile","data":{"otp":"1","mobile":"5551234567","country_code":"1"}}`},
		"a number forged":   {hooks.Requested{Method: "sms", Phone: "+15551234567", Data: []byte(`{"m\u006fbile":"2","otp":"1"}`)}, `{"provider":"mobile","data":{"otp":"1","mobile":"5551234567","country_code":"1"}}`},
		"a provider":        {hooks.Requested{Method: "oauth", Provider: "github", Email: "a@b", Claims: map[string]string{"sub": "7"}, Data: []byte(`{}`)}, `{"provider":"github","data":{"email":"a@b","profile":{"sub":"7"}}}`},
		"a provider's name": {hooks.Requested{Method: "idtoken", Provider: `my"corp`, Data: []byte(`{}`)}, `{"provider":"my\"corp","data":{}}`},
	} {
		got, err := payload(tt.about)
		if err != nil || string(got) != tt.want {
			t.Errorf("%s: %s, %v", name, got, err)
		}
	}
	if got, err := payload(hooks.Requested{Method: "sms", Phone: "+1555", Data: []byte(`[1]`)}); err == nil {
		t.Errorf("a list became %s", got)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]hooks.Denied{
		`{"code":"no-room","message":"Full"}`: {Status: 403, Code: "no-room", Message: "Full", Body: []byte(`{"code":"no-room","message":"Full"}`)},
		`{"code":"a b","message":7}`:          {Status: 403, Code: rejected, Body: []byte(`{"code":"a b","message":7}`)},
		`[]`:                                  {Status: 403, Code: rejected, Body: []byte(`[]`)},
		`{"code":"a","code":"b"}`:             {Status: 403, Code: rejected, Message: `{"code":"a","code":"b"}`},
		"no":                                  {Status: 403, Code: rejected, Message: "no"},
		"":                                    {Status: 403, Code: rejected},
		`{"code":"` + strings.Repeat("x", 101) + `"}`:     {Status: 403, Code: rejected, Body: []byte(`{"code":"` + strings.Repeat("x", 101) + `"}`)},
		`{"message":"` + strings.Repeat("y", 2000) + `"}`: {Status: 403, Code: rejected, Message: strings.Repeat("y", 2000), Body: []byte(`{"message":"` + strings.Repeat("y", 2000) + `"}`)},
	} {
		got := refusal(hooks.Answer{Status: 403, Body: []byte(body)})
		if diff := cmp.Diff(&want, got); diff != "" {
			t.Errorf("%s: %s", body, diff)
		}
		if len(got.Words()) > 1000 {
			t.Errorf("%d bytes of words", len(got.Words()))
		}
	}
}

// saying is a runner that says one thing.
type saying hooks.Answer

func (s saying) Run(context.Context, hooks.Call) (hooks.Answer, error) { return hooks.Answer(s), nil }

// bound has hooks of this dialect that say one thing.
func bound(t testing.TB, s Settings, answer hooks.Answer) *hooks.Hooks {
	t.Helper()
	h := hooks.New()
	err := Bind(h, Bound{
		Settings: s, Runner: func(Hook) (hooks.Runner, error) { return saying(answer), nil }, Unread: func(context.Context, string, error) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Roles of providers come from the file, and those of an answer beside them.
func TestRolesOfProviders(t *testing.T) {
	t.Parallel()
	var s Settings
	s.Read(File{Providers: map[string]any{"email": map[string]any{"defaultRoles": []any{"shopper"}}}}, func(string, []string) string { return "" },
		func(_, problem string) { t.Error(problem) }, func(_, problem string) { t.Error(problem) })
	for name, tt := range map[string]struct {
		url, method string
		want        []string
	}{
		"of the file":        {"", "password", []string{"shopper"}},
		"of another":         {"", "sms", nil},
		"of file and answer": {"http://a", "password", []string{"shopper", "merchant"}},
		"of the answer":      {"http://a", "sms", []string{"merchant"}},
	} {
		s.PreSignup = tt.url
		h := bound(t, s, hooks.Answer{Status: 200, ContentType: "application/json", Body: []byte(`{"roles":["merchant"]}`)})
		e := hooks.Requested{Event: hooks.Event{ID: "1"}, Method: tt.method, Data: []byte(`{}`)}
		if err := h.SignUpRequested.Ask(t.Context(), &e); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, e.Roles()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// Whatever a hook answers, it agrees, refuses or fails, and gives no role that it may not give.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{`{"roles":["merchant"]}`, `{"roles":["admin"]}`, `{"code":"no","message":"No"}`, `null`, ``, `{"roles":[[]]}`, `{"roles":null,"roles":1}`} {
		f.Add(200, "application/json", []byte(body))
		f.Add(403, "text/plain; x", []byte(body))
	}
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte) {
		h := bound(t, Settings{PreSignup: "http://a"}, hooks.Answer{Status: status, ContentType: kind, Body: body})
		e := hooks.Requested{Event: hooks.Event{ID: "1"}, Method: "password", Data: []byte(`{}`)}
		err := h.SignUpRequested.Ask(t.Context(), &e)
		for _, r := range e.Roles() {
			if !validRole(r) || r == admin || err != nil {
				t.Fatalf("gives %q", r)
			}
		}
		var no *hooks.Denied
		switch {
		case status >= 200 && status <= 299:
			if errors.As(err, &no) {
				t.Fatal("agreeing refuses")
			}
		case status >= 400 && status <= 499:
			if !errors.As(err, &no) || no.Status != status || len(no.Body) > 0 && !json.Valid(no.Body) {
				t.Fatalf("refusing: %v", err)
			}
		case err == nil || errors.As(err, &no):
			t.Fatalf("%d: %v", status, err)
		}
	})
}

// Whatever a client sends, what a hook is told is JSON, and has the number that counts.
func FuzzPayload(f *testing.F) {
	f.Add([]byte(`{"mobile":"1","otp":"2"}`))
	f.Add([]byte(` { } `))
	f.Add([]byte("{\"a\":1\n,\"\\u006dobile\":{}}"))
	f.Fuzz(func(t *testing.T, data []byte) {
		body, err := payload(hooks.Requested{Method: "sms", Phone: "+15551234567", Data: data})
		if err != nil {
			if v := jsontext.Value(data); v.IsValid() && v.Kind() == '{' {
				t.Fatalf("an object is refused: %v", err)
			}
			return
		}
		var told struct{ Data map[string]json.RawMessage }
		if !jsontext.Value(body).IsValid() {
			t.Fatalf("no JSON: %s", body)
		}
		if err := json.Unmarshal(body, &told); err != nil || string(told.Data["mobile"]) != `"5551234567"` || string(told.Data["country_code"]) != `"1"` {
			t.Fatalf("%s, %v", body, err)
		}
	})
}

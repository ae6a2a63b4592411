package gotrue

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/hooks"
	"postern/userobject"
)

// TestSignatureIsAJWTOverTheBody verifies a signature as a receiver does that has jsonwebtoken.
func TestSignatureIsAJWTOverTheBody(t *testing.T) {
	t.Parallel()
	at := time.Unix(1767323045, 0)
	body := []byte(`{"event":"validate","instance_id":"00000000-0000-0000-0000-000000000000","user":{}}`)
	text := sign("the secret", body, at)
	var said jwt.MapClaims
	token, err := jwt.ParseWithClaims(text, &said, func(*jwt.Token) (any, error) { return []byte("the secret"), nil },
		jwt.WithValidMethods([]string{"HS256"}), jwt.WithIssuer("gotrue"), jwt.WithSubject("00000000-0000-0000-0000-000000000000"))
	if err != nil || !token.Valid {
		t.Fatal(err)
	}
	digest := sha256.Sum256(body)
	want := jwt.MapClaims{"iat": 1767323045.0, "sub": "00000000-0000-0000-0000-000000000000", "iss": "gotrue", "sha256": hex.EncodeToString(digest[:])}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(map[string]any{"alg": "HS256", "typ": "JWT"}, token.Header); diff != "" {
		t.Error(diff)
	}
	if _, err := jwt.Parse(text, func(*jwt.Token) (any, error) { return []byte("another secret"), nil }); err == nil {
		t.Error("another secret verifies it, too")
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		s    Settings
		want string
	}{
		{Settings{}, ""},
		{Settings{URL: "https://hooks.example.com/x", Events: []string{"validate", "login"}}, ""},
		{Settings{URL: "/hook"}, ""},
		{Settings{Events: []string{"validate"}}, "AUTH_WEBHOOK_URL is needed: AUTH_WEBHOOK_EVENTS is set"},
		{Settings{URL: "/hook", Events: []string{"signin"}}, `AUTH_WEBHOOK_EVENTS names "signin", which is none of validate, signup, login`},
		{Settings{URL: "/hook", Events: []string{"email_change"}}, "AUTH_WEBHOOK_EVENTS names email_change, which is not told here; the event email.changed of docs/events.md tells it"},
	} {
		var got []string
		tt.s.Check(func(env, problem string) { got = append(got, env+" "+problem) })
		if strings.Join(got, "\n") != tt.want {
			t.Errorf("%+v: %q, want %q", tt.s, got, tt.want)
		}
	}
	for text, want := range map[string]string{
		"https://u:p@hooks.example.com/x?y=z": "https://u:p@hooks.example.com/x?y=z", "/.netlify/functions/hook": "https://me:secret@app.example.com:8443/.netlify/functions/hook",
		"hook?a=b": "https://me:secret@app.example.com:8443/hook?a=b",
	} {
		if got, err := (Settings{URL: text}).Address("https://me:secret@app.example.com:8443/start#there"); err != nil || got != want {
			t.Errorf("%s is at %s, %v", text, got, err)
		}
	}
	for _, site := range []string{"", "nowhere", "::"} {
		if got, err := (Settings{URL: "/hook"}).Address(site); err == nil {
			t.Errorf("without a host it is at %s", got)
		}
	}
	s := Settings{}
	if s.Tries() != 3 || s.PerTry() != 5*time.Second || s.Budget() != 15*time.Second {
		t.Errorf("zero is %d times %s", s.Tries(), s.PerTry())
	}
	s = Settings{URL: "/", Retries: 1, Timeout: time.Second, Events: []string{"login", "validate", "nothing"}}
	if s.Tries() != 1 || s.Budget() != time.Second || !cmp.Equal(s.Enabled(), []string{"validate", "login"}) {
		t.Errorf("%d times %s, told of %v", s.Tries(), s.PerTry(), s.Enabled())
	}
}

// says is a runner that gives one answer, or one error, and remembers the question.
type says struct {
	body  string
	err   error
	asked []hooks.Call
}

func (s *says) Run(_ context.Context, c hooks.Call) (hooks.Answer, error) {
	s.asked = append(s.asked, c)
	if s.err != nil {
		return hooks.Answer{}, s.err
	}
	return hooks.Answer{Status: 200, Body: []byte(s.body)}, nil
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	const before = `{"old":true,"provider":"ours","app_metadata":{"roles":["staff"],"n":9007199254740993}}`
	const kept = `{"app_metadata":{"n":9007199254740993,"roles":["staff"]},"old":true,"provider":"ours"}`
	tests := map[string]struct {
		says
		want    string // the metadata
		refused bool
		failure string
	}{
		"nothing":               {says: says{}, want: kept},
		"blanks":                {says: says{body: " \n"}, want: kept},
		"an empty object":       {says: says{body: `{}`}, want: kept},
		"other members":         {says: says{body: `{"user":{"id":"other","email":"x@example.com"},"event":"login","role":"admin"}`}, want: kept},
		"nulls":                 {says: says{body: `{"user_metadata":null,"app_metadata":null}`}, want: kept},
		"user metadata":         {says: says{body: `{"user_metadata":{"new":9007199254740993,"provider":"stolen"}}`}, want: `{"app_metadata":{"n":9007199254740993,"roles":["staff"]},"new":9007199254740993,"provider":"ours"}`},
		"app metadata":          {says: says{body: `{"app_metadata":{"roles":["admin"],"provider":"stolen","providers":["stolen"]}}`}, want: `{"app_metadata":{"roles":["admin"]},"old":true,"provider":"ours"}`},
		"both":                  {says: says{body: `{"app_metadata":{"roles":[]},"user_metadata":{}}`}, want: `{"app_metadata":{"roles":[]},"provider":"ours"}`},
		"empty app metadata":    {says: says{body: `{"app_metadata":{}}`}, want: `{"old":true,"provider":"ours"}`},
		"app metadata inside":   {says: says{body: `{"user_metadata":{"app_metadata":{"roles":["admin"]}}}`}, failure: "the answer makes no sense: its user_metadata has a member app_metadata, which belongs beside it"},
		"a list":                {says: says{body: `[]`}, failure: "the answer makes no sense: it is no object"},
		"null":                  {says: says{body: `null`}, failure: "the answer makes no sense: it is no object"},
		"no JSON":               {says: says{body: `fine`}, failure: "the answer makes no sense: it is no JSON"},
		"a member twice":        {says: says{body: `{"user_metadata":{},"user_metadata":{"a":1}}`}, failure: "the answer makes no sense: it is no JSON"},
		"no UTF-8":              {says: says{body: "{\"user_metadata\":{\"a\":\"\xff\"}}"}, failure: "the answer makes no sense: it is no JSON"},
		"metadata that is none": {says: says{body: `{"user_metadata":[1]}`}, failure: "the answer makes no sense: its user_metadata is no object"},
		"too much":              {says: says{body: `{"user_metadata":{"long":"` + strings.Repeat("x", 70_000) + `"}}`}, failure: "the metadata is longer than allowed"},
		"a refusal":             {says: says{err: hooks.BadStatus{Status: 403}}, refused: true},
		"trouble":               {says: says{err: hooks.BadStatus{Status: 503}}, failure: "answered with status 503"},
		"a redirect":            {says: says{err: hooks.BadStatus{Status: 302}}, failure: "answered with status 302"},
		"silence":               {says: says{err: hooks.TimedOut{After: time.Second}}, failure: "no answer within 1s"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := hooks.New()
			if err := Bind(h, Validate, Settings{}, &tt.says); err != nil {
				t.Fatal(err)
			}
			e := hooks.UserCreating{Event: hooks.SampleEvent(), User: auth.User{ID: "id", Metadata: json.RawMessage(before)}}
			err := h.UserCreating.Ask(t.Context(), &e)
			var no *hooks.Denied
			var failed *hooks.Failed
			switch {
			case errors.As(err, &no):
				if !tt.refused || no.Status != 422 || no.Message != "" {
					t.Errorf("refused: %+v", no)
				}
				return
			case errors.As(err, &failed):
				if text := failed.Err.Error(); tt.failure == "" || !strings.HasPrefix(text, tt.failure) {
					t.Errorf("failed: %s", text)
				}
				return
			case err != nil || tt.refused || tt.failure != "":
				t.Fatalf("passed: %v", err)
			}
			var was, is any
			if err := errors.Join(json.Unmarshal([]byte(tt.want), &was), json.Unmarshal(e.Current().Metadata, &is)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(was, is); diff != "" {
				t.Error(diff)
			}
			if strings.Contains(tt.want, "9007199254740993") != strings.Contains(string(e.Current().Metadata), "9007199254740993") {
				t.Errorf("a number became another: %s", e.Current().Metadata)
			}
		})
	}
}

// TestWhatTheReceiverIsTold holds the three events, and that one of them is left out where another tells of
// the same.
func TestWhatTheReceiverIsTold(t *testing.T) {
	t.Parallel()
	h, r := hooks.New(), &says{body: `{"app_metadata":{"seen":true}}`}
	for _, name := range Events() {
		if err := Bind(h, name, Settings{Secret: "s"}, r); err != nil {
			t.Fatal(err)
		}
	}
	if err := Bind(h, "email_change", Settings{}, r); err == nil {
		t.Error("an event that there is not was bound")
	}
	s := hooks.NewSamples(hooks.SampleEvent())
	creating, confirmed, login, first := s.UserCreating, s.UserConfirmed, s.SessionOpening, s.SessionOpening
	creating.User.EmailVerified, creating.User.PhoneNumber, creating.Provider, first.Confirms = false, "", "github", true
	creating.User.Metadata = json.RawMessage(`{"plan":"free","app_metadata":{"roles":["a"],"provider":"forged"}}`)
	err := errors.Join(h.UserCreating.Ask(t.Context(), &creating), h.UserConfirmed.Ask(t.Context(), &confirmed), h.SessionOpening.Ask(t.Context(), &login), h.SessionOpening.Ask(t.Context(), &first))
	if err != nil {
		t.Fatal(err)
	}
	if len(r.asked) != 3 {
		t.Fatalf("told %d times", len(r.asked))
	}
	for i, name := range Events() {
		var got struct {
			Event      string
			InstanceID string `json:"instance_id"`
			User       map[string]any
		}
		if err := json.Unmarshal(r.asked[i].Body, &got); err != nil {
			t.Fatal(err)
		}
		if got.Event != name || got.InstanceID != nobody || got.User["email"] != "jane@example.com" || got.User["aud"] != "authenticated" || got.User["role"] != "authenticated" {
			t.Errorf("told %s", r.asked[i].Body)
		}
		if r.asked[i].Header[header] == "" {
			t.Errorf("%s is not signed", name)
		}
		if _, there := got.User["confirmed_at"]; there == (name == Validate) {
			t.Errorf("%s is told of %v", name, got.User)
		}
		if name == Validate {
			want := fmt.Sprint(map[string]any{"provider": "github", "providers": []any{"github"}, "roles": []any{"a"}})
			if fmt.Sprint(got.User["app_metadata"]) != want || fmt.Sprint(got.User["user_metadata"].(map[string]any)["plan"]) != "free" {
				t.Errorf("told of %v", got.User)
			}
		}
	}
	unsigned := &says{}
	plain := hooks.New()
	if err := errors.Join(Bind(plain, Login, Settings{}, unsigned), plain.SessionOpening.Ask(t.Context(), &login)); err != nil || unsigned.asked[0].Header != nil {
		t.Errorf("without a secret: %v, %v", unsigned.asked[0].Header, err)
	}
	for _, p := range Points(Settings{}) {
		var said struct{ User userobject.User }
		if err := json.Unmarshal(p.Sample(), &said); err != nil || said.User.ID == "" {
			t.Errorf("sample of %s: %v", p.Name, err)
		}
	}
}

// FuzzAnswers reads answers of strangers' making.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"app_metadata":{"roles":["a"]},"user_metadata":{"a":1}}`))
	f.Add([]byte(`{"user_metadata":{"app_metadata":1}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		c, err := read(hooks.Answer{Body: body})
		if err != nil {
			return
		}
		users, apps := userobject.Split(json.RawMessage(`{"provider":"ours"}`))
		all := c.of(auth.User{Metadata: json.RawMessage(`{"provider":"ours"}`)})
		if said, _ := all[auth.AppMetadata].(map[string]any); said["provider"] != nil || said["providers"] != nil {
			t.Errorf("%v of %v, %v", all, users, apps)
		}
	})
}

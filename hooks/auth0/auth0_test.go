package auth0

import (
	"encoding/json"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"postern/auth"
	"postern/hooks"
)

func said(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	return json.RawMessage(text)
}

func TestWhatAMachinesTokenBecomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		data   string
		scope  []string
		claims map[string]any
		wrong  bool
	}{
		"the scope goes on":              {`{"scope":["a","b","a"]}`, []string{"a", "b"}, nil, false},
		"a scope that is one text":       {`{"scope":"a  b"}`, []string{"a", "b"}, nil, false},
		"no scope is none":               {`{}`, nil, nil, false},
		"null is none":                   {`{"scope":null}`, nil, nil, false},
		"nothing said is none":           {``, nil, nil, false},
		"claims with addresses":          {`{"scope":[],"https://example.com/a":1,"http://example.com/b":{"c":true}}`, nil, map[string]any{"https://example.com/a": json.Number("1"), "http://example.com/b": map[string]any{"c": true}}, false},
		"claims of ours":                 {`{"sub":"x","exp":1,"iss":"x","azp":"x","gty":"password","aud":"y","permissions":["a"],"":1}`, nil, nil, false},
		"claims of Auth0's hosts":        {`{"https://auth0.com/a":1,"https://x.AUTH0.com/a":1,"http://webtask.io":1,"https://a.b.webtask.run/x":1,"https://auth0.com./a":1,"https://auth0.com:8443/a":1,"https://u@auth0.com/a":1}`, nil, nil, false},
		"hosts that only look like it":   {`{"https://myauth0.com/a":true}`, nil, map[string]any{"https://myauth0.com/a": true}, false},
		"other schemes":                  {`{"ftp://example.com/a":1,"urn:a:b":1,"//example.com/a":1,"https:///a":1,"javascript:x":1}`, nil, nil, false},
		"a list":                         {`["a"]`, nil, nil, true},
		"a text":                         {`"a"`, nil, nil, true},
		"a scope of numbers":             {`{"scope":[1]}`, nil, nil, true},
		"a scope that is an object":      {`{"scope":{}}`, nil, nil, true},
		"more claims than a token has":   {`{"https://example.com/a":"` + strings.Repeat("x", 65<<10) + `"}`, nil, nil, true},
		"an address that is none at all": {`{"https://%zz/":1}`, nil, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			effect, err := minted(said(tt.data))
			if (err != nil) != tt.wrong {
				t.Fatal(err)
			}
			if err != nil {
				return
			}
			e := hooks.ClientTokenMinting{Scope: []string{"before"}}
			if err := effect(&e); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.scope, e.Scope); diff != "" {
				t.Errorf("scope: %s", diff)
			}
			if diff := cmp.Diff(tt.claims, e.Claims); diff != "" {
				t.Errorf("claims: %s", diff)
			}
		})
	}
}

func TestWhatTheMetadataOfANewUserBecomes(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		before, data string
		after        string // empty where the script failed
	}{
		"nothing said":                        {`{"a":1}`, ``, `{"a":1}`},
		"no user":                             {`{"a":1}`, `{}`, `{"a":1}`},
		"a member beside others":              {`{"a":1}`, `{"user":{"user_metadata":{"b":2}}}`, `{"a":1,"b":2}`},
		"a member in the place of another":    {`{"a":1}`, `{"user":{"user_metadata":{"a":{"c":null}}}}`, `{"a":{"c":null}}`},
		"both parts":                          {`{}`, `{"user":{"user_metadata":{"a":1},"app_metadata":{"plan":"gold"}}}`, `{"a":1,"app_metadata":{"plan":"gold"}}`},
		"no metadata before":                  {``, `{"user":{"app_metadata":{"plan":"gold"}}}`, `{"app_metadata":{"plan":"gold"}}`},
		"metadata that is no object":          {`[1]`, `{"user":{"user_metadata":{"a":1}}}`, `{"a":1}`},
		"the whole user back":                 {`{"a.b":{"$c":1}}`, `{"user":{"email":"x@y","password":"p","user_metadata":{"a.b":{"$c":1}},"app_metadata":{}}}`, `{"a.b":{"$c":1}}`},
		"big numbers":                         {`{}`, `{"user":{"user_metadata":{"n":12345678901234567890}}}`, `{"n":12345678901234567890}`},
		"null":                                {`{"a":1}`, `{"user":{"user_metadata":null,"app_metadata":null}}`, `{"a":1}`},
		"what is ours":                        {`{}`, `{"user":{"user_metadata":{"provider":"x","providers":[],"a":1}}}`, `{"a":1}`},
		"app_metadata of the person's":        {`{"app_metadata":{"plan":"gold"},"a":1}`, ``, `{"a":1}`},
		"app_metadata of both":                {`{"app_metadata":{"plan":"gold","x":1}}`, `{"user":{"app_metadata":{"plan":"free"}}}`, `{"app_metadata":{"plan":"free"}}`},
		"a name with a dollar":                {`{}`, `{"user":{"user_metadata":{"$a":1}}}`, ``},
		"a name with a dot":                   {`{}`, `{"user":{"app_metadata":{"a.b":1}}}`, ``},
		"a name with a dot inside":            {`{}`, `{"user":{"user_metadata":{"a":[{"b":{"c.d":1}}]}}}`, ``},
		"a changed value under a name as was": {`{"a.b":1}`, `{"user":{"user_metadata":{"a.b":2}}}`, ``},
		"a text":                              {`{}`, `{"user":{"user_metadata":"a"}}`, ``},
		"a list":                              {`{}`, `{"user":{"app_metadata":[]}}`, ``},
		"one in the other":                    {`{}`, `{"user":{"user_metadata":{"app_metadata":{}}}}`, ``},
		"no object at all":                    {`{}`, `7`, ``},
		"a user who is a text":                {`{}`, `{"user":"x"}`, ``},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			before, _ := metadataOf(said(tt.before))
			given, err := registered(said(tt.data), before)
			if err != nil || tt.after == "" {
				if (err != nil) != (tt.after == "") {
					t.Errorf("%v", err)
				}
				return
			}
			e := hooks.UserCreating{User: auth.User{Metadata: said(tt.before)}}
			if effect := given.effect(e.User.Metadata); effect != nil {
				err = effect(&e)
			}
			after, _, wrong := e.Metadata(e.User.Metadata)
			if err != nil || wrong != nil || string(after) != tt.after {
				t.Errorf("%s %v %v, want %s", after, err, wrong, tt.after)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		body    string
		token   string // status, code and message
		user    string
		message string
	}{
		"a scope":            {`{"name":"InvalidScopeError","message":"no such"}`, "400 invalid_scope no such", "", ""},
		"a request":          {`{"name":"InvalidRequestError","message":"no such"}`, "400 invalid_request no such", "", ""},
		"the server":         {`{"name":"ServerError","message":"down"}`, "500 server_error down", "", ""},
		"a plain one":        {`{"name":"Error","message":"down"}`, "500 server_error down", "", ""},
		"a user":             {`{"name":"PreUserRegistrationError","message":"log","friendlyMessage":"person"}`, "500 server_error log", "400 extensibility_error person", ""},
		"a user, no words":   {`{"name":"PreUserRegistrationError","message":"log"}`, "500 server_error log", "400 extensibility_error ", ""},
		"words of a machine": {`{"name":"PreUserRegistrationError","message":"log","friendlyMessage":{"a":1}}`, "500 server_error log", "400 extensibility_error ", ""},
		"a message":          {`{"name":"SendPhoneMessageError","message":"log","friendlyMessage":"person"}`, "500 server_error log", "", "500 extensibility_error person"},
		"no error at all":    {`7`, "500 server_error ", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, err := read(hooks.Answer{Body: []byte(`{"status":"error","data":` + tt.body + `}`)})
			if err != nil || r.thrown == nil {
				t.Fatalf("%v", err)
			}
			for what, got := range map[string]error{tt.token: refusedToken(r.thrown), tt.user: refusedUser(r.thrown), tt.message: unsent(r.thrown)} {
				no, refuses := got.(*hooks.Denied) //nolint:errorlint // it is made here
				switch {
				case !refuses && what != "":
					t.Errorf("%v, want %s", got, what)
				case refuses:
					if text := strings.Join([]string{json.Number(jsonOf(no.Status)).String(), no.Code, no.Message}, " "); text != what {
						t.Errorf("%s, want %s", text, what)
					}
				}
			}
		})
	}
}

func jsonOf(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}

func TestConnections(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]string{
		"password": "Username-Password-Authentication", "webauthn": "Username-Password-Authentication", "link": "email", "otp": "email", "sms": "sms",
		"anonymous": "", "oauth": "", "idtoken": "",
	} {
		if got := connectionOf(method, ""); got != want {
			t.Errorf("%s: %s, want %s", method, got, want)
		}
		if got := connectionOf(method, "github"); got != "" {
			t.Errorf("%s by a provider: %s", method, got)
		}
	}
}

func TestAddressesAreWide(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{"203.0.113.7": "::ffff:203.0.113.7", "2001:db8::1": "2001:db8::1", "fe80::1%eth0": "fe80::1"} {
		if got := wide(netip.MustParseAddr(address)); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
	if got := wide(netip.Addr{}); got != "" {
		t.Error(got)
	}
}

func TestSamplesAndStarters(t *testing.T) {
	t.Parallel()
	for _, r := range rows {
		if strings.ContainsAny(r.prelude(), "\r\n") {
			t.Errorf("%s: what is put before a script is more than one line", r.trigger)
		}
		if !strings.Contains(Starter(r.trigger), "module.exports = function ("+strings.Join(r.params, ", ")+", cb)") {
			t.Errorf("%s: no script to begin with", r.trigger)
		}
		p, known := ProgramOf(Script{Trigger: r.trigger, Secrets: map[string]string{"KEY": "hunter2"}})
		if !known {
			t.Errorf("%s is not known", r.trigger)
		}
		args, err := p.Args(hooks.Call{ID: "one", Body: Sample(r.trigger)})
		if err != nil || len(args) != len(r.params) {
			t.Fatalf("%s: %d arguments, %v", r.trigger, len(args), err)
		}
		var where struct {
			Webtask struct {
				ID            string
				Secrets, Data map[string]string
				Body          map[string]any
			}
		}
		if err := json.Unmarshal(args[len(args)-1], &where); err != nil || where.Webtask.ID != "one" || where.Webtask.Secrets["KEY"] != "hunter2" ||
			where.Webtask.Data["KEY"] != "hunter2" || len(where.Webtask.Body) != len(r.params) {
			t.Errorf("%s: context %s %v", r.trigger, args[len(args)-1], err)
		}
		for i, arg := range args {
			if string(arg) == "null" {
				t.Errorf("%s: no %s", r.trigger, r.params[i])
			}
		}
	}
	if Starter("x") != "" || Sample("x") != nil {
		t.Error("something of a trigger that does not exist")
	}
}

func FuzzRead(f *testing.F) {
	f.Add(`{"status":"success","data":{"scope":["a"],"https://example.com":1}}`)
	f.Add(`{"status":"error","data":{"name":"Error","message":"\u2028","stack":7}}`)
	f.Add(`{"status":"success","data":{"user":{"user_metadata":{"a":[{"$b":1}]}}}}`)
	f.Fuzz(func(t *testing.T, body string) {
		r, err := read(hooks.Answer{Body: []byte(body)})
		if err != nil {
			return
		}
		if r.thrown != nil {
			if text := r.thrown.String(); len(text) > longestWhy || strings.ContainsAny(text, "\r\n") {
				t.Errorf("%q", text)
			}
			return
		}
		if effect, err := minted(r.data); err == nil {
			if err := effect(&hooks.ClientTokenMinting{}); err != nil {
				t.Errorf("a claim that was let pass is refused: %v", err)
			}
		}
		_, _ = registered(r.data, nil)
	})
}

package server

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"postern/auth"
)

type wire struct {
	Email   string `json:"email"`
	Count   int    `json:"count"`
	All     bool   `json:"all"`
	Options struct {
		Roles    []string        `json:"roles"`
		Name     *string         `json:"name"`
		Metadata json.RawMessage `json:"metadata"`
	} `json:"options"`
}

func (w *wire) Check() error {
	if w.Email == "" {
		return auth.Invalid{Field: "email", Problem: "must be there"}
	}
	return nil
}

var wireBody = Body{Free: []string{"options.metadata"}}

func request(body string, header ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

func TestDecodeNamesTheMemberThatIsWrong(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40)
	for _, c := range []struct{ name, body, want string }{
		{"empty", ``, "body must be a JSON object"},
		{"blank", " \n", "body must be a JSON object"},
		{"not JSON", `{"email":`, "body must be valid JSON (it breaks at byte 9)"},
		{"text", `hello`, "body must be valid JSON (it breaks at byte 0)"},
		{"string", `"x"`, "body must be a JSON object"},
		{"number", `1`, "body must be a JSON object"},
		{"null", `null`, "body must not be null; leave it out instead"},
		{"list", `[]`, "body must be a JSON object"},
		{"two objects", `{"email":"a"}{}`, "body must be a single JSON object"},
		{"something after", `{"email":"a"} x`, "body must be a single JSON object"},
		{"missing", `{}`, "email must be there"},
		{"null member", `{"email":null}`, "email must not be null; leave it out instead"},
		{"null inside", `{"email":"a","options":{"name":null}}`, "options.name must not be null; leave it out instead"},
		{"null in a list", `{"email":"a","options":{"roles":["x",null]}}`, "options.roles.1 must not be null; leave it out instead"},
		{"null in the place of the free one", `{"email":"a","options":{"metadata":null}}`, "options.metadata must not be null; leave it out instead"},
		{"wrong type", `{"email":1}`, "email must be a string"},
		{"wrong type inside", `{"email":"a","options":{"roles":"x"}}`, "options.roles must be a list"},
		{"wrong number", `{"email":"a","count":1.5}`, "count must be a number"},
		{"huge number", `{"email":"a","count":1e400}`, "count must be a number that fits a double"},
		{"huge number in the free one", `{"email":"a","options":{"metadata":{"x":[1e200000]}}}`, "options.metadata.x.0 must be a number that fits a double"},
		{"minute number in the free one", `{"email":"a","options":{"metadata":{"x":1e-200000}}}`, "options.metadata.x must be a number that fits a double"},
		{"endless number in the free one", `{"email":"a","options":{"metadata":{"x":0.` + strings.Repeat("1", 20_000) + `}}}`, "options.metadata.x must be a number that fits a double"},
		{"wrong bool", `{"email":"a","all":"true"}`, "all must be true or false"},
		{"unknown", `{"email":"a","admin":true}`, "admin is not a member of this request"},
		{"unknown inside", `{"email":"a","options":{"id":"x"}}`, "options.id is not a member of this request"},
		{"other case", `{"EMAIL":"a"}`, "EMAIL is not a member of this request"},
		{"T-38: twice", `{"email":"a","email":"b"}`, "email must not appear twice"},
		{"twice in the free one", `{"email":"a","options":{"metadata":{"x":1,"x":2}}}`, "options.metadata.x must not appear twice"},
		{"invalid UTF-8", "{\"email\":\"\xff\"}", "email must be valid UTF-8"},
		{"lone surrogate", `{"email":"\ud800"}`, "email must not hold half a surrogate pair"},
		{"NUL", `{"email":"a\u0000b"}`, "email must not hold a NUL character"},
		{"NUL in the free one", `{"email":"a","options":{"metadata":{"x":"\u0000"}}}`, "options.metadata.x must not hold a NUL character"},
		{"T-44: too deep", `{"email":"a","options":{"metadata":` + deep + `}}`, "body must not be nested deeper than 32 levels"},
		{"many numbers that are long when written out", `{"email":"a","options":{"metadata":{"n":[` + strings.Repeat("1e300,", 200) + `1]}}}`, "options.metadata.n.109 is one of too many numbers with large exponents"},
		{"BOM", "\ufeff{}", "body must be valid JSON (it breaks at byte 0)"},
		{"too long", `{"email":"` + strings.Repeat("a", maxBody) + `"}`, "body must not be longer than 1 MiB"},
	} {
		_, err := Decode[wire](request(c.body), wireBody)
		var invalid auth.Invalid
		if !errors.As(err, &invalid) || invalid.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
		if auth.CodeOf(err) != auth.BadRequest {
			t.Errorf("%s: got code %s", c.name, auth.CodeOf(err))
		}
	}
}

func TestDecodeHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		header []string
		want   string
	}{
		{[]string{"Content-Type", "application/json; charset=UTF-8"}, ""},
		{[]string{"Content-Type", "text/plain"}, "Content-Type must be application/json"},
		{[]string{"Content-Type", "application/x-www-form-urlencoded"}, "Content-Type must be application/json"},
		{[]string{"Content-Type", ""}, "Content-Type must be application/json"},
		{[]string{"Content-Type", "application/json; charset=latin1"}, "Content-Type must have the charset utf-8, if any"},
		{[]string{"Content-Encoding", "gzip"}, "body must not be compressed"},
	} {
		_, err := Decode[wire](request(`{"email":"a"}`, c.header...), wireBody)
		if got := text(err); got != c.want {
			t.Errorf("%v: got %q, want %q", c.header, got, c.want)
		}
	}
}

func TestDecodeTakesWhatIsRight(t *testing.T) {
	t.Parallel()
	in, err := Decode[wire](request(`{"email":"a","options":{"roles":["x"],"metadata":{"n":null,"l":[null,{"d":1}]}}}`), wireBody)
	if err != nil || string(in.Options.Metadata) != `{"n":null,"l":[null,{"d":1}]}` {
		t.Errorf("got %s, %v", in.Options.Metadata, err)
	}
	optional, err := Decode[struct {
		A string `json:"a"`
	}](request(""), Body{Optional: true})
	if err != nil || optional.A != "" {
		t.Errorf("an optional body may be missing: %v", err)
	}
	if _, err := Decode[struct{}](request(`{"stray":1}`), Body{Lenient: true}); err != nil {
		t.Errorf("a lenient body may have more: %v", err)
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// FuzzDecode holds that whatever comes in, the answer is a struct or a refusal that names a field
// and repeats no control character.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{`{"email":"a"}`, `{"email":null}`, `{"options":{"metadata":{"a":[1,2,{"b":null}]}}}`, "{\"a\":\"\xff\"}", `[`, `{"a":1}{`, `{"\u0000":1}`, `{"":0,""`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		_, err := Decode[wire](request(body), wireBody)
		if err == nil {
			return
		}
		var invalid auth.Invalid
		if !errors.As(err, &invalid) || invalid.Field == "" || invalid.Problem == "" {
			t.Fatalf("%q: %v", body, err)
		}
		if len(invalid.Error()) > 600 {
			t.Fatalf("the refusal is %d bytes long", len(invalid.Error()))
		}
	})
}

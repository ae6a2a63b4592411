package hasura

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"postern/auth"
	"postern/flow"
)

// FuzzForwarded holds that a body is read as encoding/json reads it, where that reads it at all, and that every
// other is refused with a reason.
func FuzzForwarded(f *testing.F) {
	for _, s := range []string{
		`{"headers":{"Authorization":"Bearer x"}}`, `{"request":{"a":[1,{"headers":{}}]},"headers":{"x-hasura-role":"a","X-Hasura-Role":"b"}}`,
		`{"headers":{"authorization":1}}`, `{"headers":null}`, `{"headers":{}`, `{"headers":{"a":"\ud800"}}`, "{\"headers\":{\"authorization\":\"\xff\"}}", `[]`, `{"a":1}`, `{"headers":{"authorization":"a","authorization":"b"}}`, "\ufeff{}",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := readForwarded(strings.NewReader(body))
		if err != nil {
			var invalid auth.Invalid
			if !errors.As(err, &invalid) || invalid.Field == "" || invalid.Problem == "" || len(invalid.Error()) > 200 {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		in, err := got.request()
		if err == nil && strings.ContainsAny(in.Credential, " \t") {
			t.Fatalf("%q: credential %q", body, in.Credential)
		}
		var all struct{ Headers map[string]json.RawMessage }
		if json.Unmarshal([]byte(body), &all) != nil {
			return // what comes after the headers may be broken
		}
		for name := range all.Headers {
			if strings.EqualFold(name, "Authorization") && strings.Count(body, `"headers"`) == 1 && len(got.authorization) == 0 {
				t.Fatalf("%q: the header was not seen", body)
			}
		}
	})
}

func TestVariablesAreJSONWhateverTheyHold(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	i := &flow.Identity{Ends: now.Add(time.Hour), Variables: []flow.Variable{
		{Name: "x-hasura-a", Value: "\"},{\"x-hasura-role\":\"admin\""}, {Name: "x-hasura-\"b", Value: "\x00\u2028\r\n\\"}, {Name: "x-hasura-\xffc", Value: "\xff"},
	}}
	var got map[string]string
	if err := json.Unmarshal(variablesOf(i, now), &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 5 || got["x-hasura-a"] != i.Variables[0].Value || got["x-hasura-\"b"] != i.Variables[1].Value || got["x-hasura-\ufffdc"] != "\ufffd" ||
		got["Cache-Control"] != "max-age=3600" || got["Expires"] != "Tue, 14 Nov 2023 23:13:20 GMT" {
		t.Errorf("got %q", got)
	}
}

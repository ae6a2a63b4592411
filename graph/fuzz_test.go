package graph

import (
	"testing"

	"postern/auth"
)

// FuzzBounded: whatever is sent as a query is measured without a fault, and quickly.
func FuzzBounded(f *testing.F) {
	for _, q := range []string{
		"{operator{rights}}", "{...a} fragment a on Query{...b ...b} fragment b on Query{...a}",
		"query($a:[[Int]]=[[1]]){a(b:{c:[{d:1}]})@e(f:1)}", "{", "\x00", "{a(b:\"\"\"x\"\"\")}", "{__schema{types{fields{name}}}}",
	} {
		f.Add(q)
	}
	f.Fuzz(func(t *testing.T, query string) {
		if err := bounded(query); err != nil && auth.CodeOf(err) != auth.BadRequest {
			t.Errorf("%q: %v", query, err)
		}
	})
}

// FuzzParams: whatever is sent as a body is read, or refused as a bad request.
func FuzzParams(f *testing.F) {
	for _, body := range []string{`{"query":"{a}","variables":{"b":[1,2.5,"c",null]},"operationName":"d","extensions":{}}`, `{"query":7}`, `[`, `{}x`, "\x00"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		params, err := decodeParams(body)
		if err != nil && auth.CodeOf(err) != auth.BadRequest || err == nil && params.Query == "" {
			t.Errorf("%q: %v", body, err)
		}
	})
}

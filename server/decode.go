package server

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"reflect"
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
)

// maxDepth is how deep a body may be nested, metadata included.
const maxDepth = 32

// Body says how the body of one kind of request is read.
type Body struct {
	Optional bool     // nothing at all is as good as {}
	Lenient  bool     // members that the struct does not have are ignored instead of refused
	Null     bool     // null in the place of any value is as good as leaving it out
	AnyType  bool     // whatever Content-Type says
	Heard    bool     // the same, since somebody reads the body as it came; see Verbatim
	Free     []string // members that hold any JSON object: "options.metadata"
}

// checked is a wire struct that knows what its members must be.
type checked interface{ Check() error }

// Decode reads a JSON body into a T and checks it. Every refusal names the member that is wrong and
// says what would be right, and repeats nothing of what was sent.
func Decode[T any](r *http.Request, how Body) (T, error) {
	var in T
	raw, err := readBody(r)
	if err != nil {
		return in, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		if !how.Optional {
			return in, auth.Invalid{Field: "body", Problem: "must be a JSON object"}
		}
		raw = []byte("{}")
	} else if err := isJSON(r.Header, how); err != nil {
		return in, err
	}
	mayBeNull := func(jsontext.Pointer) bool { return how.Null }
	if how.Heard {
		if err := lookalikes(raw, how.Free); err != nil {
			return in, err
		}
		mayBeNull = func(p jsontext.Pointer) bool { return !knows(reflect.TypeFor[T](), p) }
	}
	if err := scan(raw, how.Free, mayBeNull); err != nil {
		return in, err
	}
	if err := json.Unmarshal(raw, &in, json.RejectUnknownMembers(!how.Lenient && !how.Heard)); err != nil {
		return in, semantic(err)
	}
	if k, ok := any(&in).(interface{ keep(raw []byte) }); ok {
		k.keep(raw)
	}
	if c, ok := any(&in).(checked); ok {
		return in, c.Check()
	}
	return in, nil
}

func isJSON(h http.Header, how Body) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return auth.Invalid{Field: "body", Problem: "must not be compressed"}
	}
	if how.AnyType {
		return nil
	}
	media, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return auth.Invalid{Field: "Content-Type", Problem: "must be application/json"}
	}
	if c, ok := params["charset"]; ok && !strings.EqualFold(c, "utf-8") {
		return auth.Invalid{Field: "Content-Type", Problem: "must have the charset utf-8, if any"}
	}
	return nil
}

// ReadBody reads a body of any kind, as long as bodies may be.
func ReadBody(r *http.Request) ([]byte, error) { return readBody(r) }

func readBody(r *http.Request) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return nil, auth.Invalid{Field: "body", Problem: "broke off"}
	}
	if len(raw) > maxBody {
		// A client that is still sending reads no answer; the rest of a moderate body is let in and
		// dropped, so that it gets to know.
		_, _ = io.CopyN(io.Discard, r.Body, 8*maxBody) // whether it ends well does not matter
		return nil, errTooLarge
	}
	return raw, nil
}

// scan walks through a body once and refuses what no struct would notice: members twice, invalid
// UTF-8, a NUL, nulls in the place of a value, a depth or a second value that nobody needs.
func scan(raw []byte, free []string, mayBeNull func(jsontext.Pointer) bool) error {
	dec := jsontext.NewDecoder(bytes.NewReader(raw))
	written := 0
	for {
		t, err := dec.ReadToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return syntactic(err)
		}
		switch t.Kind() {
		case '{', '[':
			if dec.StackDepth() > maxDepth {
				return auth.Invalid{Field: "body", Problem: fmt.Sprintf("must not be nested deeper than %d levels", maxDepth)}
			}
			if dec.StackDepth() == 1 && t.Kind() == '[' {
				return auth.Invalid{Field: "body", Problem: "must be a JSON object"}
			}
		case '"':
			if strings.ContainsRune(t.String(), 0) {
				return auth.Invalid{Field: member(dec.StackPointer()), Problem: "must not hold a NUL character"}
			}
		case '0':
			digits, ok := DigitsOf(t.String())
			if !ok {
				return auth.Invalid{Field: member(dec.StackPointer()), Problem: "must be a number that fits a double"}
			}
			// Postgres gives 1e300 back with all its digits: six bytes must not come back as megabytes.
			if written += digits; written > MaxDigits {
				return auth.Invalid{Field: member(dec.StackPointer()), Problem: "is one of too many numbers with large exponents"}
			}
		case 'n':
			if field := member(dec.StackPointer()); !under(field, free) && !mayBeNull(dec.StackPointer()) {
				return auth.Invalid{Field: field, Problem: "must not be null; leave it out instead"}
			}
		}
		if dec.StackDepth() == 0 {
			if t.Kind() != '}' {
				return auth.Invalid{Field: "body", Problem: "must be a JSON object"}
			}
			if dec.PeekKind() != 0 {
				return auth.Invalid{Field: "body", Problem: "must be a single JSON object"}
			}
		}
	}
}

// MaxDigits bounds what the exponents of a body add to its numbers when they are written out.
const MaxDigits = 32 << 10

// DigitsOf tells whether a number is one that Postgres takes and that clients read back as they
// wrote it (JSON itself sets no bounds), and how many digits its exponent stands for.
func DigitsOf(text string) (digits int, ok bool) {
	const most = 400
	if len(text) > most {
		return 0, false
	}
	if i := strings.IndexAny(text, "eE"); i >= 0 {
		exponent, err := strconv.Atoi(text[i+1:])
		if err != nil || exponent > most || exponent < -most {
			return 0, false
		}
		digits = max(exponent, -exponent)
	}
	_, err := strconv.ParseFloat(text, 64)
	return digits, err == nil
}

// under tells whether a member lies inside one of the free ones.
func under(field string, free []string) bool {
	for _, f := range free {
		if strings.HasPrefix(field, f+".") {
			return true
		}
	}
	return false
}

// member names a member the way people write it: /options/redirectTo is options.redirectTo.
func member(p jsontext.Pointer) string {
	var parts []string
	for part := range p.Tokens() {
		parts = append(parts, clip(part, 64))
	}
	if name := clip(strings.Join(parts, "."), 200); name != "" {
		return name
	}
	return "body"
}

func syntactic(err error) error {
	var s *jsontext.SyntacticError
	if errors.As(err, &s) {
		field := member(s.JSONPointer)
		if errors.Is(err, jsontext.ErrDuplicateName) {
			return auth.Invalid{Field: field, Problem: "must not appear twice"}
		}
		switch why := s.Err.Error(); {
		case strings.Contains(why, "UTF-8"):
			return auth.Invalid{Field: field, Problem: "must be valid UTF-8"}
		case strings.Contains(why, "surrogate"):
			return auth.Invalid{Field: field, Problem: "must not hold half a surrogate pair"}
		}
		return auth.Invalid{Field: "body", Problem: fmt.Sprintf("must be valid JSON (it breaks at byte %d)", s.ByteOffset)}
	}
	return auth.Invalid{Field: "body", Problem: "must be valid JSON"}
}

func semantic(err error) error {
	var s *json.SemanticError
	if !errors.As(err, &s) {
		return syntactic(err)
	}
	field := member(s.JSONPointer)
	if errors.Is(err, json.ErrUnknownName) {
		return auth.Invalid{Field: field, Problem: "is not a member of this request"}
	}
	want := "another type"
	if s.GoType != nil {
		switch s.GoType.Kind().String() {
		case "string":
			want = "a string"
		case "bool":
			want = "true or false"
		case "slice", "array":
			want = "a list"
		case "struct", "map", "ptr":
			want = "an object"
		case "int", "int64", "float64":
			want = "a number"
		}
	}
	return auth.Invalid{Field: field, Problem: "must be " + want}
}

// Object reads a JSON object that came elsewhere than in a body, and is held to what bodies are held
// to. It may hold any JSON.
func Object(field, text string) ([]byte, error) {
	if v := jsontext.Value(text); !v.IsValid() || v.Kind() != '{' {
		return nil, auth.Invalid{Field: field, Problem: "must be a JSON object"}
	}
	err := scan([]byte(`{`+strconv.Quote(field)+`:`+text+`}`), []string{field}, func(jsontext.Pointer) bool { return false })
	return []byte(text), err
}

// Member decodes the member of a body that the body has raw, since another member says what it is. It is read as leniently as
// the whole was, and what is wrong is said of the member.
func Member[T any](field string, raw jsontext.Value) (T, error) {
	var in T
	if len(raw) == 0 || raw.Kind() == 'n' {
		return in, nil
	}
	err := json.Unmarshal(raw, &in)
	if err == nil {
		return in, nil
	}
	var wrong auth.Invalid
	if !errors.As(semantic(err), &wrong) {
		return in, err
	}
	if wrong.Field == "body" {
		wrong.Field = field
	} else {
		wrong.Field = field + "." + wrong.Field
	}
	return in, wrong
}

package hasura_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"postern/internal/testhouse"
)

// canary stands in every value that a hostile request carries. It must come back nowhere.
const canary = "c4n4ry"

// sweepMember is a member of a request body: its path, and what the document says of it.
type sweepMember struct {
	path     []string
	schema   *openapi3.Schema
	required bool
}

func (m sweepMember) name() string { return strings.Join(m.path, ".") }

// membersOf lists the members of an object and of the objects in it, as far as the document names
// them.
func membersOf(s *openapi3.Schema, at ...string) []sweepMember {
	var list []sweepMember
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		p := s.Properties[name].Value
		path := slices.Concat(at, []string{name})
		list = append(list, sweepMember{path, p, slices.Contains(s.Required, name)})
		list = append(list, membersOf(p, path...)...)
	}
	return list
}

// objectsOf lists the paths of the objects that take no other members than the document's.
func objectsOf(s *openapi3.Schema, at ...string) [][]string {
	var list [][]string
	if s.AdditionalProperties.Has != nil && !*s.AdditionalProperties.Has {
		list = append(list, at)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		list = append(list, objectsOf(s.Properties[name].Value, slices.Concat(at, []string{name})...)...)
	}
	return list
}

// with gives a copy of the body in which one member is another value.
func (f fields) with(path []string, value any) fields {
	out := maps.Clone(f)
	if len(path) == 1 {
		out[path[0]] = value
		return out
	}
	inner, ok := out[path[0]].(fields)
	if !ok {
		inner = fields{}
	}
	out[path[0]] = inner.with(path[1:], value)
	return out
}

// without gives a copy that lacks a member.
func (f fields) without(path []string) fields {
	out := maps.Clone(f)
	if len(path) == 1 {
		delete(out, path[0])
		return out
	}
	if inner, ok := out[path[0]].(fields); ok {
		out[path[0]] = inner.without(path[1:])
	}
	return out
}

// raw is JSON that stands in a body as it is, valid or not.
type raw string

// encode writes a body with its members in order; a raw value is not looked at.
func encode(v any) string {
	switch v := v.(type) {
	case raw:
		return string(v)
	case fields:
		var b strings.Builder
		b.WriteByte('{')
		for i, name := range slices.Sorted(maps.Keys(v)) {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q:%s", name, encode(v[name]))
		}
		b.WriteByte('}')
		return b.String()
	}
	out, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(out)
}

// hostileValues are values that no member of the kind may have. The document's own limits add more.
func hostileValues(s *openapi3.Schema) map[string]raw {
	list := map[string]raw{"null": "null"}
	add := func(values ...raw) {
		for _, v := range values {
			list[string(v)] = v
		}
	}
	const text = raw(`"` + canary + `"`)
	switch {
	case s.Type.Is("string"):
		add(`1`, `-0`, `1e400`, `9223372036854775808`, `true`, `false`, `[]`, `{}`, `["`+canary+`"]`, `{"`+canary+`":1}`)
		list["NUL"] = `"` + canary + `\u0000"`
		list["invalid UTF-8"] = raw(`"` + canary + "\xff\xc3" + `"`)
		list["overlong UTF-8"] = raw(`"` + canary + "\xc0\xaf" + `"`)
		list["lone surrogate"] = `"` + canary + `\ud800"`
		list["reversed surrogates"] = `"` + canary + `\udc00\ud800"`
		list["raw line break"] = raw(`"` + canary + "\n" + `"`)
		list["bad escape"] = `"` + canary + `\x41"`
	case s.Type.Is("boolean"):
		add(`0`, `1`, `"true"`, `"false"`, `""`, `[]`, `{}`, `[true]`, text)
	case s.Type.Is("array"):
		add(`0`, `true`, `""`, `{}`, `[1]`, `[null]`, `[[]]`, `[true]`, `[{}]`, `[""]`, `["a",1]`, text, raw(`["`+canary+`\u0000"]`), raw(`["`+strings.Repeat("x", 101)+`"]`),
			raw("["+strings.TrimSuffix(strings.Repeat(`"me",`, 101), ",")+"]"))
	case s.Type.Is("object"):
		add(`0`, `true`, `""`, `[]`, `[{}]`, text, `{"`+canary+`":"\u0000"}`, `{"`+canary+`\u0000":1}`, `{"a":1,"a":2}`, raw("{\"a\":\"\xff\"}"))
		list["too deep"] = raw(strings.Repeat(`{"a":`, 40) + "1" + strings.Repeat("}", 40))
		list["far too deep"] = raw(strings.Repeat(`{"a":`, 10_000) + "1" + strings.Repeat("}", 10_000))
		list["deep lists"] = raw(`{"a":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + "}")
	}
	return list
}

// texts are strings that are valid JSON and make no sense, or trouble, in most members.
func hostileTexts() map[string]string {
	return map[string]string{
		"CR LF":                 canary + "@example.com\r\nBcc: evil@example.com",
		"LF":                    canary + "@example.com\nX: y",
		"CR":                    canary + "@example.com\rX: y",
		"vertical tab":          canary + "\v@example.com",
		"line separator":        canary + "\u2028@example.com",
		"next line":             canary + "\u0085@example.com",
		"100 KB":                canary + strings.Repeat("x", 100<<10),
		"100 KB of emoji":       canary + strings.Repeat("👩‍👩‍👧‍👦", 4<<10),
		"empty":                 "",
		"blank":                 " ",
		"zero width":            canary + "\u200b",
		"right to left":         canary + "\u202e",
		"encoded word":          "=?utf-8?q?" + canary + "?=",
		"markup":                "<b>" + canary + "</b>",
		"template":              "${link}{{.}}" + canary,
		"SQL":                   canary + `'; drop table auth.users; --`,
		"path":                  "../../" + canary,
		"percent":               canary + "%0d%0aX:%20y",
		"interlinear":           canary + "\ufff9",
		"noncharacter":          canary + "\uffff",
		"replacement character": canary + "\ufffd",
	}
}

// harmless names the members in which a text is no reason to refuse: they hold any text, or what
// they hold is compared and found wrong with a code of its own.
func harmless(o operation, member, text string) (status int, id string, ok bool) {
	switch o.id + " " + member {
	case "signOut refreshToken":
		if text == "empty" {
			return 0, "", false
		}
		return 200, "", true // any text; an unknown one ends nothing
	case "verifyToken token":
		return 400, "invalid-request", true // told without a field: it may be any text
	case "signUpEmailPassword password", "changeUserPassword newPassword":
		switch text {
		case "empty":
			return 0, "", false
		case "100 KB", "100 KB of emoji":
			if o.id == "signUpEmailPassword" {
				return 400, "password-too-long", true
			}
		}
		if o.id == "changeUserPassword" {
			return 401, "invalid-ticket", true // the ticket is looked at first
		}
		return 0, "any", true // a password is any text; see below
	case "signInEmailPassword password":
		if text == "empty" || strings.HasPrefix(text, "100 KB") {
			return 0, "", false
		}
		return 401, "invalid-email-password", true
	case "signInAnonymous displayName":
		switch text {
		case "CR LF", "LF", "CR", "vertical tab", "next line", "100 KB", "100 KB of emoji":
			return 0, "", false
		}
		return 0, "any", true // a guest may have any name
	case "deanonymizeUser password":
		if text == "empty" {
			return 0, "", false
		}
		return 400, "user-not-anonymous", true // who asks is looked at first
	case "deanonymizeUser phoneNumber":
		return 0, "", false // it does not belong beside an address
	case "deanonymizeUserSms phoneNumber":
		if text == "empty" || strings.HasPrefix(text, "100 KB") {
			return 0, "", false
		}
		return 400, "user-not-anonymous", true
	case "deanonymizeUser options.redirectTo", "deanonymizeUserSms options.redirectTo":
		if text == "empty" {
			return 0, "any", true
		}
		return 400, "user-not-anonymous", true
	case "deanonymizeUser options.defaultRole", "deanonymizeUserSms options.defaultRole":
		if text == "empty" || strings.HasPrefix(text, "100 KB") {
			return 0, "", false
		}
		return 400, "user-not-anonymous", true
	case "deanonymizeUser connection":
		if strings.HasPrefix(text, "100 KB") {
			return 0, "", false
		}
		return 0, "any", true
	case "tokenExchange code":
		if text == "empty" || strings.HasPrefix(text, "100 KB") {
			return 0, "", false
		}
		return 400, "invalid-request", true // an unknown code
	}
	switch member {
	case "credential.authenticatorAttachment", "credential.response.userHandle":
		return 400, "invalid-request", true // any text that is not too long: the challenge is none of ours
	case "credential.response.publicKey":
		if text == "empty" {
			return 400, "invalid-request", true
		}
	case "credential.response.authenticatorData":
		if text == "empty" && strings.Contains(o.id, "Add") || text == "empty" && strings.Contains(o.id, "SignUp") {
			return 400, "invalid-request", true
		}
	case "nickname", "options.nickname":
		switch {
		case oneLine(text) && o.id != "renameSecurityKey":
			return 0, "any", true
		case oneLine(text) && text != "empty":
			return 404, "not-found", true // it is a name, for a key that is not there
		}
	}
	if status, id, ok := factorHarmless(o, member, text); ok {
		return status, id, true
	}
	if status, id, ok := codeHarmless(o, member, text); ok {
		return status, id, true
	}
	if status, id, ok := providerHarmless(o, member, text); ok {
		return status, id, true
	}
	if strings.HasSuffix(member, "redirectTo") {
		if text == "empty" {
			return 0, "any", true // as good as none
		}
		return 400, "redirectTo-not-allowed", true
	}
	if member == "options.defaultRole" && o.id == "verifySignUpWebauthn" && text != "empty" && !strings.HasPrefix(text, "100 KB") {
		return 400, "invalid-request", true // the challenge is looked at first: it knows the other options
	}
	if member == "options.defaultRole" && text != "empty" && !strings.HasPrefix(text, "100 KB") {
		return 400, "default-role-must-be-in-allowed-roles", true
	}
	return 0, "", false
}

// oneLine tells whether one of the hostile texts may be a name all the same.
func oneLine(text string) bool {
	return !slices.Contains([]string{"CR LF", "LF", "CR", "vertical tab", "line separator", "next line", "right to left", "100 KB", "100 KB of emoji"}, text)
}

// TestBadBodiesAreRefused goes over every operation with a body, every member of it and every way to
// get it wrong. It is made from the document: what is added there is covered here.
func TestBadBodiesAreRefused(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.waitUntilReady(t)
	bomb := gzipBomb(t)
	for _, o := range operations(t) {
		if o.schema == nil || o.id == "hasuraWebhookPost" { // which reads no more than the headers in what Hasura sends
			continue
		}
		t.Run(o.id, func(t *testing.T) {
			before := d.state(t)
			s := sweep{t, d, o, []with{bearer(p.AccessToken)}, bomb}
			if !o.bearer {
				s.more = nil
			}
			s.members()
			s.wholeBodies()
			d.sameState(t, before, "hostile bodies")
		})
	}
}

type sweep struct {
	t    *testing.T
	door doorway
	operation
	more []with
	bomb string
}

// gzipBomb unpacks to a hundred times its size.
func gzipBomb(t testing.TB) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bytes.Repeat([]byte("x"), 10<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// refuses sends a body and checks that it is refused: a plain 400 with the one shape, naming the
// field, repeating nothing.
func (s sweep) refuses(what, body, field string, more ...with) {
	s.t.Helper()
	a := s.send(body, more...)
	if a.status != 400 {
		s.t.Errorf("%s in %s: %s, want a 400 that names %q; it was sent %s", what, s.id, a, field, short(body))
		return
	}
	no := a.refusal(s.t)
	if a.status != 400 || no.Error != "invalid-request" || !strings.HasPrefix(no.Message, field+" ") {
		s.t.Errorf("%s in %s: %s, want a 400 that names %q", what, s.id, a, field)
	}
}

func (s sweep) send(body string, more ...with) answer {
	s.t.Helper()
	a := s.door.knock(s.t, s.method, s.path, body, slices.Concat(s.more, more)...)
	for name, values := range a.header {
		if strings.Contains(strings.Join(values, " "), canary) {
			s.t.Errorf("%s: what was sent came back in %s", a, name)
		}
	}
	// The name of a member may come back, to say which one is meant; never a value.
	if _, problem, _ := strings.Cut(a.body, " "); strings.Contains(problem, canary) {
		s.t.Errorf("what was sent came back: %s", a)
	}
	return a
}

func (s sweep) members() {
	s.t.Helper()
	for _, m := range membersOf(s.schema) {
		for what, v := range hostileValues(m.schema) {
			if what == "null" && m.schema.Nullable {
				continue
			}
			field := m.name()
			if m.schema.Type.Is("object") && m.schema.AdditionalProperties.Has != nil && *m.schema.AdditionalProperties.Has && strings.HasPrefix(string(v), "{") {
				field = "" // the trouble is inside, or the depth of all
			}
			body := encode(s.body.with(m.path, v))
			switch what {
			case "raw line break", "bad escape", "far too deep", "deep lists", "too deep":
				field = "body"
			}
			a := s.send(body)
			if a.status != 400 {
				s.t.Errorf("%s as %s of %s: %s", short(what), m.name(), s.id, a)
				continue
			}
			no := a.refusal(s.t)
			named := strings.HasPrefix(no.Message, field+" ") || field == "" && strings.HasPrefix(no.Message, m.name()+".") ||
				m.schema.Type.Is("array") && (strings.HasPrefix(no.Message, m.name()+".") || strings.HasPrefix(no.Message, m.name()+" ")) ||
				m.schema.Type.Is("object") && strings.HasPrefix(no.Message, m.name())
			if a.status != 400 || no.Error != "invalid-request" || !named {
				s.t.Errorf("%s as %s of %s: %s, want a 400 that names it", short(what), m.name(), s.id, a)
			}
		}
		if m.required {
			s.refuses("nothing", encode(s.body.without(m.path)), m.name())
		}
		twice := s.body.with(m.path, raw(encode(valueAt(s.body, m.path))+fmt.Sprintf(",%q:%s", m.path[len(m.path)-1], encode(valueAt(s.body, m.path)))))
		s.refuses("a member twice", encode(twice), m.name())
		escaped := s.body.with(m.path, raw(encode(valueAt(s.body, m.path))+fmt.Sprintf(`,"\u%04x%s":1`, m.path[len(m.path)-1][0], m.path[len(m.path)-1][1:])))
		s.refuses("a member twice, once escaped", encode(escaped), m.name())
		if m.schema.Type.Is("string") {
			for what, text := range hostileTexts() {
				s.text(m, what, text)
			}
		}
	}
}

func valueAt(f fields, path []string) any {
	v := f[path[0]]
	if inner, ok := v.(fields); ok && len(path) > 1 {
		return valueAt(inner, path[1:])
	}
	return v
}

// text sends a text that makes no sense in the member.
func (s sweep) text(m sweepMember, what, text string) {
	s.t.Helper()
	body := s.body.with(m.path, text)
	status, id, ok := harmless(s.operation, m.name(), what)
	switch {
	case !ok && m.name() == "options.displayName" && (what == "blank" || what == "replacement character"):
		return // a name may hold symbols; what mails make of them is another test's
	case !ok:
		s.refuses(what, encode(body), m.name())
	case id == "any":
		// It must be taken, or refused for another reason; to see that without writing anything, another
		// member is wrong as well.
		a := s.send(encode(body.with([]string{s.otherMember(m)}, "wrong")))
		if a.status < 400 || a.status >= 500 {
			s.t.Errorf("%s as %s of %s: %s", what, m.name(), s.id, a)
			return
		}
		a.refusal(s.t)
	default:
		a := s.send(encode(body))
		if a.status == 200 && status == 200 {
			return
		}
		if a.status != status || id != "" && a.refusal(s.t).Error != id {
			s.t.Errorf("%s as %s of %s: %s, want %d %s", what, m.name(), s.id, a, status, id)
		}
	}
}

// otherMember is one at the top that may be spoilt instead.
func (s sweep) otherMember(m sweepMember) string {
	for _, name := range []string{"credential", "email", "newEmail", "ticket", "locale", "phoneNumber", "provider"} {
		if _, ok := s.body[name]; ok && name != m.path[0] {
			return name
		}
	}
	s.t.Fatalf("%s has no other member to spoil", s.id)
	return ""
}

func (s sweep) wholeBodies() {
	s.t.Helper()
	good := encode(s.body)
	strict := s.schema.AdditionalProperties.Has != nil && !*s.schema.AdditionalProperties.Has

	for _, at := range objectsOf(s.schema) {
		for _, unknown := range []string{canary, "admin", "Email", "EMAIL", "__proto__", "constructor", "id", "user_id", "a b", "é", strings.Repeat("x", 5000)} {
			s.refuses("an unknown member", encode(s.body.with(slices.Concat(at, []string{unknown}), 1)), strings.Trim(strings.Join(at, ".")+"."+clipped(unknown), "."))
		}
	}

	for what, body := range map[string]string{
		"a word": canary, "a text": `"` + canary + `"`, "a number": "1", "null": "null", "true": "true", "a list": "[]", "a list with it": "[" + good + "]",
		"half": good[:len(good)/2], "two": good + good, "two lines": good + "\n" + good, "trailing comma": good[:len(good)-1] + ",}", "trailing text": good + canary,
		"comment": "/* " + canary + " */" + good, "single quotes": strings.ReplaceAll(good, `"`, "'"), "no quotes": `{` + canary + `:1}`, "UTF-16": "\xff\xfe{\x00}\x00",
		"byte order mark": "\ufeff" + good, "NaN": `{"` + canary + `":NaN}`, "Infinity": `{"a":-Infinity}`, "hexadecimal": `{"a":0x10}`, "leading zero": `{"a":01}`, "plus": `{"a":+1}`,
		"NUL": "\x00", "NUL after": good + "\x00", "form": "email=" + canary + "&password=x", "XML": "<?xml version='1.0'?><a>" + canary + "</a>", "blanks only": " \n\t ", "empty": "",
		"very deep": strings.Repeat(`{"a":`, 100_000), "very deep lists": strings.Repeat("[", 500_000), "brackets": "{[}]", "unicode blanks": "\u00a0" + good,
	} {
		optional := (s.id == "verifyToken" || s.id == "signInAnonymous" || s.id == "signInWebauthn" || s.id == "linkProvider") && strings.TrimSpace(body) == ""
		if optional {
			continue
		}
		s.refuses(what, body, "body")
	}

	// Media types. A text/plain body needs no preflight: a page elsewhere could send it.
	for _, kind := range []string{"", "text/plain", "text/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "application/xml", "application/jsonp", "application/json; charset=latin1", "application/json; charset=utf-16", "json", "application/json, text/plain", "APPLICATION", "application/ld+json", ";"} {
		s.refuses("the media type "+kind, good, "Content-Type", func(r *http.Request) {
			r.Header.Set("Content-Type", kind)
			if kind == "" {
				r.Header.Del("Content-Type")
			}
		})
	}
	for _, coding := range []string{"gzip", "deflate", "br", "zstd", "gzip, gzip", canary} {
		s.refuses("the coding "+coding, s.bomb, "body", header("Content-Encoding", coding))
	}

	// Size, told and untold.
	padding := strings.Repeat(" ", 1<<20)
	s.refuses("over 1 MiB", good+padding, "body")
	s.refuses("over 1 MiB, chunked", good+padding, "body", func(r *http.Request) { r.ContentLength = -1 })
	s.refuses("over 1 MiB, told to be small", good+padding, "body", func(r *http.Request) { r.ContentLength = 10 })
	huge := `{"` + strings.Repeat("a", 2<<20) + `":1}`
	s.refuses("a member of 2 MB", huge, "body")
	if strict {
		s.refuses("a member name of 1 MB", `{"`+strings.Repeat("a", 1<<19)+`":1}`, strings.Repeat("a", 64)+"…")
		many := fields{}
		for i := range 20_000 {
			many[fmt.Sprintf("k%d", i)] = 1
		}
		if no := s.send(encode(many)).refusal(s.t); no.Status != 400 {
			s.t.Errorf("20,000 members: %+v", no)
		}
	}

	// A body that breaks off.
	a := s.door.bare(s.t, s.method, s.path, io.MultiReader(strings.NewReader(good[:5]), brokenReader{}), slices.Concat(s.more, []with{header("Content-Type", "application/json")})...)
	a.invalid(s.t, "body")
}

func clipped(name string) string {
	if len(name) > 64 {
		return name[:64] + "…"
	}
	if name == "" {
		return ""
	}
	return name
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBadQueriesAreRefused does the same to the query of mail links.
func TestBadQueriesAreRefused(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	_, challenge := testhouse.Verifier()
	email := d.signUp(t, fields{"codeChallenge": challenge})
	m := d.mail(t, email, "email-verify", 1)
	good := url.Values{"ticket": {m.Ticket}, "redirectTo": {clientURL}, "type": {"emailVerify"}, "codeChallenge": {challenge}}
	before := d.state(t)
	for _, method := range []string{"GET", "POST"} {
		for _, name := range []string{"ticket", "redirectTo", "type", "codeChallenge"} {
			for what, text := range hostileTexts() {
				for _, suffix := range []string{"", "\xff\xfe", "\xc0\xaf"} {
					if (what == "empty" || name == "type") && name != "ticket" && name != "redirectTo" {
						continue // the type means nothing, and no challenge is as good as the right one
					}
					q := maps.Clone(good)
					q[name] = []string{text + suffix}
					if name == "ticket" && len(text) < 100 {
						q[name] = []string{"verifyEmail:" + text + suffix}
					}
					a := d.knock(t, method, "/verify?"+q.Encode(), nil, browser())
					switch a.status {
					case 400:
						if no := a.refusal(t); !strings.HasPrefix(no.Message, name+" ") || strings.Contains(no.Message, canary) {
							t.Errorf("%s as %s: %s", what, name, a)
						}
					case 302, 303:
						where, q := a.redirect(t, a.status)
						if where != clientURL || q.Get("error") == "" || strings.Contains(a.header.Get("Location"), canary) {
							t.Errorf("%s as %s leads to %s %v", what, name, where, q)
						}
					default:
						t.Errorf("%s as %s: %s", what, name, a)
					}
				}
			}
		}
	}
	d.sameState(t, before, "hostile links")
	if a := d.knock(t, "GET", "/verify?"+good.Encode()+"&x="+strings.Repeat("x", 1<<16), nil); a.status != 302 {
		t.Errorf("a long link: %s", a)
	}
}

// TestHostileMetadata sends numbers and shapes that are JSON, and that Postgres may not take.
func TestHostileMetadata(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for what, v := range map[string]string{
		"a number no float holds":        `{"n":1e400}`,
		"a number no database holds":     `{"n":1e200000}`,
		"one of a million digits":        `{"n":` + strings.Repeat("9", 900_000) + `}`,
		"a very small number":            `{"n":1e-200000}`,
		"a number of many digits after":  `{"n":0.` + strings.Repeat("1", 20_000) + `}`,
		"minus nothing":                  `{"n":-0}`,
		"900 KB of text":                 `{"t":"` + strings.Repeat("x", 900_000) + `"}`,
		"a key of 100 KB":                `{"` + strings.Repeat("k", 100_000) + `":1}`,
		"10,000 keys":                    `{` + strings.TrimSuffix(manyKeys(10_000), ",") + `}`,
		"an empty key":                   `{"":1}`,
		"keys of objects of other minds": `{"__proto__":{"admin":true},"constructor":1,"toString":null}`,
		"what looks like columns":        `{"disabled":false,"email_verified":true,"default_role":"admin","roles":["admin"]}`,
		"line breaks":                    `{"a\r\nBcc: x@y.io":"b\r\n\r\nc"}`,
		"all planes":                     `{"a":"\ud83d\ude00\uffff\ufffe\u2028\u0001\u007f"}`,
		"a null":                         `{"a":null,"b":[null,{"c":null}]}`,
		"thirty levels":                  strings.Repeat(`{"a":`, 29) + `{}` + strings.Repeat(`}`, 29),
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			email := newAddress()
			a := d.knock(t, "POST", "/signup/email-password", encode(fields{"email": email, "password": rightPassword, "options": fields{"metadata": raw(v)}}))
			rows := value[int](t, d, `select count(*) from auth.users where email = $1`, email)
			switch {
			case a.status == 400 && rows == 0:
				if no := a.refusal(t); !strings.HasPrefix(no.Message, "options.metadata") {
					t.Errorf("the refusal does not name the field: %s", a)
				}
			case a.status == 200 && rows == 1:
				d.sql(t, `update auth.users set email_verified = true where email = $1`, email)
				s := d.signIn(t, email, rightPassword)
				d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).is(t, 200, "")
				if m := d.mail(t, email, "email-verify", 1); strings.Contains(string(m.Raw), "Bcc:") {
					t.Errorf("metadata reached the mail")
				}
			default:
				t.Errorf("%s, and %d rows", a, rows)
			}
		})
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `"k%d":%d,`, i, i)
	}
	return b.String()
}

// TestH04MailHeadersAreNotInjected puts line breaks, encoded words and lists into everything that
// reaches a mail, at every endpoint that sends one.
func TestH04MailHeadersAreNotInjected(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "10000"})
	p := d.person(t)
	payloads := []string{
		"\r\nBcc: evil@example.com", "\nBcc: evil@example.com", "\rBcc: evil@example.com", "%0d%0aBcc:%20evil@example.com", "\u2028Bcc: evil@example.com", "\u0085Bcc: evil@example.com",
		"\r\n\r\n<h1>evil</h1>", "\r\n.\r\nMAIL FROM:<evil@example.com>", "=?utf-8?q?=0D=0ABcc:_evil=40example.com?=", "=?utf-8?b?DQpCY2M6IGV2aWxAZXhhbXBsZS5jb20=?=",
		",evil@example.com", ";evil@example.com", " evil@example.com", "<evil@example.com>", "\"<evil@example.com>", "(evil@example.com)", "\\\r\n Bcc: evil@example.com",
		"\x00Bcc: evil@example.com", "\v\fBcc: evil@example.com", "\u00a0evil@example.com", "＠example.com", "\u200bevil",
	}
	before := d.state(t)
	for _, payload := range payloads {
		for _, address := range []string{"a@example.com" + payload, "a" + payload + "@example.com", payload + "a@example.com", `"a` + payload + `"@example.com`} {
			for _, path := range []string{"/user/password/reset", "/user/email/send-verification-email", "/signup/email-password"} {
				body := fields{"email": address}
				if path == "/signup/email-password" {
					body["password"] = rightPassword
				}
				if !validLocal(address) {
					d.knock(t, "POST", path, body).invalid(t, "email")
				}
			}
			if !validLocal(address) {
				d.knock(t, "POST", "/user/email/change", fields{"newEmail": address}, bearer(p.AccessToken)).refusal(t)
			}
		}
		for _, option := range []string{"displayName", "locale", "redirectTo"} {
			for _, v := range []string{payload, "en" + payload, clientURL + payload, clientURL + "/" + payload, "Jane" + payload} {
				if option == "displayName" && !strings.ContainsAny(v, "\r\n\x00\v\f\u2028\u0085@:;\"()\\%?/\u200b＠\u00a0") || option == "redirectTo" && strings.HasPrefix(v, clientURL+"/") && !strings.ContainsAny(payload, "\r\n\x00\v\f \u2028\u0085\\\u00a0＠\u200b") {
					continue // a name, or an address below the application's
				}
				a := d.knock(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": fields{option: v}})
				if a.status != 400 {
					t.Errorf("%q as %s: %s", v, option, a)
					continue
				}
				a.refusal(t)
			}
		}
	}
	d.sameState(t, before, "hostile addresses and options")

	// What is allowed in a name and in a link arrives as one header each.
	names := []string{"Jane, Doe", "=?utf-8?q?Bcc?=", "<b>$$$ ~link^", "`'`", "|||"}
	for _, name := range names {
		for _, end := range []string{"", "?a=%0d%0aBcc:%20evil@example.com", "#%0d%0aBcc:%20evil", "/%0D%0ABcc:evil"} {
			body := fields{"options": fields{"displayName": name, "redirectTo": clientURL + end}}
			if strings.ContainsAny(name, "?") {
				body["options"] = fields{"redirectTo": clientURL + end}
			}
			email := d.signUp(t, body)
			m := d.mail(t, email, "email-verify", 1)
			for header := range m.Headers {
				if strings.EqualFold(header, "bcc") || strings.EqualFold(header, "cc") {
					t.Errorf("%q and %q made a header %s", name, end, header)
				}
			}
			if len(m.Headers["To"]) != 1 || !strings.Contains(m.Headers.Get("To"), email) || len(m.Headers["Subject"]) != 1 || m.To != email {
				t.Errorf("%q and %q: %v", name, end, m.Headers)
			}
			if strings.Contains(m.HTML, "<b>$$$") || strings.Contains(m.HTML+m.Text, "Bcc: evil") {
				t.Errorf("%q and %q stand in the mail as they are", name, end)
			}
		}
	}
}

// validLocal tells whether an address is one after all: RFC 5321 lets much stand before the @.
func validLocal(address string) bool {
	local, domain, _ := strings.Cut(address, "@")
	return domain == "example.com" && !strings.ContainsFunc(local, func(r rune) bool {
		return r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]:;,\"`, r)
	})
}

// TestH12AddressesThatLookLikeOthers sends what normalises, folds or is read as another address.
func TestH12AddressesThatLookLikeOthers(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	victim := "kim.si@example.com"
	d.ask(t, "POST", "/signup/email-password", fields{"email": victim, "password": rightPassword}).session(t)
	before := d.state(t)
	for _, address := range []string{
		"\u212aim.si@example.com", "kım.si@example.com", "kim.ſi@example.com", "kim.si＠example.com", "kim.si@ｅxample.com", "kim.si@example。com", "kim.si@example．com", "kim.si@exampⅼe.com",
		"kim.si@example.com\u200b", "\ufeffkim.si@example.com", "kim.si@example.com.", "kim.si@[127.0.0.1]", `"kim.si"@example.com`, "kim.si(comment)@example.com", "kim.si@example.com@evil.example",
		"kim.si@evil.example@example.com", "Kim <kim.si@example.com>", "kim.si@example.com,a@evil.example", "kim.si@example.com;a@evil.example", "mailto:kim.si@example.com", "kim.si@exаmple.com",
		"kím.si@example.com", "ki\u0301m.si@example.com", ".kim@example.com", "kim.@example.com", "kim..si@example.com", "@example.com", "kim.si@", "kim.si@-example.com", "kim.si@example-.com",
		strings.Repeat("a", 65) + "@example.com", "a@" + strings.Repeat("b.", 126) + "com", "kim.si@example..com", "kim.si%example.com@", "kim.si@example.com%00", "KİM.Sİ@example.com",
	} {
		d.knock(t, "POST", "/signup/email-password", fields{"email": address, "password": rightPassword}).invalid(t, "email")
		d.knock(t, "POST", "/signin/email-password", fields{"email": address, "password": rightPassword}).invalid(t, "email")
		d.knock(t, "POST", "/user/password/reset", fields{"email": address}).invalid(t, "email")
	}
	d.sameState(t, before, "addresses that are none")
	d.signIn(t, "KIM.SI@EXAMPLE.COM", rightPassword)
	// The mail goes to the address that is stored, not to the one that was asked for.
	d.ask(t, "POST", "/user/password/reset", fields{"email": "KIM.si@Example.com"}).ok(t)
	if m := d.mail(t, victim, "password-reset", 1); m.To != victim {
		t.Errorf("the mail went to %s", m.To)
	}
	for _, address := range []string{strings.Repeat("a", 64) + "@example.com", "o'hara+tag@example.com", "a!#$%&*/=?^_`{|}~-@x.io", "1@2.io", "a@b"} {
		d.ask(t, "POST", "/signup/email-password", fields{"email": address, "password": rightPassword}).session(t)
		d.signIn(t, strings.ToUpper(address), rightPassword)
	}
}

// TestH22LogsCannotBeForged sends line breaks and control characters in everything that a log line
// has of a request.
func TestH22LogsCannotBeForged(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	for _, hostile := range []string{
		"a\r\n{\"level\":\"ERROR\",\"msg\":\"forged\"}", "\x1b[31mforged\x1b[0m", `","level":"ERROR","forged":"`, strings.Repeat("forged", 200_000), "\xff\xfe", "forged\x00", "\u2028forged",
	} {
		d.bare(t, "GET", "/user", nil, bearer(p.AccessToken), func(r *http.Request) {
			r.Header["User-Agent"] = []string{hostile}
			r.Header["X-Request-Id"] = []string{hostile}
			r.Header["X-Forwarded-For"] = []string{hostile}
			r.Header["Referer"] = []string{hostile}
		})
		d.bare(t, "GET", "/"+url.PathEscape(hostile), nil)
		d.bare(t, "POST", "/signup/email-password", fields{"email": hostile, "password": hostile, hostile: 1})
		d.bare(t, "POST", "/signup/email-password", fields{hostile: 1})
		d.bare(t, "GET", "/verify?"+url.Values{"ticket": {"verifyEmail:" + hostile}, "redirectTo": {"https://evil.example/" + hostile}}.Encode(), nil)
		d.bare(t, "GET", "/user", nil, func(r *http.Request) { r.Method = hostile })
		d.bare(t, "GET", "/user", nil, header("Authorization", "Bearer "+hostile))
	}
	for _, line := range strings.Split(strings.TrimSpace(d.Log.String()), "\n") {
		var l map[string]any
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Errorf("a line that is no JSON: %s", short(line))
			continue
		}
		if l["level"] == "ERROR" || l["forged"] != nil || l["msg"] == "forged" || len(line) > 8<<10 {
			t.Errorf("a forged or endless line (%d bytes): %s", len(line), short(line))
		}
	}
}

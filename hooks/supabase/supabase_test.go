package supabase

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/google/go-cmp/cmp"

	"postern/hooks"
)

// outcome is what an answer led to.
type outcome struct {
	Denied  *hooks.Denied
	Failed  string // beginning of the failure
	Claims  map[string]any
	Vouched *hooks.Vouched
}

// says is a runner that gives one answer, or one error.
type says struct {
	body string
	err  error
}

func (s says) Run(context.Context, hooks.Call) (hooks.Answer, error) {
	if s.err != nil {
		return hooks.Answer{}, s.err
	}
	return hooks.Answer{Status: 200, ContentType: "application/json", Body: []byte(s.body)}, nil
}

// asked is a moment.
type asked[E any] interface {
	moment[E]
	Ask(ctx context.Context, e *E) error
}

// put asks a question whose answer is known.
func put[E event](t *testing.T, m asked[E], kind hooks.Kind, name string, runner hooks.Runner, encode func(metadata, E) any, decode func(members) (func(*E) error, error), e E) (E, outcome) {
	t.Helper()
	r, _ := rowOf(name)
	if err := bind(m, kind, call{r, runner}, encode, decode); err != nil {
		t.Fatal(err)
	}
	err := m.Ask(t.Context(), &e)
	var o outcome
	var failed *hooks.Failed
	switch {
	case errors.As(err, &o.Denied):
		o.Denied.Hook = ""
	case errors.As(err, &failed):
		o.Failed = failed.Err.Error()
	case err != nil:
		t.Fatal(err)
	}
	return e, o
}

// settle leaves claims as they are, which is for the flow to judge.
func settle(claims map[string]any) (map[string]any, error) { return claims, nil }

const goodClaims = `"aud":"a","exp":1,"iat":1,"sub":"s","email":"","phone":"","role":"r","aal":"aal1","session_id":"i","is_anonymous":false`

func TestAnswersToTokens(t *testing.T) {
	t.Parallel()
	wrong := "the answer makes no sense: its claims break the rules: "
	tests := map[string]struct {
		answer says
		want   outcome
	}{
		"claims":                  {says{body: `{"claims":{` + goodClaims + `,"big":12345678901234567890}}`}, outcome{}},
		"a list of audiences":     {says{body: `{"claims":{` + strings.Replace(goodClaims, `"a"`, `["a","b"]`, 1) + `}}`}, outcome{}},
		"no body":                 {says{}, outcome{Failed: "the answer makes no sense: it has no claims"}},
		"null":                    {says{body: `null`}, outcome{Failed: "the answer makes no sense: it has no claims"}},
		"claims that are null":    {says{body: `{"claims":null}`}, outcome{Failed: "the answer makes no sense: it has no claims"}},
		"claims that are a list":  {says{body: `{"claims":[]}`}, outcome{Failed: "the answer makes no sense: claims is no object"}},
		"a list":                  {says{body: `[]`}, outcome{Failed: "the answer makes no sense: it is no object"}},
		"a member twice":          {says{body: `{"claims":{},"claims":{}}`}, outcome{Failed: "the answer makes no sense: it is no JSON"}},
		"no UTF-8":                {says{body: "{\"claims\":{\"a\":\"\xff\"}}"}, outcome{Failed: "the answer makes no sense: it is no JSON"}},
		"a claim of a wrong type": {says{body: `{"claims":{` + strings.Replace(goodClaims, `"exp":1`, `"exp":"1"`, 1) + `}}`}, outcome{Failed: wrong + "exp is not of type integer"}},
		"a half second":           {says{body: `{"claims":{` + strings.Replace(goodClaims, `"exp":1`, `"exp":1.5`, 1) + `}}`}, outcome{Failed: wrong + "exp is not of type integer"}},
		"a list of numbers":       {says{body: `{"claims":{` + goodClaims + `,"amr":[1]}}`}, outcome{Failed: wrong + "not every item of amr is of type string or object"}},
		"claims that are missing": {says{body: `{"claims":{` + strings.Replace(goodClaims, `"aud":"a",`, ``, 1) + `,"iss":1}}`}, outcome{Failed: wrong + "aud is missing; iss is not of type string"}},
		"an error":                {says{body: `{"error":{"http_code":403,"message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 403, Code: "unknown", Message: "No"}}},
		"an error and claims":     {says{body: `{"claims":{` + goodClaims + `},"error":{"http_code":403,"message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 403, Code: "unknown", Message: "No"}}},
		"an error of no status":   {says{body: `{"error":{"http_code":0,"message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 500, Code: "unexpected_failure", Message: "No"}}},
		"an error of status 200":  {says{body: `{"error":{"http_code":200,"message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 500, Code: "unexpected_failure", Message: "No"}}},
		"an error without words":  {says{body: `{"claims":{` + goodClaims + `},"error":{"http_code":403,"message":""}}`}, outcome{}},
		"an error with a text as status": {
			says{body: `{"claims":{` + goodClaims + `},"error":{"http_code":"403","message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 500, Code: "unexpected_failure", Message: "No"}},
		},
		"an error with a huge status":     {says{body: `{"claims":{` + goodClaims + `},"error":{"http_code":1e999,"message":"No"}}`}, outcome{Denied: &hooks.Denied{Status: 500, Code: "unexpected_failure", Message: "No"}}},
		"an error that is a text":         {says{body: `{"claims":{` + goodClaims + `},"error":"No"}`}, outcome{Failed: "the answer makes no sense: its error is no object with a text message"}},
		"an error that is true":           {says{body: `{"claims":{` + goodClaims + `},"error":true}`}, outcome{Failed: "the answer makes no sense: its error is no object with a text message"}},
		"an error that is a list":         {says{body: `{"claims":{` + goodClaims + `},"error":[{"message":"No"}]}`}, outcome{Failed: "the answer makes no sense: its error is no object with a text message"}},
		"an error whose words are none":   {says{body: `{"claims":{` + goodClaims + `},"error":{"message":{"en":"No"}}}`}, outcome{Failed: "the answer makes no sense: its error is no object with a text message"}},
		"an error that is false":          {says{body: `{"claims":{` + goodClaims + `},"error":false}`}, outcome{}},
		"an error that is no text":        {says{body: `{"claims":{` + goodClaims + `},"error":""}`}, outcome{}},
		"an error that is an empty table": {says{body: `{"claims":{` + goodClaims + `},"error":{}}`}, outcome{}},
		"an error that is null":           {says{body: `{"claims":{` + goodClaims + `},"error":null}`}, outcome{}},
		"a function that refuses":         {says{err: hooks.Raised{State: "PT402", Message: "Pay"}}, outcome{Denied: &hooks.Denied{Status: 402, Code: "unknown", Message: "Pay"}}},
		"a function that breaks":          {says{err: hooks.Raised{State: "P0001", Message: "jane@example.com"}}, outcome{Failed: "ended in an error: SQLSTATE P0001"}},
		"a function of status 200":        {says{err: hooks.Raised{State: "PT200", Message: "Pay"}}, outcome{Failed: "ended in an error: SQLSTATE PT200"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e, got := put(t, &hooks.New().TokenMinting, hooks.Mutator, CustomAccessToken, tt.answer, tokenMinting, replaced, hooks.TokenMinting{Claims: map[string]any{"was": true}, Settle: settle})
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("outcome: %s", diff)
			}
			if passed := tt.want.Denied == nil && tt.want.Failed == ""; passed != e.Replaced() || passed == (e.Claims["was"] == true) {
				t.Errorf("claims %v", e.Claims)
			}
			if n, there := e.Claims["big"]; there && n != json.Number("12345678901234567890") {
				t.Errorf("a number became %v", n)
			}
		})
	}
}

func TestDecisions(t *testing.T) {
	t.Parallel()
	refused := wrongPassword
	factor := wrongFactor
	factor.EndSessions = true
	tests := map[string]struct{ password, factor *hooks.Denied }{
		`{"decision":"continue"}`: {}, `{}`: {}, ``: {}, `{"decision":"REJECT"}`: {}, `{"decision":true}`: {}, `{"decision":"maybe","message":"x"}`: {},
		`{"decision":"reject"}`: {&refused, &factor},
		`{"decision":"reject","message":"Slower","should_logout_user":true}`: {
			&hooks.Denied{Status: 400, Code: "invalid_credentials", Message: "Slower", EndSessions: true},
			&hooks.Denied{Status: 403, Code: "mfa_verification_rejected", Message: "Slower", EndSessions: true},
		},
		`{"decision":"reject","message":"Slower","should_logout_user":"yes"}`: {
			&hooks.Denied{Status: 400, Code: "invalid_credentials", Message: "Slower"},
			&hooks.Denied{Status: 403, Code: "mfa_verification_rejected", Message: "Slower", EndSessions: true},
		},
	}
	for answer, tt := range tests {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			_, got := put(t, &hooks.New().PasswordChecked, hooks.Vetoer, PasswordVerification, says{body: answer}, passwordChecked, rejected[hooks.PasswordChecked](wrongPassword, false), hooks.PasswordChecked{})
			if diff := cmp.Diff(outcome{Denied: tt.password}, got); diff != "" {
				t.Errorf("of a password: %s", diff)
			}
			_, got = put(t, &hooks.New().FactorChecked, hooks.Vetoer, MFAVerification, says{body: answer}, factorChecked, rejected[hooks.FactorChecked](wrongFactor, true), hooks.FactorChecked{})
			if diff := cmp.Diff(outcome{Denied: tt.factor}, got); diff != "" {
				t.Errorf("of a factor: %s", diff)
			}
		})
	}
}

func TestVouching(t *testing.T) {
	t.Parallel()
	const noUser = "the answer makes no sense: its user has other members than a boolean email_verified, a text display_name and an object user_metadata"
	tests := map[string]outcome{
		`{"decision":"continue"}`: {}, `{}`: {}, `null`: {}, ``: {}, `{"decision":"reject","message":"No"}`: {}, `{"decision":"VOUCH"}`: {}, `{"decision":true,"user":7}`: {},
		`{"decision":"vouch"}`: {Vouched: &hooks.Vouched{}}, `{"decision":"vouch","user":null}`: {Vouched: &hooks.Vouched{}},
		`{"decision":"vouch","user":{"email_verified":null,"display_name":null,"user_metadata":null}}`: {Vouched: &hooks.Vouched{}},
		`{"decision":"vouch","user":{"email_verified":true,"display_name":"Jane","user_metadata":{"a":9007199254740993,"providers":["x"]},"id":"other"}}`: {
			Vouched: &hooks.Vouched{EmailVerified: true, DisplayName: "Jane", Metadata: map[string]any{"a": json.Number("9007199254740993")}},
		},
		`{"decision":"vouch","user":{"email_verified":"true"}}`: {Failed: noUser}, `{"decision":"vouch","user":{"email_verified":1}}`: {Failed: noUser},
		`{"decision":"vouch","user":{"display_name":7}}`: {Failed: noUser}, `{"decision":"vouch","user":{"user_metadata":[]}}`: {Failed: noUser},
		`{"decision":"vouch","user":"jane"}`:                               {Failed: "the answer makes no sense: user is no object"},
		`{"decision":"vouch","error":{"http_code":429,"message":"Later"}}`: {Denied: &hooks.Denied{Status: 429, Code: "unknown", Message: "Later"}},
	}
	for answer, want := range tests {
		t.Run(answer, func(t *testing.T) {
			t.Parallel()
			e, got := put(t, &hooks.New().PasswordUnknown, hooks.Mutator, PasswordUnknown, says{body: answer}, passwordUnknown, vouched, hooks.PasswordUnknown{})
			got.Vouched = e.Vouched()
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("outcome: %s", diff)
			}
		})
	}
}

// TestSamplesFitTheirSchemas holds what the encoders write against the schemas.
func TestSamplesFitTheirSchemas(t *testing.T) {
	t.Parallel()
	for _, name := range Names() {
		var s openapi3.Schema
		if err := json.Unmarshal(Schema(name), &s); err != nil {
			t.Fatalf("schema of %s: %v", name, err)
		}
		var sample map[string]any
		if err := json.Unmarshal(Sample(name), &sample); err != nil {
			t.Fatalf("sample of %s: %v", name, err)
		}
		if err := s.VisitJSON(sample); err != nil {
			t.Errorf("sample of %s: %v", name, err)
		}
		for member := range sample {
			if s.Properties[member] == nil {
				t.Errorf("sample of %s has %s, which its schema has not", name, member)
			}
		}
		sample["metadata"] = map[string]any{}
		if s.VisitJSON(sample) == nil {
			t.Errorf("the schema of %s takes metadata without members", name)
		}
	}
	if Schema("nothing") != nil || Sample("nothing") != nil {
		t.Error("there is a schema of a hook that does not exist")
	}
}

// TestClaimsSampleIsTaken answers the sample with itself, which must break no rule.
func TestClaimsSampleIsTaken(t *testing.T) {
	t.Parallel()
	_, got := put(t, &hooks.New().TokenMinting, hooks.Mutator, CustomAccessToken, says{body: string(Sample(CustomAccessToken))}, tokenMinting, replaced, hooks.TokenMinting{Settle: settle})
	if diff := cmp.Diff(outcome{}, got); diff != "" {
		t.Error(diff)
	}
}

func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{`{"claims":{` + goodClaims + `}}`, `{"error":{"http_code":403,"message":"No"}}`, `{"decision":"reject"}`, `null`, `[`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := read(hooks.Answer{Body: body})
		if err != nil {
			return
		}
		effect, err := replaced(m)
		if (effect == nil) == (err == nil) {
			t.Fatal("neither an effect nor an error, or both")
		}
		if effect == nil {
			return
		}
		e := hooks.TokenMinting{Settle: settle}
		if err := effect(&e); err != nil || len(violations(e.Claims)) > 0 {
			t.Fatalf("%v", e.Claims)
		}
	})
}

package graph_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestH09AbuseOfGraphQL is row H-09 of what attackers try: nothing of it is executed, and nothing of what
// was sent comes back.
func TestH09AbuseOfGraphQL(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	query := func(q string) string { return fmt.Sprintf(`{"query":%q}`, q) }
	nested := func(n int) string {
		return "{" + strings.Repeat("operator{", n) + "rights" + strings.Repeat("}", n) + "}"
	}
	aliases := func(n int) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d:operator{rights}", i)
		}
		return "{" + b.String() + "}"
	}
	bomb := func(n int) string {
		var b strings.Builder
		b.WriteString("{...f0}")
		for i := range n {
			fmt.Fprintf(&b, " fragment f%d on Query{...f%d ...f%d}", i, i+1, i+1)
		}
		fmt.Fprintf(&b, " fragment f%d on Query{operator{rights}}", n)
		return b.String()
	}
	tests := map[string]struct{ method, body, want string }{
		"depth 10":                     {body: query(nested(10)), want: "10 fields"},
		"depth 1000":                   {body: query(nested(1000)), want: "10 fields"},
		"depth 10000":                  {body: query(nested(10_000)), want: ""},
		"31 aliases":                   {body: query(aliases(31)), want: "30 aliases"},
		"1000 aliases":                 {body: query(aliases(1000)), want: "30 aliases"},
		"10000 aliases":                {body: query(aliases(10_000)), want: ""},
		"a batch of one":               {body: "[" + query(whoAsks) + "]", want: "lists of operations"},
		"a batch of 1000":              {body: "[" + strings.Repeat(query(whoAsks)+",", 999) + query(whoAsks) + "]", want: "lists of operations"},
		"31 directives":                {body: query("{operator" + strings.Repeat(" @skip(if:false)", 31) + "{rights}}"), want: "30 directives"},
		"10000 directives":             {body: query("{operator" + strings.Repeat("@a", 10_000) + "{rights}}"), want: ""},
		"directives of an operation":   {body: query("query" + strings.Repeat("@a", 31) + whoAsks), want: "30 directives"},
		"directives of variables":      {body: query("query($a:Int" + strings.Repeat("@a", 31) + ")" + whoAsks), want: "30 directives"},
		"directives of a spread":       {body: query("{... " + strings.Repeat("@a", 31) + whoAsks + "}"), want: "30 directives"},
		"directives of an unused one":  {body: query(whoAsks + " fragment f on Query" + strings.Repeat("@a", 31) + whoAsks), want: "30 directives"},
		"a fragment of itself":         {body: query("{...a} fragment a on Query{...a}"), want: "contains itself"},
		"a cycle of three":             {body: query("{...a} fragment a on Query{...b} fragment b on Query{...c} fragment c on Query{...a}"), want: "contains itself"},
		"a cycle that nobody uses":     {body: query(whoAsks + " fragment a on Query{...b} fragment b on Query{...a}"), want: "contains itself"},
		"a bomb of 12 doublings":       {body: query(bomb(12)), want: "1000 fields"},
		"a bomb of 60 doublings":       {body: query(bomb(60)), want: "1000 fields"},
		"5000 times the same field":    {body: query("{" + strings.Repeat("operator{rights}", 2400) + "}"), want: "1000 fields"},
		"5000 empty spreads":           {body: query("{operator{rights " + strings.Repeat("...{rights}", 2000) + "}}"), want: "1000 fields"},
		"types in types in types":      {body: query("{__schema{types{fields{type{fields{type{fields{name}}}}}}}}"), want: "1 level"},
		"interfaces of types of types": {body: query("{__schema{types{possibleTypes{fields{name}}}}}"), want: "1 level"},
		"a list of lists of lists":     {body: query("query($a:[Int]=" + strings.Repeat("[", 200) + strings.Repeat("]", 200) + ")" + whoAsks), want: ""},
		"deep arguments":               {body: query("{operator(a:" + strings.Repeat("{a:", 200) + "1" + strings.Repeat("}", 200) + "){rights}}"), want: "16 levels"},
		"a variable of 10 MB":          {body: `{"query":"{operator{rights}}","variables":{"a":"` + strings.Repeat("x", 10<<20) + `"}}`, want: "256 KiB"},
		"a deep variable":              {body: `{"query":"query($a:JSON){operator{rights}}","variables":{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}}`, want: ""},
		"numbers with large exponents": {body: query(`{operator(a:[` + strings.Repeat("1e400,", 100) + `]){rights}}`), want: "large exponents"},
		"a number of 131,072 digits":   {body: `{"query":"query($a:JSON){operator{rights}}","variables":{"a":{"b":1e131071}}}`, want: ""},
		"a stored operation":           {body: `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`, want: "stored operations"},
		"a GET":                        {method: http.MethodGet, want: "POST"},
		"a PUT":                        {method: http.MethodPut, body: query(whoAsks), want: "POST"},
		"no JSON":                      {body: "canary-of-a-body", want: "must be a JSON object"},
		"half of it":                   {body: `{"query":"{operator{rights}}"`, want: "must be a JSON object"},
		"two objects":                  {body: query(whoAsks) + query(whoAsks), want: "nothing behind"},
		"a number as query":            {body: `{"query":7}`, want: "wrong type"},
		"a list of variables":          {body: `{"query":"{operator{rights}}","variables":[]}`, want: "wrong type"},
		"no query":                     {body: `{}`, want: "query must be"},
		"an empty query":               {body: query(" "), want: "query must be"},
		"what does not parse":          {body: query("{operator{"), want: "cannot be read"},
		"an unknown field":             {body: query("{operators{rights}}"), want: ""},
		"a subscription":               {body: query("subscription{operator{rights}}"), want: ""},
		"two operations and no name":   {body: query("query a{operator{rights}} query b{operator{rights}}"), want: ""},
	}
	more := func(name, q, want string) {
		tests[name] = struct{ method, body, want string }{body: query(q), want: want}
	}
	for _, n := range []int{11, 12, 20, 50, 100, 300, 900} {
		more(fmt.Sprint("nested ", n), nested(n), "10 fields")
		more(fmt.Sprint("nested in a fragment ", n), "{...f} fragment f on Query"+nested(n), "fields")
		more(fmt.Sprint("nested in inline fragments ", n), strings.Repeat("{...on Query", n)+whoAsks+strings.Repeat("}", n)+"}", "")
		more(fmt.Sprint("schema of schema ", n), "{__schema{types"+strings.Repeat("{fields{type", n)+"{name}"+strings.Repeat("}}", n)+"}}", "")
		more(fmt.Sprint("types of types ", n), "{__schema{types{fields{type"+strings.Repeat("{ofType", n+10)+"{name}"+strings.Repeat("}", n+10)+"}}}}", "20 fields")
		more(fmt.Sprint("a bomb of doublings ", n), bomb(min(n, 200)), "")
		more(fmt.Sprint("aliases in aliases ", n), "{"+strings.Repeat("a:operator{b:rights c:userId}", n)+"}", "")
		more(fmt.Sprint("directives ", n), "{operator"+strings.Repeat(" @include(if:true)", n+30)+"{rights}}", "30 directives")
		more(fmt.Sprint("an input in inputs ", n), "{operator(a:"+strings.Repeat("[", n+10)+"1"+strings.Repeat("]", n+10)+"){rights}}", "16 levels")
		more(fmt.Sprint("operations and no name ", n), strings.Repeat("query{operator{rights}}", n), "")
		more(fmt.Sprint("fragments that nobody uses ", n), whoAsks+strings.Repeat(" fragment f on Query{operator{rights}}", n), "")
		more(fmt.Sprint("variables that nobody uses ", n), "query("+strings.Repeat("$a:Int ", n)+")"+whoAsks, "")
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			method := tt.method
			if method == "" {
				method = http.MethodPost
			}
			got := send(t, h, bySecret(), method, tt.body)
			if len(got.Errors) == 0 || string(got.Data) != "" && string(got.Data) != "null" {
				t.Fatalf("it was answered: %.200s", got.Data)
			}
			if got.code() != "bad-request" || !strings.Contains(got.said(), tt.want) || strings.Contains(got.said(), "canary") || len(got.said()) > 300 {
				t.Errorf("got %d %q %.400q", got.Status, got.code(), got.said())
			}
		})
	}
	t.Logf("%d cases", len(tests))
}

// TestStrangersAreNotRead: what they send is not even parsed, whatever it is.
func TestStrangersAreNotRead(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	for _, body := range []string{"", "nonsense", "[]", `{"query":"{__schema{types{name}}}"}`, strings.Repeat("[", 300<<10)} {
		if got := send(t, h, header{}, http.MethodPost, body); got.Status != http.StatusUnauthorized || got.code() != "unauthorized" {
			t.Errorf("%.20q: %+v", body, got)
		}
	}
}

// TestToolsReadTheSchema: the introspection of graphql-js passes the limits.
func TestToolsReadTheSchema(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	got := ask(t, h, bySecret(), introspection, nil)
	if len(got.Errors) > 0 || !strings.Contains(string(got.Data), `"name":"Operator"`) {
		t.Errorf("%+v", got)
	}
}

// introspection is what graphql-js asks, with every option on and nine levels of types.
const introspection = `query IntrospectionQuery { __schema { description queryType { name kind } mutationType { name kind } subscriptionType { name kind }
	types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
	fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
	inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
	enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
	ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } } } }`

// TestOnlyJSONIsTaken: what a page of another site can send without being asked for leave is not executed.
func TestOnlyJSONIsTaken(t *testing.T) {
	t.Parallel()
	h := open(t, nil)
	body := `{"query":"{operator{rights}}"}`
	for name, more := range map[string]header{
		"a form":            {"Content-Type": "application/x-www-form-urlencoded"},
		"several parts":     {"Content-Type": "multipart/form-data; boundary=x"},
		"plain text":        {"Content-Type": "text/plain"},
		"GraphQL itself":    {"Content-Type": "application/graphql"},
		"no type":           {"Content-Type": ""},
		"another charset":   {"Content-Type": "application/json; charset=utf-16"},
		"a compressed body": {"Content-Encoding": "gzip"},
	} {
		who := bySecret()
		for k, v := range more {
			who[k] = v
		}
		if got := send(t, h, who, http.MethodPost, body); got.Status != http.StatusBadRequest || got.code() != "bad-request" || leaks(got.Data) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

package emails

import (
	"strings"
	"testing"
)

func TestSubstitution(t *testing.T) {
	t.Parallel()
	values := map[string]string{
		"link":        "https://a.example/verify?ticket=x&type=y",
		"displayName": `<b>"Ada" & 'co'</b>`,
		"email":       "${ticket}",
		"ticket":      "verifyEmail:1",
		"redirectTo":  "https://app.example/?a=b&c=d#e",
		"clientUrl":   "JavaScript:alert(1)",
		"code":        "$& $1 $$ ${link}",
		"newEmail":    "a+b@example.org",
		"serverUrl":   "myapp://open",
	}
	tests := []struct {
		name string
		f    format
		in   string
		want string
	}{
		{"plain", plain, "Hi ${displayName}", `Hi <b>"Ada" & 'co'</b>`},
		{"escaped in HTML", markup, "Hi ${displayName}", "Hi &lt;b&gt;&#34;Ada&#34; &amp; &#39;co&#39;&lt;/b&gt;"},
		{"unknown names become empty", plain, "[${nothing}]", "[]"},
		{"names are exact", plain, "[${ link }${Link}]", "[]"},
		{"a value is not read again", plain, "${email}", "${ticket}"},
		{"a value is not a pattern", plain, "${code}", "$& $1 $$ ${link}"},
		{"lone dollars stay", plain, "$5 and $ and $link and {x}", "$5 and $ and $link and {x}"},
		{"adjacent", plain, "${ticket}${ticket}", "verifyEmail:1verifyEmail:1"},
		{"a link in HTML", markup, `<a href="${link}">`, `<a href="https://a.example/verify?ticket=x&amp;type=y">`},
		{"a script is no link", markup, `<a href="${clientUrl}">`, `<a href="#">`},
		{"an app is a link", markup, `<a href="${serverUrl}">`, `<a href="myapp://open">`},
		{
			"old templates put the link together", markup, `${serverUrl}/verify?&ticket=${ticket}&type=emailVerify&redirectTo=${redirectTo}`,
			`myapp://open/verify?&ticket=verifyEmail%3A1&type=emailVerify&redirectTo=https%3A%2F%2Fapp.example%2F%3Fa%3Db%26c%3Dd%23e`,
		},
		{"with entities, too", markup, `?a=1&amp;e=${newEmail}`, `?a=1&amp;e=a%2Bb%40example.org`},
		{"and in text", plain, `?e=${newEmail}`, `?e=a%2Bb%40example.org`},
		{"an equals sign alone is no query", plain, `name=${newEmail}`, `name=a+b@example.org`},
		{"a piece that stands", plain, "a${?code}b${/code}c", "abc"},
		{"a piece that goes", plain, "a${?nothing}b${ticket}${/nothing}c", "ac"},
		{"a piece in a piece that goes", plain, "a${?nothing}b${?code}x${/code}y${/nothing}c", "ac"},
		{"a piece that goes in one that stands", plain, "a${?code}b${?nothing}x${/nothing}y${/code}c", "abyc"},
		{"byte order mark", plain, "\ufeffa", "a"},
	}
	for _, test := range tests {
		tpl, err := parse("x", test.in)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got := tpl.fill(test.f, values); got != test.want {
			t.Errorf("%s: got %q, want %q", test.name, got, test.want)
		}
	}
}

func TestBrokenTemplatesNameFileAndLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\nb ${link\nc}":            "de/x/body.html:2: ${ is not closed",
		"${link":                     "de/x/body.html:1: ${ is not closed",
		"${a${link}":                 "de/x/body.html:1: ${ is not closed",
		"\n\n${?code} x":             "de/x/body.html:3: ${?code} has no ${/code}",
		"${/code}":                   "de/x/body.html:1: ${/code} closes nothing",
		"${?a}${?b}${/a}${/b}":       "de/x/body.html:1: ${/a} closes nothing",
		"\xff":                       "de/x/body.html: is not UTF-8",
		"ok ${link}\n${link} ${oops": "de/x/body.html:2: ${ is not closed",
	} {
		_, err := parse("de/x/body.html", in)
		if err == nil || err.Error() != want {
			t.Errorf("%q: got %v, want %s", in, err, want)
		}
	}
}

func TestLintFindsWhatIsSuspicious(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"${displayname}":                "x:1: ${displayname} is no variable and becomes empty; did you mean ${displayName}?",
		"\n${ link }":                   "x:2: ${ link } is no variable and becomes empty; did you mean ${link}?",
		"${weather}":                    "x:1: ${weather} is no variable and becomes empty",
		"<a href=${link}>":              `x:1: ${link} stands in an attribute without quotes; write "${link}"`,
		`<a href="${link}">${link}</a>`: "",
		"?a=${link}":                    "",
	} {
		tpl, err := parse("x", in)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, p := range tpl.lint("x", markup) {
			got += p.Error()
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestBuiltInTemplatesAreClean(t *testing.T) {
	t.Parallel()
	for _, problem := range (&Renderer{}).Lint() {
		t.Error(problem)
	}
}

// When the template writes no markup, the mail has none, whatever the values are.
func FuzzSubstitution(f *testing.F) {
	f.Add("a href=${link} ${displayName}", "x${code}", "javascript:1")
	f.Add("${?code}a${/code}?b=${code}", "<b>", "\xff\u202e\x00")
	f.Add("${", "}", "{")
	f.Fuzz(func(t *testing.T, text, name, link string) {
		text = strings.NewReplacer("<", "(", ">", ")", `"`, "(", "'", ")").Replace(text)
		tpl, err := parse("f", text)
		if err != nil {
			return
		}
		values, err := cleanValues(map[string]string{"displayName": name, "link": link, "code": name})
		if err != nil {
			return
		}
		if out := tpl.fill(markup, values); strings.ContainsAny(out, `<>"'`) {
			t.Errorf("%q with %q makes %q", text, values, out)
		}
	})
}

package emails

import (
	"bytes"
	"fmt"
	"maps"
	"mime"
	"net/mail"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"postern/internal/testmail"
)

// injections are attempts to write headers, markup or templates through a value.
func injections() []string {
	list := []string{
		"a\r\nBcc: eve@example.net", "a\nBcc: eve@example.net", "a\rBcc: eve@example.net", "a\r\n\r\n<h1>owned</h1>", "a\r\n Bcc: folded@example.net",
		"a\u2028Bcc: eve@example.net", "a\u2029Bcc: x", "a\u0085Bcc: x", "a\x0bBcc: x", "a\x0cBcc: x", "a\x00b", "a\x1b[31mb", "a\x7fb",
		"=?utf-8?q?owned?=", "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLm5ldA==?=", "=?utf-8?q?a=0D=0ABcc:_x?=", "%0d%0aBcc:x", "\\r\\nBcc: x", "a\xe5\x98\x8a\xe5\x98\x8dBcc: x",
		"a,b@example.net", "<eve@example.net>", `"quoted \"pair\""`, "a;b", "(comment)", "a@b@c", ":", "\xff\xfe", "\xed\xa0\x80", ".\r\n.", "\r\n.\r\nMAIL FROM:<x@y>",
		"<script>alert(1)</script>", "<img src=x onerror=alert(1)>", `"><img src=x>`, `' onmouseover='x`, "</a><a href=https://evil.example>", "</title><script>", "--><script>",
		"javascript:alert(1)", " JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)", "data:text/html,<script>", "vbscript:x", "&lt;b&gt;", "&#106;avascript:x",
		"{{.}}", "{{printf \"%s\" .}}", "{% include x %}", "{{7*7}}", "{{constructor.constructor('x')()}}", "#{7*7}", "<%= 7*7 %>", "${7*7}", "${ticket}", "${link}", "${?x}", "${/x}", "${", "$&", "$1", "$$", "`x`", "%s%n",
		"click evil.example", "https://evil.example/", "www.evil.example", "mailto:eve@evil.example", "eve@evil.example", "call +1 900 123", "//evil.example",
		"\u202emoc.live", "a\u2066b\u2069", "\u202aa\u202c", "\ufeff", "\u200b\u200b", "e\u0301\u0301\u0301", "😀🏳️‍🌈", "Ж", "日本語", "عربى", "עברית",
		strings.Repeat("A", 100<<10), strings.Repeat("é", 2000), strings.Repeat("a ", 5000), strings.Repeat("<", 9000), strings.Repeat("\r\n", 4000), "", " ", "\t",
	}
	for _, r := range []rune{0x00, 0x01, 0x07, 0x08, 0x0a, 0x0d, 0x1c, 0x80, 0x9f, 0xa0, 0xad, 0x200f, 0x2060, 0x2066, 0xfff9, 0xe0041} {
		list = append(list, "a"+string(r)+"b: c", string(r)+"X-Evil: 1", "end"+string(r))
	}
	return list
}

// Every variable a user has a hand in, in every mail: the structure of the mail stays what the
// template made it.
func TestT25TestH05ValuesCannotChangeTheMail(t *testing.T) {
	t.Parallel()
	r := &Renderer{}
	for _, name := range Templates() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			calm, err := r.Render(t.Context(), Message{Template: name, Variables: full(name)})
			if err != nil {
				t.Fatal(err)
			}
			want := skeleton(calm.HTML)
			for _, variable := range VariableNames() {
				for _, payload := range injections() {
					values := full(name)
					values[variable] = payload
					out, err := r.Render(t.Context(), Message{Template: name, Variables: values})
					if err != nil {
						if len(payload) > maxValue && IsPermanent(err) {
							continue
						}
						t.Fatalf("%s = %.40q: %v", variable, payload, err)
					}
					if cleanLine(payload) != "" && out.HTML != calm.HTML && skeleton(out.HTML) != want {
						t.Errorf("%s = %.40q changed the structure of the HTML", variable, payload)
					}
					for _, part := range []string{out.Subject, out.Text, out.HTML} {
						if i := strings.IndexFunc(part, forbidden); i >= 0 {
							t.Errorf("%s = %.40q: %q got through", variable, payload, part[i:min(len(part), i+8)])
						}
					}
					if strings.ContainsAny(out.Subject, "\r\n") || len([]rune(out.Subject)) > 250 {
						t.Errorf("%s = %.40q: subject %.60q", variable, payload, out.Subject)
					}
				}
			}
		})
	}
}

// full gives every variable a value, so that every piece of the template stands.
func full(name string) map[string]string {
	values := sample(SignInPasswordless)
	maps.Copy(values, sample(name))
	for _, v := range VariableNames() {
		if values[v] == "" {
			values[v] = "x"
		}
	}
	return values
}

// forbidden marks what no part of a mail may hold.
func forbidden(r rune) bool {
	return r != '\n' && unicode.IsControl(r) || turnsText(r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar
}

// skeleton is the HTML without text: tags, the names of attributes, and where links may lead.
func skeleton(page string) string {
	var b strings.Builder
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String()
		}
		if kind == html.TextToken {
			continue
		}
		token := z.Token()
		fmt.Fprintf(&b, "%v %.20s", kind, token.Data)
		for _, a := range token.Attr {
			b.WriteString(" " + a.Key)
			scheme := strings.ToLower(strings.TrimSpace(a.Val))
			if a.Key == "href" && (strings.HasPrefix(scheme, "javascript:") || strings.HasPrefix(scheme, "data:") || strings.HasPrefix(scheme, "vbscript:")) {
				b.WriteString("!")
			}
		}
		b.WriteByte('\n')
	}
}

// The operator's own templates may print the name that a stranger chose. It is text then, and no
// mail client makes a link of it.
func TestT25NamesBecomeNeitherMarkupNorLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "en/email-verify/subject.txt", "For ${displayName}")
	write(t, dir, "en/email-verify/body.html", `<p title="${displayName}">Hello ${displayName}, <a href="${link}">go</a></p>`)
	r := &Renderer{Directory: dir}
	for payload, want := range map[string]string{
		"click evil.example":         "click evil.\u200aexample",
		"https://evil.example/a?b=c": "https:\u200a/\u200a/\u200aevil.\u200aexample/\u200aa?b=c",
		"eve@evil.example":           "eve@\u200aevil.\u200aexample",
		"evil。example":               "evil。\u200aexample",
		"Dr. Ada Lovelace":           "Dr. Ada Lovelace",
		"\u202elovelace":             "lovelace",
		"Ada\r\n\r\nLovelace":        "Ada Lovelace",
		strings.Repeat("a", 100<<10): strings.Repeat("a", 99) + "…",
	} {
		out, err := r.Render(t.Context(), Message{Template: EmailVerify, Variables: map[string]string{"displayName": payload, "link": "https://a.example/"}})
		if err != nil {
			t.Fatal(err)
		}
		if out.Subject != "For "+want {
			t.Errorf("%.40q: subject %q, want %q", payload, out.Subject, want)
		}
		if got := out.HTML; got != `<p title="`+want+`">Hello `+want+`, <a href="https://a.example/">go</a></p>` {
			t.Errorf("%.40q: HTML %q", payload, got)
		}
	}
}

// Whatever is in the values, the mail that arrives has the headers it should have and no others,
// each with exactly the value that was meant.
func TestH04HeadersArriveAsMeant(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	transport := smtpTo(server)
	expected := map[string]bool{
		"From": true, "To": true, "Subject": true, "Date": true, "Message-Id": true, "Mime-Version": true, "Content-Type": true, "Content-Transfer-Encoding": true,
		"Auto-Submitted": true, "X-Email-Template": true, "X-Ticket": true, "X-Redirect-To": true, "X-Link": true, "X-Smtpapi": true,
	}
	for i, payload := range injections() {
		if len(payload) > 20<<10 && i%2 == 0 {
			payload = payload[:20<<10]
		}
		to := fmt.Sprintf("ada%d@example.org", i)
		out := mailTo(to)
		out.ID = fmt.Sprint("id", payload)
		out.Template, out.Subject, transport.SMTPAPI = payload, payload, payload
		out.Variables = map[string]string{"link": payload, "ticket": payload, "redirectTo": payload, "email": payload, "locale": payload}
		out.Text, out.HTML = payload, payload
		if err := transport.Send(t.Context(), out); err != nil {
			t.Fatalf("%.40q: %v", payload, err)
		}
		got := server.Last(t, to)
		if got.Err != nil {
			t.Fatalf("%.40q: %v", payload, got.Err)
		}
		for name, values := range got.Headers {
			if !expected[name] || len(values) != 1 {
				t.Errorf("%.40q: header %s: %.60q", payload, name, values)
			}
		}
		want := cleanLine(payload)
		if got.Subject != want && len(want) < 9000 {
			t.Errorf("%.40q: subject %.60q, want %.60q", payload, got.Subject, want)
		}
		if len(want) > maxHeader {
			want = ""
		}
		for _, name := range []string{"X-Link", "X-Ticket", "X-Redirect-To", "X-Email-Template", "X-SMTPAPI"} {
			if v := got.Headers.Get(name); v != want {
				t.Errorf("%.40q: %s is %.60q, want %.60q", payload, name, v, want)
			}
		}
		for line := range bytes.Lines(got.Raw) {
			if len(line) > maxLine+2 {
				t.Errorf("%.40q: a line of %d octets", payload, len(line))
			}
		}
	}
	if n := len(server.Messages()); n != len(injections()) {
		t.Errorf("%d mails arrived, want %d", n, len(injections()))
	}
}

func TestLongLinksArriveWhole(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	for i, n := range []int{60, 75, 76, 77, 300, 980, 988, 989, 990, 991, 992, 998, 1500, 4000, 8000} {
		out := mailTo(fmt.Sprintf("ada%d@example.org", i))
		link := "https://auth.example.com/verify?redirectTo=" + strings.Repeat("x", n)
		out.Variables["link"] = link[:n]
		out.Text = link
		if err := smtpTo(server).Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		got := server.Last(t, out.To)
		if got.Link != link[:n] {
			t.Errorf("%d: X-Link is %q", n, got.Link)
		}
		if strings.TrimSpace(got.Text) != link {
			t.Errorf("%d: the text says %q", n, got.Text)
		}
	}
}

func TestSubjectsInEveryScript(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	for i, subject := range []string{
		"Потвърдете имейл адреса си", "Confirmez votre adresse e-mail", "日本語の件名です", "😀 " + strings.Repeat("й", 200),
		strings.Repeat("long words and ", 16) + "end", "two  blanks", "=?UTF-8?Q?not_encoded?=",
	} {
		out := mailTo(fmt.Sprintf("ada%d@example.org", i))
		out.Subject = subject
		if err := smtpTo(server).Send(t.Context(), out); err != nil {
			t.Fatal(err)
		}
		if got := server.Last(t, out.To).Subject; got != subject {
			t.Errorf("got %q, want %q", got, subject)
		}
	}
}

// A header value, written and read again, is the cleaned value; it never begins a header of its own.
func FuzzHeaderValue(f *testing.F) {
	for _, s := range injections() {
		if len(s) < 1000 {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		want := cleanLine(s)
		if cleanLine(want) != want {
			t.Fatalf("%q cleans to %q, which cleans to %q", s, want, cleanLine(want))
		}
		raw := "X-Link: " + headerValue("X-Link", want) + "\r\nSubject: x\r\n\r\nbody"
		m, err := mail.ReadMessage(strings.NewReader(raw))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if len(m.Header) != 2 {
			t.Fatalf("%q made headers: %v", s, m.Header)
		}
		got, err := new(mime.WordDecoder).DecodeHeader(m.Header.Get("X-Link"))
		if err != nil || got != want {
			t.Fatalf("%q: got %q (%v), want %q", s, got, err, want)
		}
		for line := range strings.SplitSeq(raw, "\r\n") {
			if len(line) > maxLine || strings.ContainsAny(line, "\r\n") {
				t.Fatalf("%q: line %q", s, line)
			}
		}
	})
}

// An address is taken as one bare address or not at all.
func FuzzRecipient(f *testing.F) {
	for _, s := range []string{"a@b.example", "a@b\r\nc: d", "<a@b>", "a@b,c@d", "ä@ö.example", `"a"@b`, "a@[127.0.0.1]", "a@b>c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := recipient(s)
		if err != nil {
			return
		}
		if strings.ContainsAny(got, "\r\n\t <>,;\x00") || strings.IndexFunc(got, unicode.IsControl) >= 0 || strings.Count(got, "@") != 1 {
			t.Errorf("%q was taken as %q", s, got)
		}
	})
}

func TestDateIsTheOneGiven(t *testing.T) {
	t.Parallel()
	server := testmail.New(t)
	m, err := Open(Settings{
		Host: server.Host, Port: server.Port, Sender: "Example <auth@example.com>", Timeout: 5 * time.Second, TLS: "auto",
	}, "en", func() time.Time { return noon })
	if err != nil {
		t.Fatal(err)
	}
	rendered, err := m.Send(t.Context(), Sample(EmailVerify, "de-AT", "id-1", "ada@example.org"))
	if err != nil {
		t.Fatal(err)
	}
	got := server.Last(t, "ada@example.org")
	if date, err := got.Headers.Date(); err != nil || !date.Equal(noon) {
		t.Errorf("date: %v, %v", date, err)
	}
	if rendered.Locale != "de" || got.Subject != "Bestätigen Sie Ihre E-Mail-Adresse" {
		t.Errorf("locale %s, subject %q", rendered.Locale, got.Subject)
	}
}

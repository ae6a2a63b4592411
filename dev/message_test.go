package dev

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func crlf(lines ...string) []byte { return []byte(strings.Join(lines, "\r\n") + "\r\n") }

func TestParseMail(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		raw  []byte
		want Message
	}{
		{
			"text and HTML", crlf(
				"From: =?utf-8?q?Postern_=C3=BC?= <postern@example.com>", "Subject: =?utf-8?b?QmVzdMOkdGlnZW4=?=", "X-Ticket: t-1",
				`Content-Type: multipart/alternative; boundary="b"`, "",
				"--b", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: quoted-printable", "",
				"Your code is 738291. Or: https://a.example/v?x=3D1&y=3D222222=", "2.", "",
				"--b", "Content-Type: text/html; charset=utf-8", "Content-Transfer-Encoding: base64", "",
				// <style>i{color:#123456}</style><a href="https://a.example/h?x=1&amp;y=2">go</a><a href="javascript:x()">no</a>
				"PHN0eWxlPml7Y29sb3I6IzEyMzQ1Nn08L3N0eWxlPjxhIGhyZWY9Imh0dHBzOi8vYS5leGFtcGxl",
				"L2g/eD0xJmFtcDt5PTIiPmdvPC9hPjxhIGhyZWY9ImphdmFzY3JpcHQ6eCgpIj5ubzwvYT4=",
				"--b--"),
			Message{
				From: "Postern ü <postern@example.com>", Subject: "Bestätigen",
				Text:  "Your code is 738291. Or: https://a.example/v?x=1&y=2222222.\n",
				HTML:  `<style>i{color:#123456}</style><a href="https://a.example/h?x=1&amp;y=2">go</a><a href="javascript:x()">no</a>`,
				Links: []string{"https://a.example/h?x=1&y=2", "https://a.example/v?x=1&y=2222222"}, Codes: []string{"738291"},
			},
		},
		{
			"another charset, an attachment", crlf(
				"Subject: =?iso-8859-1?q?f=FCr?=", `Content-Type: multipart/mixed; boundary=b`, "",
				"--b", "Content-Type: text/plain; charset=iso-8859-1", "", "f\xfcr dich",
				"--b", "Content-Type: text/plain", "Content-Disposition: attachment; filename=x.txt", "", "not shown 123456",
				"--b--"),
			Message{Subject: "für", Text: "für dich"},
		},
		{"HTML alone", crlf("Content-Type: text/html", "", "<b>Code:</b> <i>482913</i>"), Message{HTML: "<b>Code:</b> <i>482913</i>\r\n", Codes: []string{"482913"}}},
		{"no content type", crlf("Subject: s", "", "plain"), Message{Subject: "s", Text: "plain\n"}},
		{"cut off in the middle", crlf("Content-Type: multipart/mixed; boundary=b", "", "--b", "", "half"), Message{Text: "half"}},
		{"no mail at all", []byte("\xff\x00"), Message{Subject: "(not a readable mail)", Text: "\uFFFD\x00"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.want.Kind = Email
			got := parseMail(test.raw)
			if diff := cmp.Diff(test.want, got, cmpopts.IgnoreFields(Message{}, "Headers"), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestHeadersAreListsOfDecodedValues(t *testing.T) {
	t.Parallel()
	got := parseMail(crlf("x-ticket: t", "X-Two: a", "X-Two: =?utf-8?q?=C3=A9?=", "", "")).Headers
	if diff := cmp.Diff(map[string][]string{"X-Ticket": {"t"}, "X-Two": {"a", "é"}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestLinksAndCodes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, kind, text string
		links, codes     []string
	}{
		{"a sentence", Email, "Go to https://a.example/x (or https://b.example/y_(z)), or <https://c.example>!", []string{"https://a.example/x", "https://b.example/y_(z)", "https://c.example"}, nil},
		{"the same twice", Email, "https://a.example https://a.example", []string{"https://a.example"}, nil},
		{"not for browsers", Email, "javascript:alert(1) ftp://a.example mailto:a@b.example", nil, nil},
		{"a code, twice", Email, "482913 is your code: 482913. Or 604218 738291", nil, []string{"482913", "604218", "738291"}},
		{"not a code: year, telephone, price, number, id", Email, "2026 +15551234567 1.234567 123456789 5f1c-123456-aa #123456", nil, nil},
		{"not a code: within an address", Email, "https://a.example/123456", []string{"https://a.example/123456"}, nil},
		{"a short code by SMS", SMS, "Code: 4821. Do not share it.", nil, []string{"4821"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := Message{Kind: test.kind, Text: test.text}
			m.read()
			if diff := cmp.Diff([][]string{test.links, test.codes}, [][]string{m.Links, m.Codes}, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func FuzzParseMail(f *testing.F) {
	f.Add(crlf("Subject: =?utf-8?q?=C3=A9?=", "Content-Type: multipart/mixed; boundary=b", "", "--b", "", "123456 https://a.example", "--b--"))
	f.Add([]byte("Content-Type: text/html; charset=utf-16\r\n\r\n<a href='http://x'>"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		m := parseMail(raw)
		for _, s := range append([]string{m.Subject, m.From, m.Text, m.HTML}, append(m.Links, m.Codes...)...) {
			if !utf8.ValidString(s) {
				t.Errorf("not UTF-8: %q", s)
			}
		}
		for _, link := range m.Links {
			if !strings.HasPrefix(strings.ToLower(link), "http://") && !strings.HasPrefix(strings.ToLower(link), "https://") {
				t.Errorf("a link of another kind: %q", link)
			}
		}
	})
}

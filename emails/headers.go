package emails

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

const (
	maxLine   = 998     // octets of one line of a mail (RFC 5322, 2.1.1)
	maxHeader = 8 << 10 // octets of a header value; a longer one is left out, the mail says it anyway
)

// headers are those that test suites read, and the operator's own. A value that would not survive
// the journey whole is left out.
func headers(m Outgoing, smtpAPI string) map[string]string {
	out := map[string]string{}
	ticket := m.Variables["ticket"]
	if ticket == "" && m.Template == SignInOTP {
		ticket = m.Variables["code"]
	}
	for name, v := range map[string]string{
		"X-Email-Template": m.Template,
		"X-Ticket":         ticket,
		"X-Redirect-To":    m.Variables["redirectTo"],
		"X-Link":           m.Variables["link"],
		"X-SMTPAPI":        smtpAPI,
	} {
		v = cleanLine(v)
		if v == "" || len(v) > maxHeader {
			continue
		}
		out[name] = headerValue(name, v)
	}
	return out
}

// headerValue writes a value as it stands when readers will see exactly that: one line, printable
// ASCII, nothing that looks encoded. It is never folded, since some readers keep the blank of a
// fold. Anything else becomes encoded words (RFC 2047), which decode to exactly the value.
func headerValue(name, v string) string {
	if len(name)+2+len(v) <= maxLine && isASCII(v) && !strings.Contains(v, "=?") {
		return v
	}
	return encodedWords(v)
}

// encodedWords writes the text as encoded words, one per line.
func encodedWords(s string) string {
	const room = 45 // bytes, 60 in base64, 72 with the frame
	var words []string
	for s != "" {
		n := min(room, len(s))
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, "\r\n ")
}

// maxID bounds the left half of a Message-ID, so that it fits on its line.
const maxID = 128

// messageID makes the Message-ID of a mail: the same at every attempt, and nothing of this machine
// in it.
func messageID(id, sender string) string {
	left := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' {
			return r
		}
		return -1
	}, id)
	return left[:min(len(left), maxID)] + sender[strings.LastIndexByte(sender, '@'):]
}

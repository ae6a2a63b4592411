package emails

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
)

// messageType stands in a value for the template of the mail.
const messageType = "$messageType"

// mostHeaders is how many headers an operator may add, so that no server refuses the mail for them.
const mostHeaders = 20

// ExtraHeaders are headers of the operator's own, by name.
type ExtraHeaders struct{ values map[string][]string }

// headerName is a name that changes nothing of what the mail is, whom it goes to and who sends it.
var headerName = regexp.MustCompile(`^(?i:x|list)-[A-Za-z0-9-]{1,60}$`)

// takenHeaders are ours, or another setting's.
var takenHeaders = []string{"X-Email-Template", "X-Ticket", "X-Redirect-To", "X-Link", "X-Smtpapi"}

// UnmarshalText reads a JSON object of lists.
func (h *ExtraHeaders) UnmarshalText(text []byte) error {
	var given map[string][]string
	if err := json.Unmarshal(text, &given); err != nil || given == nil {
		return errors.New(`must be a JSON object of lists such as {"X-Campaign": ["auth"]}`)
	}
	read := map[string][]string{}
	count := 0
	for name, values := range given {
		canonical := textproto.CanonicalMIMEHeaderKey(name)
		switch {
		case !headerName.MatchString(name):
			return fmt.Errorf("has the header %.70q: only names that begin with X- or List- are added", name)
		case slices.Contains(takenHeaders, canonical):
			return fmt.Errorf("has the header %s, which mails have already", canonical)
		case read[canonical] != nil:
			return fmt.Errorf("has the header %s twice", canonical)
		}
		for _, v := range values {
			if strings.ContainsAny(v, "\r\n\x00") || len(v) > maxHeader {
				return fmt.Errorf("has a value of the header %s that is not one line of at most 8 KiB", canonical)
			}
		}
		if count += len(values); count > mostHeaders {
			return fmt.Errorf("has more than %d headers", mostHeaders)
		}
		read[canonical] = values
	}
	h.values = read
	return nil
}

// String is the object, as it was given.
func (h ExtraHeaders) String() string {
	if len(h.values) == 0 {
		return ""
	}
	text, _ := json.Marshal(h.values)
	return string(text)
}

// MarshalText is String for encoders.
func (h ExtraHeaders) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// of are the headers of a mail of a template. Several values of one are a list with commas.
func (h ExtraHeaders) of(template string) map[string]string {
	out := map[string]string{}
	for name, values := range h.values {
		if v := cleanLine(strings.ReplaceAll(strings.Join(values, ", "), messageType, template)); v != "" && len(v) <= maxHeader {
			out[name] = headerValue(name, v)
		}
	}
	return out
}

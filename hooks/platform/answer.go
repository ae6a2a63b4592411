package platform

import (
	"bytes"
	"encoding/json"
	"errors"
	"mime"
	"strings"

	jsonv2 "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"postern/hooks"
)

// rejected is the code of a refusal that has none of its own.
const rejected = "hook-rejected"

// refusal reads an answer that refuses: any with a status that begins with 4. Its JSON reaches clients as it is.
func refusal(a hooks.Answer) *hooks.Denied {
	no := &hooks.Denied{Status: a.Status, Code: rejected}
	body := bytes.TrimSpace(a.Body)
	if !jsontext.Value(body).IsValid() {
		no.Message = string(body) // whoever shows it makes one short line of it
		return no
	}
	no.Body = a.Body
	var says struct{ Code, Message any }
	if json.Unmarshal(body, &says) != nil {
		return no
	}
	if code, ok := says.Code.(string); ok && validCode(code) {
		no.Code = code
	}
	no.Message, _ = says.Message.(string)
	return no
}

// validCode tells codes that may stand in an address.
func validCode(s string) bool {
	return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

// errNotRead is an answer that agrees, and says something that nobody reads.
var errNotRead = errors.New("it agrees, but what else it says is not read, since it is no JSON object, or does not say that it is application/json")

// rolesOf reads the roles of an answer that agrees. One that is no JSON object gives none, and errNotRead.
func rolesOf(a hooks.Answer) ([]string, error) {
	body := bytes.TrimSpace(a.Body)
	if len(body) == 0 {
		return nil, nil
	}
	kind, _, err := mime.ParseMediaType(a.ContentType)
	object := jsontext.Value(body)
	if err != nil || kind != "application/json" || object.Kind() != '{' || !object.IsValid(jsontext.AllowDuplicateNames(true)) {
		return nil, errNotRead
	}
	var says struct {
		Roles any `json:"roles"`
	}
	if err := jsonv2.Unmarshal(body, &says); err != nil {
		return nil, hooks.BadAnswer{Why: "a member appears twice"}
	}
	roles, err := rolesIn(says.Roles)
	if err != nil {
		return nil, hooks.BadAnswer{Why: "it has roles, " + err.Error()}
	}
	return roles, nil
}

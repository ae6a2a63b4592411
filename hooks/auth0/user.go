package auth0

import (
	"encoding/json"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"postern/auth"
	"postern/hooks"
)

// user is somebody as scripts are told of them.
type user struct {
	Tenant              string         `json:"tenant"`
	ID                  string         `json:"id"`
	Password            string         `json:"password,omitempty"`
	Email               string         `json:"email,omitempty"`
	EmailVerified       bool           `json:"emailVerified"`
	PhoneNumber         string         `json:"phoneNumber,omitempty"`
	PhoneNumberVerified bool           `json:"phoneNumberVerified"`
	UserMetadata        map[string]any `json:"user_metadata"`
	AppMetadata         map[string]any `json:"app_metadata"`
}

func userOf(u auth.User, tenant string) user {
	theirs, apps := metadataOf(u.Metadata)
	return user{
		Tenant: tenant, ID: u.ID, Email: u.Email, EmailVerified: u.EmailVerified,
		PhoneNumber: u.PhoneNumber, PhoneNumberVerified: u.PhoneNumberVerified, UserMetadata: theirs, AppMetadata: apps,
	}
}

// appMetadata is the member of our metadata that is the application's, and what people say about
// themselves is beside it.
const appMetadata = "app_metadata"

// metadataOf takes our metadata apart.
func metadataOf(ours json.RawMessage) (users, apps map[string]any) {
	users, _ = object(ours)
	if users == nil {
		users = map[string]any{}
	}
	apps, _ = users[appMetadata].(map[string]any)
	if apps == nil {
		apps = map[string]any{}
	}
	delete(users, appMetadata)
	return users, apps
}

// connections are where people come from by what they prove, of those that scripts are asked about:
// neither other providers nor guests.
var connections = map[string]string{
	"password": "Username-Password-Authentication", "webauthn": "Username-Password-Authentication",
	"link": "email", "otp": "email", "sms": "sms",
}

// connectionOf names where somebody comes from; empty when scripts are not asked about them.
func connectionOf(method, provider string) string {
	if provider != "" {
		return ""
	}
	return connections[method]
}

// surroundings are the context of a question about a user.
func surroundings(e hooks.Event, u auth.User, connection, tenant string) map[string]any {
	return map[string]any{
		"requestLanguage": u.Locale, "renderLanguage": u.Locale,
		"request":    map[string]any{"ip": wide(e.Client.Address), "language": u.Locale},
		"connection": map[string]any{"id": "con_" + strings.ToLower(connection), "name": connection, "tenant": tenant},
	}
}

// wide is an address in the notation of IPv6, whichever it is of.
func wide(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	a = a.WithZone("")
	if a.Is4() {
		a = netip.AddrFrom16(a.As16())
	}
	return a.String()
}

func creatingQuestion(e hooks.UserCreating, connection, tenant string) map[string]any {
	u := userOf(e.User, tenant)
	u.Password, u.AppMetadata = e.Password.Reveal(), map[string]any{}
	return map[string]any{"user": u, "context": surroundings(e.Event, e.User, connection, tenant)}
}

func createdQuestion(e hooks.UserCreated, connection, tenant string) map[string]any {
	return map[string]any{"user": userOf(e.User, tenant), "context": surroundings(e.Event, e.User, connection, tenant)}
}

func passwordQuestion(e hooks.PasswordChanged, tenant string) map[string]any {
	connection := connections["password"]
	return map[string]any{
		"user": map[string]any{"id": e.User.ID, "email": e.User.Email, "last_password_reset": e.At.UTC().Format(time.RFC3339Nano)},
		"context": map[string]any{
			"connection": map[string]any{"id": "con_" + strings.ToLower(connection), "name": connection, "tenant": tenant},
		},
	}
}

// refusedUser is what an error of a script means for a sign-up: only its own class says no on purpose.
func refusedUser(t *thrown) error {
	if t.name != refusesUser {
		return t.failure()
	}
	return &hooks.Denied{Status: 400, Code: "extensibility_error", Message: t.friendly, Reason: t.String()}
}

// metadataSaid is what a script wants the metadata of a user to be.
type metadataSaid struct{ users, apps map[string]any }

// registered reads the metadata that a script gives a new user. Nothing else of the user is the script's to
// change. What it leaves as it was does not count, whatever it is.
func registered(data json.RawMessage, before map[string]any) (said metadataSaid, err error) {
	if data == nil {
		return said, nil
	}
	var answer struct {
		User map[string]json.RawMessage `json:"user"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return said, hooks.BadAnswer{Why: "it is no object, or its user is none"}
	}
	if said.users, err = patch(answer.User, "user_metadata", before); err != nil {
		return said, err
	}
	if _, there := said.users[appMetadata]; there {
		return said, hooks.BadAnswer{Why: "its user_metadata has a member app_metadata, which belongs beside it"}
	}
	said.apps, err = patch(answer.User, appMetadata, nil)
	return said, err
}

// patch reads those members of an object that are other than before.
func patch(u map[string]json.RawMessage, name string, before map[string]any) (map[string]any, error) {
	text, there := u[name]
	if !there || string(text) == "null" {
		return nil, nil
	}
	o, ok := object(text)
	if !ok {
		return nil, hooks.BadAnswer{Why: "its " + name + " is no object"}
	}
	changed := map[string]any{}
	for key, value := range o {
		if was, there := before[key]; there && reflect.DeepEqual(was, value) {
			continue
		}
		if !named(key) || !allNamed(value) {
			return nil, hooks.BadAnswer{Why: "its " + name + " has a name that begins with $ or has a dot in it"}
		}
		changed[key] = value
	}
	return changed, nil
}

// named tells a name that metadata may have.
func named(key string) bool { return !strings.HasPrefix(key, "$") && !strings.Contains(key, ".") }

// allNamed looks at the names inside a value.
func allNamed(value any) bool {
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			if !named(key) || !allNamed(inner) {
				return false
			}
		}
	case []any:
		for _, inner := range v {
			if !allNamed(inner) {
				return false
			}
		}
	}
	return true
}

// effect puts the metadata of the script in its place. What the person gave for the application's part when
// they signed up is not theirs to give, so it goes.
func (s metadataSaid) effect(ours json.RawMessage) func(*hooks.UserCreating) error {
	all, _ := object(ours)
	_, smuggled := all[appMetadata]
	changes := map[string]any{}
	for key, value := range s.users {
		changes[key] = value
	}
	if len(s.apps) > 0 {
		changes[appMetadata] = s.apps
	}
	switch {
	case !smuggled && len(changes) == 0:
		return nil
	case !smuggled:
		return func(e *hooks.UserCreating) error { return e.MergeMetadata(changes) }
	}
	delete(all, appMetadata)
	for key, value := range changes {
		all[key] = value
	}
	return func(e *hooks.UserCreating) error { return e.ReplaceMetadata(all) }
}

package gotrue

import (
	"bytes"
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"postern/auth"
	"postern/hooks"
	"postern/userobject"
)

// change is what an answer puts in the place of a user's metadata; nil leaves a part as it is.
type change struct {
	users, apps map[string]any
}

func (c change) none() bool { return c.users == nil && c.apps == nil }

// of is the metadata of a user after the change. Where somebody comes from is ours to say.
func (c change) of(u auth.User) map[string]any {
	users, apps := userobject.Split(u.Metadata)
	if c.users != nil {
		users = c.users
	}
	if c.apps != nil {
		apps = c.apps
		delete(apps, "provider")
		delete(apps, "providers")
	}
	return userobject.Join(users, apps)
}

// read takes an answer apart. One without a body changes nothing.
func read(a hooks.Answer) (change, error) {
	body := bytes.TrimSpace(a.Body)
	if len(body) == 0 {
		return change{}, nil
	}
	if !jsontext.Value(body).IsValid() {
		return change{}, hooks.BadAnswer{Why: "it is no JSON"}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var said map[string]any
	if d.Decode(&said) != nil || said == nil {
		return change{}, hooks.BadAnswer{Why: "it is no object"}
	}
	var c change
	var err error
	if c.users, err = objectOf(said, "user_metadata"); err != nil {
		return change{}, err
	}
	if _, there := c.users[auth.AppMetadata]; there {
		return change{}, hooks.BadAnswer{Why: "its user_metadata has a member app_metadata, which belongs beside it"}
	}
	c.apps, err = objectOf(said, "app_metadata")
	return c, err
}

// objectOf is a member that is an object; nil when it is not there.
func objectOf(said map[string]any, name string) (map[string]any, error) {
	member := said[name]
	if member == nil {
		return nil, nil
	}
	o, ok := member.(map[string]any)
	if !ok {
		return nil, hooks.BadAnswer{Why: "its " + name + " is no object"}
	}
	return o, nil
}

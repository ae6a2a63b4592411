package gotrue

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/server"
	"postern/store"
	"postern/userobject"
)

// adminBody is how bodies of operators are read.
var adminBody = server.Body{Optional: true, Lenient: true, Null: true, AnyType: true, Free: []string{"user_metadata", "app_metadata", "data", "options"}}

// listed are users on a page. Where they have identities is not told in lists.
type listed struct {
	Users    []userobject.User `json:"users"`
	Audience string            `json:"aud"`
}

func (d *Door) listUsers(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	q := r.URL.Query()
	p, err := numbered(q)
	if err != nil {
		return err
	}
	p.Contains = q.Get("filter")
	for _, sort := range q["sort"] {
		switch strings.ToLower(strings.TrimSpace(sort)) {
		case "", "created_at", "created_at desc":
		case "created_at asc":
			p.Ascending = true
		default:
			return auth.Invalid{Field: "sort", Problem: "must be created_at asc or created_at desc"}
		}
	}
	page, err := d.Admin.NumberedUsers(r.Context(), by, p)
	if err != nil {
		return err
	}
	out := listed{Users: make([]userobject.User, 0, len(page.Users)), Audience: userobject.Authenticated}
	for _, u := range page.Users {
		o := userobject.Whole(u.User, &u.Details)
		o.Identities, o.Factors = nil, nil
		out.Users = append(out.Users, o)
	}
	paged(w.Header(), r.URL, p, page.Total)
	return server.JSON(w, http.StatusOK, out)
}

const usualPage = 50

// numbered reads which page is asked for. Clients send empty texts where nobody said.
func numbered(q url.Values) (flow.NumberedPage, error) {
	p := flow.NumberedPage{Number: 1, Size: usualPage}
	for name, n := range map[string]*int{"page": &p.Number, "per_page": &p.Size} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		var err error
		if *n, err = strconv.Atoi(text); err != nil || *n < 1 {
			return p, auth.Invalid{Field: name, Problem: "must be a number from 1 on"}
		}
	}
	return p, nil
}

// paged says in headers how many there are, and where the next page and the last are. Clients take the page for the
// number behind the first equals sign, so it is the first of the parameters.
func paged(h http.Header, asked *url.URL, p flow.NumberedPage, total int64) {
	last := max(1, (total+int64(p.Size)-1)/int64(p.Size))
	to := func(page int64, rel string) string {
		rest := asked.Query()
		rest.Del("page")
		target := asked.Path + "?page=" + strconv.FormatInt(page, 10)
		if more := rest.Encode(); more != "" {
			target += "&" + more
		}
		return "<" + target + `>; rel="` + rel + `"`
	}
	var links []string
	if int64(p.Number) < last {
		links = append(links, to(int64(p.Number)+1, "next"))
	}
	h.Set("Link", strings.Join(append(links, to(last, "last")), ", "))
	h.Set("X-Total-Count", strconv.FormatInt(total, 10))
}

// userAttributes are what operators say of a user.
type userAttributes struct {
	ID           string          `json:"id"`
	Audience     string          `json:"aud"`
	Role         string          `json:"role"`
	Email        address         `json:"email"`
	Phone        string          `json:"phone"`
	Password     *string         `json:"password"`
	PasswordHash *string         `json:"password_hash"`
	EmailConfirm bool            `json:"email_confirm"`
	PhoneConfirm bool            `json:"phone_confirm"`
	UserMetadata json.RawMessage `json:"user_metadata"`
	AppMetadata  json.RawMessage `json:"app_metadata"`
	BanDuration  string          `json:"ban_duration"`
}

// Check tells what is wrong with the request.
func (in *userAttributes) Check() error {
	switch {
	case in.Audience != "" && in.Audience != userobject.Authenticated:
		return auth.Invalid{Field: "aud", Problem: "must be " + userobject.Authenticated + ": there is one audience here"}
	case in.Role != "" && in.Role != userobject.Authenticated:
		return auth.Invalid{Field: "role", Problem: "must be " + userobject.Authenticated + ", which is the role of everybody who signed in; further roles are those of Hasura, which the GraphQL API gives"}
	case in.Email != "":
		if err := in.Email.check(); err != nil {
			return err
		}
	}
	for name, m := range map[string]*json.RawMessage{"user_metadata": &in.UserMetadata, "app_metadata": &in.AppMetadata} {
		var object map[string]json.RawMessage
		if json.Unmarshal(*m, &object) != nil && len(*m) > 0 {
			return auth.Invalid{Field: name, Problem: "must be an object"}
		}
		if object == nil {
			*m = nil
		}
	}
	_, err := in.banned(time.Time{})
	return err
}

// banned is until when the user is to be locked; zero where the ban is lifted.
func (in *userAttributes) banned(now time.Time) (time.Time, error) {
	if in.BanDuration == "" || in.BanDuration == "none" {
		return time.Time{}, nil
	}
	long, err := time.ParseDuration(in.BanDuration)
	if err != nil || long < 0 {
		return time.Time{}, auth.Invalid{Field: "ban_duration", Problem: "must be none, or how long, such as 24h or 1h30m"}
	}
	return now.Add(long), nil
}

// metadata are both kinds in one object, as they are kept. Where somebody comes from is not the operator's to say.
func (in *userAttributes) metadata() (json.RawMessage, error) {
	if in.UserMetadata == nil && in.AppMetadata == nil {
		return nil, nil
	}
	users, _ := userobject.Split(in.UserMetadata)
	apps, _ := userobject.Split(in.AppMetadata)
	delete(apps, "provider")
	delete(apps, "providers")
	return json.Marshal(userobject.Join(users, apps))
}

func (d *Door) createUser(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	in, err := server.Decode[userAttributes](r, adminBody)
	if err != nil {
		return err
	}
	if in.Email == "" && in.Phone == "" {
		return refusal{http.StatusBadRequest, "validation_failed", "Cannot create a user without either an email or phone"}
	}
	asked := flow.UserCreation{
		ID: in.ID, Email: string(in.Email), EmailVerified: in.EmailConfirm, PhoneNumber: number(in.Phone), PhoneNumberVerified: in.PhoneConfirm,
		Password: in.Password, PasswordHash: in.PasswordHash,
	}
	if name := nameIn(in.UserMetadata); name != "" {
		asked.DisplayName = &name
	}
	if asked.BannedUntil, err = in.banned(d.Front.Now()); err != nil {
		return err
	}
	if asked.Metadata, err = in.metadata(); err != nil {
		return err
	}
	u, err := d.Admin.CreateWhole(r.Context(), by, asked)
	if err != nil {
		return err
	}
	return tell(w, u)
}

// tell answers with a user, as operators see them.
func tell(w http.ResponseWriter, u store.WholeUser) error {
	return server.JSON(w, http.StatusOK, userobject.Whole(u.User, &u.Details))
}

func (d *Door) getUser(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	u, err := d.Admin.WholeUser(r.Context(), by, id)
	if err != nil {
		return here(err, noUser)
	}
	return tell(w, u)
}

func (d *Door) changeUser(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[userAttributes](r, adminBody)
	if err != nil {
		return err
	}
	asked, err := in.change(id, d.Front.Now())
	if err != nil {
		return err
	}
	u, err := d.Admin.UpdateWhole(r.Context(), by, asked)
	if err != nil {
		return here(err, noUser)
	}
	return tell(w, u)
}

// change is what becomes of a user: what is not given stays as it is. That something is not confirmed is nothing to say.
func (in *userAttributes) change(id string, now time.Time) (flow.UserChange, error) {
	c := flow.UserChange{ID: id}
	if in.PasswordHash != nil {
		return c, auth.Invalid{Field: "password_hash", Problem: "can be given to new users alone"}
	}
	if in.Email != "" {
		c.Email = is(string(in.Email))
	}
	if in.Phone != "" {
		c.PhoneNumber = is(number(in.Phone))
	}
	if in.EmailConfirm {
		c.EmailVerified = is(true)
	}
	if in.PhoneConfirm {
		c.PhoneNumberVerified = is(true)
	}
	if in.Password != nil {
		c.Password = is(*in.Password)
	}
	if in.BanDuration != "" {
		until, err := in.banned(now)
		if err != nil {
			return c, err
		}
		c.BannedUntil = flow.Field[time.Time]{Given: true, Null: until.IsZero(), Value: until}
	}
	var err error
	if c.MetadataPatch, err = without(in.UserMetadata, auth.AppMetadata); err != nil {
		return c, err
	}
	c.AppMetadataPatch, err = without(in.AppMetadata, "provider", "providers")
	return c, err
}

func is[T any](v T) flow.Field[T] { return flow.Field[T]{Given: true, Value: v} }

// without is an object that operators give, less members that are not theirs to give.
func without(object json.RawMessage, names ...string) (f flow.Field[json.RawMessage], err error) {
	var all map[string]json.RawMessage
	if object == nil {
		return f, nil
	}
	if err := json.Unmarshal(object, &all); err != nil {
		return f, auth.Invalid{Field: "body", Problem: "must have objects for metadata"}
	}
	maps.DeleteFunc(all, func(name string, _ json.RawMessage) bool { return slices.Contains(names, name) })
	if f.Value, err = json.Marshal(all); err == nil {
		f.Given = true
	}
	return f, err
}

type deletion struct {
	Soft bool `json:"should_soft_delete"`
}

func (d *Door) deleteUser(w http.ResponseWriter, r *http.Request, by flow.Operator) error {
	id, err := userID(r)
	if err != nil {
		return err
	}
	in, err := server.Decode[deletion](r, adminBody)
	if err != nil {
		return err
	}
	if _, err := d.Admin.DeleteUser(r.Context(), by, flow.UserDeletion{ID: id, Soft: in.Soft}); err != nil {
		return here(err, noUser)
	}
	return server.JSON(w, http.StatusOK, struct{}{})
}

// named says no about a field by the name that it has here.
func named(err error) error {
	var invalid auth.Invalid
	if !errors.As(err, &invalid) {
		return err
	}
	name, ok := operatorsNames[invalid.Field]
	if !ok {
		return err
	}
	return auth.Invalid{Field: name, Problem: invalid.Problem}
}

package hasura_test

import (
	"errors"
	"net/url"
	"testing"

	"postern/auth"
	"postern/flow"
	"postern/store"
)

// handing are the settings of houses whose operators hand links over.
var handing = flow.AdminSettings{Links: true, Role: "operator", ReaderRole: "auditor"}

// hand makes a link of a user, and gives its path.
func (d doorway) hand(t *testing.T, userID string) string {
	t.Helper()
	made, err := d.admin(handing).GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: userID, Purpose: auth.SignInByEmail})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(made.URL)
	if err != nil {
		t.Fatal(err)
	}
	return "/verify?" + u.RawQuery
}

// TestHandedLinkProvesNoAddress opens a link that went through no mailbox: the user is in, and nothing else
// of the account is different.
func TestHandedLinkProvesNoAddress(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "false"})
	p := d.person(t)
	d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
	path := d.hand(t, p.User.ID)
	_, q := d.ask(t, "GET", path, nil).redirect(t, 302)
	s := d.ask(t, "POST", "/token", fields{"refreshToken": q.Get("refreshToken")}).object(t)
	if user, _ := s["user"].(map[string]any); user["emailVerified"] != false {
		t.Errorf("user %v", s["user"])
	}
	if n := value[int](t, d, `select count(*) from auth.users where id = $1 and not email_verified and password_hash is not null`, p.User.ID); n != 1 {
		t.Error("the link confirmed the address, or took the password")
	}
	if amr := value[string](t, d, `select jsonb_path_query_array(amr, '$[*].method')::text from auth.refresh_tokens where user_id = $1 order by created_at desc, amr::text like '%link%' desc limit 1`, p.User.ID); amr != `["operator", "link"]` {
		t.Errorf("the session says that it began with %s", amr)
	}
	if n := value[int](t, d, `select count(*) from auth.audit_entries where user_id = $1 and event in ('user.confirmed', 'user.disowned')`, p.User.ID); n != 0 {
		t.Errorf("%d entries of a proof", n)
	}
	if _, q := d.ask(t, "GET", path, nil).redirect(t, 302); q.Get("error") != "invalid-ticket" {
		t.Errorf("opened twice: %v", q)
	}
}

// TestHandedLinkDisownsNobody has a link made of an account whose maker may be anybody, where addresses must be
// confirmed: not before somebody says that it is.
func TestHandedLinkDisownsNobody(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_SIGNIN_EMAIL_VERIFIED_REQUIRED": "true"})
	p := d.person(t)
	path := d.hand(t, p.User.ID)
	d.sql(t, `update auth.users set email_verified = false where id = $1`, p.User.ID)
	if _, q := d.ask(t, "GET", path, nil).redirect(t, 302); q.Get("error") != "unverified-user" {
		t.Errorf("got %v", q)
	}
	_, err := d.admin(handing).GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: p.User.ID, Purpose: auth.SignInByEmail})
	if auth.CodeOf(err) != auth.UserUnverified {
		t.Errorf("got %v", err)
	}
}

// TestNoHandedLinkForOperators has links made by which an operator would get more rights, or a password of
// their choice.
func TestNoHandedLinkForOperators(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	admin := d.admin(handing)
	for _, role := range []string{"operator", "auditor", "admin"} {
		p, q := d.person(t), d.person(t)
		before := d.hand(t, q.User.ID)
		d.sql(t, `insert into auth.roles (role) values ($1) on conflict do nothing`, role)
		d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, $2)`, p.User.ID, role)
		d.sql(t, `update auth.users set default_role = $2 where id = $1`, q.User.ID, role)
		for _, id := range []string{p.User.ID, q.User.ID} {
			_, err := admin.GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: id, Purpose: auth.SignInByEmail})
			if auth.CodeOf(err) != auth.Forbidden {
				t.Errorf("%s: got %v", role, err)
			}
			err = d.Kit.Store.InTx(t.Context(), func(tx *store.DB) error {
				return tx.HoldOrdinary(t.Context(), id, []string{"operator", "auditor", "admin"}, d.Kit.Now())
			})
			if !errors.Is(err, store.ErrChanged) {
				t.Errorf("%s: the statement lets it pass: %v", role, err)
			}
		}
		if _, q := d.ask(t, "GET", before, nil).redirect(t, 302); q.Get("error") != "invalid-ticket" {
			t.Errorf("%s: a link from before lets an operator in: %v", role, q)
		}
	}
	p := d.person(t)
	for _, purpose := range []auth.Purpose{auth.ResetPassword, auth.VerifyEmail, auth.ConfirmEmailChange, ""} {
		_, err := admin.GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: p.User.ID, Purpose: purpose})
		var invalid auth.Invalid
		if !errors.As(err, &invalid) || invalid.Field != "input.type" {
			t.Errorf("%q: got %v", purpose, err)
		}
	}
	if n := value[int](t, d, `select count(*) from auth.tickets where user_id = $1 and payload is not null`, p.User.ID); n != 0 {
		t.Errorf("%d tickets", n)
	}
}

package hasura_test

import (
	"testing"

	"postern/flow"
)

// mustChange says what each way in does for somebody whose password an operator chose: true lets them in. The
// password alone is what the operator knows, so it alone is refused. One that is added is missing until somebody decides.
var mustChange = map[string]bool{
	"password": false,
	"provider": true, "provider that knows the address": true, "ID token": true, "ID token that knows the address": true,
	"asking for a link": true, "access token": true, "access token at the webhook": true, "personal access token": true,
	"personal access token at the webhook": true, "refresh token": true, "code of a redirect": true,
	"link that signs in": true, "link beside a mailed code": true, "mailed code": true, "texted code": true,
	"link of a reset": true, "ticket of a reset": true, "link of a verification": true, "link of a change of address": true, "code of a change of number": true,
	"passkey's signature": true, "new passkey": true, "passkey's signature of a fresh proof": true, "texted code of a fresh proof": true, "mailed code of a fresh proof": true,
}

// TestPasswordMustChangeAtEveryWayIn tries everything that lets somebody in or keeps them in.
func TestPasswordMustChangeAtEveryWayIn(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000"})
	for name, w := range waysIn() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			may, decided := mustChange[name]
			if !decided {
				t.Fatalf("%s: say in mustChange whether it lets in who must choose another password", name)
			}
			p := d.subject(t)
			secret := w.earn(t, d, p)
			d.sql(t, `update auth.users set password_must_change = true where id = $1`, p.User.ID)
			a := w.use(t, d, p, secret)
			if may {
				if !a.worked() {
					t.Errorf("%s to %q", a, a.header.Get("Location"))
				}
				return
			}
			a.opensNothing(t)
			a.refused(t, 403, "password-must-change", "")
		})
	}
}

// TestPasswordMustChangeWhileActingAsTheUser: an operator sees the account that is not begun yet.
func TestPasswordMustChangeWhileActingAsTheUser(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.sql(t, `update auth.users set password_must_change = true where id = $1`, p.User.ID)
	i, err := d.admin(flow.AdminSettings{}).Impersonate(t.Context(), chief(), flow.Impersonation{UserID: p.User.ID, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)).is(t, 200, "")
}

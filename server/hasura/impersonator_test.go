package hasura_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/store"
)

// acting are the settings of houses whose operators are users.
var acting = flow.AdminSettings{Role: "operator", ReaderRole: "auditor"}

// operatorPerson is an operator with a session, and as the desk knows them.
func (d doorway) operatorPerson(t testing.TB) (person, flow.Operator) {
	t.Helper()
	p := d.person(t)
	d.sql(t, `insert into auth.roles (role) values ('operator'), ('auditor'), ('admin') on conflict do nothing`)
	d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'operator')`, p.User.ID)
	p.fullSession = d.signIn(t, p.email, rightPassword)
	said, err := d.Kit.Signer.Verify(p.AccessToken, d.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	bearer := said.Actor()
	a, err := d.admin(acting).Operator(t.Context(), flow.OperatorClaim{Bearer: &bearer, Roles: said.Roles})
	if err != nil {
		t.Fatal(err)
	}
	return p, flow.Operator{Actor: a}
}

// TestImpersonationsEndWithTheOperator: whatever makes of the operator somebody who may not act, or of the user
// somebody in whose place nobody acts, ends it at once for everything that asks the database, the webhook too.
func TestImpersonationsEndWithTheOperator(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_HASURA_WEBHOOK_ENABLED": "true", "AUTH_HASURA_WEBHOOK_MEMORY": "5s"})
	admin := d.admin(acting)
	type scene struct {
		op, user person
		by       flow.Operator
	}
	ending := func(in func(s scene) flow.SessionEnding) func(*testing.T, scene) {
		return func(t *testing.T, s scene) {
			t.Helper()
			if _, err := admin.EndSessions(t.Context(), chief(), in(s)); err != nil {
				t.Error(err)
			}
		}
	}
	update := func(in flow.UserChange) func(*testing.T, scene) {
		return func(t *testing.T, s scene) {
			t.Helper()
			in.ID = s.op.User.ID
			if _, err := admin.UpdateUser(t.Context(), chief(), in); err != nil {
				t.Error(err)
			}
		}
	}
	remove := func(soft bool) func(*testing.T, scene) {
		return func(t *testing.T, s scene) {
			t.Helper()
			if _, err := admin.DeleteUser(t.Context(), chief(), flow.UserDeletion{ID: s.op.User.ID, Soft: soft}); err != nil {
				t.Error(err)
			}
		}
	}
	ofOperator := func(sql string) func(*testing.T, scene) {
		return func(t *testing.T, s scene) { t.Helper(); d.sql(t, sql, s.op.User.ID) }
	}
	ofUser := func(sql string) func(*testing.T, scene) {
		return func(t *testing.T, s scene) { t.Helper(); d.sql(t, sql, s.user.User.ID) }
	}
	for name, c := range map[string]struct {
		does func(*testing.T, scene)
		ends bool
	}{
		"sessions of the operator": {ending(func(s scene) flow.SessionEnding { return flow.SessionEnding{UserIDs: []string{s.op.User.ID}} }), true},
		"their session":            {ending(func(s scene) flow.SessionEnding { return flow.SessionEnding{SessionIDs: []string{s.by.SessionID}} }), true},
		"their session before now": {ending(func(s scene) flow.SessionEnding {
			at := d.Clock.Now().Add(time.Second)
			return flow.SessionEnding{UserIDs: []string{s.op.User.ID}, Before: &at}
		}), true},
		"their sessions of long ago": {ending(func(s scene) flow.SessionEnding {
			at := d.Clock.Now().Add(-time.Hour)
			return flow.SessionEnding{UserIDs: []string{s.op.User.ID}, Before: &at}
		}), false},
		"signed out": {func(t *testing.T, s scene) {
			t.Helper()
			d.ask(t, "POST", "/signout", fields{"refreshToken": s.op.RefreshToken}).ok(t)
		}, true},
		"disabled":                {update(flow.UserChange{Disabled: flow.Field[bool]{Given: true, Value: true}}), true},
		"banned":                  {update(flow.UserChange{BannedUntil: flow.Field[time.Time]{Given: true, Value: d.Clock.Now().Add(time.Hour)}}), true},
		"demoted":                 {update(flow.UserChange{Roles: flow.Field[[]string]{Given: true, Value: []string{"user"}}}), true},
		"given another name":      {update(flow.UserChange{DisplayName: flow.Field[string]{Given: true, Value: "x"}}), false},
		"deleted softly":          {remove(true), true},
		"deleted hard":            {remove(false), true},
		"disabled in SQL":         {ofOperator(`update auth.users set disabled = true where id = $1`), true},
		"banned in SQL":           {ofOperator(`update auth.users set banned_until = now() + interval '1 hour' where id = $1`), true},
		"marked deleted in SQL":   {ofOperator(`update auth.users set deleted_at = now() where id = $1`), true},
		"demoted in SQL":          {ofOperator(`delete from auth.user_roles where user_id = $1 and role = 'operator'`), true},
		"now a reader":            {ofOperator(`update auth.user_roles set role = 'auditor' where user_id = $1 and role = 'operator'`), true},
		"deleted in SQL":          {ofOperator(`delete from auth.users where id = $1`), true},
		"sessions deleted in SQL": {ofOperator(`delete from auth.refresh_tokens where user_id = $1`), true},
		"session expired":         {ofOperator(`update auth.refresh_tokens set expires_at = now() - interval '1 second' where user_id = $1`), true},
		"operator by default": {func(t *testing.T, s scene) {
			t.Helper()
			ofOperator(`update auth.users set default_role = 'operator' where id = $1`)(t, s)
			ofOperator(`delete from auth.user_roles where user_id = $1 and role = 'operator'`)(t, s)
		}, false},
		"the user is an operator":   {ofUser(`insert into auth.user_roles (user_id, role) values ($1, 'operator')`), true},
		"the user is a reader":      {ofUser(`insert into auth.user_roles (user_id, role) values ($1, 'auditor')`), true},
		"the user is admin":         {ofUser(`update auth.users set default_role = 'admin' where id = $1`), true},
		"the user has another role": {ofUser(`insert into auth.user_roles (user_id, role) values ($1, 'anonymous')`), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var s scene
			s.op, s.by = d.operatorPerson(t)
			s.user = d.person(t)
			i, err := admin.Impersonate(t.Context(), s.by, flow.Impersonation{UserID: s.user.User.ID, Reason: "Ticket 12"})
			if err != nil {
				t.Fatal(err)
			}
			look := func() []int {
				return []int{
					d.ask(t, "GET", "/user", nil, bearer(i.AccessToken)).status, d.hook(t, bearer(i.AccessToken)).status,
					d.ask(t, "POST", "/token/verify", nil, bearer(i.AccessToken)).status,
				}
			}
			if got := look(); !slices.Equal(got, []int{200, 200, 200}) {
				t.Fatalf("at first: %v", got)
			}
			c.does(t, s)
			want := []int{200, 200, 200}
			if c.ends {
				want = []int{401, 401, 401}
			}
			if got := look(); !slices.Equal(got, want) {
				t.Errorf("got %v, want %v", got, want)
			}
			if !c.ends {
				return
			}
			d.ask(t, "GET", "/user", nil, bearer(s.user.AccessToken)).is(t, 200, "") // the user is left in peace
			if name == "the user is an operator" || name == "the user is a reader" || name == "the user is admin" {
				return
			}
			d.sql(t, `update auth.users set disabled = false, banned_until = null where id = $1 and deleted_at is null`, s.op.User.ID)
			if name != "disabled in SQL" && name != "banned in SQL" { // whose sessions nobody ended
				if got := look(); !slices.Equal(got, want) {
					t.Errorf("once the lock is lifted: %v", got)
				}
			}
		})
	}
}

// TestEndingAnOperatorsSessionsIsNoted of the user as whom they acted, too.
func TestEndingAnOperatorsSessionsIsNoted(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	op, by := d.operatorPerson(t)
	p := d.person(t)
	i, err := d.admin(acting).Impersonate(t.Context(), by, flow.Impersonation{UserID: p.User.ID, Reason: "x"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := d.admin(acting).EndSessions(t.Context(), chief(), flow.SessionEnding{UserIDs: []string{op.User.ID}})
	if err != nil || out.Users != 2 {
		t.Errorf("%+v %v", out, err)
	}
	if n := value[int](t, d, `select count(*) from auth.audit_entries where user_id = $1 and event = 'session.ended' and session_id = $2`, p.User.ID, i.ID); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestWhoActsIsKnown: whoever has the secret need be nobody, anybody else must be an operator as the statement
// writes it, and one whom nobody knows is none.
func TestWhoActsIsKnown(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	admin, p := d.admin(acting), d.person(t)
	_, by := d.operatorPerson(t)
	other := d.person(t)
	act := func(by flow.Operator) error {
		_, err := admin.Impersonate(t.Context(), by, flow.Impersonation{UserID: p.User.ID, Reason: "x"})
		return err
	}
	for name, c := range map[string]struct {
		by   auth.Actor
		good bool
	}{
		"the secret":               {auth.Actor{Rights: auth.AllRights}, true},
		"the secret of a user":     {auth.Actor{Rights: auth.AllRights, UserID: other.User.ID}, true},
		"an operator":              {by.Actor, true},
		"through the engine":       {auth.Actor{Rights: auth.ChangeRights, UserID: by.UserID}, true},
		"nobody":                   {auth.Actor{Rights: auth.ChangeRights}, false},
		"an ordinary user":         {auth.Actor{Rights: auth.ChangeRights, UserID: other.User.ID}, false},
		"in another's session":     {auth.Actor{Rights: auth.ChangeRights, UserID: by.UserID, SessionID: other.RefreshTokenID}, false},
		"an operator without role": {auth.Actor{Rights: auth.ReadRights, UserID: by.UserID}, false},
	} {
		if err := act(flow.Operator{Actor: c.by}); (err == nil) != c.good || err != nil && !errors.Is(err, auth.Forbidden) {
			t.Errorf("%s: %v", name, err)
		}
	}
	i := store.Impersonation{ID: by.SessionID, UserID: p.User.ID, Except: []string{"user"}, Reason: "x", CreatedAt: d.Clock.Now(), ExpiresAt: d.Clock.Now().Add(time.Minute)}
	err := d.Kit.Store.InTx(t.Context(), func(tx *store.DB) error {
		return tx.AddImpersonation(t.Context(), i, store.Alive{Now: d.Clock.Now()}, store.Entry{Event: "user.impersonated", UserID: p.User.ID, At: d.Clock.Now()})
	})
	if !errors.Is(err, store.ErrChanged) {
		t.Errorf("as somebody with a role that nobody acts as: %v", err)
	}
}

// TestWebhookTellsWhoActs in both ways in which the engine asks, beside the claims of the user.
func TestWebhookTellsWhoActs(t *testing.T) {
	t.Parallel()
	d, _ := hookDoor(t, "AUTH_JWT_CUSTOM_CLAIMS", `{"plan":{"path":"metadata.plan","default":"free"},"mail":"email"}`, "AUTH_CLAIMS_SOURCE", "database")
	op, by := d.operatorPerson(t)
	p := d.person(t)
	d.sql(t, `update auth.users set metadata = '{"plan": "gold", "x-hasura-impersonator": "nobody", "impersonator": "nobody"}' where id = $1`, p.User.ID)
	custom := []string{"x-hasura-plan", "gold", "x-hasura-mail", p.email}
	for _, c := range []struct {
		by  flow.Operator
		who string
	}{{by, op.User.ID}, {chief(), "operator"}} {
		i, err := d.admin(acting).Impersonate(t.Context(), c.by, flow.Impersonation{UserID: p.User.ID, Reason: "x"})
		if err != nil {
			t.Fatal(err)
		}
		want := variables(p.User.ID, "user", append(custom, "x-hasura-impersonator", c.who)...)
		for _, a := range []answer{
			d.hook(t, bearer(i.AccessToken)),
			d.ask(t, "POST", "/hasura/webhook", fields{"headers": fields{"Authorization": "Bearer " + i.AccessToken}}),
		} {
			a.speaksOf(t, want)
			if cache := a.header.Get("Cache-Control"); cache != "private, max-age=0" {
				t.Errorf("an answer that ends with the operator may be kept: %s", cache)
			}
		}
		d.ask(t, "POST", "/hasura/webhook", fields{"headers": fields{"Authorization": "Bearer " + i.AccessToken, "X-Hasura-Role": "admin"}}).is(t, 401, "")
	}
	d.hook(t, bearer(p.AccessToken)).speaksOf(t, variables(p.User.ID, "user", "x-hasura-plan", "free", "x-hasura-mail", p.email))
}

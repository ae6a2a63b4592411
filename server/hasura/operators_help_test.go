package hasura_test

import (
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/auth"
	"postern/flow"
	"postern/tokens"
)

// TestEndedSessionsDoNotRefresh ends the sessions of a user while all of them refresh: whatever a refresh got
// meanwhile is worth nothing afterwards.
func TestEndedSessionsDoNotRefresh(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	const sessions = 8
	latest := make([]string, sessions)
	for i := range latest {
		latest[i] = d.signIn(t, p.email, rightPassword).RefreshToken
	}
	var wg sync.WaitGroup
	for i := range latest {
		wg.Go(func() {
			for range 5 {
				a := d.ask(t, "POST", "/token", fields{"refreshToken": latest[i]})
				if a.status != 200 {
					return
				}
				latest[i] = a.session(t).RefreshToken
			}
		})
	}
	if _, err := d.admin(flow.AdminSettings{}).EndSessions(t.Context(), chief(), flow.SessionEnding{UserIDs: []string{p.User.ID}}); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for _, token := range latest {
		d.ask(t, "POST", "/token", fields{"refreshToken": token}).refused(t, 401, "invalid-refresh-token", "")
	}
	if n := value[int](t, d, `select count(*) from auth.audit_entries where user_id = $1 and event = 'session.ended'`, p.User.ID); n != 1 {
		t.Errorf("%d entries", n)
	}
}

// TestEverybodysSessionsEnd in several steps, each with its note; those that began later stay.
func TestEverybodysSessionsEnd(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, type)
		select gen_random_uuid(), $1, 'h' || n, now() - interval '2 hours', now() + interval '1 day', 'regular' from generate_series(1, 2500) n`, p.User.ID)
	before := d.Clock.Now().Add(-time.Hour)
	out, err := d.admin(flow.AdminSettings{}).EndSessions(t.Context(), chief(), flow.SessionEnding{All: true, Before: &before})
	if err != nil || out.Sessions != 2500 || out.More {
		t.Errorf("%+v %v", out, err)
	}
	if notes := value[string](t, d, `select string_agg(detail->>'count' || ' ' || (detail->>'more'), ', ' order by id) from auth.audit_entries where event = 'sessions.ended'`); notes != "1000 true, 1000 true, 500 false" {
		t.Errorf("the notes say %s", notes)
	}
	d.ask(t, "POST", "/token", fields{"refreshToken": p.RefreshToken}).is(t, 200, "")
}

// TestEndingOfEverybodysSessionsBreaksOff between two steps, as when the process dies: what is gone by then is in the
// audit log.
func TestEndingOfEverybodysSessionsBreaksOff(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, type)
		select lpad(to_hex(n), 32, '0')::uuid, $1, 'h' || n, now() - interval '2 hours', now() + interval '1 day', 'regular' from generate_series(1, 2500) n`, p.User.ID)
	d.sql(t, `create sequence said`) // what is in it stays, whatever becomes of the transaction
	d.sql(t, `create function break_off() returns trigger language plpgsql as $$ begin
		if old.refresh_token_hash = 'h1500' then
			perform setval('said', coalesce((select sum((detail->>'count')::int) from auth.audit_entries where event = 'sessions.ended'), 1));
			perform pg_terminate_backend(pg_backend_pid());
		end if; return old; end $$`)
	d.sql(t, `create trigger break_off before delete on auth.refresh_tokens for each row execute function break_off()`)
	before := d.Clock.Now().Add(-time.Hour)
	if out, err := d.admin(flow.AdminSettings{}).EndSessions(t.Context(), chief(), flow.SessionEnding{All: true, Before: &before}); err == nil {
		t.Errorf("%+v", out)
	}
	left := value[int](t, d, `select count(*) from auth.refresh_tokens where refresh_token_hash like 'h%'`)
	if said := value[int](t, d, `select last_value from said`); left != 1500 || said != 2500-left {
		t.Errorf("%d are left, and the log has %d as ended", left, said)
	}
}

// TestGeneratedLinksAskForTheFactor though mailed ones do not, where the setting says so.
func TestGeneratedLinksAskForTheFactor(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_MFA_SIGN_INS": "password"})
	p := d.person(t)
	d.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID)
	admin := d.admin(flow.AdminSettings{Links: true})
	for _, purpose := range []auth.Purpose{auth.SignInByEmail} {
		made, err := admin.GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: p.User.ID, Purpose: purpose})
		if err != nil {
			t.Fatal(err)
		}
		u, err := url.Parse(made.URL)
		if err != nil {
			t.Fatal(err)
		}
		_, q := d.ask(t, "GET", strings.TrimPrefix(u.Path, "/v1")+"?"+u.RawQuery, nil).redirect(t, 302)
		if q.Get("refreshToken") != "" || !strings.HasPrefix(q.Get("ticket"), "mfaTotp:") {
			t.Errorf("%s: %v", purpose, q)
		}
	}
	if _, err := d.admin(flow.AdminSettings{}).GenerateLink(t.Context(), chief(), flow.AdminMail{UserID: p.User.ID, Purpose: auth.SignInByEmail}); !errors.Is(err, auth.EndpointDisabled) {
		t.Errorf("turned off: %v", err)
	}
}

// TestResetFactorsEndsWhatTheyProved and leaves nobody locked out unasked.
func TestResetFactorsEndsWhatTheyProved(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	p := d.person(t)
	admin := d.admin(flow.AdminSettings{})
	if _, err := admin.ResetFactors(t.Context(), chief(), flow.FactorReset{UserID: p.User.ID}); !errors.Is(err, auth.FactorNotActive) {
		t.Errorf("nothing to reset: %v", err)
	}
	d.sql(t, `update auth.users set active_mfa_type = 'totp', totp_secret = 'JBSWY3DPEHPK3PXP' where id = $1`, p.User.ID)
	d.sql(t, `insert into auth.user_security_keys (id, user_id, credential_id, credential_public_key) values (gen_random_uuid(), $1, 'k', 'x')`, p.User.ID)
	out, err := admin.ResetFactors(t.Context(), chief(), flow.FactorReset{UserID: p.User.ID})
	if err != nil || !out.TOTP || out.Passkeys != 0 || out.Sessions != 1 {
		t.Errorf("%+v %v", out, err)
	}
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
	d.mail(t, p.email, "totp-disabled", 1)
	d.sql(t, `update auth.users set password_hash = null, email_verified = false where id = $1`, p.User.ID)
	key := value[string](t, d, `select id::text from auth.user_security_keys where user_id = $1`, p.User.ID)
	if err := admin.RemovePasskey(t.Context(), chief(), flow.Removal{UserID: p.User.ID, ID: key}); !errors.Is(err, auth.LastWayIn) {
		t.Errorf("the last way in: %v", err)
	}
	if err := admin.RemovePasskey(t.Context(), chief(), flow.Removal{UserID: p.User.ID, ID: key, Lockout: true}); err != nil {
		t.Error(err)
	}
}

// TestWhoIsNotActedAs: operators, the engine's admin, and who may not come in; and nobody acts for long.
func TestWhoIsNotActedAs(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	admin := d.admin(flow.AdminSettings{Role: "operator", ReaderRole: "auditor"})
	for more, want := range map[string]auth.Code{
		`insert into auth.user_roles (user_id, role) values ($1, 'operator')`: auth.Forbidden,
		`insert into auth.user_roles (user_id, role) values ($1, 'auditor')`:  auth.Forbidden,
		`insert into auth.user_roles (user_id, role) values ($1, 'admin')`:    auth.Forbidden,
		`update auth.users set disabled = true where id = $1`:                 auth.UserDisabled,
		`delete from auth.users where id = $1`:                                auth.NotFound,
	} {
		d.sql(t, `insert into auth.roles (role) values ('operator'), ('auditor'), ('admin') on conflict do nothing`)
		p := d.person(t)
		d.sql(t, more, p.User.ID)
		if _, err := admin.Impersonate(t.Context(), chief(), flow.Impersonation{UserID: p.User.ID, Reason: "x"}); !errors.Is(err, want) {
			t.Errorf("%s: %v", more, err)
		}
	}
	p := d.person(t)
	brief := chief()
	brief.UserID, brief.Ends = tokens.NewUUID(), d.Clock.Now().Add(90*time.Second)
	i, err := admin.Impersonate(t.Context(), brief, flow.Impersonation{UserID: p.User.ID, Reason: "x"})
	if err != nil || i.ExpiresAt.After(brief.Ends) {
		t.Errorf("%v, until %s", err, i.ExpiresAt)
	}
	claims, err := d.Kit.Signer.Verify(i.AccessToken, d.Clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	actor := claims.Actor()
	if _, err := admin.Operator(t.Context(), flow.OperatorClaim{Bearer: &actor, Roles: []string{"operator"}}); !errors.Is(err, auth.Forbidden) {
		t.Errorf("whoever acts as a user is an operator: %v", err)
	}
	if _, err := admin.Impersonate(t.Context(), flow.Operator{Actor: auth.Actor{Rights: auth.ReadRights}}, flow.Impersonation{UserID: p.User.ID, Reason: "x"}); !errors.Is(err, auth.Forbidden) {
		t.Errorf("a reader: %v", err)
	}
}

package hasura_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/tokens"
)

// listedPAT is a personal access token in the list.
type listedPAT struct {
	ID                   string
	CreatedAt, ExpiresAt time.Time
	LastUsedAt           *time.Time
	Metadata             map[string]any
}

func (d doorway) pats(t testing.TB, token string) []listedPAT {
	t.Helper()
	a := d.ask(t, "GET", "/pat", nil, bearer(token)).is(t, 200, "")
	var list struct{ PersonalAccessTokens []listedPAT }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatal(err)
	}
	return list.PersonalAccessTokens
}

// createPAT makes a personal access token and gives its id and secret.
func (d doorway) createPAT(t testing.TB, token string, body fields) (id, secret string) {
	t.Helper()
	m := d.ask(t, "POST", "/pat", body, bearer(token)).is(t, 200, "").object(t)
	id, _ = m["id"].(string)
	secret, _ = m["personalAccessToken"].(string)
	if len(m) != 2 || id == "" || secret == "" || id == secret {
		t.Fatalf("created %v", m)
	}
	return id, secret
}

func (d doorway) signInPAT(t testing.TB, secret string) answer {
	t.Helper()
	return d.ask(t, "POST", "/signin/pat", fields{"personalAccessToken": secret})
}

func TestPersonalAccessTokens(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, unverified(), stopped(clock))
	p := d.person(t)
	if list := d.pats(t, p.AccessToken); list == nil || len(list) != 0 {
		t.Errorf("list %v", list)
	}
	expires := clock.Now().Add(48 * time.Hour)
	id, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": expires.Format(time.RFC3339), "metadata": fields{"name": "nightly build"}})
	d.mail(t, p.email, "token-created", 1)
	// It is stored as Hasura Auth stores it, and the secret nowhere.
	row := value[map[string]any](t, d, `select to_jsonb(t) from auth.refresh_tokens t where id = $1`, id)
	if row["type"] != "pat" || row["refresh_token_hash"] != tokens.HashRefresh(secret) || row["user_id"] != p.User.ID || cmp.Diff(map[string]any{"name": "nightly build"}, row["metadata"]) != "" {
		t.Errorf("row %v", row)
	}
	if log := d.Log.String(); strings.Contains(log, secret) {
		t.Error("the secret is in the log")
	}
	want := listedPAT{ID: id, CreatedAt: clock.Now(), ExpiresAt: expires, Metadata: map[string]any{"name": "nightly build"}}
	if diff := cmp.Diff([]listedPAT{want}, d.pats(t, p.AccessToken)); diff != "" {
		t.Error(diff)
	}

	// It signs in any number of times, into sessions like any other.
	clock.Advance(time.Hour)
	in := d.signInPAT(t, secret).session(t)
	again := d.signInPAT(t, secret).session(t)
	if in.User.ID != p.User.ID || in.RefreshTokenID == again.RefreshTokenID || in.RefreshTokenID == id || in.user["email"] != p.email {
		t.Errorf("signed in as %v", in.user)
	}
	used := clock.Now()
	want.LastUsedAt = &used
	if diff := cmp.Diff([]listedPAT{want}, d.pats(t, in.AccessToken)); diff != "" {
		t.Error(diff)
	}
	next := d.ask(t, "POST", "/token", fields{"refreshToken": in.RefreshToken}).session(t)
	if list := d.sessions(t, next.AccessToken); len(list) != 4 || cmp.Diff([]string{"pat"}, list[0].Methods) != "" { // sign-up, sign-in, and these two
		t.Errorf("sessions %+v", list)
	}
	// It is no refresh token, no refresh token is one, and signing out does not end it.
	d.ask(t, "POST", "/token", fields{"refreshToken": secret}).refused(t, 401, "invalid-refresh-token", "")
	d.signInPAT(t, next.RefreshToken).refused(t, 401, "invalid-pat", "Invalid or expired personal access token")
	d.ask(t, "POST", "/signout", fields{"refreshToken": secret}).ok(t)
	d.signInPAT(t, secret).session(t)
	d.signInPAT(t, tokens.NewUUID()).refused(t, 401, "invalid-pat", "")
	d.signInPAT(t, id).refused(t, 401, "invalid-pat", "")
	// A new password leaves it alone, as in Hasura Auth.
	d.ask(t, "POST", "/user/password", fields{"newPassword": "a better password"}, bearer(d.accessToken(t, nil, p.wireSession))).ok(t)
	in = d.signInPAT(t, secret).session(t)

	// It expires to the second.
	clock.Advance(expires.Sub(clock.Now()) - time.Second)
	d.signInPAT(t, secret).session(t)
	clock.Advance(time.Second)
	d.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
	// The sessions that it opened end with it.
	d.ask(t, "GET", "/user", nil, bearer(d.accessToken(t, nil, in.wireSession))).refused(t, 401, "unauthorized", "")
	own := d.ask(t, "POST", "/signin/email-password", fields{"email": p.email, "password": "a better password"}).session(t)
	if list := d.pats(t, own.AccessToken); len(list) != 0 {
		t.Errorf("list %v", list)
	}
	if _, err := d.Store.Sweep(t.Context(), clock.Now().Add(time.Second), clock.Now(), clock.Now()); err != nil {
		t.Fatal(err)
	}
	if n := value[int](t, d, `select count(*) from auth.refresh_tokens where id = $1`, id); n != 0 {
		t.Error("what expired is not swept")
	}
}

// TestWeakness53PATsExpireInTheFuture is the part of weakness 53 that is about personal access tokens.
func TestWeakness53PATsExpireInTheFuture(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, unverified(), stopped(clock))
	p := d.person(t)
	before := d.state(t)
	for _, past := range []time.Duration{0, -time.Nanosecond, -time.Hour, -1000000 * time.Hour} {
		a := d.ask(t, "POST", "/pat", fields{"expiresAt": clock.Now().Add(past).Format(time.RFC3339Nano)}, bearer(p.AccessToken))
		a.refused(t, 400, "invalid-request", "expiresAt must be in the future")
	}
	for _, bad := range []string{"", "tomorrow", "2099-01-01", "2099-01-01T00:00:00", "2099-13-01T00:00:00Z", "2099-02-30T00:00:00Z", "99999-01-01T00:00:00Z", "2099-01-01 00:00:00Z", "4070908800", "2099-01-01T00:00:00+25:00", "2099-01-01T24:00:00Z", "Thu, 01 Jan 2099 00:00:00 GMT", "2099-01-01T00:00:00,5Z", "infinity"} {
		d.knock(t, "POST", "/pat", fields{"expiresAt": bad}, bearer(p.AccessToken)).invalid(t, "expiresAt")
	}
	d.knock(t, "POST", "/pat", `{"expiresAt":4070908800}`, bearer(p.AccessToken)).invalid(t, "expiresAt")
	d.knock(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z", "metadata": fields{"a": strings.Repeat("x", 32<<10)}}, bearer(p.AccessToken)).invalid(t, "metadata")
	d.knock(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z", "metadata": []string{"a"}}, bearer(p.AccessToken)).invalid(t, "metadata")
	d.sameState(t, before, "tokens that expire in the past")
	for _, good := range []string{"2099-01-01T00:00:00Z", "2099-01-01T00:00:00.123456789+02:00", "9999-12-31T23:59:59Z"} {
		d.createPAT(t, p.AccessToken, fields{"expiresAt": good})
	}
	// No user has so many that a list or the table suffers.
	d.sql(t, `insert into auth.refresh_tokens (user_id, refresh_token_hash, expires_at, type) select $1, 'h' || n, now() + interval '1 day', 'pat' from generate_series(1, 997) n`, p.User.ID)
	d.ask(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z"}, bearer(p.AccessToken)).refused(t, 400, "invalid-request", "personal access tokens must not be more than 1000: delete some")
	if n := len(d.pats(t, p.AccessToken)); n != 1000 {
		t.Errorf("%d in the list", n)
	}
}

func TestRevokePAT(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	id, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	_, kept := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	in, other := d.signInPAT(t, secret).session(t), d.signInPAT(t, kept).session(t)
	d.ask(t, "DELETE", "/pat/"+id, nil, bearer(p.AccessToken)).ok(t)
	d.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
	d.ask(t, "DELETE", "/pat/"+id, nil, bearer(p.AccessToken)).refused(t, 404, "not-found", "")
	// Whoever had copied it is out as well; all others stay.
	d.ask(t, "POST", "/token", fields{"refreshToken": in.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
	d.ask(t, "GET", "/user", nil, bearer(in.AccessToken)).refused(t, 401, "unauthorized", "")
	d.ask(t, "POST", "/token", fields{"refreshToken": other.RefreshToken}).session(t)
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "")
	d.signInPAT(t, kept).session(t)
	for event, want := range map[string]int{"pat.created": 2, "pat.revoked": 1, "session.ended": 1} {
		if n := value[int](t, d, `select count(*) from auth.audit_entries where event = $1 and user_id = $2`, event, p.User.ID); n != want {
			t.Errorf("%d audit rows %q", n, event)
		}
		if n := value[int](t, d, `select count(*) from auth.events where type = $1 and user_id = $2`, event, p.User.ID); n != want {
			t.Errorf("%d events %q", n, event)
		}
	}
	if n := value[int](t, d, `select count(distinct seq) - max(seq) from auth.events where user_id = $1`, p.User.ID); n != 0 {
		t.Errorf("the events have gaps")
	}
	// Signing out everywhere revokes them all, as in Hasura Auth.
	d.ask(t, "POST", "/signout", fields{"all": true}, bearer(p.AccessToken)).ok(t)
	d.signInPAT(t, kept).refused(t, 401, "invalid-pat", "")
}

// TestT10PATsOfThoseWhoMayNot tries the tokens of users who were locked and the like meanwhile.
func TestT10PATsOfThoseWhoMayNot(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_ACCESS_CONTROL_BLOCKED_EMAILS": "blocked@example.com"})
	for set, c := range map[string]struct {
		status int
		id     string
	}{
		"disabled = true":               {401, "disabled-user"},
		"email_verified = false":        {401, "unverified-user"},
		"email = 'blocked@example.com'": {401, "invalid-email-password"},
		"is_anonymous = true":           {403, "forbidden-anonymous"},
	} {
		t.Run(set, func(t *testing.T) {
			p := d.person(t)
			_, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
			d.sql(t, `update auth.users set `+set+` where id = $1`, p.User.ID)
			before := d.state(t)
			d.signInPAT(t, secret).refused(t, c.status, c.id, "")
			d.sameState(t, before, "a user who may not")
		})
	}
	// A second factor is not asked of a program.
	p := d.person(t)
	_, secret := d.createPAT(t, p.AccessToken, fields{"expiresAt": "2099-01-01T00:00:00Z"})
	d.sql(t, `update auth.users set active_mfa_type = 'totp' where id = $1`, p.User.ID)
	d.signInPAT(t, secret).session(t)
	d.sql(t, `delete from auth.users where id = $1`, p.User.ID)
	d.signInPAT(t, secret).refused(t, 401, "invalid-pat", "")
}

func TestCreatePATNeedsElevation(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	p := d.person(t)
	good := fields{"expiresAt": "2099-01-01T00:00:00Z"}
	d.ask(t, "POST", "/pat", good, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	elevated := d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, p.wireSession)
	id, secret := d.createPAT(t, elevated, good)
	// What a token opens is not elevated, so a program makes no further tokens.
	in := d.signInPAT(t, secret).session(t)
	d.ask(t, "POST", "/pat", good, bearer(in.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	// To give something up needs no fresh proof.
	d.pats(t, in.AccessToken)
	d.ask(t, "DELETE", "/pat/"+id, nil, bearer(p.AccessToken)).ok(t)
}

// TestPATsRevokedBesideSignIns revokes a token while it signs in: whoever got in is out, or never got in.
func TestPATsRevokedBesideSignIns(t *testing.T) {
	t.Parallel()
	w := openTwins(t, nil)
	replicas := []*testhouse.House{w.a, w.b}
	for range rounds(t, 3) {
		s := newcomer(t, w.a)
		auth := []string{"Authorization", "Bearer " + s.AccessToken}
		var created struct{ ID, PersonalAccessToken string }
		if err := json.Unmarshal([]byte(must(t, w.a, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z"}, home(), auth...).body), &created); err != nil {
			t.Fatal(err)
		}
		answers, err := parallel(16, func(i int) (reply, error) {
			if i%8 == 5 {
				return send(t.Context(), replicas[i/8%2], "DELETE", "/pat/"+created.ID, nil, home(), auth...)
			}
			return send(t.Context(), replicas[i%2], "POST", "/signin/pat", fields{"personalAccessToken": created.PersonalAccessToken}, away())
		})
		if err != nil {
			t.Fatal(err)
		}
		revoked := 0
		for i, r := range answers {
			switch {
			case i%8 == 5 && r.status == 200:
				revoked++
			case r.status >= 500, r.status >= 400 && r.refusal != "invalid-pat" && r.refusal != "not-found":
				t.Errorf("number %d: %s", i, r)
			case i%8 != 5 && r.status == 200:
				if now := must(t, w.a, "GET", "/user", nil, home(), "Authorization", "Bearer "+r.session.AccessToken); now.status != 401 {
					t.Errorf("a session of a revoked token lives: %s", now)
				}
			}
		}
		if revoked != 1 {
			t.Errorf("revoked %d times", revoked)
		}
	}
}

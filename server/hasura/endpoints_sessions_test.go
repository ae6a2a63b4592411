package hasura_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"postern/internal/testhouse"
	"postern/tokens"
)

const (
	firefoxOnWindows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0"
	safariOnIPhone   = "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1"
)

// listedSession is a session in the list.
type listedSession struct {
	ID                    string
	CreatedAt, LastUsedAt time.Time
	ExpiresAt             time.Time
	Device, UserAgent     string
	Network               string
	Methods               []string
	AAL                   int
	Current               bool
}

func (d doorway) sessions(t testing.TB, token string, more ...with) []listedSession {
	t.Helper()
	a := d.ask(t, "GET", "/user/sessions", nil, append(more, bearer(token))...).is(t, 200, "")
	var list struct{ Sessions []listedSession }
	if err := json.Unmarshal([]byte(a.body), &list); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(a.body, "oken") || strings.Contains(a.body, "hash") {
		t.Errorf("a list with secrets: %s", a.body)
	}
	return list.Sessions
}

func ids(list []listedSession) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = s.ID
	}
	return out
}

func TestListSessions(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, unverified(), stopped(clock))
	begun := clock.Now()
	email := d.signUp(t, nil)
	d.sql(t, `delete from auth.refresh_tokens`)
	signIn := func(agent, from string) fullSession {
		return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": rightPassword}, header("User-Agent", agent), peer(from)).session(t)
	}
	one := signIn(firefoxOnWindows, "203.0.113.7:1")
	clock.Advance(time.Minute)
	two := signIn(safariOnIPhone, "[2001:db8:1:2:3::4]:1")
	life := 30 * 24 * time.Hour
	want := []listedSession{
		{ID: two.RefreshTokenID, CreatedAt: begun.Add(time.Minute), LastUsedAt: begun.Add(time.Minute), ExpiresAt: begun.Add(time.Minute + life), Device: "Safari on iPhone", UserAgent: safariOnIPhone, Network: "2001:db8:1:2::/64", Methods: []string{"password"}, AAL: 1},
		{ID: one.RefreshTokenID, CreatedAt: begun, LastUsedAt: begun, ExpiresAt: begun.Add(life), Device: "Firefox on Windows", UserAgent: firefoxOnWindows, Network: "203.0.113.0/24", Methods: []string{"password"}, AAL: 1, Current: true},
	}
	if diff := cmp.Diff(want, d.sessions(t, one.AccessToken)); diff != "" {
		t.Error(diff)
	}
	// A refresh is a use, from wherever it comes.
	clock.Advance(time.Hour)
	d.ask(t, "POST", "/token", fields{"refreshToken": one.RefreshToken}, header("User-Agent", "my-app/2.1 (build 7)"), peer("198.51.100.9:1")).session(t)
	want[1].LastUsedAt, want[1].ExpiresAt = clock.Now(), clock.Now().Add(life)
	want[1].Device, want[1].UserAgent, want[1].Network = "my-app", "my-app/2.1 (build 7)", "198.51.100.0/24"
	want[0], want[1] = want[1], want[0]
	want[0].Current, want[1].Current = false, true
	if diff := cmp.Diff(want, d.sessions(t, d.accessToken(t, nil, two.wireSession))); diff != "" {
		t.Error(diff)
	}
	// One that Hasura Auth opened says little, a token without a session id is of none, and what has
	// expired is not there.
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, type) values (gen_random_uuid(), $1, 'x', $2, $3, 'regular')`, one.User.ID, begun, begun.Add(30*time.Hour))
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, type) values (gen_random_uuid(), $1, 'y', $2, $3, 'regular')`, one.User.ID, begun, clock.Now())
	d.sql(t, `insert into auth.refresh_tokens (id, user_id, refresh_token_hash, created_at, expires_at, type) values (gen_random_uuid(), $1, 'z', $2, $3, 'pat')`, one.User.ID, begun, begun.Add(30*time.Hour))
	list := d.sessions(t, d.accessToken(t, func(a *tokens.Access) { a.SessionID = "" }, one.wireSession))
	if len(list) != 3 || list[2].Methods == nil || len(list[2].Methods) != 0 || list[2].Device != "" || list[0].Current || list[1].Current || list[2].Current {
		t.Errorf("list %+v", list)
	}
}

// TestT26ListsAreOfOneUser looks at what two users see of each other, and TestT27 at what they can do
// to each other, by every endpoint that lists or takes an id.
func TestT26ListsAreOfOneUser(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	one, two := d.person(t), d.person(t)
	guest := d.guest(t)
	for _, p := range []person{one, two} {
		d.ask(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z", "metadata": fields{"of": p.email}}, bearer(p.AccessToken)).is(t, 200, "")
	}
	for who, c := range map[string]struct {
		s      fullSession
		others []string
	}{
		"one":   {one.fullSession, []string{two.RefreshTokenID, guest.RefreshTokenID}},
		"two":   {two.fullSession, []string{one.RefreshTokenID, guest.RefreshTokenID}},
		"guest": {guest, []string{one.RefreshTokenID, two.RefreshTokenID}},
	} {
		list := d.sessions(t, c.s.AccessToken)
		for _, other := range c.others {
			for _, id := range ids(list) {
				if id == other {
					t.Errorf("%s sees a session of somebody else", who)
				}
			}
		}
		if len(list) == 0 {
			t.Errorf("%s sees nothing", who)
		}
	}
	for _, p := range []person{one, two} {
		list := d.pats(t, p.AccessToken)
		if len(list) != 1 || list[0].Metadata["of"] != p.email {
			t.Errorf("tokens %v", list)
		}
		// Nothing in the request asks for somebody else's.
		for _, q := range []string{"?userId=" + two.User.ID, "?user_id=" + two.User.ID, "?id=" + two.User.ID} {
			a := d.knock(t, "GET", "/user/sessions"+q, nil, bearer(one.AccessToken), header("X-Hasura-User-Id", two.User.ID))
			if strings.Contains(a.body, two.RefreshTokenID) {
				t.Errorf("%s: %s", q, a)
			}
		}
	}
}

// strangeIDs are ids that are nobody's own: of others, of another kind, made up, and none at all.
func (d doorway) strangeIDs(t testing.TB, of person, kind string) map[string]string {
	t.Helper()
	other := d.person(t)
	token := func(p person) string {
		id, _ := d.ask(t, "POST", "/pat", fields{"expiresAt": "2099-01-01T00:00:00Z"}, bearer(p.AccessToken)).object(t)["id"].(string)
		return id
	}
	list := map[string]string{
		"session of somebody else": other.RefreshTokenID, "token of somebody else": token(other), "user": of.User.ID, "somebody else": other.User.ID,
		"made up": tokens.NewUUID(), "zeros": "00000000-0000-0000-0000-000000000000", "capitals": strings.ToUpper(of.RefreshTokenID), "braces": "%7B" + of.RefreshTokenID + "%7D",
		"no dashes": strings.ReplaceAll(of.RefreshTokenID, "-", ""), "a word": "current", "a star": "*", "a secret": of.RefreshToken, "SQL": "%27%20or%20true%20--", "NUL": "%00", "long": strings.Repeat("a", 5000), "a blank": "%20" + of.RefreshTokenID,
	}
	if kind == "session" {
		list["own token"] = token(of)
	} else {
		list["own session"] = of.RefreshTokenID
	}
	return list
}

func TestT27IdsOfOthersAreNothing(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	for kind, path := range map[string]string{"session": "/user/sessions/", "token": "/pat/"} {
		strange := d.strangeIDs(t, p, kind)
		before := d.state(t)
		said := map[string]string{}
		for name, id := range strange {
			a := d.knock(t, "DELETE", path+id, nil, bearer(p.AccessToken))
			a.refused(t, 404, "not-found", "")
			said[a.body] = name
		}
		if len(said) != 1 {
			t.Errorf("the answers differ: %v", said)
		}
		d.sameState(t, before, "ids of others")
		d.ask(t, "DELETE", path+tokens.NewUUID(), nil).refused(t, 401, "unauthorized", "")
	}
}

func TestEndSession(t *testing.T) {
	t.Parallel()
	d := openDoor(t, unverified())
	p := d.person(t)
	other := d.signIn(t, p.email, p.password)
	third := d.signIn(t, p.email, p.password)
	d.ask(t, "DELETE", "/user/sessions/"+other.RefreshTokenID, nil, bearer(p.AccessToken)).ok(t)
	over := func(s fullSession) {
		t.Helper()
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
		d.ask(t, "GET", "/user/sessions", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
		d.ask(t, "DELETE", "/user/sessions/"+p.RefreshTokenID, nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
	}
	over(other)
	d.ask(t, "DELETE", "/user/sessions/"+other.RefreshTokenID, nil, bearer(p.AccessToken)).refused(t, 404, "not-found", "")
	for table, column := range map[string]string{"auth.audit_entries": "session_id::text", "auth.events": "payload->>'sessionId'"} {
		kind := map[string]string{"auth.audit_entries": "event", "auth.events": "type"}[table]
		if n := value[int](t, d, fmt.Sprintf(`select count(*) from %s where %s = 'session.ended' and user_id = $1 and %s = $2`, table, kind, column), p.User.ID, other.RefreshTokenID); n != 1 {
			t.Errorf("%s has %d entries", table, n)
		}
	}
	// The one that asks may end itself; the third goes on.
	d.ask(t, "DELETE", "/user/sessions/"+p.RefreshTokenID, nil, bearer(p.AccessToken)).ok(t)
	over(p.fullSession)
	if list := d.sessions(t, third.AccessToken); !list[0].Current || list[0].ID != third.RefreshTokenID {
		t.Errorf("list %+v", list)
	}
	d.ask(t, "POST", "/token", fields{"refreshToken": third.RefreshToken}).session(t)
}

// limitsOf are replicas whose sessions are limited, on a clock that stands still.
func limitsOf(t *testing.T, settings ...string) twins {
	t.Helper()
	env := map[string]string{"AUTH_ANONYMOUS_USERS_ENABLED": "true", "AUTH_OTP_EMAIL_ENABLED": "true"}
	for i := 0; i+1 < len(settings); i += 2 {
		env[settings[i]] = settings[i+1]
	}
	return openTwins(t, env)
}

// alive tells whether a session is one, asking everything that has a say.
func (w twins) alive(t *testing.T, h *testhouse.House, s wireSession) bool {
	t.Helper()
	auth := []string{"Authorization", "Bearer " + s.AccessToken}
	said := map[string]bool{}
	for _, path := range []string{"/user", "/user/sessions"} {
		r := must(t, h, "GET", path, nil, home(), auth...)
		said[path] = r.status == 200
		if r.status != 200 && r.refusal != "unauthorized" {
			t.Errorf("%s: %s", path, r)
		}
	}
	r := must(t, h, "POST", "/token/verify", nil, home(), auth...)
	said["/token/verify"] = r.status == 200
	for what, ok := range said {
		if ok != said["/user"] {
			t.Errorf("%s says %v, GET /user says %v", what, ok, said["/user"])
		}
	}
	return said["/user"]
}

func TestSessionIdleTimeout(t *testing.T) {
	t.Parallel()
	w := limitsOf(t, "AUTH_SESSION_IDLE_TIMEOUT", "1h", "AUTH_ACCESS_TOKEN_EXPIRES_IN", "36000")
	s := newcomer(t, w.a)
	token := s.RefreshToken
	for range 3 { // whoever is back in time stays in
		w.clock.Advance(time.Hour - time.Second)
		if !w.alive(t, w.b, s) {
			t.Fatal("it ended before its time")
		}
		token = mustRefresh(t, w.b, token, home())
	}
	w.clock.Advance(time.Hour)
	if w.alive(t, w.a, s) {
		t.Error("it is idle and lives")
	}
	mustRefuse(t, w.a, token, home(), 401, "invalid-refresh-token")
	for path, method := range map[string]string{"/user/sessions/" + s.RefreshTokenID: "DELETE", "/signout": "POST"} {
		if r := must(t, w.b, method, path, fields{"all": true}, home(), "Authorization", "Bearer "+s.AccessToken); r.status != 401 && r.status != 400 {
			t.Errorf("an idle session may %s %s: %s", method, path, r)
		}
	}
	if n := scan[int](t, w.a, `select count(*) from auth.refresh_tokens where id = $1 and expires_at <= $2`, s.RefreshTokenID, w.clock.Now()); n != 1 {
		t.Error("the row does not say that it is over, or somebody deleted it")
	}

	// A tighter limit holds for those who are in.
	wide := limitsOf(t, "AUTH_ACCESS_TOKEN_EXPIRES_IN", "36000")
	tight := wide.beside(t, map[string]string{"AUTH_SESSION_IDLE_TIMEOUT": "1h"})
	for name, later := range map[string]struct {
		after time.Duration
		lives bool
	}{"used": {time.Hour - time.Second, true}, "idle": {time.Hour, false}} {
		s := newcomer(t, wide.a)
		before := s.RefreshToken
		now := mustRefresh(t, wide.a, before, home())
		wide.clock.Advance(later.after)
		if got := wide.alive(t, tight, s); got != later.lives {
			t.Errorf("%s: alive %v", name, got)
		}
		if got := wide.alive(t, wide.b, s); !got {
			t.Errorf("%s: ended where nothing limits it", name)
		}
		for _, token := range []string{before, now} { // the one before would get the same answer, or branch off
			if r := refresh(t, tight, token, home()); (r.status == 200) != later.lives || !later.lives && r.refusal != "invalid-refresh-token" {
				t.Errorf("%s: %s", name, r)
			}
			if later.lives {
				break
			}
		}
	}
	// What Hasura Auth refreshed last nobody knows: its sessions begin to count here.
	adopted := newcomer(t, wide.a)
	exec(t, wide.a, `update auth.refresh_tokens set rotated_at = null, created_at = created_at - interval '9 days' where id = $1`, adopted.RefreshTokenID)
	if next := mustRefresh(t, tight, adopted.RefreshToken, home()); next == "" {
		t.Error("an adopted session did not go on")
	}
	wide.clock.Advance(time.Hour)
	if wide.alive(t, tight, adopted) {
		t.Error("an adopted session is never idle")
	}
}

func TestSessionMaxLifetime(t *testing.T) {
	t.Parallel()
	w := limitsOf(t, "AUTH_SESSION_MAX_LIFETIME", "24h", "AUTH_ACCESS_TOKEN_EXPIRES_IN", "172800")
	s := newcomer(t, w.a)
	opened := w.clock.Now()
	token := s.RefreshToken
	for range 3 {
		w.clock.Advance(6 * time.Hour)
		token = mustRefresh(t, w.b, token, home())
	}
	if end := scan[time.Time](t, w.a, `select least(expires_at, ends_at) from auth.refresh_tokens where id = $1`, s.RefreshTokenID); !end.Equal(opened.Add(24 * time.Hour)) {
		t.Errorf("it ends at %s", end)
	}
	w.clock.Advance(6*time.Hour - time.Second)
	if !w.alive(t, w.a, s) {
		t.Error("it ended before its time")
	}
	w.clock.Advance(time.Second)
	if w.alive(t, w.a, s) {
		t.Error("it outlives its time")
	}
	mustRefuse(t, w.b, token, home(), 401, "invalid-refresh-token")

	// A tighter limit holds for those who are in; a wider one gives back nothing.
	wide := limitsOf(t, "AUTH_ACCESS_TOKEN_EXPIRES_IN", "172800")
	tight := wide.beside(t, map[string]string{"AUTH_SESSION_MAX_LIFETIME": "24h"})
	old := newcomer(t, wide.a)
	wide.clock.Advance(24*time.Hour - time.Second)
	next := mustRefresh(t, tight, old.RefreshToken, home())
	if n := scan[int](t, wide.a, `select count(*) from auth.refresh_tokens where id = $1 and ends_at = created_at + interval '24 hours' and expires_at = ends_at`, old.RefreshTokenID); n != 1 {
		t.Error("the refresh did not write the end down")
	}
	wide.clock.Advance(time.Second)
	if wide.alive(t, tight, old) || wide.alive(t, wide.a, old) {
		t.Error("the session lives after its end")
	}
	mustRefuse(t, wide.a, next, home(), 401, "invalid-refresh-token")
	never := newcomer(t, wide.a)
	wide.clock.Advance(24 * time.Hour)
	mustRefuse(t, tight, never.RefreshToken, home(), 401, "invalid-refresh-token")
	mustRefresh(t, wide.a, never.RefreshToken, home())
}

// signInAt signs a user in by the password.
func signInAt(t *testing.T, h *testhouse.House, address string) wireSession {
	t.Helper()
	r := must(t, h, "POST", "/signin/email-password", fields{"email": address, "password": rightPassword}, home())
	if r.status != 200 || r.session.RefreshToken == "" {
		t.Fatal(r)
	}
	return r.session
}

func TestSessionLimit(t *testing.T) {
	t.Parallel()
	t.Run("one", func(t *testing.T) {
		t.Parallel()
		w := limitsOf(t, "AUTH_SESSION_LIMIT", "1")
		first := newcomer(t, w.a)
		w.clock.Advance(time.Second)
		second := signInAt(t, w.b, first.User.Email)
		w.mustBeOver(t, first, first.RefreshToken)
		w.mustBeReported(t, first, "session.ended", 1)
		w.mustBeReported(t, second, "session.started", 1)
		if reason := scan[string](t, w.a, `select string_agg(detail->>'reason', ',') from auth.audit_entries where event = 'session.ended' and session_id = $1`, first.RefreshTokenID); reason != "limit" {
			t.Errorf("it ended because of %q", reason)
		}
		if n := scan[int](t, w.a, `select count(distinct seq) from auth.events where user_id = $1`, first.User.ID); n != 4 { // created, started, ended, started
			t.Errorf("%d events", n)
		}
		// Who does not get in throws nobody out.
		for _, body := range []fields{{"email": first.User.Email, "password": "wrong password"}, {"email": strings.ToUpper(first.User.Email), "password": "wrong password"}} {
			must(t, w.a, "POST", "/signin/email-password", body, away())
		}
		if !w.alive(t, w.a, second) {
			t.Error("a wrong password ended the session")
		}
		// Others are others.
		newcomer(t, w.a)
		mustRefresh(t, w.b, second.RefreshToken, home())
	})
	t.Run("the oldest of many", func(t *testing.T) {
		t.Parallel()
		w := limitsOf(t, "AUTH_SESSION_LIMIT", "3", "AUTH_SESSION_IDLE_TIMEOUT", "1h", "AUTH_ACCESS_TOKEN_EXPIRES_IN", "36000")
		list := []wireSession{newcomer(t, w.a)}
		for range 4 {
			w.clock.Advance(time.Minute)
			list = append(list, signInAt(t, w.a, list[0].User.Email))
		}
		for i, s := range list {
			if got := w.alive(t, w.b, s); got != (i >= 2) {
				t.Errorf("number %d: alive %v", i, got)
			}
		}
		// What is idle takes no place.
		w.clock.Advance(50 * time.Minute)
		mustRefresh(t, w.a, list[2].RefreshToken, home())
		w.clock.Advance(9 * time.Minute)
		w.clock.Advance(2 * time.Minute)
		last := signInAt(t, w.b, list[0].User.Email)
		if !w.alive(t, w.a, list[2]) || !w.alive(t, w.a, last) {
			t.Error("a session that was idle kept a place from one that was used")
		}
	})
	t.Run("by role", func(t *testing.T) {
		t.Parallel()
		w := limitsOf(t, "AUTH_SESSION_LIMIT", "2", "AUTH_SESSION_LIMIT_BY_ROLE", "admin=1, support = 3,anonymous=0", "AUTH_USER_DEFAULT_ALLOWED_ROLES", "me,admin,support")
		for roles, most := range map[string]int{"": 2, "admin": 1, "support": 3, "admin,support": 1} {
			s := newcomer(t, w.a)
			exec(t, w.a, `with gone as (delete from auth.user_roles where user_id = $1 and role in ('admin', 'support') and role <> all(string_to_array($2, ','))) select`, s.User.ID, roles)
			for range 4 {
				w.clock.Advance(time.Second)
				signInAt(t, w.a, s.User.Email)
			}
			if rows, _ := sessionsOf(t, w.a, s.User.Email); rows != most {
				t.Errorf("with %q: %d sessions, want %d", roles, rows, most)
			}
		}
	})
	t.Run("elevation", func(t *testing.T) {
		t.Parallel()
		w := limitsOf(t, "AUTH_SESSION_LIMIT", "1")
		s := newcomer(t, w.a)
		exec(t, w.a, `update auth.users set email_verified = true where id = $1`, s.User.ID)
		elevate := func(n int) wireSession {
			auth := []string{"Authorization", "Bearer " + s.AccessToken}
			if r := must(t, w.a, "POST", "/elevate/otp/email", nil, home(), auth...); r.status != 200 {
				t.Fatal(r)
			}
			code := w.a.Mail.Wait(t, s.User.Email, n)[n-1].Ticket
			r := must(t, w.a, "POST", "/elevate/otp/email/verify", fields{"otp": code}, home(), auth...)
			if r.status != 200 || r.session.RefreshToken == "" {
				t.Fatal(r)
			}
			return r.session
		}
		first := elevate(1)
		w.clock.Advance(time.Minute)
		if !w.alive(t, w.a, s) || !w.alive(t, w.b, first) {
			t.Error("an elevation ended the session it was asked from, or itself")
		}
		second := elevate(2)
		if !w.alive(t, w.a, s) || w.alive(t, w.b, first) || !w.alive(t, w.b, second) {
			t.Error("the second elevation did not take the place of the first")
		}
		w.clock.Advance(time.Minute)
		in := signInAt(t, w.b, s.User.Email)
		if w.alive(t, w.a, s) || w.alive(t, w.a, second) || !w.alive(t, w.a, in) {
			t.Error("a sign-in elsewhere did not end them all")
		}
	})
}

// TestOneSessionSurvivesARace signs one user in many times at once at two replicas.
func TestOneSessionSurvivesARace(t *testing.T) {
	t.Parallel()
	w := limitsOf(t, "AUTH_SESSION_LIMIT", "1", "AUTH_RATE_LIMIT_ENABLE", "false")
	replicas := []*testhouse.House{w.a, w.b}
	for range rounds(t, 3) {
		s := newcomer(t, w.a)
		answers, err := parallel(8, func(i int) (reply, error) {
			if i == 7 { // somebody refreshes meanwhile
				return send(t.Context(), replicas[i%2], "POST", "/token", fields{"refreshToken": s.RefreshToken}, home())
			}
			return send(t.Context(), replicas[i%2], "POST", "/signin/email-password", fields{"email": s.User.Email, "password": rightPassword}, elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range answers {
			if r.status != 200 && !(i == 7 && r.refusal == "invalid-refresh-token") && r.status != 503 {
				t.Errorf("number %d: %s", i, r)
			}
		}
		if rows, _ := sessionsOf(t, w.a, s.User.Email); rows != 1 {
			t.Fatalf("%d sessions", rows)
		}
		if n := scan[int](t, w.a, `select count(*) - count(distinct seq) + max(seq) - count(*) from auth.events where user_id = $1`, s.User.ID); n != 0 {
			t.Errorf("the events have gaps")
		}
	}
}

// TestAllEndBesideSignIns ends everything of a user whose sessions are limited, while they sign in:
// the statements take the same rows and must not wait for each other in a ring.
func TestAllEndBesideSignIns(t *testing.T) {
	t.Parallel()
	w := limitsOf(t, "AUTH_SESSION_LIMIT", "2")
	replicas := []*testhouse.House{w.a, w.b}
	for range rounds(t, 2) {
		s := newcomer(t, w.a)
		other := signInAt(t, w.a, s.User.Email)
		answers, err := parallel(12, func(i int) (reply, error) {
			auth := []string{"Authorization", "Bearer " + other.AccessToken}
			switch i % 4 {
			case 0:
				return send(t.Context(), replicas[i%2], "POST", "/signout", fields{"all": true}, home(), auth...)
			case 1:
				return send(t.Context(), replicas[i%2], "DELETE", "/user/sessions/"+s.RefreshTokenID, nil, home(), auth...)
			case 2:
				return send(t.Context(), replicas[i%2], "GET", "/user/sessions", nil, home(), auth...)
			}
			return send(t.Context(), replicas[i%2], "POST", "/signin/email-password", fields{"email": s.User.Email, "password": rightPassword}, elsewhere(i))
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range answers {
			if r.status >= 500 && r.status != 503 {
				t.Errorf("number %d: %s", i, r)
			}
		}
		if rows, _ := sessionsOf(t, w.a, s.User.Email); rows > 2 {
			t.Errorf("%d sessions", rows)
		}
	}
}

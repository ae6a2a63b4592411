package hasura_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"postern/hooks"
	"postern/house"
	"postern/internal/testhouse"
)

// vouches binds the operator to passwords that nobody has here.
func (o *operator) vouches(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks(t, o, &h.PasswordUnknown, "unknown", hooks.Mutator, func(e hooks.PasswordUnknown) (string, any) {
		body := fields{"email": e.Email, "password": e.Password.Reveal()}
		if e.User != nil {
			body["user"] = e.User.ID
		}
		return e.ID, body
	}, func(e *hooks.PasswordUnknown, answer map[string]any) error {
		v := hooks.Vouched{}
		v.EmailVerified, _ = answer["verified"].(bool)
		v.DisplayName, _ = answer["name"].(string)
		v.Metadata, _ = answer["metadata"].(map[string]any)
		return e.Vouch(v)
	})
}

// knows is an older system that knows one password, and says more of who has it.
func knows(password string, more fields) func(context.Context, string, map[string]any) (any, error) {
	return func(_ context.Context, name string, body map[string]any) (any, error) {
		if name != "unknown" || body["password"] != password {
			return nil, nil
		}
		return more, nil
	}
}

const (
	oldPassword = "abc" // shorter than a new one may be
	passwordWay = "/signin/email-password"
	wrongWords  = "Incorrect email or password"
)

// openVouching opens a house that somebody vouches to, where nobody else may sign up.
func openVouching(t testing.TB, o *operator, h *hooks.Hooks, more ...string) doorway {
	t.Helper()
	o.vouches(t, h)
	settings := map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true", "AUTH_DISABLE_SIGNUP": "true", "AUTH_RATE_LIMIT_ENABLE": "false"}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return openHooked(t, newStillClock(), settings, h)
}

// imported puts somebody into the database whom no hook was asked about.
func (d doorway) imported(t testing.TB, set string) (id, email string) {
	t.Helper()
	email = newAddress()
	id = value[string](t, d, `insert into auth.users (display_name, locale, email, default_role) values ('Imported', 'en', $1, 'user') returning id::text`, email)
	d.sql(t, `insert into auth.user_roles (user_id, role) values ($1, 'user')`, id)
	if set != "" {
		d.sql(t, `update auth.users set `+set+` where id = $1`, id)
	}
	return id, email
}

// TestVouchedUsersMoveIn signs somebody in whom nobody here knows: they are a user from then on, though
// nobody may sign up and the password is a weak one.
func TestVouchedUsersMoveIn(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	o.asksOfUsers(t, h)
	asks[hooks.UserConfirmed](t, o, &h.UserConfirmed, "confirmed", hooks.Observer, func(e hooks.UserConfirmed) (string, any) { return e.ID, fields{"user": e.User.ID} }, nil)
	d := openVouching(t, o, h)
	d.sql(t, profiles)
	email := "Jane." + newAddress()
	o.says(knows(oldPassword, fields{"verified": true, "name": "Jane\nDoe", "metadata": fields{"plan": "gold", "providers": []string{"admin"}}}))
	s := d.signIn(t, email, oldPassword)
	user := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t)
	metadata, _ := user["metadata"].(map[string]any)
	if user["email"] != email || user["emailVerified"] != true || user["displayName"] != "Jane Doe" || len(metadata) != 1 || metadata["plan"] != "gold" {
		t.Errorf("moved in as %v", user)
	}
	if got := o.asked("unknown"); len(got) != 1 || got[0].body["email"] != email || got[0].body["password"] != oldPassword || got[0].body["user"] != nil {
		t.Errorf("asked %v", got)
	}
	for _, name := range []string{"creating", "created", "confirmed"} {
		if got := o.asked(name); len(got) != 1 {
			t.Errorf("%s: asked %v", name, got)
		}
	}
	if n := value[int](t, d, `select count(*) from public.profiles where user_id = $1`, user["id"]); n != 1 {
		t.Errorf("%d rows of the application", n)
	}
	if detail := value[string](t, d, `select detail::text from auth.audit_entries where event = 'user.created' and user_id = $1`, user["id"]); !strings.Contains(detail, `"vouched": true`) {
		t.Errorf("the audit log says %s", detail)
	}
	o.says(denies)
	d.signIn(t, strings.ToLower(email), oldPassword)
	d.ask(t, "POST", passwordWay, fields{"email": email, "password": "wrong"}).refused(t, 401, "invalid-email-password", wrongWords)
	if got := o.asked("unknown"); got != nil {
		t.Errorf("asked of somebody with a password: %v", got)
	}
}

// TestNotVouchedForIsAWrongPassword holds that whatever is not a plain yes is answered like a wrong
// password, and writes nothing.
func TestNotVouchedForIsAWrongPassword(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	d := openVouching(t, o, h, "AUTH_DISABLE_SIGNUP", "false")
	known := d.signUp(t, nil)
	_, hashless := d.imported(t, "email_verified = true")
	for name, answer := range map[string]func(context.Context, string, map[string]any) (any, error){
		"does not know": agrees, "fails": breaks, "is too slow": sleeps, "knows another": knows("other", fields{}),
		"says too much": knows("wrong", fields{"verified": true, "metadata": fields{"long": strings.Repeat("x", 70_000)}}),
	} {
		t.Run(name, func(t *testing.T) {
			o.says(answer)
			before := d.state(t)
			for _, email := range []string{newAddress(), hashless, known} {
				d.ask(t, "POST", passwordWay, fields{"email": email, "password": "wrong"}).refused(t, 401, "invalid-email-password", wrongWords)
			}
			if got := o.asked("unknown"); len(got) != 2 {
				t.Errorf("asked %d times", len(got))
			}
			d.sameState(t, before, "a wrong password")
		})
	}
	o.says(denies)
	d.ask(t, "POST", passwordWay, fields{"email": newAddress(), "password": "wrong"}).refused(t, 418, "hook-denied", "not today, says unknown")
}

// TestNobodyIsVouchedForWhoMayNotSignIn holds that hooks never hear a password of somebody whom they
// could not help.
func TestNobodyIsVouchedForWhoMayNotSignIn(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	d := openVouching(t, o, h, "AUTH_ACCESS_CONTROL_BLOCKED_EMAIL_DOMAINS", "blocked.example")
	o.says(knows("the password", fields{"verified": true}))
	_, disabled := d.imported(t, "email_verified = true, disabled = true")
	_, hashed := d.imported(t, "email_verified = true, password_hash = '"+bcryptOf(t, "another")+"'")
	_, odd := d.imported(t, "email_verified = true, password_hash = '$unknown$kind'")
	_, guest := d.imported(t, "is_anonymous = true, email_verified = true")
	_, staged := d.imported(t, "totp_secret = 'x', active_mfa_type = 'totp'")
	for name, email := range map[string]string{
		"locked": disabled, "with a password": hashed, "with a hash of no kind": odd, "guest": guest, "unconfirmed, with a second factor": staged, "kept out": "jane@blocked.example",
	} {
		before := d.state(t)
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": "the password"}).refused(t, 401, "invalid-email-password", wrongWords)
		if got := o.asked("unknown"); got != nil {
			t.Errorf("%s: asked %v", name, got)
		}
		d.sameState(t, before, name)
	}
}

// TestVouchedForAnAccountThatIsThere gives the password to who has the account, and nobody else.
func TestVouchedForAnAccountThatIsThere(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		set      string
		identity bool
		verified bool // as the hook says
		status   int
		after    string // the identities that are left, and whether the address is confirmed
		told     bool
	}{
		{name: "confirmed here and there", set: "email_verified = true", verified: true, status: 200, after: "0 true"},
		{name: "confirmed here and there, and in use", set: "email_verified = true", identity: true, verified: true, status: 200, after: "1 true", told: true},
		{name: "confirmed here alone: the old account may be another's", set: "email_verified = true", status: 401, after: "0 true"},
		{name: "confirmed here alone, and in use", set: "email_verified = true", identity: true, status: 401, after: "1 true"},
		{name: "confirmed there alone, while somebody is in here", identity: true, verified: true, status: 200, after: "0 true"},
		{name: "confirmed nowhere, while somebody is in here", identity: true, status: 401, after: "1 false"},
		{name: "confirmed there alone", verified: true, status: 200, after: "0 true"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, h := &operator{}, hooks.New()
			d := openVouching(t, o, h)
			id, email := d.imported(t, tt.set)
			if tt.identity {
				d.sql(t, `insert into auth.user_providers (user_id, provider_id, provider_user_id, access_token) select id, 'github', id::text, '' from auth.users where id = $1`, id)
			}
			o.says(knows(oldPassword, fields{"verified": tt.verified, "name": "Other", "metadata": fields{"other": true}}))
			before := d.state(t)
			a := d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword})
			if got := o.asked("unknown"); len(got) != 1 || got[0].body["user"] != id {
				t.Errorf("asked %v", got)
			}
			if got := value[string](t, d, `select (select count(*) from auth.user_providers where user_id = $1) || ' ' || email_verified from auth.users where id = $1`, id); got != tt.after {
				t.Errorf("left with %s, want %s", got, tt.after)
			}
			if tt.status != 200 {
				a.refused(t, 401, "invalid-email-password", wrongWords)
				d.sameState(t, before, "a refusal")
				return
			}
			if s := a.session(t); s.user["id"] != id || s.user["displayName"] != "Imported" || s.user["metadata"] != nil {
				t.Errorf("signed in as %v", s.user)
			}
			o.says(denies)
			d.signIn(t, email, oldPassword)
			mails := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_mail'`)
			if (mails > 0) != tt.told {
				t.Errorf("%d mails", mails)
			}
		})
	}
}

// TestVouchedForWithoutTheAddress has somebody confirm their address first whom the older system knows
// by the password alone.
func TestVouchedForWithoutTheAddress(t *testing.T) {
	t.Parallel()
	for _, there := range []bool{false, true} {
		o, h := &operator{}, hooks.New()
		d := openVouching(t, o, h, "AUTH_LINK_CONFIRMATION", "off")
		email := newAddress()
		if there {
			_, email = d.imported(t, "")
		}
		o.says(knows(oldPassword, fields{}))
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword}).refused(t, 401, "unverified-user", "User is not verified.")
		o.says(denies)
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword}).refused(t, 401, "unverified-user", "User is not verified.")
		d.ask(t, "GET", pathOf(t, d.mail(t, email, "email-verify", 1)), nil).redirect(t, 302)
		d.signIn(t, email, oldPassword)
	}
}

// TestVouchingMeetsOtherHooksAndRules holds that a user who moves in passes what every other must.
func TestVouchingMeetsOtherHooksAndRules(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	o.asksOfUsers(t, h)
	asks[hooks.SessionOpening](t, o, &h.SessionOpening, "session", hooks.Vetoer, func(e hooks.SessionOpening) (string, any) { return e.ID, fields{} }, nil)
	d := openVouching(t, o, h)
	d.sql(t, profiles)
	vouch := knows(oldPassword, fields{"verified": true})
	but := func(hook string, plight func(context.Context, string, map[string]any) (any, error)) {
		o.says(func(ctx context.Context, name string, body map[string]any) (any, error) {
			if name == hook {
				return plight(ctx, name, body)
			}
			return vouch(ctx, name, body)
		})
	}
	email := newAddress()
	try := func() answer { return d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword}) }
	before := d.state(t)
	but("creating", denies)
	try().refused(t, 418, "hook-denied", "not today, says creating")
	but("creating", breaks)
	try().refused(t, 500, "hook-failed", failedWords)
	d.sql(t, `insert into public.full_house values (true)`)
	but("", nil)
	try().refused(t, 409, "hook-denied", "no room")
	d.sameState(t, before, "a refusal")
	d.sql(t, `delete from public.full_house`)
	but("session", denies)
	try().refused(t, 418, "hook-denied", "not today, says session")
	o.asked("unknown")
	try().refused(t, 418, "hook-denied", "not today, says session") // the user is there
	if got := o.asked("unknown"); got != nil {
		t.Errorf("asked %v", got)
	}
	but("", nil)
	d.signIn(t, email, oldPassword)

	// Of an account that is there, nothing is written before a session may open.
	_, email = d.imported(t, "email_verified = true")
	before = d.state(t)
	but("session", denies)
	try().refused(t, 418, "hook-denied", "not today, says session")
	d.sameState(t, before, "a refusal")

	t.Run("new users are locked", func(t *testing.T) {
		t.Parallel()
		o, h := &operator{}, hooks.New()
		d := openVouching(t, o, h, "AUTH_DISABLE_NEW_USERS", "true")
		o.says(vouch)
		email := newAddress()
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword}).refused(t, 401, "disabled-user", "User is disabled")
		o.asked("unknown")
		d.ask(t, "POST", passwordWay, fields{"email": email, "password": oldPassword}).refused(t, 401, "disabled-user", "User is disabled")
		if got := o.asked("unknown"); got != nil {
			t.Errorf("asked %v", got)
		}
	})
	t.Run("bcrypt", func(t *testing.T) {
		t.Parallel()
		o, h := &operator{}, hooks.New()
		d := openVouching(t, o, h, "AUTH_PASSWORD_HASH", "bcrypt")
		long := strings.Repeat("x", 80)
		o.says(knows(long, fields{"verified": true}))
		d.ask(t, "POST", passwordWay, fields{"email": newAddress(), "password": long}).refused(t, 400, "password-too-long", "Password is too long")
	})
}

// TestManyWhoAreVouchedForAtOnceAreOne lets somebody sign in several times at once, new and known.
func TestManyWhoAreVouchedForAtOnceAreOne(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	d := openVouching(t, o, h)
	o.says(knows(oldPassword, fields{"verified": true}))
	_, there := d.imported(t, "email_verified = true")
	for _, email := range []string{newAddress(), there} {
		answers, err := parallel(8, func(int) (reply, error) {
			return send(t.Context(), d.House, "POST", passwordWay, fields{"email": email, "password": oldPassword}, home())
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answers {
			if a.status != 200 || a.session.RefreshToken == "" {
				t.Errorf("answered %s", a)
			}
		}
		if n := value[int](t, d, `select count(*) from auth.users where email = $1::text::public.citext`, email); n != 1 {
			t.Errorf("%d users", n)
		}
		if n := value[int](t, d, `select count(*) from auth.audit_entries a join auth.users u on u.id = a.user_id where u.email = $1::text::public.citext and a.detail->>'vouched' = 'true'`, email); n != 1 {
			t.Errorf("the audit log tells of it %d times", n)
		}
	}
}

// TestHooksHearOfNoMoreGuessesThanThereMayBe lets a crowd guess at once: what is counted before a hook is
// asked cannot be overtaken. A right password is given back.
func TestHooksHearOfNoMoreGuessesThanThereMayBe(t *testing.T) {
	t.Parallel()
	o, h := &operator{}, hooks.New()
	d := openVouching(t, o, h, "AUTH_RATE_LIMIT_ENABLE", "true", "AUTH_RATE_LIMIT_GLOBAL_BURST", "10000", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST", "3")
	o.says(knows(oldPassword, fields{"verified": true}))
	for range 4 { // more than may fail
		must(t, d.House, "POST", passwordWay, fields{"email": newAddress(), "password": oldPassword}, home())
	}
	if got := o.asked("unknown"); len(got) != 4 {
		t.Fatalf("asked %d times", len(got))
	}
	answers, err := parallel(16, func(int) (reply, error) {
		return send(t.Context(), d.House, "POST", passwordWay, fields{"email": newAddress(), "password": "wrong"}, home())
	})
	if err != nil {
		t.Fatal(err)
	}
	wrong := 0
	for _, a := range answers {
		switch {
		case a.status == 401:
			wrong++
		case a.status != 429:
			t.Errorf("answered %s", a)
		}
	}
	if got := o.asked("unknown"); len(got) != 3 || wrong != 3 {
		t.Errorf("asked %d times, and %d were told that they are wrong", len(got), wrong)
	}
	r := must(t, d.House, "POST", passwordWay, fields{"email": newAddress(), "password": oldPassword}, home())
	if got := o.asked("unknown"); r.status != 429 || got != nil {
		t.Errorf("after the last guess: %s, asked %v", r, got)
	}
}

// TestT43SlowHooksDoNotTellWhoExists holds that a refusal waits for the slowest hook of late, whether it
// was asked or not: neither a slow PasswordChecked nor a slow PasswordUnknown tells who has an account.
func TestT43SlowHooksDoNotTellWhoExists(t *testing.T) {
	t.Parallel()
	for _, asksOfKnown := range []bool{false, true} {
		o, h := &operator{}, hooks.New()
		if asksOfKnown {
			asks[hooks.PasswordChecked](t, o, &h.PasswordChecked, "checked", hooks.Vetoer, func(e hooks.PasswordChecked) (string, any) { return e.ID, fields{} }, nil)
		} else {
			o.vouches(t, h)
		}
		d := doorway{testhouse.Open(t, everyWayIn(unverified()), func(o *house.Options) { o.Hooks = h })}
		o.says(sleeps)
		wrong := func(email string) time.Duration {
			began := time.Now()
			d.ask(t, "POST", passwordWay, fields{"email": email, "password": "wrong"}).refused(t, 401, "invalid-email-password", wrongWords)
			return time.Since(began)
		}
		known, unknown := d.signUp(t, nil), newAddress()
		asked, other := unknown, known
		if asksOfKnown {
			asked, other = known, unknown
		}
		if took := wrong(asked); took < hookTime {
			t.Fatalf("the hook was not waited for: %s", took)
		}
		if took := wrong(other); took < hookTime {
			t.Errorf("asking of known users %v: who is not asked about is refused after %s", asksOfKnown, took)
		}
	}
}

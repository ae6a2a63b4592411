package hasura_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"postern/hooks"
	"postern/internal/testhouse"
	"postern/tokens"
)

// asksOfUsers binds the operator to users: before, inside and after their making.
func (o *operator) asksOfUsers(t testing.TB, h *hooks.Hooks) {
	t.Helper()
	asks(t, o, &h.UserCreating, "creating", hooks.Mutator, func(e hooks.UserCreating) (string, any) {
		return e.ID, fields{"user": e.User.ID, "method": e.Method, "provider": e.Provider, "password": e.Password.Reveal(), "claims": e.Claims}
	}, func(e *hooks.UserCreating, answer map[string]any) error {
		return e.MergeMetadata(answer)
	})
	asks[hooks.UserCreated](t, o, &h.UserCreated, "created", hooks.Observer, func(e hooks.UserCreated) (string, any) {
		return e.ID, fields{"user": e.User.ID, "method": e.Method, "provider": e.Provider}
	}, nil)
	err := h.UserInserted.Bind(hooks.Joining[hooks.UserInserted]{Name: "profile", Timeout: 2 * time.Second, Join: func(ctx context.Context, tx hooks.Transaction, limit time.Duration, e hooks.UserInserted) error {
		text, err := json.Marshal(fields{"id": e.User.ID, "method": e.Method})
		if err != nil {
			return err
		}
		answer, err := tx.CallFunction(ctx, "public", "profile of", text, limit)
		if err == nil && strings.Contains(string(answer), "no") {
			err = &hooks.Denied{Status: 409, Message: "no room"}
		}
		return err
	}})
	if err != nil {
		t.Fatal(err)
	}
}

// profiles is a table that a function of the application fills within a sign-up.
const profiles = `
	create table public.profiles (user_id uuid primary key references auth.users on delete cascade, method text);
	create table public.full_house (yes boolean);
	create function public."profile of"(about jsonb) returns jsonb language plpgsql as $$
	begin
		insert into public.profiles values ((about->>'id')::uuid, about->>'method');
		if exists (select from public.full_house where not yes) then perform pg_sleep(30); end if;
		if exists (select from public.full_house where yes) then return '{"no": true}'; end if;
		return null;
	end $$`

// births is every way in which a user is made, and what hooks are told of it.
func births(t *testing.T, d doorway) map[string]func(t *testing.T) answer {
	t.Helper()
	e := providerDoor{d, vouching}
	return map[string]func(t *testing.T) answer{
		"password": func(t *testing.T) answer {
			t.Helper()
			return d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword, "options": fields{"metadata": fields{"mine": true}}})
		},
		"link": func(t *testing.T) answer {
			t.Helper()
			return d.ask(t, "POST", signInLink, fields{"email": newAddress()})
		},
		"link, sign-up": func(t *testing.T) answer {
			t.Helper()
			return d.ask(t, "POST", "/signup/passwordless/email", fields{"email": newAddress()})
		},
		"otp": func(t *testing.T) answer { t.Helper(); return d.ask(t, "POST", askMail, fields{"email": newAddress()}) },
		"sms": func(t *testing.T) answer {
			t.Helper()
			return d.ask(t, "POST", askText, fields{"phoneNumber": newNumber()})
		},
		"anonymous": func(t *testing.T) answer { t.Helper(); return d.ask(t, "POST", "/signin/anonymous", fields{}) },
		"webauthn": func(t *testing.T) answer {
			t.Helper()
			key := device()
			credential := d.ask(t, "POST", "/signup/webauthn", fields{"email": newAddress()}).create(t, key)
			return d.ask(t, "POST", "/signup/webauthn/verify", fields{"credential": credential})
		},
		"oauth": func(t *testing.T) answer {
			t.Helper()
			atVouching.Lock()
			defer atVouching.Unlock()
			return e.comeBack(t, e.setOut(t, "/signin/provider/github", someone()))
		},
		"oauth, PKCE": func(t *testing.T) answer {
			t.Helper()
			_, challenge := testhouse.Verifier()
			atVouching.Lock()
			defer atVouching.Unlock()
			return e.comeBack(t, e.setOut(t, "/signin/provider/github?codeChallenge="+challenge, someone()))
		},
		"idtoken": func(t *testing.T) answer {
			t.Helper()
			token := vouching.IDToken("google", map[string]any{"sub": tokens.NewUUID(), "email": newAddress(), "email_verified": true})
			return d.ask(t, "POST", "/signin/idtoken", fields{"provider": "google", "idToken": token})
		},
	}
}

// TestUserHooksAtEveryBirth makes a user in every way, while hooks agree, refuse, fail and are too slow,
// before, inside and after.
func TestUserHooksAtEveryBirth(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.asksOfUsers(t, h)
	d := openHooked(t, clock, unverified(), h)
	d.sql(t, profiles)
	count := func() int { return value[int](t, d, `select count(*) from auth.users`) }
	for name, birth := range births(t, d) {
		method, _, _ := strings.Cut(name, ",")
		t.Run(name, func(t *testing.T) {
			o.asked("created") // what the way before left
			for _, plight := range []struct {
				name, id, words string
				status          int
				says            func(context.Context, string, map[string]any) (any, error)
			}{
				{"denied", "hook-denied", "not today, says creating", 418, denies},
				{"failing", "hook-failed", failedWords, 500, breaks},
				{"slow", "hook-failed", failedWords, 500, sleeps},
			} {
				before := count()
				o.says(plight.says)
				birth(t).turnedAway(t, plight.status, plight.id, plight.words)
				if count() != before {
					t.Errorf("%s: a user was made", plight.name)
				}
			}
			o.says(agrees)
			d.sql(t, `insert into public.full_house values (true)`)
			before := count()
			birth(t).turnedAway(t, 409, "hook-denied", "no room")
			d.sql(t, `truncate public.full_house`)
			if count() != before {
				t.Error("a user was made although the function refused")
			}
			if called := o.asked("created"); called != nil {
				t.Errorf("told of users who are not there: %v", called)
			}

			o.asked("creating")
			o.says(func(_ context.Context, name string, _ map[string]any) (any, error) {
				if name == "creating" {
					return fields{"plan": "free"}, nil
				}
				return nil, nil
			})
			if a := birth(t); a.status >= 400 {
				t.Fatalf("refused: %s", a)
			}
			creating, created := o.asked("creating"), o.asked("created")
			if len(creating) != 1 || len(created) != 1 || creating[0].body["user"] != created[0].body["user"] || creating[0].body["method"] != method || created[0].body["method"] != method {
				t.Fatalf("asked %v and told %v, want one %s each", creating, created, method)
			}
			id, _ := created[0].body["user"].(string)
			var metadata map[string]any
			if err := json.Unmarshal([]byte(value[string](t, d, `select metadata::text from auth.users where id = $1`, id)), &metadata); err != nil || metadata["plan"] != "free" || (name == "password") != (metadata["mine"] == true) {
				t.Errorf("the metadata is %v, %v", metadata, err)
			}
			if got := value[string](t, d, `select method from public.profiles where user_id = $1`, id); got != method {
				t.Errorf("the profile says %s", got)
			}
			if password := creating[0].body["password"]; (name == "password") != (password == rightPassword) {
				t.Errorf("the password given is %v", password)
			}

			before = count()
			o.says(func(ctx context.Context, name string, body map[string]any) (any, error) {
				if name == "created" {
					return denies(ctx, name, body)
				}
				return nil, nil
			})
			birth(t).turnedAway(t, 418, "hook-denied", "not today, says created")
			if stays := count() - before; (name == "anonymous") != (stays == 0) {
				t.Errorf("%d users stay", stays)
			}
		})
	}
}

// TestSlowFunctionOfASignUpIsCutOff holds the limit on functions that join a transaction.
func TestSlowFunctionOfASignUpIsCutOff(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.asksOfUsers(t, h)
	d := openHooked(t, clock, unverified(), h)
	d.sql(t, profiles)
	d.sql(t, `insert into public.full_house values (false)`)
	begun := time.Now()
	d.ask(t, "POST", "/signup/email-password", fields{"email": newAddress(), "password": rightPassword}).refused(t, 500, "hook-failed", failedWords)
	if took := time.Since(begun); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
	if n := value[int](t, d, `select count(*) from auth.users`); n != 0 {
		t.Error("a user was made")
	}
}

// TestUserCreatedOnceForManyAtOnce has many sign up with one address at once: one is made, and told of
// once.
func TestUserCreatedOnceForManyAtOnce(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	o.asksOfUsers(t, h)
	d := openHooked(t, clock, unverified(), h)
	d.sql(t, profiles)
	email := newAddress()
	var everybody sync.WaitGroup
	for range 8 {
		everybody.Go(func() { d.ask(t, "POST", signInLink, fields{"email": email}).ok(t) })
	}
	everybody.Wait()
	d.ask(t, "POST", "/signup/email-password", fields{"email": email, "password": rightPassword}).refused(t, 409, "email-already-in-use", "")
	if told := o.asked("created"); len(told) != 1 {
		t.Errorf("told %d times: %v", len(told), told)
	}
	if n := value[int](t, d, `select count(*) from public.profiles`); n != 1 {
		t.Errorf("%d profiles", n)
	}
}

// TestPasswordHook asks about right and wrong passwords of those who have one, and of nobody else.
func TestPasswordHook(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	end := false
	err := h.PasswordChecked.Bind(hooks.Binding[hooks.PasswordChecked]{Name: "password", Kind: hooks.Vetoer, Timeout: hookTime, Ask: func(ctx context.Context, e hooks.PasswordChecked) (func(*hooks.PasswordChecked) error, error) {
		_, err := o.Run(ctx, hooks.Call{ID: e.ID, Name: "password", Body: fmt.Appendf(nil, `{"user":%q,"valid":%v}`, e.User.ID, e.Valid)})
		if no := (*hooks.Denied)(nil); errors.As(err, &no) {
			no.EndSessions = end
		}
		return nil, err
	}})
	if err != nil {
		t.Fatal(err)
	}
	d := openHooked(t, clock, unverified(), h)
	p := d.person(t)
	try := func(email, password string) answer {
		t.Helper()
		return d.ask(t, "POST", "/signin/email-password", fields{"email": email, "password": password})
	}
	o.asked("password")
	try(newAddress(), rightPassword).refused(t, 401, "invalid-email-password", "")
	linked := newAddress()
	d.ask(t, "POST", signInLink, fields{"email": linked}).ok(t)
	try(linked, rightPassword).refused(t, 401, "invalid-email-password", "")
	if got := o.asked("password"); got != nil {
		t.Errorf("asked about nobody: %v", got)
	}
	try(p.email, "wrong password").refused(t, 401, "invalid-email-password", "")
	try(p.email, p.password).session(t)
	got := o.asked("password")
	if len(got) != 2 || got[0].body["valid"] != false || got[1].body["valid"] != true || got[1].body["user"] != p.User.ID {
		t.Errorf("asked %v", got)
	}
	for _, password := range []string{p.password, "wrong password"} {
		o.says(denies)
		try(p.email, password).refused(t, 418, "hook-denied", "not today, says password")
		o.says(breaks)
		if password == p.password {
			try(p.email, password).refused(t, 500, "hook-failed", failedWords)
			continue
		}
		try(p.email, password).refused(t, 401, "invalid-email-password", "") // whether there is such a user is not told
	}
	if a := d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)); a.status != 200 {
		t.Fatalf("a refusal ended the session: %s", a)
	}
	o.says(denies)
	end = true
	try(p.email, p.password).refused(t, 418, "hook-denied", "")
	d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).refused(t, 401, "unauthorized", "")
	o.says(agrees)
	try(p.email, p.password).session(t)
}

// TestFactorHook asks about right and wrong codes of a second factor, wherever one is typed.
func TestFactorHook(t *testing.T) {
	t.Parallel()
	clock, o, h := newStillClock(), &operator{}, hooks.New()
	asks[hooks.FactorChecked](t, o, &h.FactorChecked, "factor", hooks.Vetoer, func(e hooks.FactorChecked) (string, any) {
		return e.ID, fields{"user": e.User.ID, "type": e.Type, "valid": e.Valid}
	}, nil)
	d := openHooked(t, clock, unverified(), h)
	p := d.person(t)
	app := d.turnOn(t, p, clock)
	codes := d.recoveryCodes(t, p.AccessToken, app.code(t))
	o.asked("factor")
	ticket := d.halfway(t, p)
	type_ := func(code string) answer {
		t.Helper()
		return d.ask(t, "POST", "/signin/mfa/totp", fields{"ticket": ticket, "otp": code})
	}
	right := app.code(t)
	type_("000000").refused(t, 401, "invalid-totp", "")
	before := d.state(t)
	for range 7 {
		o.says(denies)
		type_(right).refused(t, 418, "hook-denied", "not today, says factor")
		type_(codes[0]).refused(t, 418, "hook-denied", "not today, says factor")
		o.says(breaks)
		type_(right).refused(t, 500, "hook-failed", failedWords)
	}
	d.sameState(t, before, "a refusal")
	got := o.asked("factor")
	if len(got) != 22 || got[0].body["valid"] != false || got[1].body["valid"] != true || got[1].body["type"] != "totp" || got[2].body["type"] != "recovery-code" || got[1].body["user"] != p.User.ID {
		t.Errorf("asked %d times, at first %v", len(got), got[:min(3, len(got))])
	}
	d.ask(t, "POST", "/elevate/totp", fields{"otp": right}, bearer(p.AccessToken)).refused(t, 500, "hook-failed", failedWords)
	o.says(agrees)
	type_(right).session(t)
}

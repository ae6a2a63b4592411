package hasura_test

import (
	"strings"
	"testing"

	"postern/internal/fakesms"
	"postern/tokens"
)

func TestSignInByTextedCode(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)

	t.Run("creates who is unknown, proved once the code is typed", func(t *testing.T) {
		number := newNumber()
		spelled := "00" + number[1:3] + " (" + number[3:5] + ") " + number[5:9] + "-" + number[9:12] + "." + number[12:]
		d.ask(t, "POST", askText, fields{"phoneNumber": spelled, "options": fields{"metadata": fields{"a": 1}}}).ok(t)
		code := d.textedCode(t, number, 1)
		if value[bool](t, d, `select phone_number_verified from auth.users where phone_number = $1`, number) {
			t.Error("proved before the code is typed")
		}
		s := d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).session(t)
		if s.user["phoneNumber"] != number || s.user["phoneNumberVerified"] != true || s.user["displayName"] != number || s.user["email"] != nil || s.user["isAnonymous"] != false {
			t.Errorf("user %v", s.user)
		}
		d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 400, "invalid-otp", "")
		// A user without an address is a user like others.
		if u := d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).object(t); u["phoneNumber"] != number {
			t.Errorf("GET /user: %v", u)
		}
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
		// The next time it is the same user, however the number is spelled.
		d.ask(t, "POST", askText, fields{"phoneNumber": number, "options": fields{"displayName": "Another"}}).ok(t)
		again := d.ask(t, "POST", typeText, fields{"phoneNumber": spelled, "otp": d.textedCode(t, number, 2)}).session(t)
		if again.User.ID != s.User.ID || again.user["displayName"] != number {
			t.Errorf("user %v, was %v", again.user, s.user)
		}
	})

	t.Run("numbers that no message can be sent to", func(t *testing.T) {
		for _, number := range []string{"0791234567", "+0791234567", "+41", "112", "+4179123456789012", "+41791234567;ext=1", "tel:+41791234567", "+41791234567,+41791234568", "＋41791234567", "+41 79\n123 45 67", "+"} {
			for _, path := range []string{askText, askTextSignUp} {
				d.ask(t, "POST", path, fields{"phoneNumber": number}).refused(t, 400, "cannot-send-sms", "Cannot send SMS, check your phone number is correct")
			}
			d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": "123456"}).refused(t, 400, "invalid-otp", "")
		}
		d.knock(t, "POST", askText, fields{"phoneNumber": ""}).invalid(t, "phoneNumber")
		d.knock(t, "POST", askText, fields{"phoneNumber": strings.Repeat("1", 65)}).invalid(t, "phoneNumber")
	})

	t.Run("numbers that Hasura Auth took as they were typed", func(t *testing.T) {
		number := newNumber()
		stored := number[:3] + " " + number[3:]
		id := tokens.NewUUID()
		d.sql(t, `insert into auth.users (id, phone_number, phone_number_verified, locale, display_name) values ($1, $2, true, 'en', 'Upstream')`, id, stored)
		d.ask(t, "POST", askText, fields{"phoneNumber": stored}).ok(t)
		s := d.ask(t, "POST", typeText, fields{"phoneNumber": stored, "otp": d.textedCode(t, number, 1)}).session(t)
		if s.User.ID != id {
			t.Errorf("signed in as %s, want %s", s.User.ID, id)
		}
	})

	t.Run("signing up sends nothing to a number that somebody has", func(t *testing.T) {
		number := newNumber()
		d.ask(t, "POST", askTextSignUp, fields{"phoneNumber": number, "options": fields{"displayName": "Jane"}}).ok(t)
		s := d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)}).session(t)
		if s.user["displayName"] != "Jane" {
			t.Errorf("user %v", s.user)
		}
		d.ask(t, "POST", askTextSignUp, fields{"phoneNumber": number}).ok(t)
		if n := value[int](t, d, `select count(*) from auth.tickets where phone_number = $1 and user_id is not null`, number); n != 0 || len(d.Phones.To(number)) != 1 {
			t.Errorf("%d tickets, %d messages", n, len(d.Phones.To(number)))
		}
	})

	t.Run("many clicks at once make one user", func(t *testing.T) {
		number := newNumber()
		done := make(chan answer, 8)
		for range cap(done) {
			go func() { done <- d.ask(t, "POST", askText, fields{"phoneNumber": number}) }()
		}
		for range cap(done) {
			(<-done).ok(t)
		}
		if n := value[int](t, d, `select count(*) from auth.users where phone_number = $1`, number); n != 1 {
			t.Errorf("got %d users", n)
		}
	})
}

// TestWeakness45GatedUsersOfPhonesAreToldWhy has each state of an account behind a right code.
func TestWeakness45GatedUsersOfPhonesAreToldWhy(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	for set, want := range map[string]struct {
		status int
		id     string
	}{
		"disabled = true":     {401, "disabled-user"},
		"is_anonymous = true": {403, "forbidden-anonymous"},
		"email = 'unverified-' || id || '@example.com', email_verified = false": {401, "unverified-user"},
	} {
		number, s := d.phonePerson(t)
		d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
		code := d.textedCode(t, number, 2)
		d.sql(t, `update auth.users set `+set+` where id = $1`, s.User.ID)
		d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": other(code)}).refused(t, 400, "invalid-otp", "")
		d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, want.status, want.id, "")
	}
}

// TestWeakness16DisabledUsersOfPhonesAreStopped has the users whom no rule about addresses stops.
func TestWeakness16DisabledUsersOfPhonesAreStopped(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	number, s := d.phonePerson(t)
	d.sql(t, `update auth.users set disabled = true where id = $1`, s.User.ID)
	if a := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}); a.status != 401 {
		t.Errorf("%s", a)
	}
	d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "disabled-user", "")
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	if n := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_sms'`); n != 1 || len(d.Phones.To(number)) != 1 {
		t.Errorf("%d messages were queued, %d came", n, len(d.Phones.To(number)))
	}
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": "123456"}).refused(t, 400, "invalid-otp", "")
}

func TestChangePhoneNumber(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	ask := func(t *testing.T, token, number string) answer {
		t.Helper()
		return d.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(token))
	}
	confirm := func(t *testing.T, token, number, code string) answer {
		t.Helper()
		return d.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": number, "otp": code}, bearer(token))
	}

	t.Run("nothing changes before the code is typed, then the other sessions end", func(t *testing.T) {
		old, s := d.phonePerson(t)
		email := newAddress()
		d.sql(t, `update auth.users set email = $2, email_verified = true where id = $1`, s.User.ID, email)
		d.ask(t, "POST", askText, fields{"phoneNumber": old}).ok(t)
		elsewhere := d.ask(t, "POST", typeText, fields{"phoneNumber": old, "otp": d.textedCode(t, old, 2)}).session(t)
		number := newNumber()
		ask(t, s.AccessToken, number[:3]+" "+number[3:]).ok(t)
		if got := value[string](t, d, `select phone_number from auth.users where id = $1`, s.User.ID); got != old {
			t.Errorf("the number is %s already", got)
		}
		code := d.textedCode(t, number, 1)
		confirm(t, s.AccessToken, newNumber(), code).refused(t, 400, "invalid-otp", "")
		confirm(t, s.AccessToken, number, other(code)).refused(t, 400, "invalid-otp", "")
		confirm(t, elsewhere.AccessToken, number, code).ok(t) // the code is the user's, whichever session asked
		u := d.ask(t, "GET", "/user", nil, bearer(elsewhere.AccessToken)).object(t)
		if u["phoneNumber"] != number || u["phoneNumberVerified"] != true {
			t.Errorf("user %v", u)
		}
		d.ask(t, "GET", "/user", nil, bearer(s.AccessToken)).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).refused(t, 401, "invalid-refresh-token", "")
		confirm(t, elsewhere.AccessToken, number, code).refused(t, 400, "invalid-otp", "")
		d.mail(t, email, "phone-changed", 1)
		if n := value[int](t, d, `select count(*) from auth.audit_entries where event = 'phone.changed' and user_id = $1`, s.User.ID); n != 1 {
			t.Errorf("%d audit entries", n)
		}
		// The old number signs nobody in any more: who asks by it is new.
		d.ask(t, "POST", askText, fields{"phoneNumber": old}).ok(t)
		if again := d.ask(t, "POST", typeText, fields{"phoneNumber": old, "otp": d.textedCode(t, old, 3)}).session(t); again.User.ID == s.User.ID {
			t.Error("the old number still is the user's")
		}
	})

	t.Run("a number that somebody has proved is not to be had", func(t *testing.T) {
		taken, _ := d.phonePerson(t)
		p := d.person(t)
		ask(t, p.AccessToken, taken).refused(t, 409, "user-already-exists", "User already exists")
		number := newNumber()
		ask(t, p.AccessToken, number).ok(t)
		code := d.textedCode(t, number, 1)
		// Somebody else proves it meanwhile.
		d.sql(t, `insert into auth.users (phone_number, phone_number_verified, locale) values ($1, true, 'en')`, number)
		confirm(t, p.AccessToken, number, code).refused(t, 409, "user-already-exists", "")
	})

	t.Run("who squats on a number without proving it loses it", func(t *testing.T) {
		number := newNumber()
		d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
		squatter := value[string](t, d, `select id::text from auth.users where phone_number = $1`, number)
		p := d.person(t)
		ask(t, p.AccessToken, number).ok(t)
		confirm(t, p.AccessToken, number, d.textedCode(t, number, 2)).ok(t)
		if owner := value[string](t, d, `select id::text from auth.users where phone_number = $1`, number); owner != p.User.ID {
			t.Errorf("the number is %s's", owner)
		}
		if n := value[int](t, d, `select count(*) from auth.audit_entries where event = 'phone.released' and user_id = $1`, squatter); n != 1 {
			t.Errorf("%d audit entries", n)
		}
	})

	t.Run("two who prove one number at once", func(t *testing.T) {
		number := newNumber()
		a, b := d.person(t), d.person(t)
		ask(t, a.AccessToken, number).ok(t)
		first := d.textedCode(t, number, 1)
		ask(t, b.AccessToken, number).ok(t)
		second := d.textedCode(t, number, 2)
		answers, err := parallel(2, func(i int) (answer, error) {
			return confirm(t, []string{a.AccessToken, b.AccessToken}[i], number, []string{first, second}[i]), nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if answers[0].status+answers[1].status != 200+409 {
			t.Errorf("%s, %s: want one to have it", answers[0], answers[1])
		}
	})

	t.Run("who may not", func(t *testing.T) {
		p := d.person(t)
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}).refused(t, 401, "unauthorized", "")
		d.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": newNumber(), "otp": "123456"}).refused(t, 401, "unauthorized", "")
		ask(t, p.AccessToken, "079").refused(t, 400, "cannot-send-sms", "")
		confirm(t, p.AccessToken, newNumber(), "123456").refused(t, 400, "invalid-otp", "")
		strict := doorway{d.Beside(t)}
		strict.Kit.Policy.Elevation = "required"
		number := newNumber()
		strict.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
		strict.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": number, "otp": "123456"}, bearer(p.AccessToken)).refused(t, 403, "elevated-claim-required", "")
		strict.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(d.accessToken(t, func(a *tokens.Access) { a.Elevated = true }, p.wireSession))).ok(t)
		d.sql(t, `update auth.users set is_anonymous = true where id = $1`, p.User.ID)
		ask(t, p.AccessToken, newNumber()).refused(t, 403, "forbidden-anonymous", "")
		confirm(t, p.AccessToken, newNumber(), "123456").refused(t, 403, "forbidden-anonymous", "")
	})

	t.Run("off, or without a gateway", func(t *testing.T) {
		for want, settings := range map[string]map[string]string{
			"disabled-endpoint":  {"AUTH_SMS_PASSWORDLESS_ENABLED": "false"},
			"sms-not-configured": {"AUTH_SMS_PROVIDER": "twilio"},
		} {
			off := openDoor(t, settings)
			p := off.person(t)
			status := map[string]int{"disabled-endpoint": 409, "sms-not-configured": 503}[want]
			off.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}, bearer(p.AccessToken)).refused(t, status, want, "")
			off.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": newNumber(), "otp": "123456"}, bearer(p.AccessToken)).refused(t, status, want, "")
		}
	})
}

// TestTwilioVerify has the gateway make and check the codes. Tries and budget are ours all the same.
func TestTwilioVerify(t *testing.T) {
	t.Parallel()
	gateway := fakesms.New(t)
	d := openDoor(t, gateway.TwilioVerify())
	number := newNumber()
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code := gateway.Wait(t, number, 1)[0].Code
	for range 2 {
		d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": other(code)}).refused(t, 400, "invalid-otp", "")
	}
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).session(t)
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 400, "invalid-otp", "")
	if n := value[int](t, d, `select count from auth.security_counters where key like 'code:typed:%'`); n != 2 {
		t.Errorf("%d wrong codes are counted, want 2", n)
	}

	// A code that nobody was sent is no question to the gateway.
	asked := len(gateway.Requests())
	d.ask(t, "POST", typeText, fields{"phoneNumber": newNumber(), "otp": "123456"}).refused(t, 400, "invalid-otp", "")
	if n := len(gateway.Requests()); n != asked {
		t.Errorf("the gateway was asked %d times more", n-asked)
	}

	// While it does not answer nobody is let in, and nobody is told that the code is wrong.
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code = gateway.Wait(t, number, 2)[1].Code
	gateway.Fail(fakesms.Reply(500))
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 503, "overloaded", "")
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).session(t)

	// Five tries, also when the gateway would allow more.
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	code = gateway.Wait(t, number, 3)[2].Code
	for range 5 {
		d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": other(code)}).refused(t, 400, "invalid-otp", "")
	}
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 400, "otp-too-many-attempts", "")
}

package hasura_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"postern/house"
	"postern/internal/testhouse"
	"postern/tokens"
)

// wayOfCode is one of the ways in by a code, as a guesser meets it.
type wayOfCode struct {
	name  string
	to    string // where the codes go
	ask   func(h *testhouse.House, from place) (reply, error)
	guess func(h *testhouse.House, code string, from place) (reply, error)
	code  func(n int) string // of the n-th message
}

// waysOfCodes makes a user for each way.
func waysOfCodes(t *testing.T, w twins) []wayOfCode {
	t.Helper()
	d := doorway{w.a}
	email, number := newAddress(), newNumber()
	phoned := number[:3] + "-" + number[3:]
	both, bothNumber := newcomer(t, w.a), newNumber()
	exec(t, w.a, `update auth.users set email_verified = true, phone_number = $2, phone_number_verified = true where id = $1`, both.User.ID, bothNumber)
	token := []string{"Authorization", "Bearer " + both.AccessToken}
	to := newNumber()
	post := func(path string, body any, more ...string) func(h *testhouse.House, from place) (reply, error) {
		return func(h *testhouse.House, from place) (reply, error) {
			return send(t.Context(), h, "POST", path, body, from, more...)
		}
	}
	type guess = func(h *testhouse.House, code string, from place) (reply, error)
	typed := func(path string, body fields, more ...string) guess {
		return func(h *testhouse.House, code string, from place) (reply, error) {
			in := fields{"otp": code}
			for name, v := range body {
				in[name] = v
			}
			return send(t.Context(), h, "POST", path, in, from, more...)
		}
	}
	mailed := func(email string) func(int) string {
		return func(n int) string { return d.mailedCode(t, email, n) }
	}
	texted := func(number string) func(int) string {
		return func(n int) string { return d.textedCode(t, number, n) }
	}
	return []wayOfCode{
		{"mailed", email, post(askMail, fields{"email": email}), func(h *testhouse.House, code string, from place) (reply, error) {
			spelled := email // another spelling is the same account
			if strings.HasPrefix(code, "0") {
				spelled = strings.ToUpper(email)
			}
			return typed(typeMail, fields{"email": spelled})(h, code, from)
		}, mailed(email)},
		{"texted", number, post(askText, fields{"phoneNumber": number}), func(h *testhouse.House, code string, from place) (reply, error) {
			spelled := number
			if strings.HasPrefix(code, "0") {
				spelled = phoned
			}
			return typed(typeText, fields{"phoneNumber": spelled})(h, code, from)
		}, texted(number)},
		{"elevation by mail", both.User.Email, post("/elevate/otp/email", nil, token...), typed("/elevate/otp/email/verify", nil, token...), mailed(both.User.Email)},
		{"elevation by text", bothNumber, post("/elevate/otp/sms", nil, token...), typed("/elevate/otp/sms/verify", nil, token...), texted(bothNumber)},
		{"change of number", to, post(changePhone, fields{"newPhoneNumber": to}, token...), typed(confirmPhone, fields{"newPhoneNumber": to}, token...), texted(to)},
	}
}

func asked(t *testing.T, c wayOfCode, h *testhouse.House, from place) {
	t.Helper()
	if r, err := c.ask(h, from); err != nil || r.status != 200 {
		t.Fatal(r, err)
	}
}

// openCodeTwins opens replicas with every way of codes on.
func openCodeTwins(t *testing.T, more ...string) twins {
	t.Helper()
	settings := map[string]string{
		"AUTH_OTP_EMAIL_ENABLED": "true", "AUTH_SMS_PASSWORDLESS_ENABLED": "true",
		"AUTH_EMAIL_USER_HOURLY_LIMIT": "1000", "AUTH_SMS_USER_HOURLY_LIMIT": "1000",
	}
	for i := 0; i+1 < len(more); i += 2 {
		settings[more[i]] = more[i+1]
	}
	return openTwins(t, settings)
}

// TestH15CodesAreNotGuessed lets a crowd guess at one code, and somebody patient guess at one account
// for a week: the counts are exact, and the same on two replicas as on one.
func TestH15CodesAreNotGuessed(t *testing.T) {
	t.Parallel()
	w := openCodeTwins(t)
	replicas := []*testhouse.House{w.a, w.b}
	for _, c := range waysOfCodes(t, w) {
		t.Run("64 at once/"+c.name, func(t *testing.T) {
			doorway{w.a}.sql(t, `delete from auth.security_counters`)
			asked(t, c, w.a, home())
			right := c.code(1)
			answers, err := parallel(crowdSize, func(i int) (reply, error) {
				wrong := fmt.Sprintf("%06d", i)
				if wrong == right {
					wrong = "999999"
				}
				return c.guess(replicas[i%2], wrong, elsewhere(i))
			})
			if err != nil {
				t.Fatal(err)
			}
			counts := map[string]int{}
			for _, r := range answers {
				counts[r.refusal]++
			}
			if counts["invalid-otp"] != 5 || counts["otp-too-many-attempts"] != crowdSize-5 {
				t.Errorf("%v, want five compared", counts)
			}
			for key, n := range typedCounts(t, w) {
				if n != 5 {
					t.Errorf("%s stands at %d, want 5", key, n)
				}
			}
			if r, err := c.guess(w.b, right, home()); err != nil || r.status != 400 || r.refusal != "otp-too-many-attempts" {
				t.Errorf("the right code after five wrong ones: %s %v", r, err)
			}
		})
	}

	t.Run("64 right at once have one winner", func(t *testing.T) {
		for _, c := range waysOfCodes(t, w) {
			doorway{w.a}.sql(t, `delete from auth.security_counters`)
			asked(t, c, w.a, home())
			right := c.code(1)
			answers, err := parallel(crowdSize, func(i int) (reply, error) { return c.guess(replicas[i%2], right, elsewhere(i)) })
			if err != nil {
				t.Fatal(err)
			}
			won := 0
			for _, r := range answers {
				switch {
				case r.status == 200:
					won++
				case r.refusal != "invalid-otp" && r.refusal != "otp-too-many-attempts":
					t.Errorf("%s: %s", c.name, r)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d of %d had it", c.name, won, crowdSize)
			}
			for key, n := range typedCounts(t, w) {
				if n != 0 {
					t.Errorf("%s: right codes left %s at %d", c.name, key, n)
				}
			}
		}
	})

	t.Run("the budget of an account", func(t *testing.T) {
		c := waysOfCodes(t, w)[0]
		doorway{w.a}.sql(t, `delete from auth.security_counters`)
		mails, compared := 0, 0
		guess := func(t *testing.T) bool { // until no more codes are compared
			t.Helper()
			asked(t, c, replicas[mails%2], elsewhere(mails)) // asking again sets nothing back
			mails++
			right := c.code(mails)
			for n := range 10 {
				r, err := c.guess(replicas[n%2], other(right), elsewhere(n))
				switch {
				case err != nil:
					t.Fatal(err)
				case r.refusal == "invalid-otp":
					compared++
				case r.status == 429:
					return false
				case r.refusal != "otp-too-many-attempts":
					t.Fatal(r)
				}
			}
			return true
		}
		for range 6 {
			if !guess(t) {
				break
			}
		}
		if compared != 18 {
			t.Fatalf("%d codes were compared, want the budget of 18", compared)
		}

		// A right code is not looked at either, and the link in the same mail works all the same.
		asked(t, c, w.a, home())
		mails++
		r, err := c.guess(w.b, c.code(mails), home())
		if err != nil || r.status != 429 || r.header.Get("Retry-After") == "" {
			t.Fatal(r, err)
		}
		all := w.a.Mail.Wait(t, c.to, mails)
		link := strings.TrimPrefix(all[mails-1].Link, all[mails-1].Link[:strings.Index(all[mails-1].Link, "/verify")])
		if q := opened(t, must(t, w.b, "GET", link, nil, home())); q.Get("refreshToken") == "" {
			t.Errorf("the link leads to %v", q)
		}

		// In the next week codes work again, and a right one takes nothing off what wrong ones cost.
		w.clock.Advance(7*24*time.Hour + time.Second)
		asked(t, c, w.a, home())
		mails++
		right := c.code(mails)
		for range 3 {
			if r, err := c.guess(w.a, other(right), home()); err != nil || r.refusal != "invalid-otp" {
				t.Fatal(r, err)
			}
		}
		if r, err := c.guess(w.b, right, home()); err != nil || r.status != 200 {
			t.Fatal(r, err)
		}
		for key, n := range typedCounts(t, w) {
			if n != 3 {
				t.Errorf("%s stands at %d, want 3", key, n)
			}
		}
	})
}

// typedCounts are the counters of wrong codes.
func typedCounts(t *testing.T, w twins) map[string]int {
	t.Helper()
	rows, err := w.a.Store.Query(t.Context(), `select key, count from auth.security_counters where key like 'code:typed:%' and window_ends_at > $1`, w.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var key string
		var n int
		if err := rows.Scan(&key, &n); err != nil {
			t.Fatal(err)
		}
		counts[key] = n
	}
	return counts
}

// TestOneBudgetForAllCodes spends the budget on one kind of code and tries another.
func TestOneBudgetForAllCodes(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_OTP_USER_FAILURE_LIMIT": "5"})
	number, s := d.phonePerson(t)
	email := newAddress()
	d.sql(t, `update auth.users set email = $2, email_verified = true where id = $1`, s.User.ID, email)
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	code := d.mailedCode(t, email, 1)
	for range 5 {
		d.ask(t, "POST", typeMail, fields{"email": email, "otp": other(code)}).refused(t, 400, "invalid-otp", "")
	}
	sent := len(d.Phones.To(number))
	for _, a := range []answer{
		d.ask(t, "POST", askText, fields{"phoneNumber": number}), // a message would be in vain, and cost
		d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(s.AccessToken)),
		d.ask(t, "POST", "/elevate/otp/email", nil, bearer(s.AccessToken)),
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}, bearer(s.AccessToken)),
	} {
		a.refused(t, 429, "too-many-requests", "")
	}
	if n := len(d.Phones.To(number)); n != sent {
		t.Errorf("%d messages went out", n-sent)
	}
}

// TestManyAccountsDoNotGuessAtOneNumber lets users who cost nothing guess at the code of a number that
// none of them has.
func TestManyAccountsDoNotGuessAtOneNumber(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_OTP_USER_FAILURE_LIMIT": "7", "AUTH_SMS_USER_HOURLY_LIMIT": "1000"})
	number := newNumber()
	compared := 0
	for n := range 3 {
		p := d.person(t)
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(p.AccessToken)).ok(t)
		wrong := other(d.textedCode(t, number, n+1))
		for range 5 {
			a := d.ask(t, "POST", confirmPhone, fields{"newPhoneNumber": number, "otp": wrong}, bearer(p.AccessToken))
			if a.status == 400 && a.refusal(t).Error == "invalid-otp" {
				compared++
			}
		}
	}
	if compared != 7 {
		t.Errorf("%d codes were compared, want 7", compared)
	}
}

// TestH21CodesDoNotTellWhoExists compares all that somebody sees who asks for a code and guesses at
// it, for a user, for one who may not sign in and for nobody.
func TestH21CodesDoNotTellWhoExists(t *testing.T) {
	t.Parallel()
	clock := newStillClock()
	d := openDoor(t, map[string]string{"AUTH_DISABLE_AUTO_SIGNUP": "true", "AUTH_EMAIL_USER_HOURLY_LIMIT": "3", "AUTH_SMS_USER_HOURLY_LIMIT": "3"},
		func(o *house.Options) { o.Now = clock.Now })
	known, disabled := d.person(t), d.person(t)
	d.sql(t, `update auth.users set disabled = true where id = $1`, disabled.User.ID)
	numbers := map[string]string{}
	for _, kind := range []string{"known", "disabled"} {
		numbers[kind] = newNumber()
		d.sql(t, `insert into auth.users (phone_number, phone_number_verified, locale, disabled) values ($1, true, 'en', $2)`, numbers[kind], kind == "disabled")
	}
	emails := map[string]string{"known": known.email, "disabled": disabled.email, "nobody": newAddress()}
	numbers["nobody"] = newNumber()

	type look struct {
		status  int
		body    string
		retry   string
		headers int
	}
	sequence := func(ask, typed, member, value string) (seen []look) {
		see := func(a answer) {
			seen = append(seen, look{a.status, a.body, a.header.Get("Retry-After"), len(a.header)})
		}
		see(d.ask(t, "POST", typed, fields{member: value, "otp": "12345"})) // before any is asked for
		for range 5 {                                                       // more than an hour allows, and the budget
			see(d.ask(t, "POST", ask, fields{member: value}))
			for range 7 {
				see(d.ask(t, "POST", typed, fields{member: value, "otp": "12345"})) // one digit short: never right
			}
			clock.Advance(11 * time.Minute)
		}
		return seen
	}
	for name, way := range map[string]struct {
		ask, typed, member string
		values             map[string]string
	}{
		"mailed": {askMail, typeMail, "email", emails},
		"texted": {askText, typeText, "phoneNumber", numbers},
	} {
		t.Run(name, func(t *testing.T) {
			want := sequence(way.ask, way.typed, way.member, way.values["known"])
			for _, kind := range []string{"disabled", "nobody"} {
				got := sequence(way.ask, way.typed, way.member, way.values[kind])
				for i := range want {
					if got[i] != want[i] {
						t.Fatalf("answer %d to %s: %+v, to a user: %+v", i, kind, got[i], want[i])
					}
				}
			}
		})
	}
	for _, kind := range []string{"disabled", "nobody"} {
		for _, m := range d.Mail.To(emails[kind]) {
			if m.Headers.Get("X-Email-Template") == "signin-otp" {
				t.Errorf("a code was mailed to %s", kind)
			}
		}
		if n := len(d.Phones.To(numbers[kind])); n != 0 {
			t.Errorf("%d messages to %s", n, kind)
		}
	}

	t.Run("signing up", func(t *testing.T) {
		known, nobody := sequence(askMailSignUp, typeMail, "email", known.email), sequence(askMailSignUp, typeMail, "email", newAddress())
		for i := range known {
			if known[i].status == 429 || nobody[i].status == 429 {
				break // the budget of the one was used above
			}
			if known[i] != nobody[i] {
				t.Fatalf("answer %d to a user: %+v, to nobody: %+v", i, known[i], nobody[i])
			}
		}
	})
}

// TestWeakness08MailedCodesAreKeptAsHashes looks for codes in a dump of the database, plain and under
// hashes that need no key.
func TestWeakness08MailedCodesAreKeptAsHashes(t *testing.T) {
	t.Parallel()
	d := openDoor(t, nil)
	email, number := newAddress(), newNumber()
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	mailed, texted := d.mailedCode(t, email, 1), d.textedCode(t, number, 1)
	for _, code := range []string{mailed, texted} {
		sum := sha256.Sum256([]byte(code))
		for name, secret := range map[string]string{"plain": code, "SHA-256": hex.EncodeToString(sum[:])} {
			for _, table := range []string{"auth.users", "auth.tickets", "auth.security_counters", "auth.audit_entries", "auth.events"} {
				column := `x::text`
				if table != "auth.users" && name == "plain" {
					// Six digits are in any time and any UUID; where a code could be written, it would stand alone.
					if n := value[int](t, d, `select count(*) from `+table+` x, jsonb_each_text(to_jsonb(x)) f where f.value = $1`, secret); n != 0 {
						t.Errorf("%s holds a code", table)
					}
					continue
				}
				if name == "plain" {
					column = `concat(x.ticket, x.otp_hash, x.metadata, x.display_name)`
				}
				if n := value[int](t, d, `select count(*) from `+table+` x where `+column+` like '%' || $1 || '%'`, secret); n != 0 {
					t.Errorf("%s holds a code as %s", table, name)
				}
			}
		}
		if strings.Contains(d.Log.String(), `"`+code+`"`) {
			t.Error("a code is in the log")
		}
	}
	// What is kept is of this ticket, this purpose and this key alone.
	id := value[string](t, d, `select id::text from auth.tickets where purpose = 'email-code'`)
	hash := value[[]byte](t, d, `select secret_hash from auth.tickets where id = $1`, id)
	if !d.Kit.Keys.IsCode(hash, id, "email-code", mailed) || d.Kit.Keys.IsCode(hash, id, "sms-code", mailed) {
		t.Error("the hash is not what it should be")
	}
}

// TestCodesSurviveAChangeOfTheKey types a code at a replica that has another key already, and the old
// one beside it.
func TestCodesSurviveAChangeOfTheKey(t *testing.T) {
	t.Parallel()
	w := openCodeTwins(t)
	email := newAddress()
	if r := must(t, w.a, "POST", askMail, fields{"email": email}, home()); r.status != 200 {
		t.Fatal(r)
	}
	code := doorway{w.a}.mailedCode(t, email, 1)
	next := w.beside(t, map[string]string{
		"AUTH_ENCRYPTION_KEY": strings.Repeat("fedcba9876543210", 4), "AUTH_ENCRYPTION_KEY_PREVIOUS": strings.Repeat("0123456789abcdef", 4),
	})
	if r := must(t, next, "POST", typeMail, fields{"email": email, "otp": code}, home()); r.status != 200 {
		t.Error(r)
	}
}

func TestMessagesAreLimited(t *testing.T) {
	t.Parallel()
	t.Run("of one user and one number", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_SMS_USER_HOURLY_LIMIT": "2", "AUTH_EMAIL_USER_HOURLY_LIMIT": "2"})
		p, number := d.person(t), newNumber()
		for range 4 {
			d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
			d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t) // whoever asked learns nothing
		}
		// The code that came last still counts.
		d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 2)}).session(t)
		// Another account does not make another message to the same number.
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": number}, bearer(p.AccessToken)).refused(t, 429, "too-many-requests", "")
		d.ask(t, "POST", "/elevate/otp/email", nil, bearer(p.AccessToken)).ok(t)
		if n := value[int](t, d, `select count(*) from postern_river.river_job where kind = 'postern_sms'`); n != 2 {
			t.Errorf("%d messages, want 2", n)
		}
		d.Clock.Advance(time.Hour + time.Minute)
		d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
		d.textedCode(t, number, 3)
	})
	t.Run("of one client", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_SMS_BURST": "2"})
		p := d.person(t)
		d.ask(t, "POST", askText, fields{"phoneNumber": newNumber()}).ok(t)
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}, bearer(p.AccessToken)).ok(t)
		for _, path := range []string{askText, askTextSignUp} {
			d.ask(t, "POST", path, fields{"phoneNumber": newNumber()}).refused(t, 429, "too-many-requests", "")
		}
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}, bearer(p.AccessToken)).refused(t, 429, "too-many-requests", "")
		d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(p.AccessToken)).refused(t, 429, "too-many-requests", "")
		d.ask(t, "POST", askText, fields{"phoneNumber": newNumber()}, peer("192.0.2.77:1")).ok(t)
	})
	t.Run("wrong codes of one client, whatever accounts it tries", func(t *testing.T) {
		t.Parallel()
		d := openDoor(t, map[string]string{"AUTH_RATE_LIMIT_ENABLE": "true", "AUTH_RATE_LIMIT_BRUTE_FORCE_BURST": "4", "AUTH_RATE_LIMIT_GLOBAL_BURST": "1000"})
		wrong := 0
		for n := range 4 {
			email := newAddress()
			d.ask(t, "POST", askMail, fields{"email": email}, peer(fmt.Sprintf("198.51.100.%d:1", n))).ok(t)
			code := other(d.mailedCode(t, email, 1))
			for range 2 {
				if a := d.ask(t, "POST", typeMail, fields{"email": email, "otp": code}); a.status == 400 {
					wrong++
				} else {
					a.refused(t, 429, "too-many-requests", "")
				}
			}
		}
		if wrong != 4 {
			t.Errorf("%d wrong codes were compared, want 4", wrong)
		}
		// Codes that were not compared cost the accounts nothing.
		if n := value[int](t, d, `select sum(count)::int from auth.security_counters where key like 'code:typed:%'`); n != 4 {
			t.Errorf("%d wrong codes are counted, want 4", n)
		}
	})
}

func TestElevateByCode(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "recommended"})
	p := d.person(t)
	number := newNumber()
	d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true where id = $1`, p.User.ID, number)
	for name, c := range map[string]struct {
		path string
		code func(n int) string
	}{
		"mail": {"/elevate/otp/email", func(n int) string { return d.mailedCode(t, p.email, n) }},
		"text": {"/elevate/otp/sms", func(n int) string { return d.textedCode(t, number, n) }},
	} {
		t.Run(name, func(t *testing.T) {
			change := func(token string) answer {
				return d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(token))
			}
			change(p.AccessToken).refused(t, 403, "elevated-claim-required", "")
			d.ask(t, "POST", c.path, nil, bearer(p.AccessToken)).ok(t)
			code := c.code(1)
			d.ask(t, "POST", c.path+"/verify", fields{"otp": other(code)}, bearer(p.AccessToken)).refused(t, 400, "invalid-otp", "")
			// The code is the user's, and for this alone.
			someone := d.person(t)
			d.ask(t, "POST", c.path+"/verify", fields{"otp": code}, bearer(someone.AccessToken)).refused(t, 400, "invalid-otp", "")
			d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": code}).refused(t, 400, "invalid-otp", "")
			d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": code}).refused(t, 400, "invalid-otp", "")
			s := d.ask(t, "POST", c.path+"/verify", fields{"otp": code}, bearer(p.AccessToken)).session(t)
			if s.RefreshTokenID == p.RefreshTokenID {
				t.Error("it is the same session")
			}
			change(s.AccessToken).ok(t)
			d.ask(t, "GET", "/user", nil, bearer(p.AccessToken)).is(t, 200, "") // the first goes on
			// A refresh brings a token that is not fresh.
			again := d.ask(t, "POST", "/token", fields{"refreshToken": s.RefreshToken}).session(t)
			change(again.AccessToken).refused(t, 403, "elevated-claim-required", "")
			amr := value[string](t, d, `select string_agg(m->>'method', ' ' order by n) from auth.refresh_tokens, jsonb_array_elements(amr) with ordinality as x(m, n) where id = $1`, s.RefreshTokenID)
			if want := map[string]string{"mail": "password otp", "text": "password sms"}[name]; amr != want {
				t.Errorf("proofs %q, want %q", amr, want)
			}
			d.ask(t, "POST", c.path+"/verify", fields{"otp": code}, bearer(p.AccessToken)).refused(t, 400, "invalid-otp", "")
		})
	}

	t.Run("who may not", func(t *testing.T) {
		for _, path := range []string{"/elevate/otp/email", "/elevate/otp/sms"} {
			q := d.person(t)
			d.ask(t, "POST", path, nil).refused(t, 401, "unauthorized", "")
			d.ask(t, "POST", path+"/verify", fields{"otp": "123456"}).refused(t, 401, "unauthorized", "")
			d.sql(t, `update auth.users set is_anonymous = true where id = $1`, q.User.ID)
			d.ask(t, "POST", path, nil, bearer(q.AccessToken)).refused(t, 403, "forbidden-anonymous", "")
			d.ask(t, "POST", path+"/verify", fields{"otp": "123456"}, bearer(q.AccessToken)).refused(t, 403, "forbidden-anonymous", "")
		}
		q := d.person(t)
		d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(q.AccessToken)).refused(t, 400, "cannot-send-sms", "") // has no number
		d.sql(t, `update auth.users set phone_number = $2 where id = $1`, q.User.ID, newNumber())
		d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(q.AccessToken)).refused(t, 400, "cannot-send-sms", "") // and has not proved it
		_, s := d.phonePerson(t)
		d.ask(t, "POST", "/elevate/otp/email", nil, bearer(s.AccessToken)).refused(t, 401, "unverified-user", "")
		d.ask(t, "POST", "/elevate/otp/email/verify", fields{"otp": "123456"}, bearer(s.AccessToken)).refused(t, 401, "unverified-user", "")
		d.sql(t, `delete from auth.refresh_tokens where user_id = $1`, q.User.ID)
		d.ask(t, "POST", "/elevate/otp/email", nil, bearer(q.AccessToken)).refused(t, 401, "unauthorized", "")
	})

	t.Run("off, or without what sends", func(t *testing.T) {
		for _, c := range []struct {
			path, name, value, id string
			status                int
		}{
			{"/elevate/otp/email", "AUTH_OTP_EMAIL_ENABLED", "false", "disabled-endpoint", 409},
			{"/elevate/otp/email", "AUTH_SMTP_HOST", "", "mail-not-configured", 503},
			{"/elevate/otp/sms", "AUTH_SMS_PASSWORDLESS_ENABLED", "false", "disabled-endpoint", 409},
			{"/elevate/otp/sms", "AUTH_SMS_PROVIDER", "twilio", "sms-not-configured", 503},
		} {
			off := openDoor(t, unverified(c.name, c.value))
			q := off.person(t)
			off.ask(t, "POST", c.path, nil, bearer(q.AccessToken)).refused(t, c.status, c.id, "")
			off.ask(t, "POST", c.path+"/verify", fields{"otp": "123456"}, bearer(q.AccessToken)).refused(t, c.status, c.id, "")
		}
	})
}

// TestT30AFreshSignInIsNoFreshProof signs in by codes a moment ago and has no claim for it.
func TestT30AFreshSignInIsNoFreshProof(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_REQUIRE_ELEVATED_CLAIM": "required"})
	p := d.person(t)
	d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
	mailed := d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": d.mailedCode(t, p.email, 1)}).session(t)
	_, texted := d.phonePerson(t)
	for _, s := range []fullSession{mailed, texted} {
		d.ask(t, "POST", "/user/email/change", fields{"newEmail": newAddress()}, bearer(s.AccessToken)).refused(t, 403, "elevated-claim-required", "")
		d.ask(t, "POST", changePhone, fields{"newPhoneNumber": newNumber()}, bearer(s.AccessToken)).refused(t, 403, "elevated-claim-required", "")
	}
}

// TestT12CodesAreOneFactor has a second factor due after each kind of code, unless the session had
// both before.
func TestT12CodesAreOneFactor(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_MFA_ENABLED": "true"})
	p := d.person(t)
	number := newNumber()
	d.sql(t, `update auth.users set phone_number = $2, phone_number_verified = true, active_mfa_type = 'totp' where id = $1`, p.User.ID, number)
	sessions := func() int {
		return value[int](t, d, `select count(*) from auth.refresh_tokens where user_id = $1`, p.User.ID)
	}
	before := sessions()
	d.ask(t, "POST", askMail, fields{"email": p.email}).ok(t)
	mail := d.mail(t, p.email, "signin-otp", 1)
	d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": mail.Ticket}).factorTicket(t)
	d.ask(t, "POST", typeMail, fields{"email": p.email, "otp": mail.Ticket}).refused(t, 400, "invalid-otp", "") // it is used up all the same
	d.ask(t, "POST", askText, fields{"phoneNumber": number}).ok(t)
	d.ask(t, "POST", typeText, fields{"phoneNumber": number, "otp": d.textedCode(t, number, 1)}).factorTicket(t)
	d.ask(t, "POST", "/elevate/otp/email", nil, bearer(p.AccessToken)).ok(t)
	d.ask(t, "POST", "/elevate/otp/email/verify", fields{"otp": d.mailedCode(t, p.email, 2)}, bearer(p.AccessToken)).factorTicket(t)
	if n := sessions(); n != before {
		t.Errorf("%d sessions were opened on one factor", n-before)
	}
	d.sql(t, `update auth.refresh_tokens set aal = 2, amr = amr || '[{"method": "totp", "timestamp": "2026-01-01T00:00:00Z"}]' where id = $1`, p.RefreshTokenID)
	d.ask(t, "POST", "/elevate/otp/sms", nil, bearer(p.AccessToken)).ok(t)
	s := d.ask(t, "POST", "/elevate/otp/sms/verify", fields{"otp": d.textedCode(t, number, 2)}, bearer(p.AccessToken)).session(t)
	if aal := value[int](t, d, `select aal from auth.refresh_tokens where id = $1`, s.RefreshTokenID); aal != 2 {
		t.Errorf("level %d, want that of the session before", aal)
	}
}

// TestCodesHaveALength types codes of the greatest length.
func TestCodesHaveALength(t *testing.T) {
	t.Parallel()
	d := openDoor(t, map[string]string{"AUTH_OTP_LENGTH": "10", "AUTH_OTP_USER_FAILURE_LIMIT": "1000", "AUTH_OTP_USER_FAILURE_INTERVAL": "1h"})
	email := newAddress()
	d.ask(t, "POST", askMail, fields{"email": email}).ok(t)
	code := d.mailedCode(t, email, 1)
	if len(code) != 10 {
		t.Fatalf("the code is %q", code)
	}
	for _, wrong := range []string{code[:9], code + "0", code[:9] + "x", "", tokens.NewUUID()} {
		if wrong != "" {
			d.ask(t, "POST", typeMail, fields{"email": email, "otp": wrong}).refused(t, 400, "invalid-otp", "")
		}
	}
	d.ask(t, "POST", typeMail, fields{"email": email, "otp": code}).session(t)
}
